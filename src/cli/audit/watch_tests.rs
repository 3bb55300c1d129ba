use zeroize::Zeroizing;

use super::*;
use crate::audit::nodes::RecentNodes;
use crate::audit::note::LogSigner;
use crate::audit::proof::consistency_proof;

const STALL: i64 = 60_000;

fn log(entries: &[&str]) -> RecentNodes {
    let mut nodes = RecentNodes::default();
    entries.iter().for_each(|entry| nodes.push(Hash::leaf(entry.as_bytes())));
    nodes
}

fn head(nodes: &RecentNodes) -> Checkpoint {
    Checkpoint::new("log.example.no/samband".parse().unwrap(), nodes.size(), nodes.root()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn proof(nodes: &RecentNodes, old: u64) -> Vec<Hash> {
    consistency_proof(nodes, old, nodes.size()).unwrap()
}

#[test]
fn a_log_that_grows_is_followed_and_each_way_to_fork_is_an_alarm() {
    let (three, five) = (log(&["a", "b", "c"]), log(&["a", "b", "c", "d", "e"]));
    let mut watcher = Watcher::new(None, at(0), STALL);
    assert_eq!(watcher.compare(&head(&three)), Ok(Step::Grown));
    watcher.advance(head(&three), &[], at(1)).unwrap();
    assert_eq!(watcher.compare(&head(&three)), Ok(Step::Same));
    assert_eq!(watcher.compare(&head(&five)), Ok(Step::Grown));

    let other_five = log(&["a", "b", "X", "d", "e"]);
    let mut forked = watcher.clone();
    assert!(matches!(forked.advance(head(&other_five), &proof(&other_five, 3), at(2)), Err(Alarm::Fork(_))));
    assert!(matches!(forked.advance(head(&five), &[], at(2)), Err(Alarm::Fork(_))), "no proof is no continuation");
    assert_eq!(forked.mark, watcher.mark, "and the mark stays");

    watcher.advance(head(&five), &proof(&five, 3), at(2)).unwrap();
    assert!(matches!(watcher.compare(&head(&other_five)), Err(Alarm::Fork(_))), "another root of the same size");
    assert!(matches!(watcher.compare(&head(&three)), Err(Alarm::Fork(_))), "a smaller tree");
    let elsewhere = Checkpoint::new("log.example.no/other".parse().unwrap(), 9, Hash::leaf(b"")).unwrap();
    assert!(matches!(watcher.compare(&elsewhere), Err(Alarm::Fork(_))));
}

#[test]
fn a_log_that_stands_still_or_cannot_be_reached_is_an_alarm_in_time() {
    let mut watcher = Watcher::new(None, at(0), STALL);
    assert_eq!(watcher.check_growth(at(59), Some("nobody listens")), Ok(()));
    let Err(Alarm::Stall(text)) = watcher.check_growth(at(60), Some("nobody listens")) else { panic!("an alarm") };
    assert!(text.contains("nobody listens"), "{text}");
    watcher.advance(head(&log(&["a"])), &[], at(70)).unwrap();
    assert_eq!(watcher.check_growth(at(129), None), Ok(()));
    let Err(Alarm::Stall(text)) = watcher.check_growth(at(130), None) else { panic!("an alarm") };
    assert!(text.contains("stood at 1 entries for 60 seconds"), "{text}");
    assert_eq!(watcher.check_growth(at(-1000), None), Ok(()), "a clock set back is no stall");
}

#[test]
fn a_mark_that_does_not_verify_is_not_taken_for_a_first_round() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mark");
    let signer = LogSigner::from_seed("log.example.no/samband".parse().unwrap(), Zeroizing::new([1; 32]));
    assert_eq!(read_mark(&file, signer.verifier()).unwrap(), None);
    let good = head(&log(&["a"])).sign(&signer).unwrap();
    write_durably(&file, good.as_str().as_bytes()).unwrap();
    assert_eq!(read_mark(&file, signer.verifier()).unwrap(), Some(head(&log(&["a"]))));
    for bad in [&b""[..], &[0xff], good.as_str().replace("\n1\n", "\n2\n").as_bytes()] {
        write_durably(&file, bad).unwrap();
        assert_eq!(read_mark(&file, signer.verifier()).unwrap_err().code(), 2);
    }
}

#[test]
fn each_head_that_contradicts_the_mark_is_kept_and_they_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mark");
    let kept = || std::fs::read_dir(dir.path()).unwrap().count();
    let heads: Vec<_> = (0..40).map(|number| head(&log(&["a", &number.to_string()]))).collect();
    for (count, one) in (1..).zip(&heads[..3]) {
        keep_fork(&file, one, "first").unwrap();
        keep_fork(&file, one, "again").unwrap();
        assert_eq!(kept(), count, "a second fork does not take the place of the first, and the same one is kept once");
    }
    heads.iter().for_each(|one| keep_fork(&file, one, "later").unwrap());
    assert_eq!(kept(), FORKS_MAX);
    let texts = std::fs::read_dir(dir.path()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert_eq!(texts.filter(|text| text == "first").count(), 3);
}

#[test]
fn a_stall_is_counted_from_the_time_at_which_the_mark_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mark");
    assert_eq!(written_at(&file), None);
    std::fs::write(&file, "mark").unwrap();
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_780_000_000);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(written_at(&file), Some(at(1_780_000_000)));
    // One round only, of a gateway that does not answer.
    let watcher = Watcher::new(Some(head(&log(&["a"]))), written_at(&file).unwrap(), STALL);
    assert!(matches!(watcher.check_growth(at(1_780_000_060), Some("nobody listens")), Err(Alarm::Stall(_))));
}
