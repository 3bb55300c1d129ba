//! What is wrong with a field of a message: a path and one reason of a closed list. Never what the field held.

use std::fmt;

use super::id::InvalidId;
use super::limits::VIOLATIONS_MAX;
use super::time::{Date, parse_date};

macro_rules! field_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $advice:literal;)+) => {
        /// Why a field is refused. The codes are stable: clients may branch on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FieldReason {
            $($(#[$doc])* $name,)+
        }

        impl FieldReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, SCREAMING_CASE.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What to do about it, for the sender's developer.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

field_reasons! {
    /// Nothing was set.
    Required = "REQUIRED", "set this field";
    /// An enum value that this version does not know.
    UnknownValue = "UNKNOWN_VALUE", "use a value of this version's schema; this gateway does not know the one sent";
    /// Not the field's pattern.
    PatternMismatch = "PATTERN_MISMATCH", "write the value in the pattern that the schema's comment gives";
    /// A character that names and addresses do not have.
    CharacterNotAllowed = "CHARACTER_NOT_ALLOWED", "use only the characters that the schema's comment lists, without space at the ends or twice";
    /// Not in Unicode normalisation form C.
    NameNotNfc = "NAME_NOT_NFC", "normalise the text to Unicode NFC before sending";
    /// Too many characters.
    TooLong = "TOO_LONG", "shorten the value to the length that the schema's comment gives";
    /// A number outside its bounds.
    OutOfRange = "OUT_OF_RANGE", "use a number inside the bounds that the schema's comment gives";
    /// Fewer entries than needed.
    TooFew = "TOO_FEW", "add entries until the list has the least number that the schema's comment gives";
    /// More entries than allowed.
    TooMany = "TOO_MANY", "shorten the list to the number that the schema's comment gives";
    /// One entry twice.
    Duplicate = "DUPLICATE", "name each entry once";
    /// Dates out of order.
    NotAscending = "NOT_ASCENDING", "list the dates in strictly ascending order";
    /// Not a date of the calendar.
    BadDate = "BAD_DATE", "write a date of the calendar as YYYY-MM-DD";
    /// A date after today in Europe/Oslo.
    DateInFuture = "DATE_IN_FUTURE", "send the message on or after this date; it is counted in Europe/Oslo";
    /// Neither number is given.
    SubjectWithoutNumber = "SUBJECT_WITHOUT_NUMBER", "give a fødselsnummer or a D-number; for a person without either, use the paper way";
    /// Not eleven ASCII digits.
    IdentityNotElevenDigits = "IDENTITY_NOT_ELEVEN_DIGITS", "write the number as eleven digits without spaces";
    /// A D-number where a fødselsnummer is expected, or the other way round.
    IdentityWrongKind = "IDENTITY_WRONG_KIND", "put a number with day + 40 into d_number and every other into fnr";
    /// No century makes it a date.
    IdentityNoDate = "IDENTITY_NO_DATE", "read the number again: its first six digits are no date";
    /// A check digit does not fit.
    IdentityCheckDigit = "IDENTITY_CHECK_DIGIT", "read the number again: a check digit does not fit";
    /// A synthetic number at a gateway in production.
    IdentitySynthetic = "IDENTITY_SYNTHETIC", "send synthetic and auxiliary numbers to a test gateway only";
    /// A real number at a gateway in test mode.
    IdentityReal = "IDENTITY_REAL", "never send real numbers to a test gateway; use synthetic ones";
    /// Nothing is said of reach.
    ReachEmpty = "REACH_EMPTY", "leave reach out, or set an address, a phone or address_protected";
    /// An address or phone beside a protected address.
    ReachOfProtected = "REACH_OF_PROTECTED", "remove address and phone: the person's address is protected";
    /// Not in the table of municipalities today.
    MunicipalityUnknown = "MUNICIPALITY_UNKNOWN", "use a municipality number that is in force today";
    /// A waiver by a court or a sentence by the prosecution.
    AuthorityReactionMismatch = "AUTHORITY_REACTION_MISMATCH", "a waiver is imposed by the prosecution, a conditional sentence by the court";
    /// Minor at the decision and adult at the act.
    AgeContradiction = "AGE_CONTRADICTION", "a person of 18 or more at the act is no minor at the decision; correct one of the two";
    /// A minor's waiver without a word of the guardian.
    GuardianRequired = "GUARDIAN_REQUIRED", "notify the guardian in writing and set guardian_notified_on, or set no_guardian";
    /// A guardian for an adult.
    GuardianForAdult = "GUARDIAN_FOR_ADULT", "remove the guardian: the person was an adult at the decision";
    /// Before the decision it follows from.
    DateBeforeDecision = "DATE_BEFORE_DECISION", "use a date on or after decision_date";
    /// The probation does not end after its start.
    ProbationOrder = "PROBATION_ORDER", "probation_end must lie after probation_start";
    /// Longer than the law allows.
    ProbationTooLong = "PROBATION_TOO_LONG", "probation lasts at most 2 years for a waiver and 5 years else";
    /// A date outside the probation.
    OutsideProbation = "OUTSIDE_PROBATION", "use a date from probation_start to probation_end";
    /// Neither attendance nor control.
    NoCondition = "NO_CONDITION", "set attendance, control or both: a notice without a condition is not relayed";
    /// A basis that carries another part.
    LegalBasisWrongPart = "LEGAL_BASIS_WRONG_PART", "use a basis for this part: attendance and control have each their own";
    /// Not in force on the decision date.
    LegalBasisNotInForce = "LEGAL_BASIS_NOT_IN_FORCE", "use a legal basis that was in force on decision_date";
    /// Another number of attendances than one.
    RequiredCountNotOne = "REQUIRED_COUNT_NOT_ONE", "set required_count to 1: the condition is met by one attendance";
    /// The period ends before it starts.
    PeriodOrder = "PERIOD_ORDER", "to_date must not lie before from_date";
    /// Not a reference at all.
    BadReference = "BAD_REFERENCE", "a reference is 18 characters of 0-9 and A-Z without I, L, O and U";
    /// The reference's check characters do not fit.
    BadReferenceCheck = "BAD_REFERENCE_CHECK", "read the reference again from the form: its check characters do not fit";
    /// Missed before any summons.
    NoSummonsBefore = "NO_SUMMONS_BEFORE", "list a written summons of an earlier day for each missed date";
    /// Collected after it was received.
    CollectedAfterReceived = "COLLECTED_AFTER_RECEIVED", "collected_on must not lie after received_on";
    /// Urine's validity for another matrix or the other way round.
    ValidityMatrixMismatch = "VALIDITY_MATRIX_MISMATCH", "use urine_validity for urine and other_validity for every other matrix";
    /// Not a code of the table on the day of receipt.
    CodeNotInTable = "CODE_NOT_IN_TABLE", "use a code of the table of NLK codes, or ask the operator to add it";
    /// A code of another matrix than the sample's.
    CodeMatrixMismatch = "CODE_MATRIX_MISMATCH", "use a code of this sample's matrix, or ask the operator to add it to the table of NLK codes";
    /// No result could answer for this group.
    GroupWithoutCode = "GROUP_WITHOUT_CODE", "the gateway's table has no analysis code of this group for any ordered matrix today; ask the operator to add one, or order on paper";
    /// The table gives another group for the code.
    CodeGroupMismatch = "CODE_GROUP_MISMATCH", "state the group that the table gives for this code";
    /// An unspecific code can never be detected.
    DetectedByUnspecificCode = "DETECTED_BY_UNSPECIFIC_CODE", "report a confirmed finding under the specific code";
    /// A broken seal carries no sanction.
    DetectedWithBrokenSeal = "DETECTED_WITH_BROKEN_SEAL", "nothing can be DETECTED in a sample whose seal was broken";
    /// A sample that cannot be tested shows nothing.
    DetectedInUntestable = "DETECTED_IN_UNTESTABLE", "nothing can be DETECTED in a sample with the verdict NOT_TESTABLE";
    /// GC_FID_DUAL for anything but alcohol.
    MethodForAlcoholOnly = "METHOD_FOR_ALCOHOL_ONLY", "confirm this group by LC_MS_MS, GC_MS or HRMS";
    /// Not analysed for a broken seal that was not broken.
    SealNotBroken = "SEAL_NOT_BROKEN", "SEAL_BROKEN as a reason needs seal = BROKEN";
    /// Not a decimal.
    BadDecimal = "BAD_DECIMAL", "write 1 to 9 digits, and if needed a period and 1 to 6 digits";
    /// A unit outside the closed list.
    UnitUnknown = "UNIT_UNKNOWN", "use a UCUM unit of the list in the schema's comment";
    /// An amount that says another thing than the outcome.
    QuantityContradictsOutcome = "QUANTITY_CONTRADICTS_OUTCOME", "remove the quantity or make it agree with outcome and cut-off";
}

impl From<InvalidId> for FieldReason {
    fn from(error: InvalidId) -> Self {
        match error {
            InvalidId::Reference => Self::BadReference,
            InvalidId::ReferenceCheck => Self::BadReferenceCheck,
            InvalidId::Participant | InvalidId::Message => Self::PatternMismatch,
        }
    }
}

/// One refused field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field's proto name from the message's root, like `control.groups[2]`.
    pub path: String,
    /// Why.
    pub reason: FieldReason,
}

/// The refused fields of one message, at most [`VIOLATIONS_MAX`]; never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// The violations in the order they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[FieldViolation] {
        &self.0
    }

    /// The violations, owned.
    #[must_use]
    pub fn into_vec(self) -> Vec<FieldViolation> {
        self.0
    }

    /// Whether `reason` was found at `path`.
    #[must_use]
    pub fn has(&self, path: &str, reason: FieldReason) -> bool {
        self.0.iter().any(|violation| violation.path == path && violation.reason == reason)
    }

    /// Notes a violation; beyond the bound it is dropped, as the message is refused anyway.
    pub(crate) fn note(&mut self, path: &str, reason: FieldReason) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(FieldViolation { path: path.to_owned(), reason });
        }
    }

    /// Notes `reason` unless `holds`.
    pub(crate) fn demand(&mut self, holds: bool, path: &str, reason: FieldReason) {
        if !holds {
            self.note(path, reason);
        }
    }

    /// The value of `result`, or its reason noted.
    pub(crate) fn keep<T, E: Into<FieldReason>>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|reason| self.note(path, reason.into())).ok()
    }

    /// The value of an optional part, or `Required` noted.
    pub(crate) fn require<T>(&mut self, path: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.note(path, FieldReason::Required);
        }
        value
    }

    /// The chosen value, or its absence noted.
    pub(crate) fn choice<T>(&mut self, path: &str, choice: Choice<T>) -> Option<T> {
        match choice {
            Choice::Value(value) => Some(value),
            Choice::Missing => {
                self.note(path, FieldReason::Required);
                None
            }
            Choice::Unknown => {
                self.note(path, FieldReason::UnknownValue);
                None
            }
        }
    }

    /// A required text handed to `parse`.
    pub(crate) fn text<T, E: Into<FieldReason>>(&mut self, path: &str, text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        if text.is_empty() {
            self.note(path, FieldReason::Required);
            return None;
        }
        self.keep(path, parse(text))
    }

    /// A required date.
    pub(crate) fn date(&mut self, path: &str, text: &str) -> Option<Date> {
        self.text(path, text, |text| parse_date(text).ok_or(FieldReason::BadDate))
    }

    /// A required date not after `today`.
    pub(crate) fn past_date(&mut self, path: &str, text: &str, today: Date) -> Option<Date> {
        let date = self.date(path, text)?;
        self.demand(date <= today, path, FieldReason::DateInFuture);
        Some(date)
    }

    /// The length of a list, noted when outside `least..=most`. A list that is too long is not to be looked at further.
    pub(crate) fn count(&mut self, path: &str, len: usize, least: usize, most: usize) -> bool {
        self.demand(len >= least, path, FieldReason::TooFew);
        self.demand(len <= most, path, FieldReason::TooMany);
        len <= most
    }

    /// `value`, if nothing was noted.
    ///
    /// # Errors
    /// Everything noted.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            Some(_) => Err(self),
            None => {
                if self.0.is_empty() {
                    self.note("", FieldReason::Required);
                }
                Err(self)
            }
        }
    }
}

impl fmt::Display for Violations {
    /// Paths and codes, no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}: {}", violation.path, violation.reason.as_str(), violation.reason.advice())?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// An enum field as it came: value 0 and absent mean missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice<T> {
    /// Value 0 or absent.
    #[default]
    Missing,
    /// A number that this version does not know.
    Unknown,
    /// A known value.
    Value(T),
}

/// What a message is judged by besides itself.
#[derive(Debug, Clone, Copy)]
pub struct ParseContext {
    /// The date of receipt in Europe/Oslo.
    pub today: Date,
    /// Whether identity numbers are real or synthetic here.
    pub identity_mode: super::identity::IdentityMode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_in_form_unique_and_advise() {
        let mut codes: Vec<&str> = FieldReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
        assert!(FieldReason::ALL.iter().all(|reason| reason.advice().len() > 10));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), FieldReason::ALL.len());
    }

    #[test]
    fn no_more_violations_than_the_bound_are_kept() {
        let mut violations = Violations::default();
        for _ in 0..2 * VIOLATIONS_MAX {
            violations.note("x", FieldReason::Required);
        }
        assert_eq!(violations.as_slice().len(), VIOLATIONS_MAX);
    }
}
