//! `samband send notice|report|result`: the three messages, their corrections and withdrawals.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use prost_reflect::{DynamicMessage, Kind as FieldKind, ReflectMessage as _, Value as Field};
use serde_json::Value;

use crate::clock::{SystemClock, SystemEntropy, random_32};
use crate::domain::id::MessageId;

use super::apart::apart;
use super::client::{Client, ConnectArgs};
use super::exit::CliError;
use super::outbox::{Attempt, Outbox, complete, entries_in, fresh_id};
use super::output::Output;
use super::replace::Writes;
use super::schema::{self, Service};

/// Which message.
#[derive(Debug, Subcommand)]
pub enum SendCommand {
    /// A condition has been imposed: prosecution to the unit that serves the municipality of stay
    #[command(after_help = NOTICE_HELP)]
    Notice(SendArgs),
    /// Not met on the dates given: municipal unit to the prosecution that sent the notice
    #[command(after_help = REPORT_HELP)]
    Report(SendArgs),
    /// The result of one part of one sample: laboratory to the requisitioner
    #[command(after_help = RESULT_HELP)]
    Result(SendArgs),
}

const NOTICE_HELP: &str = "Examples:
  samband send notice samples/notice-both.json --identity certs-dev/politi-oslo
  samband send notice samples/notice-both.json --replaces 019a9b3c-0000-7000-8000-000000000001 --identity certs-dev/politi-oslo
  samband send notice --withdraw condition-revoked --replaces 019a9b3c-0000-7000-8000-000000000001 --identity certs-dev/politi-oslo

Withdrawal reasons: sent-in-error, wrong-subject, wrong-municipality, subject-moved, condition-revoked, case-transferred.
If the answer is lost, run the same command again: the outbox sends the very same, and the gateway accepts it once.";

const REPORT_HELP: &str = "Examples:
  samband send report samples/report.json --identity certs-dev/ru-oslo
  samband send report --withdraw wrong-case --replaces 019a9b3c-0000-7000-8000-000000000002 --identity certs-dev/ru-oslo

Withdrawal reasons: sent-in-error, wrong-case.
Put the case_ref that came with the notice into the file. The recipient is derived from it.";

const RESULT_HELP: &str = "Examples:
  samband send result samples/result.json --identity certs-dev/lab-ous
  samband send result samples/result-corrected.json --replaces 019a9b3c-0000-7000-8000-000000000003 --identity certs-dev/lab-ous
  samband send result --withdraw wrong-sample --replaces 019a9b3c-0000-7000-8000-000000000003 --identity certs-dev/lab-ous

Withdrawal reasons: sent-in-error, wrong-sample, analysis-error.
Put the requisition_id printed on the form into the file. The recipient is derived from it.";

/// What is sent, and how.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The content: protobuf's JSON mapping with the field names of proto/samband/v1/messages.proto
    #[arg(value_name = "FILE.json", required_unless_present = "withdraw", conflicts_with = "withdraw")]
    pub file: Option<PathBuf>,
    /// The earlier message that this one corrects or withdraws
    #[arg(long, value_name = "MESSAGE_ID")]
    pub replaces: Option<MessageId>,
    /// Withdraw the message named by --replaces, for this reason
    #[arg(long, value_name = "REASON", requires = "replaces")]
    pub withdraw: Option<String>,
    /// Use this message id: to retry one of the outbox, or an id of the sender's own system
    #[arg(long, value_name = "UUIDv7")]
    pub message_id: Option<MessageId>,
    /// Ask for the answer that a real send would have; nothing is sent on or kept
    #[arg(long)]
    pub validate_only: bool,
    /// Where ids, salts and receipts are kept [default: outbox in the folder of --identity]
    #[arg(long, value_name = "DIR", env = "SAMBAND_OUTBOX")]
    pub outbox: Option<PathBuf>,
    /// Also write the receipt to this file
    #[arg(long, value_name = "FILE", conflicts_with = "validate_only")]
    pub receipt_out: Option<PathBuf>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// One of the three messages as a call.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// As the outbox names it.
    pub name: &'static str,
    service: Service,
    method: &'static str,
    content: &'static str,
}

/// A condition notice.
pub const NOTICE: Sending =
    Sending { name: "notice", service: Service::Prosecution, method: "SendConditionNotice", content: "ConditionNotice" };
/// A report of non-attendance.
pub const REPORT: Sending =
    Sending { name: "report", service: Service::Municipal, method: "ReportNonAttendance", content: "NonAttendanceReport" };
/// A laboratory result.
pub const RESULT: Sending = Sending { name: "result", service: Service::Laboratory, method: "SendLabResult", content: "LabResult" };

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(command: &SendCommand, out: Output) -> Result<(), CliError> {
    match command {
        SendCommand::Notice(args) => send(NOTICE, args, out).await,
        SendCommand::Report(args) => send(REPORT, args, out).await,
        SendCommand::Result(args) => send(RESULT, args, out).await,
    }
}

async fn send(kind: Sending, args: &SendArgs, out: Output) -> Result<(), CliError> {
    let folder = args.outbox.clone().unwrap_or_else(|| args.connect.identity.join("outbox"));
    let kept = args.receipt_out.as_ref().map(|_| entries_in(&folder)).unwrap_or_default();
    let inputs = args.file.iter().cloned().chain(args.connect.inputs()).chain(kept);
    apart(&[("--receipt-out", args.receipt_out.as_deref(), Writes::Proof)], inputs)?;
    let draft = draft(kind, args)?;
    let client = Client::new(&args.connect)?;
    if args.validate_only {
        return validate(kind, args, draft, &client, out).await;
    }
    let outbox = Outbox::open(&folder)?;
    let prepared = outbox.prepare(kind.name, &draft, args.message_id, &SystemClock, &SystemEntropy::default())?;
    if prepared.attempt == Attempt::Again {
        out.note(&format!("sending {} again, as it was sent before", prepared.message_id));
    }
    let answer = match client.call(kind.service, kind.method, prepared.request.clone()).await {
        Ok(answer) => answer,
        Err(error) => {
            if matches!(&error, CliError::Refused(refusal) if refusal.settles()) {
                outbox.forget(&prepared)?;
            }
            return Err(error);
        }
    };
    let (accepted, receipt) = split_receipt(&answer["accepted"])?;
    outbox.accepted(&prepared, &accepted, &receipt)?;
    if let Some(file) = &args.receipt_out {
        Writes::Proof.write(file, &receipt)?;
    }
    let file = args.receipt_out.clone().unwrap_or_else(|| outbox.receipt_file(prepared.message_id));
    let mut json = accepted.clone();
    json["message_id"] = prepared.message_id.to_string().into();
    json["receipt_file"] = file.display().to_string().into();
    out.result(&accepted_text(&json), &json);
    Ok(())
}

async fn validate(kind: Sending, args: &SendArgs, mut draft: DynamicMessage, client: &Client, out: Output) -> Result<(), CliError> {
    let (clock, entropy) = (SystemClock, SystemEntropy::default());
    draft.set_field_by_name("validate_only", Field::Bool(true));
    let id = args.message_id.unwrap_or_else(|| fresh_id(&clock, &entropy));
    client.call(kind.service, kind.method, complete(&draft, id, &random_32(&entropy))).await?;
    out.result("valid: it would have been accepted; nothing was sent on", &serde_json::json!({"validated": true}));
    Ok(())
}

/// The request of a content without id and salt.
///
/// # Errors
/// The file holds no such content.
pub fn content_draft(kind: Sending, file: &std::path::Path, replaces: Option<MessageId>) -> Result<DynamicMessage, CliError> {
    let mut draft = DynamicMessage::new(kind.service.method(kind.method)?.input());
    let content = schema::from_file(schema::descriptor(kind.content), file)?;
    draft.set_field_by_name("content", Field::Message(content));
    if let Some(replaces) = replaces {
        draft.set_field_by_name("replaces", Field::String(replaces.to_string()));
    }
    Ok(draft)
}

/// The request without id and salt.
fn draft(kind: Sending, args: &SendArgs) -> Result<DynamicMessage, CliError> {
    let mut draft = DynamicMessage::new(kind.service.method(kind.method)?.input());
    if let Some(file) = &args.file {
        let content = schema::from_file(schema::descriptor(kind.content), file)?;
        draft.set_field_by_name("content", Field::Message(content));
    }
    if let Some(reason) = &args.withdraw {
        draft.set_field_by_name("withdrawal", Field::EnumNumber(withdrawal(&draft, reason)?));
    }
    if let Some(replaces) = args.replaces {
        draft.set_field_by_name("replaces", Field::String(replaces.to_string()));
    }
    Ok(draft)
}

/// `wrong-subject` as the number of this message's own reason.
fn withdrawal(draft: &DynamicMessage, reason: &str) -> Result<i32, CliError> {
    enum_number(&draft.descriptor(), "withdrawal", reason).map_err(|known| CliError::Usage(format!("--withdraw: one of {known}")))
}

/// The number of an enum's value by its short name, or the short names there are.
///
/// # Errors
/// The short names of the field's enum.
pub fn enum_number(message: &prost_reflect::MessageDescriptor, field: &str, word: &str) -> Result<i32, String> {
    let Some(kind) = message.get_field_by_name(field).map(|field| field.kind()) else { return Err(String::new()) };
    let FieldKind::Enum(values) = kind else { return Err(String::new()) };
    let prefix = values.default_value().name().trim_end_matches("UNSPECIFIED").to_owned();
    let short = |name: &str| name.trim_start_matches(prefix.as_str()).to_lowercase().replace('_', "-");
    let asked = short(&word.to_uppercase().replace('-', "_"));
    let known = || values.values().filter(|value| value.number() != 0);
    known()
        .find(|value| short(value.name()) == asked)
        .map(|value| value.number())
        .ok_or_else(|| known().map(|value| short(value.name())).collect::<Vec<_>>().join(", "))
}

/// An acceptance without its receipt, and the receipt's bytes.
///
/// # Errors
/// The answer holds no receipt.
pub fn split_receipt(accepted: &Value) -> Result<(Value, Vec<u8>), CliError> {
    let mut rest = accepted.clone();
    let receipt = rest.as_object_mut().and_then(|fields| fields.remove("receipt"));
    let receipt = receipt.as_ref().and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok()).filter(|bytes| !bytes.is_empty());
    match receipt {
        Some(receipt) => Ok((rest, receipt)),
        None => Err(CliError::Failed("the gateway's answer holds no receipt; run the same command again".to_owned())),
    }
}

fn accepted_text(accepted: &Value) -> String {
    let mut lines = vec![format!("accepted {}", accepted["accepted_at"].as_str().unwrap_or_default())];
    for (name, label) in [
        ("message_id", "message id    "),
        ("case_ref", "case          "),
        ("requisition_id", "requisition   "),
        ("receipt_file", "receipt       "),
    ] {
        if let Some(value) = accepted[name].as_str() {
            lines.push(format!("  {label} {value}"));
        }
    }
    lines.push(format!("  log index      {}", accepted["log_index"].as_u64().unwrap_or_default()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withdrawal_reasons_are_each_messages_own() {
        let number = |message: &str, word: &str| enum_number(&schema::descriptor(message), "withdrawal", word);
        assert_eq!(number("SendConditionNoticeRequest", "condition-revoked"), Ok(5));
        assert_eq!(number("SendConditionNoticeRequest", "NOTICE_WITHDRAWAL_REASON_CONDITION_REVOKED"), Ok(5));
        assert_eq!(number("ReportNonAttendanceRequest", "wrong-case"), Ok(2));
        let known = number("SendLabResultRequest", "condition-revoked").unwrap_err();
        assert_eq!(known, "sent-in-error, wrong-sample, analysis-error");
        assert!(number("SendLabResultRequest", "unspecified").is_err());
    }
}
