//! Acts as plain data, from which each store is given a command of its own.

use crate::audit::event::{Event, ItemNumber, MessageKind};
use crate::domain::hold::{HeldCase, HoldReason};
use crate::domain::id::{CaseRef, MessageId, RequisitionId};
use crate::domain::participant::{Contact, Participant, Register, Standing};
use crate::domain::report::MissedAppointment;
use crate::domain::sample::{Matrix, SamplePart};
use crate::domain::sensitive::Content;
use crate::domain::time::Date;
use crate::policy::command::{Body, Command, Searched, Submission};
use crate::policy::permit::{Caller, NO_CONTENT, Permit, authorize};
use crate::policy::reason::Reason;
use crate::policy::table::{FLOWS, Verb};
use crate::store::contract::case_bed::{
    INNLANDET, LAB, LAB_2, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, date, id, notice, register, report, result, wish,
};

pub const PROSECUTIONS: [&str; 2] = [OSLO, INNLANDET];
pub const UNITS: [&str; 2] = [RU_OSLO, RU_HAMAR];
pub const LABORATORIES: [&str; 2] = [LAB, LAB_2];
pub const RECIPIENTS: [&str; 4] = [RU_OSLO, OSLO, RU_HAMAR, INNLANDET];
pub const ALL: [&str; 7] = [OSLO, INNLANDET, RU_OSLO, RU_HAMAR, LAB, LAB_2, "tilsyn"];
const WISHES: u8 = 12;
const REGISTERS: u8 = 7;
/// Content of a message, in bytes: short ones, ones over a page, the largest.
const SIZES: [usize; 6] = [40, 64, 700, 3000, 9000, 65_000];

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    Notice { wish: u8 },
    Report { case_ref: CaseRef, day: u8 },
    Result { requisition: RequisitionId, label: u8, kind: u8 },
    Withdrawal { kind: MessageKind, code: u16 },
}

/// A message with its handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub who: &'static str,
    pub message_id: MessageId,
    pub text: Text,
    pub replaces: Option<MessageId>,
    pub validate_only: bool,
    /// Content of another number is other content.
    pub content: u64,
}

impl Letter {
    pub fn kind(&self) -> MessageKind {
        match &self.text {
            Text::Notice { .. } => MessageKind::ConditionNotice,
            Text::Report { .. } => MessageKind::NonAttendanceReport,
            Text::Result { .. } => MessageKind::LabResult,
            Text::Withdrawal { kind, .. } => *kind,
        }
    }

    /// What stands in its content and nowhere else.
    pub fn mark(&self) -> String {
        format!("innhold-{:08}-som-ingen-skal-lese", self.content)
    }

    pub fn canonical(&self) -> Content {
        if matches!(self.text, Text::Withdrawal { .. }) {
            return Content::default();
        }
        let mut bytes = self.mark().into_bytes();
        bytes.resize(SIZES[(self.content % SIZES.len() as u64) as usize].max(bytes.len()), b'.');
        Content::from(bytes)
    }

    fn commit(&self) -> [u8; 32] {
        let mut commit = [9; 32];
        commit[..8].copy_from_slice(&self.content.to_be_bytes());
        commit
    }

    fn submission(&self) -> Submission {
        let body = match &self.text {
            Text::Notice { wish } => Body::Notice(Box::new(notice(&wish_of(*wish)))),
            Text::Report { case_ref, day } => {
                let mut facts = report(*case_ref, "2026-11-10");
                if day % 7 == 6 {
                    facts.missed = MissedAppointment::DrugControl;
                }
                facts.missed_dates =
                    vec![date(["2026-11-10", "2026-11-15", "2026-11-19", "2026-12-01", "2026-10-01"][usize::from(day % 5)])];
                Body::Report(facts)
            }
            Text::Result { requisition, label, kind } => {
                let mut facts = result(*requisition, ["P-1", "P-2", "P-3"][usize::from(label % 3)]);
                match kind % 9 {
                    1 => facts.part = SamplePart::B,
                    2 => facts.collected_on = None,
                    3 => facts.collected_on = Some(date("2026-10-20")),
                    4 => facts.matrix = Matrix::Hair,
                    5 => drop(facts.groups.pop()),
                    _ => {}
                }
                Body::Result(facts)
            }
            Text::Withdrawal { code, .. } => Body::Withdrawal(*code),
        };
        Submission {
            kind: self.kind(),
            message_id: self.message_id,
            commit: self.commit(),
            replaces: self.replaces,
            validate_only: self.validate_only,
            body,
            canonical: self.canonical(),
            mailbox_items_max: usize::MAX,
            searched: Searched::Unknown,
        }
    }
}

fn wish_of(number: u8) -> NoticeWish {
    match number % WISHES {
        1 => NoticeWish { municipality: "3403", ..wish() },
        2 => NoticeWish { subject: "05907512055", ..wish() },
        3 => NoticeWish { control: false, ..wish() },
        4 => NoticeWish { attendance: false, ..wish() },
        5 => NoticeWish { laboratories: vec![LAB.into()], ..wish() },
        6 | 7 => NoticeWish { probation_end: "2027-01-20", to: "2027-01-10", ..wish() },
        8 => NoticeWish { contact: "ukjent", ..wish() },
        9 => NoticeWish { municipality: "1103", ..wish() },
        _ => wish(),
    }
}

/// From this generation on the first laboratory is retired and the second has what it had: for good, whatever a register varies besides.
pub const RETIRES_AT: u64 = 3;

/// Who has in `generation` what `who` had.
pub fn heir(who: &'static str, generation: u64) -> &'static str {
    if who == LAB && generation >= RETIRES_AT { LAB_2 } else { who }
}

/// A register of a later generation.
pub fn register_of(variant: u8, generation: u64) -> Register {
    let suspend = |all: &mut Vec<Participant>, who: &str| {
        all.iter_mut().filter(|one| one.id == id(who)).for_each(|one| one.standing = Standing::Suspended);
    };
    let vary = |all: &mut Vec<Participant>| match variant % REGISTERS {
        1 => suspend(all, RU_OSLO),
        2 => suspend(all, OSLO),
        3 => suspend(all, LAB),
        4 => {
            // Oslo is served by Hamar's unit from here.
            all[2].municipalities = vec!["4601".parse().unwrap()];
            all[3].municipalities.push("0301".parse().unwrap());
        }
        5 => all[3].contacts.clear(),
        _ => {}
    };
    let retire = |all: &mut Vec<Participant>| {
        for one in all.iter_mut().filter(|one| one.id == id(LAB) && generation >= RETIRES_AT) {
            one.standing = Standing::Retired;
            one.successor = Some(id(LAB_2));
        }
    };
    register(generation, |all| {
        vary(all);
        retire(all);
    })
}

/// What is put to both stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Submit(Box<Letter>),
    HandOut {
        who: &'static str,
        reader: String,
        items: Vec<ItemNumber>,
    },
    Acknowledge {
        who: &'static str,
        items: Vec<ItemNumber>,
    },
    Return {
        who: &'static str,
        item: ItemNumber,
        reason: u16,
    },
    Contact {
        who: &'static str,
        phone: u8,
    },
    Register {
        variant: u8,
        generation: u64,
    },
    Refuse {
        who: &'static str,
        reason: Reason,
    },
    Audit {
        case_ref: Option<CaseRef>,
    },
    Hold {
        case_ref: CaseRef,
        until: Date,
    },
    Lift(CaseRef),
    EndHold(CaseRef),
    MarkOverdue(ItemNumber),
    EndCase(CaseRef),
    ForgetCase(CaseRef),
    /// What the store put to itself.
    Note(Event),
}

fn permit(who: &str, verb: Verb, digest: [u8; 32], register: &Register) -> Result<Permit, Reason> {
    authorize(&caller(who, register)?, verb, digest, register).map_err(|denial| denial.reason)
}

fn caller(who: &str, register: &Register) -> Result<Caller, Reason> {
    let participant = std::sync::Arc::clone(register.get(&id(who)).ok_or(Reason::NotEnrolled)?);
    Ok(Caller { key: participant.keys[0].hash, key_label: participant.keys[0].label.clone(), participant })
}

impl Act {
    /// The command, permitted under `register`.
    pub fn command(&self, register: &Register) -> Result<Command, Reason> {
        let is_unit = |who: &str| who.starts_with("ru-");
        Ok(match self {
            Self::Submit(letter) => {
                let submission = letter.submission();
                let verb = FLOWS.iter().find(|flow| flow.kind == submission.kind).expect("each kind has a flow").send;
                let permit = permit(letter.who, verb, submission.commit, register)?;
                Command::Submit { permit, submission: Box::new(submission) }
            }
            Self::HandOut { who, reader, items } => {
                let verb = if is_unit(who) { Verb::MunicipalReceive } else { Verb::ProsecutionReceive };
                Command::HandOut { permit: permit(who, verb, NO_CONTENT, register)?, reader: reader.clone(), items: items.clone() }
            }
            Self::Acknowledge { who, items } => {
                let verb = if is_unit(who) { Verb::MunicipalAcknowledge } else { Verb::ProsecutionAcknowledge };
                Command::Acknowledge { permit: permit(who, verb, NO_CONTENT, register)?, items: items.clone() }
            }
            Self::Return { who, item, reason } => {
                Command::Return { permit: permit(who, Verb::Return, NO_CONTENT, register)?, item: *item, reason: *reason }
            }
            Self::Contact { who, phone } => {
                let contact =
                    Contact { key: "vakt".into(), role_name: "Vakt".into(), phone: Some(format!("+472100{phone:04}")), email: None };
                Command::SetContact { permit: permit(who, Verb::SetContact, NO_CONTENT, register)?, contact }
            }
            Self::Register { variant, generation } => {
                Command::LoadRegister { register: register_of(*variant, *generation), digest: [*variant; 32] }
            }
            Self::Refuse { who, reason } => {
                Command::Refuse { caller: caller(who, register)?, verb: Verb::SendNotice, reason: *reason, message_id: None }
            }
            Self::Audit { case_ref } => {
                let permit = permit("tilsyn", Verb::ListRecords, NO_CONTENT, register)?;
                Command::Audit { permit, case_ref: *case_ref, participant: None }
            }
            Self::Hold { case_ref, until } => Command::PlaceHold {
                permit: permit("tilsyn", Verb::PlaceHold, NO_CONTENT, register)?,
                case: HeldCase { case_ref: *case_ref, prosecution: None, unit: None },
                reason: HoldReason::Complaint,
                until: *until,
                oldest: None,
                ground: None,
            },
            Self::Lift(case_ref) => {
                Command::LiftHold { permit: permit("tilsyn", Verb::LiftHold, NO_CONTENT, register)?, case_ref: *case_ref }
            }
            Self::EndHold(case_ref) => Command::EndHold { case_ref: *case_ref },
            Self::MarkOverdue(item) => Command::MarkOverdue { item: *item },
            Self::EndCase(case_ref) => Command::EndCase { case_ref: *case_ref },
            Self::ForgetCase(case_ref) => Command::ForgetCase { case_ref: *case_ref },
            Self::Note(event) => Command::Note(event.clone()),
        })
    }

    /// Whether the act stores a new message, which a full disk refuses.
    pub fn fills(&self) -> bool {
        matches!(self, Self::Submit(letter) if !letter.validate_only && !matches!(letter.text, Text::Withdrawal { .. }))
    }
}
