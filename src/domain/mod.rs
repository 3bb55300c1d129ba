//! The nouns of the scheme: identifiers, participants, the three messages, their dated tables and every bound.
//!
//! Pure: no I/O, no clock, no randomness. A value of a type in here is valid for as long as it lives.

pub mod id;
pub mod limits;
pub mod participant;
pub mod time;
