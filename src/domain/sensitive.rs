//! The types that hold what is personal, in one list. Each shows its name only, and the compiler refuses a way to print or write it:
//! `{}` and `to_string` do not compile for any of them, nor does serde for those that no sealed file holds.
//!
//! What they own on the heap is wiped when it is freed, by the program's allocator (`main.rs`); identity numbers, names, addresses and
//! canonical content wipe themselves besides.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::control::{Control, ControlFacts};
use super::decimal::Decimal;
use super::finding::{Finding, Outcome, Quantity};
use super::identity::{DNumber, Fnr, SubjectId};
use super::label::{InvoiceReference, SampleLabel};
use super::name::{AddressLine, PersonName, PostalPlace};
use super::notice::{Attendance, ConditionNotice, Conditions, Majority, NoticeFacts, Subject};
use super::reach::{Phone, PostalAddress, Reach};
use super::report::{NonAttendanceReport, ReportFacts};
use super::result::{LabResult, ResultFacts};
use super::validity::Validity;

/// The canonical content of one message: what is sealed and handed out. Shared without a copy, wiped with its last owner.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(Arc<Zeroizing<Vec<u8>>>);

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }
}

impl From<Zeroizing<Vec<u8>>> for Content {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Compiles only if the type has none of the traits. Were there one, two impls would fit and the compiler could not choose.
macro_rules! has_none_of {
    ($type:ty: $($trait:path),+) => {
        const _: fn() = || {
            $({
                trait Ambiguous<Which> {
                    fn choose() {}
                }
                impl<T: ?Sized> Ambiguous<()> for T {}
                struct Has;
                impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
                _ = <$type as Ambiguous<_>>::choose;
            })+
        };
    };
}

macro_rules! shows_its_name_only {
    ($type:ident) => {
        impl fmt::Debug for $type {
            /// The name only: what it holds is personal.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(***)"))
            }
        }
    };
}

macro_rules! sensitive {
    (never_written: $($never:ident),+; in_sealed_files_only: $($sealed:ident),+ $(,)?) => {
        $(
            shows_its_name_only!($never);
            has_none_of!($never: fmt::Display, serde::Serialize);
        )+
        $(
            shows_its_name_only!($sealed);
            has_none_of!($sealed: fmt::Display);
        )+
        /// The names of all of them.
        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$(stringify!($never),)+ $(stringify!($sealed),)+];
    };
}

sensitive! {
    never_written: Content, Fnr, DNumber, SubjectId, PersonName, AddressLine, PostalPlace, Phone, PostalAddress, Reach, Subject, Attendance, Majority,
    Conditions, Control, InvoiceReference, ConditionNotice, NonAttendanceReport, LabResult, Finding, Outcome, Quantity, Validity, Decimal;
    // What later messages are checked against: in journal events and in the state of cases, never on a client's way.
    in_sealed_files_only: NoticeFacts, ControlFacts, ReportFacts, ResultFacts, SampleLabel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shows_its_name_and_nothing_else() {
        assert!(NAMES.len() > 25);
        let shown = [
            (format!("{:?}", Content::from(b"Testesen".to_vec())), "Content(***)"),
            (format!("{:?}", "12.5".parse::<Decimal>().unwrap()), "Decimal(***)"),
            (format!("{:?}", "A-1".parse::<SampleLabel>().unwrap()), "SampleLabel(***)"),
            (format!("{:?}", PersonName::parse("Testesen").unwrap()), "PersonName(***)"),
        ];
        for (shown, wanted) in shown {
            assert_eq!(shown, wanted);
        }
    }

    #[test]
    fn content_is_shared_and_compares_by_its_bytes() {
        let content = Content::from(b"Testesen".to_vec());
        assert!(std::ptr::eq(content.as_ptr(), content.clone().as_ptr()));
        assert_eq!(content, Content::from(Zeroizing::new(b"Testesen".to_vec())));
        assert!(Content::default().is_empty());
    }
}
