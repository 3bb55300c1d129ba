//! The witnesses of the log, as auditors see them: how each answered last, and how far a quorum has signed.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::layout::alert;
use super::row::time;
use crate::audit::witness::Refused;
use crate::gateway::{NotHeard, WitnessState, WitnessStatus, Witnesses};

/// What the log's witnesses did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witnessed {
    /// Size of the newest head with a quorum's cosignatures.
    quorum: Option<u64>,
    states: Vec<WitnessState>,
}

impl Witnessed {
    pub(super) fn of(witnesses: &Witnesses) -> Self {
        let quorum = witnesses.covering(0).filter(|cosigned| cosigned.is_quorum).map(|cosigned| cosigned.size);
        Self { quorum, states: witnesses.states() }
    }
}

/// The section of the log's page; none when no witness is configured.
pub(super) fn section(lang: Lang, witnessed: Option<&Witnessed>) -> Markup {
    html! {
        section aria-labelledby="witnesses" {
            h2 class="ds-heading" data-size="sm" id="witnesses" { (lang.say("Vitner", "Witnesses")) }
            @match witnessed {
                None => {
                    p {
                        (lang.say(
                            "Ingen vitner er satt opp. Uten vitner viser bare sammenligning av hoder at Samband forteller alle det samme.",
                            "No witness is configured. Without witnesses only comparing heads shows that Samband tells everyone the same.",
                        ))
                    }
                }
                Some(Witnessed { quorum, states }) => {
                    p {
                        (lang.say(
                            "Vitner er andres programmer. De signerer hvert hode bare hvis det bygger videre på det forrige de så.",
                            "Witnesses are other people's programs. They sign each head only if it continues the last one they saw.",
                        ))
                        " "
                        @match quorum {
                            Some(size) => { (lang.say("Nok av dem har signert hodet over ", "Enough of them have signed the head over ")) (lang.count(*size, ["oppføring", "oppføringer"], ["entry", "entries"])) "." }
                            None => { (lang.say("Ikke mange nok av dem har signert noe hode siden Samband startet.", "Not enough of them have signed any head since Samband started.")) }
                        }
                    }
                    @if states.iter().any(|state| state.status != WitnessStatus::Cosigned) {
                        (alert("warning", &html! { p { (lang.say("Minst ett vitne har ikke signert sist det ble spurt. Trafikken går som før.", "At least one witness did not sign when it was last asked. Traffic goes on as before.")) } }))
                    }
                    div class="scroll" role="group" aria-labelledby="witnesses" tabindex="0" {
                        table class="ds-table" {
                            thead { tr {
                                th scope="col" { (lang.say("Vitne", "Witness")) }
                                th scope="col" { (lang.say("Sist", "Last")) }
                                th scope="col" class="number" { (lang.say("Har sett", "Has seen")) }
                                th scope="col" { (lang.say("Signerte", "Signed")) }
                                th scope="col" { (lang.say("Spurt", "Asked")) }
                                th scope="col" class="number" { (lang.say("Feil på rad", "Failures in a row")) }
                            } }
                            tbody { @for state in states { (witness(lang, state)) } }
                        }
                    }
                }
            }
        }
    }
}

fn witness(lang: Lang, state: &WitnessState) -> Markup {
    let WitnessState { name, key_name, status: last, known_size, cosigned_at, asked_at, failures } = state;
    let never = lang.say("aldri", "never");
    html! {
        tr {
            td { (name) br; code class="long" { (key_name) } }
            td { (status(lang, *last)) }
            td class="number" { @match known_size { Some(size) => (lang.number(*size)), None => "–" } }
            td class="time" { @match cosigned_at { Some(at) => (time(*at)), None => (never) } }
            td class="time" { @match asked_at { Some(at) => (time(*at)), None => (never) } }
            td class="number" { (lang.number(u64::from(*failures))) }
        }
    }
}

/// How a witness answered last, in a few words.
const fn status(lang: Lang, status: WitnessStatus) -> &'static str {
    match status {
        WitnessStatus::NotAsked => lang.say("ikke spurt ennå", "not yet asked"),
        WitnessStatus::Cosigned => lang.say("signerte", "cosigned"),
        WitnessStatus::Ahead => lang.say(
            "kjenner en lengre logg enn denne: enda en Samband kjører, eller dette er en gammel kopi",
            "knows a longer log than this: another gateway runs, or this is an old copy",
        ),
        WitnessStatus::Refused(refused) => match refused {
            Refused::Malformed => lang.say("forsto ikke innsendingen", "takes the submission for malformed"),
            Refused::LogKey => lang.say("godtar ikke loggens signatur", "does not accept the log's signature"),
            Refused::UnknownLog => lang.say("kjenner ikke loggen", "does not know this log"),
            Refused::Inconsistent => {
                lang.say("kjenner en annen utgave av loggen: en av dem er forfalsket", "knows another tree of this log: one is a fork")
            }
            Refused::OutOfOrder => lang.say("er ute av drift", "is out of order"),
            _ => lang.say("svarte med noe annet enn et vitne svarer", "answered with something that is no witness's answer"),
        },
        WitnessStatus::NotHeard(why) => match why {
            NotHeard::Url => lang.say("adressen er ingen adresse", "its URL is none"),
            NotHeard::Unreachable => lang.say("kan ikke nås", "cannot be reached"),
            NotHeard::Tls => lang.say("TLS feilet", "TLS to it failed"),
            NotHeard::TooSlow => lang.say("svarte ikke i tide", "did not answer in time"),
            NotHeard::TooLong => lang.say("svarte uten ende", "its answer has no end"),
        },
    }
}

#[cfg(test)]
impl Witnessed {
    pub(super) fn sample() -> Self {
        use crate::domain::time::Timestamp;
        let of = |name: &str, status, failures| WitnessState {
            name: name.to_owned(),
            key_name: format!("{name}.example/<w>"),
            status,
            known_size: (failures == 0).then_some(1000),
            cosigned_at: (failures == 0).then_some(Timestamp::from_millis(1_795_000_000_000)),
            asked_at: None,
            failures,
        };
        Self {
            quorum: Some(1000),
            states: vec![
                of("one", WitnessStatus::Cosigned, 0),
                of("two", WitnessStatus::NotHeard(NotHeard::TooSlow), 3),
                of("three", WitnessStatus::Refused(Refused::Inconsistent), 1),
            ],
        }
    }
}
