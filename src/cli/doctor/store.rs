//! The store as the doctor sees it: undelivered mail, the published log, the last event beside the clock.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use crate::audit::note::LogSigner;
use crate::cli::check_config::no_ground;
use crate::cli::folder::no_store;
use crate::cli::store::{GONE, LOST, NOT_WHOLE, UNREAD};
use crate::config::Config;
use crate::config::keys::{read_log_key, read_storage_key};
use crate::domain::time::{DAY_MILLIS, Date, Timestamp};
use crate::store::embedded::fsck::published_damages;
use crate::store::embedded::info::{SealedInfo, StoreInfo, in_the_way, info};
use crate::store::embedded::{self, Asked, OpenError};

use super::{Finding, Health, ago, span};

/// A gateway that runs publishes at least once a second; what waits longer than this waits for something.
const UNPUBLISHED_MAX_MILLIS: i64 = 60_000;
/// Mirrors the store's own bounds: beyond these, erasure by the calendar waits.
const AHEAD_MAX_MILLIS: i64 = 60 * 60 * 1000;
const STILL_MAX_MILLIS: i64 = 31 * DAY_MILLIS;

/// Everything about the store.
pub fn look(config: &Config, now: Timestamp) -> Vec<Finding> {
    let today = now.oslo_date();
    if let Some(what) = no_store(&config.data_dir) {
        let is_new = match fs::read_dir(&config.data_dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_new {
            if let Err(why) = would_open(config, today) {
                return vec![Finding::new("store", Health::Bad, why, json!({}))];
            }
            let text = "there is no store yet; the first start of serve makes one";
            return vec![Finding::new("store", Health::Unknown, text, json!({}))];
        }
        return vec![Finding::new("store", Health::Bad, what, json!({}))];
    }
    let key = match read_storage_key(&config.storage_key_file) {
        Ok(key) => Some(key),
        Err(error) => return vec![Finding::new("store", Health::Bad, error.to_string(), json!({}))],
    };
    let running = crate::cli::store::holder_of(&config.data_dir).is_some();
    let mut findings = match unfit(config, running, today) {
        Ok(findings) => findings,
        Err(finding) => return vec![finding],
    };
    let found = match info(&config.data_dir, key, now) {
        Ok(found) => found,
        Err(error @ OpenError::StorageKey { .. }) => return vec![Finding::new("store", Health::Bad, error.to_string(), json!({}))],
        Err(error) => {
            let text = format!("{error}; `samband audit fsck DATA_DIR --storage-key FILE` shows all of it");
            return vec![Finding::new("store", Health::Bad, text, json!({}))];
        }
    };
    findings.push(state(running, &found));
    findings.extend(erasure(config, running, &found, now));
    if let Some(sealed) = &found.sealed {
        // Of a stopped store the start's own look has told them.
        let gone = sealed.gone.iter().filter(|_| running);
        findings.extend(gone.map(|name| Finding::new("store", Health::Bad, format!("{name} {GONE}"), json!({}))));
        findings.push(undelivered(config, sealed, now));
        findings.push(last_event(sealed, now));
        findings.extend(holds(sealed));
        findings.push(unreadable(sealed));
    }
    findings.push(checkpoint(config, &found, now));
    findings.extend(published(config));
    findings
}

/// What a start says of the store, and the files that it would miss.
fn would_open(config: &Config, today: Date) -> Result<Vec<String>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let storage_key = read_storage_key(&config.storage_key_file).map_err(|error| text(&error))?;
    let log_key = read_log_key(&config.log_key_file, &config.origin).map_err(|error| text(&error))?;
    let signer = LogSigner::from_text(&log_key).map_err(|error| format!("{}: {error}", config.log_key_file.display()))?;
    let asked = Asked {
        origin: config.origin.as_str(),
        verifier: signer.verifier(),
        high_water_file: &config.high_water_file,
        hold_ground: config.hold_ground.as_ref(),
        today,
    };
    embedded::would_open(&config.data_dir, storage_key, &asked).map_err(|error| text(&error))
}

/// Why the store does not start, or cannot be turned over. A gateway that runs has been let in; what it writes meanwhile is not judged.
fn unfit(config: &Config, running: bool, today: Date) -> Result<Vec<Finding>, Finding> {
    let bad = |text: String| Finding::new("store", Health::Bad, text, json!({}));
    if !running {
        let gone = would_open(config, today).map_err(|why| bad(format!("the gateway would not start: {why}")))?;
        return Ok(gone.iter().map(|name| bad(format!("{name} {GONE}"))).collect());
    }
    let damages = in_the_way(&config.data_dir).map_err(|error| bad(error.to_string()))?;
    let damages = damages.iter().map(|damage| bad(format!("{damage}; until then nothing that was acknowledged is erased")));
    // The configuration may be another by now than the one that the gateway was started with.
    let refused = no_ground(config, today)
        .map(|why| Finding::new("holds", Health::Bad, format!("the next start would be refused: {why}"), json!({})));
    Ok(damages.chain(refused).collect())
}

/// Told only where a gateway runs and does not erase: what was acknowledged is gone at the turn after it.
fn erasure(config: &Config, running: bool, found: &StoreInfo, now: Timestamp) -> Option<Finding> {
    let age = now.millis() - found.current.turned_at;
    let within = i64::try_from(config.erase_within_s.get()).unwrap_or(i64::MAX).saturating_mul(1000);
    let grew = found.log_size.is_some_and(|size| size > found.current.size);
    (running && grew && age > within).then(|| {
        let text = format!(
            "the store was last turned over {} ago, so that acknowledged content may not be erased within erase_within_s; the gateway's log says why",
            span(age)
        );
        Finding::new("erasure", Health::Bad, text, json!({"turned_age_s": age / 1000}))
    })
}

fn state(running: bool, found: &StoreInfo) -> Finding {
    let clean = found.sealed.as_ref().is_some_and(|sealed| sealed.stopped_cleanly);
    let text = match (running, clean) {
        (true, _) => "a gateway runs on it",
        (false, true) => "stopped cleanly",
        (false, false) => "no gateway runs on it, and the last one did not stop cleanly; the next start replays what it left",
    };
    let health = if running || clean { Health::Ok } else { Health::Warning };
    Finding::new("store", health, text, json!({"running": running, "stopped_cleanly": clean, "log_size": found.log_size}))
}

fn undelivered(config: &Config, sealed: &SealedInfo, now: Timestamp) -> Finding {
    let (count, overdue) = (sealed.stats.undelivered, sealed.stats.overdue);
    let age = sealed.oldest_undelivered.map(|at| now.millis() - at.millis());
    let unread = sealed.unread;
    let figures = json!({"undelivered": count, "overdue": overdue, "unreadable": unread, "oldest_s": age.map(|age| age / 1000)});
    let Some(age) = age else { return Finding::new("undelivered", Health::Ok, "nothing is undelivered", figures) };
    let after = config.overdue_after_s;
    let patience = [after.condition_notice.get(), after.non_attendance_report.get(), after.lab_result.get()].into_iter().min();
    let late = overdue > 0 || patience.is_some_and(|seconds| age / 1000 > i64::try_from(seconds).unwrap_or(i64::MAX));
    let text = format!("{count} items, {overdue} overdue, the oldest accepted {}", ago(age));
    if unread > 0 {
        return Finding::new("undelivered", Health::Bad, format!("{text}; {unread} of them {UNREAD}"), figures);
    }
    if late {
        let text = format!("{text}; somebody does not fetch: the recipients' systems are to be looked at");
        return Finding::new("undelivered", Health::Warning, text, figures);
    }
    Finding::new("undelivered", Health::Ok, text, figures)
}

/// Told only where something is wrong.
fn published(config: &Config) -> Option<Finding> {
    let damages = match published_damages(&config.data_dir) {
        Ok(damages) => damages,
        Err(error) => return Some(Finding::new("published", Health::Bad, error.to_string(), json!({}))),
    };
    let first = damages.first()?;
    let text = format!(
        "the published log is damaged in {} places, and what is damaged is not served; the first: {first}; `samband audit fsck DATA_DIR` names all, \
         docs/recovery.md says what to do",
        damages.len()
    );
    Some(Finding::new("published", Health::Bad, text, json!({"places": damages.len()})))
}

/// Told only where something is wrong.
fn holds(sealed: &SealedInfo) -> Option<Finding> {
    let (holds, lacking, lost) = (sealed.holds, sealed.holds_not_whole, sealed.lost);
    let figures = json!({"holds": holds, "not_whole": lacking, "lost": lost});
    match (lacking, lost) {
        (0, 0) => None,
        (0, _) => Some(Finding::new("holds", Health::Warning, format!("{lost} {LOST}"), figures)),
        _ => {
            let gone = if lost > 0 { format!("; {lost} {LOST}") } else { String::new() };
            let text = format!("{lacking} of {holds} legal holds are not whole: {NOT_WHOLE}{gone}");
            Some(Finding::new("holds", Health::Bad, text, figures))
        }
    }
}

/// How much was looked at, too: nothing found in a part says nothing of the rest.
fn unreadable(sealed: &SealedInfo) -> Finding {
    let SealedInfo { unreadable, looked_at, records, .. } = sealed;
    let figures = json!({"unreadable": unreadable, "looked_at": looked_at, "records": records});
    if *unreadable > 0 {
        let text = format!(
            "{unreadable} of {looked_at} records looked at, of {records} in files, cannot be read; `samband audit fsck DATA_DIR --storage-key FILE` shows all of it"
        );
        return Finding::new("records", Health::Bad, text, figures);
    }
    let text = format!(
        "{looked_at} of {records} records in files were looked at, none of them is damaged; `samband audit fsck DATA_DIR --storage-key FILE` reads all"
    );
    Finding::new("records", Health::Ok, text, figures)
}

fn last_event(sealed: &SealedInfo, now: Timestamp) -> Finding {
    let age = now.millis() - sealed.last_event.millis();
    let figures = json!({"last_event_age_ms": age});
    let (health, text) = if age < -AHEAD_MAX_MILLIS {
        let (ahead, until) = (span(age), sealed.last_event);
        let text = format!(
            "the last event lies {ahead} ahead of the clock: one of the two is wrong. Erasure by the calendar waits until the clock is confirmed \
             (samband confirm-clock); the log's time stands, and entries bear it, until {until}; callers and messages are judged by the clock"
        );
        (Health::Bad, text)
    } else if age < 0 {
        let until = sealed.last_event;
        (Health::Warning, format!("the last event lies {} ms ahead of the clock: the log's time stands until {until}", -age))
    } else if age > STILL_MAX_MILLIS {
        (Health::Warning, format!("the last event is {} old: erasure by the calendar waits after a start until it is confirmed", span(age)))
    } else {
        (Health::Ok, format!("the last event is {} old", span(age)))
    };
    Finding::new("last_event", health, text, figures)
}

fn checkpoint(config: &Config, found: &StoreInfo, now: Timestamp) -> Finding {
    let written = config.data_dir.join("log/checkpoint").metadata().ok();
    let age = written.map(|meta| now.millis() - meta.mtime().saturating_mul(1000));
    let size = found.sealed.as_ref().map(|sealed| sealed.stats.durable_size).or(found.log_size);
    let figures = json!({"published": found.published, "log_size": size, "age_s": age.map(|age| age / 1000)});
    let (Some(published), Some(age)) = (found.published, age) else {
        let text = "there is no published checkpoint that verifies; the next start publishes one";
        return Finding::new("checkpoint", Health::Bad, text, figures);
    };
    let waiting = size.unwrap_or(published).saturating_sub(published);
    let text = format!("{published} entries published {}, {waiting} not yet", ago(age));
    if waiting > 0 && age > UNPUBLISHED_MAX_MILLIS {
        let text = format!("{text}; the log is not being published: is the gateway running, is the disk full?");
        return Finding::new("checkpoint", Health::Warning, text, figures);
    }
    Finding::new("checkpoint", Health::Ok, text, figures)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::dev_home::DevHome;
    use crate::cli::gateway::store_options;
    use crate::clock::{Clock as _, SystemClock, SystemEntropy};
    use crate::store::Store as _;
    use crate::store::embedded::EmbeddedStore;

    /// Of the hours after `now`, whether erasure is called overdue in each.
    fn overdue(config: &Config, now: Timestamp, hours: [i64; 2]) -> [Option<Health>; 2] {
        hours.map(|hours| {
            let findings = look(config, now.plus_millis(hours * 60 * 60 * 1000));
            findings.into_iter().find(|finding| finding.check == "erasure").map(|finding| finding.health)
        })
    }

    #[tokio::test]
    async fn a_gateway_that_runs_and_has_not_turned_over_in_time_is_told_until_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
        let config = Config::load(&home.config_file()).unwrap();
        assert_eq!(config.erase_within_s.get(), 24 * 60 * 60);
        let options = || store_options(&config, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).unwrap();
        // As if the turns did not come: the store's own clock stands at today.
        let store = EmbeddedStore::open(options()).unwrap();
        let now = SystemClock.now();
        assert_eq!(overdue(&config, now, [23, 25]), [None, Some(Health::Bad)]);
        store.turn_now().await.unwrap();
        assert_eq!(overdue(&config, now, [23, 25]), [None, None], "nothing came after the turn");
        store.stop().await.unwrap();
        drop(store);
        let store = EmbeddedStore::open(options()).unwrap();
        assert_eq!(overdue(&config, SystemClock.now(), [23, 25]), [None, Some(Health::Bad)]);
        store.stop().await.unwrap();
        assert_eq!(overdue(&config, SystemClock.now(), [23, 25]), [None, None], "no gateway runs");
    }

    #[tokio::test]
    async fn a_file_or_key_of_a_month_that_is_gone_is_told_of_a_running_and_of_a_stopped_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
        let config = Config::load(&home.config_file()).unwrap();
        let options = store_options(&config, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).unwrap();
        let store = EmbeddedStore::open(options).unwrap();
        store.turn_now().await.unwrap();
        let month = fs::read_dir(config.data_dir.join("records")).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
        let (file, key) = (format!("records/{month}"), format!("keys/records-{month}.key"));
        let told = || -> Vec<String> {
            let findings = look(&config, SystemClock.now()).into_iter();
            findings.filter(|finding| finding.check == "store" && finding.health == Health::Bad).map(|finding| finding.text).collect()
        };
        assert_eq!(told(), Vec::<String>::new());
        let each = |when: &str| {
            for name in [&file, &key] {
                let (path, aside) = (config.data_dir.join(name), dir.path().join("aside"));
                fs::rename(&path, &aside).unwrap();
                assert_eq!(told(), [format!("{name} {GONE}")], "{when}");
                fs::rename(&aside, &path).unwrap();
            }
        };
        each("running");
        store.stop().await.unwrap();
        drop(store);
        each("stopped");
    }
}
