//! The state of the log: how long it is, under which signed head, what waits, and which certificates end soon.

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::{alert, check_yourself};
use super::period::Days;
use super::row::time;
use super::witnesses::{self, Witnessed};
use super::{Page, Place, answers};
use crate::audit::question::words;
use crate::audit::range::Checked;
use crate::domain::time::Timestamp;
use crate::gateway::{LogState, Refusal};
use crate::policy::permit::Caller;
use crate::store::{NOTICE_AGES_DAYS, Stats};
use crate::tls::expiry::{self, Holder, Nearness};

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    origin: String,
    size: u64,
    root: String,
    /// The head as it was signed.
    checkpoint: String,
    stats: Stats,
    /// Entries before it are erased, but for what holds keep: that is said whether they keep any or not.
    first_kept: u64,
    last_check: Option<(Timestamp, Checked)>,
    sees_all: bool,
    certificates: Vec<Certificate>,
    crl_due: Option<Timestamp>,
    /// None when no witness is configured.
    witnesses: Option<Witnessed>,
    /// The log's time, where it lies ahead of the clock.
    stands_at: Option<Timestamp>,
    now: Timestamp,
}

/// The log's time may lie so far ahead of the clock before the page speaks of it, in milliseconds.
const STANDS_MILLIS: i64 = 60_000;

/// A certificate and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// None for the gateway's own.
    whose: Option<String>,
    not_after: Timestamp,
}

impl Certificate {
    pub(super) fn ends_soon(&self, now: Timestamp) -> bool {
        Nearness::of(self.not_after, now).is_some()
    }
}

/// The head, that it continues the one that was seen last, and the whole log below it.
const COMMANDS: &str = "samband audit checkpoint --vkey log.vkey
samband audit watch --vkey log.vkey --mark watch.checkpoint --once
samband audit export --vkey log.vkey --out log.tar
samband audit verify log.tar --vkey log.vkey";

impl Log {
    pub(super) async fn load(site: &Site, caller: &Caller) -> Result<Self, Refusal> {
        let LogState { stats, checkpoint, first_kept, last_check } = site.gateway.log_state(caller).await?;
        let text = String::from_utf8_lossy(&checkpoint).into_owned();
        // Three lines of the note's text: origin, size, root.
        let mut lines = text.lines().map(ToOwned::to_owned);
        let (origin, size, root) = (lines.next(), lines.next(), lines.next());
        let (now, log_time) = (site.gateway.now(), site.gateway.store().now());
        Ok(Self {
            origin: origin.unwrap_or_default(),
            size: size.and_then(|size| size.parse().ok()).unwrap_or(stats.durable_size),
            root: root.unwrap_or_default(),
            checkpoint: text,
            stats,
            first_kept,
            last_check: last_check.map(|check| (check.at, check.checked)),
            sees_all: site.gateway.sight(caller).parties().is_none(),
            certificates: certificates(site, caller, now),
            crl_due: site.tls.crl_next_update(),
            witnesses: site.gateway.witnesses().map(|witnesses| Witnessed::of(witnesses)),
            stands_at: (log_time > now.plus_millis(STANDS_MILLIS)).then_some(log_time),
            now,
        })
    }
}

/// The gateway's certificates and the client CAs, and those of participants in the caller's sight that end soon. The register enrols keys, so a
/// participant's certificate is known once it is shown.
pub(super) fn certificates(site: &Site, caller: &Caller, now: Timestamp) -> Vec<Certificate> {
    let register = site.gateway.store().register();
    let sight = site.gateway.sight(caller);
    let mut found: Vec<Certificate> = Vec::new();
    for expiry::Certificate { holder, not_after } in site.tls.certificates() {
        let whose = match &holder {
            Holder::Gateway => None,
            Holder::GatewayChain(name) | Holder::ClientCa(name) | Holder::WitnessCa(name) => Some(name.clone()),
            Holder::IssuingCa(name) => {
                let Some(_) = Nearness::of(not_after, now) else { continue };
                Some(name.clone())
            }
            Holder::Participant(id, label) => {
                let is_seen = sight.parties().is_none_or(|parties| parties.contains(id));
                let Some(participant) = register.get(id).filter(|_| is_seen && Nearness::of(not_after, now).is_some()) else { continue };
                Some(format!("{} ({label})", participant.name))
            }
        };
        let shown = Certificate { whose, not_after };
        if !found.contains(&shown) {
            found.push(shown);
        }
    }
    // The gateway's own stays first.
    found[1..].sort_by_key(|certificate| certificate.not_after);
    found
}

impl Page for Log {
    fn title(&self, lang: Lang) -> String {
        lang.say("Loggens tilstand", "State of the log").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Log)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Log)
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            p class="lead" {
                (lang.say("Loggen har ", "The log has ")) strong { (lang.count(self.size, ["oppføring", "oppføringer"], ["entry", "entries"])) } ". "
                (lang.say(
                    "Hver av dem er låst til alle de andre gjennom ett tall, roten. Samband har signert roten, så ingenting kan fjernes, endres eller settes inn uten at det vises.",
                    "Each is bound to all the others by one number, the root. Samband has signed the root, so nothing can be removed, changed or inserted without it showing.",
                ))
            }
            (self.head(lang))
            (witnesses::section(lang, self.witnesses.as_ref()))
            // Counts of everyone's messages are for whoever sees everyone.
            @if self.sees_all {
                (self.waiting(lang))
                (self.ends(lang))
            }
        }
    }
}

impl Log {
    fn head(&self, lang: Lang) -> Markup {
        html! {
            section aria-labelledby="head" {
                h2 class="ds-heading" data-size="sm" id="head" { (lang.say("Det signerte hodet", "The signed head")) }
                dl class="facts" {
                    dt { (lang.say("Loggens navn", "Name of the log")) }
                    dd { code class="long" { (self.origin) } }
                    dt { (lang.say("Oppføringer", "Entries")) }
                    dd { (lang.number(self.size)) }
                    dt { (lang.say("Publisert som fliser", "Published as tiles")) }
                    dd { (lang.number(self.stats.published_size)) }
                    @if self.first_kept > 0 {
                        dt { (lang.say("Slettet etter lagringsregelen", "Erased by the retention rule")) }
                        dd { (lang.say("oppføring 0 til ", "entries 0 to ")) (self.first_kept - 1) (lang.say(", unntatt det sperringer beholder; bladene står fortsatt", ", but for what legal holds keep; their leaves still stand")) }
                    }
                    @if let Some(at) = self.stands_at {
                        dt { (lang.say("Loggens tid står", "The log's time stands")) }
                        dd {
                            (lang.say("på ", "at ")) (time(at)) (lang.say(
                                ": klokken gikk for langt fram en stund. Oppføringer får dette tidspunktet til klokken har nådd det; rekkefølgen er den de kom i.",
                                ": the clock was ahead for a while. Entries bear this time until the clock has reached it; their order is that in which they came.",
                            ))
                        }
                    }
                    dt { (lang.say("Siste fulle kontroll", "Last complete check")) }
                    dd {
                        @match &self.last_check {
                            Some((at, checked)) => { (time(*at)) ": " (words::checked(lang, &checked.basis())) }
                            None => { (lang.say("ingen siden Samband startet; ", "none since Samband started; ")) a class="ds-link" href=(PageRoute::Front(Days { anew: true, ..Days::default() }).path(lang)) { (lang.say("kontroller nå", "check now")) } }
                        }
                    }
                    dt { (lang.say("Rot", "Root")) }
                    dd { code class="long" { (self.root) } }
                }
                @if let Some(alarm) = self.last_check.as_ref().and_then(|(_, checked)| answers::alarm(lang, checked)) { (alarm) }
                details class="ds-details" {
                    summary { (lang.say("Hodet slik det er signert (checkpoint)", "The head as it is signed (checkpoint)")) }
                    div { pre tabindex="0" { code { (self.checkpoint) } } }
                }
                (check_yourself(lang, COMMANDS, "AuditService/GetCheckpoint", Some(html! {
                    @if let Some(refused) = self.last_check.as_ref().and_then(|(_, checked)| answers::refused_meanwhile(lang, checked.holds())) { (refused) }
                    p {
                        (lang.say("Hele loggen kan hentes herfra og kontrolleres med programmer vi ikke har skrevet: ", "The whole log can be fetched from here and checked by programs that we did not write: "))
                        code { "/checkpoint" } ", " code { "/tile/…" } ", " code { "/tile/entries/…" } " (C2SP tlog-tiles)."
                    }
                })))
            }
        }
    }

    fn waiting(&self, lang: Lang) -> Markup {
        html! {
            section aria-labelledby="waiting" {
                h2 class="ds-heading" data-size="sm" id="waiting" { (lang.say("Meldinger som venter", "Messages that wait")) }
                dl class="tiles" {
                    div { dt { (lang.say("Ikke bekreftet av mottaker", "Not acknowledged")) } dd { (lang.number(self.stats.undelivered)) } }
                    div { dt { (lang.say("Av dem over fristen", "Of these overdue")) } dd { (lang.number(self.stats.overdue)) } }
                    div { dt { (lang.say("Åpne saker", "Open cases")) } dd { (lang.number(self.stats.cases)) } }
                }
                table class="ds-table narrow" {
                    caption { (lang.say("Meldinger om vilkår som ingen har bekreftet, etter alder", "Condition notices that nobody acknowledged, by age")) }
                    thead { tr { th scope="col" { (lang.say("Minst så gamle", "At least this old")) } th scope="col" class="number" { (lang.say("Antall", "Count")) } } }
                    tbody {
                        @for (days, count) in NOTICE_AGES_DAYS.iter().zip(self.stats.notices_older_than) {
                            tr {
                                td { (lang.count(days.unsigned_abs(), ["dag", "dager"], ["day", "days"])) }
                                td class="number" { (lang.number(count)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn ends(&self, lang: Lang) -> Markup {
        html! {
            section aria-labelledby="certificates" {
                h2 class="ds-heading" data-size="sm" id="certificates" { (lang.say("Sertifikater", "Certificates")) }
                @if self.certificates.iter().any(|certificate| certificate.ends_soon(self.now)) {
                    (alert("warning", &html! { p { (lang.say("Minst ett sertifikat løper ut innen 60 dager.", "At least one certificate ends within 60 days.")) } }))
                }
                dl class="facts" {
                    @for Certificate { whose, not_after } in &self.certificates {
                        dt { @match whose { Some(whose) => (whose), None => (lang.say("Sambands eget", "Samband's own")) } }
                        dd { (lang.say("gyldig til ", "valid to ")) (time(*not_after)) }
                    }
                    @if let Some(due) = self.crl_due {
                        dt { (lang.say("Sperrelisten skal fornyes", "The revocation list is due")) }
                        dd { (time(due)) }
                    }
                }
                p class="quiet" {
                    (lang.say(
                        "Deltakernes sertifikater vises når de er brukt siden Samband startet og løper ut innen 60 dager. Registeret fører nøkler, ikke sertifikater.",
                        "Participants' certificates are shown when they were used since Samband started and end within 60 days. The register enrols keys, not certificates.",
                    ))
                }
            }
        }
    }
}

#[cfg(test)]
impl Log {
    pub(super) fn samples() -> Vec<Self> {
        use crate::domain::time::DAY_MILLIS;
        let now = Timestamp::from_millis(1_795_000_000_000);
        let of = |whose: Option<&str>, days, last_check, sees_all| Self {
            origin: "log.example/<x>".to_owned(),
            size: 1_234_567,
            root: "root=".to_owned(),
            checkpoint: "log.example\n1\nroot=\n".to_owned(),
            stats: Stats { undelivered: 5, overdue: 2, notices_older_than: [5, 4, 3, 2, 1, 0], ..Stats::default() },
            first_kept: days,
            last_check,
            sees_all,
            certificates: vec![
                Certificate { whose: None, not_after: now.plus_millis(400 * DAY_MILLIS) },
                Certificate {
                    whose: whose.map(ToOwned::to_owned),
                    not_after: now.plus_millis(i64::try_from(days).unwrap_or(0) * DAY_MILLIS),
                },
            ],
            crl_due: Some(now),
            witnesses: sees_all.then(Witnessed::sample),
            stands_at: sees_all.then(|| now.plus_millis(3 * DAY_MILLIS)),
            now,
        };
        let check = (now, super::tests::checked(true));
        let failed = (now, super::tests::checked(false));
        vec![of(Some("Oslo <p> (dev)"), 29, Some(check), true), of(None, 0, None, false), of(None, 0, Some(failed), true)]
    }
}
