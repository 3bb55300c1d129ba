//! Where messages, cases and the log live. One trait whose verbs are business acts; every store does the same four things for an act:
//! load the view, call [`decide`](crate::policy::decide::decide), persist the events, apply them.

#[cfg(test)]
pub(crate) mod contract;
pub mod embedded;
pub mod evidence;
pub mod memory;
pub mod readers;
pub mod sealer;
pub mod state;
pub mod turns;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::{ItemNumber, MessageKind};
use crate::audit::range::OpenEntry;
use crate::audit::record::Record;
use crate::audit::tiles::TileId;
use crate::audit::tree::Frontier;
use crate::domain::hold::{Hold, HoldCopy};
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::participant::{Contact, Register};
use crate::domain::register_past::RegisterPast;
use crate::domain::sensitive::Content;
use crate::domain::time::Timestamp;
use crate::policy::case::{DeliveryStatus, ItemBody};
use crate::policy::command::Command;
use crate::policy::permit::Denial;

/// Why a store gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A rule refused; durable state of the decision is reached.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Below the low-water mark of disk space; only what drains is taken.
    #[error("the data disk is nearly full; free space or enlarge it, undelivered mail still drains")]
    Full,
    /// The store is stopping or has stopped.
    #[error("the store is stopped; start the gateway again")]
    Stopped,
    /// More acts wait than the bound allows.
    #[error("too many acts are waiting; try again")]
    Busy,
    /// What is on disk cannot be read as it was written.
    #[error("damaged data: {place}; stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`")]
    Damaged {
        /// File and offset, never content.
        place: String,
    },
}

/// What an act led to. It leaves the store only when it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A message was accepted, now or before.
    Accepted(Accepted),
    /// Anything else: events appended, perhaps none.
    Done {
        /// How many events the act led to.
        events: usize,
    },
}

/// An accepted message as its sender gets it, the same bytes each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Log index.
    pub index: u64,
    /// When.
    pub accepted_at: Timestamp,
    /// The case; none for a laboratory, which never sees it.
    pub case_ref: Option<CaseRef>,
    /// The requisition, where the sender may know it.
    pub requisition_id: Option<RequisitionId>,
    /// The receipt: a tlog-proof file.
    pub receipt: Bytes,
}

/// Something in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub item: ItemNumber,
    /// Which of the three.
    pub kind: MessageKind,
    /// Content or a withdrawal.
    pub body: ItemBody,
    /// Who sent it.
    pub sender: ParticipantId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The case.
    pub case_ref: CaseRef,
    /// The requisition, where there is one.
    pub requisition_id: Option<RequisitionId>,
    /// The newest item that this recipient was given and that this one replaces or withdraws.
    pub replaces: Option<ItemNumber>,
    /// The prosecution's own id of the notice in force; for the prosecution only.
    pub notice_message_id: MessageId,
    /// Key of the prosecution's contact in the notice; for a unit only.
    pub contact_key: String,
    /// Past its time.
    pub overdue: bool,
}

/// What a sender is shown of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    /// The sender's handle.
    pub message_id: MessageId,
    /// Which of the three.
    pub kind: MessageKind,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why a unit gave it back: number of `NoticeReturnReason`.
    pub return_reason: Option<u16>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Place in the sender's feed.
    pub cursor: Cursor,
}

/// A place in a sender's status feed: log index of the change, then log index of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Cursor {
    /// Log index of the change.
    pub changed: u64,
    /// Log index of the message's acceptance.
    pub index: u64,
}

/// What time demands: acts that the sweep puts to the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Items past their time.
    pub overdue: Vec<ItemNumber>,
    /// Cases past their life.
    pub ended: Vec<CaseRef>,
    /// Ended cases whose last traces go.
    pub forgotten: Vec<CaseRef>,
    /// Cases whose hold is over.
    pub holds: Vec<CaseRef>,
}

/// Milliseconds after which an item is overdue, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverdueAfter {
    /// For notices.
    pub notice_millis: i64,
    /// For reports.
    pub report_millis: i64,
    /// For results.
    pub result_millis: i64,
}

impl OverdueAfter {
    /// For a kind.
    #[must_use]
    pub const fn of(&self, kind: MessageKind) -> i64 {
        match kind {
            MessageKind::ConditionNotice => self.notice_millis,
            MessageKind::NonAttendanceReport => self.report_millis,
            MessageKind::LabResult => self.result_millis,
        }
    }
}

/// One entry of the log as an auditor is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place.
    pub index: u64,
    /// The record, or nothing once its month is erased.
    pub record: Option<Record>,
}

/// What an auditor asks for; every field narrows. Indices are a range of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordFilter {
    /// First index.
    pub from_index: u64,
    /// One past the last index; the durable size when none.
    pub to_index: Option<u64>,
    /// Not before.
    pub from_time: Option<Timestamp>,
    /// Before.
    pub to_time: Option<Timestamp>,
    /// Acted, sent or received.
    pub participant: Option<ParticipantId>,
    /// Kinds by number; all when empty.
    pub kinds: Vec<u16>,
    /// About this message id.
    pub message_id: Option<MessageId>,
    /// In this case.
    pub case_ref: Option<CaseRef>,
}

impl RecordFilter {
    /// Whether every entry of a range of indices is asked for, whatever its record says.
    #[must_use]
    pub fn is_a_plain_range(&self) -> bool {
        let Self { from_index, to_index, .. } = *self;
        *self == Self { from_index, to_index, ..Self::default() }
    }

    /// Whether `record` is asked for. The index range is the store's to keep.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let concerns =
            |id: &ParticipantId| [&record.actor, &record.sender, &record.recipient].into_iter().flatten().any(|party| party == id);
        self.from_time.is_none_or(|from| record.time >= from)
            && self.to_time.is_none_or(|to| record.time < to)
            && self.participant.as_ref().is_none_or(concerns)
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
            && self.message_id.is_none_or(|id| record.message_id == Some(id) || record.replaces == Some(id))
            && self.case_ref.is_none_or(|case| record.case_ref == Some(case))
    }
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What matched, by index.
    pub entries: Vec<LogEntry>,
    /// Where the next page starts, if there is more.
    pub next_index: Option<u64>,
    /// Entries of the whole range that was asked for, also behind a full page, whose records are erased: they could not be compared.
    pub erased: u64,
    /// Entries that were met and cannot be read, by index, at most [`UNREADABLE_MAX`], and why: they could not be compared either.
    pub unreadable: Vec<(u64, StoreError)>,
}

/// Entries that a page names as unreadable; where there are as many, there may be more.
pub const UNREADABLE_MAX: usize = 100;

#[cfg(test)]
impl Page {
    /// The page, for whoever may leave nothing out.
    ///
    /// # Errors
    /// Why the first entry that cannot be read cannot, if there is one.
    pub fn whole(self) -> Result<Self, StoreError> {
        match self.unreadable.first() {
            Some((_, error)) => Err(error.clone()),
            None => Ok(self),
        }
    }
}

/// The proof of one entry for an auditor: a tlog-proof whose `extra` opens both parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryProof {
    /// Its place.
    pub index: u64,
    /// The leaf's 33 bytes.
    pub leaf: [u8; 33],
    /// The record, or nothing once its month is erased, or when it cannot be read.
    pub record: Option<Record>,
    /// The record is kept and cannot be read as it was written: the log still proves its leaf.
    pub unreadable: bool,
    /// The proof against the durable head, as a tlog-proof file. Without `extra` when there is no record.
    pub proof: Bytes,
}

/// Entries that [`Store::entries`] gives at once.
pub const ENTRIES_AT_ONCE: u64 = 4096;

/// What is in the store, for metrics and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Entries that are durable.
    pub durable_size: u64,
    /// Entries that are published as tiles.
    pub published_size: u64,
    /// Items not yet acknowledged.
    pub undelivered: u64,
    /// Of those, past their time.
    pub overdue: u64,
    /// Of those, what could not be read when the store last looked.
    pub unreadable: u64,
    /// For how many seconds nothing that was acknowledged could be erased; nothing while it can.
    pub turns_fail_seconds: u64,
    /// Tiles of the published log that were damaged when the store last looked.
    pub damaged_tiles: u64,
    /// Open cases.
    pub cases: u64,
    /// Ids remembered.
    pub ids: u64,
    /// Condition notices whose content nobody has acknowledged, by age: at least as many days as [`NOTICE_AGES_DAYS`] has at the place.
    pub notices_older_than: [u64; NOTICE_AGES_DAYS.len()],
}

/// Ages that undelivered notices are counted by, in days of 24 hours since acceptance. There is no limit on the time until a meeting, so its
/// shortage is watched by these counts.
pub const NOTICE_AGES_DAYS: [i64; 6] = [0, 1, 2, 5, 10, 30];

/// A store of messages, cases and one log.
///
/// Every method that answers from state answers only what is durable: it waits until the version it looked at is on stable storage.
/// Safe to call concurrently.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Decides, persists and applies one act. Once per call; a caller that loses the answer acts again with the same message id.
    async fn act(&self, command: Command) -> Result<Outcome, StoreError>;

    /// The register in force, durable.
    fn register(&self) -> Arc<Register>;

    /// The time of the next event: never before the last one's, so ahead of the clock after one that was wrong. What is to be judged by a date or an
    /// age is judged by the clock.
    fn now(&self) -> Timestamp;

    /// Open items of `recipient` with numbers above `after`, in acceptance order, at most `max`.
    async fn waiting(&self, recipient: &ParticipantId, after: Option<ItemNumber>, max: usize) -> Result<Vec<Item>, StoreError>;

    /// Canonical content of an open item; `None` when it is settled or erased.
    async fn content(&self, item: ItemNumber) -> Result<Option<Content>, StoreError>;

    /// Those of `items` whose content is to be delivered and cannot be read, and why. Waits for nothing: it answers for the disk, not for the state.
    async fn unreadable_contents(&self, items: &[ItemNumber]) -> Vec<(ItemNumber, StoreError)>;

    /// Where a sender's message stands; `None` when it is unknown or its case is forgotten.
    async fn status(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<StatusEntry>, StoreError>;

    /// Messages of `sender` that changed after `after`, each once with its newest status, at most `max`.
    async fn changes(&self, sender: &ParticipantId, after: Cursor, max: usize) -> Result<Vec<StatusEntry>, StoreError>;

    /// The receipt of a sender's message, the same bytes as the first time; `None` when unknown or its record is erased.
    async fn receipt(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<Accepted>, StoreError>;

    /// The contact that a unit set itself.
    async fn contact(&self, unit: &ParticipantId) -> Result<Option<Contact>, StoreError>;

    /// What `next` is held against before it comes into force; who of those that it leaves out has mail or an open case is asked for these only.
    async fn register_past(&self, next: &Register) -> Result<RegisterPast, StoreError>;

    /// What time demands at `now`, or at what the clock shows where that is less; at most `max` of each.
    async fn due(&self, now: Timestamp, overdue_after: OverdueAfter, max: usize) -> Result<Due, StoreError>;

    /// Legal holds in force, by case.
    async fn holds(&self) -> Result<Vec<Hold>, StoreError>;

    /// How many records that are kept cannot be read. Reads all of them.
    async fn unreadable(&self) -> Result<u64, StoreError>;

    /// Log indices of the records that the hold on a case has copies of.
    async fn held(&self, case: CaseRef) -> Result<Vec<u64>, StoreError>;

    /// What there is of the copy of a held case, each record of which is read for it.
    async fn hold_copy(&self, case: CaseRef) -> Result<HoldCopy, StoreError>;

    /// The durable size; rises with every commit.
    fn durable(&self) -> tokio::sync::watch::Receiver<u64>;

    /// The signed checkpoint of the durable head.
    async fn checkpoint(&self) -> Result<Bytes, StoreError>;

    /// A page of the log, by index.
    async fn records(&self, filter: &RecordFilter, max: usize) -> Result<Page, StoreError>;

    /// The proof of one entry against the durable head; `None` past its size. A record that cannot be read is said to be so, not an error.
    async fn prove(&self, index: u64) -> Result<Option<EntryProof>, StoreError>;

    /// The proof of one entry against the durable head that opens only what the sender of the message it is about may know; `None` past its size
    /// and for erased records.
    async fn prove_for_sender(&self, index: u64) -> Result<Option<EntryProof>, StoreError>;

    /// The consistency proof between two sizes, both at most durable; `None` otherwise.
    async fn consistency(&self, old_size: u64, new_size: u64) -> Result<Option<Vec<crate::audit::tree::Hash>>, StoreError>;

    /// The hashes that lead from the entry at `index` to the root over `size` entries, at most durable; `None` otherwise.
    async fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<crate::audit::tree::Hash>>, StoreError>;

    /// Publishes what is durable and gives the signed checkpoint of it, its signature verified: what an auditor's answer is checked against.
    async fn published(&self) -> Result<(Bytes, Checkpoint), StoreError>;

    /// Published entries from `from` up to `to`, at most [`ENTRIES_AT_ONCE`], as they can be checked. What cannot be read is said, not an error.
    async fn entries(&self, from: u64, to: u64) -> Result<Vec<OpenEntry>, StoreError>;

    /// The right edge of the first `size` published entries, as the log's own files give it; `None` when they do not.
    async fn edge(&self, size: u64) -> Result<Option<Frontier>, StoreError>;

    /// The first log index whose record is kept by its month and not before `at`; the durable size when there is none. Records that only a hold
    /// keeps stand before it.
    async fn first_not_before(&self, at: Timestamp) -> Result<u64, StoreError>;

    /// The newest checkpoint whose tiles are all published, at most a second behind. Unlike [`Store::published`] it publishes nothing: those who
    /// ask for it do not decide when.
    async fn published_checkpoint(&self) -> Result<Bytes, StoreError>;

    /// A published tile or bundle, a partial one of any size at which a checkpoint was published; `None` when there is none.
    async fn tile(&self, tile: TileId) -> Result<Option<Bytes>, StoreError>;

    /// Counts.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Stops: what was acted is durable and published when this returns.
    async fn stop(&self) -> Result<(), StoreError>;
}
