//! Entry bundles of tlog-tiles: up to 256 entries, each a big-endian 16-bit length and the data.

use super::tiles::TILE_WIDTH;

/// The longest entry that a bundle can hold, in bytes.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// What is wrong with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// No entry, or more than 256.
    #[error("an entry bundle holds 1 to {TILE_WIDTH} entries")]
    Count,
    /// An entry is longer than its length field can say.
    #[error("an entry is at most {ENTRY_BYTES_MAX} bytes")]
    EntryTooLong,
    /// The bytes end inside an entry, or before the last one.
    #[error("the entry bundle ends too early: it is damaged, or a partial one stands in a full one's place")]
    Truncated,
    /// Bytes follow the last entry.
    #[error("bytes follow the last entry of the bundle: it is damaged, or has another width than its name says")]
    Trailing,
}

/// Appends one entry to a bundle that is being written.
///
/// # Errors
/// [`BundleError::EntryTooLong`] beyond [`ENTRY_BYTES_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, data: &[u8]) -> Result<(), BundleError> {
    let len = u16::try_from(data.len()).map_err(|_| BundleError::EntryTooLong)?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(data);
    Ok(())
}

/// The bundle of 1 to 256 entries.
///
/// # Errors
/// [`BundleError::Count`] or [`BundleError::EntryTooLong`].
pub fn encode<T: AsRef<[u8]>>(entries: impl IntoIterator<Item = T>) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    let mut count = 0_u16;
    for entry in entries {
        count += 1;
        if count > TILE_WIDTH {
            return Err(BundleError::Count);
        }
        push_entry(&mut bundle, entry.as_ref())?;
    }
    if count == 0 { Err(BundleError::Count) } else { Ok(bundle) }
}

/// The entries of a bundle that holds exactly `width` of them and nothing else.
///
/// # Errors
/// A [`BundleError`] that says what does not fit.
pub fn decode(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    if width == 0 || width > TILE_WIDTH {
        return Err(BundleError::Count);
    }
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bundle;
    for _ in 0..width {
        let (len, after) = rest.split_first_chunk::<2>().ok_or(BundleError::Truncated)?;
        let (data, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(BundleError::Truncated)?;
        entries.push(data);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bundle_holds_lengths_and_data() {
        let bundle = encode([&b"ab"[..], b"", b"c"]).unwrap();
        assert_eq!(bundle, b"\x00\x02ab\x00\x00\x00\x01c");
        assert_eq!(decode(&bundle, 3).unwrap(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(decode(&bundle, 2), Err(BundleError::Trailing));
        assert_eq!(decode(&bundle, 4), Err(BundleError::Truncated));
        assert_eq!(decode(&bundle[..bundle.len() - 1], 3), Err(BundleError::Truncated));
        assert_eq!(decode(&bundle, 0), Err(BundleError::Count));
        assert_eq!(decode(&bundle, 257), Err(BundleError::Count));
        assert_eq!(encode::<&[u8]>([]), Err(BundleError::Count));
        assert_eq!(encode(vec![b"x"; 257]), Err(BundleError::Count));
        assert_eq!(encode([vec![0_u8; 65_536]]), Err(BundleError::EntryTooLong));
        assert!(encode(vec![vec![0_u8; 65_535]; 256]).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_decodes_is_what_is_encoded(bytes in proptest::collection::vec(0_u8..4, 0..64), width in 0_u16..300) {
            if let Ok(entries) = decode(&bytes, width) {
                prop_assert_eq!(encode(entries).unwrap(), bytes);
            }
        }
    }
}
