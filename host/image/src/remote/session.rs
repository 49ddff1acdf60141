//! Requests to one repository of one registry: authorised, tried again, with errors that name them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use zoea_model::ImageRef;

use super::answer::{Unread, body, refusal};
use super::credentials::Credential;
use super::token::{self, Challenge, LARGEST_TOKEN};
use super::transport::Transport;
use super::{Direction, retry};
use crate::ImageError;
use zoea_http::ANSWER_TIMEOUT;

/// One request, which can be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What it does, for messages: `fetch the manifest of x`.
    pub(crate) purpose: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The way to one repository.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    transport: Arc<Transport>,
    registry: String,
    repository: String,
    root: Url,
    scope: String,
}

impl Session {
    /// Begins a session; a push also asks for the right to read the repositories that blobs are mounted from.
    pub(crate) async fn open(
        transport: &Arc<Transport>,
        reference: &ImageRef,
        direction: Direction,
        mounts: &BTreeSet<String>,
    ) -> Result<Self, ImageError> {
        let registry = reference.registry().to_owned();
        let repository = reference.repository().to_owned();
        let root = transport.scheme(&registry, direction).await?.root(&registry);
        let root = Url::parse(&root).map_err(|error| ImageError::Protocol {
            registry: registry.clone(),
            request: "connect".to_owned(),
            reason: format!("its address is no URL: {error}"),
        })?;
        let mut scope = match direction {
            Direction::Pull => format!("repository:{repository}:pull"),
            Direction::Push => format!("repository:{repository}:pull,push"),
        };
        for mount in mounts {
            scope.push_str(&format!(" repository:{mount}:pull"));
        }
        Ok(Self { transport: Arc::clone(transport), registry, repository, root, scope })
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Makes a request without a body to a path below the repository.
    pub(crate) fn call(&self, method: Method, path: &str, purpose: String) -> Result<Call, ImageError> {
        let joined = self.root.join(&format!("v2/{}/{path}", self.repository));
        let url =
            joined.map_err(|error| self.protocol(&purpose, format!("its address is no URL: {error}")))?;
        Ok(Call { purpose, method, url, headers: HeaderMap::new(), body: Bytes::new() })
    }

    /// Sends a request until it is answered, and returns the answer whatever its status, but for a demand for
    /// credentials: that is met once, with the session's own.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, ImageError> {
        let mut challenged = false;
        let mut attempt = 0;
        loop {
            let answer = self.send_once(call).await;
            let wanted = match &answer {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !challenged => {
                    challenged = true;
                    let challenge = Challenge::of(response.headers());
                    self.authorize(challenge, &call.purpose).await?;
                    continue;
                }
                Ok(response) if zoea_http::is_passing_status(response.status()) => {
                    zoea_http::retry_after(response.headers())
                }
                Err(error) if retry::is_passing(error) => None,
                Ok(_) | Err(_) => return answer,
            };
            if attempt >= zoea_http::RETRIES {
                return answer;
            }
            tokio::time::sleep(zoea_http::delay(attempt, wanted)).await;
            attempt += 1;
        }
    }

    /// Sends a request and returns its answer if it is a success.
    pub(crate) async fn expect(&self, call: &Call) -> Result<Response, ImageError> {
        let response = self.send(call).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(call, response).await)
    }

    /// Makes an error of an answer that is no success.
    pub(crate) async fn refused(&self, call: &Call, response: Response) -> ImageError {
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(Credential::Elsewhere(method)) = self.credential()
        {
            return self.unsupported(method);
        }
        refusal(&self.registry, &call.purpose, response).await
    }

    async fn send_once(&self, call: &Call) -> Result<Response, ImageError> {
        let client = self.transport.client()?;
        let mut request = client
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone())
            .body(call.body.clone());
        if let Some(value) = self.authorization(&call.url) {
            request = request.header(AUTHORIZATION, value);
        }
        match tokio::time::timeout(ANSWER_TIMEOUT, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.broken(&call.purpose, error)),
            Err(_) => Err(self.stalled(&call.purpose, ANSWER_TIMEOUT.as_secs())),
        }
    }

    /// Returns the credentials' header for requests to the registry itself, and to no other host.
    pub(crate) fn authorization(&self, url: &Url) -> Option<HeaderValue> {
        if url.origin() != self.root.origin() {
            return None;
        }
        self.transport.authorization(&self.registry, &self.scope)
    }

    /// Forgets a token that the registry does not accept any more.
    pub(crate) fn forget_authorization(&self) {
        self.transport.remember(&self.registry, &self.scope, None);
    }

    fn credential(&self) -> Result<Credential, ImageError> {
        self.transport.options().credentials.find(&self.registry, &self.repository)
    }

    /// Gets what a challenge demands.
    async fn authorize(&self, challenge: Option<Challenge>, purpose: &str) -> Result<(), ImageError> {
        let credential = self.credential()?;
        let unusable = || self.protocol(purpose, "the credentials cannot stand in a header".to_owned());
        let value = match (challenge, credential) {
            (_, Credential::Token(token)) => token::bearer(token.reveal()).ok_or_else(unusable)?,
            (Some(Challenge::Bearer { realm, service }), credential) => {
                self.token(&realm, service.as_deref(), &credential).await?
            }
            (Some(Challenge::Basic), Credential::Basic { user, password }) => {
                token::basic(&user, &password).ok_or_else(unusable)?
            }
            (Some(Challenge::Basic) | None, Credential::Elsewhere(method)) => {
                return Err(self.unsupported(method));
            }
            (Some(Challenge::Basic), Credential::Anonymous) => {
                return Err(self.unauthorized(purpose, "it wants a user and a password".to_owned()));
            }
            (None, Credential::Basic { .. } | Credential::Anonymous) => {
                return Err(self.unauthorized(purpose, "it does not say what it wants".to_owned()));
            }
        };
        self.transport.remember(&self.registry, &self.scope, Some(value));
        Ok(())
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        credential: &Credential,
    ) -> Result<HeaderValue, ImageError> {
        let purpose = "get a token";
        let (method, url, headers) = token::request(realm, service, &self.scope, credential, &self.root)
            .map_err(|reason| self.protocol(purpose, reason))?;
        let call = Call { purpose: purpose.to_owned(), method, url, headers, body: Bytes::new() };
        let mut attempt = 0;
        let response = loop {
            match self.send_once_elsewhere(&call).await {
                Ok(response) if response.status().is_success() => break response,
                Ok(response)
                    if !zoea_http::is_passing_status(response.status()) || attempt >= zoea_http::RETRIES =>
                {
                    return Err(self.refused(&call, response).await);
                }
                Err(error) if !retry::is_passing(&error) || attempt >= zoea_http::RETRIES => {
                    return Err(error);
                }
                Ok(_) | Err(_) => tokio::time::sleep(zoea_http::delay(attempt, None)).await,
            }
            attempt += 1;
        };
        match body(response, LARGEST_TOKEN).await {
            Ok(bytes) => token::read(&bytes, &self.registry),
            Err(unread) => Err(self.unread(purpose, unread)),
        }
    }

    /// Sends a request without the session's own authorization.
    async fn send_once_elsewhere(&self, call: &Call) -> Result<Response, ImageError> {
        let request = self.transport.client()?.request(call.method.clone(), call.url.clone());
        match tokio::time::timeout(ANSWER_TIMEOUT, request.headers(call.headers.clone()).send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.broken(&call.purpose, error)),
            Err(_) => Err(self.stalled(&call.purpose, ANSWER_TIMEOUT.as_secs())),
        }
    }

    /// Makes an error of a request that was not answered. URLs may hold signatures and are never shown.
    pub(crate) fn broken(&self, purpose: &str, error: reqwest::Error) -> ImageError {
        let (registry, source) = (self.registry.clone(), error.without_url());
        if source.is_connect() {
            return ImageError::Unreachable { registry, source };
        }
        ImageError::Transfer { registry, request: purpose.to_owned(), source }
    }

    pub(crate) fn stalled(&self, purpose: &str, seconds: u64) -> ImageError {
        ImageError::Stalled { registry: self.registry.clone(), request: purpose.to_owned(), seconds }
    }

    /// Makes an error of a body that was not read.
    pub(crate) fn unread(&self, purpose: &str, unread: Unread) -> ImageError {
        match unread {
            Unread::TooLong => self.protocol(purpose, "the answer is too long".to_owned()),
            Unread::Broken(error) => self.broken(purpose, error),
            Unread::Stalled => self.stalled(purpose, ANSWER_TIMEOUT.as_secs()),
        }
    }

    pub(crate) fn protocol(&self, purpose: &str, reason: String) -> ImageError {
        ImageError::Protocol { registry: self.registry.clone(), request: purpose.to_owned(), reason }
    }

    fn unauthorized(&self, purpose: &str, answer: String) -> ImageError {
        ImageError::Unauthorized { registry: self.registry.clone(), request: purpose.to_owned(), answer }
    }

    fn unsupported(&self, method: String) -> ImageError {
        ImageError::UnsupportedCredential { registry: self.registry.clone(), method }
    }
}
