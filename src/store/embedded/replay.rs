//! The replay: base and journals give the state again. The same code runs at every start and in every turn.

use std::collections::{HashMap, VecDeque};

use super::base::{self, Base, content_place};
use super::contents::{Holder, Location};
use super::error::OpenError;
use super::frame::{Chain, FrameKind};
use super::holds::HeldFile;
use super::journal::{Left, Read, Reader, Tail, Torn};
use super::keys::Keys;
use super::layout::{Current, Layout, journal_name};
use super::records::{Entry, Month, Slot};
use super::tiles::{HighWater, TileBuilder};
use crate::audit::event::Event;
use crate::audit::leaf::Leaf;
use crate::audit::nodes::RecentNodes;
use crate::audit::record::Record;
use crate::audit::tree::Hash;
use crate::store::state::State;

/// What a replay yields.
pub struct Replayed {
    /// The state after the last whole frame.
    pub state: State,
    /// The tree after it.
    pub nodes: RecentNodes,
    /// The tree at the base, with the tiles being filled.
    pub base_tree: TileBuilder,
    /// Entries after the base, in log order.
    pub entries: Vec<Slot>,
    /// Their leaves.
    pub leaves: Vec<Leaf>,
    /// Tree sizes at the ends of frames after the base.
    pub frame_ends: Vec<u64>,
    /// Every content there is on disk, needed or not, and those that were lost.
    pub contents: HashMap<u64, Location>,
    /// The place of the next frame.
    pub chain: Chain,
    /// Length of the base's state file.
    pub base_bytes: u64,
    /// Record files in force.
    pub months: Vec<Month>,
    /// Files of held records in force.
    pub held: Vec<HeldFile>,
    /// Erasures that the base is not known to have told of.
    pub owed: Vec<Event>,
    /// Where the last file stopped being readable, if it did.
    pub torn: Option<Torn>,
    /// What stands behind the last whole frames of files.
    pub left: Vec<Left>,
    /// Where a seal was lost that the last frame shows to have been there.
    pub lost_seal: Option<Torn>,
    /// The last frame, which may not be durable.
    pub tail: Option<Tail>,
    /// The head that was asked for by its size, when a frame ended there.
    pub head_at: Option<Hash>,
    /// The base that it began with, but for its state.
    pub base: Option<Base>,
    /// The state is that after the last frame already.
    state_is_given: bool,
}

/// Replays what stands in `current` and the journal files `files`, which are those from `current.journal` on.
///
/// `watch` is a tree size whose root is wanted.
///
/// # Errors
/// Damage, with file and offset.
pub fn replay(
    (layout, keys): (&Layout, &Keys),
    subject_key: [u8; 32],
    current: &Current,
    files: &[u64],
    watch: Option<u64>,
) -> Result<Replayed, OpenError> {
    let replayed = begin(layout, keys, subject_key, current)?;
    go_on(replayed, (layout, keys), current, files, watch)
}

/// The same with a base that was not read, whose state is that after the last frame.
pub fn replay_with(
    (layout, keys): (&Layout, &Keys),
    subject_key: [u8; 32],
    current: &Current,
    files: &[u64],
    base: Base,
) -> Result<Replayed, OpenError> {
    let number = current.base.ok_or_else(|| OpenError::damage("CURRENT", 0, "the store has no base"))?;
    let nothing = begin(layout, keys, subject_key, &Current { base: None, ..current.clone() })?;
    let replayed = begin_with(layout, nothing, current, (number, base))?;
    go_on(Replayed { state_is_given: true, ..replayed }, (layout, keys), current, files, None)
}

fn go_on(
    mut replayed: Replayed,
    (layout, keys): (&Layout, &Keys),
    current: &Current,
    files: &[u64],
    watch: Option<u64>,
) -> Result<Replayed, OpenError> {
    replayed.watch(watch);
    let mut reader = Reader::new(layout, Some(keys), replayed.chain);
    for (done, file) in files.iter().enumerate() {
        let wanted = current.journal + done as u64;
        if *file != wanted {
            // Numbers have no gaps: a file is made with the next one.
            return Err(OpenError::damage(&journal_name(wanted), 0, "the file is gone, and later ones are there"));
        }
        if files.len() > 4 {
            tracing::info!(file = done + 1, of = files.len(), entries = replayed.nodes.size(), "replaying the journal");
        }
        reader.file(*file, &mut |read| replayed.frame(*file, read, watch))?;
    }
    replayed.chain = reader.chain();
    replayed.torn = reader.torn();
    replayed.left = reader.left().to_vec();
    replayed.lost_seal = reader.lost_seal();
    replayed.tail = reader.into_tail();
    Ok(replayed)
}

/// What a replay begins with: the base, or nothing.
pub(super) fn begin(layout: &Layout, keys: &Keys, subject_key: [u8; 32], current: &Current) -> Result<Replayed, OpenError> {
    let replayed = Replayed {
        state: State::new(subject_key),
        nodes: RecentNodes::default(),
        base_tree: TileBuilder::default(),
        entries: Vec::new(),
        leaves: Vec::new(),
        frame_ends: Vec::new(),
        contents: HashMap::new(),
        chain: Chain::START,
        base_bytes: 0,
        months: Vec::new(),
        held: Vec::new(),
        owed: Vec::new(),
        torn: None,
        left: Vec::new(),
        lost_seal: None,
        tail: None,
        head_at: None,
        base: None,
        state_is_given: false,
    };
    match current.base {
        Some(number) => begin_with(layout, replayed, current, (number, base::read_state(layout, keys, number)?)),
        None => Ok(replayed),
    }
}

/// The same with this base.
fn begin_with(layout: &Layout, mut replayed: Replayed, current: &Current, (number, base): (u64, Base)) -> Result<Replayed, OpenError> {
    let name = super::layout::state_name(number);
    if base.tree.size() != current.size {
        return Err(OpenError::damage(&name, 0, "the base has another tree size than CURRENT says"));
    }
    if current.chain.is_some_and(|chain| chain != base.chain) {
        return Err(OpenError::damage(&name, 0, "the base follows another frame than CURRENT says"));
    }
    let empty = State::new([0; 32]).snapshot();
    let Base { snapshot, .. } = base;
    let base = Base { snapshot: empty, ..base };
    replayed.base = Some(base.clone());
    replayed.state = State::restore(snapshot).map_err(|_| OpenError::damage(&name, 0, "the register in the base breaks a rule"))?;
    replayed.nodes = RecentNodes::new(base.tree.frontier());
    replayed.base_tree = base.tree;
    replayed.chain = base.chain;
    replayed.months = base.months;
    replayed.held = base.held;
    replayed.base_bytes = layout.disk().len(&layout.path(&name)).unwrap_or(0);
    replayed.owed = base.owed;
    let holder = Holder::Base(number);
    replayed.contents = base
        .contents
        .into_iter()
        .map(|(index, offset, len)| (index, Location { holder, offset, len, place: content_place(index, offset) }))
        .collect();
    Ok(replayed)
}

impl Replayed {
    /// Log index of the first entry after the base.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.base_tree.size()
    }

    /// Whether this is a continuation of a head that was published. The head's size must have been watched for.
    #[must_use]
    pub fn holds(&self, mark: &HighWater) -> bool {
        let same = match self.head_at {
            Some(root) => root == mark.root,
            // A mark below the base was published before the last turn; the base was compared with it then.
            None => mark.size < self.first(),
        };
        self.nodes.size() >= mark.size && same
    }

    fn watch(&mut self, watch: Option<u64>) {
        if watch == Some(self.nodes.size()) {
            self.head_at = Some(self.nodes.root());
        }
    }

    fn frame(&mut self, file: u64, read: Read<'_>, watch: Option<u64>) -> Result<(), OpenError> {
        let first = self.nodes.size();
        let Read { header, offset, body, pieces } = read;
        for piece in &pieces {
            let location = Location { holder: Holder::Journal(file), offset: piece.offset, len: piece.len, place: piece.place };
            self.contents.insert(first + u64::from(piece.entry), location);
        }
        for journaled in body.entries {
            let index = self.nodes.size();
            let record = Record::of(&journaled.event, journaled.time);
            let openings = journaled.openings();
            let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
            self.nodes.push(leaf.hash());
            self.leaves.push(leaf);
            self.owed.retain(|owed| *owed != journaled.event);
            if !self.state_is_given {
                self.state.apply(journaled.event, index, journaled.time);
            }
            self.entries.push(Slot { entry: Entry { record, openings }, batch: header.size });
        }
        if self.nodes.size() != header.size || self.nodes.root() != header.root {
            let what = "the frame's events do not lead to the tree that was written with them";
            return Err(OpenError::damage(&journal_name(file), offset, what));
        }
        if header.kind == FrameKind::Events {
            self.frame_ends.push(header.size);
        }
        self.watch(watch);
        Ok(())
    }

    /// The tree with the tiles being filled, after the last frame.
    #[must_use]
    pub fn tree(&self) -> TileBuilder {
        let mut tree = self.base_tree.clone();
        let mut full = VecDeque::new();
        for leaf in &self.leaves {
            tree.push(leaf, &mut full);
            full.clear();
        }
        tree
    }
}
