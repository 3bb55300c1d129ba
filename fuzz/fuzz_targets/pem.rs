#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| samband::fuzzing::run("pem", data));
