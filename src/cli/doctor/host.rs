//! The machine: free space, file system, how long a sync takes, whether the clock is kept.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::gateway::disk_bounds;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::regular_file;

use super::{Finding, Health, bytes};

/// Syncs measured, at most.
const SYNCS: usize = 200;
/// No further sync is begun after this long.
const SYNCS_WITHIN: Duration = Duration::from_secs(5);
/// What each sync makes durable: about a frame of one message.
const SYNC_BYTES: usize = 4096;
/// A slower sync than this, at the 99th percentile, is felt by every caller.
const SYNC_SLOW: Duration = Duration::from_millis(50);
/// Wall clock and monotonic clock may part by this much while we look.
const STEP_MAX_MILLIS: i64 = 100;

/// File systems that are no local disk, or no disk at all.
const NOT_LOCAL: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "glusterfs", "lustre", "beegfs", "gpfs", "virtiofs"];
const NOT_DURABLE: &[&str] = &["tmpfs", "ramfs", "overlay"];

/// The folder itself, or the nearest one above it that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|folder| folder.is_dir()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Space and file system of the data disk.
pub fn disk(config: &Config) -> Finding {
    let folder = existing(&config.data_dir);
    let stat = match rustix::fs::statvfs(&folder) {
        Ok(stat) => stat,
        Err(error) => return Finding::new("disk", Health::Bad, format!("the data disk cannot be looked at: {error}"), json!({})),
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let low_water = disk_bounds(config).low_water;
    let kind = regular_file::read_system("/proc/self/mountinfo").and_then(|text| file_system_of(&text, &folder));
    let figures = json!({"free_bytes": free, "total_bytes": total, "low_water_bytes": low_water, "file_system": kind});
    let name = kind.clone().unwrap_or_else(|| "file system not known".to_owned());
    let space = format!("{} of {} free, new messages are refused below {}, {name}", bytes(free), bytes(total), bytes(low_water));
    let is_one_of = |names: &[&str]| kind.as_deref().is_some_and(|kind| names.contains(&kind) || kind.starts_with("fuse"));
    let (health, advice) = if free < low_water {
        (Health::Bad, ": full; free space or enlarge the disk, undelivered mail still drains")
    } else if is_one_of(NOT_LOCAL) {
        (Health::Bad, ": not local; locks and syncs cannot be relied on, move the data folder to a local disk")
    } else if is_one_of(NOT_DURABLE) {
        (Health::Warning, ": does not keep what is synced over a power loss; for trying out only")
    } else if free < low_water.saturating_mul(4) {
        (Health::Warning, ": getting full")
    } else if kind.is_none() {
        (Health::Unknown, "")
    } else {
        (Health::Ok, ", local")
    };
    Finding::new("disk", health, space + advice, figures)
}

/// The type of the file system that holds `folder`, from the text of /proc/self/mountinfo.
fn file_system_of(mounts: &str, folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " "));
        folder.starts_with(&point).then(|| Some((point.components().count(), after.split(' ').next()?.to_owned())))?
    };
    // Of two mounts on one point the later one is in view.
    mounts.lines().filter_map(mount).enumerate().max_by_key(|(at, (depth, _))| (*depth, *at)).map(|(_, (_, kind))| kind)
}

/// How long a sync takes on the data disk, measured on a file without a name that goes away by itself; and whether the clock kept its pace
/// meanwhile.
pub fn sync(data_dir: &Path, tick: &dyn Fn()) -> Vec<Finding> {
    let folder = existing(data_dir);
    let (wall, monotonic) = (SystemClock.now(), Instant::now());
    let measured = measure(&folder, tick);
    let stepped = SystemClock.now().millis() - wall.millis() - i64::try_from(monotonic.elapsed().as_millis()).unwrap_or(i64::MAX);
    let sync = match measured {
        Ok(times) => sync_finding(times),
        Err(error) => Finding::new(
            "sync",
            Health::Bad,
            format!("nothing can be written and synced in the data folder ({error}); run this as the gateway's user, or look at the disk"),
            json!({}),
        ),
    };
    vec![sync, clock(stepped)]
}

fn sync_finding(mut times: Vec<Duration>) -> Finding {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    let (half, most, worst) = (at(50), at(99), times.last().copied().unwrap_or_default());
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let figures = json!({
        "syncs": times.len(), "bytes_each": SYNC_BYTES, "p50_ms": millis(half), "p99_ms": millis(most), "max_ms": millis(worst),
    });
    let (health, advice) = if most > SYNC_SLOW { (Health::Warning, "; slow, every caller waits for one") } else { (Health::Ok, "") };
    let text = format!(
        "{} syncs of {SYNC_BYTES} bytes: half within {:.2} ms, 99 % within {:.2} ms, the slowest {:.2} ms{advice}",
        times.len(),
        millis(half),
        millis(most),
        millis(worst)
    );
    Finding::new("sync", health, text, figures)
}

fn measure(folder: &Path, tick: &dyn Fn()) -> std::io::Result<Vec<Duration>> {
    let mut file = nameless(folder)?;
    let (begun, block) = (Instant::now(), [0x5a_u8; SYNC_BYTES]);
    let mut times = Vec::with_capacity(SYNCS);
    while times.len() < SYNCS && begun.elapsed() < SYNCS_WITHIN {
        let start = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(start.elapsed());
        tick();
    }
    Ok(times)
}

/// A file without a name, so that nothing is left behind whatever happens to this process.
fn nameless(folder: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(File::from(file));
    }
    // Not every file system has files without names.
    let path = folder.join(format!("doctor-{}.tmp", std::process::id()));
    let file = File::options().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Whether wall clock and monotonic clock kept together, and whether something keeps the wall clock.
fn clock(stepped_millis: i64) -> Finding {
    let kept = kept_by_ntp();
    let figures = json!({"stepped_ms": stepped_millis, "synchronised": kept});
    if stepped_millis.abs() > STEP_MAX_MILLIS {
        let text = format!("the wall clock was set by {stepped_millis} ms while this looked; find out what sets it");
        return Finding::new("clock", Health::Bad, text, figures);
    }
    match kept {
        Some(true) => Finding::new("clock", Health::Ok, "steady, synchronised", figures),
        Some(false) => Finding::new("clock", Health::Warning, "steady, but not synchronised; set up NTP", figures),
        None => Finding::new("clock", Health::Unknown, "steady; whether it is synchronised could not be found out here", figures),
    }
}

/// What the system says of its time synchronisation, if it says anything.
fn kept_by_ntp() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let told = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if let Some(answer) = told("timedatectl", &["show", "--property=NTPSynchronized", "--value"]) {
        return match answer.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
    }
    told("chronyc", &["-c", "waitsync", "1"]).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_latest_mount_names_the_file_system() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /var rw shared:3 - xfs /dev/sdb rw\n3 1 0:6 / /var rw - nfs4 server:/ rw\n4 1 0:7 / /other rw - tmpfs none rw\n";
        assert_eq!(file_system_of(mounts, Path::new("/var/lib")), Some("nfs4".to_owned()));
        assert_eq!(file_system_of(mounts, Path::new("/nowhere/at/all")), Some("ext4".to_owned()));
        assert_eq!(file_system_of("", Path::new("/")), None);
    }

    #[test]
    fn syncs_are_measured_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let findings = sync(&dir.path().join("not/there/yet"), &|| ());
        assert_eq!(findings[0].check, "sync");
        assert!(findings[0].figures["syncs"].as_u64().unwrap() > 0, "{:?}", findings[0]);
        assert!(findings[0].figures["p99_ms"].as_f64().unwrap() >= findings[0].figures["p50_ms"].as_f64().unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_slow_disk_and_a_clock_that_was_set_are_told() {
        assert_eq!(sync_finding(vec![Duration::from_millis(80); 100]).health, Health::Warning);
        assert_eq!(sync_finding(vec![Duration::from_millis(2); 100]).health, Health::Ok);
        assert_eq!(clock(5000).health, Health::Bad);
        assert_ne!(clock(3).health, Health::Bad);
    }
}
