//! Notes, checkpoints, tlog-proofs, tile paths and bundles: parsers of files that strangers hand us.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samband::audit::{bundle, checkpoint::Checkpoint, note::LogVerifier, note::UnverifiedNote, tiles::TileId, tlog_proof::TlogProof};

fuzz_target!(|data: &[u8]| {
    let _ = bundle::decode(data, 256);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.encode(), text, "an accepted proof has one spelling");
    }
    if let Ok(note) = UnverifiedNote::parse(text) {
        assert_eq!(note.encode(), text);
    }
    if let Ok(checkpoint) = Checkpoint::from_text(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(tile) = text.parse::<TileId>() {
        assert_eq!(tile.path(), text);
    }
    let _ = text.parse::<LogVerifier>();
});
