//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness's word that at a time it knew no larger tree of the log, and that this one
//! continues all it had seen.
//!
//! Signed is `cosignature/v1\ntime <seconds>\n` and the checkpoint's text. Receipts never carry cosignatures; checkpoints for auditors do.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::note::{self, KeyError, KeyName, NOTE_BYTES_MAX, NoteError, SIGNATURES_MAX, SignatureLine, TYPE_COSIGNATURE, UnverifiedNote};

/// Time and Ed25519 signature.
const BLOB_BYTES: usize = 8 + 64;
/// No time in seconds that a clock will show is beyond this: the year 9999.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Why a cosignature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// No line of this witness.
    #[error("the checkpoint is not cosigned by this witness")]
    Missing,
    /// Not 72 bytes, or a time that no clock shows.
    #[error("the witness's line is no Ed25519 cosignature: eight bytes of time and 64 of signature")]
    Form,
    /// It does not verify.
    #[error("the witness's cosignature is false: the checkpoint was altered, or the key is another witness's")]
    BadSignature,
}

/// Verifies the cosignatures of one witness. Its text is `name+8 hexadecimal digits+base64(0x04 ‖ public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessVerifier {
    name: KeyName,
    id: [u8; 4],
    public: [u8; 32],
}

impl WitnessVerifier {
    /// The name in its signature lines.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public key itself: two names for one key are one witness.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn is_of(&self, line: &SignatureLine<'_>) -> bool {
        line.name() == self.name.as_str() && line.key_id() == self.id
    }

    /// The time, in seconds since 1970, of this witness's cosignature on a checkpoint that was parsed as a note.
    ///
    /// # Errors
    /// A [`CosignatureError`] that says what does not fit.
    pub fn cosigned_at(&self, note: &UnverifiedNote<'_>) -> Result<u64, CosignatureError> {
        let line = note.signatures().iter().find(|line| self.is_of(line)).ok_or(CosignatureError::Missing)?;
        self.check(note.text(), line)
    }

    fn check(&self, text: &str, line: &SignatureLine<'_>) -> Result<u64, CosignatureError> {
        let blob: &[u8; BLOB_BYTES] = line.signature().try_into().map_err(|_| CosignatureError::Form)?;
        let (time, signature) = blob.split_at(8);
        let time = u64::from_be_bytes(time.try_into().expect("the blob is split after eight bytes"));
        if time > SECONDS_MAX {
            return Err(CosignatureError::Form);
        }
        UnparsedPublicKey::new(&ED25519, &self.public[..])
            .verify(signed_text(time, text).as_bytes(), signature)
            .map_err(|_| CosignatureError::BadSignature)?;
        Ok(time)
    }

    /// Finds this witness's line in the body of its answer and verifies it for the checkpoint's text. Lines of others are ignored.
    ///
    /// # Errors
    /// A [`CosignatureError`] that says what does not fit.
    pub fn take(&self, text: &str, body: &str) -> Result<Cosignature, CosignatureError> {
        if body.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong.into());
        }
        if !body.ends_with('\n') {
            return Err(NoteError::Form.into());
        }
        for (at, line) in body.split_terminator('\n').enumerate() {
            if at == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures.into());
            }
            let parsed = SignatureLine::parse(line).ok_or(NoteError::SignatureLine)?;
            // A witness may answer with more keys than one, also with one of a later kind under the same name.
            if self.is_of(&parsed) {
                let time = self.check(text, &parsed)?;
                return Ok(Cosignature { time, line: format!("{line}\n") });
            }
        }
        Err(CosignatureError::Missing)
    }
}

impl FromStr for WitnessVerifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, public) = note::parse_key(text, TYPE_COSIGNATURE)?;
        if id == note::key_id(&name, TYPE_COSIGNATURE, &public) { Ok(Self { name, id, public: *public }) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for WitnessVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        note::write_key(&mut out, &self.name, self.id, TYPE_COSIGNATURE, &self.public);
        f.write_str(&out)
    }
}

fn signed_text(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A verified cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    time: u64,
    line: String,
}

impl Cosignature {
    /// When the witness signed, in seconds since 1970, by its own clock.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// The signature line with its newline, to be appended to the signed checkpoint.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::super::checkpoint::tests::{checkpoint, signer};
    use super::super::tree::Hash;
    use super::*;

    /// A witness's signing side, for tests.
    pub struct TestWitness {
        pair: Ed25519KeyPair,
        pub verifier: WitnessVerifier,
    }

    impl TestWitness {
        pub fn new(name: &str, seed: u8) -> Self {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
            let name: KeyName = name.parse().unwrap();
            let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
            let id = note::key_id(&name, TYPE_COSIGNATURE, &public);
            Self { pair, verifier: WitnessVerifier { name, id, public } }
        }

        /// The answer's body for a checkpoint's text.
        pub fn cosign(&self, text: &str, time: u64) -> String {
            let signature = self.pair.sign(signed_text(time, text).as_bytes());
            let blob = [&self.verifier.id[..], &time.to_be_bytes(), signature.as_ref()].concat();
            format!("\u{2014} {} {}\n", self.verifier.name, STANDARD.encode(blob))
        }
    }

    fn signed() -> (String, String) {
        let head = checkpoint(17, Hash::leaf(b""));
        (head.to_text(), head.sign(&signer(1)).unwrap().into_string())
    }

    #[test]
    fn a_cosignature_is_verified_and_tells_its_time() {
        let witness = TestWitness::new("witness.example/w1", 9);
        let (text, note) = signed();
        let taken = witness.verifier.take(&text, &witness.cosign(&text, 1_780_000_000)).unwrap();
        assert_eq!(taken.time(), 1_780_000_000);
        let cosigned = note.clone() + taken.line();
        let parsed = UnverifiedNote::parse(&cosigned).unwrap();
        assert_eq!(witness.verifier.cosigned_at(&parsed), Ok(1_780_000_000));
        assert_eq!(parsed.verify(signer(1).verifier()), Ok(&text[..]), "and the log's own signature holds beside it");
        let bare = UnverifiedNote::parse(&note).unwrap();
        assert_eq!(witness.verifier.cosigned_at(&bare), Err(CosignatureError::Missing));
    }

    #[test]
    fn a_key_survives_its_text_and_a_logs_key_is_none() {
        let witness = TestWitness::new("witness.example/w1", 9);
        let text = witness.verifier.to_string();
        assert_eq!(text.parse(), Ok(witness.verifier));
        let log = signer(1).verifier().to_string();
        assert_eq!(log.parse::<WitnessVerifier>(), Err(KeyError::Algorithm));
        assert_eq!(text.parse::<note::LogVerifier>(), Err(KeyError::Algorithm));
        assert_eq!(text.replace("w1", "w2").parse::<WitnessVerifier>(), Err(KeyError::Id));
    }

    #[test]
    fn answers_that_are_no_cosignature_of_this_witness_are_refused() {
        let (witness, other) = (TestWitness::new("witness.example/w1", 9), TestWitness::new("witness.example/w1", 10));
        let (text, note) = signed();
        let good = witness.cosign(&text, 5);
        let take = |body: &str| witness.verifier.take(&text, body);
        assert!(take(&(other.cosign(&text, 5) + &good)).is_ok(), "lines of others are ignored");
        assert_eq!(take(&other.cosign(&text, 5)), Err(CosignatureError::Missing));
        assert_eq!(take(""), Err(NoteError::Form.into()));
        assert_eq!(take(good.trim_end()), Err(NoteError::Form.into()));
        assert_eq!(take("no line\n"), Err(NoteError::SignatureLine.into()));
        assert_eq!(take(&good.replace('\n', "\r\n")), Err(NoteError::SignatureLine.into()));
        assert_eq!(take(&witness.cosign(&note, 5)), Err(CosignatureError::BadSignature), "a cosignature of another text");
        assert_eq!(take(&witness.cosign(&text, SECONDS_MAX + 1)), Err(CosignatureError::Form));
        assert_eq!(take(&other.cosign(&text, 5).repeat(SIGNATURES_MAX + 1)), Err(NoteError::TooManySignatures.into()));
        assert_eq!(take(&"x".repeat(NOTE_BYTES_MAX + 1)), Err(NoteError::TooLong.into()));
        let id = witness.verifier.id;
        let short = format!("\u{2014} witness.example/w1 {}\n", STANDARD.encode([&id[..], &[0; 64]].concat()));
        assert_eq!(take(&short), Err(CosignatureError::Form), "a plain signature in a cosignature's place");
    }

    #[test]
    fn every_changed_byte_of_a_cosignature_is_noticed() {
        let witness = TestWitness::new("w", 9);
        let (text, _) = signed();
        let good = witness.cosign(&text, 1_780_000_000);
        for at in 0..good.len() {
            for flip in [1_u8, 2, 0x20] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(witness.verifier.take(&text, &changed).is_err(), "byte {at}: {changed}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in "(\u{2014} w [A-Za-z0-9+/=]{0,110}\n|\\PC|\n){0,6}") {
            let witness = TestWitness::new("w", 9);
            let _ = witness.verifier.take("a\n", &body);
            let _ = body.parse::<WitnessVerifier>();
        }
    }
}
