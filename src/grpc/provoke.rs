//! A panic on demand, in a build with debug assertions only: the test of leaks wants one with content in its text.

use crate::domain::sensitive::Content;

/// Panics with the content in its words when the message is the one that `SAMBAND_PANIC_AT` names.
pub(super) fn panic_if_told(message_id: &str, content: &Content) {
    if std::env::var("SAMBAND_PANIC_AT").is_ok_and(|told| told == message_id) {
        panic!("provoked while this was in hand: {}", String::from_utf8_lossy(content));
    }
}
