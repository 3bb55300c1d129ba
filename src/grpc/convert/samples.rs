//! The golden samples of `samples/`: JSON form → generated type → domain, and the same bytes whoever encodes them.

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _};

use super::{canonical, condition_notice, lab_result, non_attendance_report, wire};
use crate::domain::finding::{AnalysisStage, ConfirmationMethod, Outcome};
use crate::domain::notice::{AgeAtAct, ConditionNotice, Conditions, Majority, Reaction};
use crate::domain::reach::Reach;
use crate::domain::refusal::CONTEXT;
use crate::domain::substance::SubstanceGroup;
use crate::domain::violation::FieldReason;
use crate::grpc::pb;

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../samples/", $name, ".json"))
    };
}

/// From protobuf's JSON form by way of the descriptor set, with the wire check between.
fn read<M: Message + Name + Default>(json: &str) -> M {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name(&M::full_name()).unwrap();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let dynamic = DynamicMessage::deserialize(descriptor, &mut deserializer).unwrap();
    deserializer.end().unwrap();
    let bytes = dynamic.encode_to_vec();
    assert_eq!(dynamic.descriptor().full_name(), M::full_name());
    wire::check(&M::full_name(), &bytes).unwrap();
    let message = M::decode(bytes.as_slice()).unwrap();
    assert_eq!(canonical(&message), bytes, "two encoders agree on the canonical bytes");
    message
}

fn notice(json: &str) -> ConditionNotice {
    condition_notice(read(json), &CONTEXT).unwrap()
}

#[test]
fn attendance_only() {
    assert!(matches!(notice(sample!("notice-attendance")).conditions(), Conditions::Attendance(_)));
}

#[test]
fn control_only() {
    let notice = notice(sample!("notice-control"));
    assert!(matches!(notice.conditions(), Conditions::Control(_)));
    assert_eq!(notice.reaction(), Reaction::ConditionalSentence);
}

#[test]
fn attendance_and_control() {
    let notice = notice(sample!("notice-both"));
    assert!(matches!(notice.conditions(), Conditions::Both(_, _)));
    assert_eq!(notice.control().unwrap().facts().groups, [SubstanceGroup::Amphetamines, SubstanceGroup::Cannabis]);
}

#[test]
fn a_sixteen_year_old_by_waiver() {
    let notice = notice(sample!("notice-16-waiver"));
    assert_eq!(notice.age_at_act(), AgeAtAct::From15To17);
    assert!(matches!(notice.majority(), Majority::MinorGuardianNotified(_)));
}

#[test]
fn a_sixteen_year_old_by_judgment() {
    assert_eq!(notice(sample!("notice-16-judgment")).majority(), Majority::MinorUnderJudgment);
}

#[test]
fn a_protected_address() {
    assert!(matches!(notice(sample!("notice-protected-address")).subject().reach(), Some(Reach::Protected)));
}

#[test]
fn a_report() {
    let report = non_attendance_report(read(sample!("report")), &CONTEXT).unwrap();
    assert_eq!((report.summons_dates().len(), report.missed_dates().len()), (2, 2));
}

#[test]
fn cannabis_confirmed_and_amphetamines_negative() {
    let result = lab_result(read(sample!("result")), &CONTEXT).unwrap();
    let outcomes: Vec<Outcome> = result.findings().iter().map(|finding| finding.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Detected(ConfirmationMethod::LcMsMs), Outcome::NotDetected(AnalysisStage::Screening)]);
}

#[test]
fn a_corrected_result_is_of_the_same_sample() {
    let first = lab_result(read(sample!("result")), &CONTEXT).unwrap();
    let second = lab_result(read(sample!("result-corrected")), &CONTEXT).unwrap();
    assert_eq!(first.facts(), second.facts());
    assert_ne!(first.findings()[0].quantity(), second.findings()[0].quantity());
}

#[test]
fn an_unspecified_and_an_unknown_enum_number_are_refused_by_name() {
    let mut message: pb::ConditionNotice = read(sample!("notice-both"));
    message.reaction = 0;
    message.age_at_act = 3;
    message.control.as_mut().unwrap().groups[1] = 16;
    let violations = condition_notice(message, &CONTEXT).unwrap_err();
    assert!(violations.has("reaction", FieldReason::Required));
    assert!(violations.has("age_at_act", FieldReason::UnknownValue));
    assert!(violations.has("control.groups[1]", FieldReason::UnknownValue));
}

#[test]
fn a_referral_cannot_be_said_until_it_is_law() {
    let mut message: pb::ConditionNotice = read(sample!("notice-attendance"));
    message.reaction = 4;
    assert!(condition_notice(message, &CONTEXT).unwrap_err().has("reaction", FieldReason::UnknownValue));
}

#[test]
fn debug_of_generated_types_shows_no_content() {
    let message: pb::ConditionNotice = read(sample!("notice-both"));
    let shown = format!("{message:?} {:?}", message.subject);
    assert!(!shown.contains("12848930057") && !shown.contains("Testesen"));
    let result: pb::LabResult = read(sample!("result"));
    assert!(!format!("{result:?} {:?}", result.findings).contains("NPU53115"));
}

/// Words that no message, field or value may hold: what is absent is absent on purpose.
#[test]
fn the_schema_has_no_word_for_what_may_not_be_said() {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let file = pool.get_file_by_name("samband/v1/messages.proto").unwrap();
    let mut names = Vec::new();
    for message in file.messages() {
        names.push(message.name().to_lowercase());
        names.extend(message.fields().map(|field| field.name().to_lowercase()));
        for field in message.fields() {
            assert!(!matches!(field.kind(), prost_reflect::Kind::Double | prost_reflect::Kind::Float), "decimals are strings");
        }
    }
    for values in file.enums() {
        names.extend(values.values().map(|value| value.name().to_lowercase()));
    }
    let forbidden = [
        "consent",
        "comment",
        "note",
        "attended",
        "diagnos",
        "journal",
        "patient",
        "excuse",
        "recommend",
        "breach",
        "digital",
        "recipient",
        "copy_to",
        "helfo",
        "tariff",
        "status",
        "preliminary",
        "offence",
        "under_15",
        "parent",
    ];
    for word in forbidden {
        assert!(names.iter().all(|name| !name.contains(word)), "{word}");
    }
    let relayed: Vec<&str> = ["ConditionNotice", "NonAttendanceReport", "LabResult"].to_vec();
    let contained: Vec<String> = file
        .messages()
        .flat_map(|m| m.fields().collect::<Vec<_>>())
        .filter_map(|f| f.kind().as_message().map(|m| m.name().to_owned()))
        .collect();
    let roots: Vec<String> = file.messages().map(|m| m.name().to_owned()).filter(|name| !contained.contains(name)).collect();
    assert_eq!(roots, relayed, "three messages and their parts, nothing else");
}

#[test]
fn every_field_message_and_value_of_the_three_messages_has_a_comment() {
    let proto = include_str!("../../../proto/samband/v1/messages.proto");
    let lines: Vec<&str> = proto.lines().map(str::trim).collect();
    for (i, line) in lines.iter().enumerate() {
        let declares = (line.ends_with(';') && line.contains(" = ") && !line.starts_with("//"))
            || line.starts_with("message ")
            || line.starts_with("enum ");
        if declares {
            assert!(lines[i - 1].starts_with("//"), "{line}");
        }
    }
}
