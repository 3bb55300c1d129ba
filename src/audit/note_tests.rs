use proptest::prelude::*;

use super::*;

pub const VECTOR: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fn signer(name: &str, seed: u8) -> LogSigner {
    LogSigner::from_seed(name.parse().unwrap(), Zeroizing::new([seed; 32]))
}

#[test]
fn the_specifications_verifier_key_is_read_and_written() {
    let verifier: LogVerifier = VECTOR.parse().unwrap();
    assert_eq!(verifier.name().as_str(), "example.com/foo");
    assert_eq!(verifier.key_id(), [0x53, 0x0d, 0x90, 0x3a]);
    assert_eq!(verifier.to_string(), VECTOR);
}

#[test]
fn the_published_example_note_of_gos_package_opens() {
    // Key, text and signature from the documentation of golang.org/x/mod/sumdb/note.
    let signer = LogSigner::from_text("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
    assert_eq!(signer.verifier().to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let note = format!(
        "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    assert_eq!(open(&note, signer.verifier()), Ok(text));
    assert_eq!(signer.sign(text).unwrap(), note);
}

#[test]
fn a_signer_survives_its_text_and_shows_no_secret() {
    let signer = signer("log.example/samband", 7);
    let again = LogSigner::from_text(&signer.to_text()).unwrap();
    assert_eq!(again.verifier(), signer.verifier());
    assert_eq!(*again.to_text(), *signer.to_text());
    let shown = format!("{signer:?}");
    let secret = signer.to_text();
    assert!(!shown.contains(&secret[secret.len() - 30..]));
    assert!(shown.contains(&signer.verifier().to_string()));
    assert!(!shown.contains("[7, 7"));
}

#[test]
fn keys_of_wrong_form_name_algorithm_or_id_are_refused() {
    let parse = |text: &str| text.parse::<LogVerifier>().unwrap_err();
    assert_eq!(parse(""), KeyError::Form);
    assert_eq!(parse("a+00000000"), KeyError::Form);
    assert_eq!(parse(&VECTOR.replace("530d903a", "530D903A")), KeyError::Form);
    assert_eq!(parse(&VECTOR.replace("530d903a", "530d903")), KeyError::Form);
    assert_eq!(parse(&VECTOR.replace("530d903a", "530d903b")), KeyError::Id);
    assert_eq!(parse(&VECTOR.replace("foo", "fop")), KeyError::Id);
    assert_eq!(parse(&VECTOR.replace("+Aeky", "+Beky")), KeyError::Algorithm);
    assert_eq!(parse(&VECTOR[..VECTOR.len() - 4]), KeyError::Form);
    assert_eq!(parse(&format!("{VECTOR}\n")), KeyError::Form);
    assert_eq!(parse(&VECTOR.replace("example.com", "example com")), KeyError::Name);
    assert_eq!(parse(&format!("{}{VECTOR}", "a".repeat(256))), KeyError::Name);
    assert_eq!(parse(&format!("a+00000000+{}", "A".repeat(100_000))), KeyError::Form);
    let private = signer("a", 1).to_text();
    assert_eq!(LogSigner::from_text(&private["PRIVATE+KEY+".len()..]).unwrap_err(), KeyError::Form);
    assert_eq!(LogSigner::from_text(&private.replace("+a+", "+b+")).unwrap_err(), KeyError::Id);
    for bad in ["", "a b", "a\u{2003}b", "a+b", "a\u{0}b", "a\nb"] {
        assert_eq!(bad.parse::<KeyName>(), Err(KeyError::Name), "{bad:?}");
    }
}

#[test]
fn a_note_of_the_known_key_opens_and_other_signatures_are_ignored() {
    let (log, other) = (signer("log.example", 1), signer("witness.example", 2));
    let text = "a\n\nb\n";
    let note = log.sign(text).unwrap();
    let other_line = other.sign(text).unwrap()[text.len() + 1..].to_owned();
    assert_eq!(open(&note, log.verifier()), Ok(text));
    assert_eq!(open(&format!("{note}{other_line}"), log.verifier()), Ok(text));
    assert_eq!(open(&format!("{note}{other_line}"), other.verifier()), Ok(text));
    assert_eq!(open(&note, other.verifier()), Err(NoteError::NotSigned));
    let namesake = signer("log.example", 3);
    assert_eq!(open(&note, namesake.verifier()), Err(NoteError::NotSigned), "the name alone is no key");
    let false_line = namesake.sign("another\n").unwrap()[9..].to_owned();
    assert_eq!(open(&format!("{note}{false_line}"), namesake.verifier()), Err(NoteError::BadSignature));
    assert_eq!(open(&format!("{note}{false_line}"), log.verifier()), Ok(text), "an unknown key's signature is not judged");
}

#[test]
fn every_changed_byte_of_a_note_is_noticed() {
    let log = signer("log.example", 1);
    let note = log.sign("origin\n17\nhash\n").unwrap();
    for at in 0..note.len() {
        for flip in [1_u8, 2, 0x20] {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(open(&text, log.verifier()).is_err(), "byte {at}");
            }
        }
    }
    for len in 0..note.len() {
        if note.is_char_boundary(len) {
            assert!(open(&note[..len], log.verifier()).is_err(), "cut at {len}");
        }
    }
}

#[test]
fn notes_of_wrong_form_are_refused() {
    let log = signer("log.example", 1);
    let note = log.sign("text\n").unwrap();
    let line = note["text\n\n".len()..].to_owned();
    let open = |note: &str| open(note, log.verifier()).unwrap_err();
    assert_eq!(open(&format!("{note}{line}")), NoteError::RepeatedSignature);
    assert_eq!(open(note.trim_end()), NoteError::Form);
    assert_eq!(open(&note.replace('\n', "\r\n")), NoteError::Form);
    assert_eq!(open(&format!("text\n{line}")), NoteError::Form);
    assert_eq!(open("text\n\n"), NoteError::Form);
    assert_eq!(open(&note.replace("text", "te\tt")), NoteError::Form);
    assert_eq!(open(&note.replace('\u{2014}', "-")), NoteError::SignatureLine);
    assert_eq!(open("text\n\n\u{2014} log.example AAAA\n"), NoteError::SignatureLine);
    assert_eq!(open("text\n\n\u{2014} log.example \n"), NoteError::SignatureLine);
    assert_eq!(open(&note.replace("log.example ", "log.example  ")), NoteError::SignatureLine);
    let many: String = (0..65).map(|i| format!("\u{2014} w{i} AAAAAAA=\n")).collect();
    assert_eq!(open(&format!("text\n\n{many}")), NoteError::TooManySignatures);
    assert_eq!(open(&format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX))), NoteError::TooLong);
    assert_eq!(log.sign("no newline"), Err(NoteError::Form));
    assert_eq!(log.sign("a\rb\n"), Err(NoteError::Form));
    assert_eq!(log.sign(&format!("{}\n", "x".repeat(NOTE_BYTES_MAX))), Err(NoteError::TooLong));
}

proptest! {
    #[test]
    fn accepted_notes_are_written_again_in_the_same_bytes(
        text in "[a-c\n]{0,8}",
        name in "[a-z \u{2014}+]{0,3}",
        blob in "[A-Za-z0-9+/]{0,11}={0,2}",
    ) {
        let note = format!("{text}\n\n\u{2014} {name} {blob}\n");
        if let Ok(parsed) = UnverifiedNote::parse(&note) {
            prop_assert_eq!(parsed.encode(), note);
        }
    }

    #[test]
    fn no_note_or_key_panics(text in "(\\PC|\n|\u{2014} ){0,120}") {
        let _ = UnverifiedNote::parse(&text);
        let _ = text.parse::<LogVerifier>();
        let _ = LogSigner::from_text(&text);
    }

    #[test]
    fn whatever_is_signed_opens(text in "([^\u{0}-\u{1f}]|\n){0,60}\n", seed in any::<[u8; 32]>()) {
        let log = LogSigner::from_seed("log.example".parse().unwrap(), Zeroizing::new(seed));
        let note = log.sign(&text).unwrap();
        prop_assert_eq!(open(&note, log.verifier()), Ok(&text[..]));
        prop_assert_eq!(UnverifiedNote::parse(&note).unwrap().encode(), note);
    }
}
