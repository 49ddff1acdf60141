//! The HTTP client beneath all sessions, and what it remembers of registries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, NoProxy, Proxy, Response};

use super::address::{Scheme, is_loopback};
use super::{Direction, RegistryOptions};
use crate::ImageError;

/// What registries see of us.
const USER_AGENT: &str = concat!("zoea/", env!("CARGO_PKG_VERSION"));
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a registry may be silent where something of it is awaited.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How many redirects are followed: blob stores need one or two.
const MOST_REDIRECTS: usize = 5;
/// Always reached without a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Connections, tokens and what is known of each registry.
pub(crate) struct Transport {
    options: RegistryOptions,
    client: Mutex<Option<Client>>,
    schemes: Mutex<BTreeMap<(String, Direction), Scheme>>,
    /// Values of `Authorization` by registry and scope.
    authorizations: Mutex<BTreeMap<(String, String), HeaderValue>>,
}

impl Transport {
    pub(crate) fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            client: Mutex::default(),
            schemes: Mutex::default(),
            authorizations: Mutex::default(),
        }
    }

    pub(crate) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// Returns the client; made when it is first needed, because reading the system's certificates takes time.
    pub(crate) fn client(&self) -> Result<Client, ImageError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let made = make_client(&self.options)?;
        *client = Some(made.clone());
        Ok(made)
    }

    /// Returns how a registry is spoken to. One that may speak plain HTTP is asked what it speaks.
    pub(crate) async fn scheme(&self, registry: &str, direction: Direction) -> Result<Scheme, ImageError> {
        let hosts = match direction {
            Direction::Pull => &self.options.plain_http_pull,
            Direction::Push => &self.options.plain_http_push,
        };
        if !is_loopback(registry) && !hosts.contains(registry) {
            return Ok(Scheme::Https);
        }
        let key = (registry.to_owned(), direction);
        let known = self.schemes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(scheme) = known {
            return Ok(scheme);
        }
        let scheme = self.probe(registry).await?;
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, scheme);
        Ok(scheme)
    }

    /// Asks for plain HTTP first. A TLS server answers that with status 400, with a redirect, or with nothing;
    /// where nothing answers at all, plain HTTP is named in the error.
    async fn probe(&self, registry: &str) -> Result<Scheme, ImageError> {
        if let Some(answer) = self.ask(registry, Scheme::Http).await? {
            let refused = answer.status() == reqwest::StatusCode::BAD_REQUEST;
            return Ok(if refused || answer.url().scheme() == "https" {
                Scheme::Https
            } else {
                Scheme::Http
            });
        }
        Ok(match self.ask(registry, Scheme::Https).await? {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        })
    }

    /// Asks once; no answer is an answer too, and the request that follows tells why.
    async fn ask(&self, registry: &str, scheme: Scheme) -> Result<Option<Response>, ImageError> {
        let request = self.client()?.get(format!("{}v2/", scheme.root(registry))).send();
        Ok(match tokio::time::timeout(ANSWER_TIMEOUT, request).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(_)) | Err(_) => None,
        })
    }

    pub(crate) fn authorization(&self, registry: &str, scope: &str) -> Option<HeaderValue> {
        let known = self.authorizations.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(registry.to_owned(), scope.to_owned())).cloned()
    }

    pub(crate) fn remember(&self, registry: &str, scope: &str, value: Option<HeaderValue>) {
        let mut known = self.authorizations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry.to_owned(), scope.to_owned());
        match value {
            Some(value) => known.insert(key, value),
            None => known.remove(&key),
        };
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Makes the client with ring as its cryptography: of rustls's providers the one that builds without CMake.
fn make_client(options: &RegistryOptions) -> Result<Client, ImageError> {
    let mut roots = rustls::RootCertStore::empty();
    // A certificate that does not load is missing when a server needs it, and is reported there.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| ImageError::SetUpTls { source })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let failed = |source| ImageError::SetUpHttp { source };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        // Over HTTP/2 several registries throttle uploads to a fraction of their speed.
        .http1_only()
        .referer(false)
        .redirect(Policy::custom(follow))
        .no_proxy();
    let proxies = &options.proxies;
    let direct = NoProxy::from_string(&format!("{LOOPBACK},{}", proxies.none_for));
    if let Some(url) = &proxies.http {
        let proxy = Proxy::http(url.reveal()).map_err(|error| failed(error.without_url()))?;
        builder = builder.proxy(proxy.no_proxy(direct.clone()));
    }
    if let Some(url) = &proxies.https {
        let proxy = Proxy::https(url.reveal()).map_err(|error| failed(error.without_url()))?;
        builder = builder.proxy(proxy.no_proxy(direct));
    }
    builder.build().map_err(failed)
}

/// Follows redirects, but never from HTTPS to plain HTTP. The client itself keeps credentials from other hosts.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if secure && attempt.url().scheme() != "https" {
        return attempt.error("a redirect from HTTPS to plain HTTP");
    }
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error(format!("more than {MOST_REDIRECTS} redirects"));
    }
    attempt.follow()
}
