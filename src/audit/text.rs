//! The two spellings that all text formats of the log share: decimal numbers and base64, each in its only canonical form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::Hash;

/// A decimal number as `u64::to_string` writes it: no sign, no leading zero, nothing else.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let canonical = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Canonical, padded, standard base64 (RFC 4648 section 3.5): the engine refuses non-zero trailing bits and missing padding.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A hash in its 44 characters of canonical base64.
pub(super) fn hash(text: &str) -> Option<Hash> {
    if text.len() != Hash::BASE64_LEN {
        return None;
    }
    let bytes: [u8; 32] = base64(text)?.try_into().ok()?;
    Some(Hash::from_bytes(bytes))
}

/// Appends the base64 of `bytes`.
pub(super) fn push_base64(out: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, out);
}

/// The same to bytes that become text as a whole: receipts are mostly this, and are made for every message.
pub(super) fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let _ = base64_simd::STANDARD.encode(bytes, base64_simd::Out::from_slice(&mut out[start..]));
}

/// Appends `number` in decimal.
pub(super) fn push_decimal(out: &mut String, number: u64) {
    use std::fmt::Write as _;
    write!(out, "{number}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "18446744073709551616", "١"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn both_ways_to_write_base64_write_the_same() {
        let bytes: Vec<u8> = (0..=255).cycle().take(700).collect();
        for len in 0..bytes.len() {
            let (mut text, mut appended) = (String::from("a line\n"), b"a line\n".to_vec());
            push_base64(&mut text, &bytes[..len]);
            append_base64(&mut appended, &bytes[..len]);
            assert_eq!(appended, text.as_bytes(), "{len} bytes");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(base64("AA=="), Some(vec![0]));
        for bad in ["AA", "AA=", "AB==", "A-==", "AA==\n", " AA==", "AA==AA=="] {
            assert_eq!(base64(bad), None, "{bad}");
        }
        assert_eq!(hash("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), Some(Hash::empty_root()));
        assert_eq!(hash("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV="), None, "trailing bits");
        assert_eq!(hash(""), None);
    }
}
