//! The files of the configuration: until when certificates hold, who can read keys.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::clock::Clock;
use crate::config::{Config, IdentityMode};
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::tls::TlsSettings;
use crate::tls::expiry::{self, Nearness};

use super::{Finding, Health};

/// Whether `serve` would take certificate, key, CAs and lists: what a start asks of them, a reload and `check-config`, too.
pub fn taken(config: &Config, clock: Arc<dyn Clock>) -> Finding {
    let loaded = config.tls_files().map_err(|error| error.to_string());
    match loaded.and_then(|files| TlsSettings::load(files, clock).map_err(|error| error.to_string())) {
        Ok(settings) => match settings.unused().as_slice() {
            [] => Finding::new("tls", Health::Ok, "certificate, key, CAs and revocation lists can be served with", json!({})),
            unused => {
                let texts: Vec<_> = unused.iter().map(ToString::to_string).collect();
                Finding::new("tls", Health::Warning, texts.join("; "), json!({}))
            }
        },
        Err(error) => Finding::new("tls", Health::Bad, error, json!({})),
    }
}

/// Every certificate and revocation list that is configured, one finding each; of the witnesses' CAs the one of each file that ends first.
pub fn certificates(config: &Config, now: Timestamp) -> Vec<Finding> {
    let tls = &config.tls;
    let own = std::iter::once(("certificate", &tls.certificate_file));
    let mut findings: Vec<Finding> = own
        .chain(tls.client_ca_files.iter().map(|file| ("client_ca", file)))
        .chain(tls.issuing_ca_files.iter().map(|file| ("issuing_ca", file)))
        .chain(config.witnesses.iter().flat_map(|section| &section.ca_files).map(|file| ("witness_ca", file)))
        .map(|(check, file)| match expiry::certificates(file) {
            Ok(all) => ending(check, file, all.into_iter().map(|(_, end)| end).min(), now, "renew it"),
            Err(error) => Finding::new(check, Health::Bad, error.to_string(), json!({})),
        })
        .collect();
    let grace_millis = i64::try_from(tls.crl_grace_s.get().saturating_mul(1000)).unwrap_or(i64::MAX);
    findings.extend(tls.crl_files.iter().map(|file| match expiry::revocation_lists(file) {
        Ok(due) => list(file, due.into_iter().flatten().min(), grace_millis, now),
        Err(error) => Finding::new("revocation", Health::Bad, error.to_string(), json!({})),
    }));
    if tls.crl_files.is_empty() {
        let health = if config.identity_mode == IdentityMode::Test { Health::Ok } else { Health::Warning };
        let text = "no revocation lists are configured; a revoked certificate is refused only once its key leaves the register";
        findings.push(Finding::new("revocation", health, text, json!({})));
    }
    findings
}

/// A list is short-lived by nature: fine before its next update, a warning within the grace, then an outage for whom its CA issued for.
fn list(file: &Path, next_update: Option<Timestamp>, grace_millis: i64, now: Timestamp) -> Finding {
    let name = file.display();
    let Some(due) = next_update else {
        return Finding::new(
            "revocation",
            Health::Bad,
            format!("{name}: a list without its next update is not accepted"),
            json!({"file": name.to_string()}),
        );
    };
    let closes_at = due.plus_millis(grace_millis);
    let figures = json!({"file": name.to_string(), "next_update": due.to_string(), "closes_at": closes_at.to_string()});
    let (health, text) = if now < due {
        (Health::Ok, format!("{name}: next list due {due}"))
    } else if now < closes_at {
        (
            Health::Warning,
            format!("{name}: overdue since {due}; fetch a new list before {closes_at}, when its CA's participants are refused"),
        )
    } else {
        (Health::Bad, format!("{name}: overdue since {due} and past its grace; its CA's participants are refused, fetch a new list"))
    };
    Finding::new("revocation", health, text, figures)
}

fn ending(check: &'static str, file: &Path, end: Option<Timestamp>, now: Timestamp, advice: &str) -> Finding {
    let name = file.display();
    let Some(end) = end else {
        return Finding::new(check, Health::Unknown, format!("{name}: no end is given"), json!({"file": name.to_string()}));
    };
    let days = (end.millis() - now.millis()).div_euclid(DAY_MILLIS);
    let figures = json!({"file": name.to_string(), "days_left": days, "until": end.oslo_date().to_string()});
    let (health, text) = match Nearness::of(end, now) {
        Some(Nearness::Ended) => (Health::Bad, format!("{name}: ended on {}; {advice}", end.oslo_date())),
        Some(Nearness::Days7) => (Health::Warning, format!("{name}: {days} days left, 7 or fewer; {advice} now")),
        Some(Nearness::Days30) => (Health::Warning, format!("{name}: {days} days left, 30 or fewer; {advice}")),
        Some(Nearness::Days60) => (Health::Warning, format!("{name}: {days} days left, 60 or fewer; {advice} in time")),
        None => (Health::Ok, format!("{name}: {days} days left")),
    };
    Finding::new(check, health, text, figures)
}

/// Who else can read the keys and the data.
pub fn keys(config: &Config) -> Vec<Finding> {
    let secrets = [("storage_key", &config.storage_key_file), ("log_key", &config.log_key_file), ("tls_key", &config.tls.key_file)];
    let mut findings: Vec<Finding> = secrets.iter().map(|(check, file)| private(check, file, 0o600)).collect();
    if config.data_dir.is_dir() {
        findings.push(private("data_dir", &config.data_dir, 0o700));
    }
    findings
}

fn private(check: &'static str, path: &Path, wanted: u32) -> Finding {
    let name = path.display();
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) => return Finding::new(check, Health::Bad, format!("{name}: {error}"), json!({"file": name.to_string()})),
    };
    let mode = found.permissions().mode() & 0o7777;
    let figures = json!({"file": name.to_string(), "mode": format!("{mode:04o}"), "owner_uid": found.uid()});
    // Nobody gets to a folder through one that is closed.
    let is_behind_closed =
        found.is_dir() && path.parent().and_then(|above| above.metadata().ok()).is_some_and(|above| above.mode() & 0o011 == 0);
    if mode & 0o077 == 0 || is_behind_closed {
        return Finding::new(check, Health::Ok, format!("{name}: mode {mode:04o}"), figures);
    }
    // What lies in the data folder is sealed; its listing tells counts and times only.
    let health = if found.is_dir() { Health::Warning } else { Health::Bad };
    Finding::new(check, health, format!("{name}: mode {mode:04o} lets others in; set it to {wanted:04o}"), figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_bad_when_past_and_spoken_of_when_near() {
        let now = Timestamp::from_millis(1_000 * DAY_MILLIS);
        let health =
            |days: i64| ending("certificate", Path::new("c.pem"), Some(now.plus_millis(days * DAY_MILLIS)), now, "renew it").health;
        assert_eq!([health(-1), health(0), health(59), health(60)], [Health::Bad, Health::Warning, Health::Warning, Health::Ok]);
        assert_eq!(ending("certificate", Path::new("c.pem"), None, now, "").health, Health::Unknown);
    }

    #[test]
    fn a_list_is_a_warning_within_its_grace_and_bad_after_it() {
        let due = Timestamp::from_millis(1_000 * DAY_MILLIS);
        let health = |days: i64| list(Path::new("c.crl"), Some(due), 3 * DAY_MILLIS, due.plus_millis(days * DAY_MILLIS)).health;
        assert_eq!([health(-1), health(0), health(2), health(3)], [Health::Ok, Health::Warning, Health::Warning, Health::Bad]);
        assert_eq!(list(Path::new("c.crl"), None, 0, due).health, Health::Bad);
    }

    #[test]
    fn a_key_that_others_can_read_is_bad_and_a_folder_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        std::fs::write(&key, "x").unwrap();
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(&key, 0o640);
        assert_eq!(private("log_key", &key, 0o600).health, Health::Bad);
        set(&key, 0o600);
        assert_eq!(private("log_key", &key, 0o600).health, Health::Ok);
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for (above, own, wanted) in [(0o755, 0o755, Health::Warning), (0o700, 0o755, Health::Ok), (0o755, 0o700, Health::Ok)] {
            set(dir.path(), above);
            set(&data, own);
            assert_eq!(private("data_dir", &data, 0o700).health, wanted);
        }
        assert_eq!(private("log_key", &dir.path().join("gone"), 0o600).health, Health::Bad);
    }
}
