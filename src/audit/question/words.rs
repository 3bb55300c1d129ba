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
    if !answer.holds() {
        return Tone::Bad;
    }
    match answer.finding {
        Finding::ResultsElsewhere { elsewhere, .. } if elsewhere > 0 => Tone::Bad,
        Finding::Changed { .. } | Finding::Erased { .. } | Finding::Read { .. } => Tone::Plain,
        _ if !answer.basis().is_whole() => Tone::Look,
        Finding::ResultsElsewhere { unresolved: 0, .. }
        | Finding::Forbidden { forbidden: 0, strangers: 0, .. }
        | Finding::Overdue { open: 0, unresolved: 0, .. } => Tone::Good,
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
    let is_doubtful = match answer.finding {
        Finding::ResultsElsewhere { elsewhere: 0, unresolved: 1.., .. } => judged(&answer.finding) == 0,
        Finding::Overdue { open: 0, unresolved: 1.., .. } => true,
        _ => false,
    };
    if is_doubtful {
        return ("–".to_owned(), Some(lang.say("kan ikke bedømmes", "cannot be judged").to_owned()));
    }
    let number = match answer.finding {
        Finding::ResultsElsewhere { elsewhere, .. } => elsewhere,
        Finding::Forbidden { forbidden, .. } => forbidden,
        Finding::Overdue { open, .. } => open,
        Finding::Changed { corrected, withdrawn, returned } => corrected + withdrawn + returned,
        // What holds had kept is a copy of what its month counts already, or of a month whose entry is erased itself.
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
            Lang::Nb => format!("; dessuten {read} fra før perioden lest for å bedømme svaret"),
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
    // After a colon the sentence goes on.
    let part = match &answer.finding {
        finding @ Finding::Erased { .. } => erased(lang, finding, basis.missing().closed > 0),
        finding => verdict_of_part(lang, finding),
    };
    let mut rest = part.chars();
    let first = rest.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    among(lang, &basis) + &first + rest.as_str() + &silent(lang, &basis)
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
        (Finding::ResultsElsewhere { elsewhere: 0, .. }, Lang::Nb) => format!("Ikke så langt det kan bedømmes: {read} er lest.{open}"),
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
        (Finding::Overdue { open: 0, settled: 0, unresolved: 0 }, _) => {
            lang.say("Ingen meldinger har gått over fristen.", "No message went past its time.").to_owned()
        }
        (Finding::Overdue { open: 0, settled, unresolved: 0 }, Lang::Nb) => {
            format!("Ingenting nå. {} gikk over fristen og ble ordnet senere.", lang.number(settled))
        }
        (Finding::Overdue { open: 0, settled, unresolved: 0 }, Lang::En) => {
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
        (Finding::Overdue { open: 0, settled: 0, unresolved: 0 }, _) => {
            lang.say("ingen meldinger gikk over fristen.", "no message went past its time.").to_owned()
        }
        (Finding::Overdue { open: 0, settled, unresolved: 0 }, Lang::Nb) => {
            format!("ingenting venter. {} gikk over fristen og ble ordnet senere.", lang.number(settled))
        }
        (Finding::Overdue { open: 0, settled, unresolved: 0 }, Lang::En) => {
            format!("nothing waits. {} settled later.", lang.count(settled, ["", ""], PAST))
        }
        _ => counted(lang, finding),
    }
}

/// Of how many it cannot be said whether they wait.
fn unsettled(lang: Lang, unresolved: u64) -> String {
    let many = lang.number(unresolved);
    match (unresolved, lang) {
        (0, _) => String::new(),
        (_, Lang::Nb) => format!(" Om {many} kan det ikke sies: det som kan ha ordnet saken siden, er slettet, lukket eller ikke lest."),
        (_, Lang::En) => format!(" Of {many} it cannot be said: what may have settled it since is erased, closed or was not read."),
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
        Finding::Overdue { open, settled, unresolved } => {
            let later = lang.number(settled);
            let text = match lang {
                Lang::Nb => format!(
                    "{} venter fortsatt på mottakeren. {later} ble ordnet senere.",
                    lang.count(open, ["melding", "meldinger"], ["", ""])
                ),
                Lang::En => format!(
                    "{} for the recipient. {} settled later.",
                    lang.count(open, ["", ""], ["message still waits", "messages still wait"]),
                    lang.count(settled, ["", ""], ["was", "were"])
                ),
            };
            text + &unsettled(lang, unresolved)
        }
        Finding::Changed { corrected, withdrawn, returned } => {
            let (c, w, r) = (lang.number(corrected), lang.number(withdrawn), lang.number(returned));
            match lang {
                Lang::Nb => format!("{c} rettet, {w} trukket tilbake av avsenderen, {r} returnert av enheten."),
                Lang::En => format!("{c} corrected, {w} withdrawn by the sender, {r} returned by the unit."),
            }
        }
        Finding::Erased { .. } => erased(lang, finding, false),
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

/// What was erased. Where entries are closed, as within a scope or a case, those that count for all are among them: of what they count, nothing is said.
fn erased(lang: Lang, finding: &Finding, is_part_closed: bool) -> String {
    let Finding::Erased { contents, months, records, held, undelivered } = *finding else { return String::new() };
    let mut said = Vec::new();
    if contents > 0 || !is_part_closed {
        let c = lang.count(contents, ["melding", "meldinger"], ["message", "messages"]);
        said.push(match lang {
            Lang::Nb => format!("Innholdet i {c}, etter at mottakeren bekreftet."),
            Lang::En => format!("The content of {c}, once acknowledged."),
        });
    }
    if months > 0 || !is_part_closed {
        let m = lang.count(
            months,
            ["måned som nådde lagringstiden", "måneder som nådde lagringstiden"],
            ["month that reached its age", "months that reached their age"],
        );
        let r = lang.count(records, ["oppføring", "oppføringer"], ["record", "records"]);
        said.push(match lang {
            Lang::Nb => format!("{r} fra {m}, unntatt det sperringer beholder."),
            Lang::En => format!("{r} of {m}, but for what legal holds keep."),
        });
    } else {
        let none = ("Ingen av dem forteller om en slettet måned.", "None of them tells of an erased month.");
        said.push(lang.say(none.0, none.1).to_owned());
    }
    if held > 0 {
        let n = lang.number(held);
        said.push(match lang {
            Lang::Nb => format!("Kopier som sperringer hadde beholdt: {n} slettet siden."),
            Lang::En => format!("Copies that legal holds had kept: {n} erased since."),
        });
    }
    let u = lang.count(undelivered, ["melding", "meldinger"], ["message", "messages"]);
    said.push(match lang {
        Lang::Nb => format!("{u} endte uhentet med saken sin."),
        Lang::En => format!("{u} ended undelivered with the case."),
    });
    if contents == 0 && is_part_closed {
        let whole = (
            "Slettet innhold telles bare for hele Samband, og vises ikke innenfor et avgrenset innsyn eller en sak.",
            "Erased content is counted for the whole of Samband only, and is not shown within a scope or a case.",
        );
        said.push(lang.say(whole.0, whole.1).to_owned());
    }
    said.join(" ")
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
mod tests;
