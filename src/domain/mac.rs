//! HMAC-SHA256 (RFC 2104) of short texts under keys of 32 bytes: two hashes, each one call of the library.
//!
//! The library's own HMAC keeps contexts of a kilobyte, which it copies and wipes for each of the many small texts of a commit; that cost three
//! times what the hashing does (benches/README.md). Here too the copy of the key is wiped, and with it the first block of the text: a person's number is
//! shorter than that.

use aws_lc_rs::digest;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;
/// Bytes of a hash.
const HASH: usize = 32;
/// Key and text up to this many bytes are put together without an allocation.
const SHORT: usize = 1024;

fn sha256(input: &[u8]) -> [u8; HASH] {
    let mut out = [0; HASH];
    out.copy_from_slice(digest::digest(&digest::SHA256, input).as_ref());
    out
}

/// HMAC-SHA256 of `first` and `second`, one after the other, under `key`.
#[must_use]
pub fn hmac_sha256(key: &[u8; 32], first: &[u8], second: &[u8]) -> [u8; HASH] {
    let len = BLOCK + first.len() + second.len();
    let inner = if len <= SHORT { inner(key, first, second, &mut [0; SHORT][..len]) } else { inner(key, first, second, &mut vec![0; len]) };
    outer(key, &inner)
}

/// The same of what may hold a message's content, `text`: every byte of its copy is wiped. Of the library's own HMAC a context that was moved stays
/// on the stack, and with it the last block of the text.
#[must_use]
pub fn hmac_sha256_of_content(key: &[u8; 32], text: &[u8]) -> [u8; HASH] {
    let mut buffer = Zeroizing::new(vec![0; BLOCK + text.len()]);
    outer(key, &inner(key, text, &[], &mut buffer))
}

fn outer(key: &[u8; 32], inner: &[u8; HASH]) -> [u8; HASH] {
    let mut outer = [0x5c; BLOCK + HASH];
    outer.iter_mut().zip(key).for_each(|(pad, byte)| *pad ^= byte);
    outer[BLOCK..].copy_from_slice(inner);
    let mac = sha256(&outer);
    outer[..key.len()].zeroize();
    mac
}

fn inner(key: &[u8; 32], first: &[u8], second: &[u8], buffer: &mut [u8]) -> [u8; HASH] {
    let (pad, text) = buffer.split_at_mut(BLOCK);
    pad.fill(0x36);
    pad.iter_mut().zip(key).for_each(|(pad, byte)| *pad ^= byte);
    text[..first.len()].copy_from_slice(first);
    text[first.len()..].copy_from_slice(second);
    let inner = sha256(buffer);
    let secret = buffer.len().min(2 * BLOCK);
    buffer[..secret].zeroize();
    inner
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use proptest::prelude::*;

    use super::*;

    fn by_the_library(key: &[u8; 32], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
    }

    #[test]
    fn every_length_is_what_the_library_makes() {
        let text: Vec<u8> = (0..3000_u32).map(|n| n as u8).collect();
        let lengths = (0..300).chain(SHORT - BLOCK - 3..SHORT - BLOCK + 3).chain([2000, 3000]);
        for len in lengths {
            for split in [0, len / 3, len] {
                let mac = hmac_sha256(&[0x5a; 32], &text[..split], &text[split..len]);
                assert_eq!(mac[..], by_the_library(&[0x5a; 32], &text[..len]), "{len} bytes in {split} and the rest");
                assert_eq!(mac, hmac_sha256_of_content(&[0x5a; 32], &text[..len]));
            }
        }
    }

    proptest! {
        #[test]
        fn every_key_counts(key in any::<[u8; 32]>(), text: Vec<u8>) {
            prop_assert_eq!(&hmac_sha256(&key, &text, &[])[..], &by_the_library(&key, &text)[..]);
        }
    }
}
