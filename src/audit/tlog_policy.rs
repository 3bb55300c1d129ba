//! Trust policies (C2SP tlog-policy): which logs and witnesses are known, and how many cosignatures make a checkpoint good enough.
//!
//! A policy is a file of bytes in lines; names are opaque bytes. Both sides use it: the gateway to know its witnesses and where they are, a
//! verifier to say what it demands.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cosignature::{CosignatureError, WitnessVerifier};
use super::note::{KeyError, LogVerifier, UnverifiedNote};

/// The longest policy, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// Logs, witnesses and groups of one policy, each.
pub const MEMBERS_MAX: usize = 64;

/// What is wrong with a policy, and on which line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PolicyError {
    /// The line; one past the last for what is missing.
    pub line: usize,
    /// What.
    pub what: PolicyFault,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Longer than [`POLICY_BYTES_MAX`].
    #[error("the policy is longer than {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// The last line has no newline.
    #[error("the last line is not ended by a newline; is the file whole?")]
    Unterminated,
    /// A control character.
    #[error("a policy holds no control characters but newline and tab")]
    Character,
    /// Neither log, witness, group, quorum nor comment.
    #[error("a line is 'log', 'witness', 'group', 'quorum' or a comment after '#', with its items")]
    Line,
    /// A key that cannot be used.
    #[error("{0}")]
    Key(KeyError),
    /// The same key twice.
    #[error("this key stands in the policy already, also if under another name")]
    DuplicateKey,
    /// A name given twice, or the name `none`.
    #[error("this name is taken; witnesses and groups share their names, and 'none' is nobody's")]
    Name,
    /// A name that no earlier line defines.
    #[error("this name is not defined on a line above")]
    UnknownName,
    /// A name that is a member of two groups.
    #[error("a name is a member of one group at most, so that nobody counts twice")]
    MemberTwice,
    /// A threshold outside 1 to the number of members.
    #[error("a group is 'any', 'all' or a number from 1 to the number of its members")]
    Threshold,
    /// More than [`MEMBERS_MAX`].
    #[error("a policy has at most {MEMBERS_MAX} logs, witnesses and groups each")]
    TooMany,
    /// None or more than one.
    #[error("a policy has exactly one quorum line")]
    Quorum,
}

/// A witness of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name within the policy, as text for people.
    pub name: String,
    /// Its key.
    pub verifier: WitnessVerifier,
    /// Where checkpoints are submitted to: the prefix before `/add-checkpoint`.
    pub url: Option<String>,
}

/// What counts as one voice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Voice {
    Witness(usize),
    Group { threshold: usize, members: Vec<usize> },
}

/// A whole policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogPolicy {
    logs: Vec<LogVerifier>,
    witnesses: Vec<PolicyWitness>,
    /// A voice refers to earlier ones only.
    voices: Vec<Voice>,
    quorum: Option<usize>,
}

/// A checkpoint that a policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The head.
    pub checkpoint: Checkpoint,
    /// Witnesses whose cosignatures hold, by their place in [`TlogPolicy::witnesses`], with their times in seconds since 1970.
    pub by: Vec<(usize, u64)>,
}

/// Why a policy does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWitnessed {
    /// The log's signature or the form.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy names logs, and not this one.
    #[error("the policy does not name the key of this log")]
    OtherLog,
    /// A cosignature of a known witness is false.
    #[error("the cosignature of {name} is false: {source}")]
    Cosignature {
        /// The witness.
        name: String,
        /// Why.
        source: CosignatureError,
    },
    /// Not enough of them.
    #[error("the cosignatures do not make the policy's quorum: {found} of {known} witnesses cosigned")]
    Quorum {
        /// Those that hold.
        found: usize,
        /// All that the policy names.
        known: usize,
    },
}

struct Parser {
    policy: TlogPolicy,
    names: Vec<Vec<u8>>,
    is_member: Vec<bool>,
    groups: usize,
    quorum_lines: usize,
}

impl TlogPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first [`PolicyError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let fault = |line, what| PolicyError { line, what };
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(fault(1, PolicyFault::TooLong));
        }
        let policy = Self { logs: Vec::new(), witnesses: Vec::new(), voices: Vec::new(), quorum: None };
        let mut parser = Parser { policy, names: Vec::new(), is_member: Vec::new(), groups: 0, quorum_lines: 0 };
        let mut count = 0;
        for (line, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(1..) {
            count = number;
            let line = line.strip_suffix(b"\n").ok_or(fault(number, PolicyFault::Unterminated))?;
            if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
                return Err(fault(number, PolicyFault::Character));
            }
            parser.line(line).map_err(|what| fault(number, what))?;
        }
        if parser.quorum_lines == 1 { Ok(parser.policy) } else { Err(fault(count + 1, PolicyFault::Quorum)) }
    }

    /// The logs it knows; none means any.
    #[must_use]
    pub fn logs(&self) -> &[LogVerifier] {
        &self.logs
    }

    /// The witnesses it knows.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether it demands a cosignature at all.
    #[must_use]
    pub const fn demands_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether cosignatures of these witnesses, by their place, make the quorum.
    #[must_use]
    pub fn is_quorum(&self, cosigned: &[usize]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut heard = Vec::with_capacity(self.voices.len());
        for voice in &self.voices {
            heard.push(match voice {
                Voice::Witness(at) => cosigned.contains(at),
                Voice::Group { threshold, members } => {
                    members.iter().filter(|member| heard.get(**member) == Some(&true)).count() >= *threshold
                }
            });
        }
        heard.get(quorum) == Some(&true)
    }

    /// Opens a checkpoint and demands the quorum. A false cosignature of a witness that is known refuses the checkpoint as a whole.
    ///
    /// # Errors
    /// A [`NotWitnessed`].
    pub fn accept(&self, signed: &str, log: &LogVerifier) -> Result<Witnessed, NotWitnessed> {
        if !self.logs.is_empty() && !self.logs.contains(log) {
            return Err(NotWitnessed::OtherLog);
        }
        let checkpoint = Checkpoint::open(signed, log)?;
        let note = UnverifiedNote::parse(signed).map_err(CheckpointError::from)?;
        let mut by = Vec::new();
        for (witness, at) in self.witnesses.iter().zip(0..) {
            match witness.verifier.cosigned_at(&note) {
                Ok(time) => by.push((at, time)),
                Err(CosignatureError::Missing) => {}
                Err(source) => return Err(NotWitnessed::Cosignature { name: witness.name.clone(), source }),
            }
        }
        let places: Vec<usize> = by.iter().map(|(at, _)| *at).collect();
        if self.is_quorum(&places) {
            Ok(Witnessed { checkpoint, by })
        } else {
            Err(NotWitnessed::Quorum { found: by.len(), known: self.witnesses.len() })
        }
    }
}

impl Parser {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        let items: Vec<&[u8]> = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"group", name, threshold, members @ ..] => self.group(name, threshold, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err(PolicyFault::Line),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), PolicyFault> {
        let key: LogVerifier = text(key).ok_or(PolicyFault::Key(KeyError::Form))?.parse().map_err(PolicyFault::Key)?;
        if self.policy.logs.len() == MEMBERS_MAX {
            return Err(PolicyFault::TooMany);
        }
        if self.policy.logs.iter().any(|known| known.public() == key.public()) {
            return Err(PolicyFault::DuplicateKey);
        }
        self.policy.logs.push(key);
        Ok(())
    }

    fn name(&mut self, name: &[u8], voice: Voice) -> Result<(), PolicyFault> {
        if name == b"none" || self.names.iter().any(|known| known == name) {
            return Err(PolicyFault::Name);
        }
        self.names.push(name.to_vec());
        self.is_member.push(false);
        self.policy.voices.push(voice);
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyFault> {
        let verifier: WitnessVerifier = text(key).ok_or(PolicyFault::Key(KeyError::Form))?.parse().map_err(PolicyFault::Key)?;
        if self.policy.witnesses.len() == MEMBERS_MAX {
            return Err(PolicyFault::TooMany);
        }
        if self.policy.witnesses.iter().any(|known| known.verifier.public() == verifier.public()) {
            return Err(PolicyFault::DuplicateKey);
        }
        self.name(name, Voice::Witness(self.policy.witnesses.len()))?;
        let name = String::from_utf8_lossy(name).into_owned();
        let url = url.map(|url| String::from_utf8_lossy(url).into_owned());
        self.policy.witnesses.push(PolicyWitness { name, verifier, url });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), PolicyFault> {
        if self.groups == MEMBERS_MAX || members.len() > 2 * MEMBERS_MAX {
            return Err(PolicyFault::TooMany);
        }
        let threshold = match threshold {
            b"any" => 1,
            b"all" => members.len(),
            number => {
                text(number).and_then(super::text::decimal).and_then(|number| usize::try_from(number).ok()).ok_or(PolicyFault::Threshold)?
            }
        };
        if !(1..=members.len()).contains(&threshold) {
            return Err(PolicyFault::Threshold);
        }
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let at = self.place(member)?;
            if std::mem::replace(&mut self.is_member[at], true) {
                return Err(PolicyFault::MemberTwice);
            }
            places.push(at);
        }
        self.name(name, Voice::Group { threshold, members: places })?;
        self.groups += 1;
        Ok(())
    }

    fn place(&self, name: &[u8]) -> Result<usize, PolicyFault> {
        self.names.iter().position(|known| known == name).ok_or(PolicyFault::UnknownName)
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        self.quorum_lines += 1;
        if self.quorum_lines > 1 {
            return Err(PolicyFault::Quorum);
        }
        self.policy.quorum = if name == b"none" { None } else { Some(self.place(name)?) };
        Ok(())
    }
}

fn text(item: &[u8]) -> Option<&str> {
    std::str::from_utf8(item).ok()
}

#[cfg(test)]
#[path = "tlog_policy_tests.rs"]
mod tests;
