//! What the gateway shows over HTTP besides gRPC: health and metrics for its operator, pages and tiles for its auditors.

pub mod admin;
pub mod auditor;
mod metrics;
pub mod witness_client;
