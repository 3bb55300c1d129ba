//! Names of what is relayed: which of the three messages, and one thing that can be handed out.

use serde::{Deserialize, Serialize};

/// Which of the three messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Prosecution to municipal unit.
    ConditionNotice,
    /// Municipal unit to prosecution.
    NonAttendanceReport,
    /// Laboratory to prosecution.
    LabResult,
}

impl MessageKind {
    /// All three; there is no fourth.
    pub const ALL: [Self; 3] = [Self::ConditionNotice, Self::NonAttendanceReport, Self::LabResult];
}

/// One thing that can be handed out: log index of the acceptance, times two, plus one for the withdrawal that a replacement sends to a unit
/// that is no longer addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemNumber(pub u64);

impl ItemNumber {
    /// The message itself.
    #[must_use]
    pub const fn main(index: u64) -> Self {
        Self(index * 2)
    }

    /// The withdrawal to the unit that a replacing notice moves away from.
    #[must_use]
    pub const fn moved(index: u64) -> Self {
        Self(index * 2 + 1)
    }

    /// The log index of the acceptance behind it.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0 / 2
    }

    /// Whether this is the withdrawal to a unit that is no longer addressed.
    #[must_use]
    pub const fn is_moved(self) -> bool {
        self.0 % 2 == 1
    }
}
