//! The few bytes of POSIX ustar that an evidence bundle needs: plain files, one owner, no times. Equal content gives equal archives.
//!
//! A header is accepted only in the very bytes that [`header`] writes, so a name with `..`, an absolute one, a link or a device never gets further
//! than its refusal.

/// Headers and padding go by blocks of this many bytes.
pub const BLOCK: usize = 512;
/// The largest file: eleven octal digits.
pub const FILE_BYTES_MAX: u64 = 0o777_7777_7777;
/// An archive ends with this many bytes of zero.
pub const END_BYTES: usize = 2 * BLOCK;

const NAME_MAX: usize = 100;

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// Neither a header nor the end.
    #[error("this is no tar archive: a header has no 'ustar' mark")]
    NotTar,
    /// The check sum.
    #[error("a header of the archive is damaged: its check sum does not fit")]
    Checksum,
    /// A name that leads elsewhere.
    #[error("the archive holds a name that leads out of it: absolute, with '..', or with a character no name here has")]
    Path,
    /// A link, folder or device.
    #[error("the archive holds a link, a folder or a device; a bundle holds plain files only")]
    Kind,
    /// A size that is none.
    #[error("a size in the archive is no number in octal digits")]
    Size,
    /// Right in meaning, not in its bytes.
    #[error("a header of the archive is not written as a bundle's headers are: owner, times and modes are all zero or fixed")]
    Canonical,
}

/// The header of a plain file.
///
/// # Errors
/// [`TarError::Path`] for a name that a bundle cannot hold, [`TarError::Size`] beyond [`FILE_BYTES_MAX`].
pub fn header(name: &str, size: u64) -> Result<[u8; BLOCK], TarError> {
    if !is_plain(name.as_bytes()) {
        return Err(TarError::Path);
    }
    if size > FILE_BYTES_MAX {
        return Err(TarError::Size);
    }
    let mut block = [0_u8; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[329..337].copy_from_slice(b"0000000\0");
    block[337..345].copy_from_slice(b"0000000\0");
    let sum = checksum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// The name and size in a header; none for a block of zeros, the end.
///
/// # Errors
/// A [`TarError`] that says what does not fit.
pub fn read_header(block: &[u8; BLOCK]) -> Result<Option<(String, u64)>, TarError> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if block[257..262] != *b"ustar" {
        return Err(TarError::NotTar);
    }
    if block[148..156] != *format!("{:06o}\0 ", checksum(block)).as_bytes() {
        return Err(TarError::Checksum);
    }
    // GNU's sign for a long name in the next block is a kind of its own.
    if !matches!(block[156], b'0') {
        return Err(TarError::Kind);
    }
    let end = block[..NAME_MAX].iter().position(|byte| *byte == 0).unwrap_or(NAME_MAX);
    let name = std::str::from_utf8(&block[..end]).ok().filter(|name| is_plain(name.as_bytes())).ok_or(TarError::Path)?;
    let digits = std::str::from_utf8(&block[124..135]).map_err(|_| TarError::Size)?;
    if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return Err(TarError::Size);
    }
    let size = u64::from_str_radix(digits, 8).map_err(|_| TarError::Size)?;
    if header(name, size)? == *block { Ok(Some((name.to_owned(), size))) } else { Err(TarError::Canonical) }
}

/// Zeros after a file of `size` bytes.
#[must_use]
pub const fn padding(size: u64) -> usize {
    let over = (size % BLOCK as u64) as usize;
    if over == 0 { 0 } else { BLOCK - over }
}

/// Letters, digits, dots and hyphens, no folder, not starting with a dot.
fn is_plain(name: &[u8]) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name[0] != b'.'
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && !name.windows(2).any(|pair| pair == b"..")
}

/// The sum of all bytes, those of the sum itself taken as blanks.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with something else in it and a sum that fits.
    fn changed(change: impl FnOnce(&mut [u8; BLOCK])) -> [u8; BLOCK] {
        let mut block = header("records.csv", 1234).unwrap();
        change(&mut block);
        let sum = checksum(&block);
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn named(name: &[u8]) -> [u8; BLOCK] {
        changed(|block| {
            block[..100].fill(0);
            block[..name.len()].copy_from_slice(name);
        })
    }

    #[test]
    fn a_header_is_read_as_it_is_written() {
        for (name, size) in [("README.txt", 0), ("records.csv", 1234), (&"n".repeat(100), FILE_BYTES_MAX)] {
            assert_eq!(read_header(&header(name, size).unwrap()), Ok(Some((name.to_owned(), size))));
        }
        assert_eq!(read_header(&[0; BLOCK]), Ok(None));
        assert_eq!(header("a", FILE_BYTES_MAX + 1), Err(TarError::Size));
        assert_eq!((padding(0), padding(1), padding(512), padding(513)), (0, 511, 0, 511));
    }

    #[test]
    fn hostile_headers_are_refused_with_their_reason() {
        for name in ["/etc/passwd", "../up", "a/../../up", "a/b", "..", ".hidden", "a..b", "", "a\\b", "a b", "ø"] {
            assert_eq!(read_header(&named(name.as_bytes())), Err(TarError::Path), "{name}");
            assert_eq!(header(name, 1), Err(TarError::Path), "{name}");
        }
        assert_eq!(read_header(&named(&[0xff])), Err(TarError::Path));
        for kind in [b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'L', b'K', b'x', b'g', 0] {
            assert_eq!(read_header(&changed(|block| block[156] = kind)), Err(TarError::Kind), "{}", char::from(kind));
        }
        assert_eq!(read_header(&changed(|block| block[257] = b'x')), Err(TarError::NotTar));
        assert_eq!(read_header(&changed(|block| block[124] = b'9')), Err(TarError::Size));
        assert_eq!(read_header(&changed(|block| block[124] = 0x80)), Err(TarError::Size));
        assert_eq!(read_header(&changed(|block| block[108] = b'1')), Err(TarError::Canonical));
        assert_eq!(read_header(&changed(|block| block[136] = b'1')), Err(TarError::Canonical));
        assert_eq!(read_header(&changed(|block| block[345] = b'p')), Err(TarError::Canonical), "a prefix before the name");
        let mut damaged = header("a", 1).unwrap();
        damaged[0] = b'b';
        assert_eq!(read_header(&damaged), Err(TarError::Checksum));
    }

    #[test]
    fn every_changed_byte_of_a_header_is_refused() {
        let good = header("records.csv", 1234).unwrap();
        for at in 0..BLOCK {
            let mut block = good;
            block[at] ^= 1;
            assert!(read_header(&block).is_err(), "byte {at}");
        }
    }
}
