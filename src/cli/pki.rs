//! `samband pki dev|csr|check-crl`: a development PKI of all roles, a signing request for the real thing, and a look at a list that was fetched.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::clock::{Clock as _, SystemClock, SystemEntropy};
use crate::domain::participant::OrganisationNumber;
use crate::tls::fetched::{self, FetchedError, Fit};
use crate::tls::issue::KeyKind;
use crate::tls::pki::{self, Existing};

use super::exit::CliError;
use super::output::Output;

/// What to make.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make a CA, the gateway's certificate and one for each participant of the development register
    #[command(after_help = DEV_HELP)]
    Dev(DevArgs),
    /// Make a key and a signing request for an enterprise certificate
    #[command(after_help = CSR_HELP)]
    Csr(CsrArgs),
    /// Say whether a revocation list that was fetched may take the place of another
    #[command(after_help = CHECK_CRL_HELP)]
    CheckCrl(CheckCrlArgs),
}

const DEV_HELP: &str = "Examples:
  samband pki dev
  samband pki dev --dir certs-dev --force

Writes ca.pem, <id>/cert.pem and <id>/key.pem, and participants.toml. For development only: whoever can read the folder can be anyone.";

const CSR_HELP: &str = "Examples:
  samband pki csr --dir identity --organisation-number 800000017 --name 'Eksempel politidistrikt'
  samband pki csr --dir identity --organisation-number 800000017 --name 'Eksempel kommune' --common-name 'Rådgivende enhet' --key rsa3072
  openssl req -in identity/request.pem -verify -noout -text

Writes request.pem for the issuer and key.pem (0600), which never leaves this machine. The request has the profile of Norwegian enterprise
certificates (SEID 2.0): C=NO, O, organizationIdentifier NTRNO-<number> and CN; key usage digitalSignature, for authentication. Save the
certificate as cert.pem beside them. A new key beside the old one: make the request in another folder, let the operator enrol both keys,
change over, and have the old one taken out.";

const CHECK_CRL_HELP: &str = "Examples:
  samband pki check-crl --cas cas.pem --against issuing.crl issuing.crl.new

Most lists come over plain HTTP, so whoever answers may send any. Ends with 0 if the list is one of the CAs' own, whole and in date, and, where
there is one already, of the same CA and key and not older by its time or its number; otherwise it says why not. A file that is no list any more
is warned of and may be replaced (--json: damaged). deploy/fetch-crl.sh asks it.";

/// Kinds of keys, as the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CsrKey {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// RSA of 2048 bits
    Rsa2048,
    /// RSA of 3072 bits
    Rsa3072,
    /// RSA of 4096 bits
    Rsa4096,
}

impl From<CsrKey> for KeyKind {
    fn from(key: CsrKey) -> Self {
        match key {
            CsrKey::P256 => Self::P256,
            CsrKey::P384 => Self::P384,
            CsrKey::Rsa2048 => Self::Rsa2048,
            CsrKey::Rsa3072 => Self::Rsa3072,
            CsrKey::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// Arguments of `pki dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Where
    #[arg(long, value_name = "DIR", default_value = "certs-dev")]
    pub dir: PathBuf,
    /// Make everything anew, also what is there and valid
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `pki csr`.
#[derive(Debug, Args)]
pub struct CsrArgs {
    /// Where
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The organisation's number
    #[arg(long, value_name = "NINE_DIGITS")]
    pub organisation_number: String,
    /// The organisation's name as Enhetsregisteret has it
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// CN of the subject; the organisation's name unless given
    #[arg(long, value_name = "NAME")]
    pub common_name: Option<String>,
    /// The key; ask the issuer which it takes
    #[arg(long, value_name = "KIND", value_enum, default_value = "p256")]
    pub key: CsrKey,
}

/// Arguments of `pki check-crl`.
#[derive(Debug, Args)]
pub struct CheckCrlArgs {
    /// The CAs of client_ca_files and issuing_ca_files, PEM, one after the other
    #[arg(long, value_name = "FILE")]
    pub cas: PathBuf,
    /// The list whose place it is to take; one that is not there, or empty, is the first fetch's
    #[arg(long, value_name = "FILE")]
    pub against: PathBuf,
    /// The list that was fetched, DER or PEM
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(command: &PkiCommand, out: Output) -> Result<(), CliError> {
    match command {
        PkiCommand::Dev(args) => dev(args, out),
        PkiCommand::Csr(args) => csr(args, out),
        PkiCommand::CheckCrl(args) => check_crl(args, out),
    }
}

fn config(error: pki::PkiError) -> CliError {
    CliError::Config(error.to_string())
}

fn dev(args: &DevArgs, out: Output) -> Result<(), CliError> {
    let existing = if args.force { Existing::Renew } else { Existing::Keep };
    let register = pki::development_register().map_err(config)?;
    let made = pki::dev(&args.dir, SystemClock.now(), &SystemEntropy::default(), existing, &register).map_err(config)?;
    let dir = args.dir.display();
    let json = json!({"ca": made.ca_file().display().to_string(), "participants": made.participants_file().display().to_string()});
    out.result(
        &format!("development PKI in {dir}: ca.pem, participants.toml, and a folder with cert.pem and key.pem for each participant"),
        &json,
    );
    Ok(())
}

fn csr(args: &CsrArgs, out: Output) -> Result<(), CliError> {
    let number: OrganisationNumber = args
        .organisation_number
        .parse()
        .map_err(|_| CliError::Usage("--organisation-number: nine digits with a right check digit".to_owned()))?;
    let (request, key) = pki::write_csr(&args.dir, number, &args.name, args.common_name.as_deref(), args.key.into()).map_err(config)?;
    let json = json!({"request": request.display().to_string(), "key": key.display().to_string()});
    out.result(&format!("send {} to the issuer; keep {} here", request.display(), key.display()), &json);
    Ok(())
}

fn check_crl(args: &CheckCrlArgs, out: Output) -> Result<(), CliError> {
    let CheckCrlArgs { cas, against, new } = args;
    let Fit { issuer, damage } = fetched::check(cas, against, new, SystemClock.now()).map_err(|error| match error {
        FetchedError::File(error) => error.into(),
        error => CliError::Failed(error.to_string()),
    })?;
    let (new, against) = (new.display(), against.display());
    if let Some(damage) = &damage {
        super::output::warning("LIST_DAMAGED", &format!("what is there is no list any more, so how new it was is not known: {damage}"));
    }
    // deploy/fetch-crl.sh knows the end of the line.
    let damaged = if damage.is_some() { ", which is damaged" } else { "" };
    let text = format!("{new}: a revocation list of '{issuer}' that may take the place of {against}{damaged}");
    out.result(&text, &json!({"issuer": issuer, "damaged": !damaged.is_empty()}));
    Ok(())
}
