use super::super::leaf::Openings;
use super::super::tree::tests::AllNodes;
use super::*;
use crate::domain::time::Timestamp;

fn manifest() -> Manifest {
    Manifest { origin: "log.example.no/samband".parse().unwrap(), from: 3, to: 10, size: 12, case_ref: None, open: 4, erased: 1, closed: 2 }
}

fn entry(index: u64) -> OpenEntry {
    let record = Record::of(&super::super::event::Event::Stopped, Timestamp::from_millis(1_780_000_000_000));
    let openings = Openings::new([index as u8; 32], [7; 32]);
    let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
    OpenEntry { index, leaf: Some(leaf), held: Held::Record(Box::new((record, openings))) }
}

fn line(entry: &OpenEntry) -> String {
    let mut out = String::new();
    push_entry(&mut out, entry).unwrap();
    out.trim_end().to_owned()
}

#[test]
fn a_manifest_has_one_spelling_and_numbers_that_belong_together() {
    let case_ref = Some("04HMAS-W9NF6Y-Y41J5S".parse().unwrap());
    for manifest in [manifest(), Manifest { case_ref, ..manifest() }] {
        assert_eq!(Manifest::parse(&manifest.encode()), Ok(manifest));
    }
    let good = manifest().encode();
    for bad in [
        good.replace("v1", "v2"),
        good.replace("from_index=3", "from_index=03"),
        good.replace("from_index=3", "from_index=4"),
        good.replace("from_index=3", "from_index=10"),
        good.replace("to_index=10", "to_index=13"),
        good.replace("size=12", "size=9"),
        good.replace("size=12", "size=4611686018427387905"),
        good.replace("open=4", "open=5"),
        good.replace("open=4", "open=18446744073709551615"),
        good.replace("closed=2\n", "closed=2\nmore=1\n"),
        good.replace("open=4\nerased=1\n", "erased=1\nopen=4\n"),
        good.replace("origin=log.example.no", "origin=https://log.example.no"),
        good.replace("size=12\n", "size=12\ncase_ref=X\n"),
        good.trim_end().to_owned(),
        String::new(),
    ] {
        assert_eq!(Manifest::parse(&bad), Err(EvidenceTextError::Manifest), "{bad}");
    }
}

#[test]
fn hashes_and_edges_have_one_spelling() {
    let all = AllNodes::of(11);
    let peaks: Vec<Hash> = all.frontier.peaks().map(|(_, _, hash)| hash).collect();
    let lines = hash_lines(&peaks);
    assert_eq!(parse_hash_lines(&lines), Ok(peaks.clone()));
    assert_eq!(edge(11, peaks.clone()), Ok(all.frontier.clone()));
    assert_eq!(parse_hash_lines(""), Ok(vec![]));
    assert_eq!(edge(0, vec![]).unwrap().size(), 0);
    for size in [0, 12, 15, SIZE_MAX + 1] {
        assert_eq!(edge(size, peaks.clone()), Err(EvidenceTextError::Edge), "{size}");
    }
    for bad in [lines.trim_end().to_owned(), lines.replace('\n', "\r\n"), lines.replace("=\n", "\n"), lines.repeat(50), "\n".to_owned()] {
        assert_eq!(parse_hash_lines(&bad), Err(EvidenceTextError::Hashes));
    }
}

#[test]
fn an_entry_survives_its_line_in_each_state() {
    let open = entry(5);
    for held in [open.held.clone(), Held::Erased, Held::Closed] {
        let entry = OpenEntry { held, ..open.clone() };
        let read = parse_entry(&line(&entry)).unwrap();
        assert_eq!((read.index, read.leaf), (entry.index, entry.leaf));
        assert_eq!(line(&read), line(&entry));
    }
    let mut out = String::new();
    assert_eq!(push_entry(&mut out, &OpenEntry { leaf: None, ..open.clone() }), Err(EvidenceTextError::Entry));
    assert_eq!(push_entry(&mut out, &OpenEntry { held: Held::Unreadable, ..open }), Err(EvidenceTextError::Entry));
}

#[test]
fn each_wrong_line_is_refused_with_its_reason() {
    let good = line(&entry(5));
    let parts: Vec<&str> = good.split(' ').collect();
    let [index, state, leaf, opening] = parts[..] else { panic!("four items") };
    let refused = |line: &str| parse_entry(line).unwrap_err();
    for (bad, error) in [
        (format!("{index} {state} {leaf}"), EvidenceTextError::Entry),
        (format!("{index} erased {leaf} {opening}"), EvidenceTextError::Entry),
        (format!("{index} lost {leaf}"), EvidenceTextError::Entry),
        (format!("05 {state} {leaf} {opening}"), EvidenceTextError::Entry),
        (format!("{} {state} {leaf} {opening}", SIZE_MAX), EvidenceTextError::Entry),
        (format!("{index}  {state} {leaf} {opening}"), EvidenceTextError::Entry),
        (format!("{good} "), EvidenceTextError::Entry),
        (format!("{index} {state} {} {opening}", &leaf[..40]), EvidenceTextError::Entry),
        (format!("{index} {state} {} {opening}", leaf.replace(&leaf[..1], "-")), EvidenceTextError::Base64),
        (format!("{index} {state} {leaf} {opening}="), EvidenceTextError::Base64),
        (format!("{index} {state} {leaf} Ag=="), EvidenceTextError::Opening(OpeningError::Truncated)),
        (format!("{index} {state} {leaf} AQ=="), EvidenceTextError::Opening(OpeningError::Kind)),
        (String::new(), EvidenceTextError::Entry),
    ] {
        assert_eq!(refused(&bad), error, "{bad}");
    }
    let other = AuditorOpening::new(Openings::new([1; 32], [2; 32]), b"no record".to_vec(), vec![]).unwrap();
    let mut text = String::new();
    super::text::push_base64(&mut text, &other.encode());
    assert_eq!(refused(&format!("{index} {state} {leaf} {text}")), EvidenceTextError::Record(RecordTextError::Form));
}
