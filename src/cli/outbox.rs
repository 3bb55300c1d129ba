//! The sender's outbox: message id and salt are kept on disk before the first byte leaves, so that a retry after a lost answer sends the very same.
//!
//! | file | holds | lives |
//! |---|---|---|
//! | `<message id>.<kind>.pending` | the request as protobuf, content and all | until the gateway's answer is certain |
//! | `<message id>.<kind>.json` | id, salt, what was accepted; no content | for as long as the sender wants to prove what it sent |
//! | `<message id>.tlog-proof` | the receipt | likewise |
//!
//! Folder 0700, files 0600.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Field};
use serde_json::Value;

use crate::clock::{Clock, Entropy, random_32};
use crate::domain::id::MessageId;
use crate::regular_file;
use crate::tls::files;

use super::exit::CliError;

/// The largest request that is read back, in bytes.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;

/// An outbox folder.
#[derive(Debug, Clone)]
pub struct Outbox {
    dir: PathBuf,
}

/// Whether a message goes out for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A fresh id and salt.
    First,
    /// The id and salt of an earlier attempt.
    Again,
}

/// A request that is kept on disk and may be sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The sender's handle.
    pub message_id: MessageId,
    /// The whole request.
    pub request: DynamicMessage,
    /// First or again.
    pub attempt: Attempt,
    kind: &'static str,
}

/// Writes `bytes` to `path` for the owner only and makes the name durable too.
///
/// # Errors
/// What the system says.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let usage = |error: files::FileError| CliError::Usage(error.to_string());
    files::write(path, bytes, 0o600).and_then(|()| files::sync_name(path)).map_err(usage)
}

/// What an outbox keeps besides receipts: ids and salts, without which no retry is the same and no receipt shows a content.
#[must_use]
pub fn entries_in(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|end| end == "json" || end == "pending")).collect()
}

fn sync_dir(dir: &Path) -> Result<(), CliError> {
    regular_file::sync_folder(dir).map_err(|error| CliError::file(dir, &error))
}

impl Outbox {
    /// Opens the folder, making it if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> Result<Self, CliError> {
        files::make_private_dir(dir).map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Where the receipt of a message lies.
    #[must_use]
    pub fn receipt_file(&self, message_id: MessageId) -> PathBuf {
        self.dir.join(format!("{message_id}.tlog-proof"))
    }

    fn pending_file(&self, message_id: MessageId, kind: &str) -> PathBuf {
        self.dir.join(format!("{message_id}.{kind}.pending"))
    }

    fn settled_file(&self, message_id: MessageId, kind: &str) -> PathBuf {
        self.dir.join(format!("{message_id}.{kind}.json"))
    }

    /// Gives `draft` (a request without id and salt) its id and salt and keeps it. An unanswered request with the same draft is taken up again.
    ///
    /// # Errors
    /// The folder cannot be read or written, or `message_id` stands for something else in it.
    pub fn prepare(
        &self,
        kind: &'static str,
        draft: &DynamicMessage,
        message_id: Option<MessageId>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Prepared, CliError> {
        let earlier = match message_id {
            Some(id) => self.earlier(kind, draft, id)?,
            None => self.unanswered(kind, draft)?,
        };
        if let Some((message_id, request)) = earlier {
            return Ok(Prepared { message_id, request, attempt: Attempt::Again, kind });
        }
        let message_id = message_id.unwrap_or_else(|| fresh_id(clock, entropy));
        let request = complete(draft, message_id, &random_32(entropy));
        write_durably(&self.pending_file(message_id, kind), &request.encode_to_vec())?;
        Ok(Prepared { message_id, request, attempt: Attempt::First, kind })
    }

    fn earlier(&self, kind: &str, draft: &DynamicMessage, id: MessageId) -> Result<Option<(MessageId, DynamicMessage)>, CliError> {
        let pending = self.pending_file(id, kind);
        if pending.exists() {
            let request = read_request(&pending, draft.descriptor())?;
            if stripped(&request) != *draft {
                return Err(CliError::Usage(format!(
                    "{}: the outbox holds another content under this message id; leave --message-id out to send this one",
                    pending.display()
                )));
            }
            return Ok(Some((id, request)));
        }
        let settled = self.settled_file(id, kind);
        if !settled.exists() {
            return Ok(None);
        }
        let bytes = files::read(&settled, REQUEST_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
        let salt = serde_json::from_slice::<Value>(&bytes).ok().and_then(|entry| salt_of(&entry));
        let salt = salt.ok_or_else(|| CliError::Usage(format!("{}: holds no content_salt; it was changed", settled.display())))?;
        Ok(Some((id, complete(draft, id, &salt))))
    }

    fn unanswered(&self, kind: &str, draft: &DynamicMessage) -> Result<Option<(MessageId, DynamicMessage)>, CliError> {
        let suffix = format!(".{kind}.pending");
        let mut newest = None;
        for entry in fs::read_dir(&self.dir).map_err(|error| CliError::file(&self.dir, &error))? {
            let entry = entry.map_err(|error| CliError::file(&self.dir, &error))?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(&suffix)).and_then(|id| id.parse::<MessageId>().ok()) else {
                continue;
            };
            let request = read_request(&entry.path(), draft.descriptor())?;
            if stripped(&request) == *draft && newest.as_ref().is_none_or(|(newest, _)| id > *newest) {
                newest = Some((id, request));
            }
        }
        Ok(newest)
    }

    /// Keeps the receipt and what was accepted; the content leaves the outbox.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn accepted(&self, prepared: &Prepared, accepted: &Value, receipt: &[u8]) -> Result<(), CliError> {
        write_durably(&self.receipt_file(prepared.message_id), receipt)?;
        let mut entry = accepted.clone();
        let salt = bytes_field(&prepared.request, "content_salt");
        entry["message_id"] = prepared.message_id.to_string().into();
        entry["content_salt"] = STANDARD.encode(salt).into();
        let mut text = serde_json::to_vec_pretty(&entry).map_err(|error| CliError::Usage(error.to_string()))?;
        text.push(b'\n');
        write_durably(&self.settled_file(prepared.message_id, prepared.kind), &text)?;
        self.forget(prepared)
    }

    /// Drops a request that was refused for good.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(&self, prepared: &Prepared) -> Result<(), CliError> {
        let pending = self.pending_file(prepared.message_id, prepared.kind);
        match fs::remove_file(&pending) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CliError::file(&pending, &error)),
            _ => sync_dir(&self.dir),
        }
    }
}

/// A new message id of the present.
pub fn fresh_id(clock: &dyn Clock, entropy: &dyn Entropy) -> MessageId {
    let mut random = [0_u8; 10];
    entropy.fill(&mut random);
    MessageId::new(clock.now(), random)
}

/// The draft with id and salt.
#[must_use]
pub fn complete(draft: &DynamicMessage, message_id: MessageId, salt: &[u8]) -> DynamicMessage {
    let mut request = draft.clone();
    request.set_field_by_name("message_id", Field::String(message_id.to_string()));
    request.set_field_by_name("content_salt", Field::Bytes(bytes::Bytes::copy_from_slice(salt)));
    request
}

fn stripped(request: &DynamicMessage) -> DynamicMessage {
    let mut draft = request.clone();
    draft.clear_field_by_name("message_id");
    draft.clear_field_by_name("content_salt");
    draft
}

fn salt_of(entry: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(entry.get("content_salt")?.as_str()?).ok().filter(|salt| salt.len() == 32)
}

fn bytes_field(message: &DynamicMessage, name: &str) -> Vec<u8> {
    message.get_field_by_name(name).and_then(|field| field.as_bytes().map(|bytes| bytes.to_vec())).unwrap_or_default()
}

fn read_request(file: &Path, descriptor: MessageDescriptor) -> Result<DynamicMessage, CliError> {
    let bytes = files::read(file, REQUEST_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    DynamicMessage::decode(descriptor, bytes.as_slice())
        .map_err(|_| CliError::Usage(format!("{}: is no request of this kind; move it out of the outbox", file.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::cli::schema::{descriptor, from_value};
    use crate::clock::{MockClock, SeededEntropy};
    use crate::domain::time::Timestamp;

    fn draft(date: &str) -> DynamicMessage {
        let request = serde_json::json!({"content": {"case_ref": "04HMAS-W9NF6Y-Y41J5S", "missed_dates": [date]}});
        from_value(descriptor("ReportNonAttendanceRequest"), &request).unwrap()
    }

    struct Bed {
        dir: tempfile::TempDir,
        clock: MockClock,
        entropy: SeededEntropy,
    }

    impl Bed {
        fn new() -> Self {
            let clock = MockClock::new(Timestamp::from_millis(1_780_000_000_000));
            Self { dir: tempfile::tempdir().unwrap(), clock, entropy: SeededEntropy::new(3) }
        }

        fn outbox(&self) -> Outbox {
            Outbox::open(&self.dir.path().join("outbox")).unwrap()
        }

        fn prepare(&self, draft: &DynamicMessage, id: Option<MessageId>) -> Result<Prepared, CliError> {
            self.clock.advance_millis(10);
            self.outbox().prepare("report", draft, id, &self.clock, &self.entropy)
        }
    }

    #[test]
    fn a_retry_after_a_lost_answer_sends_the_very_same_bytes() {
        let bed = Bed::new();
        let first = bed.prepare(&draft("2026-11-10"), None).unwrap();
        let again = bed.prepare(&draft("2026-11-10"), None).unwrap();
        assert_eq!((first.attempt, again.attempt), (Attempt::First, Attempt::Again));
        assert_eq!(first.request.encode_to_vec(), again.request.encode_to_vec());
        let by_id = bed.prepare(&draft("2026-11-10"), Some(first.message_id)).unwrap();
        assert_eq!(first.request.encode_to_vec(), by_id.request.encode_to_vec());
        let other = bed.prepare(&draft("2026-11-11"), None).unwrap();
        assert_ne!(other.message_id, first.message_id);
    }

    #[test]
    fn another_content_under_a_kept_id_is_refused() {
        let bed = Bed::new();
        let first = bed.prepare(&draft("2026-11-10"), None).unwrap();
        assert_eq!(bed.prepare(&draft("2026-11-11"), Some(first.message_id)).unwrap_err().code(), 2);
    }

    #[test]
    fn after_acceptance_the_content_is_gone_and_a_retry_by_id_still_sends_the_same() {
        let bed = Bed::new();
        let first = bed.prepare(&draft("2026-11-10"), None).unwrap();
        bed.outbox().accepted(&first, &serde_json::json!({"log_index": 7}), b"receipt").unwrap();
        let kept: Vec<_> = fs::read_dir(bed.dir.path().join("outbox")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        for file in &kept {
            assert!(!fs::read_to_string(file).unwrap().contains("2026-11-10"));
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read(bed.outbox().receipt_file(first.message_id)).unwrap(), b"receipt");
        let by_id = bed.prepare(&draft("2026-11-10"), Some(first.message_id)).unwrap();
        assert_eq!(first.request.encode_to_vec(), by_id.request.encode_to_vec());
        let anew = bed.prepare(&draft("2026-11-10"), None).unwrap();
        assert_ne!(anew.message_id, first.message_id, "the same content on purpose is a new message");
    }

    #[test]
    fn a_request_refused_for_good_leaves_nothing_behind() {
        let bed = Bed::new();
        let first = bed.prepare(&draft("2026-11-10"), None).unwrap();
        bed.outbox().forget(&first).unwrap();
        assert_eq!(fs::read_dir(bed.dir.path().join("outbox")).unwrap().count(), 0);
    }
}
