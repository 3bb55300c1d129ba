//! What a command may replace where its caller names the file: nothing but what the same command wrote. Everything else that may lie there is somebody's,
//! a key, a mark, a register, and is not known here by its kinds: what is not known is kept.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::audit::{bundle, report};
use super::exit::CliError;
use super::outbox::write_durably;
use crate::audit::leaf::Leaf;
use crate::audit::tlog_proof::is_tlog_proof;
use crate::regular_file::{self, Links};
use crate::tls::files;

/// Of a file that is there, so many bytes are looked at: the longest item is shorter.
const LOOKED_AT_MAX: u64 = 1024 * 1024;

/// What a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// A report of a bundle.
    Report,
    /// An evidence bundle.
    Bundle,
    /// A signed head. It replaces none: the one that is there may be a mark, and an older head is what shows a fork.
    Head,
    /// A receipt, or another tlog-proof.
    Proof,
    /// The bytes of a leaf.
    Leaf,
    /// A fetched item, by its number.
    Item(u64),
}

impl Writes {
    const fn name(self) -> &'static str {
        match self {
            Self::Report => "a report of `samband audit report`",
            Self::Bundle => "a bundle of `samband audit export`",
            Self::Head => "a signed head",
            Self::Proof => "a tlog-proof",
            Self::Leaf => "the 33 bytes of a leaf",
            Self::Item(_) => "the same item",
        }
    }

    /// Whether a file that begins with `begin` is one that this replaces.
    fn replaces(self, begin: &[u8]) -> bool {
        match self {
            Self::Report => report::is_report(begin),
            Self::Bundle => bundle::write::is_bundle(begin),
            Self::Head => false,
            Self::Proof => is_tlog_proof(begin),
            Self::Leaf => <[u8; Leaf::LEN]>::try_from(begin).is_ok_and(|bytes| Leaf::from_bytes(bytes).is_some()),
            Self::Item(number) => serde_json::from_slice::<Value>(begin).is_ok_and(|item| item["item_number"] == number),
        }
    }

    /// Refuses to replace what is not of this command, and to write into a gateway's data folder.
    ///
    /// # Errors
    /// [`CliError::Usage`].
    pub fn allows(self, path: &Path) -> Result<(), CliError> {
        let said = |what: &str| Err(CliError::Usage(format!("{}: {what}", path.display())));
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_default();
        if folder.ancestors().any(|above| above.join("FORMAT").exists() && above.join("CURRENT").exists()) {
            return said("it lies in the data folder of a gateway, where nothing else is written; name a file elsewhere");
        }
        files::may_be_replaced(path).map_err(|error| CliError::Usage(error.to_string()))?;
        let mut begin = Vec::new();
        let read = regular_file::open(path, Links::Refuse).map_err(std::io::Error::from);
        match read.and_then(|file| file.take(LOOKED_AT_MAX).read_to_end(&mut begin)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Ok(_) if self.replaces(&begin) => Ok(()),
            Ok(_) if self == Self::Head => said(
                "is there already, and a head replaces no file, as an older one is what shows a fork; name another file, or move it away first",
            ),
            Ok(_) => said(&format!(
                "is there already and is not {}, which is all that is replaced; name another file, or move it away first",
                self.name()
            )),
            Err(error) => Err(CliError::file(path, &error)),
        }
    }

    /// Writes a file durably, for its owner only.
    ///
    /// # Errors
    /// See [`Writes::allows`]; also what the system says.
    pub fn write(self, path: &Path, bytes: &[u8]) -> Result<(), CliError> {
        self.allows(path)?;
        write_durably(path, bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_command_did_not_write_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let leaf = [&[1_u8][..], &[7; 32]].concat();
        let others: [(&str, &[u8]); 9] = [
            ("key.pem", b"-----BEGIN PRIVATE KEY-----\n"),
            ("log-key", b"PRIVATE+KEY+samband.example/log+0123abcd+AQ==\n"),
            ("participants.toml", b"[[participant]]\n"),
            ("watch.checkpoint", b"samband.example/log\n5\nAAAA\n\n-- sig\n"),
            ("page.html", b"<!doctype html>\n<html lang=\"nb\">\n<title>Rapport fra loggen</title>"),
            ("other.tar", &[0; 10_240]),
            ("one.leaf", &[2; 33]),
            ("long.leaf", &[1; 34]),
            ("empty", b""),
        ];
        let all = [Writes::Report, Writes::Bundle, Writes::Head, Writes::Proof, Writes::Leaf, Writes::Item(7)];
        for (name, content) in others {
            fs::write(path(name), content).unwrap();
            for writes in all {
                let error = writes.write(&path(name), b"new").unwrap_err();
                assert!(error.code() == 2 && error.to_string().contains("is there already"), "{writes:?} {name}: {error}");
                assert!(error.to_string().ends_with("; name another file, or move it away first"), "{error}");
            }
            assert_eq!(fs::read(path(name)).unwrap(), content, "{name}");
        }
        let own: [(Writes, &[u8]); 3] =
            [(Writes::Proof, b"c2sp.org/tlog-proof@v1\nindex 3\n"), (Writes::Leaf, &leaf), (Writes::Item(7), b"{\"item_number\": 7}\n")];
        for (writes, content) in own {
            fs::write(path("own"), content).unwrap();
            for other in all {
                assert_eq!(other.allows(&path("own")).is_ok(), other == writes, "{other:?} {writes:?}");
            }
            writes.write(&path("own"), b"new").unwrap();
            assert_eq!(fs::read(path("own")).unwrap(), b"new");
        }
        fs::write(path("own"), b"{\"item_number\": 8}\n").unwrap();
        assert!(Writes::Item(7).allows(&path("own")).is_err(), "another item");
        for writes in all {
            writes.write(&path(&format!("new-{writes:?}")), b"new").unwrap();
        }
    }

    #[test]
    fn nothing_is_written_into_a_gateway_s_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir_all(data.join("log")).unwrap();
        for name in ["FORMAT", "CURRENT", "log/0.leaf"] {
            fs::write(data.join(name), [&[1_u8][..], &[7; 32]].concat()).unwrap();
        }
        for name in ["new", "log/new", "log/0.leaf"] {
            let error = Writes::Leaf.write(&data.join(name), b"new").unwrap_err();
            assert!(error.code() == 2 && error.to_string().contains("in the data folder of a gateway"), "{name}: {error}");
        }
        assert!(!data.join("new").exists() && !data.join("log/new").exists());
    }
}
