//! The start: lock, FORMAT, CURRENT, strangers, base, replay, a new journal file, `Started`, publish, serve.

use std::collections::VecDeque;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::calendar::Calendar;
use super::contents::Contents;
use super::disk::{Disk, RealDisk};
use super::engine::{DiskBounds, Engine, Head, JournalBounds, NO_TURN_FAILED, OnFatal};
use super::error::{Damage, IoContext as _, OpenError};
use super::holds::HeldRecords;
use super::in_force::InForce;
use super::index::SearchIndex;
use super::journal::Writer;
use super::keys::Keys;
use super::layout::{Current, FORMAT_VERSION, Format, Layout, Lock, Strangers, content_name, make_folder, store_id, write_checked};
use super::publishing::Publishing;
use super::queue::Queue;
use super::records::Archive;
use super::recover::Follows;
use super::replay::{Replayed, replay};
use super::sequencer::Core;
use super::serving::Serving;
use super::tail::Tail;
use super::tiles::{self, HighWater, Publisher, TileFolder};
use super::turn::in_force;
use super::unread::Unread;
use super::{background, commit, fsck, grounds, sequencer};
use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::event::Event;
use crate::audit::note::{LogSigner, LogVerifier};
use crate::audit::proof::RightEdge;
use crate::audit::tile_nodes::TileNodes;
use crate::clock::{Clock, Entropy, random_32};
use crate::domain::hold::HoldGround;
use crate::domain::time::Date;
use crate::store::readers::Readers;
use crate::store::turns::{Terms, Turns};

/// A look for an id that the state has forgotten reads up to a month of records: a fifth of one processor at most, for however many calls of one
/// participant. Its second look is refused while it rests, not made to wait.
const LOOKUPS: Terms = Terms { rest: 4, patience: Duration::from_secs(25) };
/// Of those who read: a page for a caller, a look for an old id, a count of what cannot be read. Each goes on while the others do.
const READERS: NonZero<usize> = NonZero::new(3).expect("three is not zero");

/// Sequencer and committer, which end before the slow threads.
const COMMIT_THREADS: usize = 2;
/// The threads behind these write nothing that anything depends on: an end waits for them no longer than this each.
const NEEDED_THREADS: usize = COMMIT_THREADS + 2;
const THREAD_PATIENCE: Duration = Duration::from_secs(5);
/// Name under which the subject key is wrapped.
pub(super) const SUBJECT_KEY: &str = "FORMAT";

/// Everything a store is opened with.
pub struct Options {
    /// The store's folder, on a local file system.
    pub dir: PathBuf,
    /// The log's name.
    pub origin: Origin,
    /// Wraps every key in the folder; lies elsewhere.
    pub storage_key: Zeroizing<[u8; 32]>,
    /// Signs the log.
    pub log_signer: LogSigner,
    /// Outside the folder, so that a restored folder is found out.
    pub high_water_file: PathBuf,
    /// Acknowledged content is gone from disk within this many milliseconds.
    pub erase_within_millis: i64,
    /// Whole months that records live after their month's end.
    pub records_keep_months: u32,
    /// The disk that folder and high-water file are on.
    pub files: Arc<dyn Disk>,
    /// Bounds of the data disk.
    pub disk: DiskBounds,
    /// Bounds of the journal.
    pub journal: JournalBounds,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The program's version, for the log.
    pub version: String,
    /// Synthetic numbers only.
    pub test_mode: bool,
    /// What lets holds last beyond the lawful maximum, as the configuration names it.
    pub hold_ground: Option<HoldGround>,
    /// How far others have seen this log, asked before it is opened.
    pub seen_elsewhere: Option<SeenElsewhere>,
    /// The last checkpoint of the log that this one follows, for a new store only.
    pub previous_checkpoint: Option<String>,
    /// What happens when a commit cannot be made durable.
    pub on_fatal: OnFatal,
}

/// What a witness has seen of the log: a store that holds less may not go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenElsewhere {
    /// Who saw it.
    pub who: String,
    /// Entries.
    pub size: u64,
}

/// What a started store holds on to.
pub struct Started {
    /// Shared by the threads.
    pub engine: Arc<Engine>,
    /// The store's threads, in the order in which they end.
    pub threads: Vec<JoinHandle<()>>,
    /// Ours while it is held.
    pub lock: Option<Lock>,
}

impl Started {
    /// Commits and publishes what is in line, ends the threads, gives the lock back. Doing it again does nothing.
    pub fn halt(&mut self) {
        self.engine.queue.close();
        for (at, thread) in self.threads.drain(..).enumerate() {
            if at == COMMIT_THREADS {
                self.engine.end();
            }
            if at >= NEEDED_THREADS && !ends_within(&thread, THREAD_PATIENCE) {
                let name = thread.thread().name().unwrap_or_default();
                tracing::error!(
                    name,
                    "a thread of the store does not end, and is left behind; nothing but searches depends on what it did"
                );
                continue;
            }
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
        #[cfg(test)]
        super::by_hand::finish(&self.engine);
        self.lock = None;
    }
}

/// Whether the thread ends in time.
pub(super) fn ends_within(thread: &JoinHandle<()>, patience: Duration) -> bool {
    let step = Duration::from_millis(5);
    let mut left = patience;
    while !thread.is_finished() && !left.is_zero() {
        std::thread::sleep(step.min(left));
        left = left.saturating_sub(step);
    }
    thread.is_finished()
}

impl Drop for Started {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Opens or creates a store.
pub fn start(options: Options) -> Result<Started, OpenError> {
    let mut started = start_with(options, commit_threads)?;
    let slow = slow_threads(&started.engine)?;
    started.threads.extend(slow);
    Ok(started)
}

/// Starts what decides and commits; gives the threads that do.
type StartCommits = fn(&Arc<Engine>, Writer, watch::Sender<u64>) -> Result<Vec<JoinHandle<()>>, OpenError>;

/// Everything but the slow threads.
pub(super) fn start_with(options: Options, commits: StartCommits) -> Result<Started, OpenError> {
    let layout = Layout::new(&options.dir, Arc::clone(&options.files));
    make_folder(layout.disk(), &options.dir)?;
    let lock = layout.lock()?;
    background::make_room(&layout, options.disk)?;
    if let Some(folder) = options.high_water_file.parent() {
        make_folder(layout.disk(), folder)?;
    }
    let keys = Keys::new(layout.clone(), options.storage_key.clone());
    let asked = options.asked();
    let format = format(&layout, &keys, &options, &asked)?;
    let Sound { subject_key, current, files, replayed, strangers } = judge(&layout, &keys, &format, &asked)?;
    // Before the first new entry, which would be a fork.
    check_seen(&replayed, options.seen_elsewhere.as_ref())?;
    // Before anything is built on it: a new file that follows a frame which a power loss takes back would be a hole in the chain.
    if let Some(tail) = &replayed.tail {
        tail.make_durable(&layout)?;
    }
    // Only what is sound is swept: a store that does not open is left as it was found.
    sweep(&layout, &keys, &strangers)?;
    let next = files.last().map_or(current.journal, |last| last + 1).max(current.journal);
    tell_replay(&current, &files, &replayed);
    let head = (replayed.nodes.size(), replayed.nodes.root());
    let writer = Writer::create(&layout, &keys, &options.entropy, next, replayed.chain, head)?;
    let owed = replayed.owed.clone();
    let opening = opening(head.0, &options, format.follows.as_ref());
    let (version, test_mode) = (options.version.clone(), options.test_mode);
    let (engine, durable) = engine((layout, &lock), keys, options, subject_key, replayed, &current)?;
    let engine = Arc::new(engine);
    let threads = commits(&engine, writer, durable)?;
    let started = Started { engine, threads, lock: Some(lock) };
    started.engine.note_all(opening)?;
    started.engine.note_all(std::iter::once(Event::Started { version, test_mode }).chain(owed))?;
    started.engine.publish()?;
    background::look_at_disk(&started.engine)?;
    Ok(started)
}

/// What a start asks of the folder, besides what stands in it.
pub struct Asked<'a> {
    /// The log's name.
    pub origin: &'a str,
    /// The log's key.
    pub verifier: &'a LogVerifier,
    /// Where the last published head is remembered.
    pub high_water_file: &'a Path,
    /// What lets holds last beyond the lawful maximum.
    pub hold_ground: Option<&'a HoldGround>,
    /// What day it is.
    pub today: Date,
}

impl Options {
    fn asked(&self) -> Asked<'_> {
        Asked {
            origin: self.origin.as_str(),
            verifier: self.log_signer.verifier(),
            high_water_file: &self.high_water_file,
            hold_ground: self.hold_ground.as_ref(),
            today: self.clock.now().oslo_date(),
        }
    }
}

/// A store that a start goes on with.
struct Sound {
    subject_key: Zeroizing<[u8; 32]>,
    current: Current,
    files: Vec<u64>,
    replayed: Replayed,
    strangers: Strangers,
}

/// What a start says of a stopped store, by the same code, and the files in force that are not there. Reads only, takes no lock.
///
/// # Errors
/// Why it would not start.
pub fn would_open(dir: &Path, storage_key: Zeroizing<[u8; 32]>, asked: &Asked<'_>) -> Result<Vec<String>, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    let Some(format) = read_format(&layout, asked)? else { return Ok(Vec::new()) };
    let keys = Keys::new(layout.clone(), storage_key);
    let Sound { replayed, strangers, .. } = judge(&layout, &keys, &format, asked)?;
    // A start meets these when it publishes what it has noted.
    let noted = opening_count(replayed.nodes.size(), format.follows.as_ref()) + 1 + replayed.owed.len() as u64;
    match tiles::in_the_way(&layout, replayed.base_tree, &replayed.leaves, noted) {
        Some(damage) => Err(damage.into()),
        None => Ok(strangers.gone),
    }
}

/// Everything that speaks against going on with what stands in the folder. Reads only.
fn judge(layout: &Layout, keys: &Keys, format: &Format, asked: &Asked<'_>) -> Result<Sound, OpenError> {
    let subject_key = keys.unwrap_secret(SUBJECT_KEY, &format.subject_key)?;
    let current = Current::of(layout)?;
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|number| *number >= current.journal).collect();
    let mark = mark(layout, asked, format)?;
    let replayed = replay((layout, keys), *subject_key, &current, &files, mark.as_ref().map(|mark| mark.size))?;
    check_mark(&replayed, mark.as_ref())?;
    let held = HeldRecords::new(layout, keys, replayed.held.clone());
    grounds::check(&replayed.state.holds(), &held, asked.hold_ground, asked.today)?;
    let mut records = in_force(&replayed.months, &replayed.held);
    let mut strangers = layout.strangers(&current, &records)?;
    records.extend(current.base.map(content_name));
    strangers.gone.extend(keys.unusable(&records));
    if let Some(journal) = strangers.gone.iter().find(|name| name.starts_with("journal/")) {
        return Err(OpenError::damage(
            journal,
            0,
            "the file is gone, and its key is there: entries that were answered for may stand in it",
        ));
    }
    let tmp = asked.high_water_file.with_extension("tmp");
    let beside = layout.disk().other_at(&tmp).map(|kind| Damage::in_the_way(tmp.display().to_string(), kind));
    match strangers.blocked.iter().cloned().chain(beside).next() {
        Some(damage) => Err(damage.into()),
        None => Ok(Sound { subject_key, current, files, replayed, strangers }),
    }
}

/// FORMAT, when it is that of the store that is meant; none in a folder in which a store may be made.
fn read_format(layout: &Layout, asked: &Asked<'_>) -> Result<Option<Format>, OpenError> {
    let Some(format) = Format::read(layout)? else {
        layout.check_empty()?;
        // Nothing is made in the place of a folder that is away.
        return match HighWater::read(layout.disk(), asked.high_water_file)? {
            Some(mark) if mark.origin != asked.origin => {
                Err(OpenError::OtherOrigin { found: mark.origin, configured: asked.origin.to_owned() })
            }
            Some(mark) => Err(OpenError::Away { dir: layout.root().to_owned(), published: mark.size }),
            None => Ok(None),
        };
    };
    if format.origin != asked.origin {
        return Err(OpenError::OtherOrigin { found: format.origin, configured: asked.origin.to_owned() });
    }
    let log_key = asked.verifier.to_string();
    if format.log_key != log_key {
        return Err(OpenError::OtherLogKey { found: format.log_key, configured: log_key });
    }
    Ok(Some(format))
}

fn format(layout: &Layout, keys: &Keys, options: &Options, asked: &Asked<'_>) -> Result<Format, OpenError> {
    let Some(format) = read_format(layout, asked)? else {
        let log_key = asked.verifier.to_string();
        layout.make_folders()?;
        let subject_key = random_32(options.entropy.as_ref());
        let store_id = store_id(&random_32(options.entropy.as_ref()));
        let format = Format {
            version: FORMAT_VERSION,
            origin: options.origin.as_str().to_owned(),
            store_id,
            log_key,
            subject_key: keys.wrap_secret(SUBJECT_KEY, &subject_key, options.entropy.as_ref()),
            follows: None,
        };
        // CURRENT first: a folder with FORMAT always has one, so a missing CURRENT is damage and not a new store.
        write_checked(layout.disk(), &layout.path("CURRENT"), &Current::first(options.clock.now().millis()))?;
        write_checked(layout.disk(), &layout.path("FORMAT"), &format)?;
        return Ok(format);
    };
    layout.make_folders()?;
    Ok(format)
}

/// What a log says before anything else: its own name and, after a loss, the log that it follows; then the lost places are filled. A start that
/// a crash cut short goes on where it ended.
fn opening(size: u64, options: &Options, follows: Option<&Follows>) -> impl Iterator<Item = Event> + use<> {
    let origin = options.origin.as_str().to_owned();
    let Some(follows) = follows else {
        let opened = (size == 0).then(|| Event::LogOpened { origin, previous_checkpoint: options.previous_checkpoint.clone() });
        return opened.into_iter().chain(lost_places(0));
    };
    let opened = (size == follows.kept).then(|| Event::LogOpened { origin, previous_checkpoint: Some(follows.checkpoint.clone()) });
    let lost = follows.resumes_at.saturating_sub(size + u64::from(opened.is_some()));
    opened.into_iter().chain(lost_places(lost))
}

/// How many those are.
fn opening_count(size: u64, follows: Option<&Follows>) -> u64 {
    match follows {
        None => u64::from(size == 0),
        Some(follows) => follows.resumes_at.saturating_sub(size).max(u64::from(size == follows.kept)),
    }
}

/// One at a time, as there may be a million.
fn lost_places(count: u64) -> std::iter::Map<std::ops::Range<u64>, fn(u64) -> Event> {
    (0..count).map(|_| Event::EntryLost)
}

fn tell_replay(current: &Current, files: &[u64], replayed: &Replayed) {
    let (entries, after_base) = (replayed.nodes.size(), replayed.entries.len());
    let (frames, contents) = (replayed.frame_ends.len(), replayed.contents.len());
    tracing::info!(base = current.base, journals = files.len(), frames, after_base, entries, contents, "the state was replayed");
    if let Some(torn) = replayed.torn {
        let file = super::layout::journal_name(torn.file);
        tracing::warn!(%file, offset = torn.offset, "a torn tail is left behind: it was never durable, and nobody was told of it");
    }
    if let Some(seal) = replayed.lost_seal {
        let file = super::layout::journal_name(seal.file);
        tracing::warn!(%file, offset = seal.offset, "a seal was not what was written, and is written again: it holds nothing, and the power may have gone before it was durable");
    }
    if !replayed.owed.is_empty() {
        tracing::info!(events = replayed.owed.len(), "the log is told of erasures that the last turn did and did not tell");
    }
}

/// Destroys what this store made and CURRENT does not name: leftovers of a turn that a crash cut short. Foreign files are only named. No key of a
/// file in force is destroyed because the file cannot be seen: it may be on a volume that is not there yet, or come back from a copy.
fn sweep(layout: &Layout, keys: &Keys, strangers: &Strangers) -> Result<(), OpenError> {
    tell_gone(&strangers.gone);
    for name in &strangers.own {
        tracing::info!(file = %name, "a leftover of an unfinished turn is destroyed, its key first");
        keys.destroy(name)?;
    }
    for name in &fsck::foreign(layout)? {
        tracing::warn!(file = %name, "a file in the store's folder is not the store's; it is left alone");
    }
    Ok(())
}

/// Names files in force that are not there, and keys that are not there or open nothing.
pub(super) fn tell_gone(gone: &[String]) {
    for name in gone {
        if name.starts_with("keys/") {
            tracing::error!(
                file = %name,
                "a key of the store is gone or damaged, and what stands in its file cannot be read: stop the gateway, put the key back from the newest \
                 copy of the keys, and run `samband audit fsck DATA_DIR --storage-key FILE`"
            );
            continue;
        }
        tracing::error!(
            file = %name,
            "a file of the store is gone, and what stands in it cannot be read; its key is kept: stop the gateway, put the file back from the newest copy, \
             and run `samband audit fsck DATA_DIR --storage-key FILE`"
        );
    }
}

/// The furthest head that is known to have been published: of the high-water mark or of the published checkpoint.
fn mark(layout: &Layout, asked: &Asked<'_>, format: &Format) -> Result<Option<HighWater>, OpenError> {
    let mark = HighWater::read(layout.disk(), asked.high_water_file)?;
    // After a loss the mark is the old log's until the new one is published for the first time.
    let mark = mark.filter(|mark| format.follows.as_ref().is_none_or(|follows| follows.origin != mark.origin));
    if let Some(mark) = &mark
        && mark.origin != asked.origin
    {
        return Err(OpenError::OtherOrigin { found: mark.origin.clone(), configured: asked.origin.to_owned() });
    }
    let text = layout.disk().read(&layout.path("log/checkpoint")).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let published = text.and_then(|text| Checkpoint::open(&text, asked.verifier).ok());
    let published = published.map(|head| HighWater { origin: head.origin().to_string(), size: head.size(), root: head.root() });
    // Whatever has a base was published; what follows a lost log has no mark of its own until it was published itself.
    let was_published =
        published.is_some() || (format.follows.is_none() && Current::read(layout)?.is_some_and(|current| current.base.is_some()));
    if mark.is_none() && was_published {
        tracing::warn!("there is no high-water mark of this log; one is written anew, but until then a restored copy would not be noticed");
    }
    Ok(match (mark, published) {
        (Some(mark), Some(published)) if published.size > mark.size => Some(published),
        (None, published) => published,
        (mark, _) => mark,
    })
}

fn check_mark(replayed: &Replayed, mark: Option<&HighWater>) -> Result<(), OpenError> {
    let Some(mark) = mark else { return Ok(()) };
    let found = replayed.nodes.size();
    if found < mark.size
        && let Some(torn) = replayed.torn
    {
        return Err(torn.as_damage("entries that were published are not readable here"));
    }
    if replayed.holds(mark) {
        return Ok(());
    }
    Err(OpenError::Behind {
        found_size: found,
        found_root: replayed.head_at.map_or_else(String::new, |root| format!(" with the other root {root} at that size")),
        mark_size: mark.size,
        mark_root: mark.root.to_string(),
    })
}

fn check_seen(replayed: &Replayed, seen: Option<&SeenElsewhere>) -> Result<(), OpenError> {
    let found_size = replayed.nodes.size();
    match seen {
        Some(seen) if seen.size > found_size => Err(OpenError::BehindWitness { found_size, who: seen.who.clone(), seen_size: seen.size }),
        _ => Ok(()),
    }
}

fn engine(
    (layout, lock): (Layout, &Lock),
    keys: Keys,
    options: Options,
    subject_key: Zeroizing<[u8; 32]>,
    replayed: Replayed,
    current: &Current,
) -> Result<(Engine, watch::Sender<u64>), OpenError> {
    let last = (replayed.nodes.size() > 0).then(|| replayed.state.last_time());
    let calendar = Calendar::at_start(&layout, options.clock.as_ref(), last)?;
    let (size, root) = (replayed.nodes.size(), replayed.nodes.root());
    let edge = RightEdge::at(&replayed.nodes, size).expect("the right edge is always kept");
    let publisher = Publisher::new(&layout, options.high_water_file, options.origin.as_str().to_owned(), replayed.base_tree.clone());
    let signed = Checkpoint::new(options.origin.clone(), size, root)
        .and_then(|head| head.sign(&options.log_signer))
        .map_err(|error| OpenError::damage("FORMAT", 0, error.to_string()))?;
    let (durable, watching) = watch::channel(size);
    let mut places = replayed.contents;
    let on_disk = places.len();
    places.retain(|index, _| replayed.state.needs_content(*index));
    let freed = (on_disk - places.len()) as u64;
    let in_force = InForce::new(&keys, current.clone(), &in_force(&replayed.months, &replayed.held), replayed.base);
    let journal_bytes: u64 =
        layout.journals()?.into_iter().map(|n| layout.disk().len(&layout.path(&super::layout::journal_name(n))).unwrap_or(0)).sum();
    let engine = Engine {
        contents: Mutex::new(Contents::new(&layout, &keys, places)),
        unread: Unread::default(),
        archive: ArcSwap::from_pointee(Archive::new(&layout, &keys, replayed.months, replayed.held)),
        register: ArcSwap::new(Arc::clone(replayed.state.register())),
        head: ArcSwap::from_pointee(Head { size, root, edge, signed: Arc::new(signed) }),
        last_time: AtomicI64::new(replayed.state.last_time().millis()),
        forgotten: AtomicI64::new(replayed.state.forgotten().millis()),
        core: Mutex::new(Core { size, state: replayed.state }),
        tail: Mutex::new(Tail::new(replayed.base_tree.size(), replayed.entries)),
        nodes: RwLock::new(replayed.nodes),
        durable: watching,
        unpublished: Mutex::new(VecDeque::from(replayed.leaves)),
        serving: Serving::new(&layout, publisher.shown()),
        publisher: Mutex::new(publisher),
        published: AtomicU64::new(0),
        publishing: Publishing::default(),
        published_nodes: ArcSwap::from_pointee(TileNodes::new(0, TileFolder::new(&layout))),
        turning: Mutex::new(()),
        in_force: Mutex::new(in_force),
        takes_state: AtomicBool::new(false),
        taken_state: Mutex::default(),
        turns_fail_since: AtomicI64::new(NO_TURN_FAILED),
        last_turn: AtomicI64::new(current.turned_at),
        last_turn_elapsed: AtomicI64::new(options.clock.elapsed_millis()),
        journal_bytes: AtomicU64::new(journal_bytes),
        base_size: AtomicU64::new(current.size),
        calendar,
        freed: AtomicU64::new(freed),
        base_bytes: AtomicU64::new(replayed.base_bytes),
        disk_is_full: AtomicBool::new(false),
        index: Mutex::new(SearchIndex::new(&layout)),
        indexing: Mutex::new(()),
        index_is_due: AtomicBool::new(true),
        hold_is_due: AtomicBool::new(false),
        broken: AtomicBool::new(false),
        ending: Mutex::new(false),
        ended: Condvar::new(),
        #[cfg(test)]
        hand: Mutex::default(),
        queue: Queue::default(),
        readers: Arc::new(Readers::new(READERS)),
        lookups: Turns::new(Arc::clone(&options.clock), LOOKUPS),
        folder: lock.folder(),
        layout,
        keys,
        origin: options.origin,
        signer: options.log_signer,
        clock: options.clock,
        entropy: options.entropy,
        on_fatal: options.on_fatal,
        subject_key,
        records_keep_months: options.records_keep_months,
        turn_every_millis: options.erase_within_millis / 4,
        disk: options.disk,
        journal: options.journal,
    };
    Ok((engine, durable))
}

/// Ends the process's service when a thread of the store is gone without having been told to.
struct Watch(Arc<Engine>, &'static str);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fatal(self.1);
        }
    }
}

fn thread(
    name: &str,
    engine: &Arc<Engine>,
    lost: &'static str,
    run: impl FnOnce(&Engine) + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let watched = Watch(Arc::clone(engine), lost);
    let body = move || {
        let watched = watched;
        run(&watched.0);
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).at("cannot start a thread for", Path::new(name))
}

fn commit_threads(engine: &Arc<Engine>, writer: Writer, durable: watch::Sender<u64>) -> Result<Vec<JoinHandle<()>>, OpenError> {
    let committer = thread("commit", engine, "the committing thread is lost", move |engine| commit::run(engine, writer, &durable))?;
    let sequencer = thread("sequence", engine, "the sequencing thread is lost", sequencer::run)?;
    Ok(vec![sequencer, committer])
}

fn slow_threads(engine: &Arc<Engine>) -> Result<Vec<JoinHandle<()>>, OpenError> {
    Ok(vec![
        thread("turn", engine, "the turning thread is lost", background::turns)?,
        thread("publish", engine, "the publishing thread is lost", background::publish)?,
        thread("index", engine, "the indexing thread is lost", background::indexes)?,
        thread("look", engine, "the looking thread is lost", background::looks)?,
    ])
}
