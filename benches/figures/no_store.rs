//! The server's other half for a figure of what tonic, TLS, the gate and the codec cost by themselves.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use samband::audit::checkpoint::Checkpoint;
use samband::audit::event::ItemNumber;
use samband::audit::range::OpenEntry;
use samband::audit::tiles::TileId;
use samband::audit::tree::{Frontier, Hash};
use samband::clock::Clock as _;
use samband::domain::hold::{Hold, HoldCopy};
use samband::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use samband::domain::participant::{Contact, Register};
use samband::domain::register_past::RegisterPast;
use samband::domain::sensitive::Content;
use samband::domain::time::Timestamp;
use samband::policy::command::Command;
use samband::store::{
    Accepted, Cursor, Due, EntryProof, Item, Outcome, OverdueAfter, Page, RecordFilter, Stats, StatusEntry, Store, StoreError,
};

use crate::home::BenchClock;

/// Of a receipt in a log of some thousand entries.
const RECEIPT_BYTES: usize = 1800;

/// Answers every message at once with a receipt of the usual size; keeps nothing.
#[derive(Debug)]
pub struct NoStore {
    clock: BenchClock,
    register: Arc<Register>,
    durable: tokio::sync::watch::Sender<u64>,
    receipt: Bytes,
}

impl NoStore {
    /// With everyone enrolled.
    pub fn new(clock: BenchClock, register: Register) -> Self {
        let receipt = Bytes::from(vec![b'x'; RECEIPT_BYTES]);
        Self { clock, register: Arc::new(register), durable: tokio::sync::watch::Sender::new(0), receipt }
    }
}

#[async_trait]
impl Store for NoStore {
    async fn act(&self, command: Command) -> Result<Outcome, StoreError> {
        Ok(match command {
            Command::Submit { .. } => Outcome::Accepted(Accepted {
                index: 1,
                accepted_at: self.clock.now(),
                case_ref: Some(CaseRef::from_bytes([1; 10])),
                requisition_id: Some(RequisitionId::from_bytes([1; 10])),
                receipt: self.receipt.clone(),
            }),
            _ => Outcome::Done { events: 0 },
        })
    }
    fn register(&self) -> Arc<Register> {
        Arc::clone(&self.register)
    }
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    async fn waiting(&self, _: &ParticipantId, _: Option<ItemNumber>, _: usize) -> Result<Vec<Item>, StoreError> {
        Ok(Vec::new())
    }
    async fn content(&self, _: ItemNumber) -> Result<Option<Content>, StoreError> {
        Ok(None)
    }
    async fn unreadable_contents(&self, _: &[ItemNumber]) -> Vec<(ItemNumber, StoreError)> {
        Vec::new()
    }
    async fn status(&self, _: &ParticipantId, _: MessageId) -> Result<Option<StatusEntry>, StoreError> {
        Ok(None)
    }
    async fn changes(&self, _: &ParticipantId, _: Cursor, _: usize) -> Result<Vec<StatusEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn receipt(&self, _: &ParticipantId, _: MessageId) -> Result<Option<Accepted>, StoreError> {
        Ok(None)
    }
    async fn contact(&self, _: &ParticipantId) -> Result<Option<Contact>, StoreError> {
        Ok(None)
    }
    async fn register_past(&self, _: &Register) -> Result<RegisterPast, StoreError> {
        Ok(RegisterPast::default())
    }
    async fn due(&self, _: Timestamp, _: OverdueAfter, _: usize) -> Result<Due, StoreError> {
        Ok(Due::default())
    }
    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        Ok(Vec::new())
    }
    async fn unreadable(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn held(&self, _: CaseRef) -> Result<Vec<u64>, StoreError> {
        Ok(Vec::new())
    }
    async fn hold_copy(&self, _: CaseRef) -> Result<HoldCopy, StoreError> {
        Ok(HoldCopy::Whole)
    }
    fn durable(&self) -> tokio::sync::watch::Receiver<u64> {
        self.durable.subscribe()
    }
    async fn checkpoint(&self) -> Result<Bytes, StoreError> {
        Ok(Bytes::new())
    }
    async fn records(&self, _: &RecordFilter, _: usize) -> Result<Page, StoreError> {
        Ok(Page { entries: Vec::new(), next_index: None, erased: 0, unreadable: Vec::new() })
    }
    async fn prove(&self, _: u64) -> Result<Option<EntryProof>, StoreError> {
        Ok(None)
    }
    async fn prove_for_sender(&self, _: u64) -> Result<Option<EntryProof>, StoreError> {
        Ok(None)
    }
    async fn inclusion(&self, _: u64, _: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        Ok(None)
    }
    async fn consistency(&self, _: u64, _: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        Ok(None)
    }
    async fn published(&self) -> Result<(Bytes, Checkpoint), StoreError> {
        Err(StoreError::Stopped)
    }
    async fn published_checkpoint(&self) -> Result<Bytes, StoreError> {
        Err(StoreError::Stopped)
    }
    async fn tile(&self, _: TileId) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    async fn entries(&self, _: u64, _: u64) -> Result<Vec<OpenEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn edge(&self, _: u64) -> Result<Option<Frontier>, StoreError> {
        Ok(None)
    }
    async fn first_not_before(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats::default())
    }
    async fn stop(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
