//! Figures as Prometheus text, version 0.0.4. Counts only: no label names a case or a person, and a participant only with the end of its certificate.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::time::Timestamp;
use crate::store::{NOTICE_AGES_DAYS, Stats};
use crate::tls::expiry::{Certificate, Holder};
use crate::tls::{ListState, ListStatus};

/// Media type of [`text`].
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is shown.
pub(super) struct Figures {
    pub(super) stats: Stats,
    pub(super) connections_open: usize,
    pub(super) register_generation: u64,
    /// Whether the register on disk is the one in force.
    pub(super) register_file_in_force: bool,
    /// The certificates, CAs and revocation lists on disk are those in force.
    pub(super) tls_files_in_force: bool,
    /// Seconds until the gateway's own certificate runs out, negative once it has.
    pub(super) certificate_expiry_seconds: i64,
    pub(super) certificates: Vec<Certificate>,
    pub(super) lists: Vec<ListStatus>,
    pub(super) now: Timestamp,
}

/// What a reader of `/readyz` is told of items that cannot be read. The gateway is ready: it hands out all others.
pub(super) fn unreadable_detail(items: u64) -> Option<String> {
    let what = "undelivered items cannot be read from their files: they are not handed out, but for those whose file is still open here; the gateway's log and `samband audit fsck DATA_DIR --storage-key FILE` name the file";
    (items > 0).then(|| format!("warning: {items} {what}, docs/recovery.md says what to do\n"))
}

/// What a reader of `/readyz` is told of tiles that are damaged. The gateway is ready: it serves all others.
pub(super) fn damaged_detail(tiles: u64) -> Option<String> {
    let what = "tiles of the published log are damaged and are not served; the gateway's log and `samband audit fsck DATA_DIR` name them";
    (tiles > 0).then(|| format!("warning: {tiles} {what}, docs/recovery.md says what to do\n"))
}

/// What a reader of `/readyz` is told while turns fail.
pub(super) fn turns_fail_detail(seconds: u64) -> Option<String> {
    let what = "what was acknowledged stays on disk, and no turn succeeds; the gateway's log names the reason";
    (seconds > 0).then(|| format!("warning: for {seconds} s {what}, docs/recovery.md says what to do\n"))
}

/// All figures, each with its help and type.
pub(super) fn text(figures: &Figures) -> String {
    let Figures { stats, connections_open, register_generation, register_file_in_force, tls_files_in_force, .. } = figures;
    let Figures { certificate_expiry_seconds, certificates, lists, now, .. } = figures;
    let Stats {
        durable_size,
        published_size,
        undelivered,
        overdue,
        unreadable,
        turns_fail_seconds,
        damaged_tiles,
        cases,
        ids,
        notices_older_than,
    } = stats;
    let mut out = String::with_capacity(2048);
    gauge(&mut out, "samband_log_entries_durable", "Log entries on stable storage.", durable_size);
    gauge(&mut out, "samband_log_entries_published", "Log entries published as tiles.", published_size);
    let help = "Published tiles that were damaged when the store last looked; they are not served.";
    gauge(&mut out, "samband_log_tiles_damaged", help, damaged_tiles);
    gauge(&mut out, "samband_items_undelivered", "Items that nobody has acknowledged.", undelivered);
    gauge(&mut out, "samband_items_overdue", "Undelivered items that are past their time.", overdue);
    let help =
        "Undelivered items that could not be read from their files at the last look or turn; handed out only where the file is still open.";
    gauge(&mut out, "samband_items_unreadable", help, unreadable);
    let help = "Seconds since when turns fail, so that acknowledged content stays on disk; 0 while they succeed.";
    gauge(&mut out, "samband_turns_fail_seconds", help, turns_fail_seconds);
    gauge(&mut out, "samband_cases_open", "Cases that have not ended.", cases);
    gauge(&mut out, "samband_message_ids", "Message ids remembered.", ids);
    gauge(&mut out, "samband_connections_open", "Established connections of participants.", connections_open);
    gauge(&mut out, "samband_register_generation", "Generation of the participant register in force.", register_generation);
    let help = "1 when the participant register on disk is the one in force; 0 when it was refused, see /readyz.";
    gauge(&mut out, "samband_register_file_in_force", help, u8::from(*register_file_in_force));
    let help = "1 when the certificates, CAs and revocation lists on disk are those in force; 0 when one was refused, see /readyz.";
    gauge(&mut out, "samband_tls_files_in_force", help, u8::from(*tls_files_in_force));
    let help = "Seconds until the gateway's own certificate expires; negative once it has.";
    gauge(&mut out, "samband_certificate_expiry_seconds", help, certificate_expiry_seconds);
    let name = "samband_notices_undelivered";
    head(&mut out, name, "Condition notices that no unit has acknowledged, at least so many days after their acceptance.");
    for (days, count) in NOTICE_AGES_DAYS.iter().zip(notices_older_than) {
        line(&mut out, format_args!("{name}{{older_than_days=\"{days}\"}} {count}"));
    }
    ends(&mut out, certificates, lists, *now);
    out
}

fn ends(out: &mut String, certificates: &[Certificate], lists: &[ListStatus], now: Timestamp) {
    let seconds = |until: Timestamp| until.millis().saturating_sub(now.millis()).div_euclid(1000);
    let name = "samband_certificate_seconds_left";
    head(
        out,
        name,
        "Seconds until a configured certificate, or one that a participant has shown since the start, expires; negative once it has.",
    );
    // One row of each name, as Prometheus asks: of a CA that was renewed under its name that which ends first.
    let mut first: BTreeMap<&Holder, Timestamp> = BTreeMap::new();
    for Certificate { holder, not_after } in certificates {
        let end = first.entry(holder).or_insert(*not_after);
        *end = (*end).min(*not_after);
    }
    for (holder, not_after) in &first {
        let (kind, whose, key) = (holder.kind(), label(holder.name()), label(holder.key_label().unwrap_or_default()));
        line(out, format_args!("{name}{{kind=\"{kind}\",name=\"{whose}\",key=\"{key}\"}} {}", seconds(*not_after)));
    }
    // One row an issuer, whatever lists it has: the worst.
    let mut worst: BTreeMap<&str, (Timestamp, bool)> = BTreeMap::new();
    for ListStatus { issuer, next_update, state, .. } in lists {
        let (due, is_closed) = worst.entry(issuer).or_insert((*next_update, false));
        *due = (*due).min(*next_update);
        *is_closed |= *state == ListState::Closed;
    }
    let name = "samband_revocation_list_seconds_left";
    head(out, name, "Seconds until a revocation list is due for renewal; negative once it is overdue.");
    for (issuer, (due, _)) in &worst {
        line(out, format_args!("{name}{{issuer=\"{}\"}} {}", label(issuer), seconds(*due)));
    }
    let name = "samband_revocation_list_closed";
    head(out, name, "1 when a revocation list is past its grace and everyone that its CA issued for is refused.");
    for (issuer, (_, is_closed)) in &worst {
        line(out, format_args!("{name}{{issuer=\"{}\"}} {}", label(issuer), u8::from(*is_closed)));
    }
}

/// Text as a label's value may hold it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn gauge(out: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    head(out, name, help);
    line(out, format_args!("{name} {value}"));
}

fn head(out: &mut String, name: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} gauge"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String never fails");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_cannot_be_read_and_tiles_that_are_damaged_are_a_warning() {
        assert_eq!(damaged_detail(0), None);
        assert!(
            damaged_detail(2).is_some_and(|line| line.starts_with("warning: 2 tiles of the published log are") && line.ends_with('\n'))
        );
        assert_eq!(unreadable_detail(0), None);
        assert!(unreadable_detail(3).is_some_and(|line| line.starts_with("warning: 3 undelivered items cannot") && line.ends_with('\n')));
    }

    #[test]
    fn turns_that_fail_are_a_warning() {
        assert_eq!(turns_fail_detail(0), None);
        assert!(
            turns_fail_detail(3)
                .is_some_and(|line| line.starts_with("warning: for 3 s what was acknowledged stays") && line.ends_with('\n'))
        );
    }

    #[test]
    fn every_figure_stands_on_its_own_line_below_its_help_and_type() {
        let stats = Stats {
            durable_size: 11,
            published_size: 10,
            undelivered: 9,
            overdue: 8,
            unreadable: 3,
            turns_fail_seconds: 4,
            damaged_tiles: 2,
            cases: 7,
            ids: 6,
            notices_older_than: [5, 4, 3, 2, 1, 0],
        };
        let now = Timestamp::from_millis(1_000_000);
        let certificates = vec![
            Certificate { holder: Holder::Gateway, not_after: Timestamp::from_millis(987_000) },
            Certificate { holder: Holder::ClientCa("A \"B\" C".to_owned()), not_after: Timestamp::from_millis(1_099_000) },
            Certificate { holder: Holder::ClientCa("A \"B\" C".to_owned()), not_after: Timestamp::from_millis(1_014_000) },
            Certificate {
                holder: Holder::Participant("lab".parse().unwrap(), "k1".to_owned()),
                not_after: Timestamp::from_millis(1_015_000),
            },
        ];
        let at = Timestamp::from_millis(984_000);
        let list = |next_update, state| ListStatus { issuer: "D".to_owned(), next_update, closes_at: at, state };
        let lists = vec![list(at, ListState::Closed), list(now, ListState::Overdue)];
        let (register_generation, register_file_in_force) = (17, false);
        let figures = Figures {
            stats,
            connections_open: 12,
            register_generation,
            register_file_in_force,
            tls_files_in_force: true,
            certificate_expiry_seconds: -13,
            certificates,
            lists,
            now,
        };
        let text = text(&figures);
        let lines: Vec<&str> = text.lines().collect();
        let values: Vec<&str> = lines.iter().filter(|line| !line.starts_with('#')).copied().collect();
        assert_eq!(
            values,
            [
                "samband_log_entries_durable 11",
                "samband_log_entries_published 10",
                "samband_log_tiles_damaged 2",
                "samband_items_undelivered 9",
                "samband_items_overdue 8",
                "samband_items_unreadable 3",
                "samband_turns_fail_seconds 4",
                "samband_cases_open 7",
                "samband_message_ids 6",
                "samband_connections_open 12",
                "samband_register_generation 17",
                "samband_register_file_in_force 0",
                "samband_tls_files_in_force 1",
                "samband_certificate_expiry_seconds -13",
                "samband_notices_undelivered{older_than_days=\"0\"} 5",
                "samband_notices_undelivered{older_than_days=\"1\"} 4",
                "samband_notices_undelivered{older_than_days=\"2\"} 3",
                "samband_notices_undelivered{older_than_days=\"5\"} 2",
                "samband_notices_undelivered{older_than_days=\"10\"} 1",
                "samband_notices_undelivered{older_than_days=\"30\"} 0",
                "samband_certificate_seconds_left{kind=\"gateway\",name=\"\",key=\"\"} -13",
                "samband_certificate_seconds_left{kind=\"client_ca\",name=\"A \\\"B\\\" C\",key=\"\"} 14",
                "samband_certificate_seconds_left{kind=\"participant\",name=\"lab\",key=\"k1\"} 15",
                "samband_revocation_list_seconds_left{issuer=\"D\"} -16",
                "samband_revocation_list_closed{issuer=\"D\"} 1",
            ]
        );
        assert!(text.ends_with('\n'), "the format asks for a line end after the last line");
        for name in values.iter().filter_map(|value| value.split([' ', '{']).next()) {
            let of = |kind: &str| lines.iter().filter(|line| line.starts_with(&format!("# {kind} {name} "))).count();
            assert_eq!((of("HELP"), of("TYPE")), (1, 1), "{name}");
        }
    }
}
