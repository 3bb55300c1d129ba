//! The audit log's pure core: events, records, leaves, the tree, its proofs and its signed heads.

pub mod event;
pub mod record;
