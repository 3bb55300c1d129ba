//! What auditors ask for, as the log keeps it.

use serde::{Deserialize, Serialize};

use crate::domain::id::{CaseRef, MessageId, ParticipantId};
use crate::domain::time::Timestamp;

/// What an auditor asked for. It cannot name a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// Number of a prepared question.
    pub question: Option<u16>,
    /// Not before.
    pub from_time: Option<Timestamp>,
    /// Before.
    pub to_time: Option<Timestamp>,
    /// First index.
    pub from_index: Option<u64>,
    /// One past the last index.
    pub to_index: Option<u64>,
    /// Acted, sent or received.
    pub participant: Option<ParticipantId>,
    /// Kinds by number; all when empty.
    pub kinds: Vec<u16>,
    /// About this message id.
    pub message_id: Option<MessageId>,
    /// In this case.
    pub case_ref: Option<CaseRef>,
}

impl std::fmt::Display for Asked {
    /// Everything but participant, message id and case, which the record has places of its own for.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { question, from_time, to_time, from_index, to_index, participant: _, kinds, message_id: _, case_ref: _ } = self;
        let mut gap = "";
        let mut word = |f: &mut std::fmt::Formatter<'_>, name: &str, value: Option<&dyn std::fmt::Display>| match value {
            Some(value) => write!(f, "{}{name} {value}", std::mem::replace(&mut gap, " ")),
            None => Ok(()),
        };
        word(f, "question", question.as_ref().map(|number| number as _))?;
        word(f, "from", from_time.as_ref().map(|at| at as _))?;
        word(f, "to", to_time.as_ref().map(|at| at as _))?;
        word(f, "index", from_index.as_ref().map(|index| index as _))?;
        word(f, "below", to_index.as_ref().map(|index| index as _))?;
        let named = kinds.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        word(f, "kinds", (!kinds.is_empty()).then_some(&named as _))
    }
}
