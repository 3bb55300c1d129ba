//! Figures as Prometheus text, version 0.0.4. Counts only: no label names a participant, a case or a person.

use std::fmt::Write as _;

use crate::store::{NOTICE_AGES_DAYS, Stats};

/// Media type of [`text`].
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is shown.
pub(super) struct Figures {
    pub(super) stats: Stats,
    pub(super) connections_open: usize,
    /// Seconds until the gateway's own certificate runs out, negative once it has.
    pub(super) certificate_expiry_seconds: i64,
}

/// All figures, each with its help and type.
pub(super) fn text(figures: &Figures) -> String {
    let Figures { stats, connections_open, certificate_expiry_seconds } = figures;
    let Stats { durable_size, published_size, undelivered, overdue, cases, ids, notices_older_than } = stats;
    let mut out = String::with_capacity(2048);
    gauge(&mut out, "samband_log_entries_durable", "Log entries on stable storage.", durable_size);
    gauge(&mut out, "samband_log_entries_published", "Log entries published as tiles.", published_size);
    gauge(&mut out, "samband_items_undelivered", "Items that nobody has acknowledged.", undelivered);
    gauge(&mut out, "samband_items_overdue", "Undelivered items that are past their time.", overdue);
    gauge(&mut out, "samband_cases_open", "Cases that have not ended.", cases);
    gauge(&mut out, "samband_message_ids", "Message ids remembered.", ids);
    gauge(&mut out, "samband_connections_open", "Established connections of participants.", connections_open);
    let help = "Seconds until the gateway's own certificate expires; negative once it has.";
    gauge(&mut out, "samband_certificate_expiry_seconds", help, certificate_expiry_seconds);
    let name = "samband_notices_undelivered";
    head(&mut out, name, "Condition notices that no unit has acknowledged, at least so many days after their acceptance.");
    for (days, count) in NOTICE_AGES_DAYS.iter().zip(notices_older_than) {
        line(&mut out, format_args!("{name}{{older_than_days=\"{days}\"}} {count}"));
    }
    out
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
    fn every_figure_stands_on_its_own_line_below_its_help_and_type() {
        let stats = Stats {
            durable_size: 11,
            published_size: 10,
            undelivered: 9,
            overdue: 8,
            cases: 7,
            ids: 6,
            notices_older_than: [5, 4, 3, 2, 1, 0],
        };
        let text = text(&Figures { stats, connections_open: 12, certificate_expiry_seconds: -13 });
        let lines: Vec<&str> = text.lines().collect();
        let values: Vec<&str> = lines.iter().filter(|line| !line.starts_with('#')).copied().collect();
        assert_eq!(
            values,
            [
                "samband_log_entries_durable 11",
                "samband_log_entries_published 10",
                "samband_items_undelivered 9",
                "samband_items_overdue 8",
                "samband_cases_open 7",
                "samband_message_ids 6",
                "samband_connections_open 12",
                "samband_certificate_expiry_seconds -13",
                "samband_notices_undelivered{older_than_days=\"0\"} 5",
                "samband_notices_undelivered{older_than_days=\"1\"} 4",
                "samband_notices_undelivered{older_than_days=\"2\"} 3",
                "samband_notices_undelivered{older_than_days=\"5\"} 2",
                "samband_notices_undelivered{older_than_days=\"10\"} 1",
                "samband_notices_undelivered{older_than_days=\"30\"} 0",
            ]
        );
        assert!(text.ends_with('\n'), "the format asks for a line end after the last line");
        for name in values.iter().filter_map(|value| value.split([' ', '{']).next()) {
            let of = |kind: &str| lines.iter().filter(|line| line.starts_with(&format!("# {kind} {name} "))).count();
            assert_eq!((of("HELP"), of("TYPE")), (1, 1), "{name}");
        }
    }
}
