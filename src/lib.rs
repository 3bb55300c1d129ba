//! Samband: a messaging gateway between public agencies that relays exactly three messages and keeps a log that anyone can check.
//!
//! The modules in the order in which they may import each other, leftmost first:
//! `domain`, `clock`, `regular_file` ← `audit` ← `policy` ← `store` ← `gateway` ← `tls`, `grpc`, `web` ← `app`, `config`, `cli`.

pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gateway;
pub mod grpc;
pub mod policy;
pub mod regular_file;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod web;

#[cfg(test)]
#[path = "../tests/rules_table/mod.rs"]
mod rules_table;
