//! A simulated disk: what was not synced may be lost, torn or out of order when the power goes, and any operation can fail.
//!
//! What it guarantees is what POSIX does, and no more: content and length are durable after `sync_data` of the file, a name after `sync_dir` of
//! its folder, everything after `sync_all`. A power cut keeps any of the unsynced blocks of 4 KiB, tears others at 512 bytes, and keeps any
//! prefix of the unsynced names: of all of them in order, as a journaling file system does, or of each name by itself. A sync that fails may
//! leave pages that read well and are never written, as Linux does. Everything follows from a seed.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::super::disk::{Disk, File, FolderLock, LockedFolder, Open, failed_sync};

const BLOCK: usize = 4096;
const SECTOR: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Numbers that follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with EIO.
    Eio,
    /// The next one that takes space fails with ENOSPC.
    Enospc,
    /// The next sync fails; the pages still read well and are never written, and the sync after it succeeds.
    SyncLost,
    /// The process is killed in the middle of it.
    Kill,
    /// The power goes in the middle of it.
    Cut,
}

/// A disk that breaks its promises, to show that the harness finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// `sync_data` does nothing.
    SyncData,
    /// `sync_dir` does nothing.
    SyncDir,
    /// `sync_all` does nothing.
    SyncAll,
    /// A file that is renamed is not durable before its new name is.
    RenameBeforeData,
    /// Overwriting does nothing: keys are not zeroed.
    Overwrite,
    /// None: it keeps its promises.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir(usize),
    File(usize),
}

#[derive(Debug, Default)]
struct Folder {
    now: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    /// Changes of names that are not durable, with their place among all of them.
    pending: Vec<(u64, String, Option<Node>)>,
    locked: bool,
}

#[derive(Debug, Default)]
struct Inode {
    name: String,
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Pages that read as written and will never be: their sync failed.
    stranded: BTreeSet<usize>,
    locked: bool,
    /// What a truncation set free: nobody overwrote it.
    ghosts: Vec<Vec<u8>>,
}

impl Inode {
    fn touch(&mut self, from: usize, to: usize) {
        for block in from / BLOCK..to.div_ceil(BLOCK) {
            self.dirty.insert(block);
            self.stranded.remove(&block);
        }
    }

    fn make_durable(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for block in std::mem::take(&mut self.dirty) {
            let range = block * BLOCK..((block + 1) * BLOCK).min(self.now.len());
            if range.start < range.end {
                self.durable[range.clone()].copy_from_slice(&self.now[range]);
            }
        }
    }

    /// What the power cut leaves.
    fn cut(&mut self, dice: &mut Dice) {
        if self.dirty.is_empty() && self.stranded.is_empty() && self.durable.len() == self.now.len() {
            return;
        }
        let len = match dice.below(4) {
            0 => self.durable.len(),
            1 => self.now.len(),
            _ => {
                let (low, high) = (self.durable.len().min(self.now.len()), self.durable.len().max(self.now.len()));
                low + dice.below(high - low + 1)
            }
        };
        let keep_all = dice.one_in(4);
        let mut left = self.durable.clone();
        left.resize(len, 0);
        for block in std::mem::take(&mut self.dirty) {
            let fate = if keep_all { 0 } else { dice.below(3) };
            for sector in 0..BLOCK / SECTOR {
                let keep = match fate {
                    0 => true,
                    1 => false,
                    _ => dice.one_in(2),
                };
                let start = block * BLOCK + sector * SECTOR;
                let end = (start + SECTOR).min(self.now.len()).min(len);
                if keep && start < end {
                    left[start..end].copy_from_slice(&self.now[start..end]);
                }
            }
        }
        self.stranded.clear();
        self.now.clone_from(&left);
        self.durable = left;
    }
}

#[derive(Debug)]
struct Inside {
    folders: Vec<Folder>,
    inodes: Vec<Inode>,
    changes: u64,
    dead: bool,
    cut: bool,
    armed: Option<(u64, Fault)>,
    fired: Option<(Fault, String)>,
    quiet: bool,
    free: u64,
    lie: Lie,
    removed: Vec<(usize, String, Node)>,
    dice: Dice,
    trace: Vec<String>,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    path: PathBuf,
    locks: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Look,
    Change,
    Grow,
    Sync,
}

fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

fn last_name(path: &Path) -> String {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned()
}

impl Inside {
    fn find(&self, path: &Path) -> Option<Node> {
        names(path).try_fold(Node::Dir(0), |at, name| match at {
            Node::Dir(dir) => self.folders[dir].now.get(name).copied(),
            Node::File(_) => None,
        })
    }

    fn dir(&self, path: &Path) -> io::Result<usize> {
        match self.find(path) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.find(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn name(&mut self, dir: usize, name: &str, node: Option<Node>) {
        self.changes += 1;
        let folder = &mut self.folders[dir];
        match node {
            Some(node) => drop(folder.now.insert(name.to_owned(), node)),
            None => {
                if let Some(node) = folder.now.remove(name) {
                    self.removed.push((dir, name.to_owned(), node));
                }
            }
        }
        self.folders[dir].pending.push((self.changes, name.to_owned(), node));
    }

    /// Whether an operation goes on. `Ok(false)`: it happens by half, and is the last one.
    fn step(&mut self, class: Class, what: &str, path: &Path) -> io::Result<bool> {
        if self.quiet {
            return Ok(true);
        }
        if self.dead {
            return Err(error(EIO));
        }
        if class != Class::Look {
            self.trace.push(format!("{what} {}", path.display()));
        }
        let Some((after, fault)) = &mut self.armed else { return Ok(true) };
        if *after > 0 {
            *after -= 1;
            return Ok(true);
        }
        let fault = *fault;
        let fires = match fault {
            Fault::Eio => true,
            Fault::Kill | Fault::Cut => class != Class::Look,
            Fault::Enospc => class == Class::Grow,
            Fault::SyncLost => class == Class::Sync,
        };
        if !fires {
            return Ok(true);
        }
        self.armed = None;
        self.fired = Some((fault, format!("{what} {}", path.display())));
        self.trace.push(format!("{fault:?} in {what} {}", path.display()));
        match fault {
            Fault::Eio | Fault::SyncLost => Err(error(EIO)),
            Fault::Enospc => Err(error(ENOSPC)),
            Fault::Kill | Fault::Cut => {
                self.dead = true;
                self.cut = fault == Fault::Cut;
                Ok(false)
            }
        }
    }

    fn strand(&mut self, inode: usize) {
        let inode = &mut self.inodes[inode];
        let lost = std::mem::take(&mut inode.dirty);
        inode.stranded.extend(lost);
    }

    fn lost_now(&self) -> bool {
        matches!(self.fired, Some((Fault::SyncLost, _))) && self.armed.is_none()
    }

    fn sync_folder(&mut self, dir: usize) {
        let folder = &mut self.folders[dir];
        folder.pending.clear();
        folder.durable = folder.now.clone();
    }

    fn power_cut(&mut self) {
        let in_order = self.dice.one_in(2);
        let all: BTreeSet<u64> = self.folders.iter().flat_map(|folder| folder.pending.iter().map(|(at, _, _)| *at)).collect();
        let upto = if all.is_empty() { 0 } else { self.dice.below(all.len() + 1) };
        let last = all.iter().nth(upto.wrapping_sub(1)).copied().unwrap_or(0);
        for dir in 0..self.folders.len() {
            let pending = std::mem::take(&mut self.folders[dir].pending);
            let touched: BTreeSet<String> = pending.iter().map(|(_, name, _)| name.clone()).collect();
            for name in touched {
                let changes: Vec<_> = pending.iter().filter(|(_, other, _)| *other == name).collect();
                let kept =
                    if in_order { changes.iter().filter(|(at, _, _)| *at <= last).count() } else { self.dice.below(changes.len() + 1) };
                if let Some((_, _, node)) = kept.checked_sub(1).map(|at| changes[at]) {
                    match node {
                        Some(node) => drop(self.folders[dir].durable.insert(name, *node)),
                        None => drop(self.folders[dir].durable.remove(&name)),
                    }
                }
            }
            self.folders[dir].now = self.folders[dir].durable.clone();
        }
        let mut reachable = BTreeSet::new();
        let mut folders = vec![0];
        while let Some(dir) = folders.pop() {
            for node in self.folders[dir].now.values() {
                match node {
                    Node::Dir(dir) => folders.push(*dir),
                    Node::File(file) => drop(reachable.insert(*file)),
                }
            }
        }
        for number in 0..self.inodes.len() {
            if reachable.contains(&number) {
                self.inodes[number].cut(&mut self.dice);
            } else if !self.removed.iter().any(|(_, _, node)| *node == Node::File(number)) {
                // A file whose name the cut lost was never written to: names are made durable before what they name.
                let name = std::mem::take(&mut self.inodes[number].name);
                self.inodes[number] = Inode { name, ..Inode::default() };
            }
        }
    }
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            folders: vec![Folder::default()],
            inodes: Vec::new(),
            changes: 0,
            dead: false,
            cut: false,
            armed: None,
            fired: None,
            quiet: false,
            free: u64::MAX / 2,
            lie: Lie::None,
            removed: Vec::new(),
            dice: Dice::new(seed),
            trace: Vec::new(),
        })))
    }

    /// A disk that lies.
    pub fn lying(seed: u64, lie: Lie) -> Self {
        let disk = Self::new(seed);
        disk.0.lock().lie = lie;
        disk
    }

    /// Lets `fault` happen after so many operations.
    pub fn arm(&self, after: u64, fault: Fault) {
        let mut inside = self.0.lock();
        inside.armed = Some((after, fault));
        inside.fired = None;
    }

    /// What happened since it was armed, and in which operation.
    pub fn fired(&self) -> Option<(Fault, String)> {
        self.0.lock().fired.clone()
    }

    /// What happened is over.
    pub fn forget_fired(&self) {
        self.0.lock().fired = None;
    }

    /// Nothing is to happen any more.
    pub fn disarm(&self) -> Option<(Fault, String)> {
        let mut inside = self.0.lock();
        inside.armed = None;
        inside.fired.take()
    }

    /// The process goes, and with `cut` the power. What was open is closed.
    pub fn crash(&self, cut: bool) {
        let mut inside = self.0.lock();
        inside.dead = true;
        inside.cut |= cut;
    }

    /// The machine runs again.
    pub fn restart(&self) {
        let mut inside = self.0.lock();
        if inside.cut {
            inside.trace.push("the power went".into());
            inside.power_cut();
        } else {
            inside.trace.push("the process went".into());
        }
        inside.removed.clear();
        (inside.dead, inside.cut) = (false, false);
        inside.inodes.iter_mut().for_each(|inode| inode.locked = false);
        inside.folders.iter_mut().for_each(|folder| folder.locked = false);
    }

    pub fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// Looks at the disk without a fault and without a trace.
    pub fn aside<T>(&self, look: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.0.lock().quiet, true);
        let found = look();
        self.0.lock().quiet = before;
        found
    }

    pub fn set_free(&self, free: u64) {
        self.0.lock().free = free;
    }

    /// The last operations, newest last.
    pub fn trace(&self, last: usize) -> Vec<String> {
        let inside = self.0.lock();
        inside.trace[inside.trace.len().saturating_sub(last)..].to_vec()
    }

    /// Everything that could be read off the platter of files that are removed, or that was set free: name and bytes.
    pub fn remains(&self) -> Vec<(String, Vec<u8>)> {
        let inside = self.0.lock();
        let linked: BTreeSet<usize> = inside
            .folders
            .iter()
            .flat_map(|folder| folder.now.values())
            .filter_map(|node| match node {
                Node::File(file) => Some(*file),
                Node::Dir(_) => None,
            })
            .collect();
        let mut found = Vec::new();
        for (number, inode) in inside.inodes.iter().enumerate() {
            found.extend(inode.ghosts.iter().map(|ghost| (inode.name.clone(), ghost.clone())));
            if !linked.contains(&number) {
                found.push((inode.name.clone(), inode.now.clone()));
                found.push((inode.name.clone(), inode.durable.clone()));
            }
        }
        found
    }

    /// Every byte of every file there ever was.
    pub fn holds(&self, needle: &[u8]) -> bool {
        let inside = self.0.lock();
        let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        inside.inodes.iter().any(|inode| has(&inode.now) || has(&inode.durable) || inode.ghosts.iter().any(|ghost| has(ghost)))
    }

    /// Forgets files that nobody can reach, so that a long run stays small.
    pub fn forget_removed(&self) {
        let mut inside = self.0.lock();
        let reachable: BTreeSet<usize> = inside
            .folders
            .iter()
            .flat_map(|folder| folder.now.values().chain(folder.durable.values()))
            .filter_map(|node| match node {
                Node::File(file) => Some(*file),
                Node::Dir(_) => None,
            })
            .collect();
        for (number, inode) in inside.inodes.iter_mut().enumerate() {
            inode.ghosts = Vec::new();
            if !reachable.contains(&number) {
                (inode.now, inode.durable) = (Vec::new(), Vec::new());
            }
        }
        let len = inside.trace.len();
        inside.trace.drain(..len.saturating_sub(200));
    }
}
