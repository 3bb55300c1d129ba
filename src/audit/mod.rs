//! The log that proves itself, as pure functions: no files, no clock, no runtime.
//!
//! What another party's software must agree with, byte for byte, lives here and only here:
//!
//! | module | format |
//! |---|---|
//! | [`tree`], [`proof`] | the hash tree of RFC 6962 and RFC 9162, its inclusion and consistency proofs |
//! | [`nodes`] | the newest part of that tree in memory, for receipts of leaves just appended |
//! | [`tiles`], [`bundle`], [`tile_nodes`] | C2SP tlog-tiles: paths, tiles, entry bundles, and the tree read back from them |
//! | [`check`] | a whole tiles folder recomputed from its entries |
//! | [`note`], [`checkpoint`] | C2SP signed-note with Ed25519, C2SP tlog-checkpoint |
//! | [`cosignature`], [`witness`], [`tlog_policy`] | C2SP tlog-cosignature, tlog-witness and tlog-policy |
//! | [`tlog_proof`], [`receipt`] | C2SP tlog-proof, and the two kinds of it that the gateway hands out |
//! | [`event`], [`record`] | everything that can happen, and what auditors read of it |
//! | [`range`], [`sight`] | a complete range of entries opened against its leaves and a signed head; which of it an auditor sees |
//! | [`question`], [`counts`] | the prepared questions, answered from checked records alone |
//! | [`evidence`], [`tar`], [`record_text`] | the texts of an evidence bundle, the archive around them, and a record read back from its texts |
//! | [`leaf`] | the 33 bytes that stand in the log for ever, and their openings |
//!
//! Parsers accept exactly what the encoders write: for every accepted text, encoding what was parsed gives the same bytes. Every length
//! is checked before work is done on it, and nothing here panics on what it reads.

pub mod bundle;
pub mod check;
pub mod checkpoint;
pub mod cosignature;
pub mod counts;
pub mod event;
pub mod evidence;
pub mod leaf;
pub mod message;
pub mod nodes;
pub mod note;
pub mod proof;
pub mod question;
pub mod range;
pub mod receipt;
pub mod record;
pub mod record_text;
pub mod reload;
pub mod sight;
pub mod tar;
mod text;
pub mod tile_nodes;
pub mod tiles;
pub mod tlog_policy;
pub mod tlog_proof;
pub mod tree;
pub mod witness;

#[cfg(test)]
mod example_log;
