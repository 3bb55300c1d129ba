//! Files that the process may open: as many as the system lets it, and no more connections than leave the store its own.
//!
//! A store that cannot open a file ends the process, so sockets must never take the last one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::LimitsSection;

/// Files kept for the store, its index, listeners, the log and reloads.
const OWN_FILES: u64 = 256;

/// Raises the process's limit of open files as far as may be, and gives `limits` as far as they fit it.
#[must_use]
pub fn fit(limits: LimitsSection) -> LimitsSection {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Not given: as many as there may be.
    let may = maximum.unwrap_or(u64::MAX);
    let mut files = current.unwrap_or(u64::MAX);
    let wanted = limits.sockets() + OWN_FILES;
    if files < wanted {
        let more = wanted.min(may);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(more), maximum }).is_ok() {
            files = more;
        }
    }
    let fitted = limits.fitted(sockets_of(files));
    if fitted != limits {
        tracing::warn!(
            files,
            connections_max = fitted.connections_max.get(),
            handshakes_max = fitted.handshakes_max.get(),
            "fewer open files are allowed than [limits] needs: fewer connections are taken; raise LimitNOFILE"
        );
    }
    fitted
}

/// How many of `files` may be sockets.
const fn sockets_of(files: u64) -> u64 {
    // On a very small limit, half.
    let half = files / 2;
    let rest = files.saturating_sub(OWN_FILES);
    if rest > half { rest } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_keeps_its_files() {
        assert_eq!(sockets_of(10_000), 9_744);
        assert_eq!(sockets_of(300), 150);
        assert_eq!(sockets_of(0), 0);
    }
}
