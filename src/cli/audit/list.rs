//! `samband audit list`: records by filter.

use clap::Args;
use serde_json::{Value, json};

use super::prove::next_page;
use crate::audit::event::TABLE;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::schema::Service;
use crate::domain::id::MessageId;
use crate::domain::time::{Timestamp, parse_date};
use crate::policy::reason::reason_word;
use crate::policy::table::Verb;

/// What `audit list --help` shows.
pub const HELP: &str = "Examples:
  samband audit list --identity certs-dev/tilsyn
  samband audit list --identity certs-dev/tilsyn --kind refused --since 2026-11-01
  samband audit list --identity certs-dev/tilsyn --participant ru-oslo --max 50
  samband audit list --identity certs-dev/tilsyn --message-id 019a9b3c-0000-7000-8000-000000000001 --json

The search itself becomes a record before the first row is shown.";

/// Arguments of `audit list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// First index
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub from_index: u64,
    /// One past the last index
    #[arg(long, value_name = "INDEX")]
    pub to_index: Option<u64>,
    /// Not before: a date (midnight in Oslo) or an instant like 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Before: a date or an instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
    /// Acted, sent or received
    #[arg(long, value_name = "ID")]
    pub participant: Option<String>,
    /// A kind by name or number; may be repeated
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub kind: Vec<u16>,
    /// About this message
    #[arg(long, value_name = "MESSAGE_ID")]
    pub message_id: Option<MessageId>,
    /// In this case
    #[arg(long, value_name = "CASE_REF")]
    pub case: Option<String>,
    /// End after this many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// A date or an instant as it is given on the command line.
///
/// # Errors
/// It is neither.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    if let Some(date) = parse_date(text) {
        return Ok(Timestamp::start_of(date));
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| "give a date 2026-11-01 or an instant 2026-11-01T08:00:00Z".to_owned())?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

/// A range as it was asked for, unless it was turned round: an empty answer would hide that.
///
/// # Errors
/// Its end lies before its begin.
pub fn in_order<T: PartialOrd>(names: [&str; 2], from: Option<T>, to: Option<T>) -> Result<(), CliError> {
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(CliError::Usage(format!("{} lies before {}: the range is turned round", names[1], names[0])));
    }
    Ok(())
}

/// A range of entries as it was asked for, unless none can be in it.
///
/// # Errors
/// It is turned round, or ends where it begins.
pub fn some_entries(from: Option<u64>, to: Option<u64>) -> Result<(), CliError> {
    in_order(["--from-index", "--to-index"], from, to)?;
    match to {
        Some(to) if to == from.unwrap_or(0) => {
            let what = format!(
                "--to-index {to} leaves no entry: it is one past the last, so --to-index {} ends with entry {to}",
                to.saturating_add(1)
            );
            Err(CliError::Usage(what))
        }
        _ => Ok(()),
    }
}

fn kind(text: &str) -> Result<u16, String> {
    let name = text.to_uppercase().replace('-', "_");
    let found = TABLE.iter().find(|row| row.name == name || text.parse() == Ok(row.number));
    found.map(|row| row.number).ok_or_else(|| {
        let names: Vec<String> = TABLE.iter().map(|row| row.name.to_lowercase().replace('_', "-")).collect();
        format!("one of {}", names.join(", "))
    })
}

fn request(args: &ListArgs, from_index: u64, left: u32) -> Value {
    let mut request = json!({"from_index": from_index, "max_records": left, "kinds": args.kind});
    let texts = [
        ("from_time", args.since.map(|at| at.to_string())),
        ("to_time", args.until.map(|at| at.to_string())),
        ("participant", args.participant.clone()),
        ("message_id", args.message_id.map(|id| id.to_string())),
        ("case_ref", args.case.clone()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            request[name] = value.into();
        }
    }
    if let Some(to) = args.to_index {
        request["to_index"] = to.into();
    }
    request
}

/// Runs the command, page by page.
///
/// # Errors
/// See [`CliError`]; also a list that ends without its last row.
pub async fn run(args: &ListArgs, out: Output) -> Result<(), CliError> {
    in_order(["--since", "--until"], args.since, args.until)?;
    some_entries(Some(args.from_index), args.to_index)?;
    let client = Client::new(&args.connect)?;
    let bar = out.progress(0, "records");
    let (mut from, mut left, mut erased, mut is_none) = (args.from_index, args.max.unwrap_or(0), None, true);
    let mut damaged: Vec<u64> = Vec::new();
    let (cut, unjudged) = loop {
        let mut rows = client.stream(Service::Audit, "ListRecords", &request(args, from, left)).await?;
        let mut shown = 0_u32;
        let end = loop {
            let row =
                rows.next().await?.ok_or_else(|| CliError::Unreachable("the list broke off before its end; run it again".to_owned()))?;
            match (row.get("entry"), row.get("end")) {
                (Some(entry), _) => {
                    bar.suspend(|| out.result(&line(entry), &with_index(entry)));
                    bar.inc(1);
                    (shown, is_none) = (shown.saturating_add(1), false);
                }
                (None, Some(end)) => break end.clone(),
                (None, None) => {
                    if let Some(index) = row["unreadable"].as_u64() {
                        bar.suspend(|| out.result(&format!("{index:>6}  {DAMAGED}"), &json!({"index": index, "unreadable": true})));
                        damaged.push(index);
                    }
                }
            }
        };
        // The first page tells of all from there on; a later one tells of the same entries again.
        erased.get_or_insert(end["erased"].as_u64().unwrap_or_default());
        let full = args.max.is_some() && shown >= left;
        match next_page(&end, from)? {
            Some(next) if !full => {
                from = next;
                left = left.saturating_sub(shown);
            }
            cut => break (cut, end["unjudged"].as_u64().unwrap_or_default()),
        }
    };
    bar.finish_and_clear();
    if is_none && damaged.is_empty() && unjudged == 0 {
        out.note("none of the records that are kept and that you may see match");
    }
    if let Some(next) = cut {
        out.result(&format!("ends here as --max asks; what follows: --from-index {next}"), &json!({"cut": {"next_index": next}}));
    }
    if let Some(erased) = erased.filter(|erased| *erased > 0) {
        out.note(&format!("{erased} records in this range are erased by their retention rule; their leaves still stand in the log"));
    }
    if unjudged > 0 {
        return Err(CliError::Failed(format!(
            "{unjudged} entries of the log cannot be read, and whether one of them is of this list nobody can tell: it may not be whole. `samband audit \
             list` without a filter names them; ask the operator to stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`"
        )));
    }
    let Some(first) = damaged.first() else { return Ok(()) };
    Err(CliError::Failed(format!(
        "the list is not whole: {} of its entries cannot be read, the first is {first}. `samband audit prove {first}` proves that it stands in the \
         log; ask the operator to stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`",
        damaged.len()
    )))
}

/// An entry for machines: JSON leaves out a 0, and the first entry has its index too.
fn with_index(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(fields) = entry.as_object_mut() {
        fields.entry("index").or_insert_with(|| 0.into());
    }
    entry
}

/// What stands in place of a record that cannot be read.
pub const DAMAGED: &str = "damaged: the record is kept and cannot be read";

/// One record on one line.
#[must_use]
pub fn line(entry: &Value) -> String {
    let index = entry["index"].as_u64().unwrap_or_default();
    let Some(record) = entry.get("record") else {
        let is_damaged = entry["unreadable"].as_bool().unwrap_or_default();
        return format!("{index:>6}  {}", if is_damaged { DAMAGED } else { "erased" });
    };
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    let mut parts = vec![format!("{index:>6}  {}  {:<17}", text("time"), text("kind_name"))];
    for (name, label) in [
        ("actor", "by"),
        ("sender", "sent by"),
        ("recipient", "to"),
        ("message_id", "message"),
        ("replaces", "replaces"),
        ("case_ref", "case"),
        ("requisition_id", "requisition"),
    ] {
        if record.get(name).is_some() {
            parts.push(format!("{label} {}", text(name)));
        }
    }
    if let Some(about) = record["about"].as_u64() {
        parts.push(format!("about {about}"));
    }
    if let Some(verb) = number(record, "verb").and_then(Verb::of_number) {
        parts.push(verb.call().to_owned());
    }
    if let Some(reason) = number(record, "reason") {
        let word = number(record, "kind").and_then(|kind| reason_word(kind, reason));
        parts.push(word.map_or_else(|| format!("reason {reason}"), ToOwned::to_owned));
    }
    if let Some(count) = record["count"].as_u64() {
        parts.push(format!("count {count}"));
    }
    if record.get("note").is_some() {
        parts.push(format!("({})", text("note")));
    }
    parts.join("  ")
}

fn number(record: &Value, name: &str) -> Option<u16> {
    record[name].as_u64().and_then(|number| u16::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_or_numbered() {
        assert_eq!((kind("refused"), kind("40"), kind("NOTICE_ACCEPTED")), (Ok(40), Ok(40), Ok(10)));
        assert!(kind("rumours").unwrap_err().contains("audit-read"));
    }

    #[test]
    fn a_refusal_reads_as_who_which_call_and_why() {
        let entry =
            json!({"index": 7, "record": {"kind": 40, "kind_name": "REFUSED", "time": "t", "actor": "ru-oslo", "verb": 11, "reason": 3}});
        let line = line(&entry);
        assert!(line.contains("by ru-oslo  ProsecutionService/Receive  CALL_NOT_ALLOWED"), "{line}");
    }

    #[test]
    fn damage_does_not_read_as_erasure() {
        assert_eq!(line(&json!({"index": 7})), "     7  erased");
        assert_eq!(line(&json!({"index": 7, "unreadable": true})), "     7  damaged: the record is kept and cannot be read");
    }

    #[test]
    fn the_first_entry_has_its_index_for_machines_too() {
        assert_eq!(with_index(&json!({"record": {"kind": 1}})), json!({"index": 0, "record": {"kind": 1}}));
        assert_eq!(with_index(&json!({"index": 7})), json!({"index": 7}));
    }

    #[test]
    fn a_return_reads_as_its_own_reason() {
        let entry =
            json!({"index": 7, "record": {"kind": 22, "kind_name": "NOTICE_RETURNED", "time": "t", "actor": "ru-tromso", "reason": 1}});
        assert!(line(&entry).ends_with("by ru-tromso  NOT_STAYING_HERE"), "{}", line(&entry));
    }

    #[test]
    fn a_range_turned_round_is_said_to_be() {
        let error = in_order(["--since", "--until"], Some(2), Some(1)).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (2, "--until lies before --since: the range is turned round"));
        assert!(in_order(["a", "b"], Some(1), Some(1)).is_ok() && in_order(["a", "b"], None, Some(1)).is_ok());
    }

    #[test]
    fn a_range_that_can_hold_no_entry_is_said_to_hold_none() {
        for (from, to) in [(None, 0), (Some(0), 0), (Some(7), 7)] {
            let error = some_entries(from, Some(to)).unwrap_err();
            let wanted = format!("--to-index {to} leaves no entry: it is one past the last, so --to-index {} ends with entry {to}", to + 1);
            assert_eq!((error.code(), error.to_string()), (2, wanted));
        }
        assert!(some_entries(Some(8), Some(7)).unwrap_err().to_string().contains("turned round"));
        for (from, to) in [(None, None), (None, Some(1)), (Some(6), Some(7)), (Some(7), None)] {
            some_entries(from, to).unwrap();
        }
    }

    #[test]
    fn a_date_is_midnight_in_oslo() {
        assert_eq!(instant("2026-11-01").unwrap().to_string(), "2026-10-31T23:00:00.000Z");
        assert!(instant("yesterday").is_err());
    }
}
