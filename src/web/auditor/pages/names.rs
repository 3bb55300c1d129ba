//! What things are called: kinds of events, roles, calls, reasons. The matches are complete, so that a new one cannot come without both its names.

use super::super::lang::Lang;
use crate::audit::event::{ReloadFault, TABLE, kind};
use crate::audit::question::{Question, words};
use crate::domain::hold::HoldReason;
use crate::domain::participant::Role;
use crate::domain::reason::{NoticeReturn, NoticeWithdrawal, ReportWithdrawal, ResultWithdrawal};
use crate::domain::time::Timestamp;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

/// A role.
pub(super) const fn role(lang: Lang, role: Role) -> &'static str {
    match role {
        Role::Prosecution => lang.say("påtalemyndighet", "prosecution"),
        Role::MunicipalUnit => lang.say("rådgivende enhet", "municipal unit"),
        Role::Laboratory => lang.say("laboratorium", "laboratory"),
        Role::Auditor => lang.say("revisor", "auditor"),
        Role::Mirror => lang.say("speil av loggen", "mirror of the log"),
    }
}

/// A kind of event by its number, as a reader would say it.
pub(crate) fn kind(lang: Lang, number: u16) -> &'static str {
    let (nb, en) = match number {
        1 => ("Loggen ble åpnet", "Log opened"),
        2 => ("Samband startet", "Samband started"),
        3 => ("Samband stoppet", "Samband stopped"),
        4 => ("Deltakerregister trådte i kraft", "Participant register came into force"),
        5 => ("Oppføring gått tapt", "Entry lost"),
        6 => ("Revisorenes innsyn trådte i kraft", "Auditors' scopes came into force"),
        7 => ("Sertifikater og sperrelister trådte i kraft", "Certificates and revocation lists came into force"),
        8 => ("Ny fil ble ikke tatt i bruk", "New file not taken into force"),
        10 => ("Melding om vilkår mottatt", "Condition notice accepted"),
        11 => ("Melding om vilkår trukket tilbake", "Condition notice withdrawn"),
        12 => ("Melding om uteblivelse mottatt", "Non-attendance report accepted"),
        13 => ("Melding om uteblivelse trukket tilbake", "Non-attendance report withdrawn"),
        14 => ("Prøvesvar mottatt", "Lab result accepted"),
        15 => ("Prøvesvar trukket tilbake", "Lab result withdrawn"),
        16 => ("Melding prøvd uten å sendes", "Message validated, not sent"),
        20 => ("Utlevert til mottaker", "Handed out to recipient"),
        21 => ("Bekreftet av mottaker", "Acknowledged by recipient"),
        22 => ("Melding om vilkår returnert", "Condition notice returned"),
        23 => ("Over fristen", "Overdue"),
        24 => ("Saken er avsluttet", "Case ended"),
        25 => ("Avsluttet uten å være hentet", "Ended undelivered"),
        26 => ("Saken er glemt", "Case forgotten"),
        30 => ("Innhold slettet", "Content erased"),
        31 => ("Oppføringer slettet etter regelen", "Records erased by their rule"),
        32 => ("Sperrede oppføringer slettet", "Held records erased"),
        40 => ("Nektet", "Refused"),
        41 => ("Nektet, flere i samme minutt", "Refused, several in one minute"),
        42 => ("Ukjente nektet", "Strangers refused"),
        50 => ("Kontaktpunkt satt", "Contact set"),
        51 => ("Etterfølger overtok", "Successor took over"),
        60 => ("Loggen ble lest", "Log read"),
        61 => ("Spørsmål stilt til loggen", "Log asked"),
        62 => ("Periode gjennomgått", "Period reviewed"),
        63 => ("Sak sperret mot sletting", "Legal hold placed on a case"),
        64 => ("Sperring opphevet", "Legal hold lifted"),
        65 => ("Sperring utløpt", "Legal hold ended"),
        _ => ("Annen hendelse", "Other event"),
    };
    lang.say(nb, en)
}

/// The stable name of a kind, as the command line and the calls have it.
pub(super) fn kind_code(number: u16) -> &'static str {
    TABLE.iter().find(|row| row.number == number).map_or("UNKNOWN", |row| row.name)
}

/// A withdrawal's, a return's or a refusal's reason, by the kind of its event.
pub(crate) fn reason_of(lang: Lang, kind: u16, number: u16) -> String {
    let word = match kind {
        kind::NOTICE_WITHDRAWN => NoticeWithdrawal::of_number(number).map(|why| notice_withdrawal(lang, why)),
        kind::REPORT_WITHDRAWN => ReportWithdrawal::of_number(number).map(|why| report_withdrawal(lang, why)),
        kind::RESULT_WITHDRAWN => ResultWithdrawal::of_number(number).map(|why| result_withdrawal(lang, why)),
        kind::NOTICE_RETURNED => NoticeReturn::of_number(number).map(|why| notice_return(lang, why)),
        kind::HOLD_PLACED => HoldReason::of_number(number).map(|why| hold(lang, why)),
        kind::RELOAD_FAILED => ReloadFault::of_number(number).map(|why| reload_fault(lang, why)),
        _ => Reason::of_number(number).map(|why| reason(lang, why)),
    };
    word.map_or_else(|| number.to_string(), ToOwned::to_owned)
}

const SENT_IN_ERROR: (&str, &str) = ("sendt ved en feil", "sent in error");

/// Why a notice was withdrawn.
const fn notice_withdrawal(lang: Lang, why: NoticeWithdrawal) -> &'static str {
    let (nb, en) = match why {
        NoticeWithdrawal::SentInError => SENT_IN_ERROR,
        NoticeWithdrawal::WrongSubject => ("gjelder feil person", "about the wrong person"),
        NoticeWithdrawal::WrongMunicipality => ("feil kommune", "wrong municipality"),
        NoticeWithdrawal::SubjectMoved => ("oppholdskommunen er en annen", "municipality of stay has changed"),
        NoticeWithdrawal::ConditionRevoked => ("vilkåret står ikke lenger", "the condition no longer stands"),
        NoticeWithdrawal::CaseTransferred => ("saken er overført", "the case was transferred"),
    };
    lang.say(nb, en)
}

/// Why a report was withdrawn.
const fn report_withdrawal(lang: Lang, why: ReportWithdrawal) -> &'static str {
    let (nb, en) = match why {
        ReportWithdrawal::SentInError => SENT_IN_ERROR,
        ReportWithdrawal::WrongCase => ("gjelder en annen sak", "belongs to another case"),
    };
    lang.say(nb, en)
}

/// Why a result was withdrawn.
const fn result_withdrawal(lang: Lang, why: ResultWithdrawal) -> &'static str {
    let (nb, en) = match why {
        ResultWithdrawal::SentInError => SENT_IN_ERROR,
        ResultWithdrawal::WrongSample => ("gjelder en annen prøve", "belongs to another sample"),
        ResultWithdrawal::AnalysisError => ("feil i analysen", "the analysis was wrong"),
    };
    lang.say(nb, en)
}

/// Why a notice was returned.
const fn notice_return(lang: Lang, why: NoticeReturn) -> &'static str {
    match why {
        NoticeReturn::NotStayingHere => lang.say("oppholder seg ikke her", "not staying here"),
        NoticeReturn::CannotIdentify => lang.say("kan ikke identifisere", "cannot identify"),
    }
}

/// Why a case is held.
const fn hold(lang: Lang, why: HoldReason) -> &'static str {
    let (nb, en) = match why {
        HoldReason::SupervisoryInspection => ("tilsyn med behandlingen", "supervisory inspection"),
        HoldReason::Complaint => ("klage på behandlingen", "complaint"),
        HoldReason::CourtProceedings => ("rettssak eller etterforsking", "court proceedings"),
        HoldReason::DataSubjectRequest => ("krav om innsyn, retting eller sletting", "data subject's request"),
        HoldReason::SecurityIncident => ("brudd på sikkerheten", "security incident"),
    };
    lang.say(nb, en)
}

/// Why a new file did not come into force.
const fn reload_fault(lang: Lang, why: ReloadFault) -> &'static str {
    let (nb, en) = match why {
        ReloadFault::Unreadable => ("kan ikke leses", "cannot be read"),
        ReloadFault::Permissions => ("andre på maskinen kan lese den", "others on the machine can read it"),
        ReloadFault::Malformed => ("feil format", "not of its format"),
        ReloadFault::KeyMismatch => ("nøkkelen hører ikke til sertifikatet", "the key is not the certificate's"),
        ReloadFault::Authority => ("kan ikke være utsteder", "cannot serve as a CA"),
        ReloadFault::NotValidNow => ("gjelder ikke nå", "not valid now"),
        ReloadFault::NotSigned => ("ikke signert av utstederen", "not signed by its issuer"),
        ReloadFault::OlderList => ("eldre enn listen som gjelder", "older than the list in force"),
        ReloadFault::TestCa => ("testutsteder i produksjon", "test CA in production"),
        ReloadFault::Rule => ("bryter en regel for registeret", "breaks a rule of the register"),
        ReloadFault::Store => ("lageret tok den ikke imot", "the store did not take it"),
        ReloadFault::Other => ("annen feil", "another fault"),
        ReloadFault::Purpose => ("ikke et tjenersertifikat", "not a server's certificate"),
        ReloadFault::FutureList => ("en liste fra fremtiden", "a list from the future"),
        ReloadFault::ListMissing => ("en liste mangler", "a list is missing"),
        ReloadFault::NotVouched => ("ingen oppsatt utsteder står inne for den", "no configured CA vouches for it"),
        ReloadFault::Silent => ("filsystemet svarer ikke", "its file system does not answer"),
    };
    lang.say(nb, en)
}

/// Why somebody was refused, in a few words.
pub(super) const fn reason(lang: Lang, reason: Reason) -> &'static str {
    let (nb, en) = match reason {
        Reason::NotEnrolled => ("ikke i registeret", "not enrolled"),
        Reason::ParticipantSuspended => ("deltakeren er suspendert", "participant suspended"),
        Reason::ParticipantRetired => ("deltakeren er nedlagt", "participant retired"),
        Reason::CallNotAllowed => ("rollen har ikke lov til dette", "not allowed for this role"),
        Reason::IdentityWithdrawn => ("nøkkelen gjelder ikke lenger", "key no longer valid"),
        Reason::Malformed => ("kan ikke leses", "cannot be read"),
        Reason::UnknownField => ("ukjent felt", "unknown field"),
        Reason::DuplicateField => ("et felt står to ganger", "a field stands twice"),
        Reason::ContentInvalid => ("innholdet bryter en regel", "content breaks a rule"),
        Reason::TooLarge => ("for stor", "too large"),
        Reason::BadMessageId => ("ugyldig meldings-id", "bad message id"),
        Reason::BadContentSalt => ("ugyldig salt", "bad content salt"),
        Reason::BadReference => ("ugyldig referanse", "bad reference"),
        Reason::BadReferenceCheck => ("referansens kontrolltegn stemmer ikke", "reference check failed"),
        Reason::BadArgument => ("ugyldig verdi", "bad value"),
        Reason::BodyMissing => ("meldingen er tom", "message is empty"),
        Reason::ReplacesMissing => ("sier ikke hva som trekkes tilbake", "does not say what is withdrawn"),
        Reason::StaleMessageId => ("meldings-id er for gammel eller fram i tid", "message id too old or ahead of time"),
        Reason::MessageIdReused => ("meldings-id brukt om annet innhold", "message id used for other content"),
        Reason::MunicipalityNotServed => ("kommunen har ingen enhet her", "municipality not served"),
        Reason::UnitContactMissing => ("enheten mangler kontaktpunkt", "unit has no contact"),
        Reason::ContactUnknown => ("ukjent kontaktpunkt", "unknown contact"),
        Reason::LaboratoryUnknown => ("ukjent laboratorium", "unknown laboratory"),
        Reason::LaboratoryRetired => ("laboratoriet er nedlagt", "laboratory retired"),
        Reason::DecisionInFuture => ("vedtaket er fram i tid", "decision lies ahead"),
        Reason::ProbationOver => ("prøvetiden er over", "probation is over"),
        Reason::ReplacesUnknown => ("ukjent melding å rette", "unknown message to replace"),
        Reason::ReplacesSettled => ("alt rettet eller trukket tilbake", "already replaced or withdrawn"),
        Reason::SubjectDiffers => ("gjelder en annen person", "about another person"),
        Reason::ReplacesOther => ("retter noe annet", "replaces something else"),
        Reason::TooManyCorrections => ("for mange rettelser", "too many corrections"),
        Reason::ReferenceUnknown => ("ukjent referanse", "unknown reference"),
        Reason::CaseEnded => ("saken er avsluttet", "case ended"),
        Reason::RequisitionWithdrawn => ("rekvisisjonen er trukket tilbake", "requisition withdrawn"),
        Reason::CollectedOutsidePeriod => ("prøven er tatt utenfor perioden", "collected outside the period"),
        Reason::MatrixNotOrdered => ("prøvematerialet er ikke bestilt", "matrix not ordered"),
        Reason::GroupNotOrdered => ("stoffgruppen er ikke bestilt", "group not ordered"),
        Reason::GroupMissing => ("en bestilt stoffgruppe mangler", "ordered group missing"),
        Reason::ResultExists => ("prøven har alt et svar", "result exists"),
        Reason::NoticeNotAcknowledged => ("meldingen om vilkår er ikke bekreftet", "notice not acknowledged"),
        Reason::NoticeReturned => ("meldingen om vilkår er returnert", "notice was returned"),
        Reason::NoticeWithdrawn => ("meldingen om vilkår er trukket tilbake", "notice was withdrawn"),
        Reason::UnitChanged => ("en annen enhet har saken", "another unit has the case"),
        Reason::ConditionNotSet => ("det vilkåret er ikke satt", "no such condition set"),
        Reason::DateOutsideProbation => ("datoen er utenfor prøvetiden", "date outside probation"),
        Reason::ItemUnknown => ("ukjent sending", "unknown item"),
        Reason::NotReturnable => ("kan ikke returneres", "not returnable"),
        Reason::MessageUnknown => ("ukjent melding", "unknown message"),
        Reason::EntryUnknown => ("ingen slik oppføring", "no such entry"),
        Reason::RecordErased => ("oppføringen er slettet etter regelen", "record erased by its rule"),
        Reason::CursorAhead => ("peker forbi enden", "cursor ahead"),
        Reason::ParticipantUnknown => ("ukjent deltaker", "unknown participant"),
        Reason::PeriodNotOver => ("perioden er ikke over", "period is not over"),
        Reason::PeriodBeforeRecords => {
            ("perioden begynner før den første oppføringen som finnes", "period begins before the first record kept")
        }
        Reason::PeriodTooLong => ("perioden er for lang for ett svar", "period too long for one answer"),
        Reason::HoldOfAnother => ("en annens sperring", "another's hold"),
        Reason::HoldEndPast => ("sperringens siste dag er passert", "last day of the hold is past"),
        Reason::HoldTooLong => ("sperringen varer lenger enn lovlig", "hold lasts longer than is lawful"),
        Reason::HoldUnknown => ("ingen sperring på saken", "no hold on the case"),
        Reason::TooManyHolds => ("for mange sperringer", "too many holds"),
        Reason::RateLimited => ("for mange kall", "too many calls"),
        Reason::ReferencesLimited => ("for mange ukjente referanser", "too many unknown references"),
        Reason::TooManyStreams => ("for mange åpne strømmer", "too many streams"),
        Reason::StorageFull => ("disken er nesten full", "disk nearly full"),
        Reason::Unavailable => ("Samband starter eller stopper", "Samband is starting or stopping"),
        Reason::DeadlineExceeded => ("det tok for lang tid", "it took too long"),
        Reason::Overloaded => ("for mye å gjøre akkurat nå", "too busy just now"),
        Reason::Internal => ("en feil i Samband", "a fault of Samband"),
        Reason::DataDamaged => ("dataene her er skadet", "the data here is damaged"),
        Reason::Unimplemented => ("finnes ikke", "does not exist"),
        Reason::TooManyCalls => ("for mange kall samtidig", "too many calls at once"),
        Reason::TooManyBytes => ("for mye data samtidig", "too much data at once"),
        Reason::MailboxFull => ("mottakerens postkasse er full", "the recipient's mailbox is full"),
        Reason::CompressionNotOffered => ("komprimert kall", "a compressed call"),
        Reason::NotGrpc => ("ikke et gRPC-kall", "no gRPC call"),
        Reason::OneMessageOnly => ("mer enn én melding i et kall", "more than one message in a call"),
        Reason::AnotherSite => ("et annet nettsted spurte", "another site asked"),
        Reason::StreamTakenOver => ("en nyere strøm tok over", "a newer stream took over"),
    };
    lang.say(nb, en)
}

/// A call, as what somebody tried or did.
pub(crate) const fn verb(lang: Lang, verb: Verb) -> &'static str {
    let (nb, en) = match verb {
        Verb::SendNotice => ("sende melding om vilkår", "send a condition notice"),
        Verb::SendReport => ("melde uteblivelse", "report non-attendance"),
        Verb::SendResult => ("sende prøvesvar", "send a lab result"),
        Verb::ProsecutionReceive | Verb::MunicipalReceive => ("hente meldinger", "receive messages"),
        Verb::ProsecutionAcknowledge | Verb::MunicipalAcknowledge => ("bekrefte meldinger", "acknowledge messages"),
        Verb::ProsecutionGetStatus | Verb::MunicipalGetStatus | Verb::LaboratoryGetStatus => ("se status", "get status"),
        Verb::ProsecutionWatchStatus | Verb::MunicipalWatchStatus | Verb::LaboratoryWatchStatus => ("følge status", "watch status"),
        Verb::ProsecutionGetReceipt | Verb::MunicipalGetReceipt | Verb::LaboratoryGetReceipt => ("hente kvittering", "get a receipt"),
        Verb::ProsecutionLookUp | Verb::MunicipalLookUp | Verb::LaboratoryLookUp => ("slå opp deltakere", "look up participants"),
        Verb::Return => ("returnere melding om vilkår", "return a condition notice"),
        Verb::SetContact => ("sette kontaktpunkt", "set the contact"),
        Verb::GetCheckpoint => ("hente loggens hode", "get the log's head"),
        Verb::ListRecords => ("søke i loggen", "search the log"),
        Verb::GetProof => ("hente bevis for en oppføring", "get the proof of an entry"),
        Verb::GetConsistencyProof => ("hente bevis mellom to hoder", "get the proof between two heads"),
        Verb::Ask => ("stille et spørsmål", "ask a question"),
        Verb::GetTimeline => ("se hva som skjedde i en sak", "see what happened in a case"),
        Verb::CountRecords => ("telle oppføringer", "count entries"),
        Verb::GetLogState => ("se loggens tilstand", "see the state of the log"),
        Verb::ListReviews => ("se hva som er gjennomgått", "see what was reviewed"),
        Verb::Review => ("bekrefte en gjennomgang", "state a review"),
        Verb::PlaceHold => ("sperre en sak mot sletting", "place a legal hold on a case"),
        Verb::LiftHold => ("oppheve en sperring", "lift a legal hold"),
        Verb::ListHolds => ("se sperringer", "see legal holds"),
        Verb::Export => ("ta et uttrekk", "take an export"),
        Verb::ReadTiles | Verb::MirrorTiles => ("lese loggens fliser", "read the log's tiles"),
        Verb::ProsecutionGetEvidence | Verb::MunicipalGetEvidence | Verb::LaboratoryGetEvidence => {
            ("hente bevis for egen melding", "fetch evidence of an own message")
        }
    };
    lang.say(nb, en)
}

/// What an entry notes besides, in words; as it stands where there are none for it.
pub(crate) fn note(lang: Lang, kind: u16, note: &str) -> String {
    let words = match kind {
        kind::STARTED => Some(match note.strip_suffix(" test") {
            Some(version) => format!("{} {version}, {}", lang.say("versjon", "version"), lang.say("testmodus", "test mode")),
            None => format!("{} {note}", lang.say("versjon", "version")),
        }),
        kind::NOTICE_ACCEPTED => note.strip_prefix("moved from ").map(|unit| format!("{} {unit}", lang.say("flyttet fra", "moved from"))),
        kind::RECORDS_ERASED => month(lang, note),
        kind::SUCCEEDED => succession(lang, note),
        kind::AUDIT_ASKED => asked(lang, note),
        kind::REVIEWED => note.split_once(" to ").map(|(from, to)| if from == to { from.to_owned() } else { format!("{from} – {to}") }),
        kind::HOLD_PLACED => note.strip_prefix("until ").map(|until| match until.split_once(" under ") {
            Some((day, ground)) => {
                format!("{} {day}, {} {ground}", lang.say("til og med", "until and including"), lang.say("hjemmel:", "under:"))
            }
            None => format!("{} {until}", lang.say("til og med", "until and including")),
        }),
        _ => None,
    };
    words.unwrap_or_else(|| note.to_owned())
}

/// Which month went, by its places.
fn month(lang: Lang, note: &str) -> Option<String> {
    let (month, places) = note.split_once(" index ")?;
    let (from, to) = places.split_once(" below ")?;
    let last = to.parse::<u64>().ok()?.checked_sub(1)?;
    Some(format!("{} {month}, {} {from}–{last}", lang.say("måneden fra", "the month from"), lang.say("oppføring", "entries")))
}

/// How much a successor took over.
fn succession(lang: Lang, note: &str) -> Option<String> {
    let (items, cases) = note.strip_prefix("items ")?.split_once(" cases ")?;
    let (items, cases): (u64, u64) = (items.parse().ok()?, cases.parse().ok()?);
    let items =
        lang.count(items, ["ubekreftet melding", "ubekreftede meldinger"], ["message not acknowledged", "messages not acknowledged"]);
    Some(format!("{items}, {}", lang.count(cases, ["sak", "saker"], ["case", "cases"])))
}

/// What an auditor asked for: the words of [`Asked`](crate::audit::event::Asked), each with its value.
fn asked(lang: Lang, note: &str) -> Option<String> {
    let mut said = Vec::new();
    let mut words = note.split(' ');
    while let Some(name) = words.next() {
        let value = words.next()?;
        let time = || Timestamp::of_text(value).map(Timestamp::oslo_text);
        said.push(match name {
            "question" => format!("«{}»", words::title(lang, Question::of_number(value.parse().ok()?)?)),
            "from" => format!("{} {}", lang.say("fra", "from"), time()?),
            "to" => format!("{} {}", lang.say("før", "before"), time()?),
            "index" => format!("{} {value}", lang.say("fra oppføring", "from entry")),
            "below" => format!("{} {value}", lang.say("før oppføring", "before entry")),
            "kinds" => {
                let kinds: Option<Vec<&str>> = value.split(',').map(|number| Some(kind(lang, number.parse().ok()?))).collect();
                kinds?.iter().map(|kind| format!("«{kind}»")).collect::<Vec<_>>().join(lang.say(" eller ", " or "))
            }
            _ => return None,
        });
    }
    Some(said.join(", "))
}

/// A field of a record, as people call it.
pub(super) fn field(lang: Lang, name: &'static str) -> &'static str {
    let (nb, en) = match name {
        "event" => ("hendelse", "event"),
        "time" => ("tid (UTC)", "time (UTC)"),
        "actor" => ("utført av", "done by"),
        "key_label" => ("med nøkkel", "with key"),
        "sender" => ("avsender", "sender"),
        "recipient" => ("mottaker eller den det gjelder", "recipient, or whom it concerns"),
        "message_id" => ("meldings-id", "message id"),
        "replaces" => ("retter melding", "replaces message"),
        "case_ref" => ("saksreferanse", "case reference"),
        "requisition_id" => ("rekvisisjon", "requisition"),
        "about" => ("om oppføring", "about entry"),
        "reason" => ("grunn (nummer)", "reason (number)"),
        "verb" => ("kall (nummer)", "call (number)"),
        "count" => ("antall", "count"),
        "note" => ("merknad", "note"),
        "content_commit" => ("fingeravtrykk av innholdet", "commitment to the content"),
        _ => (name, name),
    };
    lang.say(nb, en)
}

/// A time as people in Norway read it, to the second; the exact one stands in the `datetime` attribute.
pub(super) fn time(at: Timestamp) -> String {
    at.oslo_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Asked;
    use crate::policy::reason::reason_word;

    #[test]
    fn what_an_auditor_asked_for_is_said_in_words() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let all = Asked {
            question: Some(2),
            from_time: Some(at),
            to_time: Some(at),
            from_index: Some(5),
            to_index: Some(90),
            kinds: vec![23, 25],
            ..Asked::default()
        };
        assert_eq!(
            note(Lang::Nb, kind::AUDIT_ASKED, &all.to_string()),
            "«Hvem prøvde på noe de ikke har lov til?», fra 2026-11-18 12:06:40, før 2026-11-18 12:06:40, fra oppføring 5, før oppføring 90, «Over fristen» eller «Avsluttet uten å være hentet»"
        );
        for number in 1..=6 {
            let asked = Asked { question: Some(number), ..Asked::default() }.to_string();
            assert!(!note(Lang::En, kind::AUDIT_ASKED, &asked).contains("question"), "{asked}");
        }
        assert_eq!(note(Lang::Nb, kind::REVIEWED, "2026-11-20 to 2026-11-22"), "2026-11-20 – 2026-11-22");
        assert_eq!(note(Lang::Nb, kind::REVIEWED, "2026-11-20 to 2026-11-20"), "2026-11-20");
        assert_eq!(note(Lang::Nb, kind::STARTED, "0.1.0 test"), "versjon 0.1.0, testmodus");
        assert_eq!(note(Lang::Nb, kind::NOTICE_ACCEPTED, "moved from ru-oslo"), "flyttet fra ru-oslo");
        assert_eq!(note(Lang::Nb, kind::SUCCEEDED, "items 1 cases 2000"), "1 ubekreftet melding, 2000 saker");
        assert_eq!(note(Lang::Nb, kind::HOLD_PLACED, "until 2027-06-30"), "til og med 2027-06-30");
        assert_eq!(note(Lang::En, kind::HOLD_PLACED, "until 2027-06-30 under § 9"), "until and including 2027-06-30, under: § 9");
        assert_eq!(note(Lang::En, kind::RECORDS_ERASED, "2027-01-01 index 8 below 41"), "the month from 2027-01-01, entries 8–40");
        assert_eq!(note(Lang::Nb, kind::RECORDS_ERASED, "2027-01-01"), "2027-01-01", "as earlier versions told it");
        // What is of another form stays as it is.
        for odd in ["question 99", "whence 7", "from", "kinds x"] {
            assert_eq!(note(Lang::Nb, kind::AUDIT_ASKED, odd), odd);
        }
    }

    #[test]
    fn a_number_of_a_list_is_never_read_by_another_list() {
        for row in TABLE {
            for number in 0..200 {
                let known = reason_word(row.number, number).is_some();
                for lang in Lang::ALL {
                    let said = reason_of(lang, row.number, number);
                    assert_eq!(said != number.to_string(), known, "{} {number}: {said}", row.name);
                }
            }
        }
        assert_eq!(reason_of(Lang::En, kind::NOTICE_WITHDRAWN, 60), "60", "no refusal");
    }
}
