//! Handshakes under way, bounded in all and per address.
//!
//! When there is no room, a handshake makes way for the newest: the oldest of the address that has most of them. So those who crowd in push out
//! each other, and never a client that speaks, nor one that comes alone and waits for its turn. Refusing the newest would let a few hundred silent
//! sockets lock everyone out.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::connection::address_group;

/// The handshakes under way.
#[derive(Debug)]
pub(super) struct Pending {
    max: usize,
    max_per_address: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    all: HashMap<u64, (IpAddr, CancellationToken)>,
    /// The oldest first.
    per_address: HashMap<IpAddr, BTreeSet<u64>>,
}

/// One handshake's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    pending: Arc<Pending>,
    number: u64,
    /// Cancelled when the handshake has to make way.
    pub(super) make_way: CancellationToken,
}

impl Pending {
    /// Room for `max` handshakes, `max_per_address` from one address; at least one each.
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self { max: max.max(1), max_per_address: max_per_address.max(1), state: Mutex::default() }
    }

    /// A place for a handshake from `address`, at the cost of another when there is none left.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Turn {
        let address = address_group(address);
        let mut state = self.state.lock();
        let own = state.per_address.get(&address);
        let oldest = if own.is_some_and(|own| own.len() >= self.max_per_address) {
            own.and_then(BTreeSet::first).copied()
        } else if state.all.len() >= self.max {
            let most = state.per_address.values().max_by_key(|own| (own.len(), Reverse(own.first())));
            most.and_then(BTreeSet::first).copied()
        } else {
            None
        };
        if let Some((_, make_way)) = oldest.and_then(|number| state.remove(number)) {
            make_way.cancel();
        }
        let number = state.next;
        state.next += 1;
        let make_way = CancellationToken::new();
        state.all.insert(number, (address, make_way.clone()));
        state.per_address.entry(address).or_default().insert(number);
        Turn { pending: self.clone(), number, make_way }
    }
}

impl State {
    fn remove(&mut self, number: u64) -> Option<(IpAddr, CancellationToken)> {
        let entry = self.all.remove(&number)?;
        if let Some(own) = self.per_address.get_mut(&entry.0) {
            own.remove(&number);
            if own.is_empty() {
                self.per_address.remove(&entry.0);
            }
        }
        Some(entry)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pending.state.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn the_oldest_of_a_crowded_address_makes_way_and_others_stay() {
        let pending = Arc::new(Pending::new(10, 2));
        let other = pending.enter(from("192.0.2.1"));
        let first = pending.enter(from("192.0.2.2"));
        let second = pending.enter(from("192.0.2.2"));
        let third = pending.enter(from("192.0.2.2"));
        assert!(first.make_way.is_cancelled());
        assert!(!other.make_way.is_cancelled() && !second.make_way.is_cancelled() && !third.make_way.is_cancelled());
        drop(first);
        let _fourth = pending.enter(from("192.0.2.2"));
        assert!(second.make_way.is_cancelled(), "a place given up twice is not counted twice");
    }

    #[test]
    fn the_oldest_of_all_makes_way_when_the_whole_is_full() {
        let pending = Arc::new(Pending::new(2, 2));
        let first = pending.enter(from("192.0.2.1"));
        let second = pending.enter(from("192.0.2.2"));
        let third = pending.enter(from("192.0.2.3"));
        assert!(first.make_way.is_cancelled() && !second.make_way.is_cancelled() && !third.make_way.is_cancelled());
        drop((first, second, third));
        let state = pending.state.lock();
        assert!(state.all.is_empty() && state.per_address.is_empty());
    }

    #[test]
    fn who_comes_alone_stays_while_the_crowd_pushes_out_itself() {
        let pending = Arc::new(Pending::new(8, 8));
        let alone = pending.enter(from("192.0.2.1"));
        let crowd: Vec<_> = (0..40).map(|number| pending.enter(from(if number % 2 == 0 { "192.0.2.2" } else { "192.0.2.3" }))).collect();
        assert!(!alone.make_way.is_cancelled());
        let left = crowd.iter().filter(|turn| !turn.make_way.is_cancelled()).count();
        assert_eq!(left, 7, "and of the crowd the newest are there");
        assert!(crowd[33..].iter().all(|turn| !turn.make_way.is_cancelled()));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_a_mapped_one_as_ipv4() {
        let pending = Arc::new(Pending::new(10, 1));
        let first = pending.enter(from("2001:db8::1"));
        let elsewhere = pending.enter(from("2001:db8:0:1::1"));
        let _second = pending.enter(from("2001:db8::ffff:2"));
        assert!(first.make_way.is_cancelled() && !elsewhere.make_way.is_cancelled());
        let mapped = pending.enter(from("::ffff:192.0.2.1"));
        let _plain = pending.enter(from("192.0.2.1"));
        assert!(mapped.make_way.is_cancelled());
    }
}
