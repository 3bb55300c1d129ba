use proptest::prelude::*;

use super::super::checkpoint::tests::{checkpoint, signer};
use super::super::cosignature::tests::TestWitness;
use super::super::tree::Hash;
use super::*;

fn witness(seed: u8) -> TestWitness {
    TestWitness::new(&format!("witness.example/w{seed}"), seed)
}

fn key(seed: u8) -> WitnessVerifier {
    witness(seed).verifier
}

/// The two levels of groups of the specification's example.
fn example() -> String {
    let mut out = format!("# two organisations\nlog {}\n\n", signer(1).verifier());
    for (name, seed) in [("X1", 11), ("X2", 12), ("X3", 13)] {
        out += &format!("witness {name} {} https://{name}.example/w\n", key(seed));
    }
    out += "group X-witnesses 2 X1 X2 X3\n";
    for (name, seed) in [("Y1", 21), ("Y2", 22), ("Y3", 23)] {
        out += &format!("  witness\t{name}   {}\n", key(seed));
    }
    out + "group Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

fn fault(text: &str) -> PolicyError {
    TlogPolicy::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn the_specifications_example_counts_as_it_says() {
    let policy = TlogPolicy::parse(example().as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some("https://X2.example/w"));
    assert_eq!(policy.witnesses()[3].url, None);
    for (cosigned, enough) in [
        (&[0, 1, 3][..], true),
        (&[0, 2, 5], true),
        (&[0, 1, 2, 3, 4, 5], true),
        (&[0, 1, 2], false),
        (&[0, 3, 4, 5], false),
        (&[], false),
        (&[0, 0, 3], false),
        (&[77], false),
    ] {
        assert_eq!(policy.is_quorum(cosigned), enough, "{cosigned:?}");
    }
}

#[test]
fn a_quorum_may_be_one_witness_or_none() {
    let one = TlogPolicy::parse(format!("witness w {}\nquorum w\n", key(1)).as_bytes()).unwrap();
    assert!(one.demands_witnesses() && one.is_quorum(&[0]) && !one.is_quorum(&[]));
    let none = TlogPolicy::parse(b"quorum none\n").unwrap();
    assert!(!none.demands_witnesses() && none.is_quorum(&[]));
}

#[test]
fn each_wrong_line_is_refused_with_its_number() {
    let (log, a, b) = (signer(1).verifier().to_string(), key(1).to_string(), key(2).to_string());
    let renamed = TestWitness::new("another.name", 1).verifier;
    let members = (0..=MEMBERS_MAX).map(|i| format!("witness w{i} {}\n", TestWitness::new(&format!("n{i}"), i as u8 + 1).verifier));
    for (text, line, what) in [
        (String::new(), 1, PolicyFault::Quorum),
        ("# nothing\n".to_owned(), 2, PolicyFault::Quorum),
        ("quorum none\nquorum none\n".to_owned(), 2, PolicyFault::Quorum),
        ("quorum none".to_owned(), 1, PolicyFault::Unterminated),
        ("quorum none\r\n".to_owned(), 1, PolicyFault::Character),
        ("quorum none\n#\0\n".to_owned(), 2, PolicyFault::Character),
        ("quorum\n".to_owned(), 1, PolicyFault::Line),
        ("quorum none none\n".to_owned(), 1, PolicyFault::Line),
        ("Log x\n".to_owned(), 1, PolicyFault::Line),
        ("log\u{a0}x\n".to_owned(), 1, PolicyFault::Line),
        ("log x\n".to_owned(), 1, PolicyFault::Key(KeyError::Form)),
        (format!("log {a}\n"), 1, PolicyFault::Key(KeyError::Algorithm)),
        (format!("witness w {log}\n"), 1, PolicyFault::Key(KeyError::Algorithm)),
        (format!("log {log}\nlog {log}\n"), 2, PolicyFault::DuplicateKey),
        (format!("witness w {a}\nwitness v {renamed}\n"), 2, PolicyFault::DuplicateKey),
        (format!("witness w {a}\nwitness w {b}\n"), 2, PolicyFault::Name),
        (format!("witness none {a}\n"), 1, PolicyFault::Name),
        (format!("witness w {a}\ngroup w any w\n"), 2, PolicyFault::Name),
        (format!("group g any w\nwitness w {a}\n"), 1, PolicyFault::UnknownName),
        ("group g any g\n".to_owned(), 1, PolicyFault::UnknownName),
        ("group g any none\n".to_owned(), 1, PolicyFault::UnknownName),
        (format!("quorum w\nwitness w {a}\n"), 1, PolicyFault::UnknownName),
        (format!("witness w {a}\ngroup g any w w\n"), 2, PolicyFault::MemberTwice),
        (format!("witness w {a}\ngroup g any w\ngroup h any w\n"), 3, PolicyFault::MemberTwice),
        (format!("witness w {a}\ngroup g 0 w\n"), 2, PolicyFault::Threshold),
        (format!("witness w {a}\ngroup g 2 w\n"), 2, PolicyFault::Threshold),
        (format!("witness w {a}\ngroup g 01 w\n"), 2, PolicyFault::Threshold),
        (format!("witness w {a}\ngroup g most w\n"), 2, PolicyFault::Threshold),
        (format!("witness w {a}\ngroup g any\n"), 2, PolicyFault::Threshold),
        (members.collect(), MEMBERS_MAX + 1, PolicyFault::TooMany),
        ("#".repeat(POLICY_BYTES_MAX + 1), 1, PolicyFault::TooLong),
    ] {
        assert_eq!(fault(&text), PolicyError { line, what }, "{}", &text[..text.len().min(200)]);
    }
}

#[test]
fn a_checkpoint_is_accepted_with_the_quorum_and_refused_without_it_or_with_a_false_cosignature() {
    let policy = TlogPolicy::parse(example().as_bytes()).unwrap();
    let head = checkpoint(17, Hash::leaf(b""));
    let (text, signed) = (head.to_text(), head.sign(&signer(1)).unwrap().into_string());
    let line = |seed: u8| witness(seed).cosign(&text, 1_780_000_000 + u64::from(seed));
    let accept = |note: &str| policy.accept(note, signer(1).verifier());
    let good = format!("{signed}{}{}{}", line(11), line(13), line(22));
    let witnessed = accept(&good).unwrap();
    assert_eq!(witnessed.checkpoint, head);
    assert_eq!(witnessed.by, [(0, 1_780_000_011), (2, 1_780_000_013), (4, 1_780_000_022)]);
    assert_eq!(accept(&signed), Err(NotWitnessed::Quorum { found: 0, known: 6 }));
    assert_eq!(accept(&format!("{signed}{}{}", line(11), line(13))), Err(NotWitnessed::Quorum { found: 2, known: 6 }));
    assert_eq!(accept(&format!("{signed}{}{}{}", line(11), line(99), line(21))), Err(NotWitnessed::Quorum { found: 2, known: 6 }));
    let other = witness(23).cosign("another text\n", 5);
    let refused = accept(&format!("{good}{other}")).unwrap_err();
    assert_eq!(refused.to_string().split(':').next(), Some("the cosignature of Y3 is false"), "{refused}");
    assert!(matches!(accept(&good.replace("\n17\n", "\n18\n")), Err(NotWitnessed::Checkpoint(_))));
    assert_eq!(policy.accept(&good, signer(2).verifier()), Err(NotWitnessed::OtherLog));
    let repeated = format!("{good}{}", line(11));
    assert!(matches!(accept(&repeated), Err(NotWitnessed::Checkpoint(_))), "one witness counts once");
}

proptest! {
    #[test]
    fn no_policy_panics(bytes in proptest::collection::vec(proptest::sample::select(&b"logwitnesgrupqm ab12#\t\n+="[..]), 0..200)) {
        let _ = TlogPolicy::parse(&bytes);
    }
}
