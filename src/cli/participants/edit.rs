//! The commands that edit the register: each says what it will change, asks, and writes the file whole or not at all.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::exit::CliError;
use super::super::output::Output;
use super::super::register_state::{Answer, Held, ask};
use super::{FileArgs, now, open, refused, show};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::config::register_edit::{NewParticipant, RegisterEdit};
use crate::domain::id::ParticipantId;
use crate::domain::participant::{Contact, EnrolledKey, MunicipalityNumber, OrganisationNumber, Participant, Register, Role, Standing};
use crate::domain::scope::AuditScope;
use crate::domain::time::DAY_MILLIS;
use crate::tls::files::read_certificates;
use crate::tls::{HandshakeReason, PeerIdentity, TlsSettings};

pub const ADD_HELP: &str = "Examples:
  samband participants add politi-ny --name 'Ny politidistrikt' --role prosecution --cert cert.pem --contact-role 'Påtalejurist i vakt' --phone +4700000001 --config /etc/samband/samband.toml
  samband participants add ru-ny --name 'Rådgivende enhet Ny' --role municipal-unit --municipality 3411 --administrative-system --cert cert.pem --config /etc/samband/samband.toml --dry-run

Organisation number and key are read from the certificate, which must be one that the gateway would let in. Its private key stays where it is.
A municipality that another unit serves moves to this one.";

pub const ADD_KEY_HELP: &str = "Examples:
  samband participants add-key politi-oslo --cert renewed.pem --label 2027 --config /etc/samband/samband.toml
  samband participants add-key ru-oslo --cert supplier.pem --label leverandor --operated-by 800000815 --config /etc/samband/samband.toml

A certificate renewed with the same key needs nothing: it is the key that is enrolled. With a new key, enrol it beside the old one, let the
participant change over, then remove-key the old one. A supplier's certificate acts for the participant when --operated-by names the supplier.";

pub const REMOVE_KEY_HELP: &str = "Examples:
  samband participants remove-key politi-oslo --label 2026 --config /etc/samband/samband.toml

Open connections of that key end when the register comes into force.";

pub const SUSPEND_HELP: &str = "Examples:
  samband participants suspend lab-ous --config /etc/samband/samband.toml";

pub const RESUME_HELP: &str = "Examples:
  samband participants resume lab-ous --config /etc/samband/samband.toml";

pub const MOVE_HELP: &str = "Examples:
  samband participants move-municipality 3411 --to ru-ny --config /etc/samband/samband.toml

For a municipality that leaves a joint unit or joins one. New notices go to the new unit; cases stay where they are, until a corrected notice
moves one.";

pub const RETIRE_HELP: &str = "Examples:
  samband participants retire politi-innlandet --successor politi-ost --config /etc/samband/samband.toml
  samband participants retire ru-gammel --successor ru-ny --config /etc/samband/samband.toml --yes

For good: the id, its role and its successor never change again, and the entry stays in the register. Undelivered mail, cases, named
laboratories and the right to all that it sent pass to the successor, which must be of the same role; a unit's municipalities too. Move those
that go elsewhere before. The log gets an event. Auditors and mirrors have nothing to pass on and need no successor.";

/// A gateway looks at its files every second and takes what has kept still for two looks.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether and how the file is written.
#[derive(Debug, Clone, Copy, Args)]
pub struct WriteArgs {
    /// Say what would change and write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
}

/// A role, as the command line spells it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    Prosecution,
    MunicipalUnit,
    Laboratory,
    Auditor,
    Mirror,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Prosecution => Self::Prosecution,
            RoleArg::MunicipalUnit => Self::MunicipalUnit,
            RoleArg::Laboratory => Self::Laboratory,
            RoleArg::Auditor => Self::Auditor,
            RoleArg::Mirror => Self::Mirror,
        }
    }
}

/// Arguments of `add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// A new id, for ever
    #[arg(value_name = "ID")]
    pub id: String,
    /// The name that counterparts see
    #[arg(long)]
    pub name: String,
    /// What it is
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// Its certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// What the log calls its key [default: the year]
    #[arg(long)]
    pub label: Option<String>,
    /// Its organisation number, when the certificate is a supplier's
    #[arg(long, value_name = "NINE_DIGITS", requires = "operated_by")]
    pub organisation_number: Option<String>,
    /// The supplier whose certificate it is
    #[arg(long, value_name = "NINE_DIGITS", requires = "organisation_number")]
    pub operated_by: Option<String>,
    /// A municipality that a unit serves; may stand several times
    #[arg(long, value_name = "FOUR_DIGITS")]
    pub municipality: Vec<String>,
    /// A unit's declaration that its system is administrative and no patient journal
    #[arg(long)]
    pub administrative_system: bool,
    /// An auditor sees the whole log; a narrower scope is written by hand
    #[arg(long)]
    pub scope_all: bool,
    /// The key by which notices name its contact
    #[arg(long, default_value = "vakt")]
    pub contact_key: String,
    /// Role or function of its contact
    #[arg(long, value_name = "ROLE")]
    pub contact_role: Option<String>,
    /// Phone of its contact, E.164
    #[arg(long, requires = "contact_role")]
    pub phone: Option<String>,
    /// E-mail of its contact
    #[arg(long, requires = "contact_role")]
    pub email: Option<String>,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Arguments of `add-key`.
#[derive(Debug, Args)]
pub struct AddKeyArgs {
    /// The participant's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// The certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// What the log calls the key [default: the year]
    #[arg(long)]
    pub label: Option<String>,
    /// The supplier whose certificate acts for the participant
    #[arg(long, value_name = "NINE_DIGITS")]
    pub operated_by: Option<String>,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Arguments of `remove-key`.
#[derive(Debug, Args)]
pub struct RemoveKeyArgs {
    /// The participant's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// The key's label
    #[arg(long)]
    pub label: String,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Arguments of `suspend` and `resume`.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// The participant's id
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Arguments of `move-municipality`.
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The municipality's number
    #[arg(value_name = "FOUR_DIGITS")]
    pub municipality: String,
    /// The unit that serves it from now on
    #[arg(long, value_name = "ID")]
    pub to: String,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Arguments of `retire`.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// The participant's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Who takes over
    #[arg(long, value_name = "ID")]
    pub successor: Option<String>,
    #[command(flatten)]
    pub register: FileArgs,
    #[command(flatten)]
    pub write: WriteArgs,
}

pub fn id(text: &str) -> Result<ParticipantId, CliError> {
    text.parse().map_err(|error| CliError::Usage(format!("{text}: {error}")))
}

fn number(text: &str) -> Result<OrganisationNumber, CliError> {
    text.parse().map_err(|error| CliError::Usage(format!("{text}: {error}")))
}

fn municipality(text: &str) -> Result<MunicipalityNumber, CliError> {
    text.parse().map_err(|error| CliError::Usage(format!("{text}: {error}")))
}

/// What a certificate says of itself, if the gateway would let it in today.
fn certificate(path: &Path, register: &FileArgs, out: Output) -> Result<PeerIdentity, CliError> {
    let place = path.display();
    let chain = read_certificates(path)?;
    let leaf = chain.first().ok_or_else(|| CliError::Config(format!("{place}: no certificate")))?;
    let identity = PeerIdentity::from_leaf(leaf).map_err(|error| CliError::Config(format!("{place}: {error}")))?;
    let (end, today) = (identity.not_after(), now());
    if end < today {
        return Err(CliError::Config(format!("{place}: the certificate ended on {}; use a valid one", end.oslo_date())));
    }
    if end < today.plus_millis(60 * DAY_MILLIS) {
        out.note(&format!("{place}: the certificate ends on {}", end.oslo_date()));
    }
    match register.config()? {
        Some(config) => shake(path, &chain, &config, out)?,
        None => out.note(&format!("{place}: not held against the gateway's trust; name the gateway with --config")),
    }
    Ok(identity)
}

/// Judges the chain by the files of `config` as a handshake does.
fn shake(path: &Path, chain: &[impl AsRef<[u8]>], config: &Config, out: Output) -> Result<(), CliError> {
    use HandshakeReason as R;
    let place = path.display();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = config.tls_files().map_err(|error| error.to_string());
    let settings = settings.and_then(|files| TlsSettings::load(files, clock.clone()).map_err(|error| error.to_string()));
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            out.note(&format!("{place}: could not be held against the gateway's trust: {error}"));
            return Ok(());
        }
    };
    let Err(reason) = settings.judge(chain, clock.now()) else { return Ok(()) };
    let word = reason.as_str();
    let why = match reason {
        R::UnknownIssuer => "no chain to a CA of client_ca_files; give its intermediates in the same file, as the participant sends them",
        R::IssuerNotListed => "its issuer is no [[trust.issuer]]",
        R::PolicyNotListed => "it was not issued under a policy that is listed for its issuer: a certificate for another purpose",
        R::TestCertificate => "it is of a test CA, which production does not accept",
        R::WrongPurpose => "it is no client certificate (extended key usage clientAuth)",
        R::Revoked => "its issuer has revoked it",
        R::Expired => "it or one of its issuers has run out",
        // These pass, or are the fault of the lists or the CAs and not the certificate's.
        R::NotYetValid | R::AuthorityExpired | R::AuthorityNotYetValid | R::RevocationUnknown | R::RevocationListOverdue => {
            out.note(&format!("{place}: the gateway would refuse it now ({word}); it is entered all the same"));
            return Ok(());
        }
        R::UnclearName => "its issuer's common name stands there twice or cannot be read",
        R::ChainTooLong => "its file holds more certificates than a gateway looks at; leave the certificate and its intermediates",
        R::NoCertificate | R::Timeout | R::Protocol | R::Limit | R::Other => "it cannot be judged",
    };
    Err(CliError::Config(format!("{place}: the gateway would refuse this certificate at every handshake ({word}): {why}")))
}

fn label(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| now().oslo_date().to_string()[..4].to_owned())
}

/// The key of `identity` for a participant of `organisation`: its own, or a supplier's that is named.
fn key(
    identity: &PeerIdentity,
    organisation: OrganisationNumber,
    operated_by: Option<&String>,
    label: String,
) -> Result<EnrolledKey, CliError> {
    let holder = identity.organisation();
    let operated_by = operated_by.map(|text| number(text)).transpose()?;
    match operated_by {
        Some(named) if named != holder => {
            Err(CliError::Config(format!("the certificate is that of organisation {holder}, not of the supplier {named}")))
        }
        None if holder != organisation => Err(CliError::Config(format!(
            "the certificate is that of organisation {holder}, the participant is {organisation}; if a supplier acts for it, say --operated-by {holder}"
        ))),
        _ => Ok(EnrolledKey { hash: *identity.key_hash(), label, operated_by: operated_by.filter(|named| *named != organisation) }),
    }
}

/// Says what changes, asks, and writes.
fn finish(edit: &RegisterEdit<'_>, file: &FileArgs, write: WriteArgs, out: Output) -> Result<(), CliError> {
    let edited = edit.finish().map_err(|error| refused(&error))?;
    if edited.changes.is_empty() {
        out.note("nothing changes");
        return Ok(());
    }
    show::tell(&edited.changes, out);
    for entry in edited.register.iter() {
        // What a scope names is history when it is retired.
        let Some(AuditScope::Participants(named)) = &entry.scope else { continue };
        for gone in named.iter().filter(|id| edited.register.heir_of(id).is_some_and(|heir| !named.contains(heir))) {
            out.note(&format!("{}: its scope names {gone}, which is retired, and not the successor; it sees the history only", entry.id));
        }
    }
    tell_suspended_heirs(edit.register(), &edited.register, out);
    let config = file.config()?;
    let held = config.as_ref().map(|config| Held::of(config, &edited.register));
    hold_against(held.as_ref(), &edited.register, out)?;
    if write.dry_run {
        out.note("nothing is written");
        return Ok(());
    }
    if !write.yes && !agreed()? {
        return Err(CliError::Usage("nothing is written".to_owned()));
    }
    edited.write().map_err(|error| refused(&error))?;
    match (&held, config.and_then(|config| config.admin_listen)) {
        (Some(Held::Running(_)), Some(admin)) => await_in_force(admin.get(), &edited.register, out),
        _ => {
            out.note("written; a running gateway sees the file within seconds and says in its log whether it took it");
            Ok(())
        }
    }
}

/// A successor that may not act cannot fetch what it gets.
fn tell_suspended_heirs(before: &Register, after: &Register, out: Output) {
    let newly = |entry: &&Arc<Participant>| {
        entry.standing == Standing::Retired && before.get(&entry.id).is_none_or(|old| old.standing != Standing::Retired)
    };
    for entry in after.iter().filter(newly) {
        let heir = after.heir_of(&entry.id).and_then(|id| after.get(id)).filter(|heir| heir.standing == Standing::Suspended);
        if let Some(heir) = heir {
            out.note(&format!("{}: its successor {} is suspended; what it gets waits until it is resumed", entry.id, heir.id));
        }
    }
}

/// Whether the gateway would take the file, as far as that can be known before it is written.
fn hold_against(held: Option<&Held>, next: &Register, out: Output) -> Result<(), CliError> {
    let unknown = |why: &str| out.note(&format!("not held against the register in force: {why}"));
    match held {
        None => unknown("name the gateway with --config"),
        Some(Held::Unknown(why)) => unknown(why),
        Some(held) => {
            let refused = |error| CliError::Config(format!("nothing is written: the gateway would refuse the file: {error}"));
            held.check(next).map_err(refused)?;
            if let Held::Running(Answer { past, .. }) = held {
                for gone in past.in_force().iter().filter(|old| next.get(&old.id).is_none()) {
                    out.note(&format!(
                        "{}: in force and not in the file; the gateway refuses that while it has mail or open cases",
                        gone.id
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Waits until the gateway has taken the file that was written, or says that it did not.
fn await_in_force(admin: SocketAddr, written: &Register, out: Output) -> Result<(), CliError> {
    let begun = Instant::now();
    loop {
        std::thread::sleep(LOOK_EVERY);
        let answer = ask(admin);
        if let Ok(Answer { generation, past, file_refused }) = answer {
            if past.in_force().iter().eq(written.iter()) {
                out.note(&format!("written, and in force as generation {generation}"));
                return Ok(());
            }
            // It may still speak of the file before.
            if let Some(reason) = file_refused.filter(|_| begun.elapsed() >= TAKEN_WITHIN / 2) {
                return Err(CliError::Config(format!("written, but not in force, the gateway refused it: {reason}")));
            }
        }
        if begun.elapsed() >= TAKEN_WITHIN {
            out.note("written, but not in force yet; `samband participants diff` tells what differs, the gateway's log why");
            return Ok(());
        }
    }
}

/// Asks a person; whoever is none must have said --yes.
fn agreed() -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage("nothing is written: say --yes to write without being asked, or --dry-run".to_owned()));
    }
    _ = write!(std::io::stderr(), "write this? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| CliError::Usage(format!("no answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "j" | "J" | "ja"))
}

/// Enters a participant.
///
/// # Errors
/// Arguments out of shape, or what the gateway would refuse.
pub fn add(args: &AddArgs, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    let identity = certificate(&args.cert, &args.register, out)?;
    let organisation_number = args.organisation_number.as_deref().map_or(Ok(identity.organisation()), number)?;
    let new = NewParticipant {
        id: id(&args.id)?,
        name: args.name.clone(),
        role: args.role.into(),
        organisation_number,
        key: key(&identity, organisation_number, args.operated_by.as_ref(), label(args.label.as_ref()))?,
        municipalities: Vec::new(),
        contact: args.contact_role.as_ref().map(|role_name| Contact {
            key: args.contact_key.clone(),
            role_name: role_name.clone(),
            phone: args.phone.clone(),
            email: args.email.clone(),
        }),
        administrative_system: args.administrative_system,
        sees_all: args.scope_all,
    };
    let failed = |error| refused(&error);
    edit.add(&new).map_err(failed)?;
    for served in &args.municipality {
        edit.move_municipality(municipality(served)?, &new.id).map_err(failed)?;
    }
    finish(&edit, &args.register, args.write, out)
}

/// Enrols a key.
///
/// # Errors
/// As [`add`].
pub fn add_key(args: &AddKeyArgs, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    let id = id(&args.id)?;
    let identity = certificate(&args.cert, &args.register, out)?;
    let organisation = edit.register().get(&id).map(|entry| entry.organisation_number);
    let organisation = organisation.ok_or_else(|| CliError::Usage(format!("participant {id} is not in the register")))?;
    let key = key(&identity, organisation, args.operated_by.as_ref(), label(args.label.as_ref()))?;
    if !edit.add_key(&id, &key).map_err(|error| refused(&error))? {
        let text = format!("{id}: this key is enrolled; a certificate renewed with its key needs no change");
        out.result(&text, &json!({"participant": id, "change": "NONE", "text": "this key is enrolled"}));
        return Ok(());
    }
    finish(&edit, &args.register, args.write, out)
}

/// Takes a key out.
///
/// # Errors
/// As [`add`].
pub fn remove_key(args: &RemoveKeyArgs, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    edit.remove_key(&id(&args.id)?, &args.label).map_err(|error| refused(&error))?;
    finish(&edit, &args.register, args.write, out)
}

/// Suspends or resumes.
///
/// # Errors
/// As [`add`].
pub fn set_standing(args: &OneArgs, standing: &'static str, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    edit.set_standing(&id(&args.id)?, standing).map_err(|error| refused(&error))?;
    finish(&edit, &args.register, args.write, out)
}

/// Moves a municipality.
///
/// # Errors
/// As [`add`].
pub fn move_municipality(args: &MoveArgs, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    edit.move_municipality(municipality(&args.municipality)?, &id(&args.to)?).map_err(|error| refused(&error))?;
    finish(&edit, &args.register, args.write, out)
}

/// Retires.
///
/// # Errors
/// As [`add`].
pub fn retire(args: &RetireArgs, out: Output) -> Result<(), CliError> {
    let mut edit = open(&args.register)?;
    let successor = args.successor.as_deref().map(id).transpose()?;
    edit.retire(&id(&args.id)?, successor.as_ref()).map_err(|error| refused(&error))?;
    finish(&edit, &args.register, args.write, out)
}
