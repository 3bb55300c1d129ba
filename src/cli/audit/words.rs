//! What a checked bundle shows, in words, in both languages.

use super::bundle::read::Proved;
use crate::audit::question::{Period, words};
pub use crate::domain::lang::Lang;

/// Which time was asked about.
fn between(lang: Lang, Period { from, to }: Period) -> String {
    let since = from.map(|from| format!("{} {from}", lang.say("fra", "from")));
    let until = to.map(|to| format!("{} {to}", lang.say("før", "before")));
    since.into_iter().chain(until).collect::<Vec<_>>().join(" ")
}

/// What was checked, and what was not.
#[must_use]
pub fn in_words(lang: Lang, proved: &Proved, key_was_given: bool) -> String {
    let Proved { manifest, verifier, head, checked, period, times, witnesses, answers: _, holds: _ } = proved;
    let (from, last, all, opened, size) = (checked.from, checked.to - 1, checked.to - checked.from, manifest.open, head.size());
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
    if let Some((first, last)) = times {
        lines.insert(
            1,
            match lang {
                Lang::Nb => format!("de åpnede oppføringene er fra {first} til {last}, etter loggens egen klokke"),
                Lang::En => format!("the opened records are from {first} to {last}, by the log's own clock"),
            },
        );
    }
    if manifest.erased > 0 {
        lines.push(match lang {
            Lang::Nb if manifest.erased == 1 => "1 er merket som slettet; at den er det, kan ikke et uttrekk vise; bladet står".to_owned(),
            Lang::En if manifest.erased == 1 => "1 is marked as erased; a bundle cannot show that it was; its leaf stands".to_owned(),
            Lang::Nb => format!("{} er merket som slettet; at de er det, kan ikke et uttrekk vise; bladene står", manifest.erased),
            Lang::En => format!("{} are marked as erased; a bundle cannot show that they were; their leaves stand", manifest.erased),
        });
    }
    if manifest.closed > 0 {
        lines.push(match lang {
            Lang::Nb => format!("{} er merket som lukket: utenfor det den som tok uttrekket får se, eller i andre saker", manifest.closed),
            Lang::En => {
                let are = if manifest.closed == 1 { "is" } else { "are" };
                let others = if manifest.closed == 1 { "another case" } else { "other cases" };
                format!("{} {are} marked as closed: outside the scope of whoever took the bundle, or of {others}", manifest.closed)
            }
        });
    }
    if *period != Period::default() {
        let (when, said) = (between(lang, *period), words::checked(lang, &checked.basis()));
        lines.push(match lang {
            Lang::Nb => format!("av perioden {when}: {said}"),
            Lang::En => format!("of the period {when}: {said}"),
        });
    }
    if let Some(case) = manifest.case_ref {
        lines.push(match lang {
            Lang::Nb => format!(
                "hver åpen oppføring er i sak {case}; om saken har flere, lukkede, slettede eller utenfor rekken, kan ikke et uttrekk vise"
            ),
            Lang::En => format!(
                "every open record is of case {case}; whether the case has more, closed, erased or outside the range, a bundle cannot show"
            ),
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
