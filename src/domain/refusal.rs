//! Tests only: one line, one refusal. Each line becomes a test of its own, and the list of reasons is kept, so that a reason nobody provokes is found.

use super::identity::IdentityMode;
use super::time::Date;
use super::violation::{FieldReason, ParseContext};

/// The day on which the tests receive messages, at a test gateway.
pub(crate) const CONTEXT: ParseContext = ParseContext { today: Date::constant(2026, 11, 20), identity_mode: IdentityMode::Test };

/// `refusals! { Draft, parse, good; name: Reason at "path" by |draft| change; .. }`
macro_rules! refusals {
    ($draft:ty, $parse:path, $good:path; $($name:ident: $reason:ident at $path:literal by $change:expr;)+) => {
        $(
            #[test]
            fn $name() {
                let mut draft = $good();
                let change: fn(&mut $draft) = $change;
                change(&mut draft);
                let violations = $parse(draft, &$crate::domain::refusal::CONTEXT).expect_err("must be refused");
                let wanted = $crate::domain::violation::FieldReason::$reason;
                assert!(violations.has($path, wanted), "found instead: {violations}");
                assert_eq!(violations.as_slice().len(), 1, "one mistake, one violation: {violations}");
            }
        )+

        /// The reasons that the tests of this list provoke.
        pub(crate) const PROVOKED: &[$crate::domain::violation::FieldReason] = &[$($crate::domain::violation::FieldReason::$reason),+];
    };
}
pub(crate) use refusals;

#[test]
fn every_reason_is_provoked_by_a_test() {
    let provoked: Vec<FieldReason> =
        [super::notice::tests::PROVOKED, super::report::tests::PROVOKED, super::result::tests::PROVOKED].concat();
    let missing: Vec<&str> = FieldReason::ALL.iter().filter(|reason| !provoked.contains(reason)).map(|reason| reason.as_str()).collect();
    // A synthetic number is accepted by the test gateway of these lists.
    assert_eq!(missing, ["IDENTITY_SYNTHETIC"], "provoked by notice::tests::a_synthetic_number_is_refused_in_production");
}
