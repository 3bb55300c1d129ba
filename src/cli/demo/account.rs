//! Who saw what: a small table for each party.

use serde_json::json;

use super::super::output::Output;
use super::cast::Ledger;

/// A party, what it is in the law's own words, and what it never sees.
struct Party {
    id: &'static str,
    what: &'static str,
    never: &'static str,
}

const PARTIES: [Party; 9] = [
    Party { id: "politi-oslo", what: "prosecution (påtalemyndigheten)", never: "whether anyone attended; any case of another district" },
    Party { id: "politi-innlandet", what: "prosecution (påtalemyndigheten)", never: "anything of politi-oslo's cases" },
    Party { id: "ru-oslo", what: "municipal unit (rådgivende enhet for russaker), 0301", never: "results; other municipalities' persons" },
    Party {
        id: "ru-hamar",
        what: "municipal unit (rådgivende enhet for russaker), 3403 3411 3412",
        never: "results; other municipalities' persons",
    },
    Party { id: "ru-tromso", what: "municipal unit (rådgivende enhet for russaker), 5501", never: "where the person stays now" },
    Party { id: "lab-ous", what: "laboratory named in the order", never: "who the person is; the case" },
    Party { id: "lab-st-olav", what: "laboratory not named in the order", never: "anything at all" },
    Party { id: "ukjent", what: "a certificate that nobody enrolled", never: "anything at all" },
    Party { id: "tilsyn", what: "auditor", never: "any content: no name, no number, no result" },
];

/// Prints it.
pub fn print(ledger: &Ledger, out: Output) {
    out.result("\nWho saw what", &json!({"chapter": "Who saw what"}));
    for Party { id, what, never } in PARTIES {
        let lines = ledger.lines.get(id).map(Vec::as_slice).unwrap_or_default();
        let mut text = format!("\n  {id}: {what}");
        for (verb, line) in lines {
            text.push_str(&format!("\n    {verb:<9} {}", wrapped(line)));
        }
        text.push_str(&format!("\n    {:<9} {never}", "never saw"));
        let rows: Vec<_> = lines.iter().map(|(verb, line)| json!({"did": verb, "what": line})).collect();
        out.result(&text, &json!({"party": id, "what": what, "lines": rows, "never_saw": never}));
    }
}

/// Lines of at most 100 characters below each other.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        if width + word.chars().count() > 100 {
            out.push_str("\n              ");
            width = 0;
        } else if !out.is_empty() {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.chars().count();
    }
    out
}
