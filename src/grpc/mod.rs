//! The gRPC face: generated types, the strict wire check, the conversion into the domain, the gate and thin handlers.

mod audit;
pub mod caller;
pub mod codec;
pub mod convert;
pub mod expiry;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod laboratory;
mod lanes;
mod municipal;
pub mod pb;
mod prosecution;
#[cfg(debug_assertions)]
mod provoke;
pub mod request;
mod room;
pub mod server;
mod shared;
pub mod status;
mod stream;
