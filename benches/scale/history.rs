//! A history that the store's own acts write: what a gateway of some years has behind it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use samband::audit::event::MessageKind;
use samband::clock::{Clock, MockClock, SystemClock};
use samband::domain::control::{Announcement, ControlDraft, FrequencyDraft, FrequencyPeriod, Procedure};
use samband::domain::id::{MessageId, ParticipantId, RequisitionId};
use samband::domain::identity::IdentityMode;
use samband::domain::legal_basis::LegalBasis;
use samband::domain::notice::{
    AgeAtAct, AttendanceDraft, ConditionNotice, ImposingAuthority, NoticeDraft, Reaction, SubjectDraft, SubjectIdDraft,
};
use samband::domain::report::{MissedAppointment, ReportFacts};
use samband::domain::result::ResultFacts;
use samband::domain::sample::{Matrix, SamplePart};
use samband::domain::sensitive::Content;
use samband::domain::substance::SubstanceGroup;
use samband::domain::time::{Date, Timestamp};
use samband::domain::violation::{Choice, ParseContext};
use samband::policy::command::{Body, Command, Searched, Submission};
use samband::policy::permit::{Caller, NO_CONTENT, authorize};
use samband::policy::table::Verb;
use samband::store::embedded::EmbeddedStore;
use samband::store::{Accepted, Outcome, OverdueAfter, Store};
use tokio::task::JoinSet;

use crate::home::{open, prepare, register, sizes};
use crate::{DAY, Wishes};

/// Results of one case.
const RESULTS: u64 = 6;
/// Entries of one case: a notice, its results and a report, each accepted, handed out and acknowledged; its end, and that it is forgotten.
pub const ENTRIES_OF_A_CASE: u64 = 3 * (1 + RESULTS + 1) + 2;
/// Days of a case: a short probation, three months, thirty days.
const CASE_DAYS: i64 = 130;
/// Bytes of a notice's, a result's and a report's canonical content, about.
const NOTICE_BYTES: usize = 700;
const RESULT_BYTES: usize = 450;
const REPORT_BYTES: usize = 120;
/// Acts that are in flight at once.
const AT_ONCE: usize = 4096;
/// Whose unit fetches its mail, and whose does not.
pub const OSLO: &str = "0301";
pub const HAMAR: &str = "3403";
/// Nothing is overdue in a generated history.
const NEVER: OverdueAfter = OverdueAfter { notice_millis: i64::MAX / 4, report_millis: i64::MAX / 4, result_millis: i64::MAX / 4 };

/// The participants that act, over one store.
pub struct Cast {
    /// The store.
    pub store: Arc<EmbeddedStore>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    next: AtomicU64,
}

impl Cast {
    /// Over a store; the register is loaded if there is none.
    pub async fn new(home: &Path, store: Arc<EmbeddedStore>, clock: Arc<dyn Clock>) -> Self {
        if store.register().iter().next().is_none() {
            let (register, digest) = register(home);
            store.act(Command::LoadRegister { register, digest }).await.expect("a new store takes its register");
        }
        Self { store, clock, next: AtomicU64::new(1) }
    }

    pub fn caller(&self, who: &str) -> Caller {
        let register = self.store.register();
        let participant = Arc::clone(register.get(&id(who)).expect("it stands in the development register"));
        Caller { key: participant.keys[0].hash, key_label: participant.keys[0].label.clone(), participant }
    }

    fn fresh(&self) -> (MessageId, [u8; 32]) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        // Ids of two runs over one store must differ.
        random[..2].copy_from_slice(&(std::process::id() as u16).to_be_bytes());
        let mut commit = [7; 32];
        commit[..8].copy_from_slice(&n.to_be_bytes());
        (MessageId::new(self.store.now(), random), commit)
    }

    /// A message of `caller`, to be put to the store.
    pub fn submission(&self, caller: &Caller, verb: Verb, kind: MessageKind, body: Body, bytes: usize) -> Command {
        let (message_id, commit) = self.fresh();
        let permit = authorize(caller, verb, commit, &self.store.register()).expect("its own call");
        let canonical = Content::from(vec![0x5a; bytes]);
        let submission = Submission {
            kind,
            message_id,
            commit,
            replaces: None,
            validate_only: false,
            body,
            canonical,
            mailbox_items_max: usize::MAX,
            searched: Searched::Unknown,
        };
        Command::Submit { permit, submission: Box::new(submission) }
    }

    /// A notice to the unit that serves `municipality`.
    pub fn notice(&self, police: &Caller, municipality: &str, days: i64) -> Command {
        let today = self.clock.now().oslo_date();
        let notice = Body::Notice(Box::new(notice(today, municipality, days)));
        self.submission(police, Verb::SendNotice, MessageKind::ConditionNotice, notice, NOTICE_BYTES)
    }

    fn result(&self, laboratory: &Caller, requisition_id: RequisitionId, n: u64, today: Date) -> Command {
        let facts = ResultFacts {
            requisition_id,
            label: format!("S-{n}").parse().expect("a label"),
            part: SamplePart::A,
            matrix: Matrix::Urine,
            collected_on: Some(today),
            received_on: today,
            groups: vec![SubstanceGroup::Amphetamines, SubstanceGroup::Cannabis],
        };
        self.submission(laboratory, Verb::SendResult, MessageKind::LabResult, Body::Result(facts), RESULT_BYTES)
    }

    /// Puts all to the store, many at once; what they led to, in no order.
    pub async fn all(&self, commands: impl IntoIterator<Item = Command>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut running = JoinSet::new();
        for command in commands {
            if running.len() >= AT_ONCE {
                outcomes.extend(running.join_next().await.map(done));
            }
            let store = Arc::clone(&self.store);
            running.spawn(async move { store.act(command).await });
        }
        while let Some(outcome) = running.join_next().await {
            outcomes.push(done(outcome));
        }
        outcomes
    }

    /// Hands out and acknowledges all that waits for `who`.
    pub async fn take(&self, who: &str, receive: Verb, acknowledge: Verb) {
        let caller = self.caller(who);
        let permit = |verb| authorize(&caller, verb, NO_CONTENT, &self.store.register()).expect("its own call");
        loop {
            let items = self.store.waiting(&id(who), None, 4096).await.expect("the store runs");
            if items.is_empty() {
                return;
            }
            let items: Vec<_> = items.into_iter().map(|item| item.item).collect();
            let hand_out = Command::HandOut { permit: permit(receive), reader: "r1".into(), items: items.clone() };
            self.store.act(hand_out).await.expect("what waits can be handed out");
            self.store.act(Command::Acknowledge { permit: permit(acknowledge), items }).await.expect("and acknowledged");
        }
    }

    /// `cases` notices with all that follows them, delivered.
    pub async fn cases(&self, cases: u64) {
        let (police, unit, laboratory) = (self.caller("politi-oslo"), self.caller("ru-oslo"), self.caller("lab-ous"));
        let today = self.clock.now().oslo_date();
        let opened = self.all((0..cases).map(|_| self.notice(&police, OSLO, 5))).await;
        self.take("ru-oslo", Verb::MunicipalReceive, Verb::MunicipalAcknowledge).await;
        let opened: Vec<Accepted> = opened.into_iter().filter_map(accepted).collect();
        let results = opened.iter().flat_map(|case| {
            let requisition = case.requisition_id.expect("the notice orders samples");
            (0..RESULTS).map(move |n| (requisition, n))
        });
        self.all(results.map(|(requisition, n)| self.result(&laboratory, requisition, n, today))).await;
        let reports = opened.iter().map(|case| {
            let facts = ReportFacts {
                case_ref: case.case_ref.expect("the prosecution is told the case"),
                missed: MissedAppointment::Conversation,
                summons_dates: vec![today],
                missed_dates: vec![today],
            };
            self.submission(&unit, Verb::SendReport, MessageKind::NonAttendanceReport, Body::Report(facts), REPORT_BYTES)
        });
        self.all(reports).await;
        self.take("politi-oslo", Verb::ProsecutionReceive, Verb::ProsecutionAcknowledge).await;
    }

    /// Ends and forgets the cases whose time has come.
    pub async fn sweep(&self) {
        loop {
            let due = self.store.due(self.store.now(), NEVER, AT_ONCE).await.expect("the store runs");
            if due.ended.is_empty() && due.forgotten.is_empty() {
                return;
            }
            let ended = due.ended.into_iter().map(|case_ref| Command::EndCase { case_ref });
            self.all(ended.chain(due.forgotten.into_iter().map(|case_ref| Command::ForgetCase { case_ref }))).await;
        }
    }
}

fn done(outcome: Result<Result<Outcome, samband::store::StoreError>, tokio::task::JoinError>) -> Outcome {
    outcome.expect("an act does not panic").expect("every act of a generated history is allowed")
}

fn accepted(outcome: Outcome) -> Option<Accepted> {
    match outcome {
        Outcome::Accepted(accepted) => Some(accepted),
        Outcome::Done { .. } => None,
    }
}

fn id(text: &str) -> ParticipantId {
    text.parse().expect("a participant's id")
}

/// An adult, attendance and control, on probation from `today` for so many days.
fn notice(today: Date, municipality: &str, days: i64) -> ConditionNotice {
    let day = |date: Date| date.to_string();
    let end = Timestamp::start_of(today).plus_millis(days * DAY + DAY / 2).oslo_date();
    let control = ControlDraft {
        legal_basis: Choice::Value(LegalBasis::Strl37AbstainAndTest),
        procedure: Choice::Value(Procedure::Sanction),
        matrices: vec![Choice::Value(Matrix::Urine)],
        groups: vec![Choice::Value(SubstanceGroup::Cannabis), Choice::Value(SubstanceGroup::Amphetamines)],
        sample_count: RESULTS as u32,
        frequency: Some(FrequencyDraft {
            times: 1,
            per: Choice::Value(FrequencyPeriod::Month),
            announcement: Choice::Value(Announcement::Unannounced),
        }),
        from_date: day(today),
        to_date: day(end),
        laboratories: Vec::new(),
        subject_informed_on: day(today),
        invoice_reference: "OSL-1".into(),
    };
    let draft = NoticeDraft {
        subject: Some(SubjectDraft {
            id: Some(SubjectIdDraft::Fnr("03851598730".into())),
            family_name: "Prøve".into(),
            given_name: "Syntetisk".into(),
            reach: None,
        }),
        municipality_of_stay: municipality.into(),
        imposing_authority: Choice::Value(ImposingAuthority::Prosecution),
        // A waiver lasts two years at most.
        reaction: Choice::Value(if days > 700 { Reaction::ConditionalFine } else { Reaction::Waiver }),
        decision_date: day(today),
        probation_start: day(today),
        probation_end: day(end),
        age_at_act: Choice::Value(AgeAtAct::From18),
        minor_at_decision: Some(false),
        guardian: None,
        attendance: Some(AttendanceDraft {
            legal_basis: Choice::Value(LegalBasis::Strl37AttendUnit),
            required_count: 1,
            latest_date: None,
        }),
        control: Some(control),
        contact: "vakt".into(),
    };
    let context = ParseContext { today, identity_mode: IdentityMode::Test };
    ConditionNotice::parse(draft, &context).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// What a history of `entries` is made of: cases a day, for so many days.
struct Plan {
    days: VecDeque<u64>,
}

impl Plan {
    fn new(wishes: &Wishes) -> Self {
        let recent = wishes.recent_cases.min(wishes.entries.saturating_sub(wishes.undelivered) / ENTRIES_OF_A_CASE);
        let old = (wishes.entries.saturating_sub(wishes.undelivered) / ENTRIES_OF_A_CASE).saturating_sub(recent);
        let days = (wishes.months * 3044 / 100).max(CASE_DAYS as u64 + 30);
        let (early, late) = (days - CASE_DAYS as u64, CASE_DAYS as u64);
        let spread = |cases: u64, days: u64| (0..days).map(move |day| cases * (day + 1) / days - cases * day / days);
        Self { days: spread(old, early).chain(spread(recent, late)).collect() }
    }
}

/// Makes the folder.
pub async fn generate(wishes: &Wishes) {
    let begun = Instant::now();
    prepare(&wishes.home);
    let data = wishes.home.join("data");
    let plan = Plan::new(wishes);
    let days = plan.days.len() as i64;
    let clock = Arc::new(MockClock::new(SystemClock.now().plus_millis(-days * DAY)));
    let store = open(&wishes.home, &data, clock.clone(), false);
    let cast = Cast::new(&wishes.home, store, clock.clone()).await;
    let last_days = 4.min(days);
    for (day, cases) in plan.days.into_iter().enumerate() {
        if cases > 0 {
            cast.cases(cases).await;
        }
        cast.sweep().await;
        let left = days - day as i64;
        if left <= last_days {
            undelivered(&cast, wishes.undelivered / last_days as u64).await;
        }
        clock.advance_millis(DAY);
        if day % 10 == 0 || left <= last_days {
            let size = *cast.store.durable().borrow();
            let seconds = begun.elapsed().as_secs_f64();
            println!("day {} of {days}: {size} entries, {:.0} s, {:.0} entries a second", day + 1, seconds, size as f64 / seconds);
        }
    }
    let stats = cast.store.stats().await.expect("the store runs");
    println!("{stats:?}");
    cast.store.stop().await.expect("the store stops");
    println!(
        "generated in {:.0} s, resident memory now and at its highest: {:?} MiB",
        begun.elapsed().as_secs_f64(),
        crate::home::memory("self")
    );
    sizes(&data);
}

async fn undelivered(cast: &Cast, count: u64) {
    let police = cast.caller("politi-oslo");
    cast.all((0..count).map(|_| cast.notice(&police, HAMAR, 700))).await;
}
