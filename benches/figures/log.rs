//! The log: appending to the tree, making proofs and receipts, verifying a whole log folder.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use samband::audit::bundle;
use samband::audit::check::check_log;
use samband::audit::checkpoint::{Checkpoint, Origin};
use samband::audit::leaf::{Leaf, Openings, SenderOpening};
use samband::audit::nodes::RecentNodes;
use samband::audit::note::LogSigner;
use samband::audit::proof::{inclusion_proof, verify_inclusion};
use samband::audit::receipt::Receipt;
use samband::audit::tile_nodes::TileNodes;
use samband::audit::tiles::{TileId, TileKind, tiles_for};
use samband::audit::tree::Hash;

use crate::Wishes;
use crate::raw::{Goal, sync, table};

/// Proofs and receipts that are made.
const PROOFS: u64 = 100_000;

/// A leaf like any other: 33 bytes that say nothing.
fn leaf(index: u64) -> Leaf {
    let mut bytes = [1; Leaf::LEN];
    bytes[1..9].copy_from_slice(&index.to_be_bytes());
    Leaf::from_bytes(bytes).expect("of this version")
}

/// Writes a log folder's bundles and tiles; its checkpoint.
fn write(dir: &Path, origin: &Origin, size: u64) -> Checkpoint {
    let mut levels: Vec<Vec<Hash>> = vec![(0..size).map(|index| leaf(index).hash()).collect()];
    while levels.last().is_some_and(|level| level.len() > 1) {
        let above = levels.last().map(|below| below.as_chunks::<2>().0.iter().map(|[left, right]| Hash::node(left, right)).collect());
        levels.extend(above);
    }
    for tile in tiles_for(0, size) {
        let entries = tile.first()..tile.first() + u64::from(tile.width());
        let content = match tile.kind() {
            TileKind::Entries => bundle::encode(entries.map(leaf)).expect("a bundle"),
            TileKind::Hashes(level) => {
                let hashes = &levels[usize::from(level) * 8][entries.start as usize..entries.end as usize];
                hashes.iter().flat_map(Hash::as_bytes).copied().collect()
            }
        };
        let path = dir.join(tile.path());
        std::fs::create_dir_all(path.parent().expect("a tile lies in a folder")).expect("the folder is writable");
        std::fs::write(path, content).expect("the disk has room");
    }
    let node = |level: u32, index: u64| Ok::<_, std::convert::Infallible>(levels[level as usize][index as usize]);
    let root = samband::audit::tree::root_at(&Nodes(node), size).expect("every node is there");
    Checkpoint::new(origin.clone(), size, root).expect("a checkpoint")
}

struct Nodes<F>(F);

impl<F: Fn(u32, u64) -> Result<Hash, std::convert::Infallible>> samband::audit::tree::NodeSource for Nodes<F> {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        self.0(level, index)
    }
}

fn rate(count: u64, what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    count as f64 / start.elapsed().as_secs_f64()
}

/// Measures, prints, and adds what is asked for to `goals`.
pub fn run(wishes: &Wishes, goals: &mut Vec<Goal>) {
    let origin: Origin = "bench.samband.example/log".parse().expect("a valid origin");
    let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([2; 32]));
    let size = wishes.leaves;
    let mut nodes = RecentNodes::default();
    let appended = rate(size, || (0..size).for_each(|index| nodes.push(leaf(index).hash())));
    let signed = Checkpoint::new(origin.clone(), size, nodes.root()).and_then(|head| head.sign(&signer)).expect("a signed head");
    let first = nodes.first_covered();
    let at = |n: u64| first + n * 7919 % (size - first);
    let opening = SenderOpening::new(&Openings::new([1; 32], [2; 32]), &[b's'; 400], &[b'g'; 200]).expect("parts of usual length");
    let bytes = Cell::new(0);
    let receipts = rate(PROOFS, || {
        for n in 0..PROOFS {
            let proof = inclusion_proof(&nodes, at(n), size).expect("the newest leaves' nodes are in memory");
            bytes.set(bytes.get() + Receipt::encode(&opening, at(n), &proof, &signed).len());
        }
    });
    let proofs: Vec<_> = (0..PROOFS).map(|n| inclusion_proof(&nodes, at(n), size).expect("as above")).collect();
    let proved = rate(PROOFS, || {
        for (n, proof) in (0..).zip(&proofs) {
            verify_inclusion(leaf(at(n)).hash(), at(n), size, proof, &nodes.root()).expect("the proof holds");
        }
    });
    let dir = wishes.dir.join("log");
    let head = write(&dir, &origin, size);
    let read = |tile: TileId| std::fs::read(dir.join(tile.path()));
    let tiles = TileNodes::new(size, read);
    let from_tiles = rate(PROOFS / 10, || {
        for n in 0..PROOFS / 10 {
            let index = n * 104_729 % size;
            inclusion_proof(&tiles, index, size).expect("every tile is there");
        }
    });
    let verified = rate(size, || check_log(&head, &read, |_, _| {}).expect("the log holds"));
    goals.push(Goal {
        what: "whole-log verification on one core, in leaves/s".to_owned(),
        asked: "at least 1,000,000".to_owned(),
        reached: format!("{verified:.0}"),
        met: verified >= 1e6,
    });
    println!("The log, one core, {size} entries; fdatasync of 4 KiB in the same run: {}.", sync(&wishes.dir, 4096));
    let row = |what: &str, rate: f64| vec![what.to_owned(), format!("{rate:.0}/s")];
    let rows = [
        row("leaves appended to the tree", appended),
        row(&format!("receipts made, proof and text of {} bytes, from memory", bytes.get() as u64 / PROOFS), receipts),
        row("proofs made from tiles, of entries all over the log", from_tiles),
        row("proofs verified", proved),
        row("leaves verified, whole log from its folder", verified),
    ];
    table("what", &["rate"], &rows);
}
