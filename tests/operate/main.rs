//! What operators do and what befalls them, with the real program: stopping, restoring, recovering, a search index that goes bad, looking in
//! from outside. Everything passes over real mutual TLS on loopback.

#![expect(clippy::unwrap_used, reason = "tests")]

mod damage;
mod expiry;
mod fetch;
mod harness;
mod index;
mod look;
mod moved;
mod recover;
mod register;
