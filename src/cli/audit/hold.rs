//! `samband audit hold`: keeps the records of a case beyond their months, ends that again, shows what is held.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::schema::Service;
use crate::domain::hold::HoldCopy;

/// What `audit hold place --help` shows.
pub const PLACE_HELP: &str = "Examples:
  samband audit hold place 04HMAS-W9NF6Y-Y41J5S --reason complaint --until 2027-06-30 --identity certs-dev/tilsyn

Records go with their month. A hold keeps those of one case in a sealed file of its own, for a stated reason and until a stated day; placing, lifting and end are entries of the log. No record is held beyond 35 whole months after its month, unless the gateway's configuration names a legal ground (hold_ground). An auditor places a hold, within its scope; an operator cannot.";

/// What `audit hold lift --help` shows.
pub const LIFT_HELP: &str = "Examples:
  samband audit hold lift 04HMAS-W9NF6Y-Y41J5S --identity certs-dev/tilsyn

What only the hold kept is erased within seconds, with the key of its file. A record of the case that its own month still stands for and cannot
give, as the month's file is damaged, is written back there first from the hold's copy. Where that month's file or key is gone it cannot be, and
goes: have the operator put the file back before (docs/recovery.md).";

/// What `audit hold list --help` shows.
pub const LIST_HELP: &str = "Examples:
  samband audit hold list --identity certs-dev/tilsyn

NOT WHOLE says which records the hold lacks. It speaks of the hold's copy alone: a hold that is whole may be the only sound copy of records whose
month is damaged, which `samband audit fsck` names; its end gives them back to a month that still stands.";

/// What is done.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Hold a case, or give the hold on it another reason or last day
    #[command(after_help = PLACE_HELP)]
    Place(PlaceArgs),
    /// End a hold; what only the hold kept is erased within seconds
    #[command(after_help = LIFT_HELP)]
    Lift(LiftArgs),
    /// Show the holds in force
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
}

/// Why a case is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReasonArg {
    /// The supervisory authority looks at the processing
    SupervisoryInspection,
    /// Somebody complained of the processing
    Complaint,
    /// A court or a prosecution authority needs it
    CourtProceedings,
    /// The data subject's request is not settled
    DataSubjectRequest,
    /// A breach of security is being looked into
    SecurityIncident,
}

impl ReasonArg {
    const fn wire(self) -> &'static str {
        match self {
            Self::SupervisoryInspection => "HOLD_REASON_SUPERVISORY_INSPECTION",
            Self::Complaint => "HOLD_REASON_COMPLAINT",
            Self::CourtProceedings => "HOLD_REASON_COURT_PROCEEDINGS",
            Self::DataSubjectRequest => "HOLD_REASON_DATA_SUBJECT_REQUEST",
            Self::SecurityIncident => "HOLD_REASON_SECURITY_INCIDENT",
        }
    }
}

/// Arguments of `audit hold place`.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The case: 18 characters, shown 6-6-6
    #[arg(value_name = "CASE")]
    pub case: String,
    /// Why
    #[arg(long, value_enum)]
    pub reason: ReasonArg,
    /// The last day, YYYY-MM-DD in Oslo
    #[arg(long, value_name = "DAY")]
    pub until: String,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `audit hold lift`.
#[derive(Debug, Args)]
pub struct LiftArgs {
    /// The case: 18 characters, shown 6-6-6
    #[arg(value_name = "CASE")]
    pub case: String,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `audit hold list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(command: &HoldCommand, out: Output) -> Result<(), CliError> {
    match command {
        HoldCommand::Place(PlaceArgs { case, reason, until, connect }) => {
            let request = json!({"case_ref": case, "reason": reason.wire(), "until": until});
            Client::new(connect)?.ask(Service::Audit, "PlaceHold", &request).await?;
            let text =
                format!("held {case} until {until}; `samband audit hold list` says in some seconds whether all of its records could be");
            out.result(&text, &json!({"held": request}));
        }
        HoldCommand::Lift(LiftArgs { case, connect }) => {
            Client::new(connect)?.ask(Service::Audit, "LiftHold", &json!({"case_ref": case})).await?;
            out.result(&format!("lifted the hold on {case}"), &json!({"lifted": case}));
        }
        HoldCommand::List(ListArgs { connect }) => {
            let answer = Client::new(connect)?.ask(Service::Audit, "ListHolds", &json!({})).await?;
            let holds = answer.get("holds").and_then(Value::as_array).cloned().unwrap_or_default();
            let lines: Vec<String> = holds.iter().map(line).collect();
            let text = if lines.is_empty() { "no case that you may see is held".to_owned() } else { lines.join("\n") };
            out.result(&text, &answer);
        }
    }
    Ok(())
}

/// What a held case lacks; nothing of one that lacks nothing.
#[must_use]
pub fn lacking(copy: HoldCopy) -> String {
    let gone = |lost: u64| {
        let (what, were) = if lost == 1 { ("record is", "was") } else { ("records are", "were") };
        format!("{lost} {what} gone that could not be read before, and {were} or may have been of this case")
    };
    let stands = "records stand that cannot be read and may be of this case. Where one stands in its month, that month stays meanwhile and those after it, to the end of that month's lawful time at most; where its month is gone, it stands in the hold's own file alone and no month stays for it: ask whoever runs the gateway for its copies";
    match copy {
        HoldCopy::Pending | HoldCopy::Whole => String::new(),
        HoldCopy::NotWhole { lost: 0 } => stands.to_owned(),
        HoldCopy::NotWhole { lost } => format!("{}; {stands}", gone(lost)),
        HoldCopy::Lost { lost } => gone(lost),
    }
}

fn line(hold: &Value) -> String {
    let text = |name: &str| hold.get(name).and_then(Value::as_str).unwrap_or_default();
    let reason = text("reason").trim_start_matches("HOLD_REASON_").to_lowercase().replace('_', " ");
    let entry = hold.get("terms_index").and_then(Value::as_u64).map_or_else(String::new, |index| format!(", entry {index}"));
    let lost = hold.get("lost").and_then(Value::as_u64).unwrap_or(0);
    let copy = match text("copy") {
        "HOLD_COPY_PENDING" => "; its records are being copied".to_owned(),
        "HOLD_COPY_NOT_WHOLE" => format!("; NOT WHOLE: {}", lacking(HoldCopy::NotWhole { lost })),
        "HOLD_COPY_LOST" => format!("; NOT WHOLE: {}", lacking(HoldCopy::Lost { lost })),
        _ => String::new(),
    };
    let ground = hold.get("ground").and_then(Value::as_str).map_or_else(String::new, |ground| format!(", under {ground}"));
    format!("{} until {}: {reason}, by {} ({}){ground}{entry}{copy}", text("case_ref"), text("until"), text("auditor"), text("key_label"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pages say of it stands in their own tests, in both languages.
    #[test]
    fn only_a_damaged_record_that_stands_in_its_month_is_said_to_keep_it() {
        for lost in [0, 3] {
            let said = line(&json!({"case_ref": "C", "copy": "HOLD_COPY_NOT_WHOLE", "lost": lost}));
            assert!(said.contains("Where one stands in its month, that month stays meanwhile and those after it"), "{said}");
            assert!(said.contains("where its month is gone, it stands in the hold's own file alone and no month stays for it"), "{said}");
            assert_eq!(said.contains("3 records are gone"), lost == 3, "{said}");
        }
        let gone = line(&json!({"case_ref": "C", "copy": "HOLD_COPY_LOST", "lost": 1}));
        assert!(gone.contains("NOT WHOLE: 1 record is gone") && !gone.contains("month"), "{gone}");
        for whole in ["HOLD_COPY_WHOLE", "HOLD_COPY_PENDING"] {
            assert!(!line(&json!({"case_ref": "C", "copy": whole})).contains("month"));
        }
    }
}
