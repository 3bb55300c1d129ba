//! `samband audit report`: an offline page that answers the prepared questions from a bundle, by the same functions as the gateway's page.

use std::path::PathBuf;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::bundle::read::{Demands, Proved, check};
use super::list::{in_order, instant};
use super::verify::period_json;
use super::words::{Lang, in_words};
use crate::audit::event::kind;
use crate::audit::question::held::{Holds, Terms};
use crate::audit::question::words::{self, Tone};
use crate::audit::question::{Answer, Period, Question, Row};
use crate::cli::apart::apart;
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::cli::replace::Writes;
use crate::domain::time::Timestamp;
use crate::policy::table::Verb;
use crate::web::auditor::names;

/// What `audit report --help` shows.
pub const HELP: &str = "Examples:
  samband audit report october.tar --vkey log.vkey --out october.html
  samband audit report october.tar --vkey log.vkey --policy witnesses.policy --out october.html
  samband audit report oktober.tar --vkey log.vkey --lang nb --out oktober.html
  samband audit report all.tar --vkey log.vkey --since 2026-10-01 --until 2026-11-01 --out october.html

The bundle is checked first; nothing is written if it does not hold. The page answers the prepared questions over the bundle's range, by a
sentence, numbers and the entries behind them, and says what was checked. With --since and --until it answers about that period, with the numbers
that the auditors' pages have of it: two of the questions are judged by what came before, so give it a bundle from the log's begin on. It has no
script, loads nothing, and opens in any browser.";

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
    /// The language of the page
    #[arg(long, value_enum, default_value = "en")]
    pub lang: PageLang,
    /// Answer about the time not before: a date (midnight in Oslo) or an instant like 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Answer about the time before: a date or an instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
}

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageLang {
    /// Norsk bokmål
    Nb,
    /// English
    En,
}

impl From<PageLang> for Lang {
    fn from(lang: PageLang) -> Self {
        match lang {
            PageLang::Nb => Self::Nb,
            PageLang::En => Self::En,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A bundle that does not hold, or a file that cannot be written.
pub fn run(args: &ReportArgs, out: Output) -> Result<(), CliError> {
    in_order(["--since", "--until"], args.since, args.until)?;
    let inputs = [Some(&args.bundle), args.vkey.as_ref(), args.policy.as_ref()];
    apart(&[("--out", Some(&args.out), Writes::Report)], inputs.into_iter().flatten())?;
    let vkey = args.vkey.as_deref().map(read_vkey).transpose()?.map(|(verifier, _)| verifier);
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let bar = out.progress(1, "entries");
    let demands = Demands {
        vkey: vkey.as_ref(),
        policy: policy.as_ref(),
        questions: &Question::ALL,
        period: Period { from: args.since, to: args.until },
    };
    let proved = check(&args.bundle, &demands, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let proved = proved?;
    Writes::Report.write(&args.out, page(args.lang.into(), &proved, vkey.is_some()).as_bytes())?;
    let text = format!("{}: {} questions answered from {} entries", args.out.display(), proved.answers.len(), proved.checked.period.opened);
    let json = json!({
        "report": args.out.display().to_string(), "questions": proved.answers.len(), "opened": proved.manifest.open,
        "erased": proved.manifest.erased, "closed": proved.manifest.closed, "period": period_json(&proved),
    });
    out.result(&text, &json);
    Ok(())
}

/// How a report begins, but for its language, and what it is called.
const BEGIN: &str = "<!doctype html>\n<html lang=\"";
const TITLE: [&str; 2] = ["Rapport fra loggen", "Report of the log"];

/// Whether a file that begins so is a report, of whatever version.
pub fn is_report(begin: &[u8]) -> bool {
    // Every version has its style, which stands behind the title, under a policy that allows nothing else.
    let head = String::from_utf8_lossy(begin.get(..1024).unwrap_or(begin));
    let is_titled = TITLE.iter().any(|title| head.contains(&format!("<title>{title} ")));
    head.starts_with(BEGIN) && is_titled && head.contains("content=\"default-src 'none'; style-src 'sha256-")
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1e2b3c;background:#fff;overflow-wrap:break-word}\
h1,h2{line-height:1.25}section{margin:2.5rem 0}.answer{font-size:1.25rem;font-weight:600}.bad{color:#8b0000}.look{color:#6b4100}\
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;padding:.5rem 0}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #c8ccd2;vertical-align:top}pre{white-space:pre-wrap;overflow-wrap:anywhere}\
.scroll{overflow-x:auto}";

/// Text as HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn row(lang: Lang, Row { index, record, mark: kind }: &Row) -> String {
    let text = |value: Option<&dyn std::fmt::Display>| value.map(|value| html(&value.to_string())).unwrap_or_default();
    let why = record.reason.map(|number| names::reason_of(lang, record.kind, number)).unwrap_or_default();
    let cells = [
        index.to_string(),
        format!("<time datetime=\"{}\">{}</time>", record.time, record.time.oslo_text()),
        names::kind(lang, record.kind).to_owned(),
        text(record.actor.as_ref().map(|id| id as _)),
        text(record.key_label.as_ref().map(|label| label as _)),
        text(record.sender.as_ref().map(|id| id as _)),
        text(record.recipient.as_ref().map(|id| id as _)),
        text(record.message_id.as_ref().map(|id| id as _)),
        text(record.case_ref.as_ref().map(|id| id as _)),
        record.verb.and_then(Verb::of_number).map(|verb| names::verb(lang, verb)).unwrap_or_default().to_owned(),
        why,
        record.count.map(|count| lang.number(count)).unwrap_or_default(),
        html(&record.note.as_deref().map(|note| names::note(lang, record.kind, note)).unwrap_or_default()),
        words::mark(lang, *kind).unwrap_or_default().to_owned(),
    ];
    cells.iter().fold("<tr>".to_owned(), |row, cell| row + "<td>" + cell + "</td>") + "</tr>\n"
}

const fn columns(lang: Lang) -> [&'static str; 14] {
    match lang {
        Lang::Nb => [
            "oppføring",
            "tid i Oslo",
            "hendelse",
            "av",
            "nøkkel",
            "avsender",
            "mottaker",
            "melding",
            "sak",
            "kall",
            "grunn",
            "antall",
            "merknad",
            "vurdering",
        ],
        Lang::En => [
            "entry",
            "time in Oslo",
            "event",
            "by",
            "key",
            "sender",
            "recipient",
            "message",
            "case",
            "call",
            "reason",
            "count",
            "note",
            "judged as",
        ],
    }
}

fn section(lang: Lang, answer: &Answer) -> String {
    let class = match words::tone(answer) {
        Tone::Bad => "answer bad",
        Tone::Look => "answer look",
        Tone::Good | Tone::Plain => "answer",
    };
    let (title, said) = (html(words::title(lang, answer.question)), html(&words::sentence(lang, answer)));
    let rests_on = html(&words::checked(lang, &answer.basis()));
    let mut out = format!("<section>\n<h2>{title}</h2>\n<p class=\"{class}\">{said}</p>\n<p>{rests_on}.</p>\n");
    if answer.rows.is_empty() {
        let none = lang.say("Ingen kontrollert oppføring står bak dette.", "No entry that was checked stands behind this.");
        return out + "<p>" + none + "</p>\n</section>\n";
    }
    let behind = lang.count(
        answer.rows.len() as u64,
        ["oppføring bak dette", "oppføringer bak dette"],
        ["entry behind this", "entries behind this"],
    );
    let left = lang.number(answer.left_out);
    let caption = match (lang, answer.left_out) {
        (_, 0) => behind,
        (Lang::Nb, _) => format!("{behind}, de nyeste; {left} eldre er ikke listet"),
        (Lang::En, _) => format!("{behind}, the newest; {left} older ones are not listed"),
    };
    let head = columns(lang).iter().fold(String::new(), |head, name| head + "<th scope=\"col\">" + name + "</th>");
    out.push_str(&format!(
        "<div class=\"scroll\" role=\"group\" aria-label=\"{}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n",
        title,
    ));
    answer.rows.iter().for_each(|entry| out.push_str(&row(lang, entry)));
    out + "</tbody>\n</table></div>\n</section>\n"
}

/// Cases under legal hold at the end of the period. That there are none can be said of the range alone.
fn held(lang: Lang, holds: &Holds) -> String {
    let title = lang.say("Hvilke saker er sperret mot sletting?", "Which cases are under legal hold?");
    let among =
        lang.say("Ved slutten av perioden, så langt uttrekket forteller om det:", "At the end of the period, as far as the bundle tells:");
    let mut out = format!("<section>\n<h2>{title}</h2>\n");
    if holds.iter().next().is_none() {
        let none = lang.say("ingen blant oppføringene som er kontrollert.", "none among the entries checked.");
        return out + "<p>" + among + " " + none + "</p>\n</section>\n";
    }
    let heads = match lang {
        Lang::Nb => ["sak", "grunn", "vilkår", "av", "nøkkel", "sperret i oppføring", "vilkårene gjelder fra oppføring"],
        Lang::En => ["case", "reason", "terms", "by", "key", "held in entry", "terms in force from entry"],
    };
    let head = heads.iter().fold(String::new(), |head, name| head + "<th scope=\"col\">" + name + "</th>");
    out.push_str(&format!(
        "<p>{among}</p>\n<div class=\"scroll\" role=\"group\" aria-label=\"{title}\" tabindex=\"0\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    ));
    for (case, Terms { placed, index, record }) in holds.iter() {
        let reason = record.reason.map(|number| names::reason_of(lang, kind::HOLD_PLACED, number)).unwrap_or_default();
        let cells = [
            case.to_string(),
            reason,
            html(&record.note.as_deref().map(|note| names::note(lang, kind::HOLD_PLACED, note)).unwrap_or_default()),
            html(&record.actor.as_ref().map(ToString::to_string).unwrap_or_default()),
            html(record.key_label.as_deref().unwrap_or_default()),
            placed.to_string(),
            index.to_string(),
        ];
        out.push_str(&(cells.iter().fold("<tr>".to_owned(), |row, cell| row + "<td>" + cell + "</td>") + "</tr>\n"));
    }
    out.push_str("</tbody>\n</table></div>\n");
    if holds.left_out() > 0 {
        let more = lang.say("flere sperringer er ikke listet.", "more placings are not listed.");
        out.push_str(&format!("<p>{} {more}</p>\n", lang.number(holds.left_out())));
    }
    out + "</section>\n"
}

/// The whole page. Equal bundles give equal pages.
fn page(lang: Lang, proved: &Proved, key_was_given: bool) -> String {
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let sections = proved.answers.iter().fold(String::new(), |all, answer| all + &section(lang, answer));
    let sections = sections + &held(lang, &proved.holds);
    let checked = &proved.checked;
    let origin = html(proved.manifest.origin.as_str());
    let (from, to, opened, all) = (checked.from, checked.to - 1, proved.manifest.open, checked.to - checked.from);
    let (opened, all) = (lang.number(opened), lang.number(all));
    let are = if proved.manifest.erased == 1 { "is" } else { "are" };
    let (erased, closed) = (lang.number(proved.manifest.erased), lang.number(proved.manifest.closed));
    let lead = match lang {
        Lang::Nb => format!(
            "Oppføring {from} til {to}. {opened} av {all} oppføringer er åpnet og kontrollert, {erased} er merket som slettet og {closed} \
             som lukket for den som tok uttrekket; at merkene er riktige, kan ikke et uttrekk vise. Hvert tall nedenfor er talt fra kontrollerte oppføringer alene."
        ),
        Lang::En => format!(
            "Entries {from} to {to}. {opened} of {all} entries were opened and checked, {erased} {are} marked as erased and {closed} as closed to \
             whoever took the bundle; a bundle cannot show that the marks are right. Every number below is counted from checked records alone."
        ),
    };
    let heading = lang.say(TITLE[0], TITLE[1]);
    let (what, yourself, hand) = (
        lang.say("Hva som er kontrollert", "What was checked"),
        lang.say("Kontroller selv:", "Check this yourself:"),
        lang.say("eller for hånd, slik README.txt i uttrekket sier.", "or by hand as README.txt in the bundle says."),
    );
    format!(
        "{BEGIN}{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{heading} {origin}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{heading} {origin}</h1>\n<p>{lead}</p>\n{sections}\
         <section>\n<h2>{what}</h2>\n<pre>{words}</pre>\n<p>{yourself} <code>samband audit verify BUNDLE.tar --vkey log.vkey</code>, \
         {hand}</p>\n</section>\n</main>\n</body>\n</html>\n",
        tag = lang.tag(),
        words = html(&in_words(lang, proved, key_was_given)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::bundle::read::check_stream;
    use crate::cli::audit::bundle::tests::bundle;

    #[test]
    fn what_a_bundle_only_says_of_itself_is_told_as_its_word() {
        let proved = check_stream(&bundle(5, 20, 33)[..], &Demands::default(), &mut |_, _| {}).unwrap();
        let (nb, en) = (page(Lang::Nb, &proved, true), page(Lang::En, &proved, true));
        for (page, lead, words) in [
            (
                nb,
                "3 er merket som slettet og 2 som lukket for den som tok uttrekket; at merkene er riktige, kan ikke et uttrekk vise.",
                "3 er merket som slettet; at de er det, kan ikke et uttrekk vise",
            ),
            (
                en,
                "3 are marked as erased and 2 as closed to whoever took the bundle; a bundle cannot show that the marks are right.",
                "3 are marked as erased; a bundle cannot show that they were",
            ),
        ] {
            assert!(page.contains(lead) && page.contains(words), "{page}");
        }
    }

    #[test]
    fn rows_are_in_the_language_of_the_page_and_in_norwegian_time() {
        use crate::audit::question::Mark;
        use crate::audit::record::Record;
        let of = |kind, reason, verb, note: &str, count| Row {
            index: 7,
            record: Record {
                reason,
                verb,
                count,
                note: Some(note.to_owned()),
                ..Record::empty(kind, Timestamp::from_millis(1_795_000_000_000))
            },
            mark: Mark::Plain,
        };
        let asked = of(kind::AUDIT_ASKED, None, Some(Verb::Ask.number()), "question 2", Some(12_345));
        let refused =
            of(kind::REFUSED, Some(crate::policy::reason::Reason::CallNotAllowed.number()), Some(Verb::ListRecords.number()), "", None);
        let (nb, en) = (row(Lang::Nb, &asked) + &row(Lang::Nb, &refused), row(Lang::En, &asked) + &row(Lang::En, &refused));
        let time = "<td><time datetime=\"2026-11-18T11:06:40.000Z\">2026-11-18 12:06:40</time></td>";
        let words = |page: &str, words: &[&str]| words.iter().all(|words| page.contains(&format!("<td>{words}</td>")));
        assert!(nb.contains(time) && en.contains(time), "{nb}");
        assert!(
            words(&nb, &["Spørsmål stilt til loggen", "stille et spørsmål", "«Hvem prøvde på noe de ikke har lov til?»", "12\u{a0}345"])
                && words(&nb, &["Nektet", "søke i loggen", "rollen har ikke lov til dette"]),
            "{nb}"
        );
        assert!(words(&en, &["Log asked", "ask a question", "12,345", "Refused", "search the log", "not allowed for this role"]), "{en}");
    }

    #[test]
    fn every_column_has_a_name() {
        for lang in Lang::ALL {
            assert!(columns(lang).iter().all(|name| !name.is_empty()), "{lang:?}");
        }
        let proved =
            check_stream(&bundle(5, 20, 33)[..], &Demands { questions: &Question::ALL, ..Demands::default() }, &mut |_, _| {}).unwrap();
        let page = page(Lang::Nb, &proved, true);
        assert!(page.contains(">vurdering</th>") && !page.contains("></th>"), "{page}");
    }

    #[test]
    fn one_entry_is_told_as_one() {
        let mut proved = check_stream(&bundle(5, 20, 33)[..], &Demands::default(), &mut |_, _| {}).unwrap();
        (proved.manifest.erased, proved.manifest.closed) = (1, 1);
        let (nb, en) = (page(Lang::Nb, &proved, true), page(Lang::En, &proved, true));
        assert!(nb.contains("1 er merket som slettet; at den er det, kan ikke et uttrekk vise; bladet står"), "{nb}");
        let said = [
            "1 is marked as erased and 1 as closed to",
            "1 is marked as erased; a bundle cannot show that it was; its leaf stands",
            "1 is marked as closed: outside the scope of whoever took the bundle, or of another case",
        ];
        assert!(said.iter().all(|words| en.contains(words)), "{en}");
    }
}
