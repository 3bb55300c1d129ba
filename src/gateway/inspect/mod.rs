//! Read-only questions of auditors. Each is an event, durable before its first row, once a query and not once a page.
//!
//! Every answer keeps to the [scope](crate::domain::scope::AuditScope) of the auditor's register entry as it is in force at that moment.

mod browse;
mod damage;
mod export;
mod hold;
mod proofs;
mod review;
mod search;
mod survey;
mod veil;

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

pub use browse::{Browsed, Turn};
pub use export::{Export, ExportFrame, ExportOf};
pub use hold::HoldInForce;
pub use proofs::{ProofOf, Proofs};
pub use review::{Lacks, Review, Reviews};
pub use search::{Found, Rows, Timeline};
pub use survey::{LastCheck, LogState, Surveyed};

use damage::DamageCount;

use super::reading::SCANS;
use super::{Gateway, Refusal};
use crate::audit::event::Asked;
use crate::audit::sight::Sight;
use crate::clock::Clock;
use crate::domain::id::{CaseRef, ParticipantId};
use crate::domain::participant::{Participant, Role};
use crate::domain::scope::AuditScope;
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::readers::Readers;
use crate::store::turns::Turns;
use crate::store::{RecordFilter, StoreError};

/// Queries whose further pages need no event of their own; the oldest goes first.
const QUERIES_MAX: usize = 1024;
/// Scopes whose last complete check is remembered.
const LAST_CHECKS_MAX: usize = 64;

/// How long an answer about one case or message takes at least, for whoever may see a part of the log; one that took longer takes twice as long, or
/// four times, and so on. Records of others are read before they can be left out, and that must not be seen: a case of thirty records costs a few
/// milliseconds.
const EVEN: Duration = Duration::from_millis(25);

/// When an answer that took `elapsed` leaves, see [`EVEN`].
fn even(elapsed: Duration) -> Duration {
    let mut wait = EVEN;
    while wait < elapsed {
        wait = wait.saturating_mul(2);
    }
    wait
}

/// What inspecting remembers. Nothing in it is needed after a restart.
#[derive(Debug)]
pub(super) struct Inspecting {
    /// Scans of the log, one at a time.
    scans: Arc<Turns>,
    /// Checks what a scan has read.
    checkers: Arc<Readers>,
    /// Each with the log's size when it was last asked: its further pages go no further.
    queries: Mutex<VecDeque<(Query, u64)>>,
    last_checks: Mutex<VecDeque<(Sight, LastCheck)>>,
    damage: Arc<DamageCount>,
}

/// A query whose event is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Query {
    reader: ParticipantId,
    key_label: String,
    verb: Verb,
    asked: Asked,
}

impl Inspecting {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            scans: Turns::new(clock, SCANS),
            checkers: Arc::new(Readers::new(NonZero::<usize>::MIN)),
            queries: Mutex::new(VecDeque::new()),
            last_checks: Mutex::new(VecDeque::new()),
            damage: Arc::default(),
        }
    }
}

/// Whether a page is the first of its query, and whether there are others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageOf {
    Only,
    First,
    Further,
}

impl Gateway {
    /// What `caller` sees now.
    #[must_use]
    pub fn sight(&self, caller: &Caller) -> Sight {
        Sight::of(caller.id(), &self.store.register())
    }

    /// How many entries of the whole log cannot be read, for whoever sees a part of it and asks by more than their place: whether one of them is what
    /// was asked for, nobody can tell. The same number for every case, message and filter, and no more than a list of indices tells this reader
    /// already. Nothing for whoever sees everything, who is told of each.
    async fn unjudged(&self, sight: &Sight, filter: &RecordFilter) -> Result<u64, StoreError> {
        if sight.parties().is_none() || filter.is_a_plain_range() {
            Ok(0)
        } else {
            self.inspecting.damage.entries(damage::PATIENCE, self.count_damage()).await
        }
    }

    fn count_damage(&self) -> impl damage::Counting + use<> {
        let store = Arc::clone(&self.store);
        async move { store.unreadable().await }
    }

    /// Counts what cannot be read in the background, where an auditor may ask who sees a part of the log and the last count is older than
    /// [an hour](damage::LOOKED_EVERY): so that none waits for it.
    pub(super) fn look_for_damage(&self) {
        let register = self.store.register();
        let sees_a_part = |entry: &Participant| entry.role == Role::Auditor && entry.scope.as_ref() != Some(&AuditScope::All);
        if register.iter().any(|entry| sees_a_part(entry)) {
            self.inspecting.damage.look(self.count_damage());
        }
    }

    /// Does `work`, which looks for one case or message. Whoever may see a part of the log is answered no sooner for what is not there than for what is
    /// another's.
    async fn evenly<T>(&self, sight: &Sight, work: impl Future<Output = T>) -> T {
        let begun = tokio::time::Instant::now();
        let done = work.await;
        if sight.parties().is_some() {
            tokio::time::sleep_until(begun + even(begun.elapsed())).await;
        }
        done
    }

    /// A call that reads one thing and names no query: an event each.
    async fn audit(
        &self,
        caller: &Caller,
        verb: Verb,
        case_ref: Option<CaseRef>,
        participant: Option<ParticipantId>,
    ) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, verb).await?;
        match self.store.act(Command::Audit { permit, case_ref, participant }).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }

    /// The event of a query, durable when this returns, and the size of the log that its answer may reach to: the one before that event. A further
    /// page of a query that was asked before makes no event and reaches no further than that asking did, whatever the page's address says.
    async fn ask(&self, caller: &Caller, verb: Verb, asked: Asked, page: PageOf) -> Result<u64, Refusal> {
        let permit = self.permit_or_refuse(caller, verb).await?;
        let query = Query { reader: caller.id().clone(), key_label: caller.key_label.clone(), verb, asked };
        if page == PageOf::Further {
            let queries = self.inspecting.queries.lock();
            if let Some((_, size)) = queries.iter().find(|(known, _)| *known == query) {
                return Ok(*size);
            }
        }
        let size = *self.store.durable().borrow();
        match self.store.act(Command::Ask { permit, asked: query.asked.clone() }).await {
            Ok(_) if page == PageOf::Only => Ok(size),
            Ok(_) => {
                let mut queries = self.inspecting.queries.lock();
                queries.retain(|(known, _)| *known != query);
                if queries.len() == QUERIES_MAX {
                    queries.pop_front();
                }
                queries.push_back((query, size));
                Ok(size)
            }
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
