//! Room for calls: how many are at work and how many bytes of requests they hold, in all and of each caller.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::caller::CallLimits;
use crate::domain::id::ParticipantId;
use crate::policy::reason::Reason;

/// Whom a call counts against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// An enrolled participant.
    Participant(ParticipantId),
    /// A certificate that is nobody's here, which may ask for health: its address.
    Stranger(IpAddr),
}

/// What kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One answer.
    Call,
    /// A stream of answers.
    Stream,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    calls: usize,
    streams: usize,
    bytes: usize,
}

impl Counts {
    const fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Call => &mut self.calls,
            Kind::Stream => &mut self.streams,
        }
    }
}

#[derive(Debug, Default)]
struct Inside {
    all: Counts,
    /// Of those who have something at work; so there are no more than calls and streams.
    each: HashMap<Owner, Counts>,
}

/// The room there is.
#[derive(Debug)]
pub(super) struct Room {
    limits: CallLimits,
    inside: Mutex<Inside>,
}

/// One call's place and the bytes of its request; both given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    owner: Owner,
    kind: Kind,
    bytes: Mutex<usize>,
}

impl Room {
    pub(super) fn new(limits: CallLimits) -> Arc<Self> {
        Arc::new(Self { limits, inside: Mutex::default() })
    }

    /// A place for a call of `owner`.
    ///
    /// # Errors
    /// The owner has as many as it may, or the gateway has.
    pub(super) fn enter(self: &Arc<Self>, owner: Owner, kind: Kind) -> Result<Arc<Place>, Reason> {
        let CallLimits { calls_max, streams_max, calls_per_participant_max, streams_per_participant_max, .. } = self.limits;
        let (all_max, own_max, own_reason) = match kind {
            Kind::Call => (calls_max, calls_per_participant_max, Reason::TooManyCalls),
            Kind::Stream => (streams_max, streams_per_participant_max, Reason::TooManyStreams),
        };
        let mut inside = self.inside.lock();
        if inside.each.get_mut(&owner).map_or(0, |counts| *counts.of(kind)) >= own_max {
            return Err(own_reason);
        }
        if *inside.all.of(kind) >= all_max {
            return Err(Reason::Overloaded);
        }
        *inside.all.of(kind) += 1;
        *inside.each.entry(owner.clone()).or_default().of(kind) += 1;
        Ok(Arc::new(Place { room: self.clone(), owner, kind, bytes: Mutex::new(0) }))
    }
}

impl Place {
    /// `count` more bytes of the request have come.
    ///
    /// # Errors
    /// The owner's requests hold as many bytes as they may, or all requests together do.
    pub(super) fn hold(&self, count: usize) -> Result<(), Reason> {
        let CallLimits { request_bytes_max, request_bytes_per_participant_max, .. } = self.room.limits;
        let mut inside = self.room.inside.lock();
        let own = inside.each.get(&self.owner).map_or(0, |counts| counts.bytes);
        if own.saturating_add(count) > request_bytes_per_participant_max {
            return Err(Reason::TooManyBytes);
        }
        if inside.all.bytes.saturating_add(count) > request_bytes_max {
            return Err(Reason::Overloaded);
        }
        inside.all.bytes += count;
        inside.each.entry(self.owner.clone()).or_default().bytes += count;
        *self.bytes.lock() += count;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        let mut inside = self.room.inside.lock();
        inside.all.bytes -= bytes;
        *inside.all.of(self.kind) -= 1;
        if let Some(counts) = inside.each.get_mut(&self.owner) {
            counts.bytes -= bytes;
            *counts.of(self.kind) -= 1;
            if *counts == Counts::default() {
                inside.each.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> CallLimits {
        CallLimits {
            calls_max: 3,
            streams_max: 3,
            calls_per_participant_max: 2,
            streams_per_participant_max: 2,
            request_bytes_max: 100,
            request_bytes_per_participant_max: 60,
            ..CallLimits::default()
        }
    }

    fn owner(id: &str) -> Owner {
        Owner::Participant(id.parse().unwrap())
    }

    #[test]
    fn each_has_its_own_room_and_all_together_have_less() {
        for (kind, own) in [(Kind::Call, Reason::TooManyCalls), (Kind::Stream, Reason::TooManyStreams)] {
            let room = Room::new(limits());
            let first = room.enter(owner("aa"), kind).unwrap();
            let _second = room.enter(owner("aa"), kind).unwrap();
            assert_eq!(room.enter(owner("aa"), kind).unwrap_err(), own);
            let _third = room.enter(owner("bb"), kind).unwrap();
            assert_eq!(room.enter(owner("bb"), kind).unwrap_err(), Reason::Overloaded);
            drop(first);
            room.enter(owner("aa"), kind).unwrap();
        }
    }

    #[test]
    fn calls_and_streams_are_counted_apart() {
        let room = Room::new(limits());
        let _calls = [room.enter(owner("aa"), Kind::Call).unwrap(), room.enter(owner("aa"), Kind::Call).unwrap()];
        room.enter(owner("aa"), Kind::Stream).unwrap();
    }

    #[test]
    fn bytes_are_bounded_for_each_and_in_all_and_given_back() {
        let room = Room::new(limits());
        let (one, two) = (room.enter(owner("aa"), Kind::Call).unwrap(), room.enter(owner("bb"), Kind::Call).unwrap());
        one.hold(40).unwrap();
        one.hold(20).unwrap();
        assert_eq!(one.hold(1), Err(Reason::TooManyBytes));
        two.hold(40).unwrap();
        assert_eq!(two.hold(1), Err(Reason::Overloaded));
        drop(one);
        two.hold(20).unwrap();
        drop(two);
        let inside = room.inside.lock();
        assert_eq!(inside.all, Counts::default());
        assert!(inside.each.is_empty(), "who has nothing at work is not remembered");
    }
}
