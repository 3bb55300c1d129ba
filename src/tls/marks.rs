//! The newest revocation lists that were ever in force, so that no older one takes their place: an older list forgets revocations.
//!
//! Only lists that one of the configured CAs signed are remembered: nobody else can move a mark. What is remembered outlives a restart in a file
//! beside the high-water mark; without that file it lasts as long as the process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use super::config::TlsError;
use super::files::{self, FileError};
use super::revocation::{List, Lists, SpeaksFor};
use super::vouchers::{CaKey, Vouchers};

/// The first line of the file.
const HEADER: &str = "samband/revocation-list-marks/v2";
/// The first line of a file from before CAs were told apart by their keys.
const HEADER_BY_NAME: &str = "samband/revocation-list-marks/v1";
/// Stands for the key in what was read of such a file.
const SOME_KEY: CaKey = [0; 32];
/// Marks that are kept, and the last one of each CA that vouches. Issuers have one, or a few where they cut their lists into parts.
const MARKS_MAX: usize = 512;
/// Of these of one CA.
const PARTS_MAX: usize = 64;
/// The largest file.
const BYTES_MAX: u64 = 1024 * 1024;
/// A number has at most 20 bytes (RFC 5280, 5.2.3).
const NUMBER_BYTES_MAX: usize = 20;

/// How new a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// thisUpdate, seconds.
    pub(super) this_update: i64,
    /// SHA-256 of the identifier of the key that signed it: where the key itself was not written down, this tells it.
    pub(super) signer: [u8; 32],
    /// The list's number, big-endian; empty if it has none.
    pub(super) number: Vec<u8>,
}

impl Mark {
    /// A mark's number has no leading zeros and a bounded length.
    pub(super) fn new(this_update: i64, signer: [u8; 32], number: &[u8]) -> Self {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = &number[zeros..];
        Self { this_update, signer, number: if number.len() <= NUMBER_BYTES_MAX { number.to_vec() } else { Vec::new() } }
    }

    /// By this the newest of several is found: the time, and within one second the number. A list without one is the oldest of its second.
    pub(super) fn age(&self) -> (i64, usize, &[u8]) {
        (self.this_update, self.number.len(), &self.number)
    }

    /// Whether a list of this mark was made before one of `other`, whatever parts the two speak for.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.age() < other.age()
    }

    /// Whether nothing tells which of two lists is the newer.
    pub(super) fn is_level(&self, other: &Self) -> bool {
        self.age() == other.age()
    }

    /// Whether a list of this mark is older than one of `before`, which spoke for the same certificates of the same key: one row of numbers.
    pub(super) fn is_older_than(&self, before: &Self) -> bool {
        let number = |mark: &Self| (mark.number.len(), mark.number.clone());
        self.is_before(before) || (!self.number.is_empty() && number(self) < number(before))
    }
}

/// The marks, by what the lists speak for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks(BTreeMap<SpeaksFor, Mark>);

impl Marks {
    /// Reads the file; none is the first start's.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(super) fn load(file: &Path) -> Result<Self, TlsError> {
        let bytes = match files::read(file, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(FileError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            // A mode or an owner is the configuration's; everything else is the disk's.
            Err(FileError::Io { path, error }) if !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotADirectory) => {
                return Err(TlsError::MarksUnread { path, error });
            }
            Err(error) => return Err(error.into()),
        };
        let marks = std::str::from_utf8(&bytes).ok().and_then(Self::parse);
        marks.ok_or_else(|| TlsError::Marks(file.to_owned()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn save(&self, file: &Path) -> Result<(), FileError> {
        files::write(file, self.to_text().as_bytes(), 0o600)?;
        files::sync_name(file)
    }

    /// Whether `list`, which speaks for `at`, is older than one that was in force; `lists` are those that are to be. A list of another part counts
    /// only by its time, and only if there is none of that part to be asked first: what it revoked would be forgotten.
    pub(super) fn forbid(&self, at: &SpeaksFor, list: &List, lists: &Lists) -> bool {
        let of_same_key = |(of, mark): &(&SpeaksFor, &Mark)| {
            of.name == at.name && (of.key == at.key || (of.key == SOME_KEY && mark.signer == list.mark().signer))
        };
        let is_there = |of: &SpeaksFor, mark: &Mark| lists.stands_for(&SpeaksFor { key: at.key, ..*of }, mark);
        let mut others = self.0.iter().filter(of_same_key).filter(|(of, mark)| of.scope != at.scope && !is_there(of, mark));
        self.is_passed(at, list) || others.any(|(_, mark)| list.mark().is_before(mark))
    }

    /// Whether `list`, which speaks for `at`, is older than one of just this that was in force.
    pub(super) fn is_passed(&self, at: &SpeaksFor, list: &List) -> bool {
        self.before(at, list.mark()).is_some_and(|before| list.mark().is_older_than(before))
    }

    /// What is remembered of the lists that speak for `at`. Of a mark without a key only the identifier of the key tells that it was the same.
    fn before(&self, at: &SpeaksFor, mark: &Mark) -> Option<&Mark> {
        self.0.get(at).or_else(|| self.0.get(&of_some_key(at)).filter(|before| before.signer == mark.signer))
    }

    /// `list` is in force and its CA signed it. What is remembered never goes back.
    pub(super) fn raise(&mut self, at: &SpeaksFor, list: &List) {
        if self.is_passed(at, list) {
            return;
        }
        if self.before(at, list.mark()).is_some() && !self.0.contains_key(at) {
            self.0.remove(&of_some_key(at));
        }
        self.0.insert(*at, list.mark().clone());
    }

    /// Forgets the oldest of what is too many: first of a CA that has more than its share, then of CAs that vouch no more, then of whoever has the
    /// most. So a CA makes others forget nothing, however many lists it signs, and of each that vouches the last one stays.
    pub(super) fn bound(&mut self, vouchers: &Vouchers) {
        loop {
            let mut counts = BTreeMap::<_, usize>::new();
            self.0.keys().for_each(|at| *counts.entry((at.name, at.key)).or_default() += 1);
            let Some((most, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return };
            let oldest = |is_asked: &dyn Fn(&SpeaksFor) -> bool| {
                let asked = self.0.iter().filter(|(at, _)| is_asked(at));
                asked.min_by(|(_, one), (_, other)| one.age().cmp(&other.age())).map(|(at, _)| *at)
            };
            let is_left = |at: &SpeaksFor| !vouchers.named(&at.name).any(|voucher| voucher.key == at.key || at.key == SOME_KEY);
            let of_most = |at: &SpeaksFor| (at.name, at.key) == most;
            let gone = if count > PARTS_MAX {
                oldest(&of_most)
            } else if self.0.len() <= MARKS_MAX {
                None
            } else {
                oldest(&is_left).or_else(|| if count > 1 { oldest(&of_most) } else { None })
            };
            let Some(gone) = gone else { return };
            self.0.remove(&gone);
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (SpeaksFor { name, key, scope }, Mark { this_update, signer, number }) in &self.0 {
            for bytes in [&name[..], key, scope, signer, number] {
                if bytes.is_empty() {
                    text.push('-');
                }
                bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("writing to a String cannot fail"));
                text.push(' ');
            }
            writeln!(text, "{this_update}").expect("writing to a String cannot fail");
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let has_keys = match lines.next()? {
            HEADER => true,
            HEADER_BY_NAME => false,
            _ => return None,
        };
        let mut marks = BTreeMap::new();
        for line in lines {
            let mut fields = line.split(' ').collect::<Vec<_>>();
            let key = if has_keys && fields.len() > 1 { hex(fields.remove(1))?.try_into().ok()? } else { SOME_KEY };
            let [name, scope, signer, number, this_update] = fields.try_into().ok()?;
            let at = SpeaksFor { name: hex(name)?.try_into().ok()?, key, scope: hex(scope)?.try_into().ok()? };
            let number = if number == "-" { Vec::new() } else { hex(number)? };
            marks.insert(at, Mark::new(this_update.parse().ok()?, hex(signer)?.try_into().ok()?, &number));
        }
        Some(Self(marks))
    }
}

const fn of_some_key(at: &SpeaksFor) -> SpeaksFor {
    SpeaksFor { key: SOME_KEY, ..*at }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        text.as_bytes().chunks(2).map(pair).collect()
    } else {
        None
    }
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::Marks;

    /// The file beside the high-water mark: what is accepted is read as it is written.
    pub fn marks(text: &str) {
        if let Some(marks) = Marks::parse(text) {
            assert_eq!(Marks::parse(&marks.to_text()), Some(marks));
        }
    }

    /// Marks of lists with a number and without one, and the file of a program that told CAs apart by name.
    #[cfg(test)]
    pub(crate) fn samples_of_marks() -> impl Iterator<Item = (&'static str, String)> {
        use super::{HEADER_BY_NAME, Mark, SpeaksFor};
        let at = |scope: u8| SpeaksFor { name: [1; 32], key: [8; 32], scope: [scope; 32] };
        let marks = [(at(2), Mark::new(1_780_000_000, [3; 32], &[4, 5])), (at(9), Mark::new(-5, [3; 32], &[]))];
        let text = Marks(marks.into()).to_text();
        let old = |n: u8| format!("{n:02x}").repeat(32);
        let by_name = format!("{HEADER_BY_NAME}\n{} {} {} 0405 1780000000\n", old(1), old(2), old(3));
        [("two", text), ("by-name", by_name), ("none", Marks::default().to_text())].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(this_update: i64, signer: u8, number: &[u8]) -> Mark {
        Mark::new(this_update, [signer; 32], number)
    }

    #[test]
    fn a_list_is_older_by_its_time_or_by_its_number() {
        let before = mark(100, 1, &[1, 0]);
        for (older, wanted) in [
            (mark(99, 1, &[2, 0]), true),
            (mark(101, 1, &[0, 0, 255]), true),
            (mark(100, 1, &[1, 0]), false),
            (mark(101, 1, &[0, 1, 0]), false),
            (mark(101, 1, &[1, 1]), false),
            (mark(101, 2, &[1]), true),
            (mark(101, 1, &[]), false),
            (mark(100, 1, &[]), true),
            (mark(100, 2, &[255]), true),
            (mark(99, 2, &[9, 9]), true),
        ] {
            assert_eq!(older.is_older_than(&before), wanted, "{older:?}");
        }
        assert!(!mark(101, 1, &[7]).is_older_than(&mark(100, 1, &[])), "there was no number before");
    }

    #[test]
    fn marks_are_read_as_they_were_written_and_anything_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("marks");
        assert_eq!(Marks::load(&file).unwrap(), Marks::default(), "none is the first start's");
        let mut marks = Marks::default();
        let at = |key: u8, scope: u8| SpeaksFor { name: [1; 32], key: [key; 32], scope: [scope; 32] };
        marks.0.insert(at(8, 2), mark(1_780_000_000, 3, &[0, 4, 5]));
        marks.0.insert(at(8, 9), mark(-5, 3, &[]));
        marks.0.insert(at(7, 9), mark(-5, 4, &[]));
        marks.save(&file).unwrap();
        assert_eq!(Marks::load(&file).unwrap(), marks);
        let text = std::fs::read_to_string(&file).unwrap();
        for bad in [
            "",
            "x\n",
            &text[..text.len() - 1],
            &text.replace("v2", "v1"),
            &text.replace("v2", "v3"),
            &text.replace("0405", "0g05"),
            &text.replace(" - ", " "),
            &text.replace("0303", "03"),
        ] {
            std::fs::write(&file, bad).unwrap();
            let error = Marks::load(&file).unwrap_err();
            assert!(matches!(&error, TlsError::Marks(named) if *named == file) && error.to_string().contains("remove it"), "{error}");
        }
        // A file from before keys were told apart, and what is written of it.
        let (one, two, three) = ("01".repeat(32), "02".repeat(32), "03".repeat(32));
        std::fs::write(&file, format!("{HEADER_BY_NAME}\n{one} {two} {three} 0405 1780000000\n")).unwrap();
        let old = Marks::load(&file).unwrap();
        assert_eq!(old.0, BTreeMap::from([(at(0, 2), mark(1_780_000_000, 3, &[4, 5]))]));
        let older = |signer| old.before(&at(8, 2), &mark(0, signer, &[])).is_some();
        assert!(older(3) && !older(4), "it binds the lists of the key that it was made by, and no other's");
        old.save(&file).unwrap();
        assert_eq!(Marks::load(&file).unwrap(), old);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(matches!(Marks::load(&file), Err(TlsError::File(_))));
        // What the system says of such a name is neither "not found" nor "not allowed": as of a disk that fails.
        let unread = Marks::load(Path::new(&"x".repeat(300))).unwrap_err();
        assert!(matches!(&unread, TlsError::MarksUnread { .. }) && unread.to_string().contains("look at its disk"), "{unread}");
    }

    #[test]
    fn what_could_not_be_synced_is_told_as_that() {
        let nowhere = Path::new("/nowhere/at/all");
        assert!(matches!(files::sync_name(nowhere), Err(FileError::Sync { .. })));
        assert!(FileError::Sync { path: nowhere.to_owned(), error: ErrorKind::StorageFull.into() }.to_string().contains("durable"));
    }

    #[test]
    fn a_ca_with_many_lists_makes_no_other_forget_and_the_last_of_each_that_vouches_stays() {
        let at = |name: u8, scope: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&scope.to_be_bytes());
            SpeaksFor { name: [name; 32], key: [name; 32], scope: bytes }
        };
        let bounded = |cas: u8, parts: u16, vouchers: &Vouchers| {
            let mut marks = Marks::default();
            // The oldest of all, of a CA with one list.
            marks.0.insert(at(0, 0), mark(-1, 0, &[]));
            for name in 1..=cas {
                (0..parts).for_each(|part| _ = marks.0.insert(at(name, part), mark(i64::from(part), 0, &[])));
            }
            marks.bound(vouchers);
            marks.0
        };
        let all = Vouchers::of_test(&(0..=200).map(|name| ([name; 32], [name; 32])).collect::<Vec<_>>());
        let one = bounded(1, 600, &all);
        assert_eq!(one.len(), 1 + PARTS_MAX);
        assert!(one.contains_key(&at(0, 0)) && one.contains_key(&at(1, 599)) && !one.contains_key(&at(1, 600 - 65)));
        let many = bounded(200, 5, &all);
        assert_eq!(many.len(), MARKS_MAX);
        assert!((1..=200).all(|name| many.contains_key(&at(name, 4))) && many.contains_key(&at(0, 0)));
        // One that vouches no more goes first.
        let others = Vouchers::of_test(&(1..=200).map(|name| ([name; 32], [name; 32])).collect::<Vec<_>>());
        assert!(!bounded(200, 5, &others).contains_key(&at(0, 0)));
        assert!(bounded(2, 5, &others).contains_key(&at(0, 0)), "while there is room it stays");
    }
}
