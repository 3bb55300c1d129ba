//! Proofs and the leaf beside them: one of an entry whose record is erased, or cannot be read, opens nothing and is verified from its leaf.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::audit::checkpoint::Origin;
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::receipt::{ReceiptError, Standing};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::receipt::{Proved, prove as prove_opened, read_proof};
use crate::tls::files::{self, FileError};

/// Where the leaf of a proof is looked for.
#[derive(Debug)]
pub struct Beside {
    file: PathBuf,
    /// A caller named it, so it has to be there.
    is_named: bool,
}

impl Beside {
    /// Beside the proof, under its name.
    #[must_use]
    pub fn of(proof: &Path) -> Self {
        Self { file: proof.with_extension("leaf"), is_named: false }
    }

    /// The file of this name.
    #[must_use]
    pub fn named(file: &Path) -> Self {
        Self { file: file.to_owned(), is_named: true }
    }

    /// Its bytes, if it is there.
    fn read(&self) -> Result<Option<Vec<u8>>, CliError> {
        match files::read(&self.file, Leaf::LEN as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound && !self.is_named => Ok(None),
            Err(error @ FileError::TooLarge { .. }) => Err(CliError::Failed(error.to_string())),
            Err(error) => Err(CliError::Usage(error.to_string())),
        }
    }
}

/// What a proof shows.
#[derive(Debug)]
pub enum Shown {
    /// Its record.
    Opened(Proved),
    /// Its leaf alone.
    Unopened(Unopened),
}

/// A leaf that stands in the log, of a proof that opens no record.
#[derive(Debug)]
pub struct Unopened(Standing);

/// Verifies a receipt or proof; a leaf beside it is that entry, and one that opens nothing is verified from it.
///
/// # Errors
/// A file cannot be read or is lacking, or what does not hold.
pub fn prove(file: &Path, beside: &Beside, verifier: &LogVerifier, origin: &Origin) -> Result<Shown, CliError> {
    let text = read_proof(file)?;
    let failed = |path: &Path, what: &str| CliError::Failed(format!("{}: {what}", path.display()));
    let opened = match prove_opened(&text, verifier, origin) {
        Err(ReceiptError::NoOpening) => None,
        other => Some(other.map_err(|error| failed(file, &error.to_string()))?),
    };
    match (opened, beside.read()?) {
        (Some(proved), None) => Ok(Shown::Opened(proved)),
        (Some(proved), Some(leaf)) if leaf == proved.leaf.as_bytes() => Ok(Shown::Opened(proved)),
        (Some(_), Some(_)) => Err(failed(&beside.file, "is not the leaf that the receipt beside it opens")),
        (None, None) => {
            let what = "it opens no record, so it is checked with the 33 bytes of its entry, and these are not there: put";
            Err(failed(
                file,
                &format!("{what} {} beside it as `samband audit prove` does, or name the file with --leaf", beside.file.display()),
            ))
        }
        (None, Some(leaf)) => match Standing::verify(&text, &leaf, verifier, origin) {
            Ok(stands) => Ok(Shown::Unopened(Unopened(stands))),
            Err(ReceiptError::NoLeaf) => Err(failed(&beside.file, &ReceiptError::NoLeaf.to_string())),
            Err(error) => Err(failed(file, &format!("with the leaf of {}: {error}", beside.file.display()))),
        },
    }
}

impl Unopened {
    /// Place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.0.index()
    }

    /// The leaf.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        self.0.leaf()
    }

    fn hex(&self) -> String {
        self.leaf().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What stood where, and what that does not show.
    fn in_words(&self, log: &str, key: &str) -> String {
        let (index, size) = (self.index(), self.0.size());
        format!(
            "holds: entry {index} of {log} at size {size}, its record not opened\n  leaf={leaf}\n\
             This shows: the leaf above stood in the log {log} at place {index}, no later than when the log had {size} entries, signed by {key}.\n\
             In no log that goes on from that head can another stand in its place.\n\
             It does not show what the entry said, when it was made, or of whom it tells: the proof opens no record. The log makes such a proof where the record is\n\
             erased, or kept and cannot be read; which of these, or that its opening was taken out of this file, the file does not show.\n\
             Whoever has the log's key can sign a second log beside it: witnesses, or a head that others keep, show that, and this alone does not.",
            leaf = self.hex(),
        )
    }

    /// Prints what was proved, and what not.
    pub fn show(&self, origin: &Origin, verifier: &LogVerifier, out: Output) {
        let json = json!({
            "verified": true, "log": origin.as_str(), "log_index": self.index(), "size": self.0.size(), "leaf": self.hex(), "record": null,
            "content_shown": false,
        });
        out.result(&self.in_words(origin.as_str(), &verifier.to_string()), &json);
    }
}

/// How many proofs of a folder opened nothing, in words.
#[must_use]
pub fn counted(count: usize) -> String {
    format!(
        "\n  and {count} proofs that open no record (erased, not readable, or the opening taken out): their leaves stand in their places, and what they said \
         is not shown"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::Checkpoint;
    use crate::audit::leaf::{AuditorOpening, Opening as _, Openings};
    use crate::audit::nodes::RecentNodes;
    use crate::audit::note::LogSigner;
    use crate::audit::proof::inclusion_proof;
    use crate::audit::tlog_proof::TlogProof;

    #[test]
    fn what_a_bare_leaf_shows_is_said_with_what_it_does_not() {
        let origin: Origin = "log.example/x".parse().unwrap();
        let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([1; 32]));
        let leaf = AuditorOpening::new(Openings::new([1; 32], [2; 32]), b"a secret\n".to_vec(), vec![]).unwrap().leaf();
        let mut nodes = RecentNodes::default();
        (0..9).for_each(|_| nodes.push(leaf.hash()));
        let head = Checkpoint::new(origin.clone(), 9, nodes.root()).unwrap().sign(&signer).unwrap();
        let proof = TlogProof::new(&[], 5, &inclusion_proof(&nodes, 5, 9).unwrap(), head.as_str()).unwrap().encode();
        let stands = Unopened(Standing::verify(&proof, leaf.as_bytes(), signer.verifier(), &origin).unwrap());
        let said = stands.in_words("log.example/x", "log.example/x+1");
        assert!(said.starts_with("holds: entry 5 of log.example/x at size 9, its record not opened\n  leaf=01"), "{said}");
        for words in [
            "stood in the log log.example/x at place 5, no later than when the log had 9 entries",
            "It does not show what the entry said",
            "erased, or kept and cannot be read; which of these, or that its opening was taken out of this file, the file does not show",
            "Whoever has the log's key can sign a second log beside it",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(!said.contains("secret"), "{said}");
    }
}
