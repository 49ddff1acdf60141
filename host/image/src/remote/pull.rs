//! Pulling: manifests and configurations at once, layers when they are opened.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::runtime::Handle;
use zoea_model::oci::Descriptor;
use zoea_model::{Digest, ImageRef, Platform};

use super::Direction;
use super::answer::{Unread, body};
use super::session::Session;
use super::transport::Transport;
use crate::document::{Document, LARGEST_MANIFEST, Manifest, digest_of};
use crate::resolve::{Documents, resolve};
use crate::{BlobSource, Image, ImageError};
use zoea_http::{ANSWER_TIMEOUT, cause};

/// The manifests that are read; the first ones are preferred where a registry has both forms.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// The header in which registries state a manifest's digest.
pub(crate) const CONTENT_DIGEST: &str = "docker-content-digest";

/// Fetches an image's documents.
pub(crate) fn image(
    transport: &Arc<Transport>,
    handle: &Handle,
    reference: &ImageRef,
    platform: &Platform,
) -> Result<Image, ImageError> {
    let session = handle.block_on(Session::open(transport, reference, Direction::Pull, &BTreeSet::new()))?;
    let repository = Repository { session, reference: reference.clone(), handle: handle.clone() };
    let digest = reference.digest().map(ToString::to_string);
    let target = digest.as_deref().or(reference.tag()).unwrap_or_default();
    let (bytes, media_type) = handle.block_on(repository.fetch_manifest(target))?;
    if let Some(digest) = reference.digest() {
        Document::Manifest.verify(&bytes, *digest, &repository.origin())?;
    }
    let manifest = Manifest::parse(bytes, media_type.as_deref(), &repository.origin())?;
    resolve(manifest, platform, &repository)
}

/// A repository as a place of documents and blobs.
#[derive(Debug, Clone)]
struct Repository {
    session: Session,
    reference: ImageRef,
    handle: Handle,
}

impl Repository {
    /// Fetches a manifest by tag or digest, with its media type. A body that breaks off is fetched again.
    async fn fetch_manifest(&self, target: &str) -> Result<(Vec<u8>, Option<String>), ImageError> {
        let purpose = format!("fetch the manifest of `{}`", self.reference);
        let mut call = self.session.call(Method::GET, &format!("manifests/{target}"), purpose)?;
        call.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let mut attempt = 0;
        loop {
            let response = self.session.send(&call).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Err(ImageError::NotFound { reference: self.reference.to_string() });
            }
            if !response.status().is_success() {
                return Err(self.session.refused(&call, response).await);
            }
            let media_type = header(&response, CONTENT_TYPE.as_str());
            let stated = header(&response, CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
            match body(response, LARGEST_MANIFEST).await {
                Ok(bytes) => {
                    if let Some(stated) = stated {
                        Document::Manifest.verify(&bytes, stated, &self.origin())?;
                    }
                    return Ok((bytes, media_type));
                }
                Err(Unread::TooLong) => {
                    return Err(ImageError::OversizedDocument {
                        document: Document::Manifest,
                        origin: self.origin(),
                        limit: LARGEST_MANIFEST,
                    });
                }
                Err(unread) if attempt >= zoea_http::RETRIES => {
                    return Err(self.session.unread(&call.purpose, unread));
                }
                Err(_) => tokio::time::sleep(zoea_http::delay(attempt, None)).await,
            }
            attempt += 1;
        }
    }

    async fn fetch_blob(&self, descriptor: &Descriptor) -> Result<Response, ImageError> {
        let digest = digest_of(descriptor, &self.origin())?;
        let purpose = format!("fetch blob `{digest}` of `{}`", self.reference);
        let call = self.session.call(Method::GET, &format!("blobs/{digest}"), purpose)?;
        let response = self.session.send(&call).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => Err(ImageError::MissingBlob { digest, origin: self.origin() }),
            _ => Err(self.session.refused(&call, response).await),
        }
    }
}

impl Documents for Repository {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let digest = digest_of(descriptor, &self.origin())?;
        self.handle.block_on(self.fetch_manifest(&digest.to_string())).map(|(bytes, _)| bytes)
    }

    fn blobs(&self) -> Arc<dyn BlobSource> {
        Arc::new(self.clone())
    }
}

impl BlobSource for Repository {
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        let response = self.handle.block_on(self.fetch_blob(descriptor))?;
        Ok(Box::new(BodyReader { handle: self.handle.clone(), response, chunk: Bytes::new() }))
    }

    fn repository(&self) -> Option<&ImageRef> {
        Some(&self.reference)
    }

    fn origin(&self) -> String {
        format!("image `{}`", self.reference)
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// A body as a blocking reader; holds one chunk as it came from the connection.
struct BodyReader {
    handle: Handle,
    response: Response,
    chunk: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            // The timer has to be made inside of the runtime.
            let response = &mut self.response;
            let next = async { tokio::time::timeout(ANSWER_TIMEOUT, response.chunk()).await };
            match self.handle.block_on(next) {
                Ok(Ok(Some(chunk))) => self.chunk = chunk,
                Ok(Ok(None)) => return Ok(0),
                Ok(Err(error)) => return Err(broken_body(error.without_url())),
                Err(_) => {
                    let text = format!("nothing came for {} seconds", ANSWER_TIMEOUT.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Tells a connection that was closed too early from one that broke.
fn broken_body(error: reqwest::Error) -> io::Error {
    match cause::<io::Error>(&error).map(io::Error::kind) {
        Some(kind) => io::Error::new(kind, error),
        None => io::Error::new(io::ErrorKind::UnexpectedEof, error),
    }
}
