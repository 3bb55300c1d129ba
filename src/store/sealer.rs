//! Sealing of everything that is personal before it touches disk: AES-256-GCM, one random key per file.
//!
//! A nonce is (sequence, part); the owner of a file never uses a pair twice under its key, but for writing the very same bytes again. What is
//! authenticated besides: the file's name and the place in it, so that no sealed piece can be moved or exchanged.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;

/// A sealed piece does not open: it was changed, moved, or sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open: they were changed or moved, or the key is another one")]
pub struct Unsealable;

/// Where a sealed piece stands. `sequence` and `part` make the nonce, `position` is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Never used twice with one part.
    pub sequence: u64,
    /// Which piece of the sequence.
    pub part: u32,
    /// Offset or slot in the file.
    pub position: u64,
}

impl Place {
    fn nonce(self) -> Nonce {
        let mut bytes = [0_u8; 12];
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..].copy_from_slice(&self.part.to_be_bytes());
        Nonce::assume_unique_for_key(bytes)
    }
}

/// Seals and opens the pieces of one file.
pub struct Sealer {
    key: LessSafeKey,
    name: String,
}

impl Sealer {
    /// For the file of this name, with its key.
    #[must_use]
    pub fn new(key: &[u8; 32], name: &str) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes");
        Self { key: LessSafeKey::new(key), name: name.to_owned() }
    }

    fn aad(&self, place: Place, header: &[u8]) -> Aad<Vec<u8>> {
        let mut aad = Vec::with_capacity(self.name.len() + 9 + header.len());
        aad.extend_from_slice(self.name.as_bytes());
        aad.push(0);
        aad.extend_from_slice(&place.position.to_be_bytes());
        aad.extend_from_slice(header);
        Aad::from(aad)
    }

    /// Seals what stands in `buffer` from `start` on, in place, and appends the tag. `header` is authenticated too.
    pub fn seal_tail(&self, place: Place, header: &[u8], buffer: &mut Vec<u8>, start: usize) {
        let tag = self
            .key
            .seal_in_place_separate_tag(place.nonce(), self.aad(place, header), &mut buffer[start..])
            .expect("a piece is far shorter than the 64 GiB that AES-GCM can seal");
        buffer.extend_from_slice(tag.as_ref());
    }

    /// Seals `plain` and appends it to `out`, tag last.
    pub fn seal_into(&self, place: Place, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(plain.len() + TAG_LEN);
        out.extend_from_slice(plain);
        self.seal_tail(place, &[], out, start);
    }

    /// Opens a sealed piece.
    ///
    /// # Errors
    /// [`Unsealable`] if a single bit of it, its place, its header or its key is not the one it was sealed with.
    pub fn open(&self, place: Place, header: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let plain = self.key.open_in_place(place.nonce(), self.aad(place, header), &mut buffer).map_err(|_| Unsealable)?.len();
        buffer.truncate(plain);
        Ok(buffer)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.name)
    }
}

/// A random key wrapped by another: `nonce (12) ‖ sealed key (32) ‖ tag (16)`.
pub const WRAPPED_LEN: usize = 12 + 32 + TAG_LEN;

/// Wraps `secret` with `key` under a random nonce; `name` is authenticated.
#[must_use]
pub fn wrap(key: &[u8; 32], name: &str, nonce: [u8; 12], secret: &[u8; 32]) -> [u8; WRAPPED_LEN] {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes"));
    let mut out = [0_u8; WRAPPED_LEN];
    out[..12].copy_from_slice(&nonce);
    out[12..44].copy_from_slice(secret);
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name.as_bytes()), &mut out[12..44])
        .expect("32 bytes can be sealed");
    out[44..].copy_from_slice(tag.as_ref());
    out
}

/// The secret that [`wrap`] wrapped.
///
/// # Errors
/// [`Unsealable`] for another key, another name or changed bytes.
pub fn unwrap(key: &[u8; 32], name: &str, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unsealable> {
    let wrapped: [u8; WRAPPED_LEN] = wrapped.try_into().map_err(|_| Unsealable)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes"));
    let (nonce, sealed) = wrapped.split_first_chunk::<12>().ok_or(Unsealable)?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let plain = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut sealed).map_err(|_| Unsealable)?;
    let mut secret = Zeroizing::new([0_u8; 32]);
    secret.copy_from_slice(plain);
    plain.zeroize();
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { sequence: 7, part: 1, position: 4096 };

    #[test]
    fn what_is_sealed_opens_only_where_it_was_sealed() {
        let sealer = Sealer::new(&[3; 32], "journal/1.j");
        let mut out = vec![9];
        sealer.seal_into(PLACE, b"content", &mut out);
        assert_eq!(out.len(), 1 + 7 + TAG_LEN);
        assert!(!out.windows(7).any(|w| w == b"content"));
        assert_eq!(&sealer.open(PLACE, &[], &out[1..]).unwrap()[..], b"content");
        for other in [Place { sequence: 8, ..PLACE }, Place { part: 0, ..PLACE }, Place { position: 0, ..PLACE }] {
            assert_eq!(sealer.open(other, &[], &out[1..]).err(), Some(Unsealable));
        }
        assert!(Sealer::new(&[3; 32], "journal/2.j").open(PLACE, &[], &out[1..]).is_err());
        assert!(Sealer::new(&[4; 32], "journal/1.j").open(PLACE, &[], &out[1..]).is_err());
        assert!(sealer.open(PLACE, b"header", &out[1..]).is_err());
        for at in 1..out.len() {
            let mut bad = out.clone();
            bad[at] ^= 1;
            assert!(sealer.open(PLACE, &[], &bad[1..]).is_err(), "byte {at}");
        }
        assert!(sealer.open(PLACE, &[], &[]).is_err());
    }

    #[test]
    fn a_wrapped_key_needs_its_key_and_its_name() {
        let wrapped = wrap(&[1; 32], "a", [5; 12], &[2; 32]);
        assert_eq!(*unwrap(&[1; 32], "a", &wrapped).unwrap(), [2; 32]);
        assert!(unwrap(&[9; 32], "a", &wrapped).is_err());
        assert!(unwrap(&[1; 32], "b", &wrapped).is_err());
        assert!(unwrap(&[1; 32], "a", &wrapped[1..]).is_err());
    }
}
