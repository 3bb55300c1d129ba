//! Answers that were just computed, kept for the reader who asked: turning from the front page to an answer asks nothing anew. A page says when its
//! answer was computed, and has a link that computes it again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::audit::question::{Period, Question};
use crate::domain::id::ParticipantId;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, Refusal, Surveyed};
use crate::policy::permit::Caller;

/// Answers are kept so long.
const KEPT_MILLIS: i64 = 10 * 60 * 1000;
/// Surveys kept; each holds at most some thousand records.
const KEPT_MAX: usize = 8;

/// Who asked, for what, with what in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    reader: ParticipantId,
    key_label: String,
    sees: Option<BTreeSet<ParticipantId>>,
    period: Period,
}

/// A survey and when it was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) at: Timestamp,
    /// The same by the clock that nobody sets.
    elapsed: i64,
    pub(super) surveyed: Surveyed,
}

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Surveys(Mutex<VecDeque<(Key, Arc<Made>)>>);

impl Surveys {
    /// The answers to all questions about `period`: those just computed, or new ones when there are none or `anew`.
    pub(super) async fn of(&self, gateway: &Arc<Gateway>, caller: &Caller, period: Period, anew: bool) -> Result<Arc<Made>, Refusal> {
        let sees = gateway.sight(caller).parties().cloned();
        let key = Key { reader: caller.id().clone(), key_label: caller.key_label.clone(), sees, period };
        let now = gateway.elapsed_millis();
        if !anew {
            let kept = self.0.lock().iter().find(|(known, _)| *known == key).map(|(_, made)| made.clone());
            if let Some(made) = kept.filter(|made| now - made.elapsed <= KEPT_MILLIS) {
                return Ok(made);
            }
        }
        let surveyed = gateway.answer(caller, &Question::ALL, period).await?;
        let made = Arc::new(Made { at: gateway.now(), elapsed: now, surveyed });
        let mut kept = self.0.lock();
        kept.retain(|(known, made)| *known != key && now - made.elapsed <= KEPT_MILLIS);
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((key, made.clone()));
        Ok(made)
    }
}
