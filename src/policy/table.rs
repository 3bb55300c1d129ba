//! The whole policy on one screen: which role may make which call. What is not in the table is refused.

use crate::audit::event::MessageKind;
use crate::domain::participant::Role;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $call:literal;)*) => {
        /// A call, by what it does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Verb {
            $($(#[$doc])* $name,)*
        }

        impl Verb {
            /// Every call.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Stable number, as it stands in the log.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// `Service/Method` without the package; `Tiles/` is HTTPS and no gRPC service.
            #[must_use]
            pub const fn call(self) -> &'static str {
                match self { $(Self::$name => $call,)* }
            }

            /// The call of `Service/Method`, without the package.
            #[must_use]
            pub fn of_call(call: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|verb| verb.call() == call)
            }

            /// The call of a number.
            #[must_use]
            pub const fn of_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

verbs! {
    /// Send, correct or withdraw a notice.
    SendNotice = 10, "ProsecutionService/SendConditionNotice";
    /// Receive reports and results.
    ProsecutionReceive = 11, "ProsecutionService/Receive";
    /// Acknowledge reports and results.
    ProsecutionAcknowledge = 12, "ProsecutionService/Acknowledge";
    /// Status of a notice.
    ProsecutionGetStatus = 13, "ProsecutionService/GetStatus";
    /// Feed of status.
    ProsecutionWatchStatus = 14, "ProsecutionService/WatchStatus";
    /// Receipt again.
    ProsecutionGetReceipt = 15, "ProsecutionService/GetReceipt";
    /// Directory of counterparts.
    ProsecutionLookUp = 16, "ProsecutionService/LookUp";
    /// Proofs of what became of an own message.
    ProsecutionGetEvidence = 18, "ProsecutionService/GetEvidence";
    /// Send, correct or withdraw a report.
    SendReport = 20, "MunicipalService/ReportNonAttendance";
    /// Receive notices.
    MunicipalReceive = 21, "MunicipalService/Receive";
    /// Acknowledge notices.
    MunicipalAcknowledge = 22, "MunicipalService/Acknowledge";
    /// Status of a report.
    MunicipalGetStatus = 23, "MunicipalService/GetStatus";
    /// Feed of status.
    MunicipalWatchStatus = 24, "MunicipalService/WatchStatus";
    /// Receipt again.
    MunicipalGetReceipt = 25, "MunicipalService/GetReceipt";
    /// Directory of counterparts.
    MunicipalLookUp = 26, "MunicipalService/LookUp";
    /// Proofs of what became of an own message.
    MunicipalGetEvidence = 29, "MunicipalService/GetEvidence";
    /// Give a notice back.
    Return = 27, "MunicipalService/Return";
    /// Set the unit's own contact.
    SetContact = 28, "MunicipalService/SetContact";
    /// Send, correct or withdraw a result.
    SendResult = 30, "LaboratoryService/SendLabResult";
    /// Status of a result.
    LaboratoryGetStatus = 33, "LaboratoryService/GetStatus";
    /// Feed of status.
    LaboratoryWatchStatus = 34, "LaboratoryService/WatchStatus";
    /// Receipt again.
    LaboratoryGetReceipt = 35, "LaboratoryService/GetReceipt";
    /// Directory of counterparts.
    LaboratoryLookUp = 36, "LaboratoryService/LookUp";
    /// Proofs of what became of an own message.
    LaboratoryGetEvidence = 37, "LaboratoryService/GetEvidence";
    /// Newest signed head.
    GetCheckpoint = 40, "AuditService/GetCheckpoint";
    /// Search of records.
    ListRecords = 41, "AuditService/ListRecords";
    /// Proof of one entry.
    GetProof = 42, "AuditService/GetProof";
    /// Proof between two heads.
    GetConsistencyProof = 43, "AuditService/GetConsistencyProof";
    /// A prepared question.
    Ask = 44, "AuditService/Ask";
    /// What happened in one case.
    GetTimeline = 45, "AuditService/GetTimeline";
    /// Entries by kind and time.
    CountRecords = 46, "AuditService/CountRecords";
    /// Size, head and last check of the log.
    GetLogState = 47, "AuditService/GetLogState";
    /// What was reviewed and what was not.
    ListReviews = 48, "AuditService/ListReviews";
    /// A period was reviewed.
    Review = 49, "AuditService/Review";
    /// Entries with what opens them.
    Export = 50, "AuditService/Export";
    /// Hold a case's records beyond their months.
    PlaceHold = 52, "AuditService/PlaceHold";
    /// End a hold.
    LiftHold = 53, "AuditService/LiftHold";
    /// Holds in force.
    ListHolds = 54, "AuditService/ListHolds";
    /// Checkpoint and tiles over HTTPS, by an auditor.
    ReadTiles = 51, "Tiles/Read";
    /// Checkpoint and tiles over HTTPS, by a mirror.
    MirrorTiles = 60, "Tiles/Mirror";
}

/// Which role may make a call: exactly one each.
#[must_use]
pub const fn role_of(verb: Verb) -> Role {
    match verb {
        Verb::SendNotice
        | Verb::ProsecutionReceive
        | Verb::ProsecutionAcknowledge
        | Verb::ProsecutionGetStatus
        | Verb::ProsecutionWatchStatus
        | Verb::ProsecutionGetReceipt
        | Verb::ProsecutionLookUp
        | Verb::ProsecutionGetEvidence => Role::Prosecution,
        Verb::SendReport
        | Verb::MunicipalReceive
        | Verb::MunicipalAcknowledge
        | Verb::MunicipalGetStatus
        | Verb::MunicipalWatchStatus
        | Verb::MunicipalGetReceipt
        | Verb::MunicipalLookUp
        | Verb::MunicipalGetEvidence
        | Verb::Return
        | Verb::SetContact => Role::MunicipalUnit,
        Verb::SendResult
        | Verb::LaboratoryGetStatus
        | Verb::LaboratoryWatchStatus
        | Verb::LaboratoryGetReceipt
        | Verb::LaboratoryLookUp
        | Verb::LaboratoryGetEvidence => Role::Laboratory,
        Verb::GetCheckpoint
        | Verb::ListRecords
        | Verb::GetProof
        | Verb::GetConsistencyProof
        | Verb::Ask
        | Verb::GetTimeline
        | Verb::CountRecords
        | Verb::GetLogState
        | Verb::ListReviews
        | Verb::Review
        | Verb::Export
        | Verb::PlaceHold
        | Verb::LiftHold
        | Verb::ListHolds
        | Verb::ReadTiles => Role::Auditor,
        Verb::MirrorTiles => Role::Mirror,
    }
}

/// One of the three flows: there is no fourth, and none has a second recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// What.
    pub kind: MessageKind,
    /// From.
    pub sender: Role,
    /// To.
    pub recipient: Role,
    /// The call that sends it.
    pub send: Verb,
    /// The call that receives it.
    pub receive: Verb,
}

/// The three flows.
pub const FLOWS: [Flow; 3] = [
    Flow {
        kind: MessageKind::ConditionNotice,
        sender: Role::Prosecution,
        recipient: Role::MunicipalUnit,
        send: Verb::SendNotice,
        receive: Verb::MunicipalReceive,
    },
    Flow {
        kind: MessageKind::NonAttendanceReport,
        sender: Role::MunicipalUnit,
        recipient: Role::Prosecution,
        send: Verb::SendReport,
        receive: Verb::ProsecutionReceive,
    },
    Flow {
        kind: MessageKind::LabResult,
        sender: Role::Laboratory,
        recipient: Role::Prosecution,
        send: Verb::SendResult,
        receive: Verb::ProsecutionReceive,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighteen_cells_are_three_flows_and_nothing_else() {
        let mut allowed = Vec::new();
        for role in [Role::Prosecution, Role::MunicipalUnit, Role::Laboratory] {
            for flow in FLOWS {
                if role_of(flow.send) == role {
                    allowed.push((role, flow.kind, "send"));
                }
                if role_of(flow.receive) == role {
                    allowed.push((role, flow.kind, "receive"));
                }
            }
        }
        assert_eq!(
            allowed,
            [
                (Role::Prosecution, MessageKind::ConditionNotice, "send"),
                (Role::Prosecution, MessageKind::NonAttendanceReport, "receive"),
                (Role::Prosecution, MessageKind::LabResult, "receive"),
                (Role::MunicipalUnit, MessageKind::ConditionNotice, "receive"),
                (Role::MunicipalUnit, MessageKind::NonAttendanceReport, "send"),
                (Role::Laboratory, MessageKind::LabResult, "send"),
            ]
        );
    }

    #[test]
    fn every_call_belongs_to_the_role_of_its_service() {
        for verb in Verb::ALL {
            let service = verb.call().split('/').next().unwrap();
            let role = match service {
                "Tiles" if *verb == Verb::MirrorTiles => Role::Mirror,
                "ProsecutionService" => Role::Prosecution,
                "MunicipalService" => Role::MunicipalUnit,
                "LaboratoryService" => Role::Laboratory,
                _ => Role::Auditor,
            };
            assert_eq!(role_of(*verb), role, "{}", verb.call());
            assert_eq!(Verb::of_number(verb.number()), Some(*verb));
            assert_eq!(Verb::of_call(verb.call()), Some(*verb));
        }
    }
}
