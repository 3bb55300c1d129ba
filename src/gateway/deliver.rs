//! Handing out: items in the order of acceptance, each durable as handed out before its bytes leave, at least once until acknowledged.
//!
//! One that cannot be read is not handed out and holds up no other: it stays in the mailbox, and the stream says so once it has nothing else left.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::leases::Lease;
use super::{Gateway, Refusal};
use crate::audit::event::{ItemNumber, WithdrawalCode};
use crate::domain::limits::READER_ID_CHARS_MAX;
use crate::domain::participant::Contact;
use crate::domain::sensitive::Content;
use crate::policy::case::ItemBody;
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{Item, StoreError};

/// Items looked at in one question to the store.
const PAGE: usize = 256;

/// How a reader reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// The reader's own name.
    pub reader: String,
    /// End after so many items.
    pub max_items: Option<u64>,
    /// End when nothing is left to hand out.
    pub until_empty: bool,
}

/// An item on its way to its recipient.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What the store knows of it.
    pub item: Item,
    /// The sender's name in the register.
    pub sender_name: String,
    /// The sender's contact that the notice names, as it stands in the register; for a notice only.
    pub contact: Option<Contact>,
    /// Canonical content; none for a withdrawal.
    pub content: Option<Content>,
}

/// An open reader: items, one at a time.
pub struct Deliveries {
    gateway: Arc<Gateway>,
    caller: Caller,
    verb: Verb,
    options: ReceiveOptions,
    lease: Lease,
    after: Option<ItemNumber>,
    sent: u64,
    ready: VecDeque<Item>,
    /// Why an item stays in the mailbox: the first that this stream could not read.
    unread: Option<StoreError>,
    durable: watch::Receiver<u64>,
}

/// What a look into the mailbox led to.
enum Look {
    /// Items are ready.
    Ready,
    /// The reader is to acknowledge first.
    Full,
    /// Nothing is left but what cannot be read, if there is any.
    Empty,
}

impl std::fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliveries").field("options", &self.options).field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// Whether `text` is `^[A-Za-z0-9._-]{1,64}$`.
fn is_reader_id(text: &str) -> bool {
    (1..=READER_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl Gateway {
    /// Opens a reader; an open one of the same name ends and loses its leases at once.
    ///
    /// # Errors
    /// Not the caller's call, a bad name, or too many readers.
    pub async fn receive(self: &Arc<Self>, caller: &Caller, verb: Verb, options: ReceiveOptions) -> Result<Deliveries, Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        if !is_reader_id(&options.reader) {
            return Err(self.refuse(caller, verb, Reason::BadArgument.into(), None).await);
        }
        let lease = match self.leases.open_reader(caller.id(), &options.reader) {
            Ok(lease) => lease,
            Err(reason) => return Err(self.refuse(caller, verb, reason.into(), None).await),
        };
        Ok(Deliveries {
            gateway: self.clone(),
            caller: caller.clone(),
            verb,
            options,
            lease,
            after: None,
            sent: 0,
            ready: VecDeque::new(),
            unread: None,
            durable: self.store.durable(),
        })
    }

    /// Settles items of the caller's mailbox; all or none.
    ///
    /// # Errors
    /// Not the caller's call, [`Reason::ItemUnknown`], or the store's refusal.
    pub async fn acknowledge(&self, caller: &Caller, verb: Verb, items: Vec<ItemNumber>) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, verb).await?;
        match self.store.act(Command::Acknowledge { permit, items: items.clone() }).await {
            Ok(_) => {
                self.leases.settle(caller.id(), &items);
                Ok(())
            }
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }

    /// A unit gives a notice back.
    ///
    /// # Errors
    /// Not the caller's call, an item that is no standing notice of this unit, or the store's refusal.
    pub async fn give_back(&self, caller: &Caller, item: ItemNumber, reason: WithdrawalCode) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::Return).await?;
        match self.store.act(Command::Return { permit, item, reason }).await {
            Ok(_) => {
                self.leases.settle(caller.id(), &[item]);
                Ok(())
            }
            Err(error) => Err(self.failed(caller, Verb::Return, error, None).await),
        }
    }
}

impl Deliveries {
    /// The next item; none when the stream is at its end.
    ///
    /// # Errors
    /// The stream was taken over, the caller's key is no longer enrolled, or the store's refusal; [`Reason::DataDamaged`] when all that is left cannot
    /// be read. The stream is over then.
    pub async fn next(&mut self) -> Result<Option<Delivery>, Refusal> {
        loop {
            if let Some(reason) = self.lease.ending().reason() {
                return Err(Refusal(reason.into()));
            }
            if self.options.max_items.is_some_and(|max| self.sent >= max) {
                return Ok(None);
            }
            if let Some(item) = self.ready.pop_front() {
                match self.load(item).await? {
                    Some(delivery) => {
                        self.sent += 1;
                        return Ok(Some(delivery));
                    }
                    None => continue,
                }
            }
            // Marked as seen before the question, so that no change falls between question and wait.
            self.durable.mark_unchanged();
            if self.lease.released.has_changed().unwrap_or(false) {
                self.lease.released.mark_unchanged();
                self.after = None;
            }
            match self.hand_out().await? {
                Look::Ready => continue,
                Look::Full => {}
                Look::Empty => {
                    if let Some(error) = self.unread.take() {
                        return Err(self.gateway.failed(&self.caller, self.verb, error, None).await);
                    }
                }
            }
            if self.options.until_empty {
                return Ok(None);
            }
            self.wait().await?;
        }
    }

    async fn wait(&mut self) -> Result<(), Refusal> {
        let Lease { released, .. } = &mut self.lease;
        // Not consumed here: `next` asks again whether it changed.
        let mut released = released.clone();
        tokio::select! {
            () = self.lease.ending().ended() => Ok(()),
            _ = released.changed() => Ok(()),
            changed = self.durable.changed() => changed.map_err(|_| Refusal(Reason::Unavailable.into())),
        }
    }

    /// Takes free items that can be read and makes their hand-out durable.
    async fn hand_out(&mut self) -> Result<Look, Refusal> {
        loop {
            let permit = self.gateway.permit_or_refuse(&self.caller, self.verb).await?;
            let room = self.room().await?;
            if room == 0 {
                return Ok(Look::Full);
            }
            let taken = self.take(room).await?;
            if taken.is_empty() {
                return Ok(Look::Empty);
            }
            let taken = self.readable(taken).await?;
            if taken.is_empty() {
                continue;
            }
            let items = taken.iter().map(|item| item.item).collect();
            let command = Command::HandOut { permit, reader: self.lease.reader().to_owned(), items };
            if let Err(error) = self.gateway.store.act(command).await {
                return Err(self.gateway.failed(&self.caller, self.verb, error, None).await);
            }
            self.ready = taken.into();
            return Ok(Look::Ready);
        }
    }

    /// Those of `items` that can be read. Before they count as handed out: of the others nothing has reached anybody, so that their sender may take
    /// them back without a word to the recipient, and send anew.
    async fn readable(&mut self, items: Vec<Item>) -> Result<Vec<Item>, Refusal> {
        let with_content: Vec<ItemNumber> = items.iter().filter(|item| item.body == ItemBody::Content).map(|item| item.item).collect();
        let mut unread: HashMap<_, _> = self.gateway.store.unreadable_contents(&with_content).await.into_iter().collect();
        let mut sound = Vec::with_capacity(items.len());
        for item in items {
            match unread.remove(&item.item) {
                None => sound.push(item),
                Some(error) => self.leave(item.item, error).await?,
            }
        }
        Ok(sound)
    }

    /// Leaves an item that cannot be read where it is, for whoever mends it or takes it back.
    ///
    /// # Errors
    /// The store's refusal, when it is another than damage.
    async fn leave(&mut self, item: ItemNumber, error: StoreError) -> Result<(), Refusal> {
        if !matches!(error, StoreError::Damaged { .. }) {
            return Err(self.gateway.failed(&self.caller, self.verb, error, None).await);
        }
        self.lease.let_go(item);
        self.unread.get_or_insert(error);
        Ok(())
    }

    /// How many items may be handed out now.
    async fn room(&self) -> Result<usize, Refusal> {
        let settings = self.gateway.settings();
        let wanted = self.options.max_items.map_or(usize::MAX, |max| usize::try_from(max - self.sent).unwrap_or(usize::MAX));
        let most = settings.hand_out_batch_max.min(wanted);
        let room = settings.unacknowledged_per_stream_max.saturating_sub(self.lease.held());
        if room > 0 {
            return Ok(room.min(most));
        }
        // Some may have been withdrawn or ended instead of acknowledged.
        let highest = self.lease.highest();
        let mut open = HashSet::new();
        let mut after = None;
        loop {
            let page = self.waiting(after).await?;
            open.extend(page.iter().map(|item| item.item));
            after = page.last().map(|item| item.item);
            if page.len() < PAGE || after >= highest {
                break;
            }
        }
        self.lease.keep_only(&open);
        Ok(settings.unacknowledged_per_stream_max.saturating_sub(self.lease.held()).min(most))
    }

    async fn take(&mut self, room: usize) -> Result<Vec<Item>, Refusal> {
        loop {
            let page = self.waiting(self.after).await?;
            let (taken, last) = self.lease.take(&page, room);
            self.after = last.or(self.after);
            if !taken.is_empty() || page.len() < PAGE || last.is_none() {
                return Ok(taken);
            }
        }
    }

    async fn waiting(&self, after: Option<ItemNumber>) -> Result<Vec<Item>, Refusal> {
        match self.gateway.store.waiting(self.caller.id(), after, PAGE).await {
            Ok(page) => Ok(page),
            Err(error) => Err(self.gateway.failed(&self.caller, self.verb, error, None).await),
        }
    }

    /// The content of an item that was handed out; none when it was settled meanwhile, or broke.
    async fn load(&mut self, item: Item) -> Result<Option<Delivery>, Refusal> {
        let content = match item.body {
            ItemBody::Withdrawal { .. } => None,
            ItemBody::Content => match self.gateway.store.content(item.item).await {
                Ok(Some(content)) => Some(content),
                Ok(None) => {
                    self.lease.let_go(item.item);
                    return Ok(None);
                }
                Err(error) => {
                    self.leave(item.item, error).await?;
                    return Ok(None);
                }
            },
        };
        let register = self.gateway.store.register();
        let sender = register.get(&item.sender);
        let contact = match (self.verb, item.body) {
            // A retired prosecution's phone rings at its successor's, where that one has a contact of the same key.
            (Verb::MunicipalReceive, ItemBody::Content) => {
                let heir = register.heir_of(&item.sender).and_then(|heir| register.get(heir));
                let mut named = [heir, sender].into_iter().flatten().flat_map(|entry| &entry.contacts);
                named.find(|contact| contact.key == item.contact_key).cloned()
            }
            _ => None,
        };
        let sender_name = sender.map_or_else(|| item.sender.to_string(), |sender| sender.name.clone());
        Ok(Some(Delivery { item, sender_name, contact, content }))
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
