//! Compiles `proto/samband/v1/*.proto` without a system `protoc`: message types, services and the descriptor set.

use std::path::PathBuf;
use std::{env, error, fs};

use prost::Message as _;

const PROTO_ROOT: &str = "proto";
const PROTO_PACKAGE: &str = "proto/samband/v1";

/// Messages whose content must never reach a log: `src/grpc/pb.rs` gives them a `Debug` that shows the name only.
const WITHOUT_DEBUG: [&str; 7] = [
    ".samband.v1.ConditionNotice",
    ".samband.v1.Subject",
    ".samband.v1.Reach",
    ".samband.v1.PostalAddress",
    ".samband.v1.NonAttendanceReport",
    ".samband.v1.LabResult",
    ".samband.v1.Finding",
];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={PROTO_ROOT}");
    let mut files = Vec::new();
    for entry in fs::read_dir(PROTO_PACKAGE)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    // The directory's order differs between machines; the descriptor set must not.
    files.sort();

    let descriptors = protox::compile(&files, [PROTO_ROOT])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?);
    fs::write(out.join("samband.bin"), descriptors.encode_to_vec())?;

    // `enable_type_names`: the strict codec looks a message up in the descriptor set by its full name.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".samband.v1")
        .skip_debug(WITHOUT_DEBUG)
        .codec_path("crate::grpc::codec::StrictCodec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
