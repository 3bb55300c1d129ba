//! What the gateway shows over HTTP besides gRPC: health and metrics for its operator.

pub mod admin;
mod metrics;
