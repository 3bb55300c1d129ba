//! A path that is missing, or of something else than was meant: every command names it, says what is wrong and what to do.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::exit::CliError;
use super::live_tests::run_line;
use crate::audit::note::LogSigner;

const STORE: &str = "name the data folder of a gateway";
const PATH: &str = "check the path";
const FILE: &str = "put its content in a file and name that";

#[tokio::test]
async fn a_path_that_is_not_what_was_meant_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let signer = LogSigner::from_seed("log.example.no/test".parse().unwrap(), zeroize::Zeroizing::new([7; 32]));
    fs::write(dir.path().join("log.vkey"), format!("{}\n", signer.verifier())).unwrap();
    fs::write(dir.path().join("file"), "hi\n").unwrap();
    for folder in ["empty", "other"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    fs::write(dir.path().join("other/notes.txt"), "hi\n").unwrap();
    symlink(dir.path().join("nowhere"), dir.path().join("link")).unwrap();
    let storage_key = dir.path().join("storage-key");
    fs::write(&storage_key, format!("{}\n", "12".repeat(32))).unwrap();
    fs::set_permissions(&storage_key, fs::Permissions::from_mode(0o600)).unwrap();
    let of_folder = "audit export --storage-key ~/storage-key --vkey ~/log.vkey --out ~/new.tar --data-dir";
    let mut lines = Vec::new();
    for (path, what) in [
        ("missing", "there is no such folder"),
        ("link", "there is no such folder"),
        ("file", "this is no folder"),
        ("file/x", PATH),
        ("empty", "an empty folder"),
        ("other", "holds no FORMAT"),
    ] {
        for command in ["audit fsck", "store info", of_folder] {
            lines.push((format!("{command} ~/{path}"), path, 78, vec![what, if what == PATH { PATH } else { STORE }]));
        }
    }
    for (path, code, what) in [
        ("missing", 2, PATH),
        ("link", 2, PATH),
        ("file/x", 2, PATH),
        ("empty", 2, "holds no `checkpoint`"),
        ("other", 2, "name the one that has it"),
    ] {
        for more in ["", " --vkey ~/log.vkey"] {
            lines.push((format!("audit verify ~/{path}{more}"), path, code, vec![what]));
        }
    }
    for (path, what) in [("missing", PATH), ("link", PATH), ("file/x", PATH), ("empty", FILE)] {
        for command in [
            "audit report ~/@ --out ~/new.html",
            "receipt verify ~/@ --vkey ~/log.vkey",
            "receipt verify ~/file --vkey ~/@",
            "audit verify ~/file --vkey ~/@",
            "audit verify ~/file --vkey ~/log.vkey --policy ~/@",
        ] {
            lines.push((command.replace('@', path), path, 2, vec![what]));
        }
        for command in ["doctor --config ~/@", "audit fsck ~/store --storage-key ~/@"] {
            lines.push((command.replace('@', path), path, 78, vec![what]));
        }
        lines.push((
            format!("audit watch --vkey ~/{path} --mark ~/mark --identity ~/empty --gateway https://localhost:1 --once"),
            path,
            2,
            vec![what],
        ));
    }
    fs::create_dir(dir.path().join("store")).unwrap();
    fs::write(dir.path().join("store/FORMAT"), "hi\n").unwrap();
    for path in ["missing", "file", "empty"] {
        let line = format!("audit watch --vkey ~/log.vkey --mark ~/mark --identity ~/{path} --gateway https://localhost:1 --once");
        lines.push((line, path, 78, vec![PATH]));
    }
    let prove = "audit prove 1 --identity ~/empty --gateway https://localhost:1 --out ~/file".to_owned();
    lines.push((prove, "file", 2, vec!["this is a file, and the proofs go into a folder; name a folder"]));
    let mut wrong = Vec::new();
    for (line, named, code, words) in lines {
        let home = format!("{}/", dir.path().display());
        let error: CliError = run_line(&format!("samband {line}").replace("~/", &home)).await.expect_err(&line);
        let said = error.to_string();
        let is_named = said.contains(&format!("{home}{named}")) && words.iter().all(|word| said.contains(word));
        if error.code() != code || !is_named || said.contains("os error") {
            wrong.push(format!("{line}: {}, not {code}: {said}", error.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!dir.path().join("new.tar").exists() && !dir.path().join("new.html").exists());
}

#[test]
fn what_cannot_be_written_names_the_folder_that_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "hi\n").unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    for (path, named) in
        [("missing/x.html", "missing: "), ("file/x.html", "file: "), ("folder", "folder: a folder, where a file is wanted")]
    {
        let error = super::outbox::write_durably(&dir.path().join(path), b"hi").unwrap_err();
        let said = error.to_string();
        assert!(error.code() == 2 && said.contains(&format!("{}/{named}", dir.path().display())), "{said}");
    }
    assert!(!dir.path().join("folder.new").exists(), "nothing is left behind");
    std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
    let error = super::outbox::write_durably(&dir.path().join("link"), b"hi").unwrap_err();
    assert!(error.code() == 2 && error.to_string().contains("link: a symbolic link, which a file would replace"), "{error}");
}

#[tokio::test]
async fn no_command_replaces_what_it_reads_by_what_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "id/cert.pem",
        "id/key.pem",
        "ca.pem",
        "log.vkey",
        "policy",
        "head",
        "b.tar",
        "r.tlog-proof",
        "c.json",
        "data/FORMAT",
        "box/1.notice.json",
        "high-water",
        "storage-key",
        "participants.toml",
        "other.tar",
        "other.tlog-proof",
    ];
    for name in names {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let online = "--identity ~/id --gateway https://localhost:1 --vkey ~/log.vkey --policy ~/policy";
    let stopped = "audit export --data-dir ~/data --storage-key ~/head --vkey ~/log.vkey --out";
    let mut lines = Vec::new();
    let mut each = |command: &str, outputs: &[&str]| {
        lines.extend(outputs.iter().map(|output| format!("{command} ~/{output}")));
    };
    each("audit report ~/b.tar --vkey ~/log.vkey --policy ~/policy --out", &["b.tar", "log.vkey", "policy"]);
    each(
        &format!("audit export {online} --checkpoint ~/head --out"),
        &["log.vkey", "policy", "head", "id/cert.pem", "id/key.pem", "ca.pem"],
    );
    each(stopped, &["log.vkey", "head", "data/FORMAT", "data/new.tar"]);
    for option in ["--out", "--cosigned-out"] {
        each(&format!("audit checkpoint {online} --older ~/head {option}"), &["log.vkey", "policy", "head", "id/key.pem"]);
    }
    each("receipt get 019a9b3c-0000-7000-8000-000000000001 --as prosecution --identity ~/id --out", &["id/key.pem", "ca.pem"]);
    let verify = "receipt verify ~/r.tlog-proof --vkey ~/log.vkey --content ~/c.json --outbox ~/box --leaf-out";
    each(verify, &["r.tlog-proof", "log.vkey", "c.json", "box/1.notice.json"]);
    each("send notice ~/c.json --identity ~/id --outbox ~/box --receipt-out", &["c.json", "id/key.pem", "box/1.notice.json"]);
    let mut wrong = Vec::new();
    for line in lines {
        let error = run_line(&format!("samband {line}").replace("~/", &format!("{}/", dir.path().display()))).await.expect_err(&line);
        if error.code() != 2 || !error.to_string().contains("that the command reads") {
            wrong.push(format!("{line}: {} {error}", error.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What lies beside the folder and is read by the gateway alone, and whatever else the command did not write.
    let report = "audit report ~/b.tar --out";
    let export = format!("audit export {online} --out");
    let checkpoint = format!("audit checkpoint {online} --out");
    let cosigned = format!("audit checkpoint {online} --cosigned-out");
    let receipt = "receipt get 019a9b3c-0000-7000-8000-000000000001 --as prosecution --identity ~/id --out";
    let send = "send notice ~/c.json --identity ~/id --outbox ~/box --receipt-out";
    let verify = "receipt verify ~/other.tlog-proof --vkey ~/log.vkey --leaf-out";
    for command in [stopped, report, &export, &checkpoint, &cosigned, receipt, send, verify] {
        for output in ["high-water", "storage-key", "participants.toml", "other.tar"] {
            let line = format!("samband {command} ~/{output}").replace("~/", &format!("{}/", dir.path().display()));
            let error = run_line(&line).await.expect_err(&line);
            assert!(error.code() == 2 && error.to_string().contains("is there already"), "{line}: {error}");
        }
    }
    for line in [stopped, &export] {
        let line = format!("samband {line} ~/new").replace("~/", &format!("{}/", dir.path().display()));
        let error = run_line(&line).await.expect_err(&line);
        assert!(error.code() == 2 && error.to_string().contains("ends with .tar"), "{error}");
    }
    for name in names {
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), name);
    }
}
