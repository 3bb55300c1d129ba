//! Who is reading what: leases by participant and reader, in memory only. A lease ends with its stream.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::audit::event::ItemNumber;
use crate::domain::id::ParticipantId;
use crate::policy::reason::Reason;
use crate::store::Item;

/// Why and when a stream ends before its time.
#[derive(Debug, Default)]
struct End {
    reason: OnceLock<Reason>,
    token: CancellationToken,
}

impl End {
    fn end(&self, reason: Reason) {
        // The first reason stands.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }
}

#[derive(Debug)]
struct Reader {
    stream: u64,
    end: Arc<End>,
}

#[derive(Debug)]
struct Mailbox {
    readers: HashMap<String, Reader>,
    feeds: HashMap<u64, Arc<End>>,
    leased: HashMap<ItemNumber, u64>,
    /// Changes when an item may have become free for another reader.
    released: watch::Sender<u64>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { readers: HashMap::new(), feeds: HashMap::new(), leased: HashMap::new(), released: watch::Sender::new(0) }
    }
}

impl Mailbox {
    fn release(&mut self, stream: u64) {
        self.leased.retain(|_, holder| *holder != stream);
        self.released.send_modify(|count| *count += 1);
    }
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    mailboxes: HashMap<ParticipantId, Mailbox>,
}

/// All open readers and feeds, and what each holds.
#[derive(Debug)]
pub(super) struct Leases {
    max: usize,
    all: Mutex<All>,
}

/// An open feed; its place is given back when dropped.
#[derive(Debug)]
pub(super) struct Ending {
    leases: Arc<Leases>,
    participant: ParticipantId,
    stream: u64,
    end: Arc<End>,
}

/// An open reader and what it holds; given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    ending: Ending,
    reader: String,
    pub(super) released: watch::Receiver<u64>,
}

impl Leases {
    pub(super) fn new(max: usize) -> Self {
        Self { max, all: Mutex::default() }
    }

    /// Opens a status feed.
    ///
    /// # Errors
    /// [`Reason::TooManyStreams`].
    pub(super) fn open_feed(self: &Arc<Self>, participant: &ParticipantId) -> Result<Ending, Reason> {
        let mut all = self.all.lock();
        let stream = all.next;
        all.next += 1;
        let mailbox = all.mailboxes.entry(participant.clone()).or_default();
        if mailbox.feeds.len() >= self.max {
            return Err(Reason::TooManyStreams);
        }
        let end = Arc::new(End::default());
        mailbox.feeds.insert(stream, end.clone());
        Ok(Ending { leases: self.clone(), participant: participant.clone(), stream, end })
    }

    /// Opens a reader; one of the same name ends, and what it held is free before this returns.
    ///
    /// # Errors
    /// [`Reason::TooManyStreams`].
    pub(super) fn open_reader(self: &Arc<Self>, participant: &ParticipantId, reader: &str) -> Result<Lease, Reason> {
        let mut all = self.all.lock();
        let stream = all.next;
        all.next += 1;
        let mailbox = all.mailboxes.entry(participant.clone()).or_default();
        if let Some(old) = mailbox.readers.remove(reader) {
            old.end.end(Reason::StreamTakenOver);
            mailbox.release(old.stream);
        } else if mailbox.readers.len() >= self.max {
            return Err(Reason::TooManyStreams);
        }
        let end = Arc::new(End::default());
        mailbox.readers.insert(reader.to_owned(), Reader { stream, end: end.clone() });
        let released = mailbox.released.subscribe();
        let ending = Ending { leases: self.clone(), participant: participant.clone(), stream, end };
        Ok(Lease { ending, reader: reader.to_owned(), released })
    }

    /// Items are acknowledged: nobody holds them any longer.
    pub(super) fn settle(&self, participant: &ParticipantId, items: &[ItemNumber]) {
        let mut all = self.all.lock();
        let Some(mailbox) = all.mailboxes.get_mut(participant) else { return };
        for item in items {
            mailbox.leased.remove(item);
        }
        // Another reader may have passed over a correction of what is settled now.
        if mailbox.readers.len() > 1 {
            mailbox.released.send_modify(|count| *count += 1);
        }
    }

    /// `from` is retired: its streams end, and those of its successor look again at what is in the mailbox, from the oldest item on.
    pub(super) fn pass(&self, from: &ParticipantId, to: &ParticipantId) {
        let mut all = self.all.lock();
        if let Some(mailbox) = all.mailboxes.get_mut(from) {
            mailbox.readers.values().for_each(|reader| reader.end.end(Reason::ParticipantRetired));
            mailbox.feeds.values().for_each(|end| end.end(Reason::ParticipantRetired));
            mailbox.leased.clear();
        }
        if let Some(mailbox) = all.mailboxes.get_mut(to) {
            mailbox.released.send_modify(|count| *count += 1);
        }
    }

    /// Ends every stream and feed.
    pub(super) fn end_all(&self, reason: Reason) {
        for mailbox in self.all.lock().mailboxes.values() {
            mailbox.readers.values().for_each(|reader| reader.end.end(reason));
            mailbox.feeds.values().for_each(|end| end.end(reason));
        }
    }
}

impl Ending {
    /// Why the stream is over, if it is.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.end.reason.get().copied()
    }

    /// Returns when the stream is over.
    pub(super) async fn ended(&self) {
        self.end.token.cancelled().await;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(mailbox) = self.leases.all.lock().mailboxes.get_mut(&self.participant) {
            mailbox.feeds.remove(&self.stream);
        }
    }
}

impl Lease {
    /// How the stream may end.
    pub(super) const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The reader's name.
    pub(super) fn reader(&self) -> &str {
        &self.reader
    }

    /// How many items this stream holds.
    pub(super) fn held(&self) -> usize {
        let stream = self.ending.stream;
        self.with(|mailbox| mailbox.leased.values().filter(|holder| **holder == stream).count())
    }

    /// The highest item that this stream holds.
    pub(super) fn highest(&self) -> Option<ItemNumber> {
        let stream = self.ending.stream;
        self.with(|mailbox| mailbox.leased.iter().filter(|(_, holder)| **holder == stream).map(|(item, _)| *item).max())
    }

    /// Takes at most `max` of `items` that nobody holds, in their order. An item about one that another reader still holds waits for it.
    /// Returns them and the last item looked at.
    pub(super) fn take(&self, items: &[Item], max: usize) -> (Vec<Item>, Option<ItemNumber>) {
        let stream = self.ending.stream;
        self.with(|mailbox| {
            let mut taken = Vec::new();
            let mut last = None;
            for item in items {
                if taken.len() == max || self.ending.end.reason.get().is_some() {
                    break;
                }
                last = Some(item.item);
                let waits = item.replaces.and_then(|before| mailbox.leased.get(&before)).is_some_and(|holder| *holder != stream);
                if !waits && !mailbox.leased.contains_key(&item.item) {
                    mailbox.leased.insert(item.item, stream);
                    taken.push(item.clone());
                }
            }
            (taken, last)
        })
    }

    /// Lets go of one item.
    pub(super) fn let_go(&self, item: ItemNumber) {
        let stream = self.ending.stream;
        self.with(|mailbox| {
            if mailbox.leased.get(&item) == Some(&stream) {
                mailbox.leased.remove(&item);
            }
        });
    }

    /// Lets go of what is not in `open`.
    pub(super) fn keep_only(&self, open: &std::collections::HashSet<ItemNumber>) {
        let stream = self.ending.stream;
        self.with(|mailbox| mailbox.leased.retain(|item, holder| *holder != stream || open.contains(item)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Mailbox) -> T) -> T {
        act(self.ending.leases.all.lock().mailboxes.entry(self.ending.participant.clone()).or_default())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let stream = self.ending.stream;
        let reader = std::mem::take(&mut self.reader);
        self.with(|mailbox| {
            if mailbox.readers.get(&reader).is_some_and(|open| open.stream == stream) {
                mailbox.readers.remove(&reader);
                mailbox.release(stream);
            }
        });
    }
}
