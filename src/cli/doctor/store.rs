//! The store as the doctor sees it: undelivered mail, the published log, the last event beside the clock.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use crate::cli::folder::no_store;
use crate::cli::store::{LOST, NOT_WHOLE};
use crate::config::Config;
use crate::config::keys::read_storage_key;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::store::embedded::OpenError;
use crate::store::embedded::info::{SealedInfo, StoreInfo, info};

use super::{Finding, Health, span};

/// A gateway that runs publishes at least once a second; what waits longer than this waits for something.
const UNPUBLISHED_MAX_MILLIS: i64 = 60_000;
/// Mirrors the store's own bounds: beyond these, erasure by the calendar waits.
const AHEAD_MAX_MILLIS: i64 = 60 * 60 * 1000;
const STILL_MAX_MILLIS: i64 = 31 * DAY_MILLIS;

/// Everything about the store.
pub fn look(config: &Config, now: Timestamp) -> Vec<Finding> {
    if let Some(what) = no_store(&config.data_dir) {
        let is_new = match fs::read_dir(&config.data_dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_new {
            let text = "there is no store yet; the first start of serve makes one";
            return vec![Finding::new("store", Health::Unknown, text, json!({}))];
        }
        return vec![Finding::new("store", Health::Bad, what, json!({}))];
    }
    let key = match read_storage_key(&config.storage_key_file) {
        Ok(key) => Some(key),
        Err(error) => return vec![Finding::new("store", Health::Bad, error.to_string(), json!({}))],
    };
    let found = match info(&config.data_dir, key, now) {
        Ok(found) => found,
        Err(error @ OpenError::StorageKey { .. }) => return vec![Finding::new("store", Health::Bad, error.to_string(), json!({}))],
        Err(error) => {
            let text = format!("{error}; `samband audit fsck` shows all of it");
            return vec![Finding::new("store", Health::Bad, text, json!({}))];
        }
    };
    let mut findings = vec![state(config, &found)];
    if let Some(sealed) = &found.sealed {
        findings.push(undelivered(config, sealed, now));
        findings.push(last_event(sealed, now));
        findings.extend(holds(sealed));
        findings.push(unreadable(sealed));
    }
    findings.push(checkpoint(config, &found, now));
    findings
}

fn state(config: &Config, found: &StoreInfo) -> Finding {
    let running = crate::cli::store::holder_of(&config.data_dir);
    let clean = found.sealed.as_ref().is_some_and(|sealed| sealed.stopped_cleanly);
    let text = match (running, clean) {
        (Some(_), _) => "a gateway runs on it",
        (None, true) => "stopped cleanly",
        (None, false) => "no gateway runs on it, and the last one did not stop cleanly; the next start replays what it left",
    };
    let health = if running.is_some() || clean { Health::Ok } else { Health::Warning };
    Finding::new("store", health, text, json!({"running": running.is_some(), "stopped_cleanly": clean, "log_size": found.log_size}))
}

fn undelivered(config: &Config, sealed: &SealedInfo, now: Timestamp) -> Finding {
    let (count, overdue) = (sealed.stats.undelivered, sealed.stats.overdue);
    let age = sealed.oldest_undelivered.map(|at| now.millis() - at.millis());
    let figures = json!({"undelivered": count, "overdue": overdue, "oldest_s": age.map(|age| age / 1000)});
    let Some(age) = age else { return Finding::new("undelivered", Health::Ok, "nothing is undelivered", figures) };
    let after = config.overdue_after_s;
    let patience = [after.condition_notice.get(), after.non_attendance_report.get(), after.lab_result.get()].into_iter().min();
    let late = overdue > 0 || patience.is_some_and(|seconds| age / 1000 > i64::try_from(seconds).unwrap_or(i64::MAX));
    let text = format!("{count} items, {overdue} overdue, the oldest accepted {} ago", span(age));
    if late {
        let text = format!("{text}; somebody does not fetch: the recipients' systems are to be looked at");
        return Finding::new("undelivered", Health::Warning, text, figures);
    }
    Finding::new("undelivered", Health::Ok, text, figures)
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
            "{unreadable} of {looked_at} records looked at, of {records} in files, cannot be read; `samband audit fsck` shows all of it"
        );
        return Finding::new("records", Health::Bad, text, figures);
    }
    let text = format!("{looked_at} of {records} records in files were looked at, none of them is damaged; `samband audit fsck` reads all");
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
    let text = format!("{published} entries published {} ago, {waiting} not yet", span(age));
    if waiting > 0 && age > UNPUBLISHED_MAX_MILLIS {
        let text = format!("{text}; the log is not being published: is the gateway running, is the disk full?");
        return Finding::new("checkpoint", Health::Warning, text, figures);
    }
    Finding::new("checkpoint", Health::Ok, text, figures)
}
