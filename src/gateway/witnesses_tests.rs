use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::audit::cosignature::tests::TestWitness;
use crate::audit::event::Event;
use crate::audit::note::LogSigner;
use crate::audit::witness::SIZE_CONTENT_TYPE;
use crate::clock::{MockClock, SeededEntropy};
use crate::policy::command::Command;
use crate::store::memory::MemoryStore;

const ORIGIN: &str = "log.example.no/samband";
const TIME: u64 = 1_780_000_000;

const QUICK: Times =
    Times { submission: Duration::from_millis(300), renew_after: Duration::from_millis(600), rest_max: Duration::from_millis(200) };

/// How a witness behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As specified.
    Good,
    /// Never answers.
    Silent,
    /// Cosigns with a key that is not its own.
    WrongKey,
    /// Answers 200 with something else.
    Garbage,
    /// Says each time that it knows this size.
    Stuck(u64),
    /// Answers with this status.
    Status(u16),
    /// Nothing listens.
    Down,
}

/// Witnesses by URL.
struct Fake {
    members: Vec<(Manner, TestWitness, Mutex<u64>)>,
    calls: AtomicUsize,
}

fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN.parse().unwrap(), Zeroizing::new([1; 32]))
}

impl Fake {
    fn new(manners: &[Manner]) -> Arc<Self> {
        let member =
            |(at, manner): (usize, &Manner)| (*manner, TestWitness::new(&format!("witness.example/w{at}"), at as u8 + 10), Mutex::new(0));
        Arc::new(Self { members: manners.iter().enumerate().map(member).collect(), calls: AtomicUsize::new(0) })
    }

    fn policy(&self, threshold: &str) -> TlogPolicy {
        let mut text = format!("log {}\n", signer().verifier());
        for (at, (_, witness, _)) in self.members.iter().enumerate() {
            text += &format!("witness w{at} {} {at}\n", witness.verifier);
        }
        let names: Vec<String> = (0..self.members.len()).map(|at| format!("w{at}")).collect();
        text += &format!("group g {threshold} {}\nquorum g\n", names.join(" "));
        TlogPolicy::parse(text.as_bytes()).unwrap()
    }

    fn witnesses(self: &Arc<Self>, threshold: &str) -> Arc<Witnesses> {
        Witnesses::within(self.policy(threshold), self.clone(), Duration::from_millis(10), QUICK)
    }
}

fn size_answer(size: u64) -> Heard {
    Heard { status: 409, content_type: SIZE_CONTENT_TYPE.to_owned(), body: format!("{size}\n").into_bytes() }
}

#[async_trait]
impl WitnessCall for Fake {
    async fn add_checkpoint(&self, prefix: &str, body: String) -> Result<Heard, NotHeard> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (manner, witness, known) = &self.members[prefix.parse::<usize>().unwrap()];
        let (lines, note) = body.split_once("\n\n").unwrap();
        let old: u64 = lines.lines().next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let head = Checkpoint::open(note, signer().verifier()).unwrap();
        assert_eq!(UnverifiedNote::parse(note).unwrap().signatures().len(), 1, "the log's own signature only");
        let cosigned =
            |by: &TestWitness| Heard { status: 200, content_type: String::new(), body: by.cosign(&head.to_text(), TIME).into_bytes() };
        match *manner {
            Manner::Good => {
                let mut known = known.lock();
                if old != *known {
                    return Ok(size_answer(*known));
                }
                *known = head.size();
                Ok(cosigned(witness))
            }
            Manner::Silent => std::future::pending().await,
            Manner::WrongKey => Ok(cosigned(&TestWitness::new(witness.verifier.name().as_str(), 99))),
            Manner::Garbage => Ok(Heard { status: 200, content_type: String::new(), body: vec![0xff; 70_000] }),
            Manner::Stuck(size) => Ok(size_answer(size)),
            Manner::Status(status) => Ok(Heard { status, content_type: String::new(), body: b"no\n".to_vec() }),
            Manner::Down => Err(NotHeard::Unreachable),
        }
    }
}

fn store(clock: &Arc<MockClock>) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(ORIGIN.parse().unwrap(), signer(), clock.clone(), Arc::new(SeededEntropy::new(1))))
}

async fn grow(store: &Arc<dyn Store>, by: usize) {
    for _ in 0..by {
        store.act(Command::Note(Event::Stopped)).await.unwrap();
    }
}

struct Running {
    store: Arc<dyn Store>,
    witnesses: Arc<Witnesses>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn running(fake: &Arc<Fake>, threshold: &str) -> Running {
    let clock = Arc::new(MockClock::new(Timestamp::from_millis(1_780_000_000_000)));
    let (store, witnesses, stop) = (store(&clock), fake.witnesses(threshold), CancellationToken::new());
    grow(&store, 5).await;
    let task = tokio::spawn(witnesses.clone().run(store.clone(), clock, stop.clone()));
    Running { store, witnesses, stop, task }
}

#[tokio::test]
async fn one_good_witness_among_bad_ones_gives_its_cosignature_and_each_bad_one_is_shown() {
    let manners = [
        Manner::Good,
        Manner::Silent,
        Manner::WrongKey,
        Manner::Garbage,
        Manner::Stuck(1_000),
        Manner::Stuck(3),
        Manner::Status(404),
        Manner::Status(422),
        Manner::Status(503),
        Manner::Down,
    ];
    let fake = Fake::new(&manners);
    let running = running(&fake, "any").await;
    let size = *running.store.durable().borrow();
    let cosigned = running.witnesses.cosigned(size, Duration::from_secs(30)).await.unwrap();
    assert_eq!((cosigned.size, &cosigned.by[..], cosigned.is_quorum), (size, &["w0".to_owned()][..], true));
    let accepted = fake.policy("any").accept(&cosigned.checkpoint, signer().verifier()).unwrap();
    assert_eq!((accepted.checkpoint.size(), accepted.by), (size, vec![(0, TIME)]));
    // The silent one is given up after its time; acts went on all the while.
    grow(&running.store, 3).await;
    tokio::time::sleep(QUICK.submission * 3).await;
    let states = running.witnesses.states();
    assert_eq!(states[0].status, WitnessStatus::Cosigned);
    assert_eq!(states[0].cosigned_at, Some(Timestamp::from_millis(1_780_000_000_000)));
    assert_eq!(states[1].status, WitnessStatus::NotHeard(NotHeard::TooSlow));
    assert!(matches!(states[2].status, WitnessStatus::Refused(Refused::Cosignature(_))), "{:?}", states[2]);
    assert!(matches!(states[3].status, WitnessStatus::Refused(Refused::Cosignature(_))), "{:?}", states[3]);
    assert_eq!((states[4].status, states[4].known_size), (WitnessStatus::Ahead, Some(1_000)));
    assert_eq!(states[5].status, WitnessStatus::Refused(Refused::Inconsistent), "a 409 with the size that was submitted from");
    assert_eq!(states[6].status, WitnessStatus::Refused(Refused::UnknownLog));
    assert_eq!(states[7].status, WitnessStatus::Refused(Refused::Inconsistent));
    assert_eq!(states[8].status, WitnessStatus::Refused(Refused::OutOfOrder));
    assert_eq!(states[9].status, WitnessStatus::NotHeard(NotHeard::Unreachable));
    assert!(states[1..].iter().all(|state| state.failures > 0 && state.cosigned_at.is_none()));
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_growing_log_is_cosigned_again_and_an_idle_one_only_when_its_cosignatures_grow_old() {
    let fake = Fake::new(&[Manner::Good, Manner::Good]);
    let running = running(&fake, "all").await;
    let first = running.witnesses.cosigned(6, Duration::from_secs(5)).await.unwrap();
    tokio::time::sleep(QUICK.renew_after / 3).await;
    assert_eq!((first.size, first.by.len(), first.is_quorum), (6, 2, true));
    assert_eq!(running.witnesses.covering(7), None);
    let calls = fake.calls.load(Ordering::SeqCst);
    tokio::time::sleep(QUICK.renew_after / 6).await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), calls, "an idle log asks nobody");
    tokio::time::sleep(QUICK.renew_after).await;
    assert!(fake.calls.load(Ordering::SeqCst) > calls, "but renews");
    grow(&running.store, 2).await;
    assert_eq!(running.witnesses.cosigned(8, Duration::from_secs(5)).await.unwrap().size, 8);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_witness_that_fails_rests_ever_longer() {
    let fake = Fake::new(&[Manner::Down]);
    let running = running(&fake, "any").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calls = fake.calls.load(Ordering::SeqCst);
    assert!((3..40).contains(&calls), "{calls} calls where 200 would be without rests");
    assert_eq!(running.witnesses.covering(0), None);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn witnesses_are_asked_how_far_they_saw() {
    let manners =
        [Manner::Good, Manner::Stuck(9), Manner::Stuck(2), Manner::Stuck(6), Manner::Status(422), Manner::Status(404), Manner::Silent];
    let fake = Fake::new(&manners);
    let store = store(&Arc::new(MockClock::new(Timestamp::from_millis(1_780_000_000_000))));
    grow(&store, 5).await;
    let head = store.checkpoint().await.unwrap();
    let saw = ask(&fake.policy("any"), fake.clone(), &head, Duration::from_millis(500)).await;
    let expected = [
        Saw::Size(0),
        Saw::Size(9),
        Saw::Size(2),
        Saw::Fork,
        Saw::Fork,
        Saw::Unknown(WitnessStatus::Refused(Refused::UnknownLog)),
        Saw::Unknown(WitnessStatus::NotHeard(NotHeard::TooSlow)),
    ];
    let expected: Vec<(String, Saw)> = expected.into_iter().enumerate().map(|(at, saw)| (format!("w{at}"), saw)).collect();
    assert_eq!(saw, expected);
    assert_eq!(ask(&fake.policy("any"), fake.clone(), b"no checkpoint", Duration::from_secs(3)).await, []);
}
