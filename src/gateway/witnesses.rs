//! Witnesses of the log: heads are submitted to them, their cosignatures kept for auditors, and at the start they are asked how far they saw.
//!
//! A task of its own, bounded in time and memory: a witness that is down, slow or wrong changes nothing but what is shown of it. Cosignatures
//! are kept in memory only; after a restart the first round asks for them again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::audit::cosignature::Cosignature;
use crate::audit::note::UnverifiedNote;
use crate::audit::tlog_policy::{PolicyWitness, TlogPolicy};
use crate::audit::tree::Hash;
use crate::audit::witness::{Answer, Refused, Submitted, add_checkpoint, read_answer, with_cosignatures};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::store::Store;

/// Times of the task.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// One submission, with the second try that a 409 asks for, takes no longer than this.
    submission: Duration,
    /// A head that has not changed is cosigned anew after this long, so that its cosignatures stay fresh.
    renew_after: Duration,
    /// The longest rest after failures of one witness.
    rest_max: Duration,
}

const TIMES: Times =
    Times { submission: Duration::from_secs(10), renew_after: Duration::from_secs(600), rest_max: Duration::from_secs(300) };

/// What a witness's server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// HTTP status.
    pub status: u16,
    /// Empty when there is none.
    pub content_type: String,
    /// At most [`crate::audit::witness::ANSWER_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
}

/// Why nothing was heard of a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// The URL is none.
    #[error("its URL is not http:// or https:// with a host")]
    Url,
    /// No connection, or it broke off.
    #[error("it cannot be reached, or the connection broke off")]
    Unreachable,
    /// Its certificate is not accepted.
    #[error("TLS to it failed: is its CA among ca_files?")]
    Tls,
    /// Longer than allowed.
    #[error("it did not answer in time")]
    TooSlow,
    /// An answer without end.
    #[error("its answer is longer than any answer of a witness")]
    TooLong,
}

/// The way to witnesses. Implementations bound time and size of each call.
#[async_trait]
pub trait WitnessCall: Send + Sync + 'static {
    /// `POST <prefix>/add-checkpoint`.
    async fn add_checkpoint(&self, prefix: &str, body: String) -> Result<Heard, NotHeard>;
}

/// How a witness answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessStatus {
    /// Not yet asked.
    NotAsked,
    /// It cosigned.
    Cosigned,
    /// It knows a larger tree of this log than the gateway has.
    Ahead,
    /// It answered and did not cosign.
    Refused(Refused),
    /// It did not answer.
    NotHeard(NotHeard),
}

impl fmt::Display for WitnessStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not yet asked"),
            Self::Cosigned => f.write_str("cosigned"),
            Self::Ahead => {
                f.write_str("it knows a larger tree of this log than the gateway has: another gateway runs, or this is a restored copy")
            }
            Self::Refused(refused) => refused.fmt(f),
            Self::NotHeard(why) => why.fmt(f),
        }
    }
}

/// A witness as auditors are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessState {
    /// Its name in the policy.
    pub name: String,
    /// The name of its key, as it stands in its cosignatures.
    pub key_name: String,
    /// Its last answer.
    pub status: WitnessStatus,
    /// The size that it is known to have seen.
    pub known_size: Option<u64>,
    /// The time in its newest cosignature, by its own clock.
    pub cosigned_at: Option<Timestamp>,
    /// When it was last asked.
    pub asked_at: Option<Timestamp>,
    /// Failures since it last cosigned.
    pub failures: u32,
}

/// A head with cosignatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The signed checkpoint, the log's signature first.
    pub checkpoint: String,
    /// Its size.
    pub size: u64,
    /// Names of the witnesses in it.
    pub by: Vec<String>,
    /// Whether they make the policy's quorum.
    pub is_quorum: bool,
}

/// The newest cosigned heads.
#[derive(Debug, Clone, Default)]
struct Kept {
    newest: Option<Arc<Cosigned>>,
    with_quorum: Option<Arc<Cosigned>>,
}

impl Kept {
    /// One that covers `size` entries, better one with the quorum.
    fn covering(&self, size: u64) -> Option<Arc<Cosigned>> {
        [&self.with_quorum, &self.newest].into_iter().flatten().find(|cosigned| cosigned.size >= size).cloned()
    }
}

#[derive(Debug)]
struct Known {
    state: WitnessState,
    rest_until: Option<Instant>,
}

/// The witnesses of one log.
pub struct Witnesses {
    policy: TlogPolicy,
    call: Arc<dyn WitnessCall>,
    submit_every: Duration,
    times: Times,
    known: Mutex<Vec<Known>>,
    kept: watch::Sender<Kept>,
    nudge: Notify,
}

impl fmt::Debug for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witnesses").field("count", &self.policy.witnesses().len()).finish_non_exhaustive()
    }
}

/// How far a witness saw, asked before the log goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// A tree of this size.
    Size(u64),
    /// Another tree of the size that was asked with.
    Fork,
    /// It gives no answer to that.
    Unknown(WitnessStatus),
}

/// A signed head taken apart for submission.
struct Head {
    signed: SignedCheckpoint,
    text: String,
    size: u64,
}

impl Head {
    /// From the store's own bytes.
    fn read(bytes: &[u8]) -> Option<Self> {
        let note = std::str::from_utf8(bytes).ok()?;
        let text = UnverifiedNote::parse(note).ok()?.text().to_owned();
        let size = Checkpoint::from_text(&text).ok()?.size();
        Some(Self { signed: SignedCheckpoint::from_note(note.to_owned())?, text, size })
    }
}

async fn submit(
    call: &dyn WitnessCall,
    witness: &PolicyWitness,
    old_size: u64,
    proof: &[Hash],
    head: &Head,
) -> Result<Answer, WitnessStatus> {
    let url = witness.url.as_deref().ok_or(WitnessStatus::NotHeard(NotHeard::Url))?;
    let body = add_checkpoint(old_size, proof, &head.signed);
    let heard = call.add_checkpoint(url, body).await.map_err(WitnessStatus::NotHeard)?;
    let submitted = Submitted { old_size, text: &head.text };
    read_answer(heard.status, &heard.content_type, &heard.body, &witness.verifier, submitted).map_err(WitnessStatus::Refused)
}

/// Asks each witness how far it saw, by submitting a head that the log published before, which changes nothing at a witness that knows more.
/// In the order of the policy; within `patience` for all of them together.
pub async fn ask(policy: &TlogPolicy, call: Arc<dyn WitnessCall>, published: &[u8], patience: Duration) -> Vec<(String, Saw)> {
    let Some(head) = Head::read(published).map(Arc::new) else { return Vec::new() };
    let mut asked = JoinSet::new();
    for (at, witness) in policy.witnesses().iter().cloned().enumerate() {
        let (call, head) = (call.clone(), head.clone());
        asked.spawn(async move {
            let saw = match tokio::time::timeout(patience, submit(&*call, &witness, head.size, &[], &head)).await {
                Ok(Ok(Answer::Cosigned(_))) => Saw::Size(head.size),
                Ok(Ok(Answer::Knows(size))) => Saw::Size(size),
                Ok(Err(WitnessStatus::Refused(Refused::Inconsistent))) => Saw::Fork,
                Ok(Err(status)) => Saw::Unknown(status),
                Err(_) => Saw::Unknown(WitnessStatus::NotHeard(NotHeard::TooSlow)),
            };
            (at, saw)
        });
    }
    let mut found: Vec<(String, Saw)> =
        policy.witnesses().iter().map(|witness| (witness.name.clone(), Saw::Unknown(WitnessStatus::NotAsked))).collect();
    while let Some(answer) = asked.join_next().await {
        if let Ok((at, saw)) = answer {
            found[at].1 = saw;
        }
    }
    found
}

impl Witnesses {
    /// The witnesses of `policy`, submitted to no more often than `submit_every`.
    #[must_use]
    pub fn new(policy: TlogPolicy, call: Arc<dyn WitnessCall>, submit_every: Duration) -> Arc<Self> {
        Self::within(policy, call, submit_every, TIMES)
    }

    fn within(policy: TlogPolicy, call: Arc<dyn WitnessCall>, submit_every: Duration, times: Times) -> Arc<Self> {
        let state = |witness: &PolicyWitness| WitnessState {
            name: witness.name.clone(),
            key_name: witness.verifier.name().as_str().to_owned(),
            status: WitnessStatus::NotAsked,
            known_size: None,
            cosigned_at: None,
            asked_at: None,
            failures: 0,
        };
        let known = policy.witnesses().iter().map(|witness| Known { state: state(witness), rest_until: None }).collect();
        let (kept, _) = watch::channel(Kept::default());
        Arc::new(Self { policy, call, submit_every, times, known: Mutex::new(known), kept, nudge: Notify::new() })
    }

    /// Each witness as it stands.
    #[must_use]
    pub fn states(&self) -> Vec<WitnessState> {
        self.known.lock().iter().map(|known| known.state.clone()).collect()
    }

    /// The newest cosigned head that covers `size` entries, better one with the quorum.
    #[must_use]
    pub fn covering(&self, size: u64) -> Option<Arc<Cosigned>> {
        self.kept.borrow().covering(size)
    }

    /// The same, after a round that is begun now, for at most `patience`. With the quorum if that comes in time.
    pub async fn cosigned(&self, size: u64, patience: Duration) -> Option<Arc<Cosigned>> {
        let mut watching = self.kept.subscribe();
        self.nudge.notify_one();
        let wanted = |kept: &Kept| kept.with_quorum.as_ref().is_some_and(|cosigned| cosigned.size >= size);
        _ = tokio::time::timeout(patience, watching.wait_for(wanted)).await;
        self.covering(size)
    }

    /// Submits heads until `stop`.
    pub async fn run(self: Arc<Self>, store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let mut last: Option<(String, Instant)> = None;
        let mut cosignatures = BTreeMap::new();
        loop {
            if let Ok(bytes) = store.checkpoint().await
                && let Some(head) = Head::read(&bytes)
            {
                let is_same = last.as_ref().is_some_and(|(text, _)| *text == head.text);
                let is_fresh = last.as_ref().is_some_and(|(_, at)| at.elapsed() < self.times.renew_after);
                if !is_same {
                    cosignatures.clear();
                }
                if !(is_same && is_fresh && cosignatures.len() == self.policy.witnesses().len()) {
                    if !(is_same && is_fresh) {
                        last = Some((head.text.clone(), Instant::now()));
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.round(head, &store, &clock, &mut cosignatures) => {}
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.submit_every) => {}
                () = self.nudge.notified() => {}
            }
        }
    }

    /// One head to all witnesses that are not at rest; each answer counts as it comes.
    async fn round(
        self: &Arc<Self>,
        head: Head,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        cosignatures: &mut BTreeMap<usize, Cosignature>,
    ) {
        let head = Arc::new(head);
        // Dropped with the round when the gateway stops, which ends what is under way.
        let mut submissions = JoinSet::new();
        for at in self.due() {
            let (witnesses, head, store) = (self.clone(), head.clone(), store.clone());
            submissions.spawn(async move {
                let answered = tokio::time::timeout(witnesses.times.submission, witnesses.submit_from_known(at, &head, &*store)).await;
                (at, answered.unwrap_or(Err(WitnessStatus::NotHeard(NotHeard::TooSlow))))
            });
        }
        while let Some(joined) = submissions.join_next().await {
            let Ok((at, answered)) = joined else { continue };
            self.note(at, head.size, &answered, clock.now());
            if let Ok(cosignature) = answered {
                cosignatures.insert(at, cosignature);
                self.keep(&head, cosignatures);
            }
        }
    }

    /// Witnesses whose rest is over.
    fn due(&self) -> Vec<usize> {
        let now = Instant::now();
        let known = self.known.lock();
        known.iter().enumerate().filter(|(_, known)| known.rest_until.is_none_or(|until| until <= now)).map(|(at, _)| at).collect()
    }

    async fn submit_from_known(&self, at: usize, head: &Head, store: &dyn Store) -> Result<Cosignature, WitnessStatus> {
        let witness = &self.policy.witnesses()[at];
        let mut old_size = self.known.lock()[at].state.known_size.unwrap_or(head.size).min(head.size);
        for _ in 0..2 {
            let proof = match store.consistency(old_size, head.size).await {
                Ok(Some(proof)) => proof,
                // The store is stopping or damaged, which it says itself.
                _ => return Err(WitnessStatus::NotAsked),
            };
            match submit(&*self.call, witness, old_size, &proof, head).await? {
                Answer::Cosigned(cosignature) => return Ok(cosignature),
                Answer::Knows(size) => {
                    self.known.lock()[at].state.known_size = Some(size);
                    if size > head.size {
                        return Err(WitnessStatus::Ahead);
                    }
                    old_size = size;
                }
            }
        }
        // Another submission got in between twice; the next round tries again.
        Err(WitnessStatus::NotAsked)
    }

    fn note(&self, at: usize, size: u64, answered: &Result<Cosignature, WitnessStatus>, now: Timestamp) {
        let mut all = self.known.lock();
        let known = &mut all[at];
        let before = known.state.status;
        known.state.asked_at = Some(now);
        match answered {
            Ok(cosignature) => {
                known.state.status = WitnessStatus::Cosigned;
                known.state.known_size = Some(size);
                known.state.cosigned_at = i64::try_from(cosignature.time().saturating_mul(1000)).ok().map(Timestamp::from_millis);
                known.state.failures = 0;
                known.rest_until = None;
            }
            Err(status) => {
                known.state.status = *status;
                known.state.failures = known.state.failures.saturating_add(1);
                let rest = self.submit_every.saturating_mul(1 << known.state.failures.min(16)).min(self.times.rest_max);
                known.rest_until = Some(Instant::now() + rest);
            }
        }
        if before != known.state.status {
            let (witness, status) = (&known.state.name, known.state.status);
            match status {
                WitnessStatus::Cosigned => tracing::info!(%witness, size, "a witness cosigned the log's head"),
                WitnessStatus::Ahead | WitnessStatus::Refused(Refused::Inconsistent) => {
                    tracing::error!(%witness, size, %status, "a witness contradicts this log");
                }
                _ => tracing::warn!(%witness, size, %status, "a witness did not cosign; traffic goes on"),
            }
        }
    }

    fn keep(&self, head: &Head, cosignatures: &BTreeMap<usize, Cosignature>) {
        let places: Vec<usize> = cosignatures.keys().copied().collect();
        let cosigned = Arc::new(Cosigned {
            checkpoint: with_cosignatures(&head.signed, cosignatures.values()),
            size: head.size,
            by: places.iter().map(|at| self.policy.witnesses()[*at].name.clone()).collect(),
            is_quorum: self.policy.is_quorum(&places),
        });
        self.kept.send_modify(|kept| {
            if cosigned.is_quorum {
                kept.with_quorum = Some(cosigned.clone());
            }
            kept.newest = Some(cosigned);
        });
    }
}

impl Gateway {
    /// Names the witnesses of the log. Once, before serving; a second time does nothing.
    pub fn set_witnesses(&self, witnesses: Arc<Witnesses>) {
        _ = self.witnesses.set(witnesses);
    }

    /// The witnesses, if there are any.
    #[must_use]
    pub fn witnesses(&self) -> Option<&Arc<Witnesses>> {
        self.witnesses.get()
    }
}

#[cfg(test)]
#[path = "witnesses_tests.rs"]
mod tests;
