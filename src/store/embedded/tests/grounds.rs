//! A configuration that names no ground any more for holds that last beyond the lawful maximum: nothing starts, and nothing is erased.

use super::*;
use crate::domain::hold::HoldReason;
use crate::domain::id::CaseRef;
use crate::domain::time::{DAY_MILLIS, Date};
use crate::policy::command::Command;
use crate::policy::table::Verb;
use crate::store::Store as _;
use crate::store::contract::case_bed::wish;
use crate::store::contract::holds::place;
use crate::store::embedded::grounds::without_ground;
use crate::store::embedded::{Asked, would_open};

impl Home {
    fn naming(&self, ground: Option<HoldGround>) -> Result<Arc<EmbeddedStore>, OpenError> {
        EmbeddedStore::open(Options { hold_ground: ground, ..self.options() })
    }

    /// What a start, the doctor and `check-config` say without a ground; nothing where all let it go on.
    fn refused(&self) -> Option<String> {
        let before = self.everything();
        let (origin, verifier, mark, today) = (origin(), verifier(), self.dir.path().join("high-water"), self.clock.now().oslo_date());
        let asked = Asked { origin: origin.as_str(), verifier: &verifier, high_water_file: &mark, hold_ground: None, today };
        let told = would_open(&self.data(), Zeroizing::new(KEY), &asked).map_err(|error| error.to_string()).err();
        let found = without_ground(&self.data(), Zeroizing::new(KEY), today).unwrap();
        assert_eq!(told, (!found.0.is_empty()).then(|| OpenError::NoGround(found).to_string()), "the doctor and check-config say the same");
        match self.naming(None) {
            Err(error @ OpenError::NoGround(_)) => {
                assert_eq!(Some(error.to_string()), told);
                assert!(self.everything() == before, "a store that is refused is left as it was found");
            }
            Err(error) => panic!("{error}"),
            Ok(_) => assert_eq!(told, None),
        }
        told
    }

    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap());
        files_below(self.dir.path()).into_iter().filter(|path| !path.ends_with("LOCK")).map(read).collect()
    }
}

/// A hold with these terms on a case of today, its copy made, and the store stopped.
async fn held(home: &Home, until: &str) -> (CaseRef, u64) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let case_ref = bed.send_notice(&wish(), None).await.unwrap().1.case_ref.unwrap();
    place(&bed, case_ref, HoldReason::CourtProceedings, until, Some(ground())).await.unwrap();
    store.turn_now().await.unwrap();
    let placed = store.holds().await.unwrap()[0].placed;
    drop(bed);
    store.stop().await.unwrap();
    (case_ref, placed)
}

async fn years_pass(home: &Home, store: &Arc<EmbeddedStore>, until: &str) {
    let until = crate::store::contract::case_bed::date(until);
    while home.clock.now().oslo_date() < until {
        home.clock.advance_millis(29 * DAY_MILLIS);
        store.act(Command::Note(crate::audit::event::Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    }
}

#[tokio::test]
async fn a_ground_that_is_named_no_more_keeps_the_store_from_starting_and_erases_nothing() {
    let home = Home::new();
    let (case_ref, placed) = held(&home, "2031-01-01").await;
    let said = home.refused().unwrap();
    assert!(said.starts_with("1 legal holds last beyond 35 whole months"), "{said}");
    assert!(said.contains(&format!("that of entry {placed} until 2031-01-01 (that record to 2029-10-31 without one)")), "{said}");
    assert!(said.contains("nothing is erased. Name the ground again: hold_ground") && said.contains("`samband audit hold`"), "{said}");
    assert!(!said.contains(&case_ref.to_string()), "it does not tell the case: {said}");

    // Past the ordinary maximum the records stand, and the store is refused all the same.
    let store = home.open();
    years_pass(&home, &store, "2030-01-05").await;
    let of_case = async |store: &Arc<EmbeddedStore>| {
        let filter = crate::store::RecordFilter { case_ref: Some(case_ref), ..Default::default() };
        store.records(&filter, 100).await.unwrap().entries.iter().filter(|entry| entry.record.is_some()).count()
    };
    assert_eq!(of_case(&store).await, 2);
    store.stop().await.unwrap();
    drop(store);
    assert!(home.refused().is_some());

    // Another ground carries it on: a word in it may have to be put right. Lifted, none is needed.
    let store = home.naming(Some(HoldGround::try_from("arkivlova § 10".to_owned()).unwrap())).unwrap();
    assert_eq!(of_case(&store).await, 2, "nothing was erased meanwhile");
    let bed = home.bed(&store);
    bed.act("tilsyn", Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.unwrap();
    drop(bed);
    store.stop().await.unwrap();
    drop(store);
    assert_eq!(home.refused(), None);
}

#[tokio::test]
async fn a_hold_whose_copy_is_not_made_or_cannot_be_read_is_refused_without_its_ground_too() {
    let home = Home::new();
    let (_, placed) = held(&home, "2031-01-01").await;
    let file = files_below(&home.data().join("holds")).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let said = home.refused().unwrap();
    assert!(said.contains(&format!("entry {placed} until 2031-01-01 (that record is not copied yet or cannot be read)")), "{said}");
}

#[tokio::test]
async fn what_needs_no_ground_or_is_over_starts_without_one() {
    let home = Home::new();
    held(&home, "2029-10-31").await;
    assert_eq!(home.refused(), None, "within the ordinary maximum");

    // As earlier versions wrote them: every hold bore the ground.
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let case_ref = bed.send_notice(&wish(), None).await.unwrap().1.case_ref.unwrap();
    let case = crate::domain::hold::HeldCase { case_ref, prosecution: None, unit: None };
    let (reason, until) = (HoldReason::Complaint, Date::constant(2027, 2, 20));
    let command = |permit| Command::PlaceHold { permit, case, reason, until, oldest: None, ground: Some(ground()) };
    bed.act("tilsyn", Verb::PlaceHold, command).await.unwrap();
    assert_eq!(store.holds().await.unwrap()[0].ground, Some(ground()));
    store.turn_now().await.unwrap();
    drop(bed);
    store.stop().await.unwrap();
    drop(store);
    assert_eq!(home.refused(), None, "its records may stand until then without one");

    let home = Home::new();
    held(&home, "2031-01-01").await;
    home.clock.set(crate::domain::time::Timestamp::start_of(Date::constant(2031, 1, 2)));
    assert_eq!(home.refused(), None, "its last day is over");
}
