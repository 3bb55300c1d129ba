//! The log of a stopped store: under which heads it is opened, and what is a case in it.

use super::*;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::tree::Hash;
use crate::domain::id::CaseRef;
use crate::policy::command::Command;
use crate::policy::table::Verb;
use crate::store::Store as _;
use crate::store::contract::case_bed::wish;
use crate::store::embedded::stopped::{StoppedLog, Wanted};

fn open(home: &Home, checkpoint: Option<&str>) -> Result<StoppedLog, OpenError> {
    StoppedLog::open(&home.data(), Zeroizing::new(KEY), checkpoint)
}

fn signed(size: u64, root: Hash, signer: &LogSigner) -> String {
    Checkpoint::new(origin(), size, root).unwrap().sign(signer).unwrap().into_string()
}

/// A stopped store in which a case happened and an auditor asked for it and for a reference that is none.
async fn stopped(home: &Home, nobodys: CaseRef) -> CaseRef {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    for case in [accepted.case_ref, Some(nobodys)] {
        let ask = |permit| Command::Audit { permit, case_ref: case, participant: None };
        bed.act("tilsyn", Verb::ListRecords, ask).await.unwrap();
    }
    store.stop().await.unwrap();
    accepted.case_ref.unwrap()
}

#[tokio::test]
async fn a_head_that_is_ahead_forked_or_of_another_key_is_told_as_what_it_is() {
    let home = Home::new();
    stopped(&home, CaseRef::from_bytes([9; 10])).await;
    let own = open(&home, None).unwrap();
    let (size, root, text) = (own.head().size(), own.head().root(), own.checkpoint().to_owned());
    drop(own);
    let refused = |given: &str| open(&home, Some(given)).map(drop).unwrap_err();
    let newer = refused(&signed(size + 5, Hash::leaf(b"longer"), &signer()));
    assert!(matches!(newer, OpenError::NewerCheckpoint { given, published } if (given, published) == (size + 5, size)), "{newer}");
    assert!(newer.to_string().contains("an older copy") && newer.to_string().contains("the newest copy of the folder"), "{newer}");
    for size in [size, size - 1] {
        let forked = refused(&signed(size, Hash::leaf(b"fork"), &signer()));
        assert!(matches!(&forked, OpenError::ForkedCheckpoint { size: over, .. } if *over == size), "{forked}");
        let said = forked.to_string();
        assert!(said.contains("forked") && said.contains("keep both") && said.contains(&Hash::leaf(b"fork").to_string()), "{said}");
    }
    let other = LogSigner::from_seed(origin().key_name(), Zeroizing::new([8; 32]));
    assert!(matches!(refused(&signed(size, root, &other)), OpenError::OtherCheckpoint));
    assert_eq!(open(&home, Some(&text)).unwrap().head().size(), size);
}

#[tokio::test]
async fn a_question_about_a_reference_makes_no_case_of_it() {
    let home = Home::new();
    let nobodys = CaseRef::from_bytes([9; 10]);
    let case = stopped(&home, nobodys).await;
    let log = open(&home, None).unwrap();
    let range = |case| log.range(&Wanted { case_ref: Some(case), ..Wanted::default() }).unwrap();
    let (from, to) = range(case).unwrap();
    assert!(to > from + 1, "what happened, and who asked");
    assert_eq!(range(nobodys), None);
    assert_eq!(range(CaseRef::from_bytes([8; 10])), None);
}
