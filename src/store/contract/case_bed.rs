//! What histories are written in: a register, a clock, and a client for each role that speaks acts.

use std::sync::Arc;

use crate::audit::checkpoint::Origin;
use crate::audit::event::{ItemNumber, MessageKind};
use crate::audit::note::LogSigner;
use crate::clock::{Clock as _, MockClock, SeededEntropy};
use crate::domain::control::{Announcement, ControlDraft, FrequencyDraft, FrequencyPeriod, Procedure};
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::identity::IdentityMode;
use crate::domain::label::SampleLabel;
use crate::domain::legal_basis::LegalBasis;
use crate::domain::notice::{
    AgeAtAct, AttendanceDraft, ConditionNotice, ImposingAuthority, NoticeDraft, Reaction, SubjectDraft, SubjectIdDraft,
};
use crate::domain::participant::{Contact, EnrolledKey, KeyHash, Participant, Register, Role, Standing};
use crate::domain::report::{MissedAppointment, ReportFacts};
use crate::domain::result::ResultFacts;
use crate::domain::sample::{Matrix, SamplePart};
use crate::domain::scope::AuditScope;
use crate::domain::sensitive::Content;
use crate::domain::substance::SubstanceGroup;
use crate::domain::time::{Date, Timestamp, parse_date};
use crate::domain::violation::{Choice, ParseContext};
use crate::policy::command::{Body, Command, Searched, Submission};
use crate::policy::permit::{Caller, NO_CONTENT, authorize};
use crate::policy::reason::Reason;
use crate::policy::table::{FLOWS, Verb};
use crate::store::memory::MemoryStore;
use crate::store::{Accepted, Item, Outcome, Store, StoreError};

pub(crate) const OSLO: &str = "politi-oslo";
pub(crate) const INNLANDET: &str = "politi-innlandet";
pub(crate) const RU_OSLO: &str = "ru-oslo";
pub(crate) const RU_HAMAR: &str = "ru-hamar";
pub(crate) const LAB: &str = "lab-ous";
pub(crate) const LAB_2: &str = "lab-st-olav";

/// A store under a clock that the test moves.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) verifier: crate::audit::note::LogVerifier,
    pub(crate) origin: Origin,
    /// Lets the next act fail, where the store can.
    pub(crate) fail_next: Option<Box<dyn Fn(crate::store::memory::Failure) + Send + Sync>>,
}

/// A world and the words to act in it.
pub(crate) struct Bed {
    pub(crate) world: World,
    next: std::sync::atomic::AtomicU64,
}

pub(crate) fn id(text: &str) -> ParticipantId {
    text.parse().unwrap()
}

pub(crate) fn date(text: &str) -> Date {
    parse_date(text).unwrap()
}

/// 2026-11-20 at noon in Oslo.
pub(crate) fn noon() -> Timestamp {
    Timestamp::start_of(date("2026-11-20")).plus_millis(12 * 3_600_000)
}

pub(crate) fn memory_bed() -> Bed {
    let clock = Arc::new(MockClock::new(noon()));
    let origin: Origin = "log.samband.example/test".parse().unwrap();
    let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([7; 32]));
    let verifier = signer.verifier().clone();
    let store = Arc::new(MemoryStore::new(origin.clone(), signer, clock.clone(), Arc::new(SeededEntropy::new(1))));
    let failing = Arc::clone(&store);
    Bed::new(World { store, clock, verifier, origin, fail_next: Some(Box::new(move |failure| failing.fail_next(failure))) })
}

pub(crate) fn participant(name: &str, role: Role, organisation: &str, municipalities: &[&str]) -> Participant {
    let mut key = [0; 32];
    key[..name.len()].copy_from_slice(name.as_bytes());
    let contact = Contact { key: "vakt".into(), role_name: "Vakt".into(), phone: Some("+4721000000".into()), email: None };
    Participant {
        id: id(name),
        name: format!("{name} (syntetisk)"),
        role,
        organisation_number: organisation.parse().unwrap(),
        keys: vec![EnrolledKey { hash: KeyHash::from_bytes(key), label: "k1".into(), operated_by: None }],
        municipalities: municipalities.iter().map(|number| number.parse().unwrap()).collect(),
        contacts: if role == Role::Auditor { Vec::new() } else { vec![contact] },
        administrative_system: role == Role::MunicipalUnit,
        successor: None,
        standing: Standing::Active,
        scope: (role == Role::Auditor).then_some(AuditScope::All),
    }
}

/// The register of the histories, changed by `change`.
pub(crate) fn register(generation: u64, change: impl FnOnce(&mut Vec<Participant>)) -> Register {
    let mut participants = vec![
        participant(OSLO, Role::Prosecution, "983163327", &[]),
        participant(INNLANDET, Role::Prosecution, "988312495", &[]),
        participant(RU_OSLO, Role::MunicipalUnit, "991825827", &["0301"]),
        participant(RU_HAMAR, Role::MunicipalUnit, "974760673", &["3403", "3411"]),
        participant(LAB, Role::Laboratory, "983999999", &[]),
        participant(LAB_2, Role::Laboratory, "983163327", &[]),
        participant("tilsyn", Role::Auditor, "988312495", &[]),
    ];
    change(&mut participants);
    Register::new(generation, participants, &|_| true).unwrap()
}

/// What a test changes of the usual notice.
pub(crate) struct NoticeWish {
    pub(crate) subject: &'static str,
    pub(crate) municipality: &'static str,
    pub(crate) attendance: bool,
    pub(crate) control: bool,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) laboratories: Vec<String>,
    pub(crate) probation_end: &'static str,
    pub(crate) contact: &'static str,
}

/// An adult in Oslo, attendance and control.
pub(crate) fn wish() -> NoticeWish {
    NoticeWish {
        subject: "03851598730",
        municipality: "0301",
        attendance: true,
        control: true,
        from: "2026-11-05",
        to: "2027-05-01",
        laboratories: Vec::new(),
        probation_end: "2028-11-01",
        contact: "vakt",
    }
}

pub(crate) fn notice(wish: &NoticeWish) -> ConditionNotice {
    let control = ControlDraft {
        legal_basis: Choice::Value(LegalBasis::Strl37AbstainAndTest),
        procedure: Choice::Value(Procedure::Sanction),
        matrices: vec![Choice::Value(Matrix::Urine)],
        groups: vec![Choice::Value(SubstanceGroup::Cannabis), Choice::Value(SubstanceGroup::Amphetamines)],
        sample_count: 6,
        frequency: Some(FrequencyDraft {
            times: 1,
            per: Choice::Value(FrequencyPeriod::Month),
            announcement: Choice::Value(Announcement::Unannounced),
        }),
        from_date: wish.from.into(),
        to_date: wish.to.into(),
        laboratories: wish.laboratories.clone(),
        subject_informed_on: "2026-11-03".into(),
        invoice_reference: "OSL-2026-1".into(),
    };
    let draft = NoticeDraft {
        subject: Some(SubjectDraft {
            id: Some(SubjectIdDraft::Fnr(wish.subject.into())),
            family_name: "Prøve".into(),
            given_name: "Syntetisk".into(),
            reach: None,
        }),
        municipality_of_stay: wish.municipality.into(),
        imposing_authority: Choice::Value(ImposingAuthority::Prosecution),
        reaction: Choice::Value(Reaction::Waiver),
        decision_date: "2026-11-02".into(),
        probation_start: "2026-11-02".into(),
        probation_end: wish.probation_end.into(),
        age_at_act: Choice::Value(AgeAtAct::From18),
        minor_at_decision: Some(false),
        guardian: None,
        attendance: wish.attendance.then_some(AttendanceDraft {
            legal_basis: Choice::Value(LegalBasis::Strl37AttendUnit),
            required_count: 1,
            latest_date: None,
        }),
        control: wish.control.then_some(control),
        contact: wish.contact.into(),
    };
    let context = ParseContext { today: date("2026-11-20"), identity_mode: IdentityMode::Test };
    ConditionNotice::parse(draft, &context).expect("the usual notice holds every rule of its fields")
}

pub(crate) fn report(case_ref: CaseRef, missed: &str) -> ReportFacts {
    ReportFacts {
        case_ref,
        missed: MissedAppointment::Conversation,
        summons_dates: vec![date("2026-11-03")],
        missed_dates: vec![date(missed)],
    }
}

pub(crate) fn result(requisition_id: RequisitionId, label: &str) -> ResultFacts {
    ResultFacts {
        requisition_id,
        label: label.parse::<SampleLabel>().unwrap(),
        part: SamplePart::A,
        matrix: Matrix::Urine,
        collected_on: Some(date("2026-11-16")),
        received_on: date("2026-11-18"),
        groups: vec![SubstanceGroup::Amphetamines, SubstanceGroup::Cannabis],
    }
}

impl Bed {
    pub(crate) fn new(world: World) -> Self {
        Self { world, next: std::sync::atomic::AtomicU64::new(1) }
    }

    /// A bed whose ids start at `first`, so that several over one store never make the same.
    pub(crate) fn starting_at(world: World, first: u64) -> Self {
        Self { world, next: std::sync::atomic::AtomicU64::new(first) }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.world.store
    }

    /// The register in force from here.
    pub(crate) async fn load(&self, register: Register) {
        self.store().act(Command::LoadRegister { register, digest: [1; 32] }).await.unwrap();
    }

    /// The usual register.
    pub(crate) async fn ready(&self) {
        self.load(register(1, |_| ())).await;
    }

    pub(crate) fn advance_days(&self, days: i64) {
        self.world.clock.advance_millis(days * 86_400_000);
    }

    /// A fresh id of the present time.
    pub(crate) fn fresh(&self) -> MessageId {
        let n = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        MessageId::new(self.world.clock.now(), random)
    }

    pub(crate) fn caller(&self, who: &str) -> Caller {
        let register = self.store().register();
        let participant = Arc::clone(register.get(&id(who)).expect("the caller is enrolled"));
        Caller { key: participant.keys[0].hash, key_label: participant.keys[0].label.clone(), participant }
    }

    pub(crate) async fn act(
        &self,
        who: &str,
        verb: Verb,
        make: impl FnOnce(crate::policy::permit::Permit) -> Command,
    ) -> Result<Outcome, Reason> {
        let permit = authorize(&self.caller(who), verb, NO_CONTENT, &self.store().register()).map_err(|denial| denial.reason)?;
        self.store().act(make(permit)).await.map_err(reason)
    }

    pub(crate) async fn submit(&self, who: &str, submission: Submission) -> Result<Outcome, Reason> {
        let verb = FLOWS.iter().find(|flow| flow.kind == submission.kind).unwrap().send;
        let permit = authorize(&self.caller(who), verb, submission.commit, &self.store().register()).map_err(|denial| denial.reason)?;
        self.store().act(Command::Submit { permit, submission: Box::new(submission) }).await.map_err(reason)
    }

    pub(crate) async fn send(&self, who: &str, body: Body, replaces: Option<MessageId>) -> Result<(MessageId, Accepted), Reason> {
        let message_id = self.fresh();
        let outcome = self.submit(who, submission(message_id, body, replaces)).await?;
        Ok((message_id, accepted(outcome)))
    }

    pub(crate) async fn send_notice(&self, wish: &NoticeWish, replaces: Option<MessageId>) -> Result<(MessageId, Accepted), Reason> {
        self.send(OSLO, Body::Notice(Box::new(notice(wish))), replaces).await
    }

    pub(crate) async fn withdraw(&self, who: &str, kind: MessageKind, of: MessageId, code: u16) -> Result<(MessageId, Accepted), Reason> {
        let message_id = self.fresh();
        let mut withdrawal = submission(message_id, Body::Withdrawal(code), Some(of));
        withdrawal.kind = kind;
        Ok((message_id, accepted(self.submit(who, withdrawal).await?)))
    }

    /// Everything in a mailbox.
    pub(crate) async fn waiting(&self, who: &str) -> Vec<Item> {
        self.store().waiting(&id(who), None, 1000).await.unwrap()
    }

    /// Fetches everything as `reader`.
    pub(crate) async fn fetch(&self, who: &str) -> Vec<Item> {
        let items = self.waiting(who).await;
        let numbers = items.iter().map(|item| item.item).collect();
        self.hand_out(who, "r1", numbers).await.unwrap();
        items
    }

    pub(crate) async fn hand_out(&self, who: &str, reader: &str, items: Vec<ItemNumber>) -> Result<usize, Reason> {
        let verb = if who.starts_with("ru-") { Verb::MunicipalReceive } else { Verb::ProsecutionReceive };
        let reader = reader.to_owned();
        self.act(who, verb, |permit| Command::HandOut { permit, reader, items }).await.map(events)
    }

    pub(crate) async fn acknowledge(&self, who: &str, items: Vec<ItemNumber>) -> Result<usize, Reason> {
        let verb = if who.starts_with("ru-") { Verb::MunicipalAcknowledge } else { Verb::ProsecutionAcknowledge };
        self.act(who, verb, |permit| Command::Acknowledge { permit, items }).await.map(events)
    }

    /// Fetches and acknowledges everything.
    pub(crate) async fn take(&self, who: &str) -> Vec<Item> {
        let items = self.fetch(who).await;
        self.acknowledge(who, items.iter().map(|item| item.item).collect()).await.unwrap();
        items
    }

    pub(crate) async fn give_back(&self, who: &str, item: ItemNumber) -> Result<usize, Reason> {
        self.act(who, Verb::Return, |permit| Command::Return { permit, item, reason: 1 }).await.map(events)
    }

    pub(crate) async fn status(&self, who: &str, message_id: MessageId) -> Option<crate::policy::case::DeliveryStatus> {
        self.store().status(&id(who), message_id).await.unwrap().map(|entry| entry.status)
    }
}

pub(crate) fn submission(message_id: MessageId, body: Body, replaces: Option<MessageId>) -> Submission {
    let kind = match &body {
        Body::Report(_) => MessageKind::NonAttendanceReport,
        Body::Result(_) => MessageKind::LabResult,
        Body::Notice(_) | Body::Withdrawal(_) | Body::Unfit => MessageKind::ConditionNotice,
    };
    let canonical = if matches!(body, Body::Withdrawal(_)) { Content::default() } else { b"innhold som ingen skal lese".to_vec().into() };
    Submission {
        kind,
        message_id,
        commit: [9; 32],
        replaces,
        validate_only: false,
        body,
        canonical,
        mailbox_items_max: usize::MAX,
        searched: Searched::Unknown,
    }
}

pub(crate) fn accepted(outcome: Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted(accepted) => accepted,
        Outcome::Done { .. } => panic!("expected an acceptance"),
    }
}

pub(crate) fn events(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Done { events } => events,
        Outcome::Accepted(_) => panic!("expected no acceptance"),
    }
}

fn reason(error: StoreError) -> Reason {
    match error {
        StoreError::Denied(denial) => denial.reason,
        other => panic!("expected a denial, not {other}"),
    }
}
