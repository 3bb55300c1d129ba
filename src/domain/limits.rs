//! Every bound of the gateway in one place. Units stand in the names; what an operator would tune is a default here and a key in the configuration.

/// The largest request body that is decoded, in bytes. The largest valid notice is well under 16 KiB.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// The largest canonical content, in bytes.
pub const CONTENT_BYTES_MAX: usize = 32 * 1024;
/// An unknown message id older than this is stale, in milliseconds: 30 days.
pub const MESSAGE_ID_AGE_MAX_MILLIS: i64 = 30 * super::time::DAY_MILLIS;
/// A message id further ahead of the gateway's clock than this is stale, in milliseconds: 5 minutes.
pub const MESSAGE_ID_AHEAD_MAX_MILLIS: i64 = 5 * 60 * 1000;
/// Months a case outlives its probation.
pub const CASE_GRACE_MONTHS: i32 = 3;
/// A family or given name, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Enrolled keys of one participant.
pub const KEYS_PER_PARTICIPANT_MAX: usize = 8;
/// Participants in the register.
pub const PARTICIPANTS_MAX: usize = 4096;
/// Contacts of one participant.
pub const CONTACTS_PER_PARTICIPANT_MAX: usize = 16;
/// Laboratories that an order may name.
pub const LABORATORIES_PER_ORDER_MAX: usize = 5;
/// Summons or missed dates of one report.
pub const REPORT_DATES_MAX: usize = 5;
/// Findings of one result.
pub const FINDINGS_MAX: usize = 64;
/// Rows of the table of analysis codes.
pub const NLK_ROWS_MAX: usize = 4096;
/// Readers that one participant may have at once.
pub const READERS_PER_PARTICIPANT_MAX: usize = 16;
/// A reader's id: `^[A-Za-z0-9._-]{1,64}$`, in characters.
pub const READER_ID_CHARS_MAX: usize = 64;
/// Messages handed out and not yet acknowledged on one stream.
pub const LEASES_PER_STREAM_MAX: usize = 256;

const _: () = assert!(CONTENT_BYTES_MAX < REQUEST_BYTES_MAX, "content must fit a request");
const _: () = assert!(CONTENT_BYTES_MAX < 65_535, "content must fit a frame's length field");
/// Field violations reported for one message.
pub const VIOLATIONS_MAX: usize = 32;
/// A line of a postal address, in characters.
pub const ADDRESS_LINE_CHARS_MAX: usize = 60;
/// Lines of a postal address.
pub const ADDRESS_LINES_MAX: usize = 3;
/// A postal place, in characters.
pub const PLACE_CHARS_MAX: usize = 40;
/// Probation after a waiver, in months: two years.
pub const WAIVER_MONTHS_MAX: i32 = 24;
/// Probation after any other reaction, in months: five years.
pub const PROBATION_MONTHS_MAX: i32 = 60;
/// Samples that one order may name.
pub const SAMPLES_PER_ORDER_MAX: u32 = 1000;
/// Times in one period of a frequency.
pub const FREQUENCY_TIMES_MAX: u32 = 31;
/// Sample labels, invoice references: `^[A-Z0-9-]{1,20}$`, in characters.
pub const LABEL_CHARS_MAX: usize = 20;
/// Nested messages in one request.
pub const WIRE_DEPTH_MAX: usize = 16;
/// Whole months after its month that a record of the log may live at most (politiregisterforskriften § 40-13: three years).
pub const RECORDS_KEEP_MONTHS_MAX: i32 = 35;
/// A hold with a legal ground of its own ends within so many months of its placing: ten years.
pub const HOLD_MONTHS_MAX: i32 = 120;
/// Cases that may be held at once.
pub const HOLDS_MAX: usize = 1000;
/// Calls of one participant at once, before its rate holds.
pub const CALLS_PER_PARTICIPANT_BURST: u32 = 2_000;
/// Calls of one participant in a second, for ever.
pub const CALLS_PER_PARTICIPANT_PER_S: u32 = 500;
/// Items that may wait for one participant.
pub const MAILBOX_ITEMS_MAX: usize = 100_000;
