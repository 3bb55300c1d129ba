//! What the handlers of several roles do alike.

use std::sync::Arc;

use bytes::Bytes;
use tonic::{Extensions, Status};
use zeroize::Zeroizing;

use super::caller::Deadline;
use super::stream::{Answers, Source, answers};
use super::{convert, pb, status};
use crate::audit::event::{ItemNumber, MessageKind, WithdrawalCode};
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::participant::{Contact, MunicipalityNumber, Role, Standing};
use crate::domain::sensitive::Content;
use crate::domain::time::Timestamp;
use crate::domain::violation::Choice;
use crate::gateway::{
    Changes, Counterpart, CounterpartFilter, Deliveries, Delivery, Draft, Evidence, Gateway, ReceiveOptions, Submitted, Unfit,
};
use crate::policy::case::DeliveryStatus;
use crate::policy::command::Body;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{Accepted, Cursor, EntryProof, StatusEntry};

/// Items that one acknowledgement names.
pub(super) const ITEMS_MAX: usize = 256;
/// Messages that one question for status names.
pub(super) const STATUSES_MAX: usize = 100;

/// The caller that the gate has put there.
pub(super) fn caller(extensions: &Extensions) -> Result<Caller, Status> {
    extensions.get::<Caller>().cloned().ok_or_else(|| status::of_reason(Reason::Internal))
}

/// The deadline that the gate has put there.
pub(super) fn deadline(extensions: &Extensions) -> Deadline {
    extensions.get::<Deadline>().copied().unwrap_or(Deadline(None))
}

/// A hash of the tree.
pub(super) fn hash(hash: &crate::audit::tree::Hash) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(hash.as_bytes())
}

pub(super) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.millis().rem_euclid(1000) * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds: at.millis().div_euclid(1000), nanos }
}

pub(super) fn message_id(field: &str, text: &str) -> Result<MessageId, Status> {
    text.parse().map_err(|error| status::of_id(field, error))
}

/// The part of a Send request that is no content.
pub(super) struct Head {
    message_id: String,
    content_salt: Bytes,
    replaces: Option<String>,
    validate_only: bool,
}

/// A Send request.
pub(super) trait SendRequest: prost::Message {
    /// Which of the three.
    const KIND: MessageKind;

    /// Takes handle, salt and `validate_only` out; what is left is the canonical content.
    fn take_head(&mut self) -> Head;
}

macro_rules! send_request {
    ($request:ty, $kind:ident) => {
        impl SendRequest for $request {
            const KIND: MessageKind = MessageKind::$kind;

            fn take_head(&mut self) -> Head {
                Head {
                    message_id: std::mem::take(&mut self.message_id),
                    content_salt: std::mem::take(&mut self.content_salt),
                    replaces: self.replaces.clone(),
                    validate_only: std::mem::take(&mut self.validate_only),
                }
            }
        }
    };
}

send_request!(pb::SendConditionNoticeRequest, ConditionNotice);
send_request!(pb::ReportNonAttendanceRequest, NonAttendanceReport);
send_request!(pb::SendLabResultRequest, LabResult);

/// Reads a Send request and puts it to the gateway. `body` reads what is sent.
pub(super) async fn send<R: SendRequest>(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    mut request: R,
    body: impl FnOnce(R) -> Result<Body, Status> + Send,
) -> Result<Submitted, Status> {
    let head = request.take_head();
    let canonical = Content::from(convert::canonical(&request));
    #[cfg(debug_assertions)]
    super::provoke::panic_if_told(&head.message_id, &canonical);
    let id = message_id("message_id", &head.message_id)?;
    let (salt, replaces) = envelope(&head).map_err(|error| status::naming(error, id))?;
    let body = match body(request) {
        Ok(body) => body,
        Err(error) => {
            let unfit = Unfit { kind: R::KIND, message_id: id, salt: &salt, canonical: &canonical };
            let before =
                if head.validate_only { None } else { gateway.accepted_before(caller, unfit).await.map_err(status::of_refusal)? };
            return before.map(Submitted::Accepted).ok_or_else(|| status::naming(error, id));
        }
    };
    let draft = Draft { kind: R::KIND, message_id: id, salt, replaces, validate_only: head.validate_only, body, canonical };
    gateway.submit(caller, draft).await.map_err(status::of_refusal)
}

/// Salt and the message that is replaced.
fn envelope(head: &Head) -> Result<(Zeroizing<[u8; 32]>, Option<MessageId>), Status> {
    let salt = <[u8; 32]>::try_from(head.content_salt.as_ref()).ok().filter(|salt| *salt != [0; 32]).map(Zeroizing::new);
    let salt =
        salt.ok_or_else(|| status::of_argument("content_salt", Reason::BadContentSalt, "send 32 random bytes, fresh for each message_id"))?;
    Ok((salt, head.replaces.as_deref().map(|text| message_id("replaces", text)).transpose()?))
}

/// The refusal of a Send request without content or withdrawal.
pub(super) fn body_missing() -> Status {
    status::of_argument("body", Reason::BodyMissing, "set either content or withdrawal")
}

/// The number of a reason, or the refusal of an unset or unknown one.
pub(super) fn reason_number<T>(field: &str, choice: Choice<T>, number: impl FnOnce(T) -> WithdrawalCode) -> Result<WithdrawalCode, Status> {
    match choice {
        Choice::Value(value) => Ok(number(value)),
        Choice::Missing => Err(status::of_argument(field, Reason::BadArgument, "state a reason")),
        Choice::Unknown => Err(status::of_argument(field, Reason::BadArgument, "use a reason of this version's schema")),
    }
}

/// Index, time and receipt of an acceptance.
pub(super) fn receipt_of(accepted: &Accepted) -> (Bytes, u64, Option<prost_types::Timestamp>) {
    (accepted.receipt.clone(), accepted.index, Some(timestamp(accepted.accepted_at)))
}

pub(super) async fn receipt(gateway: &Arc<Gateway>, caller: &Caller, verb: Verb, text: &str) -> Result<Accepted, Status> {
    let id = message_id("message_id", text)?;
    gateway.receipt(caller, verb, id).await.map_err(status::of_refusal)
}

/// Evidence of a message from a log index on, where the next call starts if there is more, and whether a damaged record may be of it.
pub(super) async fn evidence(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    verb: Verb,
    text: &str,
    from_index: u64,
) -> Result<(Vec<pb::Evidence>, Option<u64>, bool), Status> {
    let id = message_id("message_id", text)?;
    let Evidence { proofs, next_index, is_damaged } = gateway.evidence(caller, verb, id, from_index).await.map_err(status::of_refusal)?;
    let shown = proofs.into_iter().filter_map(|EntryProof { index, leaf: _, record, unreadable: _, proof }| {
        let record = record?;
        let kind_name = record.row()?.name.to_owned();
        Some(pb::Evidence { kind_name, time: Some(timestamp(record.time)), log_index: index, proof })
    });
    Ok((shown.collect(), next_index, is_damaged))
}

pub(super) async fn statuses(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    verb: Verb,
    texts: &[String],
) -> Result<(Vec<pb::MessageStatus>, Vec<String>), Status> {
    if !(1..=STATUSES_MAX).contains(&texts.len()) {
        return Err(status::of_argument("message_ids", Reason::BadArgument, "name 1 to 100 message ids"));
    }
    let ids = texts.iter().enumerate().map(|(i, text)| message_id(&format!("message_ids[{i}]"), text)).collect::<Result<Vec<_>, _>>()?;
    let statuses = gateway.statuses(caller, verb, &ids).await.map_err(status::of_refusal)?;
    Ok((statuses.known.iter().map(message_status).collect(), statuses.unknown.iter().map(ToString::to_string).collect()))
}

fn message_status(entry: &StatusEntry) -> pb::MessageStatus {
    let status = match entry.status {
        DeliveryStatus::Accepted => pb::DeliveryStatus::Accepted,
        DeliveryStatus::HandedOut => pb::DeliveryStatus::HandedOut,
        DeliveryStatus::Acknowledged => pb::DeliveryStatus::Acknowledged,
        DeliveryStatus::Returned => pb::DeliveryStatus::Returned,
        DeliveryStatus::Withdrawn => pb::DeliveryStatus::Withdrawn,
        DeliveryStatus::Superseded => pb::DeliveryStatus::Superseded,
        DeliveryStatus::Overdue => pb::DeliveryStatus::Overdue,
        DeliveryStatus::RecipientSuspended => pb::DeliveryStatus::RecipientSuspended,
        DeliveryStatus::EndedUndelivered => pb::DeliveryStatus::EndedUndelivered,
        DeliveryStatus::NothingToDeliver => pb::DeliveryStatus::NothingToDeliver,
    };
    pb::MessageStatus {
        message_id: entry.message_id.to_string(),
        status: status.into(),
        accepted_at: Some(timestamp(entry.accepted_at)),
        // The numbers in the log are those of the protocol's enum.
        return_reason: entry.return_reason.map_or(0, i32::from),
    }
}

fn cursor(text: &str) -> Result<Cursor, Status> {
    let number = |text: &str| (1..=20).contains(&text.len()).then(|| text.parse::<u64>().ok()).flatten();
    if text.is_empty() {
        return Ok(Cursor::default());
    }
    text.split_once('.')
        .and_then(|(changed, index)| Some(Cursor { changed: number(changed)?, index: number(index)? }))
        .ok_or_else(|| status::of_argument("cursor", Reason::BadArgument, "send the cursor as it came, or none"))
}

struct Feed<F>(Changes, F);

impl<T, F> Source for Feed<F>
where
    T: Send + 'static,
    F: Fn(Option<pb::MessageStatus>, String) -> T + Send + Sync + 'static,
{
    type Answer = T;

    async fn next(&mut self) -> Result<Option<T>, Status> {
        let change = self.0.next().await.map_err(status::of_end)?;
        Ok(change.map(|entry| self.1(Some(message_status(&entry)), format!("{}.{}", entry.cursor.changed, entry.cursor.index))))
    }
}

/// A sender's feed; `answer` makes the role's own answer of status and cursor.
pub(super) async fn watch<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    extensions: &Extensions,
    verb: Verb,
    (text, follow): (&str, bool),
    answer: fn(Option<pb::MessageStatus>, String) -> T,
) -> Result<Answers<T>, Status> {
    let changes = gateway.watch(&caller(extensions)?, verb, cursor(text)?, follow).await.map_err(status::of_refusal)?;
    Ok(answers(Feed(changes, answer), deadline(extensions)))
}

struct Items<T>(Deliveries, fn(Delivery) -> Result<T, Status>);

impl<T: Send + 'static> Source for Items<T> {
    type Answer = T;

    async fn next(&mut self) -> Result<Option<T>, Status> {
        self.0.next().await.map_err(status::of_end)?.map(self.1).transpose()
    }
}

/// A reader's items; `answer` makes the role's own answer.
pub(super) async fn receive<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    extensions: &Extensions,
    verb: Verb,
    (reader, max_items, until_empty): (String, u32, bool),
    answer: fn(Delivery) -> Result<T, Status>,
) -> Result<Answers<T>, Status> {
    let options = ReceiveOptions { reader, max_items: (max_items > 0).then(|| u64::from(max_items)), until_empty };
    let items = gateway.receive(&caller(extensions)?, verb, options).await.map_err(status::of_refusal)?;
    Ok(answers(Items(items, answer), deadline(extensions)))
}

pub(super) async fn acknowledge(gateway: &Arc<Gateway>, caller: &Caller, verb: Verb, numbers: &[u64]) -> Result<(), Status> {
    if !(1..=ITEMS_MAX).contains(&numbers.len()) {
        return Err(status::of_argument("item_numbers", Reason::BadArgument, "name 1 to 256 items"));
    }
    let mut items: Vec<ItemNumber> = numbers.iter().copied().map(ItemNumber).collect();
    items.sort_unstable();
    items.dedup();
    gateway.acknowledge(caller, verb, items).await.map_err(status::of_refusal)
}

/// Content as it was sealed, or the refusal when it is not what this program wrote.
pub(super) fn stored<M: prost::Message + Default>(content: Option<Content>) -> Result<M, Status> {
    content.and_then(|content| M::decode(&*content).ok()).ok_or_else(|| status::of_reason(Reason::Internal))
}

pub(super) fn sender(delivery: &Delivery) -> pb::Sender {
    pb::Sender { id: delivery.item.sender.to_string(), name: delivery.sender_name.clone() }
}

pub(super) fn role_contact(contact: Contact) -> pb::RoleContact {
    let Contact { key, role_name, phone, email } = contact;
    pb::RoleContact { role_name, phone, email, key: Some(key) }
}

fn counterpart(counterpart: Counterpart) -> pb::Counterpart {
    let Counterpart { participant, contacts, successor } = counterpart;
    let role = match participant.role {
        Role::Prosecution => pb::ParticipantRole::Prosecution,
        Role::MunicipalUnit => pb::ParticipantRole::MunicipalUnit,
        Role::Laboratory => pb::ParticipantRole::Laboratory,
        Role::Auditor | Role::Mirror => pb::ParticipantRole::Unspecified,
    };
    pb::Counterpart {
        id: participant.id.to_string(),
        name: participant.name.clone(),
        role: role.into(),
        organisation_number: participant.organisation_number.to_string(),
        municipalities: participant.municipalities.iter().map(ToString::to_string).collect(),
        contacts: contacts.into_iter().map(role_contact).collect(),
        suspended: participant.standing == Standing::Suspended,
        successor_id: successor.map(|id| id.to_string()),
    }
}

/// What a look-up asks for: a participant, a municipality, and where the page begins.
fn counterpart_filter((id, municipality, after): (Option<&str>, Option<&str>, &str)) -> Result<CounterpartFilter, Status> {
    let participant = |field: &str, text: &str| text.parse::<ParticipantId>().map_err(|error| status::of_id(field, error));
    let number = |text: &str| {
        let advice = "a municipality number is four digits";
        text.parse::<MunicipalityNumber>().map_err(|_| status::of_argument("municipality", Reason::BadArgument, advice))
    };
    Ok(CounterpartFilter {
        participant: id.map(|text| participant("participant_id", text)).transpose()?,
        municipality: municipality.map(number).transpose()?,
        after: (!after.is_empty()).then(|| participant("after_participant_id", after)).transpose()?,
    })
}

pub(super) async fn look_up(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    verb: Verb,
    asked: (Option<&str>, Option<&str>, &str),
) -> Result<(Vec<pb::Counterpart>, String), Status> {
    let filter = counterpart_filter(asked)?;
    let (found, next) = gateway.look_up(caller, verb, &filter).await.map_err(status::of_refusal)?;
    Ok((found.into_iter().map(counterpart).collect(), next.map(|id| id.to_string()).unwrap_or_default()))
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use super::{SendRequest, convert, counterpart_filter, cursor, envelope, pb};

    /// Where a feed goes on: what is read is what was sent.
    pub(in crate::grpc) fn text(data: &[u8]) {
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(read) = cursor(text) {
            assert_eq!(cursor(&format!("{}.{}", read.changed, read.index)).ok(), Some(read));
        }
    }

    pub(in crate::grpc) fn look_up(request: &pb::ProsecutionServiceLookUpRequest) {
        let pb::ProsecutionServiceLookUpRequest { participant_id, municipality, after_participant_id } = request;
        let _ = counterpart_filter((participant_id.as_deref(), municipality.as_deref(), after_participant_id));
    }

    /// The part of a Send request that is no content; what is left is the content.
    pub(in crate::grpc) fn head(mut request: impl SendRequest) {
        let head = request.take_head();
        let _ = (super::message_id("message_id", &head.message_id), envelope(&head), convert::canonical(&request));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_shape() {
        assert_eq!(cursor("").unwrap(), Cursor::default());
        assert_eq!(cursor("12.3").unwrap(), Cursor { changed: 12, index: 3 });
        for bad in ["12", "12.", ".3", "a.b", "1.2.3", "-1.2", "99999999999999999999.1", "+1.2 "] {
            assert!(cursor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn canonical_content_leaves_out_handle_salt_and_validate_only_and_nothing_else() {
        let mut request = pb::SendLabResultRequest {
            message_id: "x".into(),
            content_salt: Bytes::from_static(&[1; 32]),
            replaces: Some("y".into()),
            validate_only: true,
            body: Some(pb::send_lab_result_request::Body::Withdrawal(1)),
        };
        let head = request.take_head();
        assert!(head.validate_only);
        assert_eq!(request.replaces.as_deref(), Some("y"));
        assert!(request.body.is_some());
        let wanted = pb::SendLabResultRequest { replaces: Some("y".into()), body: request.body.clone(), ..Default::default() };
        assert_eq!(convert::canonical(&request), convert::canonical(&wanted));
    }

    #[test]
    fn times_before_1970_keep_their_milliseconds() {
        assert_eq!(timestamp(Timestamp::from_millis(-1)), prost_types::Timestamp { seconds: -1, nanos: 999_000_000 });
    }
}
