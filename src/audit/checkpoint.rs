//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::note::{self, LogSigner, LogVerifier, NoteError};
use super::text;
use super::tree::{Hash, SIZE_MAX};

/// Why a checkpoint is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not three lines of origin, size and root in their canonical spelling.
    #[error("a checkpoint is three lines: origin, size in decimal, root in base64")]
    Form,
    /// No origin.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
    /// Larger than [`SIZE_MAX`].
    #[error("the checkpoint's size is larger than any log")]
    Size,
    /// Size 0 with a root that is not the empty tree's.
    #[error("the checkpoint of an empty log does not have the empty tree's root")]
    EmptyRoot,
    /// The origin is not the name of the key.
    #[error("the checkpoint's origin is not the name of the log's key; take the key of this log")]
    OriginIsNotKeyName,
}

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a URL without its scheme, like log.example.no/samband: 1 to 255 bytes, no white space, no '+', no '://'")]
pub struct InvalidOrigin;

/// The name of a log for ever: a URL without its scheme, at most 255 bytes, without white space, control characters and `+`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// The longest origin, in bytes.
    pub const MAX_LEN: usize = 255;

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of this log's key.
    #[must_use]
    pub fn key_name(&self) -> note::KeyName {
        self.0.parse().expect("an origin's characters and length are those of a key's name")
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let fits = text.len() <= Self::MAX_LEN && !text.contains("://") && text.parse::<note::KeyName>().is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidOrigin) }
    }
}

impl TryFrom<String> for Origin {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The head of a log: that the first `size` leaves have the root `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// A head.
    ///
    /// # Errors
    /// [`CheckpointError::Size`] beyond [`SIZE_MAX`], [`CheckpointError::EmptyRoot`] for size 0 with another root than the empty tree's.
    pub fn new(origin: Origin, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if size > SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        if size == 0 && root != Hash::empty_root() {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, size, root })
    }

    /// The log's name.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over these leaves.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The text that is signed: three lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.origin.0.len() + 1 + 20 + 1 + Hash::BASE64_LEN + 1);
        out.push_str(&self.origin.0);
        out.push('\n');
        text::push_decimal(&mut out, self.size);
        out.push('\n');
        text::push_base64(&mut out, self.root.as_ref());
        out.push('\n');
        out
    }

    /// Reads the three lines; extension lines, which our log never writes, are refused.
    ///
    /// # Errors
    /// A [`CheckpointError`] that says what does not fit.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        let size = text::decimal(size).ok_or(CheckpointError::Form)?;
        let root = text::hash(root).ok_or(CheckpointError::Form)?;
        Self::new(origin.parse()?, size, root)
    }

    /// Signs the head. Equal heads give equal bytes.
    ///
    /// # Errors
    /// [`CheckpointError::OriginIsNotKeyName`] for a key of another name.
    pub fn sign(&self, signer: &LogSigner) -> Result<SignedCheckpoint, CheckpointError> {
        if signer.verifier().name().as_str() != self.origin.0 {
            return Err(CheckpointError::OriginIsNotKeyName);
        }
        Ok(SignedCheckpoint(signer.sign(&self.to_text())?))
    }

    /// The head in a signed checkpoint, once the log's signature is verified. Cosignatures are ignored.
    ///
    /// # Errors
    /// A [`CheckpointError`] that says what does not fit.
    pub fn open(signed: &str, verifier: &LogVerifier) -> Result<Self, CheckpointError> {
        let checkpoint = Self::from_text(note::open(signed, verifier)?)?;
        if verifier.name().as_str() == checkpoint.origin.0 { Ok(checkpoint) } else { Err(CheckpointError::OriginIsNotKeyName) }
    }
}

/// The text of a checkpoint with the log's signature, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint(String);

impl SignedCheckpoint {
    /// A note that the log's own store made, with the log's signature and no other. Nothing is verified but its form.
    #[must_use]
    pub fn from_note(note: String) -> Option<Self> {
        let parsed = note::UnverifiedNote::parse(&note).ok()?;
        let fits = parsed.signatures().len() == 1 && Checkpoint::from_text(parsed.text()).is_ok();
        fits.then_some(Self(note))
    }

    /// The text of the signed note.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of the signed note.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    pub const ORIGIN: &str = "log.example.no/samband";

    pub fn signer(seed: u8) -> LogSigner {
        LogSigner::from_seed(ORIGIN.parse().unwrap(), Zeroizing::new([seed; 32]))
    }

    pub fn checkpoint(size: u64, root: Hash) -> Checkpoint {
        Checkpoint::new(ORIGIN.parse().unwrap(), size, root).unwrap()
    }

    #[test]
    fn a_checkpoint_is_three_lines_and_signs_the_same_each_time() {
        let head = checkpoint(0, Hash::empty_root());
        assert_eq!(head.to_text(), format!("{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"));
        let signed = head.sign(&signer(1)).unwrap();
        assert_eq!(signed, head.sign(&signer(1)).unwrap());
        assert_eq!(Checkpoint::open(signed.as_str(), signer(1).verifier()), Ok(head));
        assert_eq!(
            Checkpoint::open(signed.as_str(), signer(2).verifier()),
            Err(CheckpointError::Note(NoteError::NotSigned)),
            "another key of the same name"
        );
    }

    #[test]
    fn a_key_of_another_name_neither_signs_nor_opens() {
        let other = LogSigner::from_seed("log.example.no/other".parse().unwrap(), Zeroizing::new([1; 32]));
        let head = checkpoint(5, Hash::leaf(b""));
        assert_eq!(head.sign(&other), Err(CheckpointError::OriginIsNotKeyName));
        let note = other.sign(&head.to_text()).unwrap();
        assert_eq!(Checkpoint::open(&note, other.verifier()), Err(CheckpointError::OriginIsNotKeyName));
    }

    #[test]
    fn a_checkpoint_has_one_spelling() {
        let good = checkpoint(17, Hash::leaf(b"")).to_text();
        let root = Hash::leaf(b"").to_string();
        assert!(Checkpoint::from_text(&good).is_ok());
        for bad in [
            good.replace("17", "017"),
            good.replace("17", "+17"),
            good.replace("17", "-17"),
            good.replace("17", ""),
            good.replace("17", "17 "),
            good.replace('\n', "\r\n"),
            good.replace('=', ""),
            format!("{good}extension\n"),
            format!("{good}\n"),
            good.trim_end().to_owned(),
            good.replace(&root, &format!("{}=", &root[..root.len() - 1].replace('=', ""))[..43]),
            String::new(),
        ] {
            assert_eq!(Checkpoint::from_text(&bad), Err(CheckpointError::Form), "{bad:?}");
        }
        let too_large = good.replace("17", &(SIZE_MAX + 1).to_string());
        assert_eq!(Checkpoint::from_text(&too_large), Err(CheckpointError::Size));
        assert_eq!(Checkpoint::from_text(&good.replace("17", "0")), Err(CheckpointError::EmptyRoot));
        assert_eq!(Checkpoint::from_text(&good.replace("log.", "https://log.")), Err(CheckpointError::Origin(InvalidOrigin)));
    }

    #[test]
    fn an_origin_is_a_url_without_scheme_blank_and_plus() {
        for good in ["a", ORIGIN, "log.example.no:8443/æøå", &"x".repeat(255)] {
            assert_eq!(good.parse::<Origin>().unwrap().key_name().as_str(), good);
        }
        for bad in ["", "a b", "a+b", "https://a", "a\u{a0}b", "a\tb", "a\nb", &"x".repeat(256)] {
            assert_eq!(bad.parse::<Origin>(), Err(InvalidOrigin), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_head_survives_its_text(size in 1..=SIZE_MAX, root in any::<[u8; 32]>()) {
            let head = checkpoint(size, Hash::from_bytes(root));
            prop_assert_eq!(Checkpoint::from_text(&head.to_text()), Ok(head));
        }

        #[test]
        fn every_accepted_text_is_the_heads_text(text in "[a-c+ ]{0,3}\n0?[0-9]{0,20}\n[A-Za-z0-9+/]{42,43}[A-Z]?=?\n?x?\n?") {
            if let Ok(head) = Checkpoint::from_text(&text) {
                prop_assert_eq!(head.to_text(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "(\\PC|\n){0,120}") {
            let _ = Checkpoint::from_text(&text);
        }
    }
}
