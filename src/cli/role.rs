//! For whom a call is made, where the command alone does not say it.

use clap::ValueEnum;

use super::schema::Service;

/// The caller's role: each has its own service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Påtalemyndigheten in a police district
    Prosecution,
    /// A municipality's advisory unit
    Municipal,
    /// A laboratory
    Laboratory,
}

impl Role {
    /// The role's service.
    #[must_use]
    pub const fn service(self) -> Service {
        match self {
            Self::Prosecution => Service::Prosecution,
            Self::Municipal => Service::Municipal,
            Self::Laboratory => Service::Laboratory,
        }
    }
}

/// Who has a mailbox: nothing is ever sent to a laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recipient {
    /// Påtalemyndigheten: reports and results
    Prosecution,
    /// A municipality's advisory unit: notices
    Municipal,
}

impl Recipient {
    /// The recipient's service.
    #[must_use]
    pub const fn service(self) -> Service {
        match self {
            Self::Prosecution => Service::Prosecution,
            Self::Municipal => Service::Municipal,
        }
    }
}
