//! The store alone: acts become durable and receipted in batches, four of which are under way, beside a plain append of the same bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use samband::audit::event::{ItemNumber, MessageKind};
use samband::clock::Clock as _;
use samband::domain::id::{CaseRef, RequisitionId};
use samband::domain::identity::IdentityMode;
use samband::domain::violation::ParseContext;
use samband::grpc::{convert, pb};
use samband::policy::command::{Body, Command, Searched, Submission};
use samband::policy::permit::{Caller, NO_CONTENT, authorize};
use samband::policy::table::Verb;
use samband::store::embedded::EmbeddedStore;
use samband::store::{Accepted, Outcome, Store as _};
use tokio::task::JoinSet;

use crate::Wishes;
use crate::home::Home;
use crate::messages::{Case, Kind, Messages};
use crate::raw::{Goal, Threads, Usage, append, sync, table};

/// Batches that are made before the clock runs: enough that the first one, which nothing is under way beside, and the last ones are a small part of
/// the time.
const BATCHES_AT_ONCE: usize = 96;
/// Acts that are made at once: few enough to lie in the processor's cache still, as what comes off a wire does, and no handful.
const ACTS_AT_ONCE: std::ops::RangeInclusive<usize> = 256..=6144;
/// Batches under way at a time: one whose receipts are made, one on its way to the disk, one that is decided, one that comes in.
const UNDER_WAY: usize = 4;
/// Messages to one figure at most, so that no turn falls into it.
const MESSAGES_MAX: usize = 120_000;
/// Cases that reports and results are sent to; none gets more messages than a case may have.
const CASES: usize = 256;

/// Makes acts without a wire.
struct Acts<'h> {
    home: &'h Home,
    messages: Messages,
    context: ParseContext,
}

impl Acts<'_> {
    fn caller(&self, id: &str) -> Caller {
        let participant = self.home.register.get(&id.parse().expect("an id")).expect("it is enrolled").clone();
        let key = participant.keys[0].clone();
        Caller { participant, key: key.hash, key_label: key.label }
    }

    fn submit(&self, n: u64, (id, verb, kind): (&str, Verb, MessageKind), body: Body, canonical: Vec<u8>) -> Command {
        let mut commit = [7; 32];
        commit[..8].copy_from_slice(&n.to_be_bytes());
        let permit = authorize(&self.caller(id), verb, commit, &self.home.register).expect("it is its role's call");
        let (message_id, canonical) = (self.messages.id(n), canonical.into());
        Command::Submit {
            permit,
            submission: Box::new(Submission {
                kind,
                message_id,
                commit,
                replaces: None,
                validate_only: false,
                body,
                canonical,
                mailbox_items_max: usize::MAX,
                searched: Searched::Unknown,
            }),
        }
    }

    fn notice(&self, n: u64) -> Command {
        use pb::send_condition_notice_request::Body as Sent;
        let Some(Sent::Content(content)) = self.messages.notice(n).body else { panic!("it has content") };
        let canonical = convert::canonical(&content);
        let notice = convert::condition_notice(content, &self.context).expect("the sample holds");
        let flow = ("politi-oslo", Verb::SendNotice, MessageKind::ConditionNotice);
        self.submit(n, flow, Body::Notice(Box::new(notice)), canonical)
    }

    fn next(&self, cases: &[Case]) -> Command {
        let n = self.messages.next();
        let case = &cases[(n / 3) as usize % cases.len()];
        match Kind::of(n) {
            Kind::Notice => self.notice(n),
            Kind::Report => {
                use pb::report_non_attendance_request::Body as Sent;
                let Some(Sent::Content(content)) = self.messages.report(n, case).body else { panic!("it has content") };
                let canonical = convert::canonical(&content);
                let report = convert::non_attendance_report(content, &self.context).expect("the sample holds");
                let flow = ("ru-oslo", Verb::SendReport, MessageKind::NonAttendanceReport);
                self.submit(n, flow, Body::Report(report.facts()), canonical)
            }
            Kind::Result => {
                use pb::send_lab_result_request::Body as Sent;
                let Some(Sent::Content(content)) = self.messages.result(n, case).body else { panic!("it has content") };
                let canonical = convert::canonical(&content);
                let result = convert::lab_result(content, &self.context).expect("the sample holds");
                let flow = ("lab-ous", Verb::SendResult, MessageKind::LabResult);
                self.submit(n, flow, Body::Result(result.facts()), canonical)
            }
        }
    }

    /// Cases whose notice the unit has acknowledged.
    async fn cases(&self, store: &Arc<EmbeddedStore>) -> Vec<Case> {
        let acts: Vec<Command> = (0..CASES).map(|_| self.notice(self.messages.next())).collect();
        let accepted = settle(store, acts).await;
        let unit = self.caller("ru-oslo");
        let items: Vec<ItemNumber> = accepted.iter().map(|accepted| ItemNumber::main(accepted.index)).collect();
        let permit = |verb| authorize(&unit, verb, NO_CONTENT, &self.home.register).expect("it is its role's call");
        let hand_out = Command::HandOut { permit: permit(Verb::MunicipalReceive), reader: "bench".into(), items: items.clone() };
        store.act(hand_out).await.expect("the items are the unit's");
        store.act(Command::Acknowledge { permit: permit(Verb::MunicipalAcknowledge), items }).await.expect("they were handed out");
        let case = |accepted: &Accepted| Case {
            case_ref: accepted.case_ref.map(|id: CaseRef| id.to_string()).expect("a notice opens a case"),
            requisition_id: accepted.requisition_id.map(|id: RequisitionId| id.to_string()).expect("with a control part"),
        };
        accepted.iter().map(case).collect()
    }
}

/// Puts all acts in line at once and waits for all receipts.
async fn settle(store: &Arc<EmbeddedStore>, acts: Vec<Command>) -> Vec<Accepted> {
    let answers = acts.into_iter().map(|act| {
        let store = store.clone();
        async move {
            match store.act(act).await.expect("every message is accepted") {
                Outcome::Accepted(accepted) => accepted,
                Outcome::Done { .. } => panic!("it was no validation"),
            }
        }
    });
    futures_util::future::join_all(answers).await
}

/// All of `batches`, [`UNDER_WAY`] at a time.
async fn settle_all(store: Arc<EmbeddedStore>, batches: Vec<Vec<Command>>) {
    let mut under_way = JoinSet::new();
    for acts in batches {
        let store = store.clone();
        under_way.spawn(async move { settle(&store, acts).await.len() });
        if under_way.len() == UNDER_WAY {
            under_way.join_next().await.transpose().expect("every batch is settled");
        }
    }
    while let Some(settled) = under_way.join_next().await {
        settled.expect("every batch is settled");
    }
}

/// Measures, prints, and adds what is asked for to `goals`.
pub fn run(wishes: &Wishes, goals: &mut Vec<Goal>) {
    let home = Home::new(&wishes.dir);
    // Half of the processors are left to the threads of the store: more workers would only be woken to find nothing.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)))
        .enable_all()
        .thread_name("acts")
        .build()
        .expect("the system has threads");
    let context = ParseContext { today: home.clock.now().oslo_date(), identity_mode: IdentityMode::Test };
    let acts = Acts { home: &home, messages: Messages::new(home.clock), context };
    let rows: Vec<_> = wishes.batches.iter().map(|batch| runtime.block_on(batch_row(wishes, &acts, *batch, goals))).collect();
    println!("The store alone, all three kinds; a plain append of the same bytes is a write and an fdatasync, not preallocated.");
    let columns = [
        "fdatasync",
        "plain append",
        "the store",
        "CPU, switches",
        "a frame",
        "bytes",
        "of the append",
        "of its own frames",
        "µs of each thread",
    ];
    table("batch", &columns, &rows);
    runtime.block_on(start(&home));
}

async fn batch_row(wishes: &Wishes, acts: &Acts<'_>, batch: usize, goals: &mut Vec<Goal>) -> Vec<String> {
    let store = acts.home.fresh().await;
    let cases = acts.cases(&store).await;
    let before = acts.home.frames();
    let (mut spent, mut done, mut switches, mut threads) = (Duration::ZERO, 0, 0, Threads::none());
    while spent.as_secs_f64() < wishes.seconds && done < MESSAGES_MAX {
        let at_once = (batch * BATCHES_AT_ONCE).clamp(*ACTS_AT_ONCE.start(), *ACTS_AT_ONCE.end());
        let made: Vec<Vec<Command>> = (0..at_once / batch).map(|_| (0..batch).map(|_| acts.next(&cases)).collect()).collect();
        let count = made.iter().map(Vec::len).sum::<usize>();
        let (used, usage, start) = (Threads::now(), Usage::now(), Instant::now());
        // On a worker, as the calls of a server are: a thread of its own would be woken for each batch.
        tokio::spawn(settle_all(store.clone(), made)).await.expect("every batch is settled");
        spent += start.elapsed();
        threads.add_since(&used);
        done += count;
        switches += usage.switches_since();
    }
    let frames = acts.home.frames().since(&before);
    store.stop().await.expect("the store stops");
    let bytes = frames.bytes_each() * batch / (done as f64 / frames.count as f64).max(1.0) as usize;
    let plain = append(&wishes.dir, bytes, wishes.seconds.min(1.0)) * batch as f64;
    let held = done as f64 / frames.count as f64;
    let own = append(&wishes.dir, frames.bytes_each(), wishes.seconds.min(1.0)) * held;
    let rate = done as f64 / spent.as_secs_f64();
    if batch == 64 {
        goals.push(Goal {
            what: "the store alone at batches of 64, of a plain append".to_owned(),
            asked: "at least 60 %".to_owned(),
            reached: format!("{:.0} %", rate / plain * 100.0),
            met: rate >= 0.6 * plain,
        });
    }
    vec![
        batch.to_string(),
        sync(&wishes.dir, bytes).to_string(),
        format!("{plain:.0}/s"),
        format!("{rate:.0}/s"),
        format!("{:.0} µs, {:.1}", threads.together(done as f64), switches as f64 / done as f64),
        format!("{held:.1}"),
        format!("{bytes}"),
        format!("{:.0} %", rate / plain * 100.0),
        format!("{:.0} %", rate / own * 100.0),
        threads.each(done as f64),
    ]
}

/// Opens what the last figure left behind: stopped cleanly, then as after a kill.
async fn start(home: &Home) {
    let open = |what: &str| {
        let start = Instant::now();
        let store = home.open();
        (vec![what.to_owned(), format!("{:.0} ms", start.elapsed().as_secs_f64() * 1e3)], store)
    };
    let (clean, store) = open("after a clean stop");
    let entries = store.stats().await.expect("it serves").durable_size;
    drop(store);
    let (dropped, store) = open("without one");
    store.stop().await.expect("the store stops");
    println!("Start to serving with {entries} entries, all since the last turn.");
    table("start", &["until it serves"], &[clean, dropped]);
}
