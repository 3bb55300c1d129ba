//! `samband audit report`: an offline page that answers the prepared questions from a bundle, by the same functions as the gateway's page.

use std::path::PathBuf;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;

use super::bundle::read::{Demands, Proved, check};
use super::verify::in_words;
use crate::audit::event::ReloadFault;
use crate::audit::question::{Answer, Finding, Mark, Question, Row};
use crate::cli::exit::CliError;
use crate::cli::outbox::write_durably;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

/// What `audit report --help` shows.
pub const HELP: &str = "Examples:
  samband audit report october.tar --vkey log.vkey --out october.html
  samband audit report october.tar --vkey log.vkey --policy witnesses.policy --out october.html

The bundle is checked first; nothing is written if it does not hold. The page answers the prepared questions over the bundle's range, by a
sentence, numbers and the entries behind them, and says what was checked. It has no script, loads nothing, and opens in any browser.";

/// Arguments of `audit report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A bundle, from `samband audit export`
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// The page to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The log's public key; without it the bundle's own is believed, and the page says so
    #[arg(long, value_name = "FILE")]
    pub vkey: Option<PathBuf>,
    /// A tlog-policy file: which witnesses must have cosigned the head
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A bundle that does not hold, or a file that cannot be written.
pub fn run(args: &ReportArgs, out: Output) -> Result<(), CliError> {
    let vkey = args.vkey.as_deref().map(read_vkey).transpose()?.map(|(verifier, _)| verifier);
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let bar = out.progress(1, "entries");
    let demands = Demands { vkey: vkey.as_ref(), policy: policy.as_ref(), questions: &Question::ALL };
    let proved = check(&args.bundle, &demands, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let proved = proved?;
    write_durably(&args.out, page(&proved, vkey.is_some()).as_bytes())?;
    let text = format!("{}: {} questions answered from {} entries", args.out.display(), proved.answers.len(), proved.checked.opened);
    let json = json!({
        "report": args.out.display().to_string(), "questions": proved.answers.len(), "opened": proved.checked.opened,
        "erased": proved.checked.erased, "closed": proved.checked.closed,
    });
    out.result(&text, &json);
    Ok(())
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1e2b3c;background:#fff}\
h1,h2{line-height:1.25}section{margin:2.5rem 0}.answer{font-size:1.25rem;font-weight:600}.bad{color:#8b0000}\
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;padding:.5rem 0}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #c8ccd2;vertical-align:top}pre{white-space:pre-wrap;overflow-wrap:anywhere}\
.scroll{overflow-x:auto}";

/// Text as HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const fn title(question: Question) -> &'static str {
    match question {
        Question::ResultsElsewhere => "Has a result ever reached anyone but its requisitioner?",
        Question::Forbidden => "Who tried what was forbidden?",
        Question::Overdue => "What is overdue?",
        Question::Changed => "What was corrected, withdrawn or returned?",
        Question::Erased => "What was erased, and when?",
        Question::Read => "Who read the log?",
    }
}

/// The answer in a sentence, and whether someone should look at it.
fn sentence(finding: &Finding) -> (String, bool) {
    match *finding {
        Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved } => {
            let rest = if unresolved > 0 {
                format!(" Of {unresolved} more nothing can be said: what they belong to is erased or lies before this bundle.")
            } else {
                String::new()
            };
            let said = if elsewhere == 0 { "None has".to_owned() } else { format!("{elsewhere} have") };
            (
                format!("{said}, among {results} results accepted and {deliveries} hand-outs and acknowledgements of results.{rest}"),
                elsewhere > 0,
            )
        }
        Finding::Forbidden { refused, forbidden, summed, strangers, participants } => (
            format!(
                "{forbidden} calls that the caller had no right to make, among {refused} refusals of {participants} participants; {summed} more \
                 were counted by the minute, and {strangers} of certificates that are nobody's."
            ),
            forbidden > 0,
        ),
        Finding::Overdue { open, settled } => {
            (format!("{open} messages are overdue at the end of the range; {settled} were and have been settled."), open > 0)
        }
        Finding::Changed { corrected, withdrawn, returned } => {
            (format!("{corrected} messages corrected, {withdrawn} withdrawn, {returned} notices returned."), false)
        }
        Finding::Erased { contents, months, records, undelivered } => (
            format!(
                "The content of {contents} messages, as their rule demands; {months} months with {records} records; {undelivered} messages ended \
                 undelivered with their case."
            ),
            undelivered > 0,
        ),
        Finding::Read { reads, readers, reviews } => {
            (format!("{readers} readers, by {reads} questions; {reviews} reviews were stated."), false)
        }
    }
}

const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "",
        Mark::Elsewhere => "elsewhere",
        Mark::Unresolved => "cannot be told",
        Mark::Forbidden => "forbidden",
        Mark::Open => "open",
        Mark::Settled => "settled",
    }
}

fn row(Row { index, record, mark: kind }: &Row) -> String {
    let text = |value: Option<&dyn std::fmt::Display>| value.map(|value| html(&value.to_string())).unwrap_or_default();
    let name = record.row().map_or("UNKNOWN", |row| row.name);
    let is_refusal = matches!(name, "REFUSED" | "REFUSALS_SUMMED");
    let why = match record.reason {
        Some(number) if name == "RELOAD_FAILED" => {
            ReloadFault::of_number(number).map_or_else(|| number.to_string(), |fault| fault.as_str().to_owned())
        }
        Some(number) if is_refusal => Reason::of_number(number).map_or_else(|| number.to_string(), |reason| reason.code().to_owned()),
        Some(number) => number.to_string(),
        None => String::new(),
    };
    let cells = [
        index.to_string(),
        record.time.to_string(),
        name.to_owned(),
        text(record.actor.as_ref().map(|id| id as _)),
        text(record.key_label.as_ref().map(|label| label as _)),
        text(record.sender.as_ref().map(|id| id as _)),
        text(record.recipient.as_ref().map(|id| id as _)),
        text(record.message_id.as_ref().map(|id| id as _)),
        text(record.case_ref.as_ref().map(|id| id as _)),
        record.verb.and_then(Verb::of_number).map(Verb::call).unwrap_or_default().to_owned(),
        why,
        text(record.count.as_ref().map(|count| count as _)),
        text(record.note.as_ref().map(|note| note as _)),
        mark(*kind).to_owned(),
    ];
    cells.iter().fold("<tr>".to_owned(), |row, cell| row + "<td>" + cell + "</td>") + "</tr>\n"
}

const COLUMNS: [&str; 14] =
    ["entry", "time", "event", "by", "key", "sender", "recipient", "message", "case", "call", "reason", "count", "note", ""];

fn section(answer: &Answer) -> String {
    let (said, look) = sentence(&answer.finding);
    let class = if look { "answer bad" } else { "answer" };
    let mut out = format!("<section>\n<h2>{}</h2>\n<p class=\"{class}\">{}</p>\n", html(title(answer.question)), html(&said));
    if answer.rows.is_empty() {
        return out + "<p>No entry stands behind this.</p>\n</section>\n";
    }
    let more = if answer.left_out > 0 { format!(", the newest; {} older ones are not listed", answer.left_out) } else { String::new() };
    let head = COLUMNS.iter().fold(String::new(), |head, name| head + "<th scope=\"col\">" + name + "</th>");
    out.push_str(&format!(
        "<div class=\"scroll\"><table>\n<caption>{} entries behind this{more}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n",
        answer.rows.len()
    ));
    answer.rows.iter().for_each(|entry| out.push_str(&row(entry)));
    out + "</tbody>\n</table></div>\n</section>\n"
}

/// The whole page. Equal bundles give equal pages.
fn page(proved: &Proved, key_was_given: bool) -> String {
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let sections = proved.answers.iter().fold(String::new(), |all, answer| all + &section(answer));
    let checked = &proved.checked;
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Report of the log {origin}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Report of the log {origin}</h1>\n\
         <p>Entries {from} to {to}. {opened} of {all} entries were opened and checked, {erased} are erased and no longer checkable, {closed} are \
         closed to whoever took the bundle. Every number below is counted from checked records alone.</p>\n{sections}\
         <section>\n<h2>What was checked</h2>\n<pre>{words}</pre>\n<p>Check this yourself: <code>samband audit verify BUNDLE.tar --vkey log.vkey</code>, \
         or by hand as README.txt in the bundle says.</p>\n</section>\n</main>\n</body>\n</html>\n",
        origin = html(proved.manifest.origin.as_str()),
        from = checked.from,
        to = checked.to - 1,
        opened = checked.opened,
        all = checked.to - checked.from,
        erased = checked.erased,
        closed = checked.closed,
        words = html(&in_words(proved, key_was_given)),
    )
}
