//! One GET request to its final answer: redirects, credentials, what is tried again.
//!
//! As BuildKit, which has the defaults of Go's client: ten redirects, also from HTTPS to plain HTTP (a checksum is
//! what protects such a file). Invariant: credentials go to the scheme, host and port that they were given for and
//! nowhere else.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use zoea_model::{SafeUrl, Secret};

use crate::{FetchError, FetchSettings};

/// How often a request is redirected, as in Go's client.
const MOST_REDIRECTS: usize = 10;

/// Where to ask, and as whom.
pub(crate) struct HttpRequest {
    url: Url,
    authorization: Option<HeaderValue>,
}

impl HttpRequest {
    /// Reads the address and finds its credentials.
    pub(crate) fn new(url: &SafeUrl, secrets: &BTreeMap<String, Secret>) -> Result<Self, FetchError> {
        let address = |reason: String| FetchError::Address { reason };
        let url = Url::parse(url.reveal()).map_err(|error| address(error.to_string()))?;
        if !is_web(&url) {
            return Err(address("it is neither HTTP nor HTTPS".to_owned()));
        }
        let authorization = authorization(&url, secrets)?;
        Ok(Self { url, authorization })
    }

    /// Asks until the answer is the file, or final.
    pub(crate) async fn send(
        &self,
        client: &Client,
        settings: &FetchSettings,
    ) -> Result<Response, FetchError> {
        let mut url = self.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut headers = HeaderMap::new();
            if let Some(value) = self.authorization.as_ref().filter(|_| url.origin() == self.url.origin()) {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let sent = client.get(url.clone()).headers(headers).send();
            let answer = match tokio::time::timeout(settings.patience, sent).await {
                Ok(answer) => answer.map_err(|error| FetchError::Unreachable(error.without_url()))?,
                Err(_) => return Err(FetchError::Stalled { least: 1, seconds: settings.patience.as_secs() }),
            };
            match redirect(&answer)? {
                Some(next) => url = next,
                None if answer.status().is_success() => return Ok(answer),
                None => return Err(FetchError::Refused { status: answer.status() }),
            }
        }
        Err(FetchError::Redirects { most: MOST_REDIRECTS })
    }
}

/// Where an answer sends to, if it does.
fn redirect(answer: &Response) -> Result<Option<Url>, FetchError> {
    let redirects = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let Some(place) = answer.headers().get(LOCATION).filter(|_| redirects.contains(&answer.status())) else {
        return Ok(None);
    };
    let next = place.to_str().ok().and_then(|place| answer.url().join(place).ok());
    next.filter(is_web).map(Some).ok_or(FetchError::RedirectTarget)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Finds the secret for a host. Where there are both, the token counts, as in BuildKit.
fn authorization(url: &Url, secrets: &BTreeMap<String, Secret>) -> Result<Option<HeaderValue>, FetchError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let (token, header) = (format!("HTTP_AUTH_TOKEN_{host}"), format!("HTTP_AUTH_HEADER_{host}"));
    let (name, text) = match (secrets.get(&token), secrets.get(&header)) {
        (Some(secret), _) => (token, format!("Bearer {}", secret.reveal())),
        (None, Some(secret)) => (header, secret.reveal().to_owned()),
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::from_str(text.trim_end()).map_err(|_| FetchError::Secret { name })?;
    value.set_sensitive(true);
    Ok(Some(value))
}
