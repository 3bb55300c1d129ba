//! What a log says to a witness and what it hears (C2SP tlog-witness, `POST <prefix>/add-checkpoint`).

use super::checkpoint::SignedCheckpoint;
use super::cosignature::{Cosignature, CosignatureError, WitnessVerifier};
use super::proof::PROOF_HASHES_MAX;
use super::text;
use super::tree::{Hash, SIZE_MAX};

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The type of the body that names the witness's own size.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// The body of a submission: the size that the witness is thought to know, the proof from there, and the head with the log's signature only.
///
/// At most [`PROOF_HASHES_MAX`] hashes are sent.
#[must_use]
pub fn add_checkpoint(old_size: u64, proof: &[Hash], checkpoint: &SignedCheckpoint) -> String {
    let mut body = String::with_capacity(64 + proof.len() * (Hash::BASE64_LEN + 1) + checkpoint.as_str().len());
    body.push_str("old ");
    text::push_decimal(&mut body, old_size);
    body.push('\n');
    for hash in proof.iter().take(PROOF_HASHES_MAX) {
        text::push_base64(&mut body, hash.as_ref());
        body.push('\n');
    }
    body.push('\n');
    body.push_str(checkpoint.as_str());
    body
}

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It knew no larger tree and this one continues what it knew.
    Cosigned(Cosignature),
    /// It knows a tree of this size; submit again from there.
    Knows(u64),
}

/// Why a witness gave no cosignature, as it is shown to auditors. What the witness wrote is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 400.
    #[error("the witness takes the submission for malformed")]
    Malformed,
    /// 403.
    #[error("the witness does not accept the log's signature: it was given another key of this log")]
    LogKey,
    /// 404.
    #[error("the witness does not know this log; its operator must add the log's origin and key")]
    UnknownLog,
    /// 422, or 409 with the old size that was submitted.
    #[error("the witness knows another tree of this log: one of the two is a fork")]
    Inconsistent,
    /// 429 and 5xx.
    #[error("the witness is out of order")]
    OutOfOrder,
    /// Any other status.
    #[error("the witness answered with an unexpected status; is its URL right?")]
    Status,
    /// 409 without a size.
    #[error("the witness's answer names no size that a log can have")]
    Size,
    /// 200 with something else than its cosignature.
    #[error("the witness's answer is no cosignature of its key: {0}")]
    Cosignature(CosignatureError),
}

/// What was submitted, to read the answer by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted<'t> {
    /// The size that the witness was thought to know.
    pub old_size: u64,
    /// The checkpoint's text, without signatures.
    pub text: &'t str,
}

/// Reads the answer to a submission. `content_type` is empty when there is none.
///
/// # Errors
/// A [`Refused`].
pub fn read_answer(
    status: u16,
    content_type: &str,
    body: &[u8],
    verifier: &WitnessVerifier,
    submitted: Submitted<'_>,
) -> Result<Answer, Refused> {
    match status {
        200 => {
            let body = std::str::from_utf8(body).map_err(|_| Refused::Cosignature(CosignatureError::Form))?;
            verifier.take(submitted.text, body).map(Answer::Cosigned).map_err(Refused::Cosignature)
        }
        409 => {
            let media_type = content_type.split(';').next().unwrap_or_default().trim();
            let line = std::str::from_utf8(body).ok().and_then(|body| body.strip_suffix('\n'));
            let known = line.and_then(text::decimal).filter(|known| *known <= SIZE_MAX).ok_or(Refused::Size)?;
            if !media_type.eq_ignore_ascii_case(SIZE_CONTENT_TYPE) {
                return Err(Refused::Size);
            }
            // The old size was right, so the roots were not: some witnesses answer so for an equal size with another root.
            if known == submitted.old_size { Err(Refused::Inconsistent) } else { Ok(Answer::Knows(known)) }
        }
        400 => Err(Refused::Malformed),
        403 => Err(Refused::LogKey),
        404 => Err(Refused::UnknownLog),
        422 => Err(Refused::Inconsistent),
        429 | 500..=599 => Err(Refused::OutOfOrder),
        _ => Err(Refused::Status),
    }
}

/// The checkpoint with cosignatures after the log's own signature.
#[must_use]
pub fn with_cosignatures<'c>(checkpoint: &SignedCheckpoint, cosignatures: impl IntoIterator<Item = &'c Cosignature>) -> String {
    cosignatures.into_iter().fold(checkpoint.as_str().to_owned(), |note, cosignature| note + cosignature.line())
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::Checkpoint;
    use super::super::checkpoint::tests::{checkpoint, signer};
    use super::super::cosignature::tests::TestWitness;
    use super::super::note::UnverifiedNote;
    use super::*;

    #[test]
    fn a_submission_has_the_lines_of_the_specification() {
        let signed = checkpoint(17, Hash::leaf(b"")).sign(&signer(1)).unwrap();
        let proof = [Hash::leaf(b"a"), Hash::leaf(b"b")];
        let body = add_checkpoint(9, &proof, &signed);
        assert_eq!(body, format!("old 9\n{}\n{}\n\n{signed}", proof[0], proof[1]));
        assert_eq!(add_checkpoint(0, &[], &signed), format!("old 0\n\n{signed}"));
        assert_eq!(add_checkpoint(1, &[proof[0]; 100], &signed).lines().filter(|line| line.len() == 44).count(), PROOF_HASHES_MAX + 1);
    }

    #[test]
    fn every_answer_means_one_thing() {
        let witness = TestWitness::new("w", 9);
        let head = checkpoint(17, Hash::leaf(b""));
        let text = head.to_text();
        let read = |status, content_type, body: &str| {
            read_answer(status, content_type, body.as_bytes(), &witness.verifier, Submitted { old_size: 9, text: &text })
        };
        let good = witness.cosign(&text, 5);
        let Ok(Answer::Cosigned(cosignature)) = read(200, "", &good) else { panic!("a cosignature") };
        let note = with_cosignatures(&head.sign(&signer(1)).unwrap(), [&cosignature]);
        assert_eq!(Checkpoint::open(&note, signer(1).verifier()), Ok(head));
        assert_eq!(witness.verifier.cosigned_at(&UnverifiedNote::parse(&note).unwrap()), Ok(5));
        assert_eq!(read(409, SIZE_CONTENT_TYPE, "12\n"), Ok(Answer::Knows(12)));
        assert_eq!(read(409, "Text/X.TLog.Size; charset=utf-8", "0\n"), Ok(Answer::Knows(0)));
        for (status, content_type, body, refused) in [
            (200, "", "", Refused::Cosignature(super::super::note::NoteError::Form.into())),
            (200, "", "garbage\n", Refused::Cosignature(super::super::note::NoteError::SignatureLine.into())),
            (409, SIZE_CONTENT_TYPE, "9\n", Refused::Inconsistent),
            (409, "text/plain", "12\n", Refused::Size),
            (409, SIZE_CONTENT_TYPE, "12", Refused::Size),
            (409, SIZE_CONTENT_TYPE, "012\n", Refused::Size),
            (409, SIZE_CONTENT_TYPE, "-1\n", Refused::Size),
            (409, SIZE_CONTENT_TYPE, "4611686018427387905\n", Refused::Size),
            (409, SIZE_CONTENT_TYPE, "99999999999999999999999999\n", Refused::Size),
            (400, "", "x", Refused::Malformed),
            (403, "", "x", Refused::LogKey),
            (404, "", "x", Refused::UnknownLog),
            (422, "", "x", Refused::Inconsistent),
            (429, "", "x", Refused::OutOfOrder),
            (503, "", "x", Refused::OutOfOrder),
            (204, "", "", Refused::Status),
            (301, "", "", Refused::Status),
        ] {
            assert_eq!(read(status, content_type, body), Err(refused), "{status} {body}");
        }
        let not_text = read_answer(200, "", &[0xff, b'\n'], &witness.verifier, Submitted { old_size: 9, text: &text });
        assert_eq!(not_text, Err(Refused::Cosignature(CosignatureError::Form)));
    }
}
