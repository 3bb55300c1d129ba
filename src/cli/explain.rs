//! The gateway's refusals in plain words: reason code, advice, fields, and what to do next. Never raw debug output.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::exit::CliError;
use crate::domain::unseen::shown;

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path of the field in the message.
    pub field: String,
    /// The stable reason code, if one was told.
    pub reason: String,
    /// What the field should hold.
    pub description: String,
}

/// A refusal as the gateway told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    reason: String,
    advice: String,
    fields: Vec<FieldFault>,
    retry_after: Option<Duration>,
    code: Code,
}

impl Refusal {
    /// The stable reason code.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the outcome is certain: nothing was accepted, and the same request would be refused again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(
            self.code,
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
                | Code::Internal
                | Code::Aborted
                | Code::ResourceExhausted
        )
    }

    /// Whether the message itself was refused for good. A refusal of the caller (suspended, not enrolled) says nothing about an earlier attempt, and
    /// damage none about whether there was one: the message waits until the gateway is mended.
    #[must_use]
    pub const fn settles(&self) -> bool {
        self.is_final() && !matches!(self.code, Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented | Code::DataLoss)
    }

    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|fault| serde_json::json!({"field": fault.field, "reason": fault.reason, "description": fault.description}))
            .collect();
        serde_json::json!({
            "reason": self.reason,
            "advice": self.advice,
            "fields": fields,
            "retry_after_ms": self.retry_after.and_then(|after| u64::try_from(after.as_millis()).ok()),
            "retry": !self.is_final(),
        })
    }

    fn next(&self) -> Option<String> {
        match self.retry_after {
            Some(after) => Some(format!("wait {} and run the same command again", seconds(after))),
            None if !self.is_final() => {
                Some("run the same command again: the same message id is used and nothing is sent twice".to_owned())
            }
            None => None,
        }
    }
}

fn seconds(after: Duration) -> String {
    let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    if whole == 1 { "a second".to_owned() } else { format!("{whole} seconds") }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", shown(&self.reason))?;
        if !self.advice.is_empty() {
            write!(f, "\n  {}", shown(&self.advice))?;
        }
        for fault in &self.fields {
            write!(f, "\n  field {}", shown(&fault.field))?;
            if !fault.reason.is_empty() {
                write!(f, ": {}", shown(&fault.reason))?;
            }
            if !fault.description.is_empty() {
                write!(f, ", {}", shown(&fault.description))?;
            }
        }
        match self.next() {
            Some(next) => write!(f, "\n  next: {next}"),
            None => Ok(()),
        }
    }
}

/// What a call's status means for the caller.
#[must_use]
pub fn explain(status: &Status) -> CliError {
    let details = status.get_error_details();
    if let Some(info) = details.error_info().filter(|info| !info.reason.is_empty()) {
        let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        return CliError::Refused(Box::new(Refusal {
            reason: info.reason.clone(),
            advice: status.message().to_owned(),
            fields: fields
                .iter()
                .map(|fault| FieldFault {
                    field: fault.field.clone(),
                    reason: fault.reason.clone(),
                    description: fault.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            code: status.code(),
        }));
    }
    if let Some(what) = transport(status) {
        return CliError::Unreachable(what);
    }
    // Something that is no Samband gateway, or a proxy in between.
    CliError::Refused(Box::new(Refusal {
        reason: code_name(status.code()).to_owned(),
        advice: "the answer carries no reason of a Samband gateway; is --gateway the address of one?".to_owned(),
        fields: Vec::new(),
        retry_after: None,
        code: status.code(),
    }))
}

/// The words for a failure below gRPC.
fn transport(status: &Status) -> Option<String> {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    let all = causes.join(": ");
    let lower = all.to_lowercase();
    let lost = !causes.is_empty() || matches!(status.code(), Code::Unavailable) || status.message().contains("h2 protocol error");
    if !lost {
        return None;
    }
    let advice = if lower.contains("alert") || lower.contains("certificate") {
        "the gateway and this client do not accept each other's certificates; check --identity and --ca, and that the key is enrolled"
    } else if lower.contains("refused") {
        "nothing listens at that address; check --gateway and that the gateway runs"
    } else if lower.contains("lookup") || lower.contains("dns") {
        "the host name is not known; check --gateway"
    } else {
        "the gateway may be stopping, or not accept this certificate (check --identity); what was being sent is safe to send again:\n  run the same command"
    };
    let cause = causes.last().cloned().unwrap_or_else(|| "the connection was lost".to_owned());
    Some(format!("cannot reach the gateway: {cause}\n  {advice}"))
}

const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::{ErrorDetails, FieldViolation};

    fn refused(code: Code, details: ErrorDetails) -> CliError {
        explain(&Status::with_error_details(code, "correct the fields named in the details", details))
    }

    #[test]
    fn a_refusal_shows_reason_advice_and_fields() {
        let mut details = ErrorDetails::with_error_info("CONTENT_INVALID", "samband", std::collections::HashMap::new());
        details.set_bad_request(vec![FieldViolation {
            field: "subject.fnr".to_owned(),
            description: "check digits do not fit".to_owned(),
            reason: "CHECK_DIGIT".to_owned(),
            localized_message: None,
        }]);
        let error = refused(Code::InvalidArgument, details);
        assert_eq!((error.code(), error.kind()), (1, "CONTENT_INVALID"));
        let text = error.to_string();
        assert_eq!(
            text,
            "refused: CONTENT_INVALID\n  correct the fields named in the details\n  field subject.fnr: CHECK_DIGIT, check digits do not fit"
        );
    }

    #[test]
    fn a_refusal_that_may_pass_says_when_to_try_again() {
        let mut details = ErrorDetails::with_error_info("RATE_LIMITED", "samband", std::collections::HashMap::new());
        details.set_retry_info(Some(Duration::from_millis(1500)));
        let CliError::Refused(refusal) = refused(Code::ResourceExhausted, details) else { panic!("a refusal") };
        assert!(!refusal.is_final());
        assert!(refusal.to_string().ends_with("next: wait 2 seconds and run the same command again"), "{refusal}");
        assert_eq!(refusal.to_json()["retry_after_ms"], 1500);
    }

    #[test]
    fn damage_settles_no_message() {
        let settles = |code, reason: &str| {
            let details = ErrorDetails::with_error_info(reason, "samband", std::collections::HashMap::new());
            let CliError::Refused(refusal) = refused(code, details) else { panic!("a refusal") };
            refusal.settles()
        };
        assert!(settles(Code::InvalidArgument, "CONTENT_INVALID") && !settles(Code::DataLoss, "DATA_DAMAGED"));
    }

    #[test]
    fn no_connection_is_exit_code_three_and_a_foreign_server_is_not_quoted() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error = explain(&Status::from_error(Box::new(refused)));
        assert_eq!(error.code(), 3);
        assert!(error.to_string().contains("check --gateway"), "{error}");
        let error = explain(&Status::new(Code::PermissionDenied, "some proxy's page"));
        assert_eq!((error.code(), error.kind()), (1, "PERMISSION_DENIED"));
        assert!(!error.to_string().contains("proxy"));
    }
}
