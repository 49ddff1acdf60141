//! Making the client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy};
use zoea_model::SafeUrl;

/// What servers see of us.
const USER_AGENT: &str = concat!("zoea/", env!("CARGO_PKG_VERSION"));
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server may be silent where something of it is awaited.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Always reached without a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of the environment variables of these names.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// `HTTP_PROXY`: for plain HTTP.
    pub http: Option<SafeUrl>,
    /// `HTTPS_PROXY`: for HTTPS.
    pub https: Option<SafeUrl>,
    /// `NO_PROXY`: hosts that are reached directly, joined by commas.
    pub none_for: String,
}

/// What becomes of a body that was compressed for the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// It stays as it was sent: a digest names those bytes.
    AsSent,
    /// Gzip is asked for and undone, as Go's client does: who wants a file wants what it holds.
    Decoded,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// TLS cannot be set up.
    #[error("Failed to set up TLS")]
    Tls(#[source] rustls::Error),
    /// A proxy's address is malformed, or something of the machine is missing.
    #[error("Failed to set up HTTP")]
    Http(#[source] reqwest::Error),
}

/// Makes a client with ring as its cryptography: of rustls's providers the one that builds without CMake. The
/// loopback is never reached through a proxy.
///
/// # Errors
/// Reports a malformed proxy.
pub fn client(proxies: &Proxies, redirects: Policy, bodies: Bodies) -> Result<Client, HttpError> {
    let mut roots = rustls::RootCertStore::empty();
    // A certificate that does not load is missing when a server needs it, and is reported there.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        // Over HTTP/2 several registries throttle uploads to a fraction of their speed.
        .http1_only()
        .referer(false)
        .redirect(redirects)
        .gzip(bodies == Bodies::Decoded)
        .no_proxy();
    let direct = NoProxy::from_string(&format!("{LOOPBACK},{}", proxies.none_for));
    let failed = |error: reqwest::Error| HttpError::Http(error.without_url());
    if let Some(url) = &proxies.http {
        let proxy = Proxy::http(url.reveal()).map_err(failed)?;
        builder = builder.proxy(proxy.no_proxy(direct.clone()));
    }
    if let Some(url) = &proxies.https {
        let proxy = Proxy::https(url.reveal()).map_err(failed)?;
        builder = builder.proxy(proxy.no_proxy(direct));
    }
    builder.build().map_err(failed)
}
