//! One entry: what stands in the record, and what proves that it stands in the log.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::{alert, check_yourself};
use super::row::{Shown, erased_rule, time};
use super::search::Form;
use super::{Page, Place, names};
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind};
use crate::gateway::{Gateway, ProofOf, Refusal};
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    index: u64,
    leaf: String,
    shown: Option<Shown>,
    unreadable: bool,
    fields: Vec<(&'static str, String)>,
    /// Lines of the proof file.
    proof: String,
}

impl Entry {
    pub(super) async fn load(gateway: &Arc<Gateway>, caller: &Caller, index: u64) -> Result<Self, Refusal> {
        let proofs = gateway.proofs(caller, ProofOf::Index(index)).await?.proofs;
        let Some(proof) = proofs.into_iter().next() else { return Err(Refusal(Reason::EntryUnknown.into())) };
        let leaf = proof.leaf.iter().map(|byte| format!("{byte:02x}")).collect();
        let fields = proof.record.as_ref().map(fields).unwrap_or_default();
        let shown = proof.record.as_ref().map(|record| Shown::of(index, record));
        Ok(Self { index, leaf, shown, unreadable: proof.unreadable, fields, proof: String::from_utf8_lossy(&proof.proof).into_owned() })
    }
}

/// The record's own lines, in the order in which the leaf commits to them.
fn fields(record: &crate::audit::record::Record) -> Vec<(&'static str, String)> {
    let mut fields = vec![("event", names::kind_code(record.kind).to_owned()), ("time", record.time.to_string())];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    add("actor", record.actor.as_ref().map(ToString::to_string));
    add("key_label", record.key_label.clone());
    add("sender", record.sender.as_ref().map(ToString::to_string));
    add("recipient", record.recipient.as_ref().map(ToString::to_string));
    add("message_id", record.message_id.map(|id| id.to_string()));
    add("replaces", record.replaces.map(|id| id.to_string()));
    add("case_ref", record.case_ref.map(|case| case.to_string()));
    add("requisition_id", record.requisition_id.map(|id| id.to_string()));
    add("about", record.about.map(|index| index.to_string()));
    add("reason", record.reason.map(|number| number.to_string()));
    add("verb", record.verb.map(|number| number.to_string()));
    add("count", record.count.map(|count| count.to_string()));
    add("note", record.note.clone());
    add("content_commit", record.content_commit.map(|commit| commit.iter().map(|byte| format!("{byte:02x}")).collect()));
    fields
}

impl Page for Entry {
    fn title(&self, lang: Lang) -> String {
        format!("{} {}", lang.say("Oppføring", "Entry"), self.index)
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Search)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Entry(self.index))
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            @match &self.shown {
                Some(shown) => (self.living(lang, shown)),
                None if self.unreadable => {
                    (alert("danger", &html! {
                        p { strong { (lang.say("Skadet. ", "Damaged. ")) } (lang.say("Oppføringen er ikke slettet, men kan ikke leses slik den ble skrevet.", "The record is not erased, but cannot be read as it was written.")) }
                        p { (lang.say("Bladet under beviser at her sto en oppføring; hva den var, kan det ikke si før den er lest. Ingen kan bytte den ut uten at det synes: bare den som ble skrevet, åpner bladet.", "The leaf below proves that there was an entry here; which one it cannot say until it is read. Nobody can put another in its place unseen: only the one that was written opens the leaf.")) }
                        p {
                            (lang.say("Be driften kjøre ", "Ask the operator to run ")) code { "samband audit fsck DATA_DIR --storage-key FILE" }
                            (lang.say(", som sier hvor skaden er, så stoppe Samband og hente tilbake den nyeste kopien av dataene.", ", which says where the damage is, then to stop Samband and bring back the newest copy of the data."))
                        }
                    }))
                }
                None => {
                    (alert("info", &html! {
                        p { strong { (lang.say("Slettet. ", "Erased. ")) } (lang.say("Oppføringen er ", "The entry is ")) (erased_rule(lang)) "." }
                        p { (lang.say("Bladet beviser at her sto en oppføring, men sier ikke lenger hva den var.", "The leaf proves that there was an entry here, but no longer says which.")) }
                    }))
                }
            }
            section aria-labelledby="proof" {
                h2 class="ds-heading" data-size="sm" id="proof" { (lang.say("Bevis", "Proof")) }
                p {
                    (lang.say(
                        "Samband laget beviset nå og kontrollerte det: Bladet under ligger på denne plassen i loggen, under det signerte hodet som følger med. Endres ett tegn, stemmer det ikke lenger.",
                        "Samband made this proof now and checked it: the leaf below lies at this place of the log, under the signed head that comes with it. Change one character and it no longer holds.",
                    ))
                }
                dl class="facts" {
                    dt { (lang.say("Blad", "Leaf")) }
                    dd { code class="long" { (self.leaf) } }
                    @if let Ok(tile) = TileId::new(TileKind::Entries, self.index / u64::from(TILE_WIDTH), TILE_WIDTH) {
                        dt { (lang.say("Flis, når den er full", "Tile, once it is full")) }
                        dd { code { "/" (tile.path()) } }
                    }
                }
                details class="ds-details" {
                    summary { (lang.say("Bevisfilen (tlog-proof)", "The proof file (tlog-proof)")) }
                    div { pre tabindex="0" { code { (self.proof) } } }
                }
                (check_yourself(lang, &format!("samband audit prove {} --out proofs\nsamband audit verify proofs/{}.tlog-proof --vkey log.vkey", self.index, self.index), "AuditService/GetProof", None))
            }
        }
    }
}

impl Entry {
    fn living(&self, lang: Lang, shown: &Shown) -> Markup {
        html! {
            p class="lead" {
                strong { (names::kind(lang, shown.kind)) }
                " · " (time(shown.at))
                @for detail in shown.details(lang) { " · " (detail) }
            }
            p {
                @if let Some(case) = shown.case_ref {
                    a class="ds-link" href=(PageRoute::Case(case).path(lang)) { (lang.say("Hele saken ", "The whole case ")) (case) }
                    " "
                }
                @if let Some(id) = shown.message_id {
                    a class="ds-link" href=(PageRoute::Search(Form { message_id: id.to_string(), ..Form::default() }).path(lang)) { (lang.say("Alt om denne meldingen", "Everything about this message")) }
                }
            }
            section aria-labelledby="record" {
                h2 class="ds-heading" data-size="sm" id="record" { (lang.say("Oppføringen", "The record")) }
                p class="quiet" {
                    (lang.say(
                        "Feltene slik bladet er regnet ut av dem, med navnene og verdiene som uttrekk og kommandolinje også har.",
                        "The fields as the leaf was computed from them, with the names and values that exports and the command line have too.",
                    ))
                }
                dl class="facts" {
                    @for (name, value) in &self.fields {
                        dt { (names::field(lang, name)) @if lang == Lang::Nb { " " code lang="en" { (name) } } }
                        dd { code class="long" { (value) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Entry {
    pub(super) fn samples() -> Vec<Self> {
        let of = |shown| Self {
            index: 256,
            leaf: "01".repeat(33),
            shown,
            unreadable: false,
            fields: vec![("note", "<i>&".to_owned())],
            proof: "c2sp.org/<x>".to_owned(),
        };
        let mut samples: Vec<Self> = crate::audit::event::TABLE.iter().map(|row| of(Some(super::tests::shown(256, row.number)))).collect();
        samples.push(of(None));
        samples.push(Self { unreadable: true, ..of(None) });
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_record_has_a_norwegian_name() {
        let record = crate::audit::record::Record::empty(10, crate::domain::time::Timestamp::from_millis(0));
        let known: Vec<&str> = fields(&record).iter().map(|(name, _)| *name).collect();
        assert_eq!(known, ["event", "time"], "the others only where they are");
        let all = [
            "event",
            "time",
            "actor",
            "key_label",
            "sender",
            "recipient",
            "message_id",
            "replaces",
            "case_ref",
            "requisition_id",
            "about",
            "reason",
            "verb",
            "count",
            "note",
            "content_commit",
        ];
        for name in all {
            assert_ne!(names::field(Lang::Nb, name), name);
        }
        let page = Entry::samples()[0].main(Lang::Nb).into_string();
        assert!(page.contains("<dt>merknad <code lang=\"en\">note</code></dt>"), "{page}");
    }

    #[test]
    fn a_damaged_entry_is_not_told_as_erased() {
        let mut samples = Entry::samples();
        let (damaged, erased) = (samples.pop().unwrap(), samples.pop().unwrap());
        for (lang, damage, erasure) in [(Lang::Nb, "Skadet. ", "Slettet. "), (Lang::En, "Damaged. ", "Erased. ")] {
            let (damaged, erased) = (damaged.main(lang).into_string(), erased.main(lang).into_string());
            assert!(damaged.contains(damage) && !damaged.contains(erasure) && damaged.contains("samband audit fsck"), "{damaged}");
            assert!(erased.contains(erasure) && !erased.contains(damage), "{erased}");
        }
    }
}
