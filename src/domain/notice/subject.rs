//! The person whom a condition concerns.

use crate::domain::identity::{DNumber, Fnr, IdentityMode, SubjectId};
use crate::domain::name::PersonName;
use crate::domain::reach::{Reach, ReachDraft};
use crate::domain::violation::{FieldReason, Violations};

/// A person as it came.
#[derive(Default)]
pub struct SubjectDraft {
    /// The identity number, if set.
    pub id: Option<SubjectIdDraft>,
    /// Family name.
    pub family_name: String,
    /// Given name; empty when there is none.
    pub given_name: String,
    /// How a summons reaches the person, if known.
    pub reach: Option<ReachDraft>,
}

/// An identity number as it came.
pub enum SubjectIdDraft {
    /// A fødselsnummer.
    Fnr(String),
    /// A D-number.
    DNumber(String),
}

/// The person whom a condition concerns.
pub struct Subject {
    id: SubjectId,
    family_name: PersonName,
    given_name: Option<PersonName>,
    reach: Option<Reach>,
}

impl Subject {
    /// The identity number; only its commitment leaves the type.
    #[must_use]
    pub const fn id(&self) -> &SubjectId {
        &self.id
    }

    /// Family name.
    #[must_use]
    pub const fn family_name(&self) -> &PersonName {
        &self.family_name
    }

    /// Given name, if there is one.
    #[must_use]
    pub const fn given_name(&self) -> Option<&PersonName> {
        self.given_name.as_ref()
    }

    /// How a summons reaches the person, if known.
    #[must_use]
    pub const fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref()
    }

    /// Checks a draft; what is wrong is noted under `subject`.
    pub(super) fn parse(draft: SubjectDraft, mode: IdentityMode, v: &mut Violations) -> Option<Self> {
        let SubjectDraft { id, family_name, given_name, reach } = draft;
        let id = match id {
            Some(SubjectIdDraft::Fnr(text)) => v.keep("subject.fnr", Fnr::parse(&text, mode)).map(SubjectId::Fnr),
            Some(SubjectIdDraft::DNumber(text)) => v.keep("subject.d_number", DNumber::parse(&text, mode)).map(SubjectId::DNumber),
            None => {
                v.note("subject.id", FieldReason::SubjectWithoutNumber);
                None
            }
        };
        let family_name = v.text("subject.family_name", &family_name, PersonName::parse);
        let given_name = if given_name.is_empty() { None } else { v.keep("subject.given_name", PersonName::parse(&given_name)) };
        let reach = reach.and_then(|draft| Reach::parse(draft, "subject.reach", v));
        Some(Self { id: id?, family_name: family_name?, given_name, reach })
    }
}
