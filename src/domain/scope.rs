//! Whose log an auditor reads: everyone's, or that of some participants.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::ParticipantId;
use super::participant::MunicipalityNumber;

/// What an auditor's register entry lets it see. In the register's file: `scope = "all"`, `scope = { participants = ["ru-oslo"] }` or
/// `scope = { municipalities = ["0301"] }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditScope {
    /// The whole log.
    All,
    /// What these participants did, sent or received.
    Participants(BTreeSet<ParticipantId>),
    /// What the units of these municipalities did, sent or received. Records name units, not municipalities: a unit's municipalities are in
    /// the scope together or not at all.
    Municipalities(BTreeSet<MunicipalityNumber>),
}

impl AuditScope {
    /// Whether it names anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::All => false,
            Self::Participants(named) => named.is_empty(),
            Self::Municipalities(named) => named.is_empty(),
        }
    }
}

/// The scope in texts only: journals and bases hold participants in the shape that they had before there were scopes.
pub(super) mod in_text {
    use super::{AuditScope, Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(scope: &Option<AuditScope>, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { scope.serialize(to) } else { to.serialize_unit() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<AuditScope>, D::Error> {
        if from.is_human_readable() { Option::deserialize(from) } else { <()>::deserialize(from).map(|()| None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_three_spellings() {
        #[derive(Deserialize)]
        struct Entry {
            scope: AuditScope,
        }
        let read = |text: &str| toml::from_str::<Entry>(text).map(|entry| entry.scope);
        assert_eq!(read("scope = \"all\"").unwrap(), AuditScope::All);
        assert_eq!(
            read("scope = { participants = [\"ru-oslo\"] }").unwrap(),
            AuditScope::Participants(["ru-oslo".parse().unwrap()].into())
        );
        assert_eq!(read("scope = { municipalities = [\"0301\"] }").unwrap(), AuditScope::Municipalities(["0301".parse().unwrap()].into()));
        for bad in ["scope = \"everything\"", "scope = { persons = [] }", "scope = { participants = [\"X\"] }", "scope = []"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
