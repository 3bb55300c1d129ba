//! Answers about periods: the gateway's and an export's count the same entries, whoever reads, erased months among them.

use super::*;
use crate::audit::question::words;
use crate::audit::range::{Checked, Source, Tally};
use crate::domain::lang::Lang;

/// Questions that are judged by the period alone.
const OF_PERIOD: [Question; 4] = [Question::Forbidden, Question::Changed, Question::Erased, Question::Read];

/// What an export shows of `period`, checked as a bundle is: without the gateway, and without whose it is.
async fn exported(bed: &Bed, gateway: &Arc<Gateway>, who: &str, of: ExportOf, period: Period) -> Findings {
    let mut export = gateway.export(&bed.caller(who), of).await.unwrap();
    let frame = export.frame().clone();
    let head = Checkpoint::open(std::str::from_utf8(&frame.checkpoint).unwrap(), &bed.world.verifier).unwrap();
    let edge = edge(frame.from, frame.edge).unwrap();
    let mut survey =
        Survey::new(crate::audit::sight::Sight::ALL, period, &Question::ALL, frame.from, Some(edge)).of_bundle(of.case_ref.is_some());
    while let Some(entries) = export.next().await.unwrap() {
        entries.iter().for_each(|entry| survey.take(entry));
    }
    survey.finish(&head, Some(&frame.consistency))
}

/// What is said, but for whose word it is that a record is erased or closed.
fn alike(said: &str) -> String {
    let said = said.replace("; a bundle cannot show that the marks are right", "");
    let said = said.replace("; et uttrekk kan ikke vise at merkene er riktige", "");
    let said = said.replace("closed to you", "closed").replace("marked as closed", "closed");
    let said = said.replace("erased and no longer checkable", "erased").replace("marked as erased", "erased");
    said.replace("slettet og kan ikke lenger kontrolleres", "slettet").replace("merket som slettet", "slettet")
}

fn spoken(checked: &Checked) -> String {
    alike(&words::checked(Lang::En, &checked.basis()))
}

/// Compares what the two say of each period, and gives the tallies.
async fn compared(bed: &Bed, gateway: &Arc<Gateway>, who: &str, periods: &[(&str, &str)]) -> Vec<Tally> {
    let mut tallies = Vec::new();
    let at = |day: &str| (!day.is_empty()).then(|| Timestamp::start_of(date(day)));
    for (from, to) in periods {
        let period = Period { from: at(from), to: at(to) };
        let caller = bed.caller(who);
        let online = gateway.answer(&caller, &Question::ALL, period).await.unwrap();
        let near = gateway.answer(&caller, &OF_PERIOD, period).await.unwrap();
        let counted = gateway.count_records(&caller, period, Column::Day).await.unwrap();
        let narrow = exported(bed, gateway, who, ExportOf { period, ..ExportOf::default() }, period).await;
        let wide = exported(bed, gateway, who, ExportOf { period: Period { from: None, ..period }, ..ExportOf::default() }, period).await;
        let tally = online.checked.period;
        for checked in [&online.checked, &near.checked, &counted.checked, &narrow.checked, &wide.checked] {
            assert!(checked.holds() && checked.begins && checked.ends, "{who} {from} {to}: {checked:?}");
            assert_eq!(checked.period, tally, "{who} {from} {to}: {checked:?}");
            assert_eq!(spoken(checked), spoken(&online.checked), "{who} {from} {to}");
        }
        let kinds: u64 = counted.counts.unwrap().columns().values().flat_map(|kinds| kinds.values()).sum();
        assert_eq!(kinds, tally.opened, "{who} {from} {to}: the table counts what was checked");
        for (here, there) in online.answers.iter().zip(&wide.answers) {
            assert_eq!(here.checked.before, there.checked.before, "{who} {from} {to}");
            // Whoever sees a part only is judged for with more than an export may show.
            if here.checked.source == Source::Log {
                assert_eq!((here.finding, &here.rows), (there.finding, &there.rows), "{who} {from} {to}");
                for lang in Lang::ALL {
                    assert_eq!(alike(&words::sentence(lang, here)), alike(&words::sentence(lang, there)), "{who} {from} {to}");
                }
            }
            if tally.erased + tally.closed > 0 {
                assert_ne!(words::tone(here), words::Tone::Good, "{who} {from} {to}: a part");
                assert!(words::figure(Lang::Nb, here).1.is_some(), "{who} {from} {to}: a bare number of a part");
            }
        }
        tallies.push(tally);
    }
    tallies
}

#[tokio::test]
async fn the_gateway_and_an_export_count_the_same_entries_of_a_period() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        history(&bed, &gateway).await;
        bed.advance_days(7);
        bed.send_notice(&wish(), None).await.unwrap();
        gateway.sweep().await.unwrap();
        bed.advance_days(7);
        let day = |days: i64| Timestamp::from_millis(noon().millis() + days * DAY_MILLIS).oslo_date().to_string();
        let [before, first, next, quiet, late, after] = [-1, 0, 1, 6, 7, 8].map(day);
        let periods =
            [("", &*first), (&*before, &*first), (&*first, &*next), (&*next, &*quiet), (&*late, &*after), ("", &*late), (&*first, &*after)];
        let of_all = compared(&bed, &gateway, ALL, &periods).await;
        let opened: Vec<u64> = of_all.iter().map(|tally| tally.opened).collect();
        assert!(of_all.iter().all(|tally| *tally == Tally { opened: tally.opened, ..Tally::default() }), "{of_all:?}");
        assert_eq!((opened[0], opened[1], opened[3]), (0, 0, 0), "days without entries have none");
        assert!(opened[2] > 10 && opened[4] >= 1, "{opened:?}");
        assert_eq!((opened[5], opened[6]), (opened[2], opened[2] + opened[4]));
        for who in [OF_UNIT, OF_LAB] {
            let of_part = compared(&bed, &gateway, who, &periods).await;
            for (part, all) in of_part.iter().zip(&of_all) {
                assert!(part.opened <= all.opened && part.opened + part.closed >= all.opened, "{who}: {part:?} of {all:?}");
            }
            assert!(of_part[2].closed > 0, "{who}: {of_part:?}");
        }
    }
}

#[tokio::test]
async fn erased_months_are_counted_alike_by_the_gateway_and_an_export() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    months_pass(&store, &bed, 15).await;
    bed.advance_days(2);
    let periods =
        [("", "2026-11-30"), ("2026-11-01", "2026-12-01"), ("", "2027-10-01"), ("2027-06-01", "2027-10-01"), ("2027-10-01", "2027-10-02")];
    for who in [ALL, OF_UNIT] {
        let tallies = compared(&bed, &gateway, who, &periods).await;
        assert!(tallies[0].erased > 10 && tallies[0].opened == 0, "{who}: {tallies:?}");
        assert!(tallies[2].opened > 0 && tallies[3].erased == 0, "{who}: {tallies:?}");
    }
    let of_november = Period { from: None, to: Some(Timestamp::start_of(date("2026-11-30"))) };
    for answer in gateway.answer(&bed.caller(ALL), &Question::ALL, of_november).await.unwrap().answers {
        let said = words::sentence(Lang::En, &answer);
        assert!(said.starts_with("Nothing can be said: no entry could be checked."), "{said}");
        assert_eq!(words::figure(Lang::En, &answer).0, "–");
    }
}
