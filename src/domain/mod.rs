//! The nouns of the scheme: identifiers, participants, the three messages, their dated tables and every bound.
//!
//! Pure: no I/O, no clock, no randomness. A value of a type in here is valid for as long as it lives.

pub mod control;
pub mod decimal;
pub mod finding;
pub mod hold;
pub mod id;
pub mod identity;
pub mod label;
pub mod lang;
pub mod legal_basis;
pub mod limits;
pub mod mac;
pub mod municipality;
pub mod name;
pub mod nlk;
pub mod notice;
pub mod participant;
#[cfg(test)]
mod properties;
pub mod reach;
pub mod reason;
#[cfg(test)]
pub(crate) mod refusal;
pub mod register;
pub mod register_change;
pub mod register_past;
pub mod report;
pub mod result;
pub mod sample;
pub mod scope;
pub mod secret;
pub mod sensitive;
pub mod substance;
mod table;
pub mod time;
pub mod ucum;
pub mod unseen;
pub mod validity;
pub mod violation;
