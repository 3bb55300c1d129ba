//! The published log for auditors and mirrors: checkpoint and tiles. Leaves say nothing, so a reader is noted once a day and key, not once a tile:
//! a mirror that follows the log would else make it grow by following.

use std::collections::HashSet;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Gateway, Refusal};
use crate::audit::tiles::TileId;
use crate::domain::participant::{KeyHash, Role};
use crate::domain::time::Date;
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

/// The keys that read tiles on a day and are in the log for it; at most as many as the register enrols. After a restart a key may be noted again.
#[derive(Debug, Default)]
pub(super) struct TileReaders(Mutex<Option<(Date, HashSet<KeyHash>)>>);

impl TileReaders {
    fn is_noted(&self, key: &KeyHash, today: Date) -> bool {
        self.0.lock().as_ref().is_some_and(|(day, keys)| *day == today && keys.contains(key))
    }

    fn note(&self, key: KeyHash, today: Date) {
        let mut noted = self.0.lock();
        match noted.as_mut() {
            Some((day, keys)) if *day == today => _ = keys.insert(key),
            _ => *noted = Some((today, HashSet::from([key]))),
        }
    }
}

/// The call of reading tiles that is this role's, if it has one.
const fn verb_of(role: Role) -> Verb {
    match role {
        Role::Mirror => Verb::MirrorTiles,
        // The table refuses the call to every role but the auditor's.
        Role::Auditor | Role::Prosecution | Role::MunicipalUnit | Role::Laboratory => Verb::ReadTiles,
    }
}

impl Gateway {
    /// Asks the table, and notes the reader's first tile of the day; durable before the first byte.
    async fn read_tiles(&self, caller: &Caller) -> Result<Verb, Refusal> {
        let verb = verb_of(caller.participant.role);
        let permit = self.permit_or_refuse(caller, verb).await?;
        let today = self.now().oslo_date();
        if !self.tile_readers.is_noted(&caller.key, today) {
            match self.store.act(Command::Audit { permit, case_ref: None, participant: None }).await {
                Ok(_) => self.tile_readers.note(caller.key, today),
                Err(error) => return Err(self.failed(caller, verb, error, None).await),
            }
        }
        Ok(verb)
    }

    /// The newest checkpoint whose tiles are all to be had.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn published_checkpoint(&self, caller: &Caller) -> Result<Bytes, Refusal> {
        let verb = self.read_tiles(caller).await?;
        match self.store.published_checkpoint().await {
            Ok(checkpoint) => Ok(checkpoint),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }

    /// A published tile or bundle.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`] when the log has no such tile, not in the log as a follower asks for what is to come; not the caller's call, or
    /// the store's refusal.
    pub async fn tile(&self, caller: &Caller, tile: TileId) -> Result<Bytes, Refusal> {
        let verb = self.read_tiles(caller).await?;
        match self.read(caller.id(), move |store| async move { store.tile(tile).await }).await {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(Refusal(Reason::EntryUnknown.into())),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }
}
