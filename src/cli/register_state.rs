//! Whether the gateway would take a register: asked of the gateway that runs, else of its store, as far as either can be asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Deserialize;

use crate::config::Config;
use crate::config::keys::read_storage_key;
use crate::domain::id::ParticipantId;
use crate::domain::participant::{OrganisationNumber, Participant, Register, RegisterError, Role};
use crate::domain::register_past::{Bearer, RegisterPast};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::info::register_past;

use super::exit::CliError;

/// The largest answer of the administrative listener, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// What a register is held against.
pub enum Held {
    /// By the gateway that runs. Who has mail or open cases it does not say.
    Running(Answer),
    /// By the store of one that does not run, or has no administrative listener.
    Stored(RegisterPast),
    /// There is no store yet: the first register is held against nothing.
    Nothing,
    /// Could not be found out, and why.
    Unknown(String),
}

impl Held {
    /// Asks the gateway of `config`, then looks into its store; `next` is the register that is to come into force.
    pub fn of(config: &Config, next: &Register) -> Self {
        match config.admin_listen.map(|admin| ask(admin.get())) {
            Some(Ok(answer)) => Self::Running(answer),
            _ => Self::stored(config, next),
        }
    }

    /// Looks into the store alone.
    pub fn stored(config: &Config, next: &Register) -> Self {
        if !EmbeddedStore::exists(&config.data_dir) {
            return Self::Nothing;
        }
        let key = match read_storage_key(&config.storage_key_file) {
            Ok(key) => key,
            Err(error) => return Self::Unknown(error.to_string()),
        };
        match register_past(&config.data_dir, key, next) {
            Ok(past) => Self::Stored(past),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }

    /// What `next` is held against, if that is known.
    pub const fn past(&self) -> Option<&RegisterPast> {
        match self {
            Self::Running(answer) => Some(&answer.past),
            Self::Stored(past) => Some(past),
            Self::Nothing | Self::Unknown(_) => None,
        }
    }

    /// Whether the gateway would take `next`, as far as is known.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, next: &Register) -> Result<(), RegisterError> {
        self.past().map_or(Ok(()), |past| past.check(next))
    }
}

/// What the administrative listener says of registers.
pub struct Answer {
    /// Generation in force.
    pub generation: u64,
    /// The register in force, and who stood in earlier ones.
    pub past: RegisterPast,
    /// Why the register on disk is another one.
    pub file_refused: Option<String>,
}

#[derive(Deserialize)]
struct InForce {
    generation: u64,
    file_refused: Option<String>,
    participant: Vec<Participant>,
    #[serde(default)]
    former: Vec<Former>,
}

#[derive(Deserialize)]
struct Former {
    id: ParticipantId,
    role: Option<Role>,
    organisation_number: Option<OrganisationNumber>,
}

/// Asks the gateway behind `admin`, which listens on this machine only.
///
/// # Errors
/// [`CliError::Unreachable`] when nothing answers there, or something else does.
pub fn ask(admin: SocketAddr) -> Result<Answer, CliError> {
    let unreachable = |error: &std::io::Error| {
        CliError::Unreachable(format!("the gateway does not answer at {admin}: {error}; start it, or name a file with --in-force"))
    };
    let answer = get(admin).map_err(|error| unreachable(&error))?;
    read(&answer).ok_or_else(|| CliError::Unreachable(format!("what answers at {admin} is no gateway of this version")))
}

/// What stands in an answer over HTTP.
fn read(answer: &str) -> Option<Answer> {
    let (_, body) = answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200 "))?;
    let InForce { generation, file_refused, participant, former } = toml::from_str(body).ok()?;
    let in_force = Register::new(generation, participant, &|_| true).ok()?;
    let former = former.into_iter().map(|Former { id, role, organisation_number }| {
        (id, role.zip(organisation_number).map(|(role, organisation_number)| Bearer { role, organisation_number }))
    });
    let past = RegisterPast::new(in_force.into(), former.collect(), std::collections::BTreeSet::new());
    Some(Answer { generation, past, file_refused })
}

#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    /// An answer's text.
    pub fn answer(text: &str) {
        let _ = super::read(text);
    }
}

fn get(admin: SocketAddr) -> std::io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&admin, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /register HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
