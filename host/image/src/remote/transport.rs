//! The HTTP client beneath all sessions, and what it remembers of registries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderValue;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response};
use zoea_http::{ANSWER_TIMEOUT, Bodies};

use super::address::{Scheme, is_loopback};
use super::{Direction, RegistryOptions};
use crate::ImageError;

/// How many redirects are followed: blob stores need one or two.
const MOST_REDIRECTS: usize = 5;

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
        let made = zoea_http::client(&self.options.proxies, Policy::custom(follow), Bodies::AsSent)
            .map_err(|source| ImageError::SetUpHttp { source })?;
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
