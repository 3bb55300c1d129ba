//! A client certificate's DER.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = samband::tls::peer::key_hash_of(data);
    let _ = samband::tls::peer::PeerIdentity::from_leaf(data);
});
