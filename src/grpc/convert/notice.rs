//! `ConditionNotice` taken apart.

use super::choice;
use crate::domain::control::{Announcement, ControlDraft, FrequencyDraft, FrequencyPeriod, Procedure};
use crate::domain::legal_basis::LegalBasis;
use crate::domain::notice::{
    AgeAtAct, AttendanceDraft, GuardianDraft, ImposingAuthority, NoticeDraft, Reaction, SubjectDraft, SubjectIdDraft,
};
use crate::domain::reach::{PostalAddressDraft, ReachDraft};
use crate::domain::sample::Matrix;
use crate::domain::substance::SubstanceGroup;
use crate::domain::violation::Choice;
use crate::grpc::pb;

pub(super) fn draft(message: pb::ConditionNotice) -> NoticeDraft {
    let pb::ConditionNotice {
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
    } = message;
    NoticeDraft {
        subject: subject.map(subject_draft),
        municipality_of_stay,
        imposing_authority: choice!(imposing_authority, pb::ImposingAuthority, ImposingAuthority, {
            Prosecution => Prosecution,
            Court => Court,
        }),
        reaction: choice!(reaction, pb::Reaction, Reaction, {
            Waiver => Waiver,
            ConditionalSentence => ConditionalSentence,
            ConditionalFine => ConditionalFine,
        }),
        decision_date,
        probation_start,
        probation_end,
        age_at_act: choice!(age_at_act, pb::AgeAtAct, AgeAtAct, { AgeAtAct1517 => From15To17, AgeAtAct18Plus => From18 }),
        minor_at_decision,
        guardian: guardian.map(|guardian| match guardian {
            pb::condition_notice::Guardian::GuardianNotifiedOn(date) => GuardianDraft::NotifiedOn(date),
            pb::condition_notice::Guardian::NoGuardian(pb::NoGuardian {}) => GuardianDraft::NoGuardian,
        }),
        attendance: attendance.map(attendance_draft),
        control: control.map(control_draft),
        contact,
    }
}

fn subject_draft(message: pb::Subject) -> SubjectDraft {
    let pb::Subject { id, family_name, given_name, reach } = message;
    SubjectDraft {
        id: id.map(|id| match id {
            pb::subject::Id::Fnr(text) => SubjectIdDraft::Fnr(text),
            pb::subject::Id::DNumber(text) => SubjectIdDraft::DNumber(text),
        }),
        family_name,
        given_name,
        reach: reach.map(reach_draft),
    }
}

fn reach_draft(message: pb::Reach) -> ReachDraft {
    let pb::Reach { postal_address, phone, address_protected } = message;
    let postal_address = postal_address.map(|address| {
        let pb::PostalAddress { lines, postcode, place } = address;
        PostalAddressDraft { lines, postcode, place }
    });
    ReachDraft { postal_address, phone, address_protected }
}

fn legal_basis(number: i32) -> Choice<LegalBasis> {
    choice!(number, pb::LegalBasis, LegalBasis, {
        Strl37AttendUnit => Strl37AttendUnit,
        Strl37AbstainAndTest => Strl37AbstainAndTest,
        Politiloven9aReferral => Politiloven9aReferral,
    })
}

fn attendance_draft(message: pb::Attendance) -> AttendanceDraft {
    let pb::Attendance { legal_basis: basis, required_count, latest_date } = message;
    AttendanceDraft { legal_basis: legal_basis(basis), required_count, latest_date }
}

fn control_draft(message: pb::Control) -> ControlDraft {
    let pb::Control {
        legal_basis: basis,
        procedure,
        matrices,
        groups,
        sample_count,
        frequency,
        from_date,
        to_date,
        laboratories,
        subject_informed_on,
        invoice_reference,
    } = message;
    ControlDraft {
        legal_basis: legal_basis(basis),
        procedure: choice!(procedure, pb::Procedure, Procedure, { Sanction => Sanction }),
        matrices: matrices.into_iter().map(matrix).collect(),
        groups: groups.into_iter().map(substance_group).collect(),
        sample_count,
        frequency: frequency.map(frequency_draft),
        from_date,
        to_date,
        laboratories,
        subject_informed_on,
        invoice_reference,
    }
}

fn frequency_draft(message: pb::Frequency) -> FrequencyDraft {
    let pb::Frequency { times, per, announcement } = message;
    FrequencyDraft {
        times,
        per: choice!(per, pb::FrequencyPeriod, FrequencyPeriod, { Week => Week, Month => Month, Period => Period }),
        announcement: choice!(announcement, pb::Announcement, Announcement, {
            Unannounced => Unannounced,
            Scheduled => Scheduled,
        }),
    }
}

pub(super) fn matrix(number: i32) -> Choice<Matrix> {
    choice!(number, pb::Matrix, Matrix, { Urine => Urine, OralFluid => OralFluid, Blood => Blood, Hair => Hair })
}

pub(super) fn substance_group(number: i32) -> Choice<SubstanceGroup> {
    choice!(number, pb::SubstanceGroup, SubstanceGroup, {
        Amphetamines => Amphetamines,
        Benzodiazepines => Benzodiazepines,
        Cannabis => Cannabis,
        Cocaine => Cocaine,
        Opiates => Opiates,
        OpioidsOther => OpioidsOther,
        Buprenorphine => Buprenorphine,
        Methadone => Methadone,
        Ghb => Ghb,
        ZHypnotics => ZHypnotics,
        Gabapentinoids => Gabapentinoids,
        Hallucinogens => Hallucinogens,
        SyntheticCannabinoids => SyntheticCannabinoids,
        Alcohol => Alcohol,
        OtherStimulants => OtherStimulants,
    })
}
