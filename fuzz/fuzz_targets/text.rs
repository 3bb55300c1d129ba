//! Identifiers, dates and the register file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samband::domain::id::{CaseRef, MessageId, RequisitionId};

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(reference) = text.parse::<CaseRef>() {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
    let _ = text.parse::<RequisitionId>();
    let _ = samband::domain::time::parse_date(text);
});
