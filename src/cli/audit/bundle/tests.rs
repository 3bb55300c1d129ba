//! Bundles that were tampered with, in every file and every region: refused with a reason, never a panic.

use std::path::Path;

use zeroize::Zeroizing;

use super::read::{Demands, Proved, check, check_stream};
use super::write::{Frame, Writer};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::{Event, ItemNumber};
use crate::audit::evidence::FILES;
use crate::audit::leaf::{Leaf, Openings};
use crate::audit::nodes::RecentNodes;
use crate::audit::note::LogSigner;
use crate::audit::proof::consistency_proof;
use crate::audit::question::{Question, words};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::record::Record;
use crate::audit::tar::{BLOCK, header, padding};
use crate::audit::tlog_policy::TlogPolicy;
use crate::audit::tree::Frontier;
use crate::cli::exit::CliError;
use crate::domain::id::CaseRef;
use crate::domain::lang::Lang;
use crate::domain::time::Timestamp;

const ORIGIN: &str = "log.example.no/samband";

fn signer(seed: u8) -> LogSigner {
    LogSigner::from_seed(ORIGIN.parse().unwrap(), Zeroizing::new([seed; 32]))
}

fn entry(index: u64) -> OpenEntry {
    let event = Event::RefusalsSummed {
        caller: "ru-oslo".parse().unwrap(),
        reason: 3,
        minute: Timestamp::from_millis(1_780_000_000_000),
        count: index + 1,
    };
    let record = Record::of(&event, Timestamp::from_millis(1_780_000_000_000 + i64::try_from(index).unwrap() * 1000));
    let openings = Openings::new([index as u8; 32], [!(index as u8); 32]);
    let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
    let held = match index % 7 {
        5 => Held::Erased,
        6 => Held::Closed,
        _ => Held::Record(Box::new((record, openings))),
    };
    OpenEntry { index, leaf: Some(leaf), held }
}

/// Entries of which those before 8 are of no case, and the others of two in turn.
fn entry_of_case(index: u64) -> OpenEntry {
    let event = Event::NoticeReturned {
        unit: "ru-oslo".parse().unwrap(),
        key_label: "main".to_owned(),
        item: ItemNumber(index),
        case_ref: case(index % 2),
        sender: "politi-oslo".parse().unwrap(),
        message_id: "019a9b3c-0000-7000-8000-000000000001".parse().unwrap(),
        reason: 2,
    };
    let record = Record::of(&event, Timestamp::from_millis(1_780_000_000_000 + i64::try_from(index).unwrap() * 1000));
    let openings = Openings::new([index as u8; 32], [!(index as u8); 32]);
    let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
    let of_none = entry(index);
    if index < 8 { of_none } else { OpenEntry { index, leaf: Some(leaf), held: Held::Record(Box::new((record, openings))) } }
}

fn case(number: u64) -> CaseRef {
    CaseRef::from_bytes([number as u8; 10])
}

/// The bundle of entries 5 to 19 that names case 1, of which those are open that `opens` says.
fn of_case(opens: impl Fn(u64) -> bool) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("case.tar");
    let closed = |entry: OpenEntry| if opens(entry.index) { entry } else { OpenEntry { held: Held::Closed, ..entry } };
    write_of(&out, 5, 20, (33, Some(case(1))), 1, &entry_of_case, |index| Some(closed(entry_of_case(index)))).unwrap();
    std::fs::read(out).unwrap()
}

/// A log of `size` entries, its bundle of `from..to` at `out`.
fn write(out: &Path, from: u64, to: u64, size: u64, seed: u8, entries: impl Fn(u64) -> Option<OpenEntry>) -> Result<(), CliError> {
    write_of(out, from, to, (size, None), seed, &entry, entries)
}

fn write_of(
    out: &Path,
    from: u64,
    to: u64,
    (size, case_ref): (u64, Option<CaseRef>),
    seed: u8,
    log: &dyn Fn(u64) -> OpenEntry,
    entries: impl Fn(u64) -> Option<OpenEntry>,
) -> Result<(), CliError> {
    let mut nodes = RecentNodes::default();
    (0..size).for_each(|index| nodes.push(log(index).leaf.unwrap().hash()));
    let edge = Frontier::at(&nodes, from).unwrap();
    let head = Checkpoint::new(ORIGIN.parse().unwrap(), size, nodes.root()).unwrap();
    let frame = Frame {
        vkey: signer(seed).verifier().to_string(),
        checkpoint: head.sign(&signer(seed)).unwrap().into_string(),
        size,
        from,
        to,
        edge: edge.peaks().map(|(_, _, hash)| hash).collect(),
        consistency: consistency_proof(&nodes, to, size).unwrap(),
        case_ref,
    };
    let mut writer = Writer::create(out, frame)?;
    (from..to).filter_map(entries).try_for_each(|entry| writer.push(&entry))?;
    writer.finish(ORIGIN.parse().unwrap())?.place()
}

/// The bundle of `from..to` of a log of `size` entries.
pub(crate) fn bundle(from: u64, to: u64, size: u64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("b.tar");
    write(&out, from, to, size, 1, |index| Some(entry(index))).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the bundle");
    std::fs::read(out).unwrap()
}

fn checked(bytes: &[u8]) -> Result<Proved, CliError> {
    check_stream(bytes, &Demands::default(), &mut |_, _| {})
}

fn refused(bytes: &[u8]) -> String {
    match checked(bytes) {
        Err(error) => {
            assert_eq!(error.code(), 1, "{error}");
            error.to_string()
        }
        Ok(_) => panic!("accepted"),
    }
}

/// The members of an archive, and the archive of members.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some((name, size)) = crate::audit::tar::read_header(bytes[at..at + BLOCK].try_into().unwrap()).unwrap() {
        let size = usize::try_from(size).unwrap();
        found.push((name, bytes[at + BLOCK..at + BLOCK + size].to_vec()));
        at += BLOCK + size + padding(size as u64);
    }
    found
}

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        out.extend(header(name, content.len() as u64).unwrap());
        out.extend(content);
        out.extend(vec![0; padding(content.len() as u64)]);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

/// The good bundle with one member changed as text.
fn with(name: &str, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let mut all = members(&bundle(5, 20, 33));
    let member = all.iter_mut().find(|(found, _)| found == name).unwrap();
    let before = String::from_utf8(member.1.clone()).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{name} is changed");
    member.1 = after.into_bytes();
    archive(&all)
}

#[test]
fn a_good_bundle_holds_and_the_same_range_gives_the_same_bytes() {
    for (from, to, size) in [(0, 1, 1), (0, 33, 33), (5, 20, 33), (32, 33, 33), (7, 8, 100), (64, 96, 300)] {
        let bytes = bundle(from, to, size);
        assert_eq!(bytes, bundle(from, to, size));
        assert_eq!(archive(&members(&bytes)), bytes);
        let proved = checked(&bytes).unwrap();
        assert_eq!((proved.checked.from, proved.checked.to, proved.head.size()), (from, to, size));
        assert_eq!(proved.checked.period.opened + proved.checked.period.erased + proved.checked.period.closed, to - from);
        assert!(proved.checked.holds());
    }
    let questions = Demands { questions: &Question::ALL, ..Demands::default() };
    let proved = check_stream(&bundle(5, 20, 33)[..], &questions, &mut |_, _| {}).unwrap();
    assert_eq!(proved.answers.len(), Question::ALL.len());
    // Of 15 entries 3 are erased and 2 closed: no answer speaks of the whole.
    for answer in &proved.answers {
        let said = words::sentence(Lang::En, answer);
        assert!(said.starts_with("Among the 10 entries checked: "), "{said}");
        let rest = "3 marked as erased, 2 marked as closed, what lies before entry 5, what follows entry 19; a bundle cannot show that the marks \
                    are right.";
        assert!(said.ends_with(rest), "{said}");
    }
}

#[test]
fn a_bundle_with_the_words_that_its_readme_had_before_holds() {
    let before_successions = |text: String| {
        let from = text.find(" A succession (SUCCEEDED)").unwrap();
        let to = text.find("With Samband:").unwrap();
        let said = " Of either, the leaf proves\nonly that something stood there: the mark is the word of whoever made the bundle.\n\n";
        text[..from].to_owned() + said + &text[to..]
    };
    checked(&with("README.txt", before_successions)).unwrap();
    let before = with("README.txt", |text| {
        let from = text.find("\"erased\":").unwrap();
        let to = text.find("With Samband:").unwrap();
        let said = "\"erased\": the record reached the end of its lawful life and is gone everywhere; its leaf proves only that\n\
                    something stood there. \"closed\": outside the scope of whoever took the bundle, or, in a bundle of one case, not of that case.\n\n";
        let text = text[..from].to_owned() + said + &text[to..];
        let from = text.find("What it does not prove:").unwrap();
        text[..from].to_owned()
            + "What it does not prove: that the records are true, only that the log said so at the time; what is in erased and closed entries; \
               and, in a\nbundle of one case, that no closed entry is of that case.\n"
    });
    checked(&before).unwrap();
}

#[test]
fn every_changed_byte_of_a_bundle_is_refused() {
    let good = bundle(5, 9, 12);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        refused(&bytes);
    }
}

#[test]
fn a_bundle_cut_short_anywhere_or_with_more_behind_it_is_refused() {
    let good = bundle(5, 9, 12);
    for len in (0..good.len()).step_by(37).chain([good.len() - 1]) {
        refused(&good[..len]);
    }
    for more in [&b"x"[..], &[0; BLOCK], &good] {
        assert!(refused(&[&good, more].concat()).contains("follow"));
    }
}

#[test]
fn each_tampering_is_refused_with_its_reason() {
    let drop_line = |text: String, at: usize| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.remove(at);
        lines.concat()
    };
    let swap = |text: String| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.swap(2, 3);
        lines.concat()
    };
    let other = entry(3);
    let mut foreign = String::new();
    crate::audit::evidence::push_entry(&mut foreign, &OpenEntry { index: 7, ..other }).unwrap();
    for (bytes, reason) in [
        (with("README.txt", |text| text.replace("COMPARE", "TRUST")), "README.txt is not that of this format"),
        (with("manifest.txt", |text| text.replace("v1", "v2")), "manifest.txt is not of the form"),
        (with("manifest.txt", |text| text.replace("open=", "open=0")), "manifest.txt is not of the form"),
        (with("manifest.txt", |text| text.replace("size=33", "size=34")), "different logs or sizes"),
        (with("manifest.txt", |text| text.replace(ORIGIN, "log.example.no/other")), "different logs or sizes"),
        (with("manifest.txt", |text| text.replace("from_index=5", "from_index=4").replace("open=10", "open=11")), "edge.txt"),
        (with("manifest.txt", |text| text.replace("to_index=20", "to_index=21").replace("open=10", "open=11")), "manifest.txt counts"),
        (with("manifest.txt", |text| text.replace("to_index=20", "to_index=19").replace("erased=3", "erased=2")), "stands where"),
        (with("log.vkey", |text| text.replace('+', "-")), "holds no log key"),
        (with("log.vkey", |_| format!("{}\n", signer(2).verifier())), "not signed by the given key"),
        (with("checkpoint", |text| text.replace("\n33\n", "\n34\n")), "the signature of the known key is false"),
        (with("checkpoint", |text| text.replace("\n33\n", "\n033\n")), "the signature of the known key is false"),
        (with("checkpoint", |text| text.replace('\n', "\r\n")), "no signed note"),
        (with("edge.txt", |text| drop_line(text, 0)), "edge.txt has another number of hashes"),
        (with("edge.txt", |text| text.replace("=\n", "\n")), "canonical base64"),
        (
            with("edge.txt", |text| {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                lines.reverse();
                lines.concat()
            }),
            "signed root",
        ),
        (with("consistency.txt", |text| drop_line(text, 0)), "signed root"),
        (with("consistency.txt", |text| text.repeat(40)), "more than any proof needs"),
        (with("entries.txt", |text| drop_line(text, 3)), "left out, doubled or moved"),
        (with("entries.txt", |text| drop_line(text, 14)), "manifest.txt counts"),
        (with("entries.txt", swap), "left out, doubled or moved"),
        (with("entries.txt", |text| text.clone() + text.lines().last().unwrap() + "\n"), "left out, doubled or moved"),
        (with("entries.txt", |text| text.replace("\n7 ", "\n07 ")), "entries.txt, entry 7"),
        (with("entries.txt", |text| text.replace('\n', "\r\n")), "entries.txt, entry 5"),
        (with("entries.txt", |text| text.replacen("=\n", "\n", 1)), "entries.txt, entry"),
        (with("entries.txt", |text| format!("{}\n{text}", "9".repeat(30_000))), "longer than any"),
        (
            with("entries.txt", |text| {
                let from = text.find("\n7 ").unwrap() + 1;
                let to = from + text[from..].find('\n').unwrap() + 1;
                format!("{}{foreign}{}", &text[..from], &text[to..])
            }),
            "signed root",
        ),
        (with("entries.txt", |text| text.replacen(" open ", " erased ", 1)), "entries.txt, entry 7"),
        (with("records.jsonl", |text| text.replace("ru-oslo", "ru-bergen")), "records.jsonl does not say"),
        (with("records.csv", |text| text.replace("REFUSALS_SUMMED", "STOPPED")), "records.csv does not say"),
        (with("records.csv", |text| drop_line(text, 2)), "records.csv does not say"),
    ] {
        let said = refused(&bytes);
        assert!(said.contains(reason), "wanted {reason:?}: {said}");
    }
}

#[test]
fn an_open_record_that_is_not_of_the_case_that_the_manifest_names_is_refused() {
    let good = of_case(|index| index >= 8 && index % 2 == 1);
    assert_eq!(checked(&good).unwrap().manifest.case_ref, Some(case(1)));
    let named = |bytes: &[u8], from: &str, to: String| {
        let mut all = members(bytes);
        let text = String::from_utf8(all[1].1.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        all[1].1 = text.replace(from, &to).into_bytes();
        refused(&archive(&all))
    };
    let of_another = "it is open and not of the case that manifest.txt names";
    // Of a true bundle, the manifest's line alone: another case; one where there was none.
    assert!(named(&good, &case(1).to_string(), case(0).to_string()).contains(&format!("entry 9: {of_another}")));
    assert!(named(&bundle(5, 20, 33), "open=", format!("case_ref={}\nopen=", case(1))).contains(of_another));
    // One record too many is open: of another case, of none.
    assert!(refused(&of_case(|index| index >= 8 && index % 2 == 1 || index == 10)).contains(&format!("entry 10: {of_another}")));
    assert!(refused(&of_case(|index| index >= 8 && index % 2 == 1 || index == 7)).contains(&format!("entry 7: {of_another}")));
    assert!(refused(&of_case(|_| false)).contains("names a case and no entry of it is open"));
}

#[test]
fn a_succession_is_open_in_the_bundle_of_a_case_and_makes_none() {
    let event = Event::TookOver { generation: 2, predecessor: "ru-hamar".parse().unwrap(), successor: "ru-oslo".parse().unwrap() };
    let record = Record::of(&event, Timestamp::from_millis(1_780_000_012_000));
    let log = |index: u64| {
        let openings = Openings::new([index as u8; 32], [!(index as u8); 32]);
        let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
        let succession = OpenEntry { index, leaf: Some(leaf), held: Held::Record(Box::new((record.clone(), openings))) };
        if index == 12 { succession } else { entry_of_case(index) }
    };
    let with_open = |opens: &dyn Fn(u64) -> bool| {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("case.tar");
        let shown = |index| if opens(index) { log(index) } else { OpenEntry { held: Held::Closed, ..log(index) } };
        write_of(&out, 5, 20, (33, Some(case(1))), 1, &log, |index| Some(shown(index))).unwrap();
        std::fs::read(out).unwrap()
    };
    let proved = checked(&with_open(&|index| index == 12 || index == 13)).unwrap();
    assert_eq!((proved.manifest.case_ref, proved.manifest.open), (Some(case(1)), 2));
    assert!(refused(&with_open(&|index| index == 12)).contains("names a case and no entry of it is open"));
}

#[test]
fn hostile_archives_are_refused_with_their_reason() {
    let good = members(&bundle(5, 9, 12));
    // A header of any name and kind whose sum fits.
    let forged = |name: &str, kind: u8, size: &str| {
        let mut block = header("README.txt", 1).unwrap();
        block[..100].fill(0);
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[156] = kind;
        block[124..135].copy_from_slice(size.as_bytes());
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.to_vec()
    };
    for (block, reason) in [
        (forged("../README.txt", b'0', "00000000001"), "leads out of it"),
        (forged("/etc/passwd", b'0', "00000000001"), "leads out of it"),
        (forged("a/../../b", b'0', "00000000001"), "leads out of it"),
        (forged("README.txt", b'2', "00000000000"), "a link, a folder or a device"),
        (forged("README.txt", b'1', "00000000000"), "a link, a folder or a device"),
        (forged("README.txt", b'5', "00000000000"), "a link, a folder or a device"),
        (forged("README.txt", b'L', "00000000000"), "a link, a folder or a device"),
        (forged("evil.txt", b'0', "00000000001"), "evil.txt stands where README.txt should be"),
        (forged("README.txt", b'0', "77777777777"), "larger than any such file"),
        (forged("README.txt", b'0', "-0000000001"), "no number in octal"),
        (vec![0; BLOCK], "ends where README.txt should begin"),
        (b"PK\x03\x04".iter().copied().cycle().take(BLOCK).collect(), "no tar archive"),
    ] {
        let said = refused(&[block, archive(&good)].concat());
        assert!(said.contains(reason), "wanted {reason:?}: {said}");
    }
    for at in 0..good.len() {
        let mut fewer = good.clone();
        fewer.remove(at);
        refused(&archive(&fewer));
        let mut doubled = good.clone();
        doubled.insert(at, good[at].clone());
        refused(&archive(&doubled));
        let mut hidden = archive(&good);
        let start: usize = good[..at].iter().map(|(_, content)| BLOCK + content.len() + padding(content.len() as u64)).sum();
        let end = start + BLOCK + good[at].1.len();
        if padding(good[at].1.len() as u64) > 0 {
            hidden[end] = b'x';
            assert!(refused(&hidden).contains("hide"), "{}", FILES[at]);
        }
    }
    let mut more = good.clone();
    more.push(("more.txt".to_owned(), b"x".to_vec()));
    assert!(refused(&archive(&more)).contains("besides the nine files"));
    assert!(refused(b"").contains("cut short"));
    let huge = with("entries.txt", |text| text + "x");
    assert!(refused(&huge).contains("cut short"));
}

#[test]
fn another_key_a_missing_quorum_and_a_fork_are_refused() {
    let good = bundle(5, 20, 33);
    let (one, two) = (signer(1), signer(2));
    let own = Demands { vkey: Some(one.verifier()), ..Demands::default() };
    check_stream(&good[..], &own, &mut |_, _| {}).unwrap();
    let other = Demands { vkey: Some(two.verifier()), ..Demands::default() };
    let error = check_stream(&good[..], &other, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("another log"), "{error}");
    let witness = crate::audit::cosignature::tests::TestWitness::new("w", 5).verifier;
    let policy = TlogPolicy::parse(format!("witness w {witness}\nquorum w\n").as_bytes()).unwrap();
    let error = check_stream(&good[..], &Demands { policy: Some(&policy), ..Demands::default() }, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("quorum"), "{error}");

    // The log's own key signs a head over other entries: the bundle of the one and the head of the other do not fit.
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("fork.tar");
    let fork = |index: u64| Some(if index == 8 { OpenEntry { index, ..entry(1) } } else { entry(index) });
    write(&out, 5, 20, 33, 1, fork).unwrap();
    let error = check(&out, &Demands::default(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("signed root") || error.to_string().contains("time lies before"), "{error}");
    assert_eq!(check(dir.path(), &Demands::default(), &mut |_, _| {}).unwrap_err().code(), 2);
    assert_eq!(check(&dir.path().join("none.tar"), &Demands::default(), &mut |_, _| {}).unwrap_err().code(), 2);
}
