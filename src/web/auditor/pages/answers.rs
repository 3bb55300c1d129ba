//! Answers in words: the question, its verdict, its number, and what was checked.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use crate::audit::question::{Answer, Finding, Mark, Question};
use crate::audit::range::Checked;

/// How an answer looks to whoever skims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Look at it.
    Look,
    /// Something is wrong.
    Bad,
    /// A mere number.
    Plain,
}

impl Tone {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// The question.
pub(super) const fn question(lang: Lang, question: Question) -> &'static str {
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

/// The number that stands out.
pub(super) const fn figure(finding: &Finding) -> u64 {
    match *finding {
        Finding::ResultsElsewhere { elsewhere, .. } => elsewhere,
        Finding::Forbidden { forbidden, .. } => forbidden,
        Finding::Overdue { open, .. } => open,
        Finding::Changed { corrected, withdrawn, returned } => corrected + withdrawn + returned,
        Finding::Erased { contents, .. } => contents,
        Finding::Read { reads, .. } => reads,
    }
}

/// The tone of an answer. One whose check does not hold is bad whatever it says.
pub(super) const fn tone(answer: &Answer) -> Tone {
    if !answer.checked.holds() {
        return Tone::Bad;
    }
    match answer.finding {
        Finding::ResultsElsewhere { elsewhere, .. } if elsewhere > 0 => Tone::Bad,
        Finding::ResultsElsewhere { unresolved, .. } if unresolved > 0 => Tone::Look,
        Finding::ResultsElsewhere { .. } => Tone::Good,
        Finding::Forbidden { forbidden: 0, strangers: 0, .. } | Finding::Overdue { open: 0, .. } => Tone::Good,
        Finding::Forbidden { .. } | Finding::Overdue { .. } => Tone::Look,
        Finding::Changed { .. } | Finding::Erased { .. } | Finding::Read { .. } => Tone::Plain,
    }
}

/// The verdict, in a sentence or two, and of what it says nothing.
pub(super) fn sentence(lang: Lang, answer: &Answer) -> String {
    let said = verdict(lang, &answer.finding);
    let (n, (gone, closed)) = (lang.number(answer.checked.opened), answer.not_read());
    let (gone, closed) = match (gone, closed, lang) {
        (0, 0, _) => return said,
        (gone, closed, Lang::Nb) => {
            (format!("{} slettet og kan ikke lenger kontrolleres", lang.number(gone)), format!("{} lukket for deg", lang.number(closed)))
        }
        (gone, closed, Lang::En) => {
            (format!("{} erased and no longer checkable", lang.number(gone)), format!("{} closed to you", lang.number(closed)))
        }
    };
    match lang {
        Lang::Nb => format!("Blant {n} kontrollerte oppføringer: {said} Om de andre sier svaret ingenting: {gone}, {closed}."),
        Lang::En => format!("Among the {n} entries checked: {said} Of the others it says nothing: {gone}, {closed}."),
    }
}

fn verdict(lang: Lang, finding: &Finding) -> String {
    let results = |n| lang.count(n, ["prøvesvar", "prøvesvar"], ["result", "results"]);
    match *finding {
        Finding::ResultsElsewhere { results: 0, deliveries: 0, .. } => {
            lang.say("Nei. Ingen prøvesvar er formidlet.", "No. No result was relayed.").to_owned()
        }
        Finding::ResultsElsewhere { results: n, deliveries, elsewhere, unresolved } => {
            let given = lang.count(
                deliveries,
                ["utlevering eller bekreftelse", "utleveringer og bekreftelser"],
                ["hand-out or acknowledgement", "hand-outs and acknowledgements"],
            );
            let mut text = match (elsewhere, lang) {
                (0, Lang::Nb) => format!("Nei. {} og {given} av dem gjaldt bare den påtalemyndigheten som rekvirerte.", results(n)),
                (0, Lang::En) => format!("No. {} and {given} of them concern the requisitioning prosecution alone.", results(n)),
                (_, Lang::Nb) => format!("Ja. Av {} og {given} nevner {} noen andre enn rekvirenten.", results(n), lang.number(elsewhere)),
                (_, Lang::En) => {
                    format!("Yes. Of {} and {given}, {} name another than the requisitioner.", results(n), lang.number(elsewhere))
                }
            };
            if unresolved > 0 {
                let many = lang.number(unresolved);
                text.push_str(&match lang {
                    Lang::Nb => format!(" For {many} kan det ikke lenger sies, fordi det de bygger på er slettet etter lagringsregelen."),
                    Lang::En => format!(" Of {many} nothing can be said any more, as what they rest on was erased by the retention rule."),
                });
            }
            text
        }
        Finding::Forbidden { refused, forbidden, summed, strangers, participants } => {
            let who = lang.count(participants, ["deltaker", "deltakere"], ["participant", "participants"]);
            let (tried, all) = (lang.number(forbidden), lang.count(refused, ["gang", "ganger"], ["time", "times"]));
            let mut text = match (refused, lang) {
                (0, Lang::Nb) => "Ingen deltaker ble nektet noe.".to_owned(),
                (0, Lang::En) => "No participant was refused anything.".to_owned(),
                (_, Lang::Nb) => format!("{who} ble nektet {all}, {tried} av dem for noe de ikke hadde rett til."),
                (_, Lang::En) => format!("{who} refused {all}, {tried} of them for what they had no right to."),
            };
            if summed > 0 {
                text.push_str(&match lang {
                    Lang::Nb => format!(" Ytterligere {} er talt opp per minutt.", lang.number(summed)),
                    Lang::En => format!(" A further {} are summed by the minute.", lang.number(summed)),
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
            match (open, settled, lang) {
                (0, 0, Lang::Nb) => "Ingen meldinger har gått over fristen.".to_owned(),
                (0, 0, Lang::En) => "No message went past its time.".to_owned(),
                (0, _, Lang::Nb) => format!("Ingenting nå. {later} gikk over fristen og ble ordnet senere."),
                (0, _, Lang::En) => format!("Nothing now. {later} went past their time and were settled later."),
                (_, _, Lang::Nb) => format!(
                    "{} venter fortsatt på mottakeren. {later} ble ordnet senere.",
                    lang.count(open, ["melding", "meldinger"], ["", ""])
                ),
                (_, _, Lang::En) => format!(
                    "{} still wait for the recipient. {later} were settled later.",
                    lang.count(open, ["", ""], ["message", "messages"])
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
            let (c, m, r, u) = (lang.number(contents), lang.number(months), lang.number(records), lang.number(undelivered));
            match lang {
                Lang::Nb => format!(
                    "Innholdet i {c} meldinger, etter at mottakeren bekreftet. {m} måneder med {r} oppføringer, etter lagringsregelen. {u} meldinger endte uhentet med saken sin."
                ),
                Lang::En => format!(
                    "The content of {c} messages, once acknowledged. {m} months with {r} records, by the retention rule. {u} messages ended undelivered with their case."
                ),
            }
        }
        Finding::Read { reads, readers, reviews } => {
            let who = lang.count(readers, ["nøkkel", "nøkler"], ["key", "keys"]);
            let (n, reviewed) = (lang.number(reads), lang.number(reviews));
            match lang {
                Lang::Nb => format!("{who} leste {n} ganger. {reviewed} gjennomganger er bekreftet."),
                Lang::En => format!("{who} read {n} times. {reviewed} reviews were stated."),
            }
        }
    }
}

/// What a row stands for, besides its record.
pub(super) const fn mark(lang: Lang, mark: Mark) -> Option<&'static str> {
    match mark {
        Mark::Plain => None,
        Mark::Elsewhere => Some(lang.say("nådde en annen enn rekvirenten", "reached another than the requisitioner")),
        Mark::Unresolved => Some(lang.say("grunnlaget er slettet", "what it rests on is erased")),
        Mark::Forbidden => Some(lang.say("hadde ikke rett til dette", "had no right to this")),
        Mark::Open => Some(lang.say("venter fortsatt", "still waits")),
        Mark::Settled => Some(lang.say("ordnet senere", "settled later")),
    }
}

/// "n of n entries checked, m erased and no longer checkable".
pub(super) fn checked(lang: Lang, checked: &Checked) -> String {
    let (opened, all) = (lang.number(checked.opened), lang.number(checked.checkable()));
    let mut text = match lang {
        Lang::Nb => format!("{opened} av {all} oppføringer kontrollert"),
        Lang::En => format!("{opened} of {all} entries checked"),
    };
    if checked.erased > 0 {
        let erased = lang.number(checked.erased);
        text.push_str(&match lang {
            Lang::Nb => format!(", {erased} slettet og kan ikke lenger kontrolleres"),
            Lang::En => format!(", {erased} erased and no longer checkable"),
        });
    }
    text
}

/// That the log does not prove what the answers say, and where.
pub(super) fn alarm(lang: Lang, checked: &Checked) -> Option<Markup> {
    if checked.holds() {
        return None;
    }
    Some(html! {
        div class="ds-alert" data-color="danger" role="alert" {
            p { strong { (lang.say("Kontrollen holder ikke. Stol ikke på svarene.", "The check does not hold. Do not rely on the answers.")) } }
            @if !checked.in_tree {
                p { (lang.say("Bladene fører ikke til roten som er signert.", "The leaves do not lead to the root that is signed.")) }
            }
            @if checked.failed > 0 {
                p {
                    (lang.count(checked.failed, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                    (lang.say("kan ikke leses eller passer ikke til bladet sitt: ", "cannot be read or do not fit their leaf: "))
                    @for (i, index) in checked.failed_at.iter().enumerate() {
                        @if i > 0 { ", " }
                        a class="ds-link" href=(PageRoute::Entry(*index).path(lang)) { (index) }
                    }
                    "."
                }
            }
            p { (lang.say("Be driften stoppe Samband og kjøre ", "Ask the operator to stop Samband and run ")) code { "samband audit fsck" } "." }
        }
    })
}
