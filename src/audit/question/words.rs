//! Answers in words, for the page, the command line and the offline report alike.
//!
//! Every sentence is made from an [`Answer`] with its [`Basis`]: where something was not read, "none" is said of what was read and of nothing else.

use super::{Answer, Basis, Finding, Mark, Question};
use crate::audit::range::{Source, Tally};
use crate::domain::lang::Lang;

/// The question.
#[must_use]
pub const fn title(lang: Lang, question: Question) -> &'static str {
    let (nb, en) = match question {
        Question::ResultsElsewhere => {
            ("Har et prøvesvar noen gang nådd andre enn den som rekvirerte det?", "Has a result ever reached anyone but its requisitioner?")
        }
        Question::Forbidden => ("Hvem prøvde på noe de ikke har lov til?", "Who tried what was forbidden?"),
        Question::Overdue => ("Hva er over fristen?", "What is overdue?"),
        Question::Changed => ("Hva ble rettet, trukket tilbake eller returnert?", "What was corrected, withdrawn or returned?"),
        Question::Erased => ("Hva er slettet, og når?", "What was erased, and when?"),
        Question::Read => ("Hvem har lest loggen?", "Who read the log?"),
    };
    lang.say(nb, en)
}

/// How an answer looks to whoever skims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be, and everything was read.
    Good,
    /// Look at it.
    Look,
    /// Something is wrong.
    Bad,
    /// A mere number.
    Plain,
}

impl Tone {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// The tone of an answer. One whose check does not hold is bad whatever it says, and none is good of which a part was not read.
#[must_use]
pub const fn tone(answer: &Answer) -> Tone {
    if !answer.checked.holds() {
        return Tone::Bad;
    }
    match answer.finding {
        Finding::ResultsElsewhere { elsewhere, .. } if elsewhere > 0 => Tone::Bad,
        Finding::Changed { .. } | Finding::Erased { .. } | Finding::Read { .. } => Tone::Plain,
        _ if !answer.basis().is_whole() => Tone::Look,
        Finding::ResultsElsewhere { unresolved: 0, .. }
        | Finding::Forbidden { forbidden: 0, strangers: 0, .. }
        | Finding::Overdue { open: 0, .. } => Tone::Good,
        Finding::ResultsElsewhere { .. } | Finding::Forbidden { .. } | Finding::Overdue { .. } => Tone::Look,
    }
}

/// The number that stands out, and what it is to be read with; nothing when everything was read.
#[must_use]
pub fn figure(lang: Lang, answer: &Answer) -> (String, Option<String>) {
    let basis = answer.basis();
    if basis.is_blind() {
        return ("–".to_owned(), Some(lang.say("ikke kontrollert", "not checked").to_owned()));
    }
    if matches!(answer.finding, Finding::ResultsElsewhere { elsewhere: 0, unresolved: 1.., .. }) && judged(&answer.finding) == 0 {
        return ("–".to_owned(), Some(lang.say("kan ikke bedømmes", "cannot be judged").to_owned()));
    }
    let number = match answer.finding {
        Finding::ResultsElsewhere { elsewhere, .. } => elsewhere,
        Finding::Forbidden { forbidden, .. } => forbidden,
        Finding::Overdue { open, .. } => open,
        Finding::Changed { corrected, withdrawn, returned } => corrected + withdrawn + returned,
        Finding::Erased { contents, records, .. } => contents + records,
        Finding::Read { reads, .. } => reads,
    };
    let among = match lang {
        Lang::Nb => format!("blant {} kontrollerte", lang.number(basis.opened())),
        Lang::En => format!("among {} checked", lang.number(basis.opened())),
    };
    (lang.number(number), (!basis.is_whole()).then_some(among))
}

/// What was not read, as a list: "12 erased and no longer checkable, 5 closed to you", and of a bundle "12 marked as erased, 5 marked as closed".
fn missing(lang: Lang, source: Source, missing: Tally) -> String {
    let Tally { opened: _, erased, closed, failed } = missing;
    let (gone, shut) = match source {
        Source::Log | Source::Scope => (
            lang.say("slettet og kan ikke lenger kontrolleres", "erased and no longer checkable"),
            lang.say("lukket for deg", "closed to you"),
        ),
        Source::Bundle => (lang.say("merket som slettet", "marked as erased"), lang.say("merket som lukket", "marked as closed")),
    };
    let erased = (erased > 0).then(|| format!("{} {gone}", lang.number(erased)));
    let closed = (closed > 0).then(|| format!("{} {shut}", lang.number(closed)));
    let failed = (failed > 0).then(|| {
        lang.count(
            failed,
            ["som ikke kan leses eller ikke stemmer"; 2],
            ["that cannot be read or does not fit", "that cannot be read or do not fit"],
        )
    });
    [erased, closed, failed].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What is to be said of the marks of a bundle, wherever they are counted: an open record whose opening was dropped looks the same.
fn of_marks(lang: Lang, basis: &Basis) -> &'static str {
    let Tally { erased, closed, .. } = basis.missing();
    let are_marks = basis.source == Source::Bundle && erased + closed > 0;
    if are_marks {
        lang.say("; et uttrekk kan ikke vise at merkene er riktige", "; a bundle cannot show that the marks are right")
    } else {
        ""
    }
}

/// "n of n entries checked, m erased and no longer checkable, k closed to you", of the period; then what was judged by besides.
#[must_use]
pub fn checked(lang: Lang, basis: &Basis) -> String {
    let Basis { period, earlier, source, .. } = *basis;
    let (opened, all) = (lang.number(period.opened), lang.number(period.checkable()));
    let mut text = match lang {
        Lang::Nb => format!("{opened} av {all} oppføringer kontrollert"),
        Lang::En => format!("{opened} of {all} entries checked"),
    };
    let not_read = missing(lang, source, Tally { failed: 0, ..period });
    if !not_read.is_empty() {
        text.push_str(", ");
        text.push_str(&not_read);
    }
    if let Some(earlier) = earlier.filter(|earlier| *earlier != Tally::default()) {
        let read = lang.number(earlier.opened);
        text.push_str(&match lang {
            Lang::Nb => format!("; dessuten {read} fra før perioden lest for å dømme etter"),
            Lang::En => format!("; {read} from before the period read too, to judge by"),
        });
        let not_read = missing(lang, source, earlier);
        if !not_read.is_empty() {
            text.push_str(&format!(" ({not_read})"));
        }
    }
    let beyond = beyond(lang, basis);
    if !beyond.is_empty() {
        text.push_str(lang.say("; ikke lest: ", "; not read: "));
        text.push_str(&beyond.join(", "));
    }
    text + of_marks(lang, basis)
}

/// What lies outside the range that was read, and matters.
fn beyond(lang: Lang, basis: &Basis) -> Vec<String> {
    let first = basis.first.map(|first| format!("{} {first}", lang.say("det som ligger før oppføring", "what lies before entry")));
    let end =
        basis.end.map(|end| format!("{} {}", lang.say("det som følger etter oppføring", "what follows entry"), end.saturating_sub(1)));
    first.into_iter().chain(end).collect()
}

/// How a sentence begins that speaks of a part only.
fn among(lang: Lang, basis: &Basis) -> String {
    let n = basis.period.opened;
    let mut text = match lang {
        Lang::Nb => format!("Blant {} som er kontrollert", lang.count(n, ["oppføring", "oppføringer"], ["", ""])),
        Lang::En => format!("Among the {} checked", lang.count(n, ["", ""], ["entry", "entries"])),
    };
    if let Some(earlier) = basis.earlier.filter(|earlier| earlier.opened > 0) {
        let read = lang.number(earlier.opened);
        text.push_str(&match lang {
            Lang::Nb => format!(" og {read} fra før perioden"),
            Lang::En => format!(" and {read} from before the period"),
        });
    }
    text + ": "
}

/// Of what a sentence says nothing.
fn silent(lang: Lang, basis: &Basis) -> String {
    let not_read = missing(lang, basis.source, basis.missing());
    let not_read: Vec<String> = Some(not_read).filter(|text| !text.is_empty()).into_iter().chain(beyond(lang, basis)).collect();
    let not_read = not_read.join(", ");
    let marks = of_marks(lang, basis);
    match lang {
        Lang::Nb => format!(" Om de andre sier svaret ingenting: {not_read}{marks}."),
        Lang::En => format!(" Of the others this says nothing: {not_read}{marks}."),
    }
}

/// The verdict, in a sentence or two, with what it rests on.
#[must_use]
pub fn sentence(lang: Lang, answer: &Answer) -> String {
    let basis = answer.basis();
    if basis.is_whole() {
        return verdict(lang, &answer.finding);
    }
    if basis.is_blind() {
        let nothing =
            lang.say("Ingenting kan sies: ingen oppføring kunne kontrolleres.", "Nothing can be said: no entry could be checked.");
        return nothing.to_owned() + &silent(lang, &basis);
    }
    among(lang, &basis) + &verdict_of_part(lang, &answer.finding) + &silent(lang, &basis)
}

/// What was read of results, and what of them could not be judged.
fn results(lang: Lang, finding: &Finding) -> Option<(String, String)> {
    let Finding::ResultsElsewhere { results, deliveries, unresolved, .. } = *finding else { return None };
    let given = lang.count(
        deliveries,
        ["utlevering eller bekreftelse", "utleveringer og bekreftelser"],
        ["hand-out or acknowledgement", "hand-outs and acknowledgements"],
    );
    let many = lang.number(unresolved);
    let open = match (unresolved, lang) {
        (0, _) => String::new(),
        (_, Lang::Nb) => format!(" For {many} kan det ikke sies, fordi det de bygger på er slettet, lukket eller ikke lest."),
        (_, Lang::En) => format!(" Of {many} nothing can be said, as what they rest on is erased, closed or was not read."),
    };
    let n = lang.count(results, ["prøvesvar", "prøvesvar"], ["result", "results"]);
    let read = match lang {
        Lang::Nb => format!("{n} og {given} av dem"),
        Lang::En => format!("{n} and {given} of them"),
    };
    Some((read, open))
}

/// Of the results, hand-outs and acknowledgements that were read, those that were judged: of the others nothing is said, "none" neither.
const fn judged(finding: &Finding) -> u64 {
    match *finding {
        Finding::ResultsElsewhere { results, deliveries, unresolved, .. } => (results + deliveries).saturating_sub(unresolved),
        _ => 0,
    }
}

/// What became of messages that were settled late, of one and of many.
const PAST: [&str; 2] = ["went past its time and was", "went past their time and were"];

/// The verdict over everything that there is.
fn verdict(lang: Lang, finding: &Finding) -> String {
    let (read, open) = results(lang, finding).unwrap_or_default();
    match (*finding, lang) {
        (Finding::ResultsElsewhere { results: 0, deliveries: 0, .. }, _) => {
            lang.say("Nei. Ingen prøvesvar er formidlet.", "No. No result was relayed.").to_owned()
        }
        (Finding::ResultsElsewhere { elsewhere: 0, unresolved: 0, .. }, Lang::Nb) => {
            format!("Nei. {read} gjaldt bare den påtalemyndigheten som rekvirerte.")
        }
        (Finding::ResultsElsewhere { elsewhere: 0, unresolved: 0, .. }, Lang::En) => {
            format!("No. {read} concern the requisitioning prosecution alone.")
        }
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, _) if judged(finding) == 0 => {
            format!("{} {read} {}.{open}", lang.say("Det kan ikke sies:", "It cannot be said:"), lang.say("er lest", "were read"))
        }
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, Lang::Nb) => format!("Ikke så langt det kan dømmes: {read} er lest.{open}"),
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, Lang::En) => format!("Not as far as can be judged: {read} were read.{open}"),
        (Finding::ResultsElsewhere { elsewhere, .. }, Lang::Nb) => {
            format!("Ja. Av {read} nevner {} noen andre enn rekvirenten.{open}", lang.number(elsewhere))
        }
        (Finding::ResultsElsewhere { elsewhere, .. }, Lang::En) => {
            format!("Yes. Of {read}, {} another than the requisitioner.{open}", lang.count(elsewhere, ["", ""], ["names", "name"]))
        }
        (Finding::Forbidden { refused: 0, summed: 0, strangers: 0, .. }, _) => {
            lang.say("Ingen ble nektet noe.", "Nobody was refused anything.").to_owned()
        }
        (Finding::Overdue { open: 0, settled: 0 }, _) => {
            lang.say("Ingen meldinger har gått over fristen.", "No message went past its time.").to_owned()
        }
        (Finding::Overdue { open: 0, settled }, Lang::Nb) => {
            format!("Ingenting nå. {} gikk over fristen og ble ordnet senere.", lang.number(settled))
        }
        (Finding::Overdue { open: 0, settled }, Lang::En) => {
            format!("Nothing now. {} settled later.", lang.count(settled, ["", ""], PAST))
        }
        _ => counted(lang, finding),
    }
}

/// The same, of what was read and of nothing else.
fn verdict_of_part(lang: Lang, finding: &Finding) -> String {
    let (read, open) = results(lang, finding).unwrap_or_default();
    match (*finding, lang) {
        (Finding::ResultsElsewhere { results: 0, deliveries: 0, .. }, _) => {
            lang.say("ikke noe prøvesvar ble formidlet.", "no result was relayed.").to_owned()
        }
        (Finding::ResultsElsewhere { elsewhere: 0, unresolved: 0, .. }, Lang::Nb) => {
            format!("ingen. {read} nevner ikke noen annen enn den påtalemyndigheten som rekvirerte.")
        }
        (Finding::ResultsElsewhere { elsewhere: 0, unresolved: 0, .. }, Lang::En) => {
            format!("none. {read} name nobody but the requisitioning prosecution.")
        }
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, _) if judged(finding) == 0 => {
            format!("{read} {}.{open}", lang.say("er lest, og ingen av dem kan bedømmes", "were read, and none of these can be judged"))
        }
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, Lang::Nb) => {
            let n = lang.number(judged(finding));
            format!("{read} er lest. {n} av dem kan bedømmes, og nevner ikke noen annen enn den påtalemyndigheten som rekvirerte.{open}")
        }
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, Lang::En) => {
            let n = lang.number(judged(finding));
            format!("{read} were read. {n} of these can be judged, and nobody but the requisitioning prosecution is named.{open}")
        }
        (Finding::ResultsElsewhere { elsewhere, .. }, Lang::Nb) => {
            format!("ja. Av {read} nevner {} noen andre enn rekvirenten.{open}", lang.number(elsewhere))
        }
        (Finding::ResultsElsewhere { elsewhere, .. }, Lang::En) => {
            format!("yes. Of {read}, {} another than the requisitioner.{open}", lang.count(elsewhere, ["", ""], ["names", "name"]))
        }
        (Finding::Forbidden { refused: 0, summed: 0, strangers: 0, .. }, _) => {
            lang.say("ingen ble nektet noe.", "nobody was refused anything.").to_owned()
        }
        (Finding::Overdue { open: 0, settled: 0 }, _) => {
            lang.say("ingen meldinger gikk over fristen.", "no message went past its time.").to_owned()
        }
        (Finding::Overdue { open: 0, settled }, Lang::Nb) => {
            format!("ingenting venter. {} gikk over fristen og ble ordnet senere.", lang.number(settled))
        }
        (Finding::Overdue { open: 0, settled }, Lang::En) => {
            format!("nothing waits. {} settled later.", lang.count(settled, ["", ""], PAST))
        }
        _ => counted(lang, finding),
    }
}

/// Numbers that say the same of a part and of the whole, once it was said of which.
fn counted(lang: Lang, finding: &Finding) -> String {
    match *finding {
        Finding::ResultsElsewhere { .. } => String::new(),
        Finding::Forbidden { refused, forbidden, summed, strangers, participants } => {
            let who = lang.count(participants, ["deltaker", "deltakere"], ["participant was", "participants were"]);
            let (tried, all) = (lang.number(forbidden), lang.count(refused + summed, ["gang", "ganger"], ["time", "times"]));
            let mut text = match lang {
                Lang::Nb => format!("{who} ble nektet {all}, {tried} av dem for noe de ikke hadde rett til."),
                Lang::En => format!("{who} refused {all}, {tried} of them for what they had no right to."),
            };
            if summed > 0 {
                text.push_str(&match lang {
                    Lang::Nb => format!(" {} av gangene er talt opp per minutt.", lang.number(summed)),
                    Lang::En => format!(" {} of the times are summed by the minute.", lang.number(summed)),
                });
            }
            if strangers > 0 {
                text.push_str(&match lang {
                    Lang::Nb => format!(" Ukjente sertifikater ble avvist {}.", lang.count(strangers, ["gang", "ganger"], ["", ""])),
                    Lang::En => format!(" Unknown certificates were turned away {}.", lang.count(strangers, ["", ""], ["time", "times"])),
                });
            }
            text
        }
        Finding::Overdue { open, settled } => {
            let later = lang.number(settled);
            match lang {
                Lang::Nb => format!(
                    "{} venter fortsatt på mottakeren. {later} ble ordnet senere.",
                    lang.count(open, ["melding", "meldinger"], ["", ""])
                ),
                Lang::En => format!(
                    "{} for the recipient. {} settled later.",
                    lang.count(open, ["", ""], ["message still waits", "messages still wait"]),
                    lang.count(settled, ["", ""], ["was", "were"])
                ),
            }
        }
        Finding::Changed { corrected, withdrawn, returned } => {
            let (c, w, r) = (lang.number(corrected), lang.number(withdrawn), lang.number(returned));
            match lang {
                Lang::Nb => format!("{c} rettet, {w} trukket tilbake av avsenderen, {r} returnert av enheten."),
                Lang::En => format!("{c} corrected, {w} withdrawn by the sender, {r} returned by the unit."),
            }
        }
        Finding::Erased { contents, months, records, undelivered } => {
            let c = lang.count(contents, ["melding", "meldinger"], ["message", "messages"]);
            let m = lang.count(months, ["måned", "måneder"], ["month", "months"]);
            let r = lang.count(records, ["oppføring", "oppføringer"], ["record", "records"]);
            let u = lang.count(undelivered, ["melding", "meldinger"], ["message", "messages"]);
            match lang {
                Lang::Nb => format!(
                    "Innholdet i {c}, etter at mottakeren bekreftet. {m} og {r}, etter lagringsregelen. {u} endte uhentet med saken sin."
                ),
                Lang::En => format!(
                    "The content of {c}, once acknowledged. {m} and {r}, by the retention rule. {u} ended undelivered with the case."
                ),
            }
        }
        Finding::Read { reads, readers, reviews } => {
            let who = lang.count(readers, ["nøkkel", "nøkler"], ["key", "keys"]);
            let n = lang.count(reads, ["gang", "ganger"], ["time", "times"]);
            let reviewed = lang.count(reviews, ["gjennomgang er", "gjennomganger er"], ["review was", "reviews were"]);
            match lang {
                Lang::Nb => format!("{who} leste {n}. {reviewed} bekreftet."),
                Lang::En => format!("{who} read {n}. {reviewed} stated."),
            }
        }
    }
}

/// What a row stands for, besides its record.
#[must_use]
pub const fn mark(lang: Lang, mark: Mark) -> Option<&'static str> {
    match mark {
        Mark::Plain => None,
        Mark::Elsewhere => Some(lang.say("nådde en annen enn rekvirenten", "reached another than the requisitioner")),
        Mark::Unresolved => {
            Some(lang.say("grunnlaget er slettet, lukket eller ikke lest", "what it rests on is erased, closed or was not read"))
        }
        Mark::Forbidden => Some(lang.say("hadde ikke rett til dette", "had no right to this")),
        Mark::Open => Some(lang.say("venter fortsatt", "still waits")),
        Mark::Settled => Some(lang.say("ordnet senere", "settled later")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::range::{Checked, Period};
    use crate::audit::sight::Sight;
    use crate::audit::tree::Hash;

    fn findings() -> Vec<(Question, Finding)> {
        let of = |n: u64| {
            [
                (Question::ResultsElsewhere, Finding::ResultsElsewhere { results: n, deliveries: n, elsewhere: 0, unresolved: 0 }),
                (Question::Forbidden, Finding::Forbidden { refused: n, forbidden: n, summed: n, strangers: n, participants: n }),
                (Question::Overdue, Finding::Overdue { open: 0, settled: n }),
                (Question::Changed, Finding::Changed { corrected: n, withdrawn: n, returned: n }),
                (Question::Erased, Finding::Erased { contents: n, months: n, records: n, undelivered: n }),
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
    fn what_is_erased_before_the_period_counts_for_the_questions_that_are_judged_by_it() {
        let before = Tally { opened: 40, erased: 9, closed: 0, failed: 0 };
        for asked in findings() {
            let answer = answer(asked, Tally { opened: 3, ..Tally::default() }, before, false);
            let is_part = sentence(Lang::En, &answer).contains("9 erased");
            assert_eq!(is_part, super::super::Survey::looks_back(asked.0), "{:?}", asked.0);
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
        assert_eq!(shade(Question::Overdue, Finding::Overdue { open: 0, settled: 3 }), Tone::Good);
        let refusals = |forbidden, summed| Finding::Forbidden { refused: 0, forbidden, summed, strangers: 0, participants: 1 };
        assert_eq!([refusals(0, 7), refusals(7, 7)].map(|finding| shade(Question::Forbidden, finding)), [Tone::Good, Tone::Look]);
        assert_eq!(figure(Lang::Nb, &answer(findings()[0], all, Tally::default(), false)), ("0".to_owned(), None));
        assert!(say(Lang::En, elsewhere(0, 0)).starts_with("No. "));
        assert!(say(Lang::Nb, elsewhere(2, 0)).starts_with("Ja. "));
        assert!(say(Lang::En, elsewhere(1, 0)).contains(", 1 names another"));
        assert_eq!(
            counted(Lang::En, &Finding::Overdue { open: 1, settled: 1 }),
            "1 message still waits for the recipient. 1 was settled later."
        );
        assert_eq!(say(Lang::En, Finding::Overdue { open: 0, settled: 1 }), "Nothing now. 1 went past its time and was settled later.");
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
            (Question::Erased, Finding::Erased { contents: 1, months: 1, records: 152, undelivered: 1 }),
            all,
            Tally::default(),
            false,
        );
        assert_eq!(figure(Lang::En, &month).0, "153", "contents and records both were erased");
        assert_eq!(
            sentence(Lang::En, &month),
            "The content of 1 message, once acknowledged. 1 month and 152 records, by the retention rule. 1 message ended undelivered with the case."
        );
        assert!(sentence(Lang::Nb, &month).contains(" 1 måned og 152 oppføringer, "), "{}", sentence(Lang::Nb, &month));
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
}
