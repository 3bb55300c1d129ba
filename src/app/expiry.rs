//! Tells the operator in time: certificates whose end is near, each at 60, 30 and 7 days and when it has ended; revocation lists past their time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::People;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::tls::expiry::{self, Certificate, Holder, Nearness, Told};
use crate::tls::{ListState, ListStatus};

/// Between two rounds.
pub const ROUND_EVERY: Duration = Duration::from_secs(60);

/// Files are waited for so long in a round.
const WAIT: Duration = Duration::from_secs(5);

/// What was told already.
#[derive(Default)]
pub(super) struct Watch {
    told: Told,
    lists: BTreeMap<String, ListState>,
    files: Files,
}

/// Files that are read for each round, and never waited for longer than a moment: their file system may be gone.
#[derive(Default)]
struct Files {
    found: Vec<Certificate>,
    under_way: Option<JoinHandle<Vec<Certificate>>>,
}

impl Files {
    /// What is in `files`, or was when they could last be read.
    async fn look(&mut self, files: &[PathBuf], wait: Duration) -> Vec<Certificate> {
        let files = files.to_vec();
        let reading = self.under_way.get_or_insert_with(|| tokio::task::spawn_blocking(move || of_files(&files)));
        match tokio::time::timeout(wait, reading).await {
            Ok(found) => {
                self.under_way = None;
                self.found = found.unwrap_or_default();
            }
            Err(_) => tracing::warn!("files of witnesses' CAs cannot be read now: their file system does not answer"),
        }
        self.found.clone()
    }
}

impl Watch {
    /// One round over everything that is known at `now`; gives what is news.
    fn news(
        &mut self,
        certificates: &[Certificate],
        lists: &[ListStatus],
        now: Timestamp,
    ) -> (Vec<(Certificate, Nearness)>, Vec<ListStatus>) {
        let mut changed = Vec::new();
        let mut states = BTreeMap::new();
        for list in lists {
            // Of an issuer with several lists the worst counts.
            let state = states.entry(list.issuer.clone()).or_insert(list.state);
            *state = list.state.max(*state);
        }
        for (issuer, state) in &states {
            let before = self.lists.get(issuer).copied().unwrap_or(ListState::Current);
            if before != *state {
                changed.extend(lists.iter().find(|list| list.issuer == *issuer && list.state == *state).cloned());
            }
        }
        self.lists = states;
        (self.told.due(certificates, now), changed)
    }
}

fn tell_certificate(certificate: &Certificate, nearness: Nearness, now: Timestamp) {
    let Certificate { holder, not_after } = certificate;
    let (kind, name, key) = (holder.kind(), holder.name(), holder.key_label().unwrap_or_default());
    let days = not_after.millis().saturating_sub(now.millis()).div_euclid(DAY_MILLIS);
    let until = not_after.oslo_date();
    match nearness {
        Nearness::Ended => tracing::error!(kind, name, key, %until, "a certificate has run out"),
        Nearness::Days7 => tracing::error!(kind, name, key, days, %until, "a certificate runs out within 7 days; renew it"),
        Nearness::Days30 => tracing::warn!(kind, name, key, days, %until, "a certificate runs out within 30 days; renew it"),
        Nearness::Days60 => tracing::warn!(kind, name, key, days, %until, "a certificate runs out within 60 days; renew it"),
    }
}

fn tell_list(list: &ListStatus) {
    let ListStatus { issuer, next_update, closes_at, state } = list;
    match state {
        ListState::Current => tracing::info!(issuer, %next_update, "a revocation list is current again"),
        ListState::Overdue => {
            tracing::warn!(issuer, %next_update, %closes_at, "a revocation list is overdue; after its grace everyone that its CA issued for is refused");
        }
        ListState::Closed => {
            tracing::error!(issuer, %next_update, %closes_at, "a revocation list is past its grace: everyone that its CA issued for is refused until a new one is there");
        }
    }
}

/// Of each file of CAs for outgoing connections the one that ends first: a system's bundle holds hundreds, of which nobody here renews any.
fn of_files(files: &[PathBuf]) -> Vec<Certificate> {
    let first = |file: &PathBuf| {
        let all = expiry::certificates(file).inspect_err(|error| tracing::debug!(%error, "a file of CAs cannot be read now")).ok()?;
        all.into_iter()
            .min_by_key(|(_, not_after)| *not_after)
            .map(|(name, not_after)| Certificate { holder: Holder::WitnessCa(name), not_after })
    };
    files.iter().filter_map(first).collect()
}

impl People {
    /// One round: tells what has come nearer.
    pub(super) async fn tell_expiry(&self, watch: &mut Watch, ca_files: &[PathBuf]) {
        self.tls.forget_unenrolled(&self.gateway.store().register());
        let mut certificates = self.tls.certificates();
        certificates.extend(watch.files.look(ca_files, WAIT).await);
        let now = self.clock.now();
        let (near, lists) = watch.news(&certificates, &self.tls.lists(now), now);
        near.iter().for_each(|(certificate, nearness)| tell_certificate(certificate, *nearness, now));
        lists.iter().for_each(tell_list);
    }

    /// Rounds until `stop`.
    pub(super) async fn watch_expiry(self: Arc<Self>, ca_files: Vec<PathBuf>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(ROUND_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut watch = Watch::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            self.tell_expiry(&mut watch, &ca_files).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(state: ListState) -> ListStatus {
        let at = Timestamp::from_millis(0);
        ListStatus { issuer: "Example CA".to_owned(), next_update: at, closes_at: at, state }
    }

    #[tokio::test]
    async fn files_that_cannot_be_read_hold_no_round_and_what_was_in_them_is_not_forgotten() {
        let found = vec![Certificate { holder: Holder::WitnessCa("CA".to_owned()), not_after: Timestamp::from_millis(0) }];
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let hanging = tokio::task::spawn_blocking(move || {
            _ = wait.recv();
            Vec::new()
        });
        let mut files = Files { found: found.clone(), under_way: Some(hanging) };
        for _ in 0..2 {
            assert_eq!(files.look(&[], Duration::from_millis(10)).await, found);
        }
        release.send(()).unwrap();
        assert_eq!(files.look(&[], Duration::from_secs(60)).await, [], "the same read answers, no second one was begun");
    }

    #[test]
    fn a_list_is_spoken_of_when_its_state_changes_and_then_no_more() {
        let mut watch = Watch::default();
        let mut said = |states: &[ListState]| {
            let lists: Vec<_> = states.iter().map(|state| list(*state)).collect();
            watch.news(&[], &lists, Timestamp::from_millis(0)).1.iter().map(|list| list.state).collect::<Vec<_>>()
        };
        use ListState::{Closed, Current, Overdue};
        assert!(said(&[Current]).is_empty(), "that all is well is no news");
        assert_eq!(said(&[Overdue]), [Overdue]);
        assert!(said(&[Overdue]).is_empty());
        assert_eq!(said(&[Current, Closed]), [Closed]);
        assert!(said(&[Closed, Current]).is_empty());
        assert_eq!(said(&[Current]), [Current]);
    }
}
