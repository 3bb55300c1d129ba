//! What the pages show and do not show, in words for whoever never saw such a log.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::{Page, Place};

/// The context: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Help;

fn part(id: &str, heading: &str, paragraphs: &[&str]) -> Markup {
    html! {
        section aria-labelledby=(id) class="prose" {
            h2 class="ds-heading" data-size="sm" id=(id) { (heading) }
            @for paragraph in paragraphs { p { (paragraph) } }
        }
    }
}

impl Page for Help {
    fn title(&self, lang: Lang) -> String {
        lang.say("Hjelp", "Help").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Help)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Help)
    }

    fn main(&self, lang: Lang) -> Markup {
        match lang {
            Lang::Nb => html! {
                (part("what", "Hva loggen er", &[
                    "Samband formidler tre slags meldinger mellom påtalemyndighet, rådgivende enheter og laboratorier. Alt som skjer, blir en oppføring i loggen før noen får svar: at en melding ble mottatt, hentet, bekreftet, rettet eller trukket tilbake, at noen ble nektet, og at noen leste loggen.",
                    "Oppføringen sier når, hvem og hva slags hendelse. Den sier aldri hva meldingen handlet om: ikke navn, ikke fødselsnummer, ikke prøvesvar.",
                ]))
                (part("trust", "Hvorfor du kan stole på den", &[
                    "Tenk på loggen som en bok der hver side er forseglet sammen med alle sidene før. Forseglingen er ett tall, roten. Samband signerer roten, og den som har et eldre signert hode, kan vise at boka bare er blitt lengre, aldri endret.",
                    "Du trenger ikke tro på disse sidene. Under hvert svar står «Kontroller selv»: kommandoen som gir det samme svaret fra din egen maskin, og som regner ut bevisene på nytt.",
                ]))
                (part("person", "Fra en person til en sak", &[
                    "Det finnes ikke noe søk etter personer, og det er med vilje. Samband har ikke noe å søke i: Navn og nummer slettes når mottakeren har bekreftet, og de har aldri stått i loggen.",
                    "Slik går du fram: Spør etaten som sendte meldingen. Etatens eget fagsystem vet hvilken meldings-id den brukte om personen. Søk her med meldings-id-en; treffet gir saksreferansen, og saken viser alt som skjedde.",
                ]))
                (part("erased", "Det som er slettet", &[
                    "Oppføringer lever i 13 til 35 hele måneder etter måneden de ble skrevet i (politiregisterforskriften § 40-13). Så slettes de. Igjen står bladet: 33 byte som holder boka hel og ikke sier noe.",
                    "En slettet oppføring vises som slettet, aldri som et hull. Svarene sier hvor mange oppføringer som ikke lenger kan kontrolleres.",
                ]))
                (part("not", "Hva loggen ikke viser", &[
                    "Den viser ikke at en person møtte eller ikke møtte, for det kan ikke sies i Samband. Den viser ikke hva et prøvesvar var. Den er ikke et kvalifisert tidsstempel: Tiden er Sambands egen klokke.",
                    "Den som styrer maskinen mens den går, kan lese meldinger i minnet. Loggen hindrer ikke det; den hindrer at det som skjedde, skrives om etterpå.",
                ]))
            },
            Lang::En => html! {
                (part("what", "What the log is", &[
                    "Samband relays three kinds of messages between prosecution, municipal units and laboratories. Everything that happens becomes an entry of the log before anyone gets an answer: that a message was accepted, fetched, acknowledged, corrected or withdrawn, that somebody was refused, and that somebody read the log.",
                    "An entry says when, who and what kind of event. It never says what the message was about: no name, no number of a person, no result.",
                ]))
                (part("trust", "Why you can rely on it", &[
                    "Think of the log as a book in which each page is sealed together with all pages before. The seal is one number, the root. Samband signs the root, and whoever holds an older signed head can show that the book has only grown, never changed.",
                    "You need not believe these pages. Below each answer stands “Check this yourself”: the command that gives the same answer from your own machine and computes the proofs anew.",
                ]))
                (part("person", "From a person to a case", &[
                    "There is no search for persons, on purpose. Samband has nothing to search in: names and numbers are erased once the recipient has acknowledged, and they never stood in the log.",
                    "Do it so: ask the agency that sent the message. Its own system knows which message id it used about the person. Search here by that message id; the entry gives the case reference, and the case shows all that happened.",
                ]))
                (part("erased", "What is erased", &[
                    "Records live for 13 to 35 whole months after the month in which they were written (politiregisterforskriften § 40-13). Then they are erased. What stays is the leaf: 33 bytes that keep the book whole and say nothing.",
                    "An erased entry shows as erased, never as a gap. Answers say how many entries can no longer be checked.",
                ]))
                (part("not", "What the log does not show", &[
                    "It does not show that a person met or did not meet, for that cannot be said in Samband. It does not show what a result was. It is no qualified timestamp: the time is Samband's own clock.",
                    "Whoever controls the running machine can read messages in memory. The log does not prevent that; it prevents that what happened is rewritten afterwards.",
                ]))
            },
        }
    }
}
