//! Properties of the small types over generated input. What each type promises is written here a second time, from the rules and not from the code.

mod identity_numbers;
mod messages;

use std::fmt::Display;
use std::str::FromStr;

use proptest::prelude::*;

use super::decimal::Decimal;
use super::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use super::label::{ContactKey, InvoiceReference, SampleLabel};
use super::legal_basis::{ConditionPart, LegalBasis};
use super::municipality;
use super::name::{AddressLine, PersonName, PostalPlace, to_nfc};
use super::nlk::{NlkCode, NlkTable};
use super::participant::{KeyHash, MunicipalityNumber, OrganisationNumber, is_e164};
use super::time::{DAY_MILLIS, Date, Timestamp, parse_date, plus_months};
use super::ucum::Unit;

/// Texts that are almost of a pattern: its own characters, neighbours of them, and anything.
fn near(pattern: &'static str) -> impl Strategy<Value = String> {
    let longer = |text: String| proptest::string::string_regex(&text).expect("a pattern and one character more is a pattern");
    prop_oneof![4 => pattern, 1 => longer(format!("{pattern}\\PC")), 1 => longer(format!("\\PC{pattern}")), 1 => "\\PC{0,40}", 1 => "[a-zA-Z0-9+.:-]{0,40}"]
}

/// Text is accepted exactly when `fits`, and then prints as it was.
fn has_one_spelling<T: FromStr + Display>(text: &str, fits: bool) -> Result<(), TestCaseError> {
    let parsed = text.parse::<T>();
    prop_assert_eq!(parsed.is_ok(), fits, "{:?}", text);
    if let Ok(value) = parsed {
        prop_assert_eq!(value.to_string(), text);
    }
    Ok(())
}

fn all_of(text: &str, least: usize, most: usize, set: &str) -> bool {
    let count = text.chars().count();
    least <= count && count <= most && text.chars().all(|c| set.contains(c))
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn starts_lower(text: &str) -> bool {
    text.chars().next().is_some_and(|c| LOWER.contains(c))
}

/// 1900 to 2099.
fn date() -> impl Strategy<Value = Date> {
    (1900_i16..2100, 1_i8..=12, 1_i8..=31).prop_filter_map("a day of the calendar", |(year, month, day)| Date::new(year, month, day).ok())
}

proptest! {
    #[test]
    fn participant_ids(text in near("[a-z][a-z0-9-]{1,30}")) {
        let fits = all_of(&text, 2, 31, "abcdefghijklmnopqrstuvwxyz0123456789-") && starts_lower(&text);
        has_one_spelling::<ParticipantId>(&text, fits)?;
    }

    #[test]
    fn contact_keys(text in near("[a-z][a-z0-9-]{0,19}")) {
        let fits = all_of(&text, 1, 20, "abcdefghijklmnopqrstuvwxyz0123456789-") && starts_lower(&text);
        has_one_spelling::<ContactKey>(&text, fits)?;
    }

    #[test]
    fn labels_and_invoice_references(text in near("[A-Z0-9-]{1,20}")) {
        let fits = all_of(&text, 1, 20, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
        // Neither can be printed: both are content.
        let (label, reference) = (text.parse::<SampleLabel>(), text.parse::<InvoiceReference>());
        prop_assert_eq!((label.is_ok(), reference.is_ok()), (fits, fits), "{:?}", text);
        prop_assert!(label.is_ok_and(|label| label.as_str() == text) == fits && reference.is_ok_and(|reference| reference.as_str() == text) == fits);
    }

    #[test]
    fn analysis_codes(text in near("(NPU|NOR)[0-9]{5}")) {
        let fits = text.strip_prefix("NPU").or(text.strip_prefix("NOR")).is_some_and(|rest| all_of(rest, 5, 5, DIGITS));
        has_one_spelling::<NlkCode>(&text, fits)?;
        if let Ok(code) = text.parse::<NlkCode>() {
            prop_assert!(NlkTable::in_force().lookup(code, Date::constant(1999, 12, 31)).is_none(), "no code is older than the table");
        }
    }

    #[test]
    fn municipality_numbers(text in near("[0-9]{4}"), on in date()) {
        has_one_spelling::<MunicipalityNumber>(&text, all_of(&text, 4, 4, DIGITS))?;
        if let Ok(number) = text.parse::<MunicipalityNumber>() {
            prop_assert_eq!(municipality::exists(number, on), municipality::lookup(number, on).is_some());
        }
    }

    #[test]
    fn key_hashes(text in near("[0-9a-f]{64}"), bytes: [u8; 32]) {
        if let Ok(hash) = text.parse::<KeyHash>() {
            prop_assert_eq!(hash.to_string(), text);
        }
        let hash = KeyHash::from_bytes(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn units(text in near("(nmol/L|umol/L|mmol/L|ug/L|ng/mL|\\[pH\\]|1)")) {
        if let Ok(unit) = text.parse::<Unit>() {
            prop_assert_eq!(unit.as_str(), text.as_str());
        }
    }

    #[test]
    fn phone_numbers(text in near("\\+[0-9]{8,15}")) {
        let fits = text.strip_prefix('+').is_some_and(|digits| all_of(digits, 8, 15, DIGITS) && !digits.starts_with('0'));
        prop_assert_eq!(is_e164(&text), fits);
    }

    /// Of the ten numbers that differ in the last digit one is valid, or none; one wrong digit is always found.
    #[test]
    fn organisation_numbers(front in "[89][0-9]{7}", at in 0_usize..9, other in 0_u8..10) {
        let valid: Vec<String> = (0..10).map(|check| format!("{front}{check}")).filter(|text| text.parse::<OrganisationNumber>().is_ok()).collect();
        prop_assert!(valid.len() <= 1);
        for text in valid {
            prop_assert_eq!(text.parse::<OrganisationNumber>().unwrap().to_string(), text.as_str());
            let mut wrong = text.clone().into_bytes();
            prop_assume!(wrong[at] != b'0' + other);
            wrong[at] = b'0' + other;
            prop_assert!(String::from_utf8(wrong).unwrap().parse::<OrganisationNumber>().is_err(), "{}", text);
        }
    }

    #[test]
    fn organisation_numbers_of_any_text(text in near("[89][0-9]{8}")) {
        if let Ok(number) = text.parse::<OrganisationNumber>() {
            prop_assert_eq!(number.to_string(), text);
        }
    }

    #[test]
    fn message_ids(text in near("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), millis in 0_i64..1 << 48, random: [u8; 10]) {
        let parts: Vec<&str> = text.split('-').collect();
        let hexadecimal = |part: &str, len| all_of(part, len, len, "0123456789abcdef");
        let fits = parts.len() == 5
            && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, len)| hexadecimal(part, len))
            && parts[2].starts_with('7')
            && parts[3].starts_with(['8', '9', 'a', 'b']);
        has_one_spelling::<MessageId>(&text, fits)?;
        let id = MessageId::new(Timestamp::from_millis(millis), random);
        prop_assert_eq!(id.timestamp().millis(), millis);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(MessageId::from_bytes(*id.as_bytes()), Ok(id));
    }

    /// However it is written down: canonical, in lower case, with spaces, with the letters that look like digits. One wrong character is found, and a
    /// case is no requisition.
    #[test]
    fn references(bytes: [u8; 10], at in 0_usize..18, digit in 0_usize..32) {
        let case = CaseRef::from_bytes(bytes);
        let text = case.to_string();
        let written = [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace('-', ""),
            text.replace('0', "O").replace('1', "I"),
            text.replace('0', "o").replace('1', "l"),
        ];
        for text in &written {
            prop_assert_eq!(text.parse::<CaseRef>(), Ok(case));
            prop_assert!(text.parse::<RequisitionId>().is_err());
        }
        let mut plain: Vec<u8> = text.bytes().filter(|c| *c != b'-').collect();
        let other = CROCKFORD.as_bytes()[digit];
        prop_assume!(plain[at] != other);
        plain[at] = other;
        prop_assert!(String::from_utf8(plain).unwrap().parse::<CaseRef>().is_err());
        let requisition = RequisitionId::from_bytes(bytes);
        prop_assert_eq!(requisition.to_string().parse(), Ok(requisition));
        prop_assert!(requisition.to_string().parse::<CaseRef>().is_err());
    }

    #[test]
    fn references_of_any_text(text in near("[0-9A-HJKMNP-TV-Z]{6}-[0-9A-HJKMNP-TV-Z]{6}-[0-9A-HJKMNP-TV-Z]{6}")) {
        if let Ok(case) = text.parse::<CaseRef>() {
            prop_assert_eq!(case.to_string().replace('-', ""), text.to_uppercase().replace(['-', ' '], "").replace('O', "0").replace(['I', 'L'], "1"));
        }
    }

    #[test]
    fn decimals_by_value(whole in 0_u64..1_000_000_000, fraction in 0_u64..1_000_000, other in 0_u64..1_000_000) {
        let text = |fraction: u64| format!("{whole}.{fraction:06}");
        let (one, two): (Decimal, Decimal) = (text(fraction).parse().unwrap(), text(other).parse().unwrap());
        prop_assert_eq!(one.cmp(&two), fraction.cmp(&other));
        prop_assert_eq!(text(fraction).trim_end_matches('0').trim_end_matches('.').parse(), Ok(one));
        prop_assert_eq!(format!("0{whole}").parse::<Decimal>().is_ok(), whole < 100_000_000);
    }

    #[test]
    fn decimals_of_any_text(text in near("[0-9]{1,9}(\\.[0-9]{1,6})?")) {
        let mut parts = text.split('.');
        let whole = parts.next().is_some_and(|part| all_of(part, 1, 9, DIGITS));
        let fraction = parts.next().is_none_or(|part| all_of(part, 1, 6, DIGITS));
        prop_assert_eq!(text.parse::<Decimal>().is_ok(), whole && fraction && parts.next().is_none(), "{:?}", text);
    }

    #[test]
    fn dates_have_one_spelling(text in near("[0-9]{4}-[0-9]{2}-[0-9]{2}"), date in date()) {
        prop_assert_eq!(parse_date(&date.to_string()), Some(date));
        if let Some(read) = parse_date(&text) {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn months_are_added_as_people_do(date in date(), months in 0_i32..120) {
        let later = plus_months(date, months);
        let (from, to) = (i32::from(date.year()) * 12 + i32::from(date.month()), i32::from(later.year()) * 12 + i32::from(later.month()));
        prop_assert_eq!(to - from, months);
        prop_assert_eq!(later.day(), date.day().min(later.days_in_month()));
    }

    /// A day in Oslo lasts 23, 24 or 25 hours, and each instant lies in its day.
    #[test]
    fn days_of_oslo(millis in 0_i64..4_000_000_000_000) {
        let at = Timestamp::from_millis(millis);
        let day = at.oslo_date();
        let (start, next) = (Timestamp::start_of(day), Timestamp::start_of(day.tomorrow().unwrap()));
        prop_assert!(start <= at && at < next);
        let length = next.millis() - start.millis();
        prop_assert!((length - DAY_MILLIS).abs() <= 60 * 60 * 1000, "{}", length);
    }

    #[test]
    fn names_and_addresses(text in prop_oneof!["\\PC{0,110}", "[A-Za-zÆØÅæøåéü' .-]{0,110}", "[A-Za-zÆØÅ0-9 .,/-]{0,70}"]) {
        let count = text.chars().count();
        let name = PersonName::parse(&text).map(|name| name.expose().to_owned());
        let line = AddressLine::parse(&text).map(|line| line.expose().to_owned());
        let place = PostalPlace::parse(&text).map(|place| place.expose().to_owned());
        for (kept, most) in [(name, 100), (line, 60), (place, 40)] {
            let Ok(kept) = kept else { continue };
            prop_assert_eq!(&kept, &text);
            prop_assert_eq!(to_nfc(&text), text.as_str());
            prop_assert!(1 <= count && count <= most);
            prop_assert!(!text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  "));
            let hostile = ['<', '>', '&', '"', ';', '@', '\n', '\0', '\u{202e}', '\u{200b}'];
            prop_assert!(!text.contains(hostile));
        }
    }

    /// No day gives a part two bases, and a basis that held is never in force before the Act that brought it.
    #[test]
    fn legal_bases(on in date()) {
        for basis in [LegalBasis::Strl37AttendUnit, LegalBasis::Strl37AbstainAndTest] {
            for part in [ConditionPart::Attendance, ConditionPart::Control] {
                prop_assert_eq!(basis.check(part, on).is_ok(), basis.citation(part, on).is_ok());
                if let Ok(citation) = basis.citation(part, on) {
                    prop_assert!(citation.starts_with("strl. § 37 første ledd bokstav "), "{}", citation);
                }
            }
        }
    }
}
