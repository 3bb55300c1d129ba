//! The server: the four services behind the gate, health and reflection, and the bounds of HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use super::audit::Audit;
use super::caller::{CallLimits, GateLayer};
use super::laboratory::Laboratory;
use super::municipal::Municipal;
use super::pb::audit_service_server::AuditServiceServer;
use super::pb::laboratory_service_server::LaboratoryServiceServer;
use super::pb::municipal_service_server::MunicipalServiceServer;
use super::pb::prosecution_service_server::ProsecutionServiceServer;
use super::prosecution::Prosecution;
use super::{convert, pb};
use crate::domain::limits::REQUEST_BYTES_MAX;
use crate::gateway::Gateway;
use crate::tls::{Incoming, TlsSettings};

/// Bounds of HTTP/2 and of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Calls and streams of one connection.
    pub concurrent_streams_max: u32,
    /// All headers of one request, in bytes.
    pub header_bytes_max: u32,
    /// Between two probes of a silent connection.
    pub keepalive_interval: Duration,
    /// A probe without answer for so long ends the connection.
    pub keepalive_timeout: Duration,
    /// The HTTP/2 window of one stream, in bytes.
    pub stream_window_bytes: u32,
    /// The HTTP/2 window of one connection, in bytes.
    pub connection_window_bytes: u32,
    /// Bounds of calls.
    pub calls: CallLimits,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            concurrent_streams_max: 256,
            header_bytes_max: 16 * 1024,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            stream_window_bytes: 128 * 1024,
            connection_window_bytes: 256 * 1024,
            calls: CallLimits::default(),
        }
    }
}

/// Why the server ended other than by its stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// tonic's.
    #[error("the gRPC server ended: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptor set is not one, which a test holds.
    #[error("reflection cannot be offered: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

fn routes(gateway: &Arc<Gateway>, health: &HealthReporter) -> Result<Routes, ServerError> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(ProsecutionServiceServer::new(Prosecution(gateway.clone())).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(MunicipalServiceServer::new(Municipal(gateway.clone())).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(LaboratoryServiceServer::new(Laboratory(gateway.clone())).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(AuditServiceServer::new(Audit(gateway.clone())).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(
            tonic_health::pb::health_server::HealthServer::new(tonic_health::server::HealthService::from_health_reporter(health.clone()))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(reflection().build_v1()?.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(REQUEST_BYTES_MAX)))
}

async fn set_health(health: &HealthReporter, serving: bool) {
    let status = if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
    let services =
        ["", "samband.v1.ProsecutionService", "samband.v1.MunicipalService", "samband.v1.LaboratoryService", "samband.v1.AuditService"];
    for service in services {
        health.set_service_status(service, status).await;
    }
}

/// Serves on `incoming` until `stop`, then finishes the calls at work. Streams end with UNAVAILABLE.
///
/// # Errors
/// The server could not be built, or ended by itself.
pub async fn serve(
    gateway: Arc<Gateway>,
    tls: Arc<TlsSettings>,
    incoming: Incoming,
    limits: ServerLimits,
    stop: CancellationToken,
) -> Result<(), ServerError> {
    convert::wire::prepare();
    let health = HealthReporter::new();
    set_health(&health, true).await;
    let routes = routes(&gateway, &health)?;
    let ending = async {
        stop.cancelled().await;
        set_health(&health, false).await;
        gateway.end_streams();
    };
    Server::builder()
        .max_concurrent_streams(limits.concurrent_streams_max)
        .http2_max_header_list_size(limits.header_bytes_max)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .layer(GateLayer::new(gateway.clone(), tls, limits.calls))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, ending)
        .await?;
    Ok(())
}
