//! Evidence as a user takes and checks it: a receipt with its content, bundles, reports and the watch, against a development gateway.

use std::fs;

use super::live_tests::{Bed, notice};

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_with_salt_and_content_shows_what_was_sent_and_nothing_else_does() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let receipt = bed.outbox("politi-oslo", ".tlog-proof").remove(0).display().to_string();
    bed.offline(&format!("receipt verify {receipt} --vkey {vkey}")).await.unwrap();
    bed.offline(&format!("receipt verify {receipt} --vkey {vkey} --content ~/notice.json")).await.unwrap();
    let other = notice().replace("Testesen", "Testersen");
    assert_ne!(other, notice());
    fs::write(bed.path("other.json"), other).unwrap();
    let error = bed.offline(&format!("receipt verify {receipt} --vkey {vkey} --content ~/other.json")).await.unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(error.to_string().contains("not the content that was accepted"), "{error}");

    // Another message's salt in this one's place.
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let mut settled = bed.outbox("politi-oslo", ".notice.json");
    let salts: Vec<String> = settled.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert_eq!(salts.len(), 2);
    fs::write(settled.remove(0), &salts[1]).unwrap();
    assert_eq!(bed.offline(&format!("receipt verify {receipt} --vkey {vkey} --content ~/notice.json")).await.unwrap_err().code(), 1);
    let error = bed.offline(&format!("receipt verify {receipt} --vkey {vkey} --content ~/notice.json --outbox ~/")).await.unwrap_err();
    assert_eq!(error.code(), 2, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_taken_checked_and_reported_and_only_by_an_auditor() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let export = format!("audit export --vkey {vkey}");
    bed.run("tilsyn", &format!("{export} --out ~/all.tar")).await.unwrap();
    bed.offline("audit verify ~/all.tar").await.unwrap();
    bed.offline(&format!("audit verify ~/all.tar --vkey {vkey}")).await.unwrap();
    bed.offline(&format!("audit report ~/all.tar --vkey {vkey} --out ~/all.html")).await.unwrap();
    let page = fs::read_to_string(bed.path("all.html")).unwrap();
    assert!(
        page.contains("None has, among 0 results accepted") && !page.contains("<script") && page.contains("default-src 'none'"),
        "{page}"
    );

    // The same range and head give the same bytes; the log has grown by the first export's own event.
    bed.run("tilsyn", &format!("{export} --from-index 0 --to-index 3 --out ~/a.tar")).await.unwrap();
    bed.run("tilsyn", &format!("{export} --from-index 1 --to-index 3 --out ~/b.tar")).await.unwrap();
    bed.offline("audit verify ~/b.tar").await.unwrap();

    let listed = bed.json_of("politi-oslo", ".notice.json");
    let case = listed["case_ref"].as_str().unwrap();
    bed.run("tilsyn", &format!("{export} --case {case} --out ~/case.tar")).await.unwrap();
    bed.offline("audit verify ~/case.tar").await.unwrap();
    let text = String::from_utf8_lossy(&fs::read(bed.path("case.tar")).unwrap()).into_owned();
    assert!(text.contains(&format!("case_ref={case}\n")) && text.contains("NOTICE_ACCEPTED"));

    for (line, code) in [
        (format!("{export} --case 04HMAS-W9NF6Y-Y41J5S --out ~/none.tar"), 1),
        (format!("{export} --from-index 5 --to-index 5 --out ~/none.tar"), 1),
        (format!("{export} --since 2099-01-01 --from-index 999 --out ~/none.tar"), 1),
    ] {
        assert_eq!(bed.run("tilsyn", &line).await.unwrap_err().code(), code, "{line}");
    }
    assert_eq!(bed.run("politi-oslo", &format!("{export} --out ~/none.tar")).await.unwrap_err().code(), 1);
    assert!(!bed.path("none.tar").exists());

    let mut bytes = fs::read(bed.path("all.tar")).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(bed.path("bad.tar"), bytes).unwrap();
    assert_eq!(bed.offline("audit verify ~/bad.tar").await.unwrap_err().code(), 1);
    assert_eq!(bed.offline("audit report ~/bad.tar --out ~/bad.html").await.unwrap_err().code(), 1);
    assert!(!bed.path("bad.html").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watch_follows_and_a_mark_of_another_root_is_a_fork() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    let watch = format!("audit watch --vkey {vkey} --mark ~/mark --once");
    bed.run("tilsyn", &watch).await.unwrap();
    let first = fs::read_to_string(bed.path("mark")).unwrap();
    bed.run("tilsyn", &watch).await.unwrap();
    assert_ne!(fs::read_to_string(bed.path("mark")).unwrap(), first);
    fs::write(bed.path("mark"), first.replace("\n\n", "\n \n")).unwrap();
    assert_eq!(bed.run("tilsyn", &watch).await.unwrap_err().code(), 2, "a mark that was changed is no first round");
}
