use super::*;
use crate::grpc::convert::canonical;
use crate::grpc::pb;
use proptest::prelude::*;
use prost::Message as _;

const NOTICE: &str = "samband.v1.ConditionNotice";
const CONTROL: &str = "samband.v1.Control";
const SUBJECT: &str = "samband.v1.Subject";

fn fault(name: &str, bytes: &[u8]) -> Option<(WireFault, u32)> {
    check(name, bytes).err().map(|error| (error.fault, error.field))
}

#[test]
fn a_message_of_another_schema_is_refused() {
    assert_eq!(fault("samband.v1.Nothing", &[]), Some((WireFault::UnknownMessage, 0)));
    prepare();
    assert_eq!(fault(NOTICE, &[]), None);
}

#[test]
fn an_unknown_field_is_refused_at_every_depth() {
    assert_eq!(fault(NOTICE, &[15 << 3 | 2, 0]), Some((WireFault::UnknownField, 15)));
    assert_eq!(fault(NOTICE, &[0x0a, 2, 6 << 3, 0]), Some((WireFault::UnknownField, 6)), "inside subject");
    assert_eq!(fault(NOTICE, &[0xfa, 0xff, 0xff, 0xff, 0x0f, 0]), Some((WireFault::UnknownField, (1 << 29) - 1)));
}

#[test]
fn a_wrong_wire_type_is_refused() {
    assert_eq!(fault(NOTICE, &[2 << 3, 1]), Some((WireFault::WrongWireType, 2)), "a number for a string");
    assert_eq!(fault(NOTICE, &[3 << 3 | 5, 0, 0, 0, 0]), Some((WireFault::WrongWireType, 3)), "four bytes for an enum");
    assert_eq!(fault(NOTICE, &[3 << 3 | 2, 1, 1]), Some((WireFault::WrongWireType, 3)), "a singular enum is never packed");
    assert_eq!(fault(NOTICE, &[3 << 3 | 6, 1]), Some((WireFault::WrongWireType, 3)), "wire type 6 does not exist");
}

#[test]
fn a_singular_field_sent_twice_is_refused() {
    assert_eq!(fault(NOTICE, &[2 << 3 | 2, 1, b'0', 2 << 3 | 2, 1, b'0']), Some((WireFault::FieldTwice, 2)));
    assert_eq!(fault(NOTICE, &[0x0a, 0, 0x0a, 0]), Some((WireFault::FieldTwice, 1)), "messages would be merged");
    assert_eq!(fault(NOTICE, &[9 << 3, 0, 9 << 3, 0]), Some((WireFault::FieldTwice, 9)), "optional fields too");
}

#[test]
fn two_members_of_one_oneof_are_refused() {
    assert_eq!(fault(SUBJECT, &[0x0a, 0, 0x12, 0]), Some((WireFault::FieldTwice, 2)));
    assert_eq!(fault(SUBJECT, &[0x0a, 0, 0x0a, 0]), Some((WireFault::FieldTwice, 1)));
}

#[test]
fn groups_are_refused() {
    assert_eq!(fault(NOTICE, &[1 << 3 | 3, 1 << 3 | 4]), Some((WireFault::Group, 1)));
    assert_eq!(fault(NOTICE, &[1 << 3 | 4]), Some((WireFault::Group, 1)));
}

#[test]
fn strings_are_utf_8() {
    assert_eq!(fault(NOTICE, &[2 << 3 | 2, 2, 0xc0, 0x80]), Some((WireFault::InvalidUtf8, 2)));
    assert_eq!(fault(NOTICE, &[2 << 3 | 2, 3, 0xed, 0xa0, 0x80]), Some((WireFault::InvalidUtf8, 2)), "a surrogate");
}

#[test]
fn bytes_that_end_too_soon_are_refused() {
    assert_eq!(fault(NOTICE, &[2 << 3 | 2, 5, b'0']), Some((WireFault::Truncated, 2)));
    assert_eq!(fault(NOTICE, &[2 << 3 | 2]), Some((WireFault::Truncated, 2)));
    assert_eq!(fault(NOTICE, &[0x80]), Some((WireFault::Truncated, 0)));
    let huge = [2 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(fault(NOTICE, &huge), Some((WireFault::Truncated, 2)));
}

#[test]
fn numbers_that_do_not_fit_are_refused_and_not_cut() {
    let wide = [2 << 3, 0x80, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(fault("samband.v1.Attendance", &wide), Some((WireFault::OutOfRange, 2)), "2^32 would become 0");
    assert_eq!(fault(NOTICE, &[9 << 3, 2]), Some((WireFault::OutOfRange, 9)), "a bool is 0 or 1");
    assert_eq!(fault(NOTICE, &[0, 0]), Some((WireFault::OutOfRange, 0)), "field number 0");
    let enum_wide = [3 << 3, 0x81, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(fault(NOTICE, &enum_wide), Some((WireFault::OutOfRange, 3)), "2^32 + 1 would become 1");
    let endless = [3 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(fault(NOTICE, &endless), Some((WireFault::OutOfRange, 3)));
    let minus_one = [3 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(fault(NOTICE, &minus_one), None, "well-formed; the conversion refuses the value");
}

#[test]
fn the_longest_request_is_bounded() {
    assert_eq!(fault(NOTICE, &vec![0; REQUEST_BYTES_MAX + 1]), Some((WireFault::TooLong, 0)));
}

#[test]
fn deep_nesting_is_refused_before_the_stack_feels_it() {
    // The three messages nest four deep and have no cycle; the bound is for what services may add.
    let root = SCHEMA.root(NOTICE).unwrap();
    assert_eq!(check_message(root, &[], WIRE_DEPTH_MAX), Ok(()));
    assert_eq!(check_message(root, &[], WIRE_DEPTH_MAX + 1).unwrap_err().fault, WireFault::TooDeep);
}

#[test]
fn order_packing_and_explicit_defaults_never_matter() {
    let packed = pb::Control { matrices: vec![1, 2], groups: vec![3], sample_count: 7, ..Default::default() };
    let canonical_bytes = canonical(&packed);
    // sample_count first, explicit default of procedure, groups before matrices, matrices one by one.
    let other = [5 << 3, 7, 2 << 3, 0, 4 << 3 | 2, 1, 3, 3 << 3, 1, 3 << 3, 2];
    assert_eq!(fault(CONTROL, &other), None);
    assert_eq!(fault(CONTROL, &canonical_bytes), None);
    assert_eq!(canonical(&pb::Control::decode(other.as_slice()).unwrap()), canonical_bytes);
    // Half packed, half not, an empty pack between.
    let mixed = [3 << 3, 1, 3 << 3 | 2, 0, 3 << 3 | 2, 1, 2, 4 << 3, 3, 5 << 3, 7];
    assert_eq!(fault(CONTROL, &mixed), None);
    assert_eq!(canonical(&pb::Control::decode(mixed.as_slice()).unwrap()), canonical_bytes);
}

#[test]
fn codes_are_unique_and_texts_say_what_to_do() {
    let mut codes: Vec<&str> = WireFault::ALL.iter().map(|fault| fault.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), WireFault::ALL.len());
    assert!(WireFault::ALL.iter().all(|fault| !fault.to_string().is_empty()));
}

fn control() -> impl Strategy<Value = pb::Control> {
    (any::<i32>(), prop::collection::vec(any::<i32>(), 0..6), any::<u32>(), "\\PC{0,12}", prop::collection::vec("[a-z]{0,9}", 0..4))
        .prop_map(|(legal_basis, matrices, sample_count, from_date, laboratories)| pb::Control {
            legal_basis,
            matrices,
            sample_count,
            from_date,
            laboratories,
            frequency: Some(pb::Frequency::default()),
            ..Default::default()
        })
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in [NOTICE, CONTROL, SUBJECT, "samband.v1.LabResult", "samband.v1.NonAttendanceReport"] {
            let _ = check(name, &bytes);
        }
    }

    #[test]
    fn whatever_is_accepted_decodes_and_keeps_its_meaning(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if check(CONTROL, &bytes).is_ok() {
            let message = pb::Control::decode(bytes.as_slice()).unwrap();
            let again = pb::Control::decode(canonical(&message).as_slice()).unwrap();
            prop_assert_eq!(message, again);
        }
    }

    #[test]
    fn whatever_is_encoded_is_accepted_and_canonical_is_stable(message in control()) {
        let bytes = canonical(&message);
        prop_assert_eq!(check(CONTROL, &bytes), Ok(()));
        prop_assert_eq!(canonical(&pb::Control::decode(bytes.as_slice()).unwrap()), bytes);
    }

    #[test]
    fn an_unknown_field_behind_a_good_message_is_found(message in control(), number in 12_u32..1000) {
        let mut bytes = canonical(&message);
        prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut bytes);
        bytes.push(1);
        prop_assert_eq!(fault(CONTROL, &bytes), Some((WireFault::UnknownField, number)));
    }
}
