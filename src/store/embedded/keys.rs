//! One random key per sealed file, wrapped by the storage key. Whoever destroys the key has destroyed the file.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::disk::{Open, write_file};
use super::error::{IoContext as _, OpenError};
use super::layout::{Layout, key_name, remove_file, sync_dir};
use crate::clock::Entropy;
use crate::store::sealer::{Sealer, WRAPPED_LEN, unwrap, wrap};

/// Makes, reads and destroys the keys of sealed files.
#[derive(Clone)]
pub struct Keys {
    layout: Layout,
    storage_key: Arc<Zeroizing<[u8; 32]>>,
}

impl Keys {
    /// The keys of a store.
    #[must_use]
    pub fn new(layout: Layout, storage_key: Zeroizing<[u8; 32]>) -> Self {
        Self { layout, storage_key: Arc::new(storage_key) }
    }

    /// Wraps a secret of the store itself, like the subject key in FORMAT.
    #[must_use]
    pub fn wrap_secret(&self, name: &str, secret: &[u8; 32], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0_u8; 12];
        entropy.fill(&mut nonce);
        wrap(&self.storage_key, name, nonce, secret).to_vec()
    }

    /// Opens what [`wrap_secret`](Self::wrap_secret) wrapped.
    pub fn unwrap_secret(&self, name: &str, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        unwrap(&self.storage_key, name, wrapped).map_err(|_| OpenError::StorageKey { file: name.to_owned() })
    }

    /// A new key for `file`, durable before this returns. An older key of that name is destroyed first, so its file can never be opened again.
    pub fn create(&self, file: &str, entropy: &dyn Entropy) -> Result<Sealer, OpenError> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        entropy.fill(&mut secret[..]);
        let wrapped = self.wrap_secret(file, &secret, entropy);
        let path = self.layout.path(&key_name(file));
        let disk = self.layout.disk();
        self.blank(&path)?;
        write_file(disk, &path, &wrapped).at("cannot write", &path)?.sync_data().at("cannot make durable", &path)?;
        sync_dir(disk, &self.layout.path("keys"))?;
        Ok(Sealer::new(&secret, file))
    }

    /// The sealer of an existing file.
    pub fn open(&self, file: &str) -> Result<Sealer, OpenError> {
        Ok(Sealer::new(&*self.secret(file)?, file))
    }

    /// The key itself, for what is derived from it.
    pub fn secret(&self, file: &str) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        self.unwrap_key(file, &self.layout.read(&key_name(file))?)
    }

    fn unwrap_key(&self, file: &str, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        let name = key_name(file);
        if wrapped.len() != WRAPPED_LEN {
            return Err(OpenError::damage(&name, wrapped.len().min(WRAPPED_LEN) as u64, "a key file has another length"));
        }
        unwrap(&self.storage_key, file, wrapped).map_err(|_| OpenError::damage(&name, 0, "the key does not open with the storage key"))
    }

    /// The key of an existing file as it stands on disk, when it opens.
    pub fn wrapped(&self, file: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let wrapped = Zeroizing::new(self.layout.read(&key_name(file))?);
        self.unwrap_key(file, &wrapped)?;
        Ok(wrapped)
    }

    /// Writes the key of an existing file again, in its place: no second copy of it is left anywhere.
    pub fn write_again(&self, file: &str, wrapped: &[u8]) -> Result<(), OpenError> {
        let path = self.layout.path(&key_name(file));
        let disk = self.layout.disk();
        write_file(disk, &path, wrapped).at("cannot write", &path)?.sync_data().at("cannot make durable", &path)?;
        sync_dir(disk, &self.layout.path("keys"))
    }

    /// Names of the keys of these files that are not there or open nothing.
    #[must_use]
    pub fn unusable(&self, files: &[String]) -> Vec<String> {
        files.iter().filter(|file| matches!(self.secret(file), Err(OpenError::Damaged(_)))).map(|file| key_name(file)).collect()
    }

    /// Overwrites a key in its place. False when there is none.
    fn blank(&self, key: &Path) -> Result<bool, OpenError> {
        match self.layout.disk().open(key, Open::Write) {
            Ok(handle) => {
                handle.write_all_at(&[0; WRAPPED_LEN], 0).at("cannot overwrite the key", key)?;
                handle.sync_data().at("cannot make durable", key)?;
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(OpenError::Io { what: "cannot open the key", path: key.to_owned(), source }),
        }
    }

    /// Destroys the key and then the file: after the first sync nothing in the file can be read again. Doing it again is fine.
    pub fn destroy(&self, file: &str) -> Result<(), OpenError> {
        let key = self.layout.path(&key_name(file));
        let disk = self.layout.disk();
        if self.blank(&key)? {
            remove_file(disk, &key)?;
        }
        // A crash here leaves a file without a key, which the next start sweeps away.
        let path = self.layout.path(file);
        remove_file(disk, &path)?;
        sync_dir(disk, &self.layout.path("keys"))?;
        path.parent().filter(|folder| disk.is_dir(folder)).map_or(Ok(()), |folder| sync_dir(disk, folder))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(secret)")
    }
}
