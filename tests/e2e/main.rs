//! The gateway over real mutual TLS on port 0: every call, every refusal, every promise that a client can see.

#![expect(clippy::unwrap_used, reason = "tests")]

mod agree;
mod alike;
mod audit_answers;
mod auditor;
mod browser;
mod calls;
mod delivery;
mod harness;
mod identity;
mod life;
mod limits;
mod participants;
mod policy_cells;
mod retries;
mod wire;
