//! A participant: who may be a party at all, under which role, with which keys. All of them together are a [`Register`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::ParticipantId;
pub use super::register::{Register, RegisterError};
use super::scope::AuditScope;

/// What a participant is; exactly one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Påtalemyndigheten in a police district.
    Prosecution,
    /// A municipality's advisory unit, "rådgivende enhet for russaker".
    MunicipalUnit,
    /// A laboratory that analyses sanction samples.
    Laboratory,
    /// Whoever reads the log: a supervisory authority or a party's own controller.
    Auditor,
    /// Whoever keeps a copy of the log's tiles: leaves that say nothing, never a record.
    Mirror,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Prosecution, Self::MunicipalUnit, Self::Laboratory, Self::Auditor, Self::Mirror];

    /// As the register's file spells it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prosecution => "prosecution",
            Self::MunicipalUnit => "municipal_unit",
            Self::Laboratory => "laboratory",
            Self::Auditor => "auditor",
            Self::Mirror => "mirror",
        }
    }
}

/// What is wrong with a participant's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParticipant {
    /// Not nine digits with the right check digit, first digit 8 or 9.
    #[error("an organisation number is nine digits starting with 8 or 9, the last being the check digit")]
    OrganisationNumber,
    /// Not `sha256:` and 64 lower-case hexadecimal digits.
    #[error("a key hash is 'sha256:' and 64 lower-case hexadecimal digits: SHA-256 of the SubjectPublicKeyInfo")]
    KeyHash,
    /// Not four digits.
    #[error("a municipality number is four digits")]
    Municipality,
    /// A role name that is not in the list.
    #[error(
        "role_name is one of: Rådgivende enhet, Rådgivende enhet for russaker, Leder, Koordinator, Ruskonsulent, Saksbehandler, Vakt, Sentralbord, Postmottak"
    )]
    OwnRoleName,
    /// An e-mail address that could hold more than a function's name.
    #[error("email is a function's address: a-z, '.' and '-' before the '@', at most 40 characters")]
    OwnEmail,
    /// Contact out of shape.
    #[error(
        "a contact is a key `^[a-z][a-z0-9-]{{0,19}}$`, a role name of 1 to 60 characters, and a phone in E.164 form, an e-mail or both"
    )]
    Contact,
}

/// A Norwegian organisation number: nine digits, weights 3 2 7 6 5 4 3 2, modulo 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganisationNumber(u32);

impl FromStr for OrganisationNumber {
    type Err = InvalidParticipant;

    fn from_str(text: &str) -> Result<Self, InvalidParticipant> {
        const WEIGHTS: [u32; 8] = [3, 2, 7, 6, 5, 4, 3, 2];
        let bytes = text.as_bytes();
        if bytes.len() != 9 || !bytes.iter().all(u8::is_ascii_digit) || !matches!(bytes[0], b'8' | b'9') {
            return Err(InvalidParticipant::OrganisationNumber);
        }
        let digit = |i: usize| u32::from(bytes[i] - b'0');
        let sum: u32 = WEIGHTS.iter().enumerate().map(|(i, weight)| weight * digit(i)).sum();
        // 11 stands for 0; 10 is never issued, and no digit equals it.
        let check = (11 - sum % 11) % 11;
        if check != digit(8) {
            return Err(InvalidParticipant::OrganisationNumber);
        }
        Ok(Self((0..9).fold(0, |value, i| value * 10 + digit(i))))
    }
}

impl fmt::Display for OrganisationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:09}", self.0)
    }
}

impl TryFrom<String> for OrganisationNumber {
    type Error = InvalidParticipant;

    fn try_from(text: String) -> Result<Self, InvalidParticipant> {
        text.parse()
    }
}

impl From<OrganisationNumber> for String {
    fn from(number: OrganisationNumber) -> Self {
        number.to_string()
    }
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo (DER). Unique in the register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// From the 32 bytes of the hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for KeyHash {
    type Err = InvalidParticipant;

    fn from_str(text: &str) -> Result<Self, InvalidParticipant> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or(InvalidParticipant::KeyHash)?;
        let mut bytes = [0_u8; 32];
        for (i, c) in hex.bytes().enumerate() {
            let value = match c {
                b'0'..=b'9' => c - b'0',
                b'a'..=b'f' => c - b'a' + 10,
                _ => return Err(InvalidParticipant::KeyHash),
            };
            bytes[i / 2] = bytes[i / 2] << 4 | value;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for KeyHash {
    type Error = InvalidParticipant;

    fn try_from(text: String) -> Result<Self, InvalidParticipant> {
        text.parse()
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        hash.to_string()
    }
}

/// A municipality's number: four digits. Whether it exists is asked of the dated table at the time of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MunicipalityNumber(u16);

impl MunicipalityNumber {
    /// A number that no municipality has.
    pub const NONE: Self = Self(0);
}

impl FromStr for MunicipalityNumber {
    type Err = InvalidParticipant;

    fn from_str(text: &str) -> Result<Self, InvalidParticipant> {
        if text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().map(Self).map_err(|_| InvalidParticipant::Municipality)
        } else {
            Err(InvalidParticipant::Municipality)
        }
    }
}

impl fmt::Display for MunicipalityNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl TryFrom<String> for MunicipalityNumber {
    type Error = InvalidParticipant;

    fn try_from(text: String) -> Result<Self, InvalidParticipant> {
        text.parse()
    }
}

impl From<MunicipalityNumber> for String {
    fn from(number: MunicipalityNumber) -> Self {
        number.to_string()
    }
}

/// A role's contact: never a person's private data (rule 24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// `^[a-z][a-z0-9-]{0,19}$`; a notice names a contact of its sender by this key.
    pub key: String,
    /// The role or function, 1 to 60 characters: "Påtalejurist i vakt".
    pub role_name: String,
    /// E.164: '+' and 8 to 15 digits.
    #[serde(default)]
    pub phone: Option<String>,
    /// At most 120 characters with one '@'.
    #[serde(default)]
    pub email: Option<String>,
}

impl Contact {
    /// Checks the shape of every field.
    ///
    /// # Errors
    /// [`InvalidParticipant::Contact`] if a field is out of shape or neither phone nor e-mail is given.
    pub fn check(&self) -> Result<(), InvalidParticipant> {
        let Self { key, role_name, phone, email } = self;
        let key_fits = (1..=20).contains(&key.len())
            && key.as_bytes()[0].is_ascii_lowercase()
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let name_fits = (1..=60).contains(&role_name.chars().count())
            && role_name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | '-' | '/' | '(' | ')'));
        let phone_fits = phone.as_deref().is_none_or(is_e164);
        let email_fits = email.as_deref().is_none_or(|text| {
            text.len() <= 120
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-' | b'_' | b'+'))
                && text.split('@').count() == 2
                && text.split('@').all(|part| !part.is_empty())
        });
        if key_fits && name_fits && phone_fits && email_fits && (phone.is_some() || email.is_some()) {
            Ok(())
        } else {
            Err(InvalidParticipant::Contact)
        }
    }
}

/// What a unit may call its own contact. Closed, so that this directory entry is no way to say anything of a person (rules 37, 41, 44).
pub const OWN_ROLE_NAMES: [&str; 9] = [
    "Rådgivende enhet",
    "Rådgivende enhet for russaker",
    "Leder",
    "Koordinator",
    "Ruskonsulent",
    "Saksbehandler",
    "Vakt",
    "Sentralbord",
    "Postmottak",
];

impl Contact {
    /// Checks a contact that a unit sets itself: a role name of [`OWN_ROLE_NAMES`], and an e-mail address of letters, dots and hyphens with at
    /// most 40 characters before the '@', so that neither name nor number of a person fits into it by form.
    ///
    /// # Errors
    /// The field that is out of shape.
    pub fn check_own(&self) -> Result<(), (&'static str, InvalidParticipant)> {
        let plain_email = |text: &str| {
            text.split_once('@').is_some_and(|(local, _)| {
                (1..=40).contains(&local.len()) && local.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'-'))
            })
        };
        if !OWN_ROLE_NAMES.contains(&self.role_name.as_str()) {
            return Err(("role_name", InvalidParticipant::OwnRoleName));
        }
        if !self.phone.as_deref().is_none_or(is_e164) {
            return Err(("phone", InvalidParticipant::Contact));
        }
        if !self.email.as_deref().is_none_or(plain_email) {
            return Err(("email", InvalidParticipant::OwnEmail));
        }
        self.check().map_err(|error| (if self.email.is_some() { "email" } else { "phone" }, error))
    }
}

/// Whether `text` is '+' and 8 to 15 digits, the first not 0.
#[must_use]
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'))
}

/// One enrolled key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledKey {
    /// SHA-256 of SubjectPublicKeyInfo.
    pub hash: KeyHash,
    /// What the log calls this key: `^[a-z0-9][a-z0-9-]{0,30}$`.
    pub label: String,
    /// The supplier's organisation number, when a supplier's own certificate acts for the participant.
    #[serde(default)]
    pub operated_by: Option<OrganisationNumber>,
}

/// Whether a participant may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// May act.
    #[default]
    Active,
    /// Every call is refused; mail for it is kept.
    Suspended,
    /// Over for good: every call is refused, and its mail, its cases and its messages are its successor's.
    Retired,
}

/// One entry of the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Never changes, never used for another.
    pub id: ParticipantId,
    /// Shown to counterparts, 1 to 100 characters.
    pub name: String,
    /// Never changes.
    pub role: Role,
    /// Never changes.
    pub organisation_number: OrganisationNumber,
    /// At least one, but for a retired participant; each unique in the whole register.
    #[serde(default)]
    pub keys: Vec<EnrolledKey>,
    /// Municipalities served: at least one for a municipal unit that is not retired, none for others. One municipality, one unit.
    #[serde(default)]
    pub municipalities: Vec<MunicipalityNumber>,
    /// A prosecution's contacts that notices may name; a unit's first contact stands until it sets its own.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// A municipal unit declares that its system is administrative, not a patient journal (rule 19).
    #[serde(default)]
    pub administrative_system: bool,
    /// The participant that takes over when this one is retired: of the same role.
    #[serde(default)]
    pub successor: Option<ParticipantId>,
    /// May it act?
    #[serde(default)]
    pub standing: Standing,
    /// Whose log an auditor reads; none for others.
    #[serde(default, with = "super::scope::in_text")]
    pub scope: Option<AuditScope>,
}

#[cfg(test)]
#[path = "participant_tests.rs"]
mod tests;
