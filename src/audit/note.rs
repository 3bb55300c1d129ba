//! Signed notes (C2SP signed-note) with Ed25519 signatures, and the text forms of their keys.
//!
//! A note is a text that ends in a newline, a blank line, and one or more lines `— <name> <base64(key id ‖ signature)>`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::text;

/// The longest note that is read, in bytes. Room for sixteen ML-DSA-44 cosignatures.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Signature lines of one note.
pub const SIGNATURES_MAX: usize = 64;
/// The longest key name, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// Ed25519 over the note's text.
const TYPE_ED25519: u8 = 0x01;
/// A witness's Ed25519 cosignature with its time.
pub(super) const TYPE_COSIGNATURE: u8 = 0x04;
const SIGNATURE_PREFIX: &str = "\u{2014} ";
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// Why a note is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the signed note is longer than {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// No blank line, no newline at the end, or control characters.
    #[error("this is no signed note: it is a text, a blank line and signature lines, each ended by a newline")]
    Form,
    /// A line after the blank line is no signature line.
    #[error("a signature line of the note is not of the form '\u{2014} name base64'")]
    SignatureLine,
    /// More than [`SIGNATURES_MAX`] lines.
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Two lines of the same name and key id.
    #[error("the note has two signatures of one key")]
    RepeatedSignature,
    /// A signature by the known key is false.
    #[error("the signature of the known key is false: the text was altered, or the key is another log's")]
    BadSignature,
    /// No signature is by a known key.
    #[error("the note is not signed by the given key; take the verifier key of the log that issued it")]
    NotSigned,
}

/// Why a key's text is refused. The text is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with white space, '+' or control characters.
    #[error("a key's name is 1 to {KEY_NAME_BYTES_MAX} bytes without white space, '+' and control characters")]
    Name,
    /// Not of the right form.
    #[error("a verifier key is name+8 hexadecimal digits+base64, a signer key the same after PRIVATE+KEY+")]
    Form,
    /// Another algorithm.
    #[error("the key is of another kind: a log's is an Ed25519 note key (type 1), a witness's an Ed25519 cosignature key (type 4)")]
    Algorithm,
    /// The key id is not that of the name and key.
    #[error("the key's id does not fit its name and content; copy the key again")]
    Id,
}

/// The name of a note key: 1 to 255 bytes without white space, `+` and control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_name(text: &str) -> bool {
        !text.is_empty() && text.len() <= KEY_NAME_BYTES_MAX && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if Self::is_name(text) { Ok(Self(text.to_owned())) } else { Err(KeyError::Name) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256(name ‖ 0x0A ‖ type ‖ public key), the first four bytes.
pub(super) fn key_id(name: &KeyName, algorithm: u8, public: &[u8; 32]) -> [u8; 4] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(name.0.as_bytes());
    context.update(&[b'\n', algorithm]);
    context.update(public);
    let mut id = [0_u8; 4];
    id.copy_from_slice(&context.finish().as_ref()[..4]);
    id
}

fn parse_key_id(text: &str) -> Option<[u8; 4]> {
    let lower_hex = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if lower_hex { u32::from_str_radix(text, 16).ok().map(u32::to_be_bytes) } else { None }
}

/// A key's text taken apart: name, id and the 32 bytes of the public key or of the seed.
pub(super) type KeyParts = (KeyName, [u8; 4], Zeroizing<[u8; 32]>);

/// Splits `name+id+base64` of a key of one algorithm; the base64 itself may hold `+`.
pub(super) fn parse_key(text: &str, algorithm: u8) -> Result<KeyParts, KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    let name = name.parse()?;
    let id = parse_key_id(id).ok_or(KeyError::Form)?;
    if key.len() > 64 {
        return Err(KeyError::Form);
    }
    let key = Zeroizing::new(text::base64(key).ok_or(KeyError::Form)?);
    let (found, key) = key.split_first().ok_or(KeyError::Form)?;
    if *found != algorithm {
        return Err(KeyError::Algorithm);
    }
    let key: [u8; 32] = key.try_into().map_err(|_| KeyError::Form)?;
    Ok((name, id, Zeroizing::new(key)))
}

pub(super) fn write_key(out: &mut String, name: &KeyName, id: [u8; 4], algorithm: u8, key: &[u8; 32]) {
    use fmt::Write as _;
    write!(out, "{name}+{:08x}+", u32::from_be_bytes(id)).expect("writing to a String cannot fail");
    let mut typed = Zeroizing::new([algorithm; 33]);
    typed[1..].copy_from_slice(key);
    text::push_base64(out, &typed[..]);
}

/// Verifies the signatures of one key. Its text is `name+8 hexadecimal digits+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerifier {
    name: KeyName,
    id: [u8; 4],
    public: [u8; 32],
}

impl LogVerifier {
    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The first four bytes of the key's hash, as they stand in signature lines.
    #[must_use]
    pub const fn key_id(&self) -> [u8; 4] {
        self.id
    }

    /// The public key itself: two names for one key are one log.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn verify(&self, text: &str, signature: &[u8]) -> Result<(), NoteError> {
        UnparsedPublicKey::new(&ED25519, &self.public[..]).verify(text.as_bytes(), signature).map_err(|_| NoteError::BadSignature)
    }
}

impl FromStr for LogVerifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, public) = parse_key(text, TYPE_ED25519)?;
        if id == key_id(&name, TYPE_ED25519, &public) { Ok(Self { name, id, public: *public }) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for LogVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(self.name.0.len() + 64);
        write_key(&mut out, &self.name, self.id, TYPE_ED25519, &self.public);
        f.write_str(&out)
    }
}

/// The log's signing key. `Debug` shows the verifier key only; the seed is wiped when it is dropped.
pub struct LogSigner {
    verifier: LogVerifier,
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl LogSigner {
    /// The key that follows from a 32-byte seed of secret random bytes.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: Zeroizing<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).expect("every 32 bytes are an Ed25519 seed");
        let mut public = [0_u8; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        let id = key_id(&name, TYPE_ED25519, &public);
        Self { verifier: LogVerifier { name, id, public }, seed, pair }
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub const fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// Reads the text form that Go's note package writes: `PRIVATE+KEY+name+id+base64(0x01 ‖ seed)`.
    ///
    /// # Errors
    /// A [`KeyError`] that says what does not fit.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let (name, id, seed) = parse_key(text.strip_prefix(PRIVATE_PREFIX).ok_or(KeyError::Form)?, TYPE_ED25519)?;
        let signer = Self::from_seed(name, seed);
        if signer.verifier.id == id { Ok(signer) } else { Err(KeyError::Id) }
    }

    /// The text form that Go's note package reads. It is the secret itself.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it, so that no copy is left behind by growing.
        let mut out = Zeroizing::new(String::with_capacity(PRIVATE_PREFIX.len() + self.verifier.name.0.len() + 64));
        out.push_str(PRIVATE_PREFIX);
        write_key(&mut out, &self.verifier.name, self.verifier.id, TYPE_ED25519, &self.seed);
        out
    }

    /// The note of `text` with this key's signature. Equal texts give equal notes.
    ///
    /// # Errors
    /// [`NoteError::Form`] for a text that does not end in a newline or holds other control characters; [`NoteError::TooLong`].
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        if !is_note_text(text) {
            return Err(NoteError::Form);
        }
        let mut blob = [0_u8; 68];
        blob[..4].copy_from_slice(&self.verifier.id);
        blob[4..].copy_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        let mut note = String::with_capacity(text.len() + self.verifier.name.0.len() + 100);
        note.push_str(text);
        note.push('\n');
        note.push_str(SIGNATURE_PREFIX);
        note.push_str(&self.verifier.name.0);
        note.push(' ');
        text::push_base64(&mut note, &blob);
        note.push('\n');
        if note.len() <= NOTE_BYTES_MAX { Ok(note) } else { Err(NoteError::TooLong) }
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSigner").field("verifier", &self.verifier.to_string()).finish_non_exhaustive()
    }
}

/// A note's text ends in a newline and holds no other control characters.
fn is_note_text(text: &str) -> bool {
    text.ends_with('\n') && !text.chars().any(|c| c < ' ' && c != '\n')
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine<'t> {
    name: &'t str,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl<'t> SignatureLine<'t> {
    /// Reads one line without its newline.
    pub(super) fn parse(line: &'t str) -> Option<Self> {
        let (name, blob) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let blob = text::base64(blob)?;
        let (id, signature) = blob.split_first_chunk::<4>()?;
        let parsed = Self { name, id: *id, signature: signature.to_vec() };
        (KeyName::is_name(name) && !signature.is_empty()).then_some(parsed)
    }

    /// The name of the key that is said to have signed.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// That key's id.
    #[must_use]
    pub const fn key_id(&self) -> [u8; 4] {
        self.id
    }

    /// What follows the key's id.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A note whose signatures are not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedNote<'t> {
    text: &'t str,
    signatures: Vec<SignatureLine<'t>>,
}

impl<'t> UnverifiedNote<'t> {
    /// Reads a note strictly: only notes that [`encode`](Self::encode) would write in the same bytes are accepted.
    ///
    /// # Errors
    /// A [`NoteError`] that says what does not fit.
    pub fn parse(note: &'t str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let blank = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        if !is_note_text(note) || lines.is_empty() {
            return Err(NoteError::Form);
        }
        let mut signatures: Vec<SignatureLine<'t>> = Vec::with_capacity(1);
        for line in lines.split_terminator('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let signature = SignatureLine::parse(line).ok_or(NoteError::SignatureLine)?;
            if signatures.iter().any(|known| known.name == signature.name && known.id == signature.id) {
                return Err(NoteError::RepeatedSignature);
            }
            signatures.push(signature);
        }
        Ok(Self { text, signatures })
    }

    /// The note again.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for SignatureLine { name, id, signature } in &self.signatures {
            note.push_str(SIGNATURE_PREFIX);
            note.push_str(name);
            note.push(' ');
            text::push_base64(&mut note, &[&id[..], signature].concat());
            note.push('\n');
        }
        note
    }

    /// The text that is signed.
    #[must_use]
    pub const fn text(&self) -> &'t str {
        self.text
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine<'t>] {
        &self.signatures
    }

    /// The text, once the signature of `verifier` is verified. Signatures by other keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] or [`NoteError::NotSigned`].
    pub fn verify(&self, verifier: &LogVerifier) -> Result<&'t str, NoteError> {
        let known = |line: &&SignatureLine<'_>| line.name == verifier.name.0 && line.id == verifier.id;
        let line = self.signatures.iter().find(known).ok_or(NoteError::NotSigned)?;
        verifier.verify(self.text, &line.signature)?;
        Ok(self.text)
    }
}

/// The text of a note that is signed by `verifier`.
///
/// # Errors
/// A [`NoteError`] that says what does not fit.
pub fn open<'t>(note: &'t str, verifier: &LogVerifier) -> Result<&'t str, NoteError> {
    UnverifiedNote::parse(note)?.verify(verifier)
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
