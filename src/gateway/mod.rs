//! What the gateway does, without wire and without TLS: take messages, hand them out, tell their status, keep time and its own log of refusals.
//!
//! Every answer comes from the [`Store`], which gives none that is not durable. A denial to an enrolled participant is an event before the
//! caller hears of it.

mod bucket;
mod calls;
mod deliver;
mod directory;
mod inspect;
mod leases;
mod published;
mod reading;
mod refusals;
mod register;
mod settings;
mod status;
mod submit;
mod sweep;
mod witnesses;

use std::sync::{Arc, OnceLock};

pub use bucket::{Buckets, Rate};
pub use deliver::{Deliveries, Delivery, ReceiveOptions};
pub use directory::{Counterpart, CounterpartFilter};
pub use inspect::{
    Browsed, Export, ExportFrame, ExportOf, Found, HoldInForce, Lacks, LastCheck, LogState, ProofOf, Proofs, Review, Reviews, Rows,
    Surveyed, Timeline, Turn,
};
pub use register::{LoadError, Loaded, NotInForce, RegisterFile};
pub use settings::Settings;
pub use status::{Change, Changes, Evidence, Statuses};
pub use submit::{Draft, Submitted, Unfit, content_commit};
pub use witnesses::{Cosigned, Heard, NotHeard, Saw, WitnessCall, WitnessState, WitnessStatus, Witnesses, ask};

use crate::audit::event::Event;
use crate::clock::Clock;
use crate::domain::hold::HoldGround;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::time::Timestamp;
use crate::domain::violation::ParseContext;
use crate::policy::command::Command;
use crate::policy::permit::{Caller, Denial, NO_CONTENT, Permit, authorize};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::turns::Turns;
use crate::store::{Store, StoreError};
use calls::Calls;
use leases::Leases;
use published::TileReaders;
use reading::Pace;
use refusals::Refusals;

/// A denial that is in the log already, or counted for it: answer it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Refusal(pub Denial);

/// The gateway's acts over one store.
pub struct Gateway {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    refusals: Refusals,
    answered: Calls,
    references: Buckets<ParticipantId>,
    calls: Buckets<ParticipantId>,
    leases: Arc<Leases>,
    inspecting: inspect::Inspecting,
    reading: Arc<Turns>,
    pace: Pace,
    tile_readers: TileReaders,
    loading: tokio::sync::Mutex<()>,
    register_file: Arc<RegisterFile>,
    witnesses: OnceLock<Arc<Witnesses>>,
    hold_ground: OnceLock<HoldGround>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            refusals: Refusals::new(settings.refusals),
            answered: Calls::default(),
            references: Buckets::new(settings.wrong_references),
            calls: Buckets::new(settings.calls),
            leases: Arc::new(Leases::new(settings.readers_per_participant_max)),
            inspecting: inspect::Inspecting::new(Arc::clone(&clock)),
            reading: Turns::new(Arc::clone(&clock), reading::PAGES),
            pace: Pace::new(Arc::clone(&clock)),
            tile_readers: TileReaders::default(),
            loading: tokio::sync::Mutex::new(()),
            register_file: Arc::default(),
            witnesses: OnceLock::new(),
            hold_ground: OnceLock::new(),
            store,
            clock,
            settings,
        })
    }

    /// The store behind it.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Whether the register on disk is the one in force.
    #[must_use]
    pub const fn register_file(&self) -> &Arc<RegisterFile> {
        &self.register_file
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Milliseconds by a clock that nobody sets, for limits by time.
    #[must_use]
    pub fn elapsed_millis(&self) -> i64 {
        self.clock.elapsed_millis()
    }

    /// What the clock shows. Who calls and what is sent is judged by it; the log's own time ([`Store::now`]) never goes back, and lies ahead of it
    /// after a clock that was wrong.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What a message is judged by besides itself, now.
    #[must_use]
    pub fn parse_context(&self) -> ParseContext {
        ParseContext { today: self.now().oslo_date(), identity_mode: self.settings.identity_mode }
    }

    /// Counts a call of `caller` against its rate.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] with the time to wait.
    pub fn count_call(&self, caller: &Caller) -> Result<(), Denial> {
        self.calls
            .take(caller.id(), self.clock.elapsed_millis())
            .map_err(|wait| Denial { reason: Reason::RateLimited, retry_after_millis: Some(wait) })
    }

    /// Asks the table for a call without content; says no before anything of the request is read.
    ///
    /// # Errors
    /// Suspended, or not this role's call. Not yet recorded: see [`Gateway::refuse`].
    pub fn admit(&self, caller: &Caller, verb: Verb) -> Result<(), Denial> {
        self.permit(caller, verb).map(|_| ())
    }

    /// Puts a denial into the log, or into the minute's sum when `caller` was denied too often, and gives it back to be answered.
    pub async fn refuse(&self, caller: &Caller, verb: Verb, denial: Denial, message_id: Option<MessageId>) -> Refusal {
        if matches!(denial.reason, Reason::BadReference | Reason::BadReferenceCheck | Reason::ReferenceUnknown) {
            // An empty bucket is noticed at the next call.
            let _ = self.references.take(caller.id(), self.clock.elapsed_millis());
        }
        self.refusals.record(&*self.store, &*self.clock, caller, verb, denial.reason, message_id).await;
        Refusal(denial)
    }

    /// Counts an answer for the process's log. Whether that is to tell it by itself, too.
    pub fn answered(&self, caller: &ParticipantId, verb: Verb, reason: Option<Reason>, millis: u64) -> bool {
        self.answered.count(self.clock.now(), caller, verb, reason, millis)
    }

    /// Counts a refusal of an enrolled participant that has no call to be recorded under.
    pub fn count_refusal(&self, caller: &Caller, reason: Reason) {
        self.refusals.sum(self.clock.now(), caller.id(), reason);
    }

    /// Counts a call or a handshake of nobody that is enrolled. `reason` is one of a closed list.
    pub fn stranger(&self, reason: &'static str) {
        self.refusals.stranger(self.clock.now(), reason);
    }

    /// Ends every stream, for the gateway's stop.
    pub fn end_streams(&self) {
        self.leases.end_all(Reason::Unavailable);
    }

    /// Notes an event of the gateway itself.
    ///
    /// # Errors
    /// As [`Store::act`].
    pub async fn note(&self, event: Event) -> Result<(), StoreError> {
        self.store.act(Command::Note(event)).await.map(|_| ())
    }

    fn permit(&self, caller: &Caller, verb: Verb) -> Result<Permit, Denial> {
        authorize(caller, verb, NO_CONTENT, &self.store.register())
    }

    /// Asks the table; a no is recorded.
    async fn permit_or_refuse(&self, caller: &Caller, verb: Verb) -> Result<Permit, Refusal> {
        match self.permit(caller, verb) {
            Ok(permit) => Ok(permit),
            Err(denial) => Err(self.refuse(caller, verb, denial, None).await),
        }
    }

    /// The answer to an error of the store; a rule's no is recorded.
    async fn failed(&self, caller: &Caller, verb: Verb, error: StoreError, message_id: Option<MessageId>) -> Refusal {
        self.refuse(caller, verb, denial_of(&error), message_id).await
    }
}

/// What a caller is told of an error of the store.
#[must_use]
pub fn denial_of(error: &StoreError) -> Denial {
    let (reason, retry_after_millis) = match error {
        StoreError::Denied(denial) => return *denial,
        StoreError::Full => (Reason::StorageFull, Some(60_000)),
        StoreError::Stopped => (Reason::Unavailable, Some(1_000)),
        StoreError::Busy => (Reason::Overloaded, Some(250)),
        StoreError::Damaged { place } => {
            tracing::error!(%place, "damaged data; stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`");
            // Trying again helps nobody, a sender whose id may stand in a damaged record neither; whoever asks can tell the operator what to do.
            (Reason::DataDamaged, None)
        }
    };
    Denial { reason, retry_after_millis }
}
