//! Compiles `proto/samband/v1/*.proto` without a system `protoc`: message types, services and the descriptor set.

use std::path::PathBuf;
use std::{env, error, fs};

use prost::Message as _;

const PROTO_ROOT: &str = "proto";
const PROTO_PACKAGE: &str = "proto/samband/v1";

/// The three messages with all their parts, and the requests that carry them: their content must never reach a log. `src/grpc/pb.rs` gives each a
/// `Debug` that shows the name only; without one, it does not build.
const MESSAGES: &str = "samband/v1/messages.proto";
const REQUESTS: [&str; 3] = ["SendConditionNoticeRequest", "ReportNonAttendanceRequest", "SendLabResultRequest"];

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

    let of_messages = descriptors.file.iter().filter(|file| file.name() == MESSAGES).flat_map(|file| &file.message_type);
    let without_debug = of_messages.map(|message| message.name()).chain(REQUESTS).map(|name| format!(".samband.v1.{name}"));
    let without_debug: Vec<String> = without_debug.collect();

    // `enable_type_names`: the strict codec looks a message up in the descriptor set by its full name.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".samband.v1")
        .skip_debug(without_debug)
        .codec_path("crate::grpc::codec::StrictCodec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
