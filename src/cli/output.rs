//! What commands print: plain text for people, one JSON object a line for machines. Results go to standard output, all else to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::exit::CliError;
use crate::domain::unseen::{is_unseen, shown, shown_lines};

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text.
    Text,
    /// One JSON object a line.
    Json,
    /// For tests, which read files and errors.
    #[cfg(test)]
    Nothing,
}

/// Where results and errors go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
}

impl Output {
    /// Output in a format.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format }
    }

    /// One result: `text` for people, `json` for machines. A closed pipe is no error.
    pub fn result(self, text: &str, json: &Value) {
        let line = match self.format {
            Format::Text => shown_lines(text),
            Format::Json => json_line(json).into(),
            #[cfg(test)]
            Format::Nothing => return,
        };
        let mut out = std::io::stdout().lock();
        _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// A remark for people, on standard error; nothing for machines.
    pub fn note(self, text: &str) {
        if self.format == Format::Text {
            _ = writeln!(std::io::stderr(), "{}", shown_lines(text));
        }
    }

    /// Why the command failed.
    pub fn error(self, error: &CliError) {
        let line = match self.format {
            Format::Text => shown_lines(&format!("samband: {error}")).into_owned(),
            Format::Json => json_line(&error_json(error)),
            #[cfg(test)]
            Format::Nothing => return,
        };
        _ = writeln!(std::io::stderr(), "{line}");
    }

    /// A progress bar on standard error, only when it is a terminal and the reader a person. `total` 0 for an unknown end.
    #[must_use]
    pub fn progress(self, total: u64, what: &'static str) -> ProgressBar {
        if self.format != Format::Text || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let template = if total == 0 { "{spinner} {msg} {pos}" } else { "{bar:30} {pos}/{len} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Whether this process writes for machines, for what is not said by a command of its own.
static FOR_MACHINES: AtomicBool = AtomicBool::new(false);

/// Sets for whom this process writes.
pub fn speak(format: Format) {
    FOR_MACHINES.store(format == Format::Json, Ordering::Relaxed);
}

/// A warning on standard error, beside whatever the command says: a line for people, an object for machines.
pub fn warning(code: &str, text: &str) {
    let line = if FOR_MACHINES.load(Ordering::Relaxed) {
        json_line(&serde_json::json!({"warning": {"reason": code, "advice": text}}))
    } else {
        shown_lines(&format!("samband: warning: {text}")).into_owned()
    };
    _ = writeln!(std::io::stderr(), "{line}");
}

/// A line of JSON that a terminal may be shown too: what is not seen can stand in strings only, where it is escaped and means the same.
fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if is_unseen(c) {
            line.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            line.push(c);
        }
    }
    line
}

fn error_json(error: &CliError) -> Value {
    let body = match error {
        CliError::Refused(refusal) => refusal.to_json(),
        other => serde_json::json!({"reason": other.kind(), "advice": other.to_string()}),
    };
    serde_json::json!({"error": body, "exit_code": error.code()})
}

/// A JSON value as indented `name: value` lines, enum prefixes left off.
#[must_use]
pub fn readable(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 1);
    out.truncate(out.trim_end().len());
    out
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        let indent = "  ".repeat(depth);
        match field {
            Value::Object(inner) if inner.is_empty() => out.push_str(&format!("{indent}{name}\n")),
            Value::Object(_) => {
                out.push_str(&format!("{indent}{name}\n"));
                write_value(out, field, depth + 1);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for item in items {
                    out.push_str(&format!("{indent}{name}\n"));
                    write_value(out, item, depth + 1);
                }
            }
            Value::Array(items) => {
                let joined: Vec<_> = items.iter().map(scalar).collect();
                out.push_str(&format!("{indent}{name}: {}\n", joined.join(", ")));
            }
            other => out.push_str(&format!("{indent}{name}: {}\n", scalar(other))),
        }
    }
}

/// A value as a word. An enum's name loses what repeats the type: `MATRIX_URINE` is `urine` beside `matrix`.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => enum_word(text).unwrap_or_else(|| shown(text).into_owned()),
        other => other.to_string(),
    }
}

/// Longer ones first where one begins with another.
const PREFIXES: [&str; 25] = [
    "NOTICE_WITHDRAWAL_REASON_",
    "REPORT_WITHDRAWAL_REASON_",
    "RESULT_WITHDRAWAL_REASON_",
    "NOTICE_RETURN_REASON_",
    "IMPOSING_AUTHORITY_",
    "NOT_ANALYSED_REASON_",
    "CONFIRMATION_METHOD_",
    "MISSED_APPOINTMENT_",
    "PARTICIPANT_ROLE_",
    "VALIDITY_VERDICT_",
    "FREQUENCY_PERIOD_",
    "DELIVERY_STATUS_",
    "SUBSTANCE_GROUP_",
    "ANALYSIS_STAGE_",
    "REPORT_MEANING_",
    "HANDLING_NOTE_",
    "ANNOUNCEMENT_",
    "LEGAL_BASIS_",
    "AGE_AT_ACT_",
    "SAMPLE_PART_",
    "COMPARATOR_",
    "PROCEDURE_",
    "REACTION_",
    "MATRIX_",
    "SEAL_",
];

fn enum_word(text: &str) -> Option<String> {
    PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).map(|rest| rest.to_lowercase().replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_plain_lines() {
        let value = serde_json::json!({
            "missed": "MISSED_APPOINTMENT_CONVERSATION",
            "missed_dates": ["2026-11-10", "2026-11-18"],
            "subject": {"family_name": "Testesen"},
            "findings": [{"group": "SUBSTANCE_GROUP_CANNABIS"}, {"group": "SUBSTANCE_GROUP_GHB"}],
        });
        let expected = "  findings\n    group: cannabis\n  findings\n    group: ghb\n  missed: conversation\n  missed_dates: 2026-11-10, 2026-11-18\n  subject\n    family_name: Testesen";
        assert_eq!(readable(&value), expected);
    }

    #[test]
    fn a_text_of_others_gives_a_terminal_no_command_and_no_line_of_its_own() {
        let value = serde_json::json!({"name": "a\u{1b}[2J\u{9b}\u{202e}b\nsamband: done\u{e0041}"});
        assert_eq!(readable(&value), "  name: a\\u{1b}[2J\\u{9b}\\u{202e}b\\u{a}samband: done\\u{e0041}");
        let line = json_line(&value);
        assert!(!line.chars().any(is_unseen), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value, "it means the same");
    }

    #[test]
    fn an_error_for_machines_has_its_exit_code() {
        let json = error_json(&CliError::Unreachable("nothing listens".to_owned()));
        assert_eq!((json["exit_code"].as_u64(), json["error"]["reason"].as_str()), (Some(3), Some("UNREACHABLE")));
    }
}
