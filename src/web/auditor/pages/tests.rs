//! Every context with every sample, in both languages: rendered, and read as a strict reader would.

use std::collections::BTreeMap;

use super::super::lang::Lang;
use super::super::route::Route;
use super::notice::{NoEntry, NotFound, ReadOnly, Refused};
use super::period::Days;
use super::row::{Row, Shown};
use super::*;
use crate::audit::event::TABLE;
use crate::audit::question::words::{self, Tone, tone};
use crate::audit::question::{Answer, Finding, Period, Question};
use crate::audit::range::{Checked, Source, Stretches, Tally};
use crate::audit::sight::Sight;
use crate::audit::tree::Hash;
use crate::domain::id::{CaseRef, MessageId};
use crate::domain::time::{Date, Timestamp};

/// What a name could be if somebody had got it into a register: it must come out as text.
const HOSTILE: &str = "<b onclick=\"x()\">&'\"</b>";
const AT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

pub(super) fn shown(index: u64, kind: u16) -> Shown {
    Shown {
        index,
        kind,
        at: AT,
        from: Some("politi-oslo".to_owned()),
        to: Some("ru-oslo".to_owned()),
        key_label: Some("dev".to_owned()),
        message_id: Some(MessageId::new(AT, [1; 10])),
        replaces: None,
        case_ref: Some(CaseRef::from_bytes([9; 10])),
        reason: Some(3),
        verb: Some(30),
        count: Some(1234),
        note: Some(HOSTILE.to_owned()),
        about: Some(HOSTILE.to_owned()),
        mark: None,
    }
}

/// A row of every kind there is, and what is erased.
pub(super) fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = TABLE.iter().zip(0..).map(|(row, index)| Row::Entry(Box::new(shown(index, row.number)))).collect();
    rows.push(Row::Entry(Box::new(Shown { from: None, to: None, case_ref: None, message_id: None, ..shown(98, 999) })));
    rows.push(Row::Unreadable { first: 5, last: 5 });
    rows.push(Row::Lacking { first: 30, last: 139 });
    rows.push(Row::Erased { first: 7, last: 7 });
    rows.push(Row::Erased { first: 1_000, last: 123_456 });
    rows.push(Row::OfErasedMonths { first: 200_000, last: 200_099 });
    rows
}

pub(super) fn checked(holds: bool) -> Checked {
    Checked {
        from: 0,
        to: 1000,
        period: Tally { opened: 900, erased: 100, closed: 0, failed: if holds { 0 } else { 2 } },
        before: Tally::default(),
        begins: true,
        ends: true,
        source: Source::Log,
        failed: if holds { 0 } else { 2 },
        failed_at: if holds { Vec::new() } else { vec![3, 4] },
        failed_within: Stretches::of(if holds { Vec::new() } else { vec![3, 4] }),
        failed_before: Stretches::default(),
        in_tree: holds,
        size: 1000,
        root: Hash::empty_root(),
    }
}

/// Answers of every question: all well, all ill.
pub(super) fn findings() -> Vec<(Question, Finding)> {
    let of = |n: u64| {
        [
            (Question::ResultsElsewhere, Finding::ResultsElsewhere { results: 10, deliveries: 20, elsewhere: n, unresolved: n }),
            (Question::Forbidden, Finding::Forbidden { refused: n, forbidden: n, summed: n, strangers: n, participants: n }),
            (Question::Overdue, Finding::Overdue { open: n, settled: n, unresolved: 0 }),
            (Question::Changed, Finding::Changed { corrected: n, withdrawn: n, returned: n }),
            (Question::Erased, Finding::Erased { contents: n, months: n, records: n, held: n, undelivered: n }),
            (Question::Read, Finding::Read { reads: n, readers: n, reviews: n }),
        ]
    };
    of(0).into_iter().chain(of(1)).chain(of(12_345)).collect()
}

pub(super) fn answer(question: Question, finding: Finding, holds: bool) -> Answer {
    Answer { question, period: Period::default(), sight: Sight::ALL, finding, rows: Vec::new(), left_out: 7, checked: checked(holds) }
}

fn samples() -> Vec<Box<dyn Page>> {
    let mut samples: Vec<Box<dyn Page>> =
        vec![Box::new(NotFound), Box::new(ReadOnly), Box::new(NoEntry { index: 7 }), Box::new(help::Help)];
    samples.extend(Refused::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(period::WrongDays::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(front::Front::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(question::Asked::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(search::Search::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(case::Timeline::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(entry::Entry::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(counts::Counted::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(reviews::Reviewed::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples.extend(log::Log::samples().into_iter().map(|page| Box::new(page) as Box<dyn Page>));
    samples
}

/// The values of an attribute, in order.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let name = format!(" {attribute}=\"");
    html.split(name.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The opening tags' names, in order.
fn tags(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|rest| rest.split([' ', '>', '/']).next())
        .collect()
}

fn problems(html: &str, lang: Lang) -> Vec<String> {
    let mut found = Vec::new();
    let tags = tags(html);
    if !html.starts_with(&format!("<!DOCTYPE html><html lang=\"{}\"", lang.tag())) {
        found.push("no language".to_owned());
    }
    for banned in ["script", "style", "iframe", "object", "embed", "b"] {
        if tags.contains(&banned) {
            found.push(format!("<{banned}>"));
        }
    }
    if !values(html, "style").is_empty() || html.contains(" onclick=\"") {
        found.push("style or handler in an attribute".to_owned());
    }
    for once in ["h1", "main", "header", "footer"] {
        let count = tags.iter().filter(|tag| **tag == once).count();
        if count != 1 {
            found.push(format!("{count} <{once}>"));
        }
    }
    let levels: Vec<u32> = tags.iter().filter_map(|tag| tag.strip_prefix('h')?.parse().ok()).collect();
    if levels.windows(2).any(|pair| pair[1] > pair[0] + 1) {
        found.push(format!("headings jump: {levels:?}"));
    }
    let mut ids = BTreeMap::new();
    for id in values(html, "id") {
        *ids.entry(id).or_insert(0) += 1;
    }
    found.extend(ids.iter().filter(|(_, count)| **count > 1).map(|(id, _)| format!("id {id} twice")));
    let named =
        ["for", "aria-labelledby", "aria-describedby"].into_iter().flat_map(|name| values(html, name)).flat_map(str::split_whitespace);
    found.extend(named.filter(|name| !ids.contains_key(name)).map(|name| format!("nothing has the id {name}")));
    for target in values(html, "href").into_iter().chain(values(html, "action")).chain(values(html, "src")) {
        let target = target.replace("&amp;", "&");
        let (path, fragment) = target.split_once('#').map_or((target.as_str(), None), |(path, fragment)| (path, Some(fragment)));
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        if path.is_empty() {
            if fragment.is_none_or(|id| !ids.contains_key(id)) {
                found.push(format!("{target} leads nowhere on the page"));
            }
        } else if Route::parse(route, query).is_none() {
            found.push(format!("{target} is no path of the site"));
        }
    }
    let labelled = values(html, "for");
    for control in html.split('<').filter(|tag| tag.starts_with("input ") || tag.starts_with("select ")) {
        if !values(&format!("<{control}"), "id").iter().any(|id| labelled.contains(id)) {
            found.push(format!("<{control} has no label"));
        }
    }
    found
}

#[test]
fn every_page_with_every_sample_is_sound_in_both_languages() {
    let reader = Reader { name: HOSTILE.to_owned(), key_label: "dev".to_owned() };
    let samples = samples();
    assert!(samples.len() > 90, "{} samples", samples.len());
    for (i, page) in samples.iter().enumerate() {
        let html = Lang::ALL.map(|lang| full(lang, &reader, page.as_ref()).into_string());
        let bare = Lang::ALL.map(|lang| bare(lang, page.as_ref()).into_string());
        for (lang, html) in Lang::ALL.into_iter().chain(Lang::ALL).zip(html.iter().chain(&bare)) {
            assert_eq!(problems(html, lang), Vec::<String>::new(), "sample {i}, {lang:?}: {}", page.title(lang));
        }
        assert!(html[0].contains("&lt;b onclick") && !html[0].contains(HOSTILE), "sample {i}: what a register says is text");
        assert!(page.main(Lang::Nb).into_string() != page.main(Lang::En).into_string(), "sample {i} is in two languages");
        if let Some(route) = page.route() {
            let path = route.path(Lang::En);
            let (path, query) = path.split_once('?').unwrap_or((&path, ""));
            assert!(matches!(Route::parse(path, query), Some(Route::Page(Lang::En, found)) if *found == route), "sample {i}: {path}");
        }
    }
}

#[test]
fn what_a_page_says_to_paste_has_no_blank_to_fill_in_and_says_what_it_needs() {
    let mut commands = 0;
    for (page, lang) in samples().iter().flat_map(|page| Lang::ALL.map(|lang| (page, lang))) {
        let html = page.main(lang).into_string();
        for command in html.split("<pre tabindex=\"0\"><code>samband ").skip(1).filter_map(|rest| rest.split("</code>").next()) {
            let blank = command.split_whitespace().find(|word| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase()));
            assert_eq!(blank, None, "{command}");
            commands += 1;
        }
        if html.contains("id=\"check\"") {
            assert!(["SAMBAND_GATEWAY", "SAMBAND_IDENTITY", "SAMBAND_CA"].iter().all(|name| html.contains(name)), "{html}");
            let key = lang.say("er loggens offentlige nøkkel. Få den fra driften", "is the log's public key. Have it from the operator");
            assert_eq!(html.contains(key), html.contains("--vkey log.vkey"), "{html}");
        }
    }
    assert!(commands > 50, "{commands}");
}

#[test]
fn every_page_says_in_which_zone_its_times_are() {
    let reader = Reader { name: "tilsyn".to_owned(), key_label: "dev".to_owned() };
    for page in samples() {
        let [nb, en] = Lang::ALL.map(|lang| full(lang, &reader, page.as_ref()).into_string());
        assert!(
            nb.contains("Klokkeslett og dager er norsk tid (Oslo)") && en.contains("Times and days are those of Norway (Oslo)"),
            "{nb}"
        );
    }
}

#[test]
fn an_unsound_page_is_found() {
    let page =
        |body: &str| format!("<!DOCTYPE html><html lang=\"nb\"><header></header><main id=\"m\"><h1>x</h1>{body}</main><footer></footer>");
    assert_eq!(problems(&page(""), Lang::Nb), Vec::<String>::new());
    for bad in [
        "<script></script>",
        "<p style=\"x\"></p>",
        "<h1>two</h1>",
        "<h3>jump</h3>",
        "<i id=\"m\"></i>",
        "<label for=\"gone\"></label>",
        "<a href=\"#gone\"></a>",
        "<a href=\"/nb/nowhere\"></a>",
        "<a href=\"https://example.org/\"></a>",
        "<input name=\"x\" id=\"x\">",
        "<b>bold</b>",
    ] {
        assert!(!problems(&page(bad), Lang::Nb).is_empty(), "{bad}");
    }
    assert!(!problems(&page(""), Lang::En).is_empty());
}

#[test]
fn a_check_that_does_not_hold_is_said_before_the_answer() {
    for (question, finding) in findings() {
        let answer = answer(question, finding, false);
        assert_eq!(tone(&answer), Tone::Bad);
        let page = answers::alarm(Lang::En, &answer.checked).unwrap().into_string();
        assert!(page.contains("Do not rely on the answers") && page.contains("2 entries"), "{page}");
    }
}

/// The same answers, each with so many entries that failed before its period, of it, and whether the leaves lead to the head.
fn damaged(before: u64, within: u64, in_tree: bool) -> Vec<Answer> {
    let made = findings().into_iter().take(Question::ALL.len()).map(|(question, finding)| {
        let mut answer = answer(question, finding, true);
        let checked = &mut answer.checked;
        (checked.before.failed, checked.period.failed, checked.failed) = (before, within, before + within);
        (checked.failed_before, checked.failed_within) = (Stretches::of(20..20 + before), Stretches::of(500..500 + within));
        checked.in_tree = in_tree;
        answer
    });
    made.collect()
}

#[test]
fn damage_from_before_the_period_casts_no_doubt_on_an_answer_that_is_not_judged_by_it() {
    let asked = |answer: &Answer| question::Asked::sample(answer.clone()).main(Lang::En).into_string();
    let refused = "the export makes no file";
    for answer in damaged(151, 0, true) {
        let (page, looks_back) = (asked(&answer), crate::audit::question::Survey::looks_back(answer.question));
        assert!(page.contains("151 entries cannot be read") && page.contains("</a>–170."), "{page}");
        assert_eq!(page.contains("Do not rely on the answer"), looks_back, "{page}");
        assert_eq!(page.contains("The answer here does not rest on it"), !looks_back, "{page}");
        assert_eq!((page.contains("role=\"alert\""), page.contains(refused)), (looks_back, looks_back), "{page}");
        assert_eq!(tone(&answer) == Tone::Bad, looks_back);
    }
    // Of the period, or of the whole log: every answer.
    for answer in damaged(0, 3, true).into_iter().chain(damaged(151, 3, true)).chain(damaged(0, 0, false)).chain(damaged(151, 0, false)) {
        let page = asked(&answer);
        assert!(page.contains("Do not rely on the answer") && page.contains(refused) && tone(&answer) == Tone::Bad, "{page}");
        assert_eq!(page.contains("do not lead to the root"), !answer.checked.in_tree, "{page}");
    }
}

#[test]
fn the_alarm_of_an_answer_names_what_failed_of_what_it_rests_on_and_what_else_failed_apart_from_that() {
    for answer in damaged(151, 3, true) {
        let page = question::Asked::sample(answer.clone()).main(Lang::En).into_string();
        let (alarm, _) = page.split_once("samband audit fsck").unwrap();
        if crate::audit::question::Survey::looks_back(answer.question) {
            assert!(alarm.contains("154 entries cannot be read") && !alarm.contains("Besides"), "{alarm}");
            assert!(alarm.contains(">20</a>–170, <a") && alarm.contains(">500</a>–502."), "{alarm}");
        } else {
            let (own, others) = alarm.split_once("Besides, from before the period:").unwrap();
            assert!(own.contains("3 entries cannot be read") && own.contains(">500</a>–502.") && !own.contains("170"), "{own}");
            assert!(
                others.contains("151 entries cannot be read") && others.contains(">20</a>–170.") && !others.contains("500"),
                "{others}"
            );
        }
    }
}

#[test]
fn the_front_page_casts_doubt_on_no_answer_that_holds() {
    let said = |before, within| Lang::ALL.map(|lang| front::Front::sample(damaged(before, within, true)).main(lang).into_string());
    let [nb, en] = said(151, 0);
    assert!(nb.contains("De andre svarene hviler bare på oppføringer som holder.") && !nb.contains("Stol ikke på svarene."), "{nb}");
    assert!(en.contains("The other answers rest on nothing but entries that hold.") && !en.contains("Do not rely on the answers."), "{en}");
    let [nb, en] = said(151, 3);
    assert!(nb.contains("Stol ikke på svarene.") && en.contains("Do not rely on the answers."), "{en}");
    assert!(said(0, 0).iter().all(|page| !page.contains("role=\"alert\"")));
}

/// A record of a hold's file whose month is gone keeps no month; only one that stands in its month does.
#[test]
fn a_hold_s_damaged_record_is_said_to_keep_its_month_only_where_it_stands_there() {
    let [nb, en] = Lang::ALL.map(|lang| front::Front::samples()[0].main(lang).into_string());
    let nb_words = [
        "Står en av dem i måneden sin, blir den måneden stående imens, og de som følger etter den, til den kan leses igjen",
        "Er måneden slettet, står oppføringen bare i sperringens egen fil, og ingen måned blir stående for den.",
    ];
    let en_words = [
        "Where one stands in its month, that month stays meanwhile, and those that follow it, until it can be read again",
        "Where its month is erased, it stands in the hold's own file alone, and no month stays for it.",
    ];
    assert!(nb_words.iter().all(|words| nb.contains(words)), "{nb}");
    assert!(en_words.iter().all(|words| en.contains(words)), "{en}");
    assert!(!nb.contains("Måneden deres blir stående") && !en.contains("Their month stays"), "said of every such record: {nb} {en}");
}

#[test]
fn the_front_page_names_the_answers_that_damage_is_of() {
    let alarm = |answers: &[Answer]| answers::alarm_of_all(Lang::En, answers, &answers[0].checked).map(maud::Markup::into_string);
    assert_eq!(alarm(&damaged(0, 0, true)), None);
    let some = alarm(&damaged(151, 0, true)).unwrap();
    let named: Vec<Question> = Question::ALL.into_iter().filter(|question| some.contains(words::title(Lang::En, *question))).collect();
    assert_eq!(named, [Question::ResultsElsewhere, Question::Overdue], "{some}");
    assert!(some.contains("not hold for every answer") && some.contains("151 entries"), "{some}");
    for all in [damaged(0, 2, true), damaged(151, 2, true), damaged(151, 0, false)] {
        let said = alarm(&all).unwrap();
        assert!(
            said.contains("Do not rely on the answers") && !named.iter().any(|question| said.contains(words::title(Lang::En, *question))),
            "{said}"
        );
    }
}

#[test]
fn whatever_is_damaged_is_named_or_counted() {
    let said = |checked: &Checked| answers::alarm(Lang::En, checked).unwrap().into_string();
    let of = |failed: Vec<u64>| Checked { failed: failed.len() as u64, failed_within: Stretches::of(failed), ..checked(true) };
    let stretch = said(&of((20..171).collect()));
    assert!(stretch.contains("151 entries") && stretch.contains(">20</a>–170."), "{stretch}");
    let apart = said(&of((0..151).map(|n| n * 2).collect()));
    assert!(apart.contains("151 entries") && apart.contains(">78</a> and 111 more."), "{apart}");
    let [some, more] =
        [40, 41].map(|many| answers::unreadable(Lang::Nb, &(0..many).map(|n| n * 3).collect::<Vec<_>>()).unwrap().into_string());
    assert!(some.contains(">117</a>.") && more.contains(">117</a> og 1 til."), "{more}");
    let joined = answers::unreadable(Lang::Nb, &[4, 5, 6, 9]).unwrap().into_string();
    assert!(joined.contains(">4</a>–6, <a") && joined.contains(">9</a>."), "{joined}");
}

#[test]
fn what_an_answer_s_check_does_not_hold_for_is_said_wherever_it_stands() {
    let pages: Vec<String> = samples().iter().map(|page| page.main(Lang::En).into_string()).collect();
    let fails = |page: &&String| page.contains("The check does not hold");
    let refused = "While the check does not hold, the export makes no file";
    let with_export: Vec<&String> = pages.iter().filter(|page| page.contains("samband audit export")).collect();
    assert!(with_export.iter().filter(|page| fails(page)).count() > 5);
    for page in with_export {
        assert_eq!(page.contains(refused), fails(&page), "{page}");
    }
    let log: Vec<String> = log::Log::samples().iter().map(|page| page.main(Lang::En).into_string()).collect();
    assert_eq!(log.iter().map(|page| fails(&page)).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn the_number_of_a_part_is_never_bare_and_its_page_never_green() {
    let whole = |answer: &mut Answer| answer.checked.period = Tally { opened: 900, ..Tally::default() };
    for (question, finding) in findings() {
        for (erased, closed) in [(12, 0), (0, 5), (12, 5)] {
            let mut answer = answer(question, finding, true);
            whole(&mut answer);
            let bare = answers::figure(Lang::En, &answer).into_string();
            assert!(!bare.contains("among"), "{bare}");
            (answer.checked.period.erased, answer.checked.period.closed) = (erased, closed);
            answer.checked.source = if closed > 0 { Source::Scope } else { Source::Log };
            let [nb, en] = Lang::ALL.map(|lang| answers::figure(lang, &answer).into_string());
            assert!(nb.ends_with(" <span class=\"of\">blant 900 kontrollerte</span></p>"), "{nb}");
            assert!(en.ends_with(" <span class=\"of\">among 900 checked</span></p>"), "{en}");
            assert_ne!(tone(&answer), Tone::Good);
        }
    }
}

#[test]
fn days_are_as_the_address_says() {
    let days = Days::parse("from=2026-11-20&to=2026-11-20").unwrap();
    let period = days.period();
    assert_eq!(period.to.unwrap().millis() - period.from.unwrap().millis(), 86_400_000, "the last day is part of the period");
    assert_eq!(
        days.commands(Lang::En, &[Question::Changed], 50),
        "samband audit export --since 2026-11-20 --until 2026-11-21 --to-index 50 --vkey log.vkey --out log.tar\n\
         samband audit report log.tar --since 2026-11-20 --until 2026-11-21 --vkey log.vkey --out answers.html"
    );
    assert!(
        days.commands(Lang::En, &Question::ALL, 50).starts_with("samband audit export --until 2026-11-21 --to-index 50 --vkey"),
        "some look back"
    );
    assert!(Days::default().commands(Lang::En, &Question::ALL, 50).starts_with("samband audit export --to-index 50 --vkey"));
    assert!(days.commands(Lang::Nb, &Question::ALL, 50).ends_with(" --vkey log.vkey --lang nb --out answers.html"));
    assert_eq!(
        days.call(&[Question::ResultsElsewhere]),
        "AuditService/Ask {\"questions\": [\"QUESTION_RESULTS_ELSEWHERE\"], \"from_time\": \"2026-11-19T23:00:00.000Z\", \"to_time\": \"2026-11-20T23:00:00.000Z\"}"
    );
    assert_eq!(Days::parse("from=&to=").unwrap(), Days::default(), "an empty form is the whole log");
    assert_eq!(Days { from: Some(Date::constant(2026, 1, 2)), ..Days::default() }.query(), "?from=2026-01-02");
}
