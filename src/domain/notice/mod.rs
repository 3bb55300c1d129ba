//! `ConditionNotice`: a condition has been imposed (rules 29, 33, 34).

mod subject;
#[cfg(test)]
pub(crate) mod tests;

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

pub use self::subject::{Subject, SubjectDraft, SubjectIdDraft};
use super::control::{Control, ControlDraft, ControlFacts};
use super::label::ContactKey;
use super::legal_basis::{ConditionPart, LegalBasis};
use super::limits::{PROBATION_MONTHS_MAX, WAIVER_MONTHS_MAX};
use super::municipality;
use super::participant::MunicipalityNumber;
use super::time::{Date, plain_date, plus_months};
use super::violation::{Choice, FieldReason, ParseContext, Violations};

/// A notice as it came: nothing is checked yet.
#[derive(Default)]
pub struct NoticeDraft {
    /// The person.
    pub subject: Option<SubjectDraft>,
    /// Four digits.
    pub municipality_of_stay: String,
    /// Who imposed the condition.
    pub imposing_authority: Choice<ImposingAuthority>,
    /// The penal reaction.
    pub reaction: Choice<Reaction>,
    /// A date.
    pub decision_date: String,
    /// A date.
    pub probation_start: String,
    /// A date.
    pub probation_end: String,
    /// Age at the act.
    pub age_at_act: Choice<AgeAtAct>,
    /// Under 18 at the decision.
    pub minor_at_decision: Option<bool>,
    /// What is known of the guardian's notice.
    pub guardian: Option<GuardianDraft>,
    /// The condition to attend.
    pub attendance: Option<AttendanceDraft>,
    /// The order of drug tests.
    pub control: Option<ControlDraft>,
    /// Key of a contact.
    pub contact: String,
}

/// A guardian's notice as it came.
pub enum GuardianDraft {
    /// A date.
    NotifiedOn(String),
    /// There is none.
    NoGuardian,
}

/// An attendance part as it came.
#[derive(Default)]
pub struct AttendanceDraft {
    /// Basis of the attendance.
    pub legal_basis: Choice<LegalBasis>,
    /// Must be 1.
    pub required_count: u32,
    /// A date, if set.
    pub latest_date: Option<String>,
}

/// Who imposed the condition (rule 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImposingAuthority {
    /// Påtalemyndigheten.
    Prosecution,
    /// Domstolen.
    Court,
}

/// The penal reaction (rules 5, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Waiver of prosecution, strpl. § 69.
    Waiver,
    /// Conditional sentence, strl. § 34.
    ConditionalSentence,
    /// Conditional fine, strl. § 53.
    ConditionalFine,
}

/// Age at the act; under 15 cannot be said (rule 57).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeAtAct {
    /// 15, 16 or 17.
    From15To17,
    /// 18 or more.
    From18,
}

/// Whether the person was a minor at the decision, and what the guardian was told (rules 16, 27).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Majority {
    /// 18 or more at the decision.
    Adult,
    /// A minor whose guardian got written notice that day.
    MinorGuardianNotified(Date),
    /// A minor without a guardian to notify.
    MinorWithoutGuardian,
    /// A minor with a judgment, of whose guardian nothing is said.
    MinorUnderJudgment,
}

/// The condition to attend the unit, once (rule 20).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attendance {
    legal_basis: LegalBasis,
    latest_date: Option<Date>,
}

impl Attendance {
    /// The basis of the attendance.
    #[must_use]
    pub const fn legal_basis(&self) -> LegalBasis {
        self.legal_basis
    }

    /// Last day for it, if one was set.
    #[must_use]
    pub const fn latest_date(&self) -> Option<Date> {
        self.latest_date
    }
}

/// What is ordered: at least one of the two (rules 11, 25).
pub enum Conditions {
    /// To attend.
    Attendance(Attendance),
    /// To give samples.
    Control(Box<Control>),
    /// Both.
    Both(Attendance, Box<Control>),
}

/// A notice that holds every rule which needs only the notice, the day and the tables.
pub struct ConditionNotice {
    subject: Subject,
    municipality_of_stay: MunicipalityNumber,
    imposing_authority: ImposingAuthority,
    reaction: Reaction,
    decision_date: Date,
    probation_start: Date,
    probation_end: Date,
    age_at_act: AgeAtAct,
    majority: Majority,
    conditions: Conditions,
    contact: ContactKey,
}

/// What a case remembers of its newest notice; nothing personal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeFacts {
    /// Day of the decision.
    #[serde(serialize_with = "plain_date::one")]
    pub decision_date: Date,
    /// First day of probation.
    #[serde(serialize_with = "plain_date::one")]
    pub probation_start: Date,
    /// Last day of probation, included.
    #[serde(serialize_with = "plain_date::one")]
    pub probation_end: Date,
    /// Where the person stays.
    pub municipality: MunicipalityNumber,
    /// Key of the contact at the sender.
    pub contact_key: ContactKey,
    /// Whether the notice has a condition to attend.
    pub attendance: bool,
    /// Last day for the attendance, if one was set.
    #[serde(serialize_with = "plain_date::optional")]
    pub attendance_latest: Option<Date>,
    /// The order of drug tests, if there is one.
    pub control: Option<ControlFacts>,
}

impl NoticeFacts {
    /// What is kept of an ended case's notice: which laboratories were parties. Days, place and order are gone.
    #[must_use]
    pub fn parties_only(&self) -> Self {
        const NO_DAY: Date = Date::constant(1970, 1, 1);
        let order = |control: &ControlFacts| ControlFacts {
            matrices: Vec::new(),
            groups: Vec::new(),
            from: NO_DAY,
            to: NO_DAY,
            laboratories: control.laboratories.clone(),
            sample_count: 0,
        };
        Self {
            decision_date: NO_DAY,
            probation_start: NO_DAY,
            probation_end: NO_DAY,
            municipality: MunicipalityNumber::NONE,
            contact_key: self.contact_key.clone(),
            attendance: false,
            attendance_latest: None,
            control: self.control.as_ref().map(order),
        }
    }
}

/// The dates that bound everything else, as far as they could be read.
pub(super) struct Bounds {
    decision: Option<Date>,
    probation: Option<(Date, Date)>,
}

impl Bounds {
    /// A legal basis for `part`, in force on the day of the decision.
    pub(super) fn basis(&self, path: &str, basis: Choice<LegalBasis>, part: ConditionPart, v: &mut Violations) -> Option<LegalBasis> {
        let basis = v.choice(path, basis)?;
        v.keep(path, basis.check(part, self.decision?))?;
        Some(basis)
    }

    /// Notes a date outside the probation; unreadable dates have been noted before.
    pub(super) fn inside_probation(&self, path: &str, date: Option<Date>, v: &mut Violations) {
        if let (Some(date), Some((start, end))) = (date, self.probation) {
            v.demand(start <= date && date <= end, path, FieldReason::OutsideProbation);
        }
    }

    fn not_before_decision(&self, path: &str, date: Option<Date>, v: &mut Violations) {
        if let (Some(date), Some(decision)) = (date, self.decision) {
            v.demand(decision <= date, path, FieldReason::DateBeforeDecision);
        }
    }
}

impl ConditionNotice {
    /// Checks a draft.
    ///
    /// # Errors
    /// Every field that is wrong, at most [`super::limits::VIOLATIONS_MAX`].
    pub fn parse(draft: NoticeDraft, context: &ParseContext) -> Result<Self, Violations> {
        let mut v = Violations::default();
        let notice = Self::parse_noting(draft, context, &mut v);
        v.finish(notice)
    }

    fn parse_noting(draft: NoticeDraft, context: &ParseContext, v: &mut Violations) -> Option<Self> {
        let NoticeDraft {
            subject,
            municipality_of_stay,
            imposing_authority,
            reaction,
            decision_date,
            probation_start,
            probation_end,
            age_at_act,
            minor_at_decision,
            guardian,
            attendance,
            control,
            contact,
        } = draft;
        let subject = v.require("subject", subject).and_then(|draft| Subject::parse(draft, context.identity_mode, v));
        let municipality_of_stay = parse_municipality(&municipality_of_stay, context.today, v);
        let authority = v.choice("imposing_authority", imposing_authority);
        let reaction = v.choice("reaction", reaction);
        check_authority(authority, reaction, v);
        let decision_date = v.past_date("decision_date", &decision_date, context.today);
        let start = v.date("probation_start", &probation_start);
        let end = v.date("probation_end", &probation_end);
        let bounds = Bounds { decision: decision_date, probation: start.zip(end) };
        check_probation(&bounds, start, reaction, v);
        let age_at_act = v.choice("age_at_act", age_at_act);
        let minor = v.require("minor_at_decision", minor_at_decision);
        v.demand(!(minor == Some(true) && age_at_act == Some(AgeAtAct::From18)), "minor_at_decision", FieldReason::AgeContradiction);
        let majority = parse_majority(minor, guardian, reaction, &bounds, context.today, v);
        let conditions = parse_conditions(attendance, control, &bounds, context.today, v);
        let contact = v.text("contact", &contact, ContactKey::from_str);
        Some(Self {
            subject: subject?,
            municipality_of_stay: municipality_of_stay?,
            imposing_authority: authority?,
            reaction: reaction?,
            decision_date: decision_date?,
            probation_start: start?,
            probation_end: end?,
            age_at_act: age_at_act?,
            majority: majority?,
            conditions: conditions?,
            contact: contact?,
        })
    }

    /// The person.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Where the person stays: the routing key.
    #[must_use]
    pub const fn municipality_of_stay(&self) -> MunicipalityNumber {
        self.municipality_of_stay
    }

    /// Who imposed the condition.
    #[must_use]
    pub const fn imposing_authority(&self) -> ImposingAuthority {
        self.imposing_authority
    }

    /// The penal reaction.
    #[must_use]
    pub const fn reaction(&self) -> Reaction {
        self.reaction
    }

    /// Day of the decision.
    #[must_use]
    pub const fn decision_date(&self) -> Date {
        self.decision_date
    }

    /// First day of probation.
    #[must_use]
    pub const fn probation_start(&self) -> Date {
        self.probation_start
    }

    /// Last day of probation, included.
    #[must_use]
    pub const fn probation_end(&self) -> Date {
        self.probation_end
    }

    /// Age at the act.
    #[must_use]
    pub const fn age_at_act(&self) -> AgeAtAct {
        self.age_at_act
    }

    /// Minor or adult at the decision.
    #[must_use]
    pub const fn majority(&self) -> Majority {
        self.majority
    }

    /// What is ordered.
    #[must_use]
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The condition to attend, if there is one.
    #[must_use]
    pub const fn attendance(&self) -> Option<&Attendance> {
        match &self.conditions {
            Conditions::Attendance(attendance) | Conditions::Both(attendance, _) => Some(attendance),
            Conditions::Control(_) => None,
        }
    }

    /// The order of drug tests, if there is one.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        match &self.conditions {
            Conditions::Control(control) | Conditions::Both(_, control) => Some(control),
            Conditions::Attendance(_) => None,
        }
    }

    /// Key of the contact at the sender; whether it exists is asked of the register.
    #[must_use]
    pub const fn contact(&self) -> &ContactKey {
        &self.contact
    }

    /// HMAC-SHA256 of kind and digits of the person's number under `key`: a replacing notice must give the same.
    #[must_use]
    pub fn subject_commit(&self, key: &[u8; 32]) -> [u8; 32] {
        self.subject.id().commit(key)
    }

    /// What the case remembers.
    #[must_use]
    pub fn facts(&self) -> NoticeFacts {
        NoticeFacts {
            decision_date: self.decision_date,
            probation_start: self.probation_start,
            probation_end: self.probation_end,
            municipality: self.municipality_of_stay,
            contact_key: self.contact.clone(),
            attendance: self.attendance().is_some(),
            attendance_latest: self.attendance().and_then(Attendance::latest_date),
            control: self.control().map(|control| control.facts().clone()),
        }
    }
}

fn parse_municipality(text: &str, today: Date, v: &mut Violations) -> Option<MunicipalityNumber> {
    let path = "municipality_of_stay";
    let number = v.text(path, text, |text| MunicipalityNumber::from_str(text).map_err(|_| FieldReason::PatternMismatch))?;
    v.demand(municipality::exists(number, today), path, FieldReason::MunicipalityUnknown);
    Some(number)
}

/// A waiver is the prosecution's, a sentence the court's; a conditional fine is imposed by either (strl. § 53).
fn check_authority(authority: Option<ImposingAuthority>, reaction: Option<Reaction>, v: &mut Violations) {
    let mismatch = matches!(
        (authority, reaction),
        (Some(ImposingAuthority::Court), Some(Reaction::Waiver))
            | (Some(ImposingAuthority::Prosecution), Some(Reaction::ConditionalSentence))
    );
    v.demand(!mismatch, "imposing_authority", FieldReason::AuthorityReactionMismatch);
}

fn check_probation(bounds: &Bounds, start: Option<Date>, reaction: Option<Reaction>, v: &mut Violations) {
    bounds.not_before_decision("probation_start", start, v);
    let Some((start, end)) = bounds.probation else { return };
    v.demand(start < end, "probation_end", FieldReason::ProbationOrder);
    let months = if reaction == Some(Reaction::Waiver) { WAIVER_MONTHS_MAX } else { PROBATION_MONTHS_MAX };
    v.demand(end <= plus_months(start, months), "probation_end", FieldReason::ProbationTooLong);
}

fn parse_majority(
    minor: Option<bool>,
    guardian: Option<GuardianDraft>,
    reaction: Option<Reaction>,
    bounds: &Bounds,
    today: Date,
    v: &mut Violations,
) -> Option<Majority> {
    match (minor?, guardian) {
        (false, None) => Some(Majority::Adult),
        (false, Some(_)) => {
            v.note("guardian", FieldReason::GuardianForAdult);
            None
        }
        (true, Some(GuardianDraft::NoGuardian)) => Some(Majority::MinorWithoutGuardian),
        (true, Some(GuardianDraft::NotifiedOn(text))) => {
            let date = v.past_date("guardian_notified_on", &text, today);
            bounds.not_before_decision("guardian_notified_on", date, v);
            date.map(Majority::MinorGuardianNotified)
        }
        (true, None) => {
            v.demand(reaction? != Reaction::Waiver, "guardian", FieldReason::GuardianRequired);
            Some(Majority::MinorUnderJudgment)
        }
    }
}

fn parse_conditions(
    attendance: Option<AttendanceDraft>,
    control: Option<ControlDraft>,
    bounds: &Bounds,
    today: Date,
    v: &mut Violations,
) -> Option<Conditions> {
    let attendance = attendance.map(|draft| parse_attendance(draft, bounds, v));
    let control = control.map(|draft| Control::parse(draft, bounds, today, v).map(Box::new));
    match (attendance, control) {
        (None, None) => {
            v.note("attendance", FieldReason::NoCondition);
            None
        }
        (Some(attendance), None) => attendance.map(Conditions::Attendance),
        (None, Some(control)) => control.map(Conditions::Control),
        (Some(attendance), Some(control)) => attendance.zip(control).map(|(attendance, control)| Conditions::Both(attendance, control)),
    }
}

fn parse_attendance(draft: AttendanceDraft, bounds: &Bounds, v: &mut Violations) -> Option<Attendance> {
    let AttendanceDraft { legal_basis, required_count, latest_date } = draft;
    let legal_basis = bounds.basis("attendance.legal_basis", legal_basis, ConditionPart::Attendance, v);
    v.demand(required_count == 1, "attendance.required_count", FieldReason::RequiredCountNotOne);
    let latest_date = latest_date.map(|text| v.date("attendance.latest_date", &text));
    bounds.inside_probation("attendance.latest_date", latest_date.flatten(), v);
    // A date that was set and refused has been noted, so a missing one here is one that was never set.
    Some(Attendance { legal_basis: legal_basis?, latest_date: latest_date.flatten() })
}
