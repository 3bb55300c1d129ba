//! The gRPC face: generated types, the strict wire check and the conversion into the domain.

pub mod codec;
pub mod convert;
pub mod pb;
