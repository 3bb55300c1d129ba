//! What a running gateway knows of the files in force, beside what stands on disk: CURRENT, the wrapped keys of all that the base names, and the base
//! without its state. A turn takes these from here, so that CURRENT, a key or the base's state that is changed or removed under the running gateway
//! keeps nothing that was acknowledged on disk: the first two are written again, and a new base is made with the state that is in memory.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::base::Base;
use super::engine::Engine;
use super::error::OpenError;
use super::keys::Keys;
use super::layout::{Current, Layout, content_name, key_name, state_name, write_checked};
use super::queue::Rolled;
use super::replay::{Replayed, replay_with};

/// See the head of this file. Only turns change it.
pub struct InForce {
    current: Current,
    /// By the names of the files. What is destroyed is taken out before, so that no destroyed key is ever written again.
    keys: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// Its snapshot is that of an empty state.
    base: Option<Base>,
}

impl InForce {
    /// With `records` as the files of records in force.
    pub fn new(keys: &Keys, current: Current, records: &[String], base: Option<Base>) -> Self {
        let mut known = BTreeMap::new();
        let of_base = current.base.into_iter().flat_map(|number| [content_name(number), state_name(number)]);
        for name in of_base.chain(records.iter().cloned()) {
            if let Ok(wrapped) = keys.wrapped(&name) {
                known.insert(name, wrapped);
            }
        }
        Self { current, keys: known, base }
    }

    /// CURRENT.
    pub const fn current(&self) -> &Current {
        &self.current
    }

    /// Writes again what does not stand on disk as it was.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn mend(&self, (layout, keys): (&Layout, &Keys)) -> Result<(), OpenError> {
        for (name, wrapped) in &self.keys {
            match keys.wrapped(name) {
                Ok(found) if found == *wrapped => {}
                Ok(_) | Err(OpenError::Damaged(_)) => {
                    keys.write_again(name, wrapped)?;
                    tracing::error!(
                        key = key_name(name),
                        "a key of the store was gone or changed under the running gateway, and was written again"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        match Current::of(layout) {
            Ok(found) if found == self.current => Ok(()),
            Ok(_) | Err(OpenError::Damaged(_)) => {
                write_checked(layout.disk(), &layout.path("CURRENT"), &self.current)?;
                tracing::error!("CURRENT was gone or changed under the running gateway, and was written again");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Replays base and journals. Where the base's state cannot be read, which is the one thing that `failed` may be about, the state in memory takes its
/// place: the turn that meets that fails, and asks that the state be taken when the journal is closed for the next.
pub fn without_the_state(
    engine: &Engine,
    current: &Current,
    files: &[u64],
    rolled: Rolled,
    failed: OpenError,
) -> Result<Replayed, OpenError> {
    let (Some(number), OpenError::Damaged(damage)) = (current.base, &failed) else { return Err(failed) };
    if damage.file != state_name(number) {
        return Err(failed);
    }
    let taken = engine.taken_state.lock().take();
    let known = engine.in_force.lock().base.clone();
    let (Some((size, snapshot)), Some(base)) = (taken, known) else {
        engine.takes_state.store(true, std::sync::atomic::Ordering::SeqCst);
        return Err(failed);
    };
    if size != rolled.size {
        return Err(failed);
    }
    tracing::error!(error = %failed, "the state of the base cannot be read; the new base is made with the state in memory");
    replay_with((&engine.layout, &engine.keys), *engine.subject_key, current, files, Base { snapshot, ..base })
}
