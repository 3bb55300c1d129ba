//! The connection to a gateway: mutual TLS, one call at a time, messages by descriptor.

use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use clap::Args;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::clock::{Entropy as _, SystemClock, SystemEntropy};
use crate::grpc::expiry::CERTIFICATE_EXPIRES;
use crate::tls::{Backoff, ClientFiles, ClientSettings, Connector};

use super::exit::CliError;
use super::explain::explain;
use super::output;
use super::schema::{self, DynamicCodec, Service};

/// A call that is no stream ends after this long; the gateway is told.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: a page of records.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where the gateway is and who calls.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// The gateway's address
    #[arg(long, env = "SAMBAND_GATEWAY", value_name = "URL", default_value = "https://localhost:8443")]
    pub gateway: String,
    /// Folder with cert.pem and key.pem of the participant that calls
    #[arg(long, env = "SAMBAND_IDENTITY", value_name = "DIR")]
    pub identity: PathBuf,
    /// The CA of the gateway's certificate [default: ca.pem in the folder above --identity]
    #[arg(long, env = "SAMBAND_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl ConnectArgs {
    /// What is read to connect.
    #[must_use]
    pub fn inputs(&self) -> Vec<PathBuf> {
        let ClientFiles { certificate_file, key_file, server_ca_files } = self.files();
        [certificate_file, key_file].into_iter().chain(server_ca_files).collect()
    }

    fn files(&self) -> ClientFiles {
        let ca = self.ca.clone().unwrap_or_else(|| {
            let real = self.identity.canonicalize().unwrap_or_else(|_| self.identity.clone());
            real.parent().map_or_else(|| PathBuf::from("ca.pem"), |above| above.join("ca.pem"))
        });
        ClientFiles { certificate_file: self.identity.join("cert.pem"), key_file: self.identity.join("key.pem"), server_ca_files: vec![ca] }
    }
}

/// Splits `https://host:port` into the address to dial and the name on the certificate.
fn address(gateway: &str) -> Result<(String, String), CliError> {
    let wrong = || CliError::Usage("--gateway: give it as https://HOST:PORT".to_owned());
    let rest = gateway.strip_prefix("https://").ok_or_else(wrong)?.trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().map_err(|_| wrong())?;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let shaped = !name.is_empty() && !host.contains('/') && (host.starts_with('[') || !host.contains(':'));
    if shaped { Ok((rest.to_owned(), name.to_owned())) } else { Err(wrong()) }
}

/// A caller's connection. Dialled with the first call; dialled again when it was lost.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// A client from its arguments; nothing is dialled yet.
    ///
    /// # Errors
    /// An address out of shape, or a certificate, key or CA that cannot be used.
    pub fn new(args: &ConnectArgs) -> Result<Self, CliError> {
        let (dial, name) = address(&args.gateway)?;
        Self::to(&dial, &name, &args.files())
    }

    /// A client that dials `address` (`host:port`), whose certificate is valid for `name`.
    ///
    /// # Errors
    /// A certificate, key or CA that cannot be used.
    pub fn to(address: &str, name: &str, files: &ClientFiles) -> Result<Self, CliError> {
        let config = |error: crate::tls::TlsError| CliError::Config(error.to_string());
        let settings = ClientSettings::load(files, Arc::new(SystemClock)).map_err(config)?;
        let mut seed = [0_u8; 8];
        SystemEntropy::default().fill(&mut seed);
        let backoff = Backoff { seed: u64::from_le_bytes(seed), ..Backoff::default() };
        let connector = Connector::new(&settings, address, name, backoff).map_err(config)?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| CliError::Usage("--gateway: give it as https://HOST:PORT".to_owned()))?
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        Ok(Self { channel: endpoint.connect_with_connector_lazy(connector) })
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        Ok(grpc)
    }

    /// One call with a message.
    ///
    /// # Errors
    /// A refusal, or no connection.
    pub async fn call(&self, service: Service, method: &str, request: DynamicMessage) -> Result<Value, CliError> {
        let (path, codec) = route(service, method)?;
        let mut request = Request::new(request);
        request.set_timeout(CALL_TIMEOUT);
        let sent = async { self.ready().await?.unary(request, path, codec).await };
        match tokio::time::timeout(CALL_TIMEOUT + Duration::from_secs(5), sent).await {
            Ok(Ok(answer)) => {
                warn_of_expiry(answer.metadata());
                Ok(schema::to_value(answer.get_ref()))
            }
            Ok(Err(status)) => Err(explained(&status)),
            Err(_) => Err(CliError::Unreachable("the gateway did not answer in time; run the same command again".to_owned())),
        }
    }

    /// One call with a JSON value as request.
    ///
    /// # Errors
    /// As [`Client::call`], or a value that is not the call's request.
    pub async fn ask(&self, service: Service, method: &str, request: &Value) -> Result<Value, CliError> {
        let message = schema::from_value(service.method(method)?.input(), request)?;
        self.call(service, method, message).await
    }

    /// A call that is answered by a stream of many messages, in their own types.
    ///
    /// # Errors
    /// A refusal, or no connection.
    pub async fn typed_stream<Q, A>(&self, path: &'static str, request: Q) -> Result<TypedAnswers<A>, CliError>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::from_static(path);
        let codec = tonic_prost::ProstCodec::<Q, A>::default();
        let started = async { self.ready().await?.server_streaming(Request::new(request), path, codec).await };
        started.await.map(|answer| TypedAnswers(answer.into_inner())).map_err(|status| explained(&status))
    }

    /// A call that is answered by a stream.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn stream(&self, service: Service, method: &str, request: &Value) -> Result<Answers, CliError> {
        let message = schema::from_value(service.method(method)?.input(), request)?;
        let (path, codec) = route(service, method)?;
        let started = async { self.ready().await?.server_streaming(Request::new(message), path, codec).await };
        started.await.map(|answer| Answers(answer.into_inner())).map_err(|status| explained(&status))
    }
}

fn route(service: Service, method: &str) -> Result<(PathAndQuery, DynamicCodec), CliError> {
    let descriptor = service.method(method)?;
    let path = format!("/samband.v1.{}/{method}", service.name());
    let path = PathAndQuery::try_from(path).map_err(|_| CliError::Usage("this call has no path".to_owned()))?;
    Ok((path, DynamicCodec(descriptor.output())))
}

/// The answers of a stream, in their own types.
#[derive(Debug)]
pub struct TypedAnswers<A>(Streaming<A>);

impl<A> TypedAnswers<A> {
    /// The next answer; none at the end.
    ///
    /// # Errors
    /// The gateway ended the stream with a reason, or the connection was lost.
    pub async fn next(&mut self) -> Result<Option<A>, CliError> {
        next(&mut self.0).await
    }
}

/// The next answer of a stream, and at its end what its trailers warn of.
async fn next<A>(stream: &mut Streaming<A>) -> Result<Option<A>, CliError> {
    match stream.message().await {
        Ok(Some(answer)) => Ok(Some(answer)),
        Ok(None) => {
            if let Ok(Some(trailers)) = stream.trailers().await {
                warn_of_expiry(&trailers);
            }
            Ok(None)
        }
        Err(status) => Err(explained(&status)),
    }
}

fn explained(status: &Status) -> CliError {
    warn_of_expiry(status.metadata());
    explain(status)
}

/// Says once that the own certificate ends soon, when the gateway's trailer says so.
fn warn_of_expiry(trailers: &MetadataMap) {
    static SAID: Once = Once::new();
    let Some(end) = trailers.get(CERTIFICATE_EXPIRES.as_str()).and_then(|value| value.to_str().ok()) else { return };
    if let Ok(end) = end.parse::<jiff::Timestamp>() {
        SAID.call_once(|| output::warning("CERTIFICATE_EXPIRES", &expiry_warning(end)));
    }
}

fn expiry_warning(end: jiff::Timestamp) -> String {
    format!(
        "the certificate of this identity is valid until {end:.0}; have it renewed, and send the operator the new one if its key is new"
    )
}

/// The answers of a stream.
#[derive(Debug)]
pub struct Answers(Streaming<DynamicMessage>);

impl Answers {
    /// The next answer; none at the end.
    ///
    /// # Errors
    /// The gateway ended the stream with a reason, or the connection was lost.
    pub async fn next(&mut self) -> Result<Option<Value>, CliError> {
        Ok(next(&mut self.0).await?.as_ref().map(schema::to_value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_by_https_host_and_port() {
        assert_eq!(address("https://localhost:8443").unwrap(), ("localhost:8443".to_owned(), "localhost".to_owned()));
        assert_eq!(address("https://[::1]:1/").unwrap(), ("[::1]:1".to_owned(), "::1".to_owned()));
        for wrong in
            ["http://localhost:1", "localhost:1", "https://localhost", "https://:1", "https://a:b", "https://::1:8443", "https://a/b:1"]
        {
            assert_eq!(address(wrong).unwrap_err().code(), 2, "{wrong}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_exit_code_three_and_a_missing_identity_seventy_eight() {
        use crate::tls::pki;
        let dir = tempfile::tempdir().unwrap();
        let register = pki::development_register().unwrap();
        let clock = crate::clock::Clock::now(&SystemClock);
        let made = pki::dev(dir.path(), clock, &SystemEntropy::default(), pki::Existing::Keep, &register).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Client::to(&free.to_string(), "localhost", &made.client_files("tilsyn")).unwrap();
        let error = client.ask(Service::Audit, "GetCheckpoint", &serde_json::json!({})).await.unwrap_err();
        assert_eq!(error.code(), 3, "{error}");
        assert!(error.to_string().contains("nothing listens"), "{error}");
        let error = Client::to(&free.to_string(), "localhost", &made.client_files("no-such")).unwrap_err();
        assert_eq!(error.code(), 78, "{error}");
    }
}
