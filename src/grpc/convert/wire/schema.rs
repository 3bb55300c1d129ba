//! The descriptor set as flat tables: a message is an index, a field is found by its number.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, MessageDescriptor};

use crate::grpc::pb::FILE_DESCRIPTOR_SET;

/// How a field's value is encoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A number between two bounds; below zero means sign-extended to 64 bits.
    Varint { least: i128, most: i128 },
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
    /// UTF-8.
    String,
    /// Any bytes.
    Bytes,
    /// The message of that index.
    Message(usize),
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// The bit that marks a singular field, or its oneof, as seen; `None` for repeated fields.
    pub(super) slot: Option<u32>,
}

/// The fields of one message. Numbers below 64 are an index; the rest, which this schema hardly has, are searched.
#[derive(Debug)]
pub(super) struct MessageTable {
    near: Vec<Option<Field>>,
    far: Vec<(u32, Field)>,
}

const NEAR: u32 = 64;

impl MessageTable {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        if number < NEAR {
            self.near.get(number as usize)?.as_ref()
        } else {
            self.far.iter().find(|(far, _)| *far == number).map(|(_, field)| field)
        }
    }
}

/// Every message of the pool.
pub(super) struct Schema {
    by_name: HashMap<String, usize>,
    messages: Vec<MessageTable>,
}

impl Schema {
    pub(super) fn root(&self, full_name: &str) -> Option<&MessageTable> {
        self.by_name.get(full_name).map(|index| self.message(*index))
    }

    pub(super) fn message(&self, index: usize) -> &MessageTable {
        &self.messages[index]
    }
}

pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script wrote a whole descriptor set");
    let descriptors: Vec<MessageDescriptor> = pool.all_messages().collect();
    let by_name: HashMap<String, usize> =
        descriptors.iter().enumerate().map(|(index, message)| (message.full_name().to_owned(), index)).collect();
    let messages = descriptors.iter().map(|message| table(message, &by_name)).collect();
    Schema { by_name, messages }
});

fn table(message: &MessageDescriptor, by_name: &HashMap<String, usize>) -> MessageTable {
    let mut oneofs: HashMap<String, u32> = HashMap::new();
    let mut slots = 0_u32;
    let mut next = || {
        slots += 1;
        slots - 1
    };
    let mut table = MessageTable { near: vec![None; NEAR as usize], far: Vec::new() };
    for field in message.fields() {
        let slot = if field.cardinality() == Cardinality::Repeated {
            None
        } else if let Some(oneof) = field.containing_oneof() {
            Some(*oneofs.entry(oneof.name().to_owned()).or_insert_with(&mut next))
        } else {
            Some(next())
        };
        let entry = Field { kind: kind(&field, by_name), slot };
        if field.number() < NEAR {
            table.near[field.number() as usize] = Some(entry);
        } else {
            table.far.push((field.number(), entry));
        }
    }
    assert!(slots <= u128::BITS, "a message of the schema has at most 128 singular fields");
    table
}

fn kind(field: &FieldDescriptor, by_name: &HashMap<String, usize>) -> Kind {
    let signed = |bits: u32| Kind::Varint { least: -(1_i128 << (bits - 1)), most: (1_i128 << (bits - 1)) - 1 };
    let unsigned = |bits: u32| Kind::Varint { least: 0, most: (1_i128 << bits) - 1 };
    match field.kind() {
        prost_reflect::Kind::Bool => unsigned(1),
        prost_reflect::Kind::Uint32 | prost_reflect::Kind::Sint32 => unsigned(32),
        prost_reflect::Kind::Uint64 | prost_reflect::Kind::Sint64 => unsigned(64),
        prost_reflect::Kind::Int32 | prost_reflect::Kind::Enum(_) => signed(32),
        prost_reflect::Kind::Int64 => signed(64),
        prost_reflect::Kind::Fixed32 | prost_reflect::Kind::Sfixed32 | prost_reflect::Kind::Float => Kind::Fixed32,
        prost_reflect::Kind::Fixed64 | prost_reflect::Kind::Sfixed64 | prost_reflect::Kind::Double => Kind::Fixed64,
        prost_reflect::Kind::String => Kind::String,
        prost_reflect::Kind::Bytes => Kind::Bytes,
        prost_reflect::Kind::Message(message) => {
            Kind::Message(*by_name.get(message.full_name()).expect("a pool holds every message that its fields name"))
        }
    }
}
