//! Accepted ids by sender: what a retry is compared with.
//!
//! A message id sorts by its time, so a tree of each sender's ids holds them in one place, grows without ever being copied whole, and costs at most
//! 128 bytes an id, also when every id came in order.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::time::Timestamp;
use crate::policy::case::IdEntry;

/// The ids that are remembered.
#[derive(Debug, Default)]
pub(super) struct Ids {
    by_sender: HashMap<ParticipantId, BTreeMap<MessageId, IdEntry>>,
    /// Ids whose message is no longer kept; they go once they are stale.
    loose: BTreeSet<(MessageId, ParticipantId)>,
    count: usize,
}

impl Ids {
    /// The entry of a sender's id.
    pub(super) fn get(&self, sender: &ParticipantId, id: MessageId) -> Option<&IdEntry> {
        self.by_sender.get(sender)?.get(&id)
    }

    /// Binds an id.
    pub(super) fn insert(&mut self, sender: &ParticipantId, id: MessageId, entry: IdEntry) {
        let added = match self.by_sender.get_mut(sender) {
            Some(ids) => ids.insert(id, entry).is_none(),
            None => self.by_sender.entry(sender.clone()).or_default().insert(id, entry).is_none(),
        };
        self.count += usize::from(added);
    }

    /// The message behind an id is no longer kept.
    pub(super) fn loosen(&mut self, sender: &ParticipantId, id: MessageId) {
        self.loose.insert((id, sender.clone()));
    }

    /// Forgets ids made before `horizon` whose message was accepted below log index `size` and is no longer kept. Gives when the newest of them was
    /// made, and the log index of the one that was accepted last.
    pub(super) fn forget_before(&mut self, horizon: Timestamp, size: u64) -> Option<(Timestamp, u64)> {
        let (mut gone, mut stay) = (None, Vec::new());
        while let Some((id, sender)) = self.loose.pop_first() {
            if id.timestamp() >= horizon {
                stay.push((id, sender));
                break;
            }
            let Some(ids) = self.by_sender.get_mut(&sender) else { continue };
            if ids.get(&id).is_some_and(|entry| entry.index >= size) {
                stay.push((id, sender));
                continue;
            }
            if let Some(entry) = ids.remove(&id) {
                self.count -= 1;
                gone = Some((id.timestamp(), gone.map_or(entry.index, |(_, last)| entry.index.max(last))));
            }
            if ids.is_empty() {
                self.by_sender.remove(&sender);
            }
        }
        self.loose.extend(stay);
        gone
    }

    /// How many are remembered.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// All of them, those of a sender by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ParticipantId, MessageId, &IdEntry)> {
        self.by_sender.iter().flat_map(|(sender, ids)| ids.iter().map(move |(id, entry)| (sender, *id, entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(at: i64, n: u8) -> MessageId {
        MessageId::new(Timestamp::from_millis(at), [n; 10])
    }

    #[test]
    fn only_loose_ids_before_the_horizon_are_forgotten() {
        let (a, b): (ParticipantId, ParticipantId) = ("aa".parse().unwrap(), "bb".parse().unwrap());
        let mut ids = Ids::default();
        let entry = |index| IdEntry { index, commit: [0; 32] };
        for (index, (sender, id)) in [(&a, id(1, 1)), (&a, id(2, 2)), (&b, id(1, 1)), (&b, id(9, 9))].into_iter().enumerate() {
            ids.insert(sender, id, entry(index as u64));
        }
        ids.insert(&a, id(1, 1), entry(0));
        assert_eq!(ids.len(), 4);
        ids.loosen(&a, id(1, 1));
        ids.loosen(&b, id(1, 1));
        ids.loosen(&b, id(9, 9));
        let forget = |ids: &mut Ids, before, size| {
            ids.forget_before(Timestamp::from_millis(before), size).map(|(newest, last)| (newest.millis(), last))
        };
        assert_eq!(forget(&mut ids, 1, 4), None);
        assert_eq!((forget(&mut ids, 9, 0), ids.len()), (None, 4), "what no turn has written yet stays");
        assert_eq!((forget(&mut ids, 9, 2), ids.len()), (Some((1, 0)), 3));
        assert_eq!((forget(&mut ids, 9, 4), ids.len()), (Some((1, 2)), 2));
        assert_eq!(ids.get(&a, id(1, 1)), None);
        assert_eq!(ids.get(&a, id(2, 2)), Some(&entry(1)), "its message is kept");
        assert_eq!(forget(&mut ids, 10, 4), Some((9, 3)));
        assert_eq!(ids.iter().map(|(sender, _, entry)| (sender.as_str(), entry.index)).collect::<Vec<_>>(), [("aa", 1)]);
        assert_eq!(ids.len(), 1);
    }

    fn resident_bytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    #[test]
    #[ignore = "a measurement of this process's memory, which other tests share"]
    fn bytes_an_id() {
        const COUNT: u64 = 2_000_000;
        let sender: ParticipantId = "politi-oslo".parse().unwrap();
        let before = resident_bytes();
        let mut ids = Ids::default();
        for n in 0..COUNT {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&n.to_be_bytes());
            // In order, which fills the nodes of a tree least.
            let id = MessageId::new(Timestamp::from_millis(i64::try_from(n).unwrap()), random);
            ids.insert(&sender, id, IdEntry { index: n, commit: [7; 32] });
        }
        let each = (resident_bytes() - before) / COUNT;
        println!("{each} bytes an id, of {}", ids.len());
        assert!(each <= 128, "{each} bytes an id");
    }
}
