//! Types generated from `proto/samband/v1`, and the descriptor set they come from.

use std::fmt;

/// The encoded `google.protobuf.FileDescriptorSet` of `proto/samband/v1`, with comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/samband.bin"));

mod generated {
    tonic::include_proto!("samband.v1");
}

pub use generated::*;

macro_rules! show_the_name_only {
    ($($message:ty => $name:literal),+ $(,)?) => {
        $(impl fmt::Debug for $message {
            /// The name only: the content is personal.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($name, " { .. }"))
            }
        })+
    };
}

show_the_name_only! {
    ConditionNotice => "ConditionNotice",
    condition_notice::Guardian => "Guardian",
    Subject => "Subject",
    subject::Id => "Id",
    Reach => "Reach",
    PostalAddress => "PostalAddress",
    NonAttendanceReport => "NonAttendanceReport",
    LabResult => "LabResult",
    lab_result::Collection => "Collection",
    lab_result::Validity => "Validity",
    Finding => "Finding",
    finding::Outcome => "Outcome",
}
