//! Whole logs as they lie in a folder, for this module's tests and for the programs under `tests/independent/`.
//!
//! With `SAMBAND_EXAMPLE_LOGS` set to a folder the logs are written there and stay: `<size>/log/`, `<size>/vkey`, `<size>/receipts/`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::bundle;
use super::check::{CheckError, check_log};
use super::checkpoint::tests::{ORIGIN, checkpoint, signer};
use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::leaf::{AuditorOpening, Opening as _, Openings};
use super::proof::inclusion_proof;
use super::receipt::{AuditorProof, Receipt};
use super::tile_nodes::TileNodes;
use super::tiles::{TileId, TileKind, hash_tile, tiles_for};
use super::tree::root_at;
use super::tree::tests::AllNodes;

fn opening(index: u64) -> AuditorOpening {
    let byte = index as u8;
    AuditorOpening::new(Openings::new([byte; 32], [!byte; 32]), format!("sender {index}").into(), format!("gateway {index}").into())
        .unwrap()
}

/// Writes the tiles that take a log from its old size to its new one.
fn tiles(nodes: &AllNodes, old: u64, new: u64) -> impl Iterator<Item = (TileId, Vec<u8>)> {
    tiles_for(old, new).map(|tile| {
        let entries = tile.first()..tile.first() + u64::from(tile.width());
        let content = match tile.kind() {
            TileKind::Entries => bundle::encode(entries.map(|index| opening(index).leaf())).unwrap(),
            TileKind::Hashes(_) => hash_tile(nodes, tile).unwrap().unwrap(),
        };
        (tile, content)
    })
}

fn grow(nodes: &mut AllNodes, size: u64) -> Checkpoint {
    (nodes.frontier.size()..size).for_each(|index| nodes.push(opening(index).leaf().hash()));
    checkpoint(size, nodes.frontier.root())
}

fn write_receipts(folder: &Path, head: &Checkpoint, signed: &SignedCheckpoint) {
    let (log, receipts) = (folder.join("log"), folder.join("receipts"));
    std::fs::create_dir_all(&receipts).unwrap();
    let nodes = TileNodes::new(head.size(), |tile: TileId| std::fs::read(log.join(tile.path())));
    assert_eq!(root_at(&nodes, head.size()).unwrap(), head.root());
    for index in (0..head.size()).filter(|i| *i < 2 || i % 9973 == 255 || i + 1 == head.size()) {
        let proof = inclusion_proof(&nodes, index, head.size()).unwrap();
        let opening = opening(index);
        let sender = Receipt::encode(&opening.for_sender(), index, &proof, signed);
        let auditor = AuditorProof::encode(&opening, index, &proof, signed);
        let (verifier, origin) = (signer(1), ORIGIN.parse().unwrap());
        assert_eq!(*Receipt::verify(&sender, verifier.verifier(), &origin).unwrap().leaf(), opening.leaf());
        assert_eq!(*AuditorProof::verify(&auditor, verifier.verifier(), &origin).unwrap().leaf(), opening.leaf());
        for (kind, text) in [("sender", sender), ("auditor", auditor)] {
            std::fs::write(receipts.join(format!("{kind}-{index}.tlog-proof")), text).unwrap();
            std::fs::write(receipts.join(format!("{kind}-{index}.leaf")), opening.leaf()).unwrap();
        }
    }
}

/// A log that was published at each of the sizes, the last of which is checked and gets receipts.
fn write_log(folder: &Path, sizes: &[u64]) {
    let log = folder.join("log");
    let mut nodes = AllNodes::default();
    let mut published = 0;
    for size in sizes {
        let head = grow(&mut nodes, *size);
        for (tile, content) in tiles(&nodes, published, *size) {
            let path: PathBuf = log.join(tile.path());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        published = *size;
        let signed = head.sign(&signer(1)).unwrap();
        std::fs::write(log.join("checkpoint"), signed.as_str()).unwrap();
        std::fs::write(folder.join("vkey"), format!("{}\n", signer(1).verifier())).unwrap();
        let read = |tile: TileId| std::fs::read(log.join(tile.path())).map_err(|error: io::Error| error.kind());
        let mut count = 0;
        let checked = check_log(&head, &read, |index, data| {
            assert_eq!(data, opening(index).leaf().as_bytes());
            count += 1;
        });
        assert_eq!(checked, Ok(()));
        assert_eq!(count, *size);
        if size == sizes.last().unwrap() {
            write_receipts(folder, &head, &signed);
        }
    }
}

#[test]
fn logs_of_every_telling_size_are_written_read_back_and_proved() {
    let temporary = tempfile::tempdir().unwrap();
    let root = std::env::var_os("SAMBAND_EXAMPLE_LOGS").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    write_log(&root.join("1"), &[1]);
    write_log(&root.join("255"), &[255]);
    write_log(&root.join("256"), &[17, 256]);
    write_log(&root.join("257"), &[256, 257]);
    write_log(&root.join("70000"), &[3, 65_536, 69_999, 70_000]);
}

#[test]
fn every_damaged_or_missing_tile_of_a_folder_is_found() {
    let mut nodes = AllNodes::default();
    let head = grow(&mut nodes, 600);
    let good: BTreeMap<TileId, Vec<u8>> = tiles(&nodes, 0, 600).collect();
    let check = |tiles: &BTreeMap<TileId, Vec<u8>>, head: &Checkpoint| {
        check_log(head, &|tile: TileId| tiles.get(&tile).cloned().ok_or("missing"), |_, _| {})
    };
    assert_eq!(check(&good, &head), Ok(()));
    assert_eq!(good.len(), 3 + 3 + 1);
    for (tile, content) in &good {
        let mut damaged = good.clone();
        damaged.remove(tile);
        assert_eq!(check(&damaged, &head), Err(CheckError::Read { tile: *tile, source: "missing" }));
        for at in [0, 1, 2, 40, content.len() - 1] {
            let mut bytes = content.clone();
            bytes[at] ^= 1;
            damaged.insert(*tile, bytes);
            assert!(check(&damaged, &head).is_err(), "{tile} byte {at}");
        }
        damaged.insert(*tile, [&content[..], &[0]].concat());
        assert!(check(&damaged, &head).is_err(), "{tile} with a byte more");
        damaged.insert(*tile, content[..content.len() - 1].to_vec());
        assert!(check(&damaged, &head).is_err(), "{tile} with a byte less");
    }
    let other_root = checkpoint(600, root_at(&nodes, 599).unwrap());
    assert_eq!(check(&good, &other_root), Err(CheckError::Root));
    let none = checkpoint(0, super::tree::Hash::empty_root());
    assert_eq!(check(&BTreeMap::new(), &none), Ok(()));
}
