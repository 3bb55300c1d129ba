//! Each sentence says of what it speaks: of a part, of a whole, of what a bundle marks.

use super::*;
use crate::audit::range::{Checked, Period, Stretches};
use crate::audit::sight::Sight;
use crate::audit::tree::Hash;

fn findings() -> Vec<(Question, Finding)> {
    let of = |n: u64| {
        [
            (Question::ResultsElsewhere, Finding::ResultsElsewhere { results: n, deliveries: n, elsewhere: 0, unresolved: 0 }),
            (Question::Forbidden, Finding::Forbidden { refused: n, forbidden: n, summed: n, strangers: n, participants: n }),
            (Question::Overdue, Finding::Overdue { open: 0, settled: n, unresolved: 0 }),
            (Question::Changed, Finding::Changed { corrected: n, withdrawn: n, returned: n }),
            (Question::Erased, Finding::Erased { contents: n, months: n, records: n, held: n, undelivered: n }),
            (Question::Read, Finding::Read { reads: n, readers: n, reviews: n }),
        ]
    };
    of(0).into_iter().chain(of(7)).collect()
}

fn answer(asked: (Question, Finding), period: Tally, before: Tally, scoped: bool) -> Answer {
    of(asked, period, before, if scoped { Source::Scope } else { Source::Log })
}

fn of((question, finding): (Question, Finding), period: Tally, before: Tally, source: Source) -> Answer {
    let checked = Checked {
        from: 0,
        to: 1000,
        period,
        before,
        begins: true,
        ends: true,
        source,
        failed: period.failed,
        failed_at: Vec::new(),
        failed_within: Stretches::default(),
        failed_before: Stretches::default(),
        in_tree: true,
        size: 1000,
        root: Hash::empty_root(),
    };
    Answer { question, period: Period::default(), sight: Sight::ALL, finding, rows: Vec::new(), left_out: 0, checked }
}

#[test]
fn no_sentence_says_none_of_what_was_not_read() {
    let flat = ["No.", "Nei.", "No ", "Ingen ", "Ingenting ", "Nobody", "Nothing now", "0 "];
    for asked in findings() {
        for (erased, closed, failed) in [(12, 0, 0), (0, 5, 0), (0, 0, 3), (12, 5, 3)] {
            let part = answer(asked, Tally { opened: 213, erased, closed, failed }, Tally::default(), true);
            let (nb, en) = (sentence(Lang::Nb, &part), sentence(Lang::En, &part));
            assert!(nb.starts_with("Blant 213 oppføringer som er kontrollert: "), "{nb}");
            assert!(en.starts_with("Among the 213 entries checked: "), "{en}");
            let goes_on = |said: &str| said.split_once(": ").unwrap().1.starts_with(|first: char| !first.is_uppercase());
            assert!(goes_on(&nb) && goes_on(&en), "{nb} {en}");
            assert!(flat.iter().all(|word| !nb.starts_with(word) && !en.starts_with(word)), "{nb} {en}");
            for (many, nb_word, en_word) in [
                (erased, "12 slettet og kan ikke lenger kontrolleres", "12 erased and no longer checkable"),
                (closed, "5 lukket for deg", "5 closed to you"),
                (failed, "3 som ikke kan leses", "3 that cannot be read"),
            ] {
                assert_eq!((nb.contains(nb_word), en.contains(en_word)), (many > 0, many > 0), "{nb} {en}");
            }
            assert_eq!(figure(Lang::En, &part).1.as_deref(), Some("among 213 checked"));
            assert_eq!(figure(Lang::Nb, &part).1.as_deref(), Some("blant 213 kontrollerte"));
            assert_ne!(tone(&part), Tone::Good);
        }
        let whole = answer(asked, Tally { opened: 213, ..Tally::default() }, Tally::default(), false);
        assert!(!sentence(Lang::En, &whole).contains("mong") && figure(Lang::Nb, &whole).1.is_none());
        let blind = answer(asked, Tally { erased: 4, ..Tally::default() }, Tally::default(), false);
        assert!(sentence(Lang::En, &blind).starts_with("Nothing can be said: "), "{}", sentence(Lang::En, &blind));
        assert_eq!(figure(Lang::Nb, &blind), ("–".to_owned(), Some("ikke kontrollert".to_owned())));
        assert_ne!(tone(&blind), Tone::Good);
        for (begins, ends, nb_word, en_word) in [
            (false, true, "det som ligger før oppføring 5.", "what lies before entry 5."),
            (true, false, "det som følger etter oppføring 999.", "what follows entry 999."),
        ] {
            let mut cut = whole.clone();
            (cut.checked.begins, cut.checked.ends, cut.checked.from) = (begins, ends, if begins { 0 } else { 5 });
            let (nb, en) = (sentence(Lang::Nb, &cut), sentence(Lang::En, &cut));
            assert!(nb.starts_with("Blant 213 ") && nb.ends_with(nb_word), "{nb}");
            assert!(en.starts_with("Among the 213 ") && en.ends_with(en_word), "{en}");
            assert_ne!(tone(&cut), Tone::Good);
            assert!(checked(Lang::En, &cut.basis()).ends_with(&format!("; not read: {}", en_word.trim_end_matches('.'))));
        }
    }
}

#[test]
fn what_was_not_judged_is_none_of_the_none() {
    let part = |results, deliveries, elsewhere, unresolved| {
        let finding = Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved };
        let tally = Tally { opened: 5, erased: 4, ..Tally::default() };
        answer((Question::ResultsElsewhere, finding), tally, Tally::default(), false)
    };
    let nothing = part(1, 2, 0, 3);
    assert_eq!(
        sentence(Lang::En, &nothing),
        "Among the 5 entries checked: 1 result and 2 hand-outs and acknowledgements of them were read, and none of these can be judged. Of 3 nothing can be said, as what they rest on is erased, closed or was not read. Of the others this says nothing: 4 erased and no longer checkable."
    );
    let nb = sentence(Lang::Nb, &nothing);
    assert!(nb.contains("er lest, og ingen av dem kan bedømmes. For 3 kan det ikke sies") && !nb.contains("nevner ikke"), "{nb}");
    assert_eq!(figure(Lang::En, &nothing), ("–".to_owned(), Some("cannot be judged".to_owned())));
    let some = part(2, 2, 0, 3);
    let en = sentence(Lang::En, &some);
    assert!(en.contains("were read. 1 of these can be judged, and nobody but") && en.contains("Of 3 nothing can be said"), "{en}");
    assert!(sentence(Lang::Nb, &some).contains("1 av dem kan bedømmes, og nevner ikke"), "{}", sentence(Lang::Nb, &some));
    assert!(sentence(Lang::En, &part(2, 2, 0, 0)).contains(": none. 2 results and 2 hand-outs"));
    assert!(sentence(Lang::En, &part(2, 2, 1, 3)).contains(": yes. Of 2 results"));
    let all = Tally { opened: 5, ..Tally::default() };
    let whole = Answer { checked: answer(findings()[0], all, Tally::default(), false).checked, ..part(1, 2, 0, 3) };
    assert!(sentence(Lang::En, &whole).starts_with("It cannot be said: 1 result and 2 hand-outs"), "{}", sentence(Lang::En, &whole));
}

#[test]
fn what_another_settled_is_told_as_what_cannot_be_said() {
    let of = |open, unresolved| {
        let finding = Finding::Overdue { open, settled: 1, unresolved };
        answer((Question::Overdue, finding), Tally { opened: 1000, ..Tally::default() }, Tally::default(), false)
    };
    let (none, doubtful, both) = (of(0, 0), of(0, 2), of(3, 2));
    assert_eq!([&none, &doubtful, &both].map(tone), [Tone::Good, Tone::Look, Tone::Look]);
    assert_eq!(figure(Lang::En, &doubtful), ("–".to_owned(), Some("cannot be judged".to_owned())));
    assert_eq!([&none, &both].map(|answer| figure(Lang::En, answer).0), ["0", "3"]);
    for answer in [&doubtful, &both] {
        let (nb, en) = (sentence(Lang::Nb, answer), sentence(Lang::En, answer));
        assert!(en.contains("Of 2 it cannot be said: what may have settled it since is erased, closed or was not read"), "{en}");
        assert!(nb.contains("Om 2 kan det ikke sies: det som kan ha ordnet saken siden") && !nb.contains("Ingenting nå"), "{nb}");
    }
    assert!(!sentence(Lang::En, &none).contains("cannot be said"));
}

#[test]
fn what_is_erased_before_the_period_counts_for_the_questions_that_are_judged_by_it() {
    let before = Tally { opened: 40, erased: 9, closed: 0, failed: 0 };
    for asked in findings() {
        let answer = answer(asked, Tally { opened: 3, ..Tally::default() }, before, false);
        let is_part = sentence(Lang::En, &answer).contains("9 erased");
        assert_eq!(is_part, crate::audit::question::Survey::looks_back(asked.0), "{:?}", asked.0);
    }
    let overdue = answer(findings()[2], Tally { opened: 3, ..Tally::default() }, before, false);
    assert_eq!(
        sentence(Lang::En, &overdue),
        "Among the 3 entries checked and 40 from before the period: no message went past its time. Of the others this says nothing: 9 erased and no longer checkable."
    );
    assert_eq!(
        checked(Lang::En, &overdue.basis()),
        "3 of 3 entries checked; 40 from before the period read too, to judge by (9 erased and no longer checkable)"
    );
}

#[test]
fn over_the_whole_log_a_verdict_is_flat() {
    let all = Tally { opened: 1000, ..Tally::default() };
    let say = |lang, finding| sentence(lang, &answer((Question::ResultsElsewhere, finding), all, Tally::default(), false));
    let elsewhere = |elsewhere, unresolved| Finding::ResultsElsewhere { results: 5, deliveries: 5, elsewhere, unresolved };
    let shade = |question, finding| tone(&answer((question, finding), all, Tally::default(), false));
    let of_results = |finding| shade(Question::ResultsElsewhere, finding);
    let tones = [of_results(elsewhere(0, 0)), of_results(elsewhere(0, 1)), of_results(elsewhere(1, 1))];
    assert_eq!(tones, [Tone::Good, Tone::Look, Tone::Bad]);
    assert_eq!(shade(Question::Overdue, Finding::Overdue { open: 0, settled: 3, unresolved: 0 }), Tone::Good);
    let refusals = |forbidden, summed| Finding::Forbidden { refused: 0, forbidden, summed, strangers: 0, participants: 1 };
    assert_eq!([refusals(0, 7), refusals(7, 7)].map(|finding| shade(Question::Forbidden, finding)), [Tone::Good, Tone::Look]);
    assert_eq!(figure(Lang::Nb, &answer(findings()[0], all, Tally::default(), false)), ("0".to_owned(), None));
    assert!(say(Lang::En, elsewhere(0, 0)).starts_with("No. "));
    assert!(say(Lang::Nb, elsewhere(2, 0)).starts_with("Ja. "));
    assert!(say(Lang::En, elsewhere(1, 0)).contains(", 1 names another"));
    assert_eq!(
        counted(Lang::En, &Finding::Overdue { open: 1, settled: 1, unresolved: 0 }),
        "1 message still waits for the recipient. 1 was settled later."
    );
    assert_eq!(
        say(Lang::En, Finding::Overdue { open: 0, settled: 1, unresolved: 0 }),
        "Nothing now. 1 went past its time and was settled later."
    );
    assert_eq!(
        counted(Lang::Nb, &Finding::Read { reads: 1, readers: 1, reviews: 1 }),
        "1 nøkkel leste 1 gang. 1 gjennomgang er bekreftet."
    );
    assert!(say(Lang::En, elsewhere(0, 1)).starts_with("Not as far as can be judged"), "an open one is no no");
    let forbidden = |summed, strangers| Finding::Forbidden { refused: 0, forbidden: 0, summed, strangers, participants: 0 };
    let sums = Finding::Forbidden { refused: 61, forbidden: 401, summed: 340, strangers: 0, participants: 1 };
    assert_eq!(
        say(Lang::En, sums),
        "1 participant was refused 401 times, 401 of them for what they had no right to. 340 of the times are summed by the minute."
    );
    assert!(say(Lang::Nb, sums).ends_with("av dem for noe de ikke hadde rett til. 340 av gangene er talt opp per minutt."));
    let month = answer(
        (Question::Erased, Finding::Erased { contents: 1, months: 1, records: 152, held: 11, undelivered: 1 }),
        all,
        Tally::default(),
        false,
    );
    assert_eq!(
        figure(Lang::En, &month).0,
        "153",
        "contents and records both were erased; what holds had kept of these is no more than that"
    );
    assert_eq!(
        sentence(Lang::En, &month),
        "The content of 1 message, once acknowledged. 152 records of 1 month that reached its age, but for what legal holds keep. Copies that legal holds had kept: 11 erased since. 1 message ended undelivered with the case."
    );
    assert!(
        sentence(Lang::Nb, &month).contains(" 152 oppføringer fra 1 måned som nådde lagringstiden, unntatt det sperringer beholder. "),
        "{}",
        sentence(Lang::Nb, &month)
    );
    assert!(sentence(Lang::Nb, &month).contains(" Kopier som sperringer hadde beholdt: 11 slettet siden. "));
    assert_eq!(figure(Lang::En, &answer((Question::Forbidden, sums), all, Tally::default(), false)).0, "401");
    assert_eq!(say(Lang::En, forbidden(0, 0)), "Nobody was refused anything.");
    assert!(say(Lang::En, forbidden(0, 3)).contains("turned away 3 times"), "strangers are somebody");
    assert_eq!(checked(Lang::En, &answer(findings()[0], all, Tally::default(), false).basis()), "1,000 of 1,000 entries checked");
}

#[test]
fn what_a_bundle_marks_as_erased_or_closed_is_never_told_as_fact() {
    let before = Tally { opened: 4, erased: 9, closed: 0, failed: 0 };
    for asked in findings() {
        for (erased, closed, earlier) in [(3, 0, Tally::default()), (0, 2, Tally::default()), (3, 2, before), (0, 0, before)] {
            let bundle = of(asked, Tally { opened: 10, erased, closed, failed: 0 }, earlier, Source::Bundle);
            for (lang, marked, shown, facts) in [
                (Lang::Nb, "merket som", "; et uttrekk kan ikke vise at merkene er riktige", ["slettet og kan ikke", "lukket for deg"]),
                (Lang::En, "marked as", "; a bundle cannot show that the marks are right", ["no longer checkable", "closed to"]),
            ] {
                for said in [sentence(lang, &bundle), checked(lang, &bundle.basis())] {
                    let has_marks = said.contains(marked);
                    assert_eq!(has_marks, !bundle.basis().is_whole(), "{said}");
                    assert_eq!(said.trim_end_matches('.').ends_with(shown), has_marks, "{said}");
                    assert!(facts.iter().all(|fact| !said.contains(fact)), "{said}");
                }
            }
        }
    }
    let overdue = of(findings()[2], Tally { opened: 10, erased: 3, closed: 2, failed: 0 }, before, Source::Bundle);
    assert_eq!(
        checked(Lang::En, &overdue.basis()),
        "10 of 10 entries checked, 3 marked as erased, 2 marked as closed; 4 from before the period read too, to judge by (9 marked as erased); a bundle cannot show that the marks are right"
    );
    assert!(
        sentence(Lang::Nb, &overdue).ends_with(
            " Om de andre sier svaret ingenting: 12 merket som slettet, 2 merket som lukket; et uttrekk kan ikke vise at merkene er riktige."
        ),
        "{}",
        sentence(Lang::Nb, &overdue)
    );
}

#[test]
fn what_counts_for_all_is_not_told_as_none_where_it_is_closed() {
    let said = |lang, months, held, source| {
        let finding = Finding::Erased { contents: 0, months, records: 33 * months, held, undelivered: 0 };
        sentence(lang, &of((Question::Erased, finding), Tally { opened: 9, erased: 33, closed: 4, failed: 0 }, Tally::default(), source))
    };
    let whole = "Erased content is counted for the whole of Samband only, and is not shown within a scope or a case.";
    for source in [Source::Scope, Source::Bundle] {
        let en = said(Lang::En, 1, 2, source);
        assert!(
            en.starts_with(&format!(
                "Among the 9 entries checked: 33 records of 1 month that reached its age, but for what legal holds keep. Copies that legal holds had kept: 2 erased since. 0 messages ended undelivered with the case. {whole} Of the others"
            )),
            "{en}"
        );
        assert!(said(Lang::Nb, 1, 0, source).contains(" Slettet innhold telles bare for hele Samband, "));
        let en = said(Lang::En, 0, 0, source);
        assert!(en.starts_with("Among the 9 entries checked: none of them tells of an erased month. 0 messages ended"), "{en}");
    }
    let finding = Finding::Erased { contents: 0, months: 0, records: 0, held: 0, undelivered: 0 };
    let of_all = sentence(Lang::En, &answer((Question::Erased, finding), Tally { opened: 9, ..Tally::default() }, Tally::default(), false));
    assert!(
        of_all.starts_with("The content of 0 messages, once acknowledged. 0 records of 0 months that reached their age, but for"),
        "{of_all}"
    );
}

#[test]
fn of_what_may_be_settled_nothing_is_said() {
    let finding = Finding::Overdue { open: 0, settled: 1, unresolved: 1 };
    let tally = Tally { opened: 9, closed: 4, ..Tally::default() };
    let part = of((Question::Overdue, finding), tally, Tally::default(), Source::Bundle);
    let en = sentence(Lang::En, &part);
    assert!(en.contains(" Of 1 it cannot be said: what may have settled it since is erased, closed or was not read."), "{en}");
    assert_eq!(figure(Lang::En, &part), ("–".to_owned(), Some("cannot be judged".to_owned())));
}
