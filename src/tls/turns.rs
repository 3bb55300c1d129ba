//! How many handshakes are worked on in a second, from all addresses together, and whose turn it is.
//!
//! A handshake costs about a millisecond of a processor, a client's side of it next to nothing, and the bound of one address does not help
//! against thousands. So their rate is bounded in all, and connections that are established keep the rest of the processor. Who waits is taken
//! address by address, those first from which somebody got in before, so that strangers wait for each other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::connection::address_group;
use crate::gateway::Rate;

/// Addresses that are remembered because somebody got in from them.
const KNOWN_MAX: usize = 4096;

/// The turns of one listener. Waiting ones are as many as its handshakes under way at most.
#[derive(Debug)]
pub(super) struct Turns {
    burst: u32,
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When all turns will be there again.
    full_at: Option<Instant>,
    known: Known,
    first: Line,
    second: Line,
    serving: bool,
}

/// The newest addresses from which somebody got in.
#[derive(Debug, Default)]
struct Known {
    all: HashSet<IpAddr>,
    by_age: VecDeque<IpAddr>,
}

/// Who waits, an address after the other.
#[derive(Debug, Default)]
struct Line {
    addresses: VecDeque<IpAddr>,
    of: HashMap<IpAddr, VecDeque<oneshot::Sender<()>>>,
}

impl Turns {
    pub(super) fn new(rate: Rate) -> Self {
        Self { burst: rate.burst.max(1), every: Duration::from_micros(rate.every_micros), state: Mutex::default() }
    }

    /// Waits for a turn. Whoever gives up is passed over.
    pub(super) async fn wait(self: &Arc<Self>, address: IpAddr) {
        let turn = {
            let address = address_group(address);
            let mut state = self.state.lock();
            if state.is_empty() && state.take(Instant::now(), self.burst, self.every).is_ok() {
                return;
            }
            let (sender, turn) = oneshot::channel();
            let line = if state.known.all.contains(&address) { &mut state.first } else { &mut state.second };
            line.join(address, sender);
            if !std::mem::replace(&mut state.serving, true) {
                tokio::spawn(self.clone().serve());
            }
            turn
        };
        // The sender is never dropped before it is sent on, but for a runtime that ends.
        let _ = turn.await;
    }

    /// Somebody got in from `address`.
    pub(super) fn admitted(&self, address: IpAddr) {
        let Known { all, by_age } = &mut self.state.lock().known;
        let address = address_group(address);
        if all.insert(address) {
            by_age.push_back(address);
            if by_age.len() > KNOWN_MAX
                && let Some(oldest) = by_age.pop_front()
            {
                all.remove(&oldest);
            }
        }
    }

    /// Gives turns as they come until nobody waits.
    async fn serve(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock();
                if state.is_empty() {
                    state.serving = false;
                    return;
                }
                match state.take(Instant::now(), self.burst, self.every) {
                    Ok(()) => {
                        // Those who gave up cost no turn.
                        while let Some(sender) = state.next() {
                            if sender.send(()).is_ok() {
                                break;
                            }
                        }
                        continue;
                    }
                    Err(at) => at,
                }
            };
            sleep_until(next).await;
        }
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.first.addresses.is_empty() && self.second.addresses.is_empty()
    }

    /// Takes a turn, or says when there is one.
    fn take(&mut self, now: Instant, burst: u32, every: Duration) -> Result<(), Instant> {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let next = full_at + every;
        let latest = now + every.saturating_mul(burst);
        if next > latest {
            return Err(now + (next - latest));
        }
        self.full_at = Some(next);
        Ok(())
    }

    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        self.first.next().or_else(|| self.second.next())
    }
}

impl Line {
    fn join(&mut self, address: IpAddr, sender: oneshot::Sender<()>) {
        let own = self.of.entry(address).or_default();
        if own.is_empty() {
            self.addresses.push_back(address);
        }
        own.push_back(sender);
    }

    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        let address = self.addresses.pop_front()?;
        let own = self.of.get_mut(&address)?;
        let sender = own.pop_front();
        if own.is_empty() {
            self.of.remove(&address);
        } else {
            self.addresses.push_back(address);
        }
        sender
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Every one of `who` in line, in this order; the order in which their turns came.
    async fn order(turns: &Arc<Turns>, who: &[u8]) -> Vec<u8> {
        let (told, mut told_of) = tokio::sync::mpsc::unbounded_channel();
        for one in who.iter().copied() {
            let (turns, told) = (turns.clone(), told.clone());
            tokio::spawn(async move {
                turns.wait(from(one)).await;
                told.send(one).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(told);
        let mut order = Vec::new();
        while let Some(one) = told_of.recv().await {
            order.push(one);
        }
        order
    }

    #[test]
    fn a_burst_then_one_in_a_fixed_time_whoever_asks() {
        let (mut state, begun, every) = (State::default(), Instant::now(), Duration::from_millis(100));
        let at = |millis| begun + Duration::from_millis(millis);
        for _ in 0..3 {
            assert_eq!(state.take(begun, 3, every), Ok(()));
        }
        assert_eq!(state.take(begun, 3, every), Err(at(100)));
        assert_eq!(state.take(at(99), 3, every), Err(at(100)));
        assert_eq!(state.take(at(100), 3, every), Ok(()));
        assert_eq!(state.take(at(101), 3, every), Err(at(200)));
        for _ in 0..3 {
            assert_eq!(state.take(at(5000), 3, every), Ok(()));
        }
        assert_eq!(state.take(at(5000), 3, every), Err(at(5100)), "rest is not saved up");
    }

    #[tokio::test]
    async fn addresses_take_turns_and_those_from_which_somebody_got_in_come_first() {
        let turns = Arc::new(Turns::new(Rate::per_second(1, 20)));
        turns.admitted(from(9));
        let begun = Instant::now();
        assert_eq!(order(&turns, &[1, 1, 1, 1, 2, 3, 9, 9]).await, [1, 9, 9, 1, 2, 3, 1, 1]);
        assert!(begun.elapsed() >= Duration::from_millis(350), "seven turns of 50 ms: {:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn who_gives_up_costs_no_turn_and_leaves_nothing_behind() {
        let turns = Arc::new(Turns::new(Rate::per_second(1, 2)));
        turns.wait(from(1)).await;
        for one in 0..50 {
            assert!(tokio::time::timeout(Duration::ZERO, turns.wait(from(one))).await.is_err());
        }
        // Fifty turns would be 25 seconds.
        tokio::time::timeout(Duration::from_secs(10), turns.wait(from(99))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let state = turns.state.lock();
        assert!(state.is_empty() && state.second.of.is_empty() && !state.serving);
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded() {
        let turns = Turns::new(Rate::per_second(1, 1));
        for number in 0..u32::try_from(KNOWN_MAX).unwrap() + 10 {
            turns.admitted(IpAddr::from(number.to_be_bytes()));
            turns.admitted(IpAddr::from(number.to_be_bytes()));
        }
        let state = turns.state.lock();
        assert_eq!((state.known.all.len(), state.known.by_age.len()), (KNOWN_MAX, KNOWN_MAX));
        assert!(!state.known.all.contains(&IpAddr::from([0; 4])));
    }
}
