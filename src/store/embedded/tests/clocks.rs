//! A clock that was wrong for a while: what was accepted is accepted once, and what was acknowledged goes in its time.

use std::collections::BTreeSet;

use super::super::background::is_due;
use super::sim_disk::Dice;
use super::*;
use crate::audit::event::ItemNumber;
use crate::domain::id::MessageId;
use crate::domain::participant::Standing;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::policy::command::{Body, Command};
use crate::policy::reason::Reason;
use crate::store::contract::case_bed::{INNLANDET, OSLO, RU_OSLO, accepted, id, notice, register, submission, wish};
use crate::store::{Accepted, Outcome, Store};

const HOUR: i64 = 60 * 60 * 1000;

async fn send(bed: &Bed, message_id: MessageId, commit: u8) -> Result<Outcome, Reason> {
    let mut submission = submission(message_id, Body::Notice(Box::new(notice(&wish()))), None);
    submission.commit = [commit; 32];
    bed.submit(OSLO, submission).await
}

/// Sends a message and has its case forgotten, as after its end: its id is kept for as long as it would be admitted, and no longer.
async fn sent_and_forgotten(bed: &Bed) -> (MessageId, Accepted) {
    let message_id = bed.fresh();
    let first = accepted(send(bed, message_id, 9).await.unwrap());
    bed.store().act(Command::ForgetCase { case_ref: first.case_ref.unwrap() }).await.unwrap();
    (message_id, first)
}

async fn ids(store: &Arc<EmbeddedStore>) -> u64 {
    store.stats().await.unwrap().ids
}

#[tokio::test]
async fn an_id_that_a_clock_ahead_forgot_is_found_in_the_records_when_it_is_admitted_again() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let never = MessageId::new(home.clock.now().plus_millis(-HOUR), [3; 10]);
    let (message_id, first) = sent_and_forgotten(&bed).await;
    drop((bed, store));
    // A start that nothing tells from one after a month of stillness.
    home.clock.jump_millis(31 * DAY_MILLIS);
    let store = home.open();
    assert!(!store.calendar_is_held());
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 0, "it is forgotten");
    home.clock.jump_millis(-31 * DAY_MILLIS);
    let asked = async |store: &Arc<EmbeddedStore>| {
        let bed = home.bed(store);
        let size = store.stats().await.unwrap().durable_size;
        assert_eq!(accepted(send(&bed, message_id, 9).await.unwrap()), first, "the first acceptance");
        assert_eq!(send(&bed, message_id, 8).await, Err(Reason::MessageIdReused));
        assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap().as_ref(), Some(&first));
        assert_eq!(store.stats().await.unwrap().durable_size, size, "nothing was accepted");
    };
    asked(&store).await;
    drop(store);
    let store = home.open();
    asked(&store).await;
    store.turn_now().await.unwrap();
    drop(store);
    let store = home.open();
    asked(&store).await;
    // One as old that was never sent is new, and bound from here.
    let bed = home.bed(&store);
    let once = accepted(send(&bed, never, 9).await.unwrap());
    assert_eq!(accepted(send(&bed, never, 9).await.unwrap()), once);
}

#[tokio::test]
async fn the_same_forgotten_id_of_two_that_became_one_is_told_apart_by_content() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let message_id = bed.fresh();
    let of = |commit: u8| {
        let mut submission = submission(message_id, Body::Notice(Box::new(notice(&wish()))), None);
        submission.commit = [commit; 32];
        submission
    };
    let first = accepted(bed.submit(OSLO, of(1)).await.unwrap());
    let second = accepted(bed.submit(INNLANDET, of(2)).await.unwrap());
    for sent in [&first, &second] {
        store.act(Command::ForgetCase { case_ref: sent.case_ref.unwrap() }).await.unwrap();
    }
    let retire = register(2, |all| {
        let one = all.iter_mut().find(|one| one.id == id(OSLO)).unwrap();
        (one.standing, one.successor) = (Standing::Retired, Some(id(INNLANDET)));
    });
    bed.load(retire).await;
    drop((bed, store));
    home.clock.jump_millis(31 * DAY_MILLIS);
    let store = home.open();
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 0);
    home.clock.jump_millis(-31 * DAY_MILLIS);
    let bed = home.bed(&store);
    assert_eq!(accepted(bed.submit(INNLANDET, of(1)).await.unwrap()), first);
    assert_eq!(accepted(bed.submit(INNLANDET, of(2)).await.unwrap()), second);
    assert_eq!(bed.submit(INNLANDET, of(3)).await.err(), Some(Reason::MessageIdReused));
}

#[tokio::test]
async fn an_id_whose_records_are_gone_is_refused_rather_than_accepted_twice() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, _) = sent_and_forgotten(&bed).await;
    store.turn_now().await.unwrap();
    // An operator confirms a clock that is years ahead.
    home.clock.jump_millis(800 * DAY_MILLIS);
    store.confirm_calendar().unwrap();
    store.act(Command::Note(crate::audit::event::Event::Stopped)).await.unwrap();
    assert_eq!(store.turn_now().await.unwrap().months, 1);
    home.clock.jump_millis(-800 * DAY_MILLIS);
    assert_eq!(send(&bed, message_id, 9).await, Err(Reason::StaleMessageId));
    let fresh = bed.fresh();
    assert_eq!(
        send(&bed, fresh, 9).await,
        Err(Reason::StaleMessageId),
        "made in the same moment: it cannot be told apart from one that was accepted"
    );
    home.clock.advance_millis(1);
    let first = accepted(send(&bed, bed.fresh(), 9).await.unwrap());
    assert!(first.accepted_at > home.clock.now(), "one that is newer than all that were forgotten goes through");
}

#[tokio::test]
async fn a_clock_set_back_admits_no_id_that_was_forgotten_in_its_time() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, first) = sent_and_forgotten(&bed).await;
    home.clock.advance_millis(31 * DAY_MILLIS);
    store.act(Command::Note(crate::audit::event::Event::Stopped)).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 0);
    assert_eq!(send(&bed, message_id, 9).await, Err(Reason::StaleMessageId));
    home.clock.jump_millis(-20 * DAY_MILLIS);
    assert_eq!(accepted(send(&bed, message_id, 9).await.unwrap()), first);
}

#[tokio::test]
async fn ids_are_forgotten_by_the_clock_and_not_by_the_time_of_a_log_that_stands() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (before, first) = sent_and_forgotten(&bed).await;
    home.clock.jump_millis(40 * DAY_MILLIS);
    bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 2, "a clock that is not believed forgets nothing");
    home.clock.jump_millis(-40 * DAY_MILLIS);
    let (during, second) = sent_and_forgotten(&bed).await;
    assert_eq!(second.accepted_at, home.clock.now().plus_millis(40 * DAY_MILLIS), "it lies further from its id than an id is admitted");
    store.confirm_calendar().unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 3);
    drop((bed, store));
    let store = home.open();
    assert_eq!(ids(&store).await, 3, "in the base too");
    store.confirm_calendar().unwrap();
    home.clock.advance_millis(30 * DAY_MILLIS + 1);
    store.turn_now().await.unwrap();
    assert_eq!(ids(&store).await, 1, "both are stale by the clock");
    drop(store);
    let store = home.open();
    let bed = home.bed(&store);
    for (message_id, first) in [(before, first), (during, second)] {
        assert_eq!(send(&bed, message_id, 9).await, Err(Reason::StaleMessageId));
        assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap(), Some(first), "its record is found where the log stood");
    }
}

#[tokio::test]
async fn what_was_acknowledged_goes_in_its_time_whatever_the_clock_shows() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let acknowledge = async || {
        bed.send_notice(&wish(), None).await.unwrap();
        bed.send_notice(&wish(), None).await.unwrap();
        let items = bed.fetch(RU_OSLO).await;
        bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
        store.publish_now().await.unwrap();
    };
    // Turned over while the clock was ahead.
    home.clock.jump_millis(40 * DAY_MILLIS);
    store.turn_now().await.unwrap();
    home.clock.jump_millis(-40 * DAY_MILLIS);
    acknowledge().await;
    assert!(is_due(&store.engine));
    let turned = store.turn_now().await.unwrap();
    assert_eq!((turned.erased, turned.kept), (1, 1), "the content that nobody acknowledged stays");
    // A quarter of a day between two turns, also when the clock is set back again and again.
    acknowledge().await;
    for _ in 0..3 {
        home.clock.advance_millis(2 * HOUR);
        home.clock.jump_millis(-2 * HOUR + 1);
    }
    assert!(is_due(&store.engine));
    let turned = store.turn_now().await.unwrap();
    assert_eq!((turned.erased, turned.kept), (1, 2));
    assert!(!is_due(&store.engine), "once");
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 2);
}

#[test]
fn a_base_of_a_program_that_forgot_by_the_time_of_the_log_is_taken_for_one_that_forgot_all_it_might() {
    use crate::store::state::State;
    let mut state = State::new([7; 32]);
    let at = Timestamp::from_millis(90 * DAY_MILLIS);
    state.apply(crate::audit::event::Event::Stopped, 0, at);
    let mut snapshot = state.snapshot();
    snapshot.later.clocks = None;
    assert_eq!(State::restore(snapshot).unwrap().forgotten(), at.plus_millis(-30 * DAY_MILLIS));
    assert_eq!(State::restore(state.snapshot()).unwrap().forgotten(), state.forgotten());
}

/// What the clients of one history know.
struct Known {
    home: Home,
    store: Option<Arc<EmbeddedStore>>,
    /// By how much the clock is wrong.
    skew: i64,
    accepted: Vec<(MessageId, Accepted)>,
    refused: Vec<MessageId>,
    waiting: BTreeSet<ItemNumber>,
    /// Records were erased.
    erased: bool,
    /// How often an id that the state had forgotten was admitted by the clock.
    searched: usize,
}

impl Known {
    async fn begin() -> Self {
        let home = Home::new();
        let store = home.open();
        home.bed(&store).ready().await;
        let (accepted, refused) = (Vec::new(), Vec::new());
        Self { home, store: Some(store), skew: 0, accepted, refused, waiting: BTreeSet::new(), erased: false, searched: 0 }
    }

    fn store(&self) -> &Arc<EmbeddedStore> {
        self.store.as_ref().unwrap()
    }

    fn bed(&self) -> Bed {
        self.home.bed(self.store())
    }

    fn jump(&mut self, by: i64) {
        self.skew += by;
        self.home.clock.jump_millis(by);
    }

    /// Whether the clock takes an id for one that may come now.
    fn admits(&self, message_id: MessageId) -> bool {
        let (now, made) = (self.home.clock.now(), message_id.timestamp());
        now.plus_millis(-30 * DAY_MILLIS) <= made && made <= now.plus_millis(5 * 60_000)
    }

    async fn send(&mut self, message_id: MessageId) {
        let today = self.home.clock.now().oslo_date();
        let rules = match () {
            () if !self.admits(message_id) => Some(Reason::StaleMessageId),
            () if today < "2026-11-02".parse().unwrap() => Some(Reason::DecisionInFuture),
            () if today >= "2029-02-01".parse().unwrap() => Some(Reason::ProbationOver),
            () => None,
        };
        match send(&self.bed(), message_id, 9).await {
            Ok(outcome) => {
                assert_eq!(rules, None, "{message_id}");
                let new = accepted(outcome);
                assert_eq!(new.index + 1, self.store().stats().await.unwrap().durable_size, "it is new");
                self.waiting.insert(ItemNumber::main(new.index));
                self.accepted.push((message_id, new));
                self.refused.retain(|refused| *refused != message_id);
            }
            Err(reason) => {
                // Where records are gone, what was forgotten cannot be told from what is new.
                let is_by_rule = Some(reason) == rules || (self.erased && reason == Reason::StaleMessageId);
                assert!(is_by_rule, "{message_id} is refused as {reason:?}, by the rules {rules:?}");
                self.refused.push(message_id);
            }
        }
    }

    /// A retry, and another message by the same id.
    async fn again(&mut self, at: usize) {
        let (message_id, first) = self.accepted[at].clone();
        let sure = self.admits(message_id) && !self.erased;
        self.searched += usize::from({
            let core = self.store().engine.core.lock();
            core.state.may_have_forgotten(&id(OSLO), message_id, self.home.clock.now())
        });
        let size = self.store().stats().await.unwrap().durable_size;
        match send(&self.bed(), message_id, 9).await {
            Ok(outcome) => assert_eq!(accepted(outcome), first, "{message_id} is accepted once"),
            Err(reason) => assert!(!sure && matches!(reason, Reason::StaleMessageId | Reason::RecordErased), "{message_id}: {reason:?}"),
        }
        let other = send(&self.bed(), message_id, 8).await.expect_err("it is bound");
        assert!(other == Reason::MessageIdReused || (!sure && other == Reason::StaleMessageId), "{message_id}: {other:?}");
        assert_eq!(self.store().stats().await.unwrap().durable_size, size);
        let receipt = self.store().receipt(&id(OSLO), message_id).await.unwrap();
        assert!(receipt.as_ref() == Some(&first) || (self.erased && receipt.is_none()), "the receipt of {message_id}");
    }

    async fn step(&mut self, dice: &mut Dice, days: usize) {
        match dice.below(20) {
            0..=4 => {
                // Its sender's clock is right, or as wrong as this one, or it waited.
                let now = self.home.clock.now();
                let waited = [0, 0, -3, -29, -31][dice.below(5)] * DAY_MILLIS;
                let made = now.plus_millis(if dice.one_in(2) { waited } else { waited - self.skew });
                self.send(MessageId::new(made, dice.next().to_be_bytes().repeat(2)[..10].try_into().unwrap())).await;
            }
            5 if !self.refused.is_empty() => {
                let message_id = self.refused.swap_remove(dice.below(self.refused.len()));
                self.send(message_id).await;
            }
            6..=9 if !self.accepted.is_empty() => self.again(dice.below(self.accepted.len())).await,
            10 => {
                let taken: BTreeSet<_> = self.bed().take(RU_OSLO).await.iter().map(|item| item.item).collect();
                assert_eq!(taken, std::mem::take(&mut self.waiting), "each once, and none that was acknowledged");
            }
            11 | 12 if !self.accepted.is_empty() => {
                let (_, sent) = &self.accepted[dice.below(self.accepted.len())];
                self.store().act(Command::ForgetCase { case_ref: sent.case_ref.unwrap() }).await.unwrap();
                self.waiting.remove(&ItemNumber::main(sent.index));
            }
            13 | 15 => {
                // Somebody takes the clock for right, however it is, and something is written by it.
                if dice.one_in(2) {
                    self.store().confirm_calendar().unwrap();
                    self.store().act(Command::Note(crate::audit::event::Event::Stopped)).await.unwrap();
                }
                self.erased |= self.store().turn_now().await.unwrap().months > 0;
            }
            14 => {
                drop(self.store.take());
                self.store = Some(self.home.open());
            }
            16 => self.jump((25 + dice.below(days) as i64) * DAY_MILLIS),
            17 => self.jump(-(1 + dice.below(days) as i64) * DAY_MILLIS),
            18 => self.jump(-self.skew),
            _ => self.home.clock.advance_millis([HOUR, DAY_MILLIS, 20 * DAY_MILLIS][dice.below(3)]),
        }
    }
}

async fn histories(seeds: std::ops::Range<u64>, days: usize) -> (usize, bool) {
    let (mut searched, mut erased) = (0, false);
    for seed in seeds {
        println!("seed {seed}");
        let (mut known, mut dice) = (Known::begin().await, Dice::new(seed));
        for _ in 0..150 {
            known.step(&mut dice, days).await;
        }
        known.jump(-known.skew);
        for at in 0..known.accepted.len() {
            known.again(at).await;
        }
        if !known.erased {
            let fresh = known.bed().fresh();
            known.send(fresh).await;
        }
        (searched, erased) = (searched + known.searched, erased || known.erased);
    }
    (searched, erased)
}

#[tokio::test]
async fn whatever_the_clock_shows_each_message_is_accepted_once_and_none_is_refused_for_good() {
    let (searched, erased) = histories(0..10, 45).await;
    assert!(searched > 20 && !erased, "{searched} forgotten ids were asked for");
}

#[tokio::test]
async fn nothing_is_accepted_twice_where_a_clock_far_ahead_had_records_erased() {
    let (_, erased) = histories(100..106, 500).await;
    assert!(erased);
}
