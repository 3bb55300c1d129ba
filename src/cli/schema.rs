//! Messages by descriptor: JSON in, JSON out, unknown fields refused, and the codec that carries them in a call.
//!
//! The command line speaks protobuf's JSON mapping with the field names of `proto/`, so one client serves every role.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::grpc::pb::FILE_DESCRIPTOR_SET;

use super::exit::CliError;

/// The largest JSON file that is read, in bytes: far above the largest message.
const JSON_BYTES_MAX: u64 = 1024 * 1024;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script encoded this descriptor set"));

/// A service of the gateway: one for each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// For the prosecution.
    Prosecution,
    /// For municipal units.
    Municipal,
    /// For laboratories.
    Laboratory,
    /// For auditors.
    Audit,
}

impl Service {
    /// The name without the package.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prosecution => "ProsecutionService",
            Self::Municipal => "MunicipalService",
            Self::Laboratory => "LaboratoryService",
            Self::Audit => "AuditService",
        }
    }

    /// A call of this service.
    ///
    /// # Errors
    /// The service has no such call.
    pub fn method(self, name: &str) -> Result<MethodDescriptor, CliError> {
        let service = POOL.get_service_by_name(&format!("samband.v1.{}", self.name()));
        service
            .and_then(|service| service.methods().find(|method| method.name() == name))
            .ok_or_else(|| CliError::Usage(format!("this role has no call {name}")))
    }
}

/// The descriptor of a message of the package.
///
/// # Panics
/// Never for the names this program uses; a test asks for each.
#[must_use]
pub fn descriptor(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(&format!("samband.v1.{name}")).expect("the command line names messages of its own proto files only")
}

/// A message from JSON text. Errors name line, column and the unknown field, never a value.
///
/// # Errors
/// What is wrong, as text.
pub fn from_text(descriptor: MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    // The reader of messages takes the last of two; here, as on the wire, a field stands once.
    serde_json::from_str::<NamesOnce>(text).map_err(|error| json_fault(&error))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = DynamicMessage::deserialize(descriptor, &mut reader).and_then(|message| reader.end().map(|()| message));
    read.map_err(|error| json_fault(&error))
}

/// JSON in which no object has a name twice, in either spelling (`case_ref`, `caseRef`). Holds nothing.
struct NamesOnce;

impl<'de> Deserialize<'de> for NamesOnce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NamesOnce {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.replace('_', "").to_lowercase()) {
                return Err(serde::de::Error::custom("duplicate"));
            }
            map.next_value::<Self>()?;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

fn json_fault(error: &serde_json::Error) -> String {
    let place = format!("{}:{}", error.line(), error.column());
    let text = error.to_string();
    // Only the name of a field is repeated: values are personal.
    let what = match text.split_once("unrecognized field name ") {
        Some((_, rest)) => {
            let name = rest.split(" at line ").next().unwrap_or_default();
            format!("there is no field {name} in this message; only the published fields are relayed")
        }
        None if error.is_syntax() || error.is_eof() => "this is not JSON; look at the place named".to_owned(),
        None if text.contains("unrecognized enum value") || text.contains("unknown variant") => {
            "this is no value of the field's enum; the values stand in proto/samband/v1/messages.proto".to_owned()
        }
        None if text.contains("duplicate") || text.contains("multiple") => "a field, or two of one choice, stand twice".to_owned(),
        None => "this value does not fit its field's type; the fields stand in proto/samband/v1/messages.proto".to_owned(),
    };
    format!("{place}: {what}")
}

/// A message from a JSON file.
///
/// # Errors
/// The file cannot be read, or `file:line:column` and what is wrong.
pub fn from_file(descriptor: MessageDescriptor, file: &Path) -> Result<DynamicMessage, CliError> {
    let bytes = crate::tls::files::read(file, JSON_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{}: not UTF-8 text", file.display())))?;
    from_text(descriptor, &text).map_err(|fault| CliError::Usage(format!("{}:{fault}", file.display())))
}

/// A message from a JSON value that this program or a script made.
///
/// # Errors
/// It does not fit the message.
pub fn from_value(descriptor: MessageDescriptor, value: &Value) -> Result<DynamicMessage, CliError> {
    from_text(descriptor, &value.to_string()).map_err(CliError::Usage)
}

/// A message as JSON with the field names of `proto/`, numbers as numbers, defaults left out.
#[must_use]
pub fn to_value(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false).skip_default_fields(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Value::Null)
}

/// Carries messages of one call.
#[derive(Debug, Clone)]
pub struct DynamicCodec(pub MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> DynamicDecoder {
        DynamicDecoder(self.0.clone())
    }
}

/// Writes requests.
#[derive(Debug)]
pub struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out).map_err(|_| Status::internal("the request does not fit its buffer"))
    }
}

/// Reads answers.
#[derive(Debug)]
pub struct DynamicDecoder(MessageDescriptor);

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), bytes).map(Some).map_err(|_| Status::internal("the answer is not of this protocol version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [(&str, &str); 9] = [
        ("notice-attendance", "ConditionNotice"),
        ("notice-control", "ConditionNotice"),
        ("notice-both", "ConditionNotice"),
        ("notice-16-waiver", "ConditionNotice"),
        ("notice-16-judgment", "ConditionNotice"),
        ("notice-protected-address", "ConditionNotice"),
        ("report", "NonAttendanceReport"),
        ("result", "LabResult"),
        ("result-corrected", "LabResult"),
    ];

    #[test]
    fn every_sample_is_a_message_and_comes_back_as_itself() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        for (name, message) in SAMPLES {
            let file = folder.join(name).with_extension("json");
            let read = from_file(descriptor(message), &file).unwrap_or_else(|error| panic!("{error}"));
            let text: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            let mut back = to_value(&read);
            if let (Some(object), Some(minor)) = (back.as_object_mut(), text.get("minor_at_decision")) {
                object.insert("minor_at_decision".to_owned(), minor.clone());
            }
            assert_eq!(back, text, "{name}");
        }
        let listed = std::fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "json")));
        assert_eq!(listed.count(), SAMPLES.len(), "a sample that no test reads");
    }

    #[test]
    fn an_unknown_field_is_refused_by_name_and_place_and_no_value_is_repeated() {
        let text = "{\n  \"case_ref\": \"X\",\n  \"attended\": \"Hemmelig\"\n}";
        let error = from_text(descriptor("NonAttendanceReport"), text).unwrap_err();
        assert!(error.starts_with("3:") && error.contains("'attended'") && !error.contains("Hemmelig"), "{error}");
        let nested = r#"{"subject": {"fnr": "12848930057", "nickname": "Hemmelig"}}"#;
        let error = from_text(descriptor("ConditionNotice"), nested).unwrap_err();
        assert!(error.contains("'nickname'") && !error.contains("Hemmelig"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_refused_without_being_repeated() {
        let report = || descriptor("NonAttendanceReport");
        for text in [
            r#"{"case_ref": 5}"#,
            r#"{"missed": "HEMMELIG"}"#,
            r#"{"missed_dates": "Hemmelig"}"#,
            r#"{"case_ref": "a", "case_ref": "Hemmelig"}"#,
            r#"{"case_ref": "a", "caseRef": "Hemmelig"}"#,
            r#"{"case_ref": "Hemmelig"} x"#,
            "{",
        ] {
            let error = from_text(report(), text).expect_err(text);
            assert!(!error.to_lowercase().contains("hemmelig"), "{error}");
        }
        let both = r#"{"subject": {"fnr": "12848930057", "d_number": "52848930057"}}"#;
        assert!(from_text(descriptor("ConditionNotice"), both).is_err());
    }

    #[test]
    fn every_role_has_its_calls_and_a_municipality_none_by_which_a_result_could_reach_it() {
        let calls = |service: Service| {
            let service = POOL.get_service_by_name(&format!("samband.v1.{}", service.name())).unwrap();
            service.methods().map(|method| method.output().full_name().to_owned()).collect::<Vec<_>>()
        };
        for service in [Service::Prosecution, Service::Municipal, Service::Laboratory, Service::Audit] {
            assert!(!calls(service).is_empty());
        }
        assert!(Service::Municipal.method("SendLabResult").is_err());
        for answer in calls(Service::Municipal) {
            let message = POOL.get_message_by_name(&answer).unwrap();
            let holds = |field: prost_reflect::FieldDescriptor| field.kind().as_message().is_some_and(|m| m.name() == "LabResult");
            assert!(!message.fields().any(holds), "{answer}");
        }
    }
}
