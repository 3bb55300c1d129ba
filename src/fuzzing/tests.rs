//! The corpora and mutations of them, on a stable toolchain. `SAMBAND_FUZZ_RUNS` inputs a target (4000), the same each time; `cargo fuzz` does
//! the rest. `SAMBAND_FUZZ_CORPUS` is a folder of further corpora: what `cargo fuzz` found, tried once more where arithmetic is checked.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::{TARGETS, seeds};
use crate::audit::event::Event;
use crate::domain::id::{CaseRef, RequisitionId};

/// The longest input.
const LEN_MAX: usize = 32 * 1024;
/// Values at which lengths and counts go wrong.
const TELLING: [u8; 8] = [0, 1, 2, 0x1f, 0x7f, 0x80, 0xfe, 0xff];

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let further = std::env::var_os("SAMBAND_FUZZ_CORPUS").map(PathBuf::from);
    let folders = std::iter::once(folder().join("corpus")).chain(further).map(|folder| folder.join(target));
    let mut files: Vec<PathBuf> = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// splitmix64: enough to pick places and bytes by, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        from..from + self.below(len - from + 1).min(64)
    }
}

/// A seed, changed in a few places as a hostile or broken sender would.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len());
        match random.below(7) {
            _ if data.is_empty() => data.push(random.next() as u8),
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = TELLING[random.below(TELLING.len())],
            2 => data[at] = random.next() as u8,
            3 => data.truncate(at),
            4 => drop(data.drain(random.range(data.len()))),
            5 => {
                let piece = data[random.range(data.len())].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let piece = other[random.range(other.len())].to_vec();
                data.splice(at..at, piece);
            }
        }
        data.truncate(LEN_MAX);
    }
    data
}

/// Runs a target; a panic leaves the input behind and names it.
fn holds(name: &str, target: fn(&[u8]), data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        let file = std::env::temp_dir().join(format!("samband-fuzz-{name}-{:08x}", crc32fast::hash(data)));
        fs::write(&file, data).unwrap();
        panic!("{name}: panicked on {}; mend the parser and keep the file in fuzz/corpus/{name}", file.display());
    }
}

#[test]
fn no_parser_of_foreign_bytes_panics_on_its_corpus_or_on_what_becomes_of_it() {
    let runs = std::env::var("SAMBAND_FUZZ_RUNS").map_or(4000, |runs| runs.parse().unwrap());
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name}: a corpus has seeds");
        for seed in &seeds {
            holds(name, *target, seed);
        }
        let mut random = Random(u64::from(crc32fast::hash(name.as_bytes())));
        for _ in 0..runs {
            holds(name, *target, &mutated(&seeds, &mut random));
        }
    }
}

/// Found by the journal's fuzzer where the stack is small: the corpus has the input.
#[test]
fn an_event_of_a_result_stands_in_no_other() {
    let of_result = |event: Event| Event::OfResult { requisition_id: RequisitionId::from_bytes([7; 10]), event: Box::new(event) };
    let once = of_result(Event::CaseForgotten { case_ref: CaseRef::from_bytes([7; 10]) });
    let bytes = |event: &Event| postcard::to_stdvec(event).unwrap();
    assert_eq!(postcard::from_bytes(&bytes(&once)), Ok(once.clone()));
    assert!(postcard::from_bytes::<Event>(&bytes(&of_result(once.clone()))).is_err());
    assert_eq!(postcard::from_bytes(&bytes(&once)), Ok(once), "what was refused leaves nothing behind");
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer_and_there_are_no_others() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect()
    };
    assert_eq!(listed(folder().join("corpus")), names);
    assert_eq!(listed(folder().join("fuzz_targets")), names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
}

#[test]
fn a_target_that_panics_is_found() {
    let target: fn(&[u8]) = |data| assert_ne!(data.first(), Some(&0xff), "as a parser with a fault would");
    let mut random = Random(1);
    let seeds = [b"abc".to_vec(), b"defg".to_vec()];
    let found = (0..2000).find(|_| catch_unwind(AssertUnwindSafe(|| target(&mutated(&seeds, &mut random)))).is_err());
    assert!(found.is_some(), "2000 mutations of three bytes reach 0xff in the first place");
}

#[tokio::test]
#[ignore = "writes the first seeds of fuzz/corpus; run it after a format has changed"]
async fn write_the_seeds() {
    for (target, name, bytes) in seeds::all().await {
        let folder = folder().join("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), &bytes[..bytes.len().min(LEN_MAX)]).unwrap();
    }
}
