//! Counts over time: a picture, and the same numbers as a table.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::{alert, check_yourself};
use super::period::Days;
use super::{Page, Place, answers};
use crate::audit::counts::{Column, Counts};
use crate::audit::question::words;
use crate::audit::range::Checked;
use crate::domain::time::Date;
use crate::gateway::Refusal;
use crate::policy::permit::Caller;

/// Days shown unless asked.
const DAYS: i64 = 30;
/// Up to so many days are shown by day, more by month.
const DAYS_BY_DAY_MAX: i64 = 92;
/// Columns of the picture; of more, the newest.
const COLUMNS_MAX: usize = 120;

/// The picture's measures, in its own units.
const WIDTH: usize = 960;
const HEIGHT: usize = 280;
const LEFT: usize = 56;
const TOP: usize = 16;
const BOTTOM: usize = 32;

/// What is drawn, from the bottom of a bar upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    Notice,
    Report,
    Result,
    Refused,
}

impl Series {
    const ALL: [Self; 4] = [Self::Notice, Self::Report, Self::Result, Self::Refused];

    const fn kinds(self) -> &'static [u16] {
        match self {
            Self::Notice => &[10, 11],
            Self::Report => &[12, 13],
            Self::Result => &[14, 15],
            Self::Refused => &[40, 41, 42],
        }
    }

    const fn name(self, lang: Lang) -> &'static str {
        match self {
            Self::Notice => lang.say("Meldinger om vilkår", "Condition notices"),
            Self::Report => lang.say("Meldinger om uteblivelse", "Non-attendance reports"),
            Self::Result => lang.say("Prøvesvar", "Lab results"),
            Self::Refused => lang.say("Nektet", "Refused"),
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Report => "report",
            Self::Result => "result",
            Self::Refused => "refused",
        }
    }
}

/// Sums of what records claim are bounded by nothing else.
fn sum<'n>(numbers: impl IntoIterator<Item = &'n u64>) -> u64 {
    numbers.into_iter().fold(0, |sum, n| sum.saturating_add(*n))
}

/// Numbers of one day or month.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    first: Date,
    of: [u64; 4],
    /// Everything else in the log: hand-outs, acknowledgements, readings.
    other: u64,
}

impl Bar {
    fn of(first: Date, by_kind: &BTreeMap<u16, u64>) -> Self {
        let of = Series::ALL.map(|series| sum(series.kinds().iter().filter_map(|kind| by_kind.get(kind))));
        let is_drawn = |kind: &u16| Series::ALL.iter().any(|series| series.kinds().contains(kind));
        let other = sum(by_kind.iter().filter(|(kind, _)| !is_drawn(kind)).map(|(_, n)| n));
        Self { first, of, other }
    }

    fn total(&self) -> u64 {
        sum(&self.of)
    }
}

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    days: Days,
    column: Column,
    bars: Vec<Bar>,
    /// Entries that were counted and are older than the first bar.
    left_out: u64,
    /// Of a period that has not begun: the day that it is.
    ahead_of: Option<Date>,
    checked: Checked,
}

impl Counted {
    pub(super) async fn load(site: &Site, caller: &Caller, asked: Days) -> Result<Self, Refusal> {
        let today = site.gateway.store().now().oslo_date();
        let ahead_of = asked.from.filter(|from| *from > today).map(|_| today);
        let to = if ahead_of.is_some() { asked.to.or(asked.from).unwrap_or(today) } else { asked.to.unwrap_or(today).min(today) };
        let from = asked.from.unwrap_or_else(|| days_before(to, DAYS - 1));
        let days = Days { from: Some(from), to: Some(to), ..Days::default() };
        let length = i64::from(from.until(to).map_or(0, |span| span.get_days()));
        let column = if length < DAYS_BY_DAY_MAX { Column::Day } else { Column::Month };
        let surveyed = site.gateway.count_records(caller, days.period(), column).await?;
        let columns = surveyed.counts.as_ref().map(|counts| counts.columns().clone()).unwrap_or_default();
        let bars = if ahead_of.is_some() { Vec::new() } else { bars(&columns, column, from, to) };
        let left_out = surveyed.counts.as_ref().map_or(0, Counts::left_out).saturating_add(older(&columns, &bars));
        Ok(Self { days, column, bars, left_out, ahead_of, checked: surveyed.checked })
    }
}

fn days_before(day: Date, days: i64) -> Date {
    (0..days).fold(day, |day, _| day.yesterday().unwrap_or(day))
}

/// One bar for each day or month from the first to the last, also where nothing happened: time is not to jump.
fn bars(columns: &BTreeMap<Date, BTreeMap<u16, u64>>, column: Column, from: Date, to: Date) -> Vec<Bar> {
    let none = BTreeMap::new();
    let mut bars = std::collections::VecDeque::new();
    let mut next = if column == Column::Month { from.first_of_month() } else { from };
    while next <= to {
        bars.push_back(Bar::of(next, columns.get(&next).unwrap_or(&none)));
        if bars.len() > COLUMNS_MAX {
            bars.pop_front();
        }
        let last = if column == Column::Month { next.last_of_month() } else { next };
        match last.tomorrow() {
            Ok(day) => next = day,
            Err(_) => break,
        }
    }
    bars.into()
}

/// Entries in columns before the first bar.
fn older(columns: &BTreeMap<Date, BTreeMap<u16, u64>>, bars: &[Bar]) -> u64 {
    let Some(first) = bars.first() else { return sum(columns.values().flat_map(BTreeMap::values)) };
    sum(columns.range(..first.first).flat_map(|(_, kinds)| kinds.values()))
}

/// A round number not below `most`, to draw the scale to.
fn scale(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let top = unit.saturating_mul(step * 2);
            if top >= most.max(2) {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

impl Page for Counted {
    fn title(&self, lang: Lang) -> String {
        lang.say("Tall over tid", "Counts over time").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Counts)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Counts(self.days))
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            p class="lead" {
                (lang.say("Meldinger og nektelser ", "Messages and refusals "))
                @match self.column { Column::Day => (lang.say("per dag, ", "by day, ")), Column::Month => (lang.say("per måned, ", "by month, ")) }
                (self.days.text(lang)) "."
            }
            (self.days.form(lang, &PageRoute::Counts(Days::default()).path(lang), lang.say("Siste 30 dager", "The last 30 days")))
            @if let Some(alarm) = answers::alarm(lang, &self.checked) { (alarm) }
            @if let Some(today) = self.ahead_of { (ahead(lang, today)) } @else { (self.counted(lang)) }
            (check_yourself(lang, &self.commands(), "AuditService/CountRecords", answers::refused_meanwhile(lang, self.checked.holds())))
        }
    }
}

/// Of what has not begun there is nothing to draw, and a picture of nothing would say that nothing happened.
fn ahead(lang: Lang, today: Date) -> Markup {
    let said = match lang {
        Lang::Nb => format!("Perioden har ikke begynt: i dag er {today}. Det er ingenting å telle ennå."),
        Lang::En => format!("This period has not begun: today is {today}. There is nothing to count yet."),
    };
    alert("info", &html! { p { (said) } })
}

impl Counted {
    fn counted(&self, lang: Lang) -> Markup {
        html! {
            figure class="chart" {
                div class="scroll" role="group" aria-label=(lang.say("Meldinger og nektelser over tid", "Messages and refusals over time")) tabindex="0" { (self.picture(lang)) }
                figcaption {
                    ul class="legend" {
                        @for series in Series::ALL {
                            li { span class={ "key-" (series.code()) } {} (series.name(lang)) }
                        }
                    }
                }
            }
            @if let Some(first) = self.bars.first().filter(|_| self.left_out > 0) {
                (alert("info", &html! { p {
                    (lang.count(self.left_out, ["eldre oppføring", "eldre oppføringer"], ["older entry", "older entries"])) " "
                    (lang.say("vises ikke her: bildet og tabellen begynner ", "are not shown here: picture and table begin with ")) (self.label(first.first)) "."
                } }))
            }
            p class="quiet" { (words::checked(lang, &self.checked.basis())) "." }
            p class="quiet" {
                (lang.say("Meldinger og prøvesvar telles med rettelser og tilbaketrekkinger av dem, hver for seg. ", "Notices, reports and results are counted with their corrections and withdrawals, each by itself. "))
                (lang.say("Nektelser som loggen summerer per minutt, telles med så mange som de var.", "Refusals that the log sums by the minute count as many as they were."))
            }
            (self.table(lang))
        }
    }

    fn commands(&self) -> String {
        let (from, to) = (self.days.from.unwrap_or_default(), self.days.to.and_then(|day| day.tomorrow().ok()).unwrap_or_default());
        let period = format!("--since {from} --until {to}");
        let to = self.checked.to;
        format!(
            "samband audit list {period} --to-index {to}\nsamband audit export {period} --to-index {to} --vkey log.vkey --out log.tar\nsamband audit verify log.tar {period} --vkey log.vkey"
        )
    }

    fn label(&self, day: Date) -> String {
        match self.column {
            Column::Day => day.to_string(),
            Column::Month => format!("{:04}-{:02}", day.year(), day.month()),
        }
    }

    /// The same below a bar, where a year has no room.
    fn tick(&self, lang: Lang, day: Date) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = usize::from(day.month().unsigned_abs());
        match (self.column, lang) {
            (Column::Month, _) => self.label(day),
            (Column::Day, Lang::Nb) => format!("{}.{month}.", day.day()),
            (Column::Day, Lang::En) => format!("{} {}", day.day(), MONTHS.get(month.saturating_sub(1)).unwrap_or(&"")),
        }
    }

    fn picture(&self, lang: Lang) -> Markup {
        let most = self.bars.iter().map(Bar::total).max().unwrap_or(0);
        let top = scale(most);
        let (inner, bottom) = (HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM);
        let step = (WIDTH - LEFT) / self.bars.len().max(1);
        let tall = |n: u64| usize::try_from(u128::from(n) * inner as u128 / u128::from(top)).unwrap_or(inner);
        let every = self.bars.len().div_ceil(10).max(1);
        let described = format!(
            "{} {}. {} {}.",
            lang.say("Stolper, stablet etter slag. Høyeste stolpe:", "Bars, stacked by kind. The highest:"),
            lang.number(most),
            lang.say("De samme tallene står i tabellen under. Antall stolper:", "The same numbers are in the table below. Bars:"),
            self.bars.len()
        );
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="chart-title chart-desc" {
                title id="chart-title" { (lang.say("Meldinger og nektelser over tid", "Messages and refusals over time")) }
                desc id="chart-desc" { (described) }
                @for tick in 0..=2_u64 {
                    @let y = bottom - tall(top * tick / 2);
                    line class="axis" x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
                    text x=(LEFT - 8) y=(y + 4) text-anchor="end" { (lang.number(top * tick / 2)) }
                }
                @for (i, bar) in self.bars.iter().enumerate() {
                    @let x = LEFT + i * step;
                    @for (at, series) in Series::ALL.iter().enumerate() {
                        @let below = tall(sum(&bar.of[..at]));
                        @let height = tall(sum(&bar.of[..=at])) - below;
                        @if height > 0 {
                            rect class={ "bar-" (series.code()) } x=(x + step / 8) y=(bottom - below - height) width=((step * 3 / 4).max(1)) height=(height) {}
                        }
                    }
                    @if i % every == 0 {
                        text x=(x + step / 2) y=(HEIGHT - 10) text-anchor="middle" { (self.tick(lang, bar.first)) }
                    }
                }
            }
        }
    }

    fn table(&self, lang: Lang) -> Markup {
        let caption = lang.say("Tallene bak bildet", "The numbers behind the picture");
        html! {
            details class="ds-details" {
                summary { (caption) }
                div {
                    div class="scroll" role="group" aria-label=(caption) tabindex="0" {
                        table class="ds-table" {
                            caption class="ds-sr-only" { (caption) }
                            thead { tr {
                                th scope="col" { @match self.column { Column::Day => (lang.say("Dag", "Day")), Column::Month => (lang.say("Måned", "Month")) } }
                                @for series in Series::ALL { th scope="col" class="number" { (series.name(lang)) } }
                                th scope="col" class="number" { (lang.say("Andre oppføringer", "Other entries")) }
                            } }
                            tbody {
                                @for bar in self.bars.iter().rev() {
                                    tr {
                                        th scope="row" { (self.label(bar.first)) }
                                        @for n in bar.of { td class="number" { (lang.number(n)) } }
                                        td class="number" { (lang.number(bar.other)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Counted {
    pub(super) fn samples() -> Vec<Self> {
        let of = |column, bars: u64, most: u64| Self {
            days: Days { from: Some(Date::constant(2026, 1, 1)), to: Some(Date::constant(2026, 11, 20)), ..Days::default() },
            column,
            left_out: bars % 7,
            ahead_of: None,
            bars: (0..bars).map(|n| Bar { first: Date::constant(2026, 1, 1), of: [most, n % 3, n % 5, n % 2], other: n }).collect(),
            checked: super::tests::checked(bars != 3),
        };
        let ahead = Self { ahead_of: Some(Date::constant(2025, 12, 31)), ..of(Column::Day, 0, 0) };
        vec![of(Column::Day, 30, 7), of(Column::Month, 3, u64::MAX / 8), of(Column::Day, 120, 0), of(Column::Day, 0, 0), ahead]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_round_and_holds_the_highest_bar() {
        for (most, top) in [(0, 2), (1, 2), (2, 2), (3, 4), (5, 10), (11, 20), (21, 40), (41, 100), (101, 200), (12_345, 20_000)] {
            assert_eq!(scale(most), top, "{most}");
        }
        assert!(scale(u64::MAX) > 1 << 62);
    }

    #[test]
    fn a_day_below_a_bar_is_written_as_each_language_does() {
        let [by_day, by_month] = [0, 1].map(|at: usize| Counted::samples().remove(at));
        assert!(
            by_day.main(Lang::En).into_string().contains("are counted with their corrections and withdrawals"),
            "a series is of two kinds"
        );
        let day = Date::constant(2026, 11, 20);
        assert_eq!(Lang::ALL.map(|lang| by_day.tick(lang, day)), ["20.11.", "20 Nov"]);
        assert_eq!(Lang::ALL.map(|lang| by_month.tick(lang, day)), ["2026-11"; 2]);
        assert!(by_day.main(Lang::Nb).into_string().contains(">1.1.</text>"));
    }

    #[test]
    fn a_period_that_has_not_begun_is_said_to_be_such_and_not_drawn_as_empty() {
        let ahead = Counted::samples().pop().unwrap();
        let [nb, en] = Lang::ALL.map(|lang| ahead.main(lang).into_string());
        assert!(nb.contains("Perioden har ikke begynt: i dag er 2025-12-31."), "{nb}");
        assert!(en.contains("This period has not begun: today is 2025-12-31."), "{en}");
        assert!(!nb.contains("<svg") && !en.contains("<table") && en.contains("2026-01-01 to 2026-11-20"), "{en}");
    }

    #[test]
    fn a_day_without_entries_has_its_bar_too() {
        let day = |day| Date::constant(2026, 2, day);
        let columns = BTreeMap::from([(day(2), BTreeMap::from([(10, 3), (14, 2), (40, 1), (60, 7)]))]);
        let made = bars(&columns, Column::Day, day(1), day(3));
        assert_eq!(made.iter().map(Bar::total).collect::<Vec<_>>(), [0, 6, 0]);
        assert_eq!((made[1].of, made[1].other), ([3, 0, 2, 1], 7));
        let months = bars(&BTreeMap::new(), Column::Month, Date::constant(2025, 11, 30), day(1));
        assert_eq!(months.iter().map(|bar| bar.first.month()).collect::<Vec<_>>(), [11, 12, 1, 2]);
        let cut = bars(&columns, Column::Day, Date::constant(2020, 1, 1), Date::constant(2026, 8, 1));
        assert_eq!((cut.len(), older(&columns, &cut)), (COLUMNS_MAX, 13), "what stands in no bar is counted");
        assert_eq!(older(&columns, &made), 0);
        let claimed = Bar::of(day(1), &BTreeMap::from([(10, 1), (41, u64::MAX), (60, 7)]));
        assert_eq!((claimed.total(), claimed.other), (u64::MAX, 7), "what a record claims overflows nothing");
    }
}
