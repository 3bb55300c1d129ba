//! The files of the configuration: until when certificates hold, who can read keys.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::json;

use crate::config::{Config, IdentityMode};
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::tls::expiry;

use super::{Finding, Health};

/// From this many days before its end a certificate is spoken of.
const RENEW_DAYS: i64 = 30;

/// Every certificate and revocation list that is configured, one finding each.
pub fn certificates(config: &Config, now: Timestamp) -> Vec<Finding> {
    let tls = &config.tls;
    let own = std::iter::once(("certificate", &tls.certificate_file));
    let mut findings: Vec<Finding> = own
        .chain(tls.client_ca_files.iter().map(|file| ("client_ca", file)))
        .map(|(check, file)| match expiry::certificates(file) {
            Ok(ends) => ending(check, file, ends.into_iter().min(), now, "renew it"),
            Err(error) => Finding::new(check, Health::Bad, error.to_string(), json!({})),
        })
        .collect();
    findings.extend(tls.crl_files.iter().map(|file| match expiry::revocation_lists(file) {
        Ok(due) => {
            let mut finding = ending("revocation", file, due.into_iter().flatten().min(), now, "fetch a new list");
            // A list is fetched daily and short-lived by nature; an overdue one is only an outage where the configuration says so.
            if finding.health == Health::Warning || (finding.health == Health::Bad && !tls.require_unexpired_crl) {
                finding.health = if finding.health == Health::Bad { Health::Warning } else { Health::Ok };
            }
            finding
        }
        Err(error) => Finding::new("revocation", Health::Bad, error.to_string(), json!({})),
    }));
    if tls.crl_files.is_empty() {
        let health = if config.identity_mode == IdentityMode::Test { Health::Ok } else { Health::Warning };
        let text = "no revocation lists are configured; a revoked certificate is refused only once its key leaves the register";
        findings.push(Finding::new("revocation", health, text, json!({})));
    }
    findings
}

fn ending(check: &'static str, file: &Path, end: Option<Timestamp>, now: Timestamp, advice: &str) -> Finding {
    let name = file.display();
    let Some(end) = end else {
        return Finding::new(check, Health::Unknown, format!("{name}: no end is given"), json!({"file": name.to_string()}));
    };
    let days = (end.millis() - now.millis()).div_euclid(DAY_MILLIS);
    let figures = json!({"file": name.to_string(), "days_left": days, "until": end.oslo_date().to_string()});
    let (health, text) = match days {
        i64::MIN..0 => (Health::Bad, format!("{name}: ended on {}; {advice}", end.oslo_date())),
        0..RENEW_DAYS => (Health::Warning, format!("{name}: {days} days left; {advice}")),
        _ => (Health::Ok, format!("{name}: {days} days left")),
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
        assert_eq!([health(-1), health(0), health(29), health(30)], [Health::Bad, Health::Warning, Health::Warning, Health::Ok]);
        assert_eq!(ending("certificate", Path::new("c.pem"), None, now, "").health, Health::Unknown);
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
