//! What a checked bundle shows and answers, in words, in both languages.

use clap::ValueEnum;

use super::bundle::read::Proved;
use crate::audit::question::{Answer, Finding, Mark, Question};

/// A language of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Norsk bokmål
    Nb,
    /// English
    En,
}

impl Lang {
    /// The one of the two that is spoken.
    #[must_use]
    pub const fn say<'t>(self, nb: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Nb => nb,
            Self::En => en,
        }
    }
}

/// What was checked, and what was not.
#[must_use]
pub fn in_words(lang: Lang, proved: &Proved, key_was_given: bool) -> String {
    let Proved { manifest, verifier, head, checked, period, witnesses, answers: _ } = proved;
    let (from, last, all, opened, size) = (checked.from, checked.to - 1, checked.to - checked.from, checked.opened, head.size());
    let origin = &manifest.origin;
    let mut lines = match lang {
        Lang::Nb => vec![
            format!("holder: oppføring {from} til {last} i {origin}, hver og en, i denne rekkefølgen"),
            format!("{opened} av {all} oppføringer er åpnet, hver mot sitt blad"),
            format!("alle {all} blad leder til roten i det signerte hodet over {size} oppføringer; ingenting er utelatt i rekken"),
            "records.jsonl og records.csv sier det åpningene sier".to_owned(),
        ],
        Lang::En => vec![
            format!("holds: entries {from} to {last} of {origin}, every one, in this order"),
            format!("{opened} of {all} records were opened, each against its leaf"),
            format!("all {all} leaves lead to the root of the signed head of {size} entries; nothing is left out of the range"),
            "records.jsonl and records.csv say what the openings say".to_owned(),
        ],
    };
    if let Some((first, last)) = period {
        lines.insert(
            1,
            match lang {
                Lang::Nb => format!("de åpnede oppføringene er fra {first} til {last}, etter loggens egen klokke"),
                Lang::En => format!("the opened records are from {first} to {last}, by the log's own clock"),
            },
        );
    }
    if checked.erased > 0 {
        lines.push(match lang {
            Lang::Nb => format!("{} er slettet etter lagringsregelen og kan ikke kontrolleres lenger; bladene står", checked.erased),
            Lang::En => format!("{} are erased by their retention rule and no longer checkable; their leaves stand", checked.erased),
        });
    }
    if checked.closed > 0 {
        lines.push(match lang {
            Lang::Nb => format!("{} er lukket: utenfor det den som tok uttrekket får se, eller i andre saker", checked.closed),
            Lang::En => format!("{} are closed: outside the scope of whoever took the bundle, or of other cases", checked.closed),
        });
    }
    if let Some(case) = manifest.case_ref {
        lines.push(match lang {
            Lang::Nb => format!("åpne er oppføringene i sak {case}; at ingen lukket oppføring hører til den, kan ikke et uttrekk vise"),
            Lang::En => format!("open are the records of case {case}; that no closed one is of it cannot be shown by a bundle"),
        });
    }
    if !witnesses.is_empty() {
        let by = witnesses.join(", ");
        lines.push(match lang {
            Lang::Nb => format!("bevitnet av {by}, som er så mange som policyen krever"),
            Lang::En => format!("cosigned by {by}, which makes the policy's quorum"),
        });
    }
    lines.push(match (lang, key_was_given) {
        (Lang::Nb, true) => "signert med den oppgitte nøkkelen".to_owned(),
        (Lang::En, true) => "signed by the given key".to_owned(),
        (Lang::Nb, false) => {
            format!("signert med uttrekkets egen nøkkel; sammenlign den med den du kjenner, eller oppgi den med --vkey:\n  {verifier}")
        }
        (Lang::En, false) => {
            format!("signed by the bundle's own key; compare it with the one you know, or give that with --vkey:\n  {verifier}")
        }
    });
    lines.join("\n  ")
}

/// A prepared question.
#[must_use]
pub const fn title(lang: Lang, question: Question) -> &'static str {
    let (nb, en) = match question {
        Question::ResultsElsewhere => {
            ("Har et prøvesvar noen gang nådd andre enn den som rekvirerte det?", "Has a result ever reached anyone but its requisitioner?")
        }
        Question::Forbidden => ("Hvem har forsøkt det som ikke er lov?", "Who tried what was forbidden?"),
        Question::Overdue => ("Hva er over fristen?", "What is overdue?"),
        Question::Changed => ("Hva er rettet, trukket tilbake eller returnert?", "What was corrected, withdrawn or returned?"),
        Question::Erased => ("Hva er slettet, og når?", "What was erased, and when?"),
        Question::Read => ("Hvem har lest loggen?", "Who read the log?"),
    };
    lang.say(nb, en)
}

/// The answer in a sentence with what it says nothing of, and whether someone should look at it.
#[must_use]
pub fn sentence(lang: Lang, answer: &Answer) -> (String, bool) {
    let (said, look) = verdict(lang, &answer.finding);
    let (n, (gone, closed)) = (answer.checked.opened, answer.not_read());
    let said = match (gone + closed, lang) {
        (0, _) => said,
        (_, Lang::Nb) => format!(
            "Blant {n} kontrollerte oppføringer: {said} Om de andre sier svaret ingenting: {gone} slettet og kan ikke lenger kontrolleres, {closed} lukket i uttrekket."
        ),
        (_, Lang::En) => format!(
            "Among the {n} entries checked: {said} Of the others it says nothing: {gone} erased and no longer checkable, {closed} closed in this bundle."
        ),
    };
    (said, look)
}

fn verdict(lang: Lang, finding: &Finding) -> (String, bool) {
    match *finding {
        Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved } => {
            let rest = match (lang, unresolved) {
                (_, 0) => String::new(),
                (Lang::Nb, more) => {
                    format!(" Om {more} til kan ingenting sies: det de hører til, er slettet eller ligger før dette uttrekket.")
                }
                (Lang::En, more) => {
                    format!(" Of {more} more nothing can be said: what they belong to is erased or lies before this bundle.")
                }
            };
            let said = match (lang, elsewhere) {
                (Lang::Nb, 0) => "Ingen har det".to_owned(),
                (Lang::Nb, some) => format!("{some} har det"),
                (Lang::En, 0) => "None has".to_owned(),
                (Lang::En, some) => format!("{some} have"),
            };
            let among = match lang {
                Lang::Nb => format!("blant {results} mottatte prøvesvar og {deliveries} utleveringer og bekreftelser av prøvesvar"),
                Lang::En => format!("among {results} results accepted and {deliveries} hand-outs and acknowledgements of results"),
            };
            (format!("{said}, {among}.{rest}"), elsewhere > 0)
        }
        Finding::Forbidden { refused, forbidden, summed, strangers, participants } => {
            let text = match lang {
                Lang::Nb => format!(
                    "{forbidden} kall som den som ringte ikke hadde lov til, blant {refused} avslag til {participants} deltakere; {summed} til er talt \
                     opp per minutt, og {strangers} med sertifikater som ingen her har."
                ),
                Lang::En => format!(
                    "{forbidden} calls that the caller had no right to make, among {refused} refusals of {participants} participants; {summed} more \
                     were counted by the minute, and {strangers} of certificates that are nobody's."
                ),
            };
            (text, forbidden > 0)
        }
        Finding::Overdue { open, settled } => {
            let text = match lang {
                Lang::Nb => format!("{open} meldinger er over fristen ved slutten av rekken; {settled} var det og er avgjort."),
                Lang::En => format!("{open} messages are overdue at the end of the range; {settled} were and have been settled."),
            };
            (text, open > 0)
        }
        Finding::Changed { corrected, withdrawn, returned } => {
            let text = match lang {
                Lang::Nb => format!("{corrected} meldinger er rettet, {withdrawn} trukket tilbake, {returned} varsler returnert."),
                Lang::En => format!("{corrected} messages corrected, {withdrawn} withdrawn, {returned} notices returned."),
            };
            (text, false)
        }
        Finding::Erased { contents, months, records, undelivered } => {
            let text = match lang {
                Lang::Nb => format!(
                    "Innholdet i {contents} meldinger, slik regelen krever; {months} måneder med {records} oppføringer; {undelivered} meldinger ble \
                     avsluttet uhentet med saken sin."
                ),
                Lang::En => format!(
                    "The content of {contents} messages, as their rule demands; {months} months with {records} records; {undelivered} messages ended \
                     undelivered with their case."
                ),
            };
            (text, undelivered > 0)
        }
        Finding::Read { reads, readers, reviews } => {
            let text = match lang {
                Lang::Nb => format!("{readers} lesere, med {reads} spørsmål; {reviews} gjennomganger er bekreftet."),
                Lang::En => format!("{readers} readers, by {reads} questions; {reviews} reviews were stated."),
            };
            (text, false)
        }
    }
}

/// What a row stands for.
#[must_use]
pub const fn mark(lang: Lang, mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "",
        Mark::Elsewhere => lang.say("annet sted", "elsewhere"),
        Mark::Unresolved => lang.say("kan ikke sies", "cannot be told"),
        Mark::Forbidden => lang.say("ikke lov", "forbidden"),
        Mark::Open => lang.say("åpen", "open"),
        Mark::Settled => lang.say("avgjort", "settled"),
    }
}
