//! Evidence as a user takes and checks it: a receipt with its content, bundles, reports and the watch, against a development gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::audit::verify::prove_folder;
use super::live_tests::{Bed, notice};
use super::receipt::read_vkey;
use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::note::{LogSigner, LogVerifier};
use crate::audit::tree::Hash;
use crate::config::Config;
use crate::config::keys::read_log_key;

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
        page.contains("checked: no result was relayed. Of the others this says nothing: what follows entry")
            && !page.contains("<script")
            && page.contains("default-src 'none'"),
        "{page}"
    );

    bed.offline(&format!("audit report ~/all.tar --vkey {vkey} --lang nb --out ~/alt.html")).await.unwrap();
    let page = fs::read_to_string(bed.path("alt.html")).unwrap();
    assert!(
        page.contains("<html lang=\"nb\">")
            && page.contains("er kontrollert: ikke noe prøvesvar ble formidlet. Om de andre sier svaret ingenting: det som følger"),
        "{page}"
    );
    assert!(page.contains("de åpnede oppføringene er fra 20") && page.contains("signert med den oppgitte nøkkelen"), "{page}");

    // A report takes the place of one, and of nothing else.
    bed.offline(&format!("audit report ~/all.tar --vkey {vkey} --lang nb --out ~/all.html")).await.unwrap();
    assert_eq!(fs::read_to_string(bed.path("all.html")).unwrap(), page);
    fs::write(bed.path("page.html"), page.replace("loggen", "bordet")).unwrap();
    let error = bed.offline(&format!("audit report ~/all.tar --vkey {vkey} --out ~/page.html")).await.unwrap_err();
    assert!(error.code() == 2 && error.to_string().contains("is there already"), "{error}");

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
        (format!("{export} --from-index 5 --to-index 5 --out ~/none.tar"), 2),
        (format!("{export} --since 2099-01-01 --from-index 999 --out ~/none.tar"), 1),
    ] {
        assert_eq!(bed.run("tilsyn", &line).await.unwrap_err().code(), code, "{line}");
    }
    assert_eq!(bed.run("politi-oslo", &format!("{export} --out ~/none.tar")).await.unwrap_err().code(), 1);
    assert!(!bed.path("none.tar").exists());

    // A bundle that does not hold is not kept, and takes the place of none that does.
    let witness = "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
    fs::write(bed.path("policy"), format!("witness w {witness}\nquorum w\n")).unwrap();
    let (before, good) = (fs::read_dir(bed.path("")).unwrap().count(), fs::read(bed.path("case.tar")).unwrap());
    for name in ["none.tar", "case.tar"] {
        let error = bed.run("tilsyn", &format!("{export} --policy ~/policy --out ~/{name}")).await.unwrap_err();
        assert!(error.code() == 1 && error.to_string().contains("not written") && error.to_string().contains("quorum"), "{error}");
    }
    assert_eq!(fs::read_dir(bed.path("")).unwrap().count(), before, "neither it nor a part of it");
    assert_eq!(fs::read(bed.path("case.tar")).unwrap(), good);

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

    // A head of the same log that was signed over something else.
    let vkey: LogVerifier = fs::read_to_string(bed.vkey()).unwrap().trim().parse().unwrap();
    let origin: Origin = vkey.name().to_string().parse().unwrap();
    let config = Config::load(&bed.path("dev/samband.toml")).unwrap();
    let key = read_log_key(&config.log_key_file, &config.origin).unwrap();
    let signer = LogSigner::from_text(&key).unwrap();
    let other = Checkpoint::new(origin.clone(), 1, Hash::leaf(b"another entry")).unwrap().sign(&signer).unwrap().into_string();
    fs::write(bed.path("mark"), &other).unwrap();
    let error = bed.run("tilsyn", &watch).await.unwrap_err();
    assert!(error.code() == 1 && error.to_string().starts_with("FORK: the head of "), "{error}");
    let kept = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("mark.fork-");
    assert_eq!(fs::read_dir(bed.path("")).unwrap().filter(|entry| kept(entry.as_ref().unwrap())).count(), 1);

    // Beside this mark none can be kept: its name would be too long. The cry is heard all the same, and the head is not lost.
    let long = "m".repeat(240);
    fs::write(bed.path(&long), &other).unwrap();
    fs::write(bed.path("cry"), format!("printf %s $SAMBAND_ALARM_KIND >{}", bed.path("heard").display())).unwrap();
    let line = format!("audit watch --vkey {} --mark ~/{long} --once --on-alarm ~/cry", bed.vkey());
    fs::set_permissions(bed.path("cry"), fs::Permissions::from_mode(0o700)).unwrap();
    let error = bed.run("tilsyn", &line).await.unwrap_err();
    let said = error.to_string();
    assert!(error.code() == 1 && said.starts_with("FORK: the head of "), "{said}");
    assert!(said.contains("could not be kept beside it") && said.contains(&format!("\n{origin}\n")), "{said}");
    assert_eq!(fs::read_to_string(bed.path("heard")).unwrap(), "FORK");
    assert_eq!(fs::read_to_string(bed.path(&long)).unwrap(), other, "the mark stays");
}

/// A proof that opens nothing is that of an opened entry without its line `extra`: the bytes that the log gives of one whose record is erased.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_opens_no_record_is_verified_from_the_leaf_beside_it() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    for index in [0, 1] {
        bed.run("tilsyn", &format!("audit prove {index} --out ~/pr")).await.unwrap();
    }
    let (proof, leaf) = (bed.path("pr/1.tlog-proof"), bed.path("pr/1.leaf"));
    let opened = fs::read_to_string(&proof).unwrap();
    let (from, to) = (opened.find("extra ").unwrap(), opened.find("index ").unwrap());
    let bare = format!("{}{}", &opened[..from], &opened[to..]);
    fs::write(&proof, &bare).unwrap();
    let verify = format!("audit verify ~/pr/1.tlog-proof --vkey {vkey}");
    bed.offline(&verify).await.unwrap();
    let (verifier, origin) = read_vkey(Path::new(&vkey)).unwrap();
    let counts = |dir: &Path| prove_folder(dir, &verifier, &origin).map(|proofs| (proofs.opened.len(), proofs.unopened.len()));
    assert_eq!(counts(&bed.path("pr")).unwrap(), (1, 1), "such a proof is counted apart");
    let folder = format!("audit verify ~/dev/data/log --vkey {vkey} --receipts ~/pr");
    bed.offline(&folder).await.unwrap();
    // It says nothing to a sender.
    let error = bed.offline(&format!("receipt verify ~/pr/1.tlog-proof --vkey {vkey}")).await.unwrap_err();
    assert!(error.code() == 1 && error.to_string().contains("the receipt carries no opening"), "{error}");
    // Nor does a head that no witness cosigned pass for one that a quorum did.
    let witness = "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
    fs::write(bed.path("policy"), format!("witness w {witness}\nquorum w\n")).unwrap();
    assert_eq!(bed.offline(&format!("{verify} --policy ~/policy")).await.unwrap_err().code(), 1);

    // Without the leaf, both name the file that is lacking; another place for it can be named.
    fs::rename(&leaf, bed.path("elsewhere")).unwrap();
    for line in [&verify, &folder] {
        let error = bed.offline(line).await.unwrap_err();
        assert!(
            error.code() == 1 && error.to_string().contains("it opens no record") && error.to_string().contains("pr/1.leaf"),
            "{error}"
        );
    }
    bed.offline(&format!("{verify} --leaf ~/elsewhere")).await.unwrap();
    assert_eq!(bed.offline(&format!("{verify} --leaf ~/nowhere")).await.unwrap_err().code(), 2);
    fs::write(bed.path("all.tar"), "").unwrap();
    for target in ["~/dev/data/log", "~/all.tar"] {
        let error = bed.offline(&format!("audit verify {target} --vkey {vkey} --leaf ~/elsewhere")).await.unwrap_err();
        assert!(error.code() == 2 && error.to_string().contains("--leaf is for a proof"), "{error}");
    }

    // A leaf that is not the entry's.
    let good = fs::read(bed.path("elsewhere")).unwrap();
    let other = fs::read(bed.path("pr/0.leaf")).unwrap();
    let changed: Vec<u8> = good.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 20)).collect();
    for (bytes, reason) in [
        (other, "1.leaf: the proof does not lead to the checkpoint's root"),
        (changed, "1.leaf: the proof does not lead to the checkpoint's root"),
        (vec![], "1.leaf: is not the 33 bytes of a leaf"),
        (good[..32].to_vec(), "1.leaf: is not the 33 bytes of a leaf"),
        ([&[2], &good[1..]].concat(), "1.leaf: is not the 33 bytes of a leaf"),
        ([&good[..], b"\n"].concat(), "1.leaf: larger than 33 bytes"),
        (vec![1; 1 << 20], "1.leaf: larger than 33 bytes"),
    ] {
        fs::write(&leaf, &bytes).unwrap();
        for line in [&verify, &folder] {
            let error = bed.offline(line).await.unwrap_err();
            assert!(error.code() == 1 && error.to_string().contains(reason), "{} bytes: {error}", bytes.len());
        }
    }
    fs::remove_file(&leaf).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &leaf, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for line in [&verify, &folder] {
        let error = bed.offline(line).await.unwrap_err();
        assert!(error.code() == 2 && error.to_string().contains("1.leaf: a pipe"), "{error}");
    }
    fs::remove_file(&leaf).unwrap();
    fs::write(&leaf, &good).unwrap();
    // In the place of another entry.
    fs::write(&proof, bare.replacen("index 1", "index 0", 1)).unwrap();
    assert_eq!(bed.offline(&verify).await.unwrap_err().code(), 1);

    // Beside a proof that opens its record, a leaf is that entry or the proof is refused.
    fs::write(&proof, &opened).unwrap();
    bed.offline(&verify).await.unwrap();
    fs::copy(bed.path("pr/0.leaf"), &leaf).unwrap();
    let error = bed.offline(&verify).await.unwrap_err();
    assert!(error.code() == 1 && error.to_string().contains("is not the leaf that the receipt beside it opens"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_keeps_the_proof_that_its_message_was_fetched_and_acknowledged() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let id = bed.outbox("politi-oslo", ".tlog-proof")[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let evidence = format!("receipt evidence {id} --as prosecution --out ~/evidence");
    bed.run("politi-oslo", &evidence).await.unwrap();
    assert!(!bed.path("evidence").exists(), "nothing has become of it yet");
    bed.run("ru-oslo", "receive --as municipal --out ~/in --ack").await.unwrap();
    bed.run("politi-oslo", &evidence).await.unwrap();
    let mut files: Vec<_> = fs::read_dir(bed.path("evidence")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<String> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with(&format!("{id}.ACKNOWLEDGED.")) && names[1].starts_with(&format!("{id}.HANDED_OUT.")), "{names:?}");
    for file in &files {
        for verify in ["receipt verify", "audit verify"] {
            bed.offline(&format!("{verify} {} --vkey {vkey}", file.display())).await.unwrap();
        }
        let text = fs::read_to_string(file).unwrap();
        fs::write(bed.path("bad.tlog-proof"), text.replacen("index ", "index 1", 1)).unwrap();
        assert_eq!(bed.offline(&format!("receipt verify ~/bad.tlog-proof --vkey {vkey}")).await.unwrap_err().code(), 1);
    }
    let error = bed.run("politi-innlandet", &evidence).await.unwrap_err();
    assert_eq!(error.code(), 1, "it is another's message: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_placed_shown_and_lifted_and_its_file_comes_and_goes() {
    let bed = Bed::new().await;
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let case = bed.json_of("politi-oslo", ".notice.json")["case_ref"].as_str().unwrap().to_owned();
    let year = crate::clock::Clock::now(&crate::clock::SystemClock).oslo_date().year() + 1;
    let place = |case: &str, until: String| format!("audit hold place {case} --reason complaint --until {until}");
    let held = || fs::read_dir(bed.path("dev/data/holds")).map_or(0, Iterator::count);
    bed.run("tilsyn", "audit hold list").await.unwrap();
    for (line, code) in [
        (place("04HMAS-W9NF6Y-Y41J5S", format!("{year}-06-30")), 1),
        (place(&case, "2020-01-01".to_owned()), 1),
        (place(&case, format!("{}-06-30", year + 5)), 1),
        (format!("audit hold lift {case}"), 1),
    ] {
        assert_eq!(bed.run("tilsyn", &line).await.unwrap_err().code(), code, "{line}");
    }
    assert_eq!(bed.run("politi-oslo", &place(&case, format!("{year}-06-30"))).await.unwrap_err().code(), 1);
    bed.run("tilsyn", &place(&case, format!("{year}-06-30"))).await.unwrap();
    bed.run("tilsyn", "audit hold list").await.unwrap();
    let until = async |wanted: usize| {
        for _ in 0..600 {
            if held() == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{} files of holds after a minute, not {wanted}", held());
    };
    until(1).await;
    let reported = async |name: &str, lang: &str| {
        let vkey = bed.vkey();
        bed.run("tilsyn", &format!("audit export --vkey {vkey} --out ~/{name}.tar")).await.unwrap();
        bed.offline(&format!("audit report ~/{name}.tar --vkey {vkey} --lang {lang} --out ~/{name}.html")).await.unwrap();
        let page = fs::read_to_string(bed.path(&format!("{name}.html"))).unwrap();
        page.split("<h2>").find(|part| part.contains("legal hold?") || part.contains("sperret mot sletting?")).unwrap().to_owned()
    };
    bed.run("tilsyn", &place(&case, format!("{year}-09-30"))).await.unwrap();
    let held = reported("held", "nb").await;
    assert!(
        held.contains(&format!("<td>{case}</td><td>klage på behandlingen</td><td>til og med {year}-09-30</td><td>tilsyn</td>")),
        "{held}"
    );
    bed.run("tilsyn", &format!("audit hold lift {case}")).await.unwrap();
    until(0).await;
    let lifted = reported("lifted", "en").await;
    assert!(!lifted.contains(&case) && lifted.contains("none among the entries checked"), "{lifted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_folder_gives_the_same_bytes_as_the_gateway_gave() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    fs::write(bed.path("notice.json"), notice()).unwrap();
    for _ in 0..2 {
        bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    }
    bed.run("ru-oslo", "receive --as municipal --out ~/in --ack").await.unwrap();
    let case = bed.json_of("politi-oslo", ".notice.json")["case_ref"].as_str().unwrap().to_owned();
    let wanted = [String::new(), "--from-index 2 --to-index 5".to_owned(), format!("--case {case}"), "--since 2020-01-01".to_owned()];
    for (n, what) in wanted.iter().enumerate() {
        bed.run("tilsyn", &format!("audit export --vkey {vkey} {what} --out ~/live-{n}.tar")).await.unwrap();
    }
    let folder = "--data-dir ~/dev/data --storage-key ~/dev/storage-key";
    let running = bed.offline(&format!("audit export --vkey {vkey} {folder} --out ~/none.tar")).await.unwrap_err();
    assert!(running.to_string().contains("in use by another gateway"), "{running}");
    let bed = bed.stopped().await;
    for (n, what) in wanted.iter().enumerate() {
        let live = fs::read(bed.path(&format!("live-{n}.tar"))).unwrap();
        let checkpoint = member(&live, "checkpoint");
        fs::write(bed.path("checkpoint"), &checkpoint).unwrap();
        // What the live export ended with: before its own event.
        let to = member(&live, "manifest.txt");
        let to = String::from_utf8(to).unwrap().lines().find_map(|line| line.strip_prefix("to_index=").map(str::to_owned)).unwrap();
        let what = if what.contains("--to-index") { what.clone() } else { format!("{what} --to-index {to}") };
        bed.offline(&format!("audit export --vkey {vkey} {folder} {what} --checkpoint ~/checkpoint --out ~/stopped.tar")).await.unwrap();
        assert!(fs::read(bed.path("stopped.tar")).unwrap() == live, "{what}: other bytes");
    }
    bed.offline(&format!("audit export --vkey {vkey} {folder} --out ~/newest.tar")).await.unwrap();
    bed.offline("audit verify ~/newest.tar").await.unwrap();
    fs::write(bed.path("storage-key"), format!("{}\n", "12".repeat(32))).unwrap();
    fs::set_permissions(bed.path("storage-key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let other = format!("audit export --vkey {vkey} --data-dir ~/dev/data --storage-key ~/storage-key --out ~/none.tar");
    let error = bed.offline(&other).await.unwrap_err();
    assert!(error.to_string().contains("storage key"), "{error}");
    fs::write(bed.path("checkpoint"), "log\n1\nAAAA\n\n— x y\n").unwrap();
    let error = bed.offline(&format!("audit export --vkey {vkey} {folder} --checkpoint ~/checkpoint --out ~/none.tar")).await;
    assert!(error.unwrap_err().to_string().contains("not signed by the key of this store's log"));
    assert!(!bed.path("none.tar").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_made_again_byte_by_byte_under_its_own_head() {
    let bed = Bed::new().await;
    let vkey = bed.vkey();
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    bed.run("ru-oslo", "receive --as municipal --out ~/in --ack").await.unwrap();
    let case = bed.json_of("politi-oslo", ".notice.json")["case_ref"].as_str().unwrap().to_owned();
    let export = format!("audit export --vkey {vkey}");
    for what in ["", "--since 2020-01-01", "--from-index 2", &format!("--case {case}")] {
        bed.run("tilsyn", &format!("{export} {what} --out ~/first.tar")).await.unwrap();
        let first = fs::read(bed.path("first.tar")).unwrap();
        fs::write(bed.path("head"), member(&first, "checkpoint")).unwrap();
        let manifest = String::from_utf8(member(&first, "manifest.txt")).unwrap();
        let number = |name: &str| manifest.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let of_case = if what.starts_with("--case") { what } else { "" };
        let range = format!("--from-index {} --to-index {} {of_case}", number("from_index="), number("to_index="));
        bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
        bed.run("tilsyn", &format!("{export} {range} --out ~/newer.tar")).await.unwrap();
        assert!(fs::read(bed.path("newer.tar")).unwrap() != first, "{what}: under the newest head they differ");
        bed.run("tilsyn", &format!("{export} {range} --checkpoint ~/head --out ~/again.tar")).await.unwrap();
        assert!(fs::read(bed.path("again.tar")).unwrap() == first, "{what}: other bytes");
    }
    let other = Bed::new().await;
    let elsewhere = format!("audit export --vkey {} --checkpoint {} --out ~/none.tar", other.vkey(), bed.path("head").display());
    let error = other.run("tilsyn", &elsewhere).await.unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(error.to_string().starts_with("--checkpoint: "), "{error}");
    assert!(!other.path("none.tar").exists());
}

/// A file of a tar archive.
fn member(tar: &[u8], name: &str) -> Vec<u8> {
    let mut at = 0;
    while at + 512 <= tar.len() {
        let text =
            |from: usize, len: usize| String::from_utf8_lossy(&tar[at + from..at + from + len]).trim_end_matches(['\0', ' ']).to_owned();
        let size = usize::from_str_radix(&text(124, 12), 8).unwrap_or(0);
        if text(0, 100).ends_with(name) {
            return tar[at + 512..at + 512 + size].to_vec();
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    panic!("no {name} in the bundle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ground_that_the_configuration_names_no_more_keeps_the_gateway_from_starting_and_erases_nothing() {
    let line = "hold_ground = \"arkivlova § 9\"\n";
    let bed = Bed::configured(line).await;
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    let case = bed.json_of("politi-oslo", ".notice.json")["case_ref"].as_str().unwrap().to_owned();
    let year = crate::clock::Clock::now(&crate::clock::SystemClock).oslo_date().year() + 5;
    bed.run("tilsyn", &format!("audit hold place {case} --reason complaint --until {year}-01-01")).await.unwrap();
    let file = bed.path("dev/samband.toml");
    let (with, check) = (fs::read_to_string(&file).unwrap(), "check-config ~/dev/samband.toml");
    bed.offline(check).await.unwrap();
    // While it runs, whoever looks before the restart is told.
    fs::write(&file, with.replacen(line, "", 1)).unwrap();
    assert_eq!(bed.offline(check).await.unwrap_err().code(), 78);
    assert_eq!(bed.offline("doctor --config ~/dev/samband.toml").await.unwrap_err().code(), 1);
    let stopped = bed.stopped().await;
    assert_eq!(stopped.offline(check).await.unwrap_err().code(), 78);
    let error = Bed::refused(&stopped).await.unwrap();
    assert_eq!(error.code(), 78, "no service manager tries that again: {error}");
    assert!(
        error.to_string().contains("1 legal holds last beyond") && error.to_string().contains(&format!("until {year}-01-01")),
        "{error}"
    );
    fs::write(&file, with).unwrap();
    stopped.offline(check).await.unwrap();
    assert!(Bed::refused(&stopped).await.is_none());
}
