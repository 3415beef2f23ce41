//! `struct cql_options`, turned into the driver's settings.
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod, SslVersion};
use openssl::x509::{X509, store::X509StoreBuilder};
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::reconnect::ExponentialReconnectPolicy;
use scylla::policies::retry::{RequestInfo, RetryDecision, RetryPolicy, RetrySession};
use scylla::statement::Consistency;
use std::ffi::{CStr, c_char};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Failure, Retry};

const DEFAULT_PORT: u16 = 9042;
/// A connection has 32,768 streams, and those of requests that timed out stay taken until the late answer.
const MOST_IN_FLIGHT: u32 = 16_384;
const RECONNECT_MIN: Duration = Duration::from_millis(50);

/// `struct cql_options`.
#[repr(C)]
pub struct COptions {
    contact_points: *const c_char,
    local_dc: *const c_char,
    user: *const c_char,
    password: *const c_char,
    tls_ca_file: *const c_char,
    tls_cert_file: *const c_char,
    tls_key_file: *const c_char,
    consistency: u32,
    connect_timeout_ms: u32,
    request_timeout_ms: u32,
    keepalive_ms: u32,
    keepalive_timeout_ms: u32,
    reconnect_max_ms: u32,
    max_in_flight: u32,
}

pub struct Options {
    pub builder: SessionBuilder, // without its nodes
    pub nodes: Vec<String>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub max_in_flight: u32,
}

/// # Safety
/// NULL, or a C string that outlives the answer.
pub unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    text.map(Some).map_err(|_| Failure::bad_argument(format!("{what} is not UTF-8")))
}

pub fn consistency(number: u32, default: Option<Consistency>) -> Result<Option<Consistency>, Failure> {
    if number == 0 {
        return Ok(default);
    }
    let known = u16::try_from(number).ok().and_then(|number| Consistency::try_from(number).ok());
    match known {
        Some(consistency) if !consistency.is_serial() => Ok(Some(consistency)),
        _ => Err(Failure::bad_argument(format!("consistency {number} is not known"))),
    }
}

/// Repeats are the caller's business: the driver's own policy moves to the next node, and if that one is down its "no
/// connection" hides the answer that came first.
#[derive(Debug)]
struct NeverRetry;
impl RetryPolicy for NeverRetry {
    fn new_session(&self) -> Box<dyn RetrySession> {
        Box::new(NeverRetry)
    }
}
impl RetrySession for NeverRetry {
    fn decide_should_retry(&mut self, _: RequestInfo) -> RetryDecision {
        RetryDecision::DontRetry
    }
    fn reset(&mut self) {}
}

fn nodes(contact_points: &str) -> Vec<String> {
    let nodes = contact_points.split(',').map(str::trim).filter(|node| !node.is_empty());
    nodes.map(|node| if node.ends_with(']') { format!("{node}:{DEFAULT_PORT}") } else { node.to_string() }).collect()
}

impl Options {
    /// # Safety
    /// The texts are NULL or C strings.
    pub unsafe fn from_c(options: &COptions) -> Result<Options, Failure> {
        let milliseconds =
            |value: u32, default: u32| Duration::from_millis(if value == 0 { default } else { value }.into());
        let connect_timeout = milliseconds(options.connect_timeout_ms, 5_000);
        let request_timeout = milliseconds(options.request_timeout_ms, 10_000);
        let max_in_flight = if options.max_in_flight == 0 { 1_024 } else { options.max_in_flight };
        if max_in_flight > MOST_IN_FLIGHT {
            return Err(Failure::bad_argument(format!("max_in_flight is above {MOST_IN_FLIGHT}")));
        }
        let nodes = nodes(unsafe { text(options.contact_points, "contact_points")? }.unwrap_or(""));
        if nodes.is_empty() {
            return Err(Failure::bad_argument("contact_points is empty"));
        }
        let profile = ExecutionProfile::builder()
            .consistency(consistency(options.consistency, None)?.unwrap_or(Consistency::LocalQuorum))
            .request_timeout(Some(request_timeout))
            .retry_policy(Arc::new(NeverRetry))
            .build();
        let mut builder = SessionBuilder::new()
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(connect_timeout)
            .hostname_resolution_timeout(Some(connect_timeout))
            // Half, so that a disagreement is told as such before the request's own time is up.
            .schema_agreement_timeout(request_timeout / 2)
            .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
            .keepalive_interval(milliseconds(options.keepalive_ms, 5_000))
            .keepalive_timeout(milliseconds(options.keepalive_timeout_ms, 10_000))
            .tcp_nodelay(true)
            .disallow_shard_aware_port(true)
            .fetch_full_schema_metadata(false) // replication and table names are enough to find a replica
            .driver_config_reporting(false);
        builder.config.reconnect_policy = Arc::new(
            ExponentialReconnectPolicy::new()
                .with_backoff_limits(RECONNECT_MIN, milliseconds(options.reconnect_max_ms, 1_000).max(RECONNECT_MIN)),
        );
        if let Some(datacenter) = unsafe { text(options.local_dc, "local_dc")? } {
            builder = builder.prefer_datacenter(datacenter.to_string());
        }
        if let Some(user) = unsafe { text(options.user, "user")? } {
            builder = builder.user(user, unsafe { text(options.password, "password")? }.unwrap_or(""));
        }
        builder = builder.tls_context(unsafe { tls(options)? });
        Ok(Options { builder, nodes, connect_timeout, request_timeout, max_in_flight })
    }
}

/// # Safety
/// As `from_c`.
unsafe fn tls(options: &COptions) -> Result<Option<SslConnectorBuilder>, Failure> {
    let ca_file = unsafe { text(options.tls_ca_file, "tls_ca_file")? };
    let certificate = unsafe { text(options.tls_cert_file, "tls_cert_file")? };
    let key = unsafe { text(options.tls_key_file, "tls_key_file")? };
    if certificate.is_some() != key.is_some() || (certificate.is_some() && ca_file.is_none()) {
        return Err(Failure::bad_argument("tls_cert_file and tls_key_file go together, and with tls_ca_file"));
    }
    let Some(ca_file) = ca_file else { return Ok(None) };
    let ca_pem =
        std::fs::read(ca_file).map_err(|error| Failure::new(Code::Tls, Retry::No, format!("{ca_file}: {error}")))?;
    let named = |file: &str, error: ErrorStack| Failure::new(Code::Tls, Retry::No, format!("{file}: {error}"));
    let mut connector = connector(&ca_pem).map_err(|error| named(ca_file, error))?;
    if let (Some(certificate), Some(key)) = (certificate, key) {
        connector.set_certificate_chain_file(certificate).map_err(|error| named(certificate, error))?;
        connector.set_private_key_file(key, SslFiletype::PEM).map_err(|error| named(key, error))?;
    }
    Ok(Some(connector))
}

/// It trusts this CA only, not the system's.
fn connector(ca_pem: &[u8]) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for certificate in X509::stack_from_pem(ca_pem)? {
        store.add_cert(certificate)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    connector.set_cert_store(store.build());
    Ok(connector)
}
