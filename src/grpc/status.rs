//! The one map from what went wrong to what a client is told: a status code, a stable reason, violations, time to wait. Never content.

use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::convert::wire::{WireError, WireFault};
use crate::domain::id::{InvalidId, MessageId};
use crate::domain::violation::{FieldReason, Violations};
use crate::gateway::Refusal;
use crate::policy::permit::Denial;
use crate::policy::reason::Reason;
use crate::tls::IdentityError;

/// The domain of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "samband";
/// Between handlers and the gate, never on the wire: the refusal is in the log already.
const RECORDED: &str = "samband-recorded";
/// Between handlers and the gate, never on the wire: the message id that a refused request named.
const MESSAGE_ID: &str = "samband-message-id";

/// The status code of a reason.
#[must_use]
pub const fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::NotEnrolled
        | Reason::ParticipantSuspended
        | Reason::ParticipantRetired
        | Reason::CallNotAllowed
        | Reason::HoldOfAnother
        | Reason::IdentityWithdrawn
        | Reason::AnotherSite => Code::PermissionDenied,
        Reason::Malformed
        | Reason::UnknownField
        | Reason::DuplicateField
        | Reason::ContentInvalid
        | Reason::BadMessageId
        | Reason::BadContentSalt
        | Reason::BadReference
        | Reason::BadReferenceCheck
        | Reason::BadArgument
        | Reason::BodyMissing
        | Reason::ReplacesMissing
        | Reason::PeriodNotOver
        | Reason::PeriodBeforeRecords
        | Reason::HoldEndPast
        | Reason::HoldTooLong
        | Reason::NotGrpc
        | Reason::OneMessageOnly => Code::InvalidArgument,
        Reason::MessageIdReused | Reason::ResultExists => Code::AlreadyExists,
        Reason::ReplacesUnknown
        | Reason::ReferenceUnknown
        | Reason::ItemUnknown
        | Reason::MessageUnknown
        | Reason::EntryUnknown
        | Reason::RecordErased
        | Reason::ParticipantUnknown
        | Reason::HoldUnknown => Code::NotFound,
        Reason::CursorAhead => Code::OutOfRange,
        Reason::TooLarge
        | Reason::RateLimited
        | Reason::ReferencesLimited
        | Reason::TooManyStreams
        | Reason::StorageFull
        | Reason::PeriodTooLong
        | Reason::TooManyHolds
        | Reason::Overloaded
        | Reason::TooManyCalls
        | Reason::TooManyBytes
        | Reason::MailboxFull => Code::ResourceExhausted,
        Reason::Unavailable => Code::Unavailable,
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::Internal => Code::Internal,
        Reason::DataDamaged => Code::DataLoss,
        Reason::Unimplemented | Reason::CompressionNotOffered => Code::Unimplemented,
        Reason::StreamTakenOver => Code::Aborted,
        Reason::StaleMessageId
        | Reason::MunicipalityNotServed
        | Reason::UnitContactMissing
        | Reason::ContactUnknown
        | Reason::LaboratoryUnknown
        | Reason::LaboratoryRetired
        | Reason::DecisionInFuture
        | Reason::ProbationOver
        | Reason::ReplacesSettled
        | Reason::SubjectDiffers
        | Reason::ReplacesOther
        | Reason::TooManyCorrections
        | Reason::CaseEnded
        | Reason::RequisitionWithdrawn
        | Reason::CollectedOutsidePeriod
        | Reason::MatrixNotOrdered
        | Reason::GroupNotOrdered
        | Reason::GroupMissing
        | Reason::NoticeNotAcknowledged
        | Reason::NoticeReturned
        | Reason::NoticeWithdrawn
        | Reason::UnitChanged
        | Reason::ConditionNotSet
        | Reason::DateOutsideProbation
        | Reason::NotReturnable => Code::FailedPrecondition,
    }
}

/// Milliseconds to wait before a retry, for reasons that always have one.
const fn wait_of(reason: Reason) -> Option<u64> {
    match reason {
        Reason::RateLimited | Reason::Overloaded | Reason::TooManyCalls | Reason::TooManyBytes => Some(250),
        Reason::ReferencesLimited | Reason::StorageFull | Reason::MailboxFull => Some(60_000),
        Reason::TooManyStreams | Reason::Unavailable | Reason::DeadlineExceeded | Reason::Internal => Some(1_000),
        _ => None,
    }
}

fn build(code: Code, reason: Reason, metadata: HashMap<String, String>, wait: Option<u64>, fields: Vec<FieldViolation>) -> Status {
    let mut details = ErrorDetails::with_error_info(reason.code(), DOMAIN, metadata);
    if let Some(millis) = wait.or(wait_of(reason)) {
        details.set_retry_info(Some(Duration::from_millis(millis)));
    }
    if !fields.is_empty() {
        details.set_bad_request(fields);
    }
    Status::with_error_details(code, reason.advice(), details)
}

/// A reason without more.
#[must_use]
pub fn of_reason(reason: Reason) -> Status {
    build(code_of(reason), reason, HashMap::new(), None, Vec::new())
}

/// A denial that is not recorded yet.
#[must_use]
pub fn of_denial(denial: &Denial) -> Status {
    build(code_of(denial.reason), denial.reason, HashMap::new(), denial.retry_after_millis, Vec::new())
}

/// A refusal that the gateway has recorded.
#[must_use]
pub fn of_refusal(refusal: Refusal) -> Status {
    let mut status = of_denial(&refusal.0);
    status.metadata_mut().insert(RECORDED, MetadataValue::from_static("1"));
    status
}

/// The end of a stream that has begun: nothing but the status is left to say.
#[must_use]
pub fn of_end(refusal: Refusal) -> Status {
    of_denial(&refusal.0)
}

/// What is wrong with the request's bytes.
#[must_use]
pub fn of_wire(error: WireError) -> Status {
    let reason = match error.fault {
        WireFault::UnknownField => Reason::UnknownField,
        WireFault::FieldTwice => Reason::DuplicateField,
        WireFault::TooLong => Reason::TooLarge,
        _ => Reason::Malformed,
    };
    let metadata =
        HashMap::from([("fault".to_owned(), error.fault.as_str().to_owned()), ("field_number".to_owned(), error.field.to_string())]);
    build(code_of(reason), reason, metadata, None, Vec::new())
}

/// What is wrong with the content, field by field. `prefix` is the path to the content in the request.
#[must_use]
pub fn of_violations(prefix: &str, violations: &Violations) -> Status {
    let only_reference = match violations.as_slice() {
        [one] if one.reason == FieldReason::BadReference => Some(Reason::BadReference),
        [one] if one.reason == FieldReason::BadReferenceCheck => Some(Reason::BadReferenceCheck),
        _ => None,
    };
    let reason = only_reference.unwrap_or(Reason::ContentInvalid);
    let fields = violations
        .as_slice()
        .iter()
        .map(|violation| {
            let path = if violation.path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{}", violation.path) };
            FieldViolation::new(path, format!("{}: {}", violation.reason.as_str(), violation.reason.advice()))
        })
        .collect();
    build(code_of(reason), reason, HashMap::new(), None, fields)
}

/// A field of a call that is no content.
#[must_use]
pub fn of_argument(field: &str, reason: Reason, advice: &str) -> Status {
    build(code_of(reason), reason, HashMap::new(), None, vec![FieldViolation::new(field, advice)])
}

/// A field that should hold an identifier.
#[must_use]
pub fn of_id(field: &str, error: InvalidId) -> Status {
    let reason = match error {
        InvalidId::Participant => Reason::BadArgument,
        InvalidId::Message => Reason::BadMessageId,
        InvalidId::Reference => Reason::BadReference,
        InvalidId::ReferenceCheck => Reason::BadReferenceCheck,
    };
    of_argument(field, reason, &error.to_string())
}

/// A certificate that is nobody's here.
#[must_use]
pub fn of_identity(error: IdentityError) -> Status {
    let metadata = HashMap::from([("identity".to_owned(), error.as_reason().to_owned())]);
    build(code_of(Reason::NotEnrolled), Reason::NotEnrolled, metadata, None, Vec::new())
}

/// Lets the gate record the message id that a refused request named.
#[must_use]
pub fn naming(mut status: Status, message_id: MessageId) -> Status {
    if let Ok(value) = message_id.to_string().parse() {
        status.metadata_mut().insert(MESSAGE_ID, value);
    }
    status
}

/// What the gate learns from a refusing answer.
#[derive(Debug)]
pub(super) struct Refused {
    /// What the client is told.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// It is in the log already.
    pub recorded: bool,
    /// The message id that the request named.
    pub message_id: Option<MessageId>,
}

/// Reads the refusal out of an answer's headers, if it is one. What a layer below refused without a reason gets one here.
pub(super) fn refused(headers: &http::HeaderMap) -> Option<Refused> {
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok {
        return None;
    }
    let recorded = headers.contains_key(RECORDED);
    let message_id = headers.get(MESSAGE_ID).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let known = status
        .get_details_error_info()
        .filter(|info| info.domain == DOMAIN)
        .and_then(|info| Reason::ALL.iter().copied().find(|reason| reason.code() == info.reason));
    let (status, reason) = match known {
        Some(reason) => {
            let clean = Status::with_details(status.code(), status.message(), status.details().to_vec().into());
            (clean, reason)
        }
        None => {
            let (code, reason) = of_layer(status.code());
            (build(code, reason, HashMap::new(), None, Vec::new()), reason)
        }
    };
    Some(Refused { status, reason, recorded, message_id })
}

/// What a layer below means by a code. Our own handlers always give a reason.
const fn of_layer(code: Code) -> (Code, Reason) {
    let reason = match code {
        // tonic: the message is longer than the bound.
        Code::OutOfRange | Code::ResourceExhausted => Reason::TooLarge,
        // tonic: no such method, or an encoding that is not offered.
        Code::Unimplemented => Reason::Unimplemented,
        Code::DeadlineExceeded | Code::Cancelled => Reason::DeadlineExceeded,
        Code::Unavailable => Reason::Unavailable,
        // tonic: no message, a cut message, a bad compression flag.
        Code::Internal | Code::InvalidArgument | Code::Unknown => Reason::Malformed,
        // grpc.health.v1 and reflection: no such service or symbol; the code is theirs.
        _ => return (code, Reason::BadArgument),
    };
    (code_of(reason), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reaches_the_client_with_code_reason_domain_and_advice() {
        for reason in Reason::ALL {
            let status = of_reason(*reason);
            assert_ne!(status.code(), Code::Ok);
            assert_ne!(status.code(), Code::Unknown);
            let info = status.get_details_error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason.code(), DOMAIN));
            assert_eq!(status.message(), reason.advice());
        }
    }

    #[test]
    fn a_wait_is_told_where_waiting_helps() {
        let denial = Denial { reason: Reason::RateLimited, retry_after_millis: Some(1234) };
        let info = of_denial(&denial).get_details_retry_info().unwrap();
        assert_eq!(info.retry_delay, Some(Duration::from_millis(1234)));
        assert!(of_reason(Reason::CaseEnded).get_details_retry_info().is_none());
        assert!(of_reason(Reason::DeadlineExceeded).get_details_retry_info().is_some());
    }

    #[test]
    fn what_stands_between_handler_and_gate_never_reaches_the_wire() {
        let id: MessageId = "0190a0b1-7c2d-7e3f-8a4b-5c6d7e8f9a0b".parse().unwrap();
        let status = naming(of_refusal(Refusal(Reason::CaseEnded.into())), id);
        let headers = status.into_http::<()>().into_parts().0.headers;
        let refused = refused(&headers).unwrap();
        assert!(refused.recorded);
        assert_eq!(refused.message_id, Some(id));
        assert_eq!(refused.reason, Reason::CaseEnded);
        let clean = refused.status.into_http::<()>().into_parts().0.headers;
        assert!(clean.keys().all(|name| !name.as_str().starts_with("samband")), "{clean:?}");
    }

    #[test]
    fn what_a_layer_refuses_without_a_reason_gets_one() {
        for (code, reason, told) in [
            (Code::OutOfRange, Reason::TooLarge, Code::ResourceExhausted),
            (Code::Internal, Reason::Malformed, Code::InvalidArgument),
            (Code::Unimplemented, Reason::Unimplemented, Code::Unimplemented),
            (Code::Cancelled, Reason::DeadlineExceeded, Code::DeadlineExceeded),
            (Code::NotFound, Reason::BadArgument, Code::NotFound),
        ] {
            let headers = Status::new(code, "words of a layer").into_http::<()>().into_parts().0.headers;
            let refused = refused(&headers).unwrap();
            assert_eq!((refused.reason, refused.status.code()), (reason, told));
            assert!(!refused.recorded);
            assert!(!refused.status.message().contains("words"));
            assert_eq!(refused.status.get_details_error_info().unwrap().reason, reason.code());
        }
    }
}
