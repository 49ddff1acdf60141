//! Pushing: blobs concurrently, then the manifests of an index, then the document that each name points to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::task::JoinSet;
use zoea_model::oci::Descriptor;
use zoea_model::{Digest, Event, Events, ImageRef};

use super::pull::CONTENT_DIGEST;
use super::session::{Call, Session};
use super::transport::Transport;
use super::upload::{Progress, UploadBody};
use super::{Direction, retry};
use crate::document::digest_of;
use crate::{BlobSource, Delivery, Image, ImageError};

/// How many blobs are on their way at once, as in Docker and containerd.
const CONCURRENT_UPLOADS: usize = 4;
/// How long an upload may make no progress: registries over object stores take minutes to accept a large blob.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// A blob to be pushed.
#[derive(Debug, Clone)]
struct Blob {
    digest: Digest,
    descriptor: Descriptor,
    source: Arc<dyn BlobSource>,
    /// Repositories of the same registry that have it.
    mounts: BTreeSet<String>,
}

/// A manifest or an index to be pushed.
struct Manifest<'a> {
    digest: Digest,
    media_type: &'static str,
    bytes: &'a [u8],
}

/// Pushes a delivery under all names, repository by repository.
pub(crate) async fn push(
    transport: &Arc<Transport>,
    delivery: &Delivery,
    names: &[ImageRef],
    events: &dyn Events,
) -> Result<Digest, ImageError> {
    let actual = delivery.digest();
    let mut repositories: BTreeMap<(&str, &str), Vec<&ImageRef>> = BTreeMap::new();
    for name in names {
        if name.digest().is_some_and(|digest| *digest != actual) {
            return Err(ImageError::PushDigest { reference: name.to_string(), actual });
        }
        repositories.entry((name.registry(), name.repository())).or_default().push(name);
    }
    let mut done: Vec<&ImageRef> = Vec::new();
    for names in repositories.values() {
        let Some(first) = names.first() else { continue };
        push_repository(transport, delivery, names, &done, events).await?;
        done.push(first);
    }
    Ok(actual)
}

/// Pushes to one repository; `done` are repositories that have all of it already.
async fn push_repository(
    transport: &Arc<Transport>,
    delivery: &Delivery,
    names: &[&ImageRef],
    done: &[&ImageRef],
    events: &dyn Events,
) -> Result<(), ImageError> {
    let Some(target) = names.first() else { return Ok(()) };
    let (layers, configs) = blobs(delivery.images(), target, done)?;
    let mounts = layers.iter().chain(&configs).flat_map(|blob| blob.mounts.iter().cloned()).collect();
    let session = Session::open(transport, target, Direction::Push, &mounts).await?;
    push_blobs(&session, layers, events).await?;
    push_blobs(&session, configs, events).await?;
    // A registry refuses an index whose manifests it does not have.
    for image in delivery.index().map(crate::Index::images).unwrap_or_default() {
        let manifest = Manifest {
            digest: image.digest(),
            media_type: image.media_type(),
            bytes: image.manifest_bytes(),
        };
        let purpose = format!("push the manifest for `{}` of `{target}`", image.platform());
        put_manifest(&session, &manifest, &image.digest().to_string(), purpose).await?;
    }
    let digest = delivery.digest();
    let named = Manifest { digest, media_type: delivery.media_type(), bytes: delivery.bytes() };
    for name in names {
        let place = name.tag().map_or_else(|| digest.to_string(), str::to_owned);
        put_manifest(&session, &named, &place, format!("push the manifest of `{name}`")).await?;
        events.emit(Event::Pushed { reference: name.to_string(), digest });
    }
    Ok(())
}

/// Lists the layers' blobs, each once, and the configurations'.
fn blobs(
    images: &[Image],
    target: &ImageRef,
    done: &[&ImageRef],
) -> Result<(Vec<Blob>, Vec<Blob>), ImageError> {
    let other = |name: &&ImageRef| name.registry() == target.registry() && !name.same_repository(target);
    let pushed: BTreeSet<String> =
        done.iter().copied().filter(other).map(|name| name.repository().to_owned()).collect();
    let mut layers = BTreeMap::new();
    for layer in images.iter().flat_map(Image::layers) {
        let origin = layer.source().repository().filter(other).map(|name| name.repository().to_owned());
        let blob = Blob {
            digest: layer.digest(),
            descriptor: layer.descriptor().clone(),
            source: Arc::clone(layer.source()),
            mounts: pushed.iter().cloned().chain(origin).collect(),
        };
        layers.insert(layer.digest(), blob);
    }
    let mut configs = BTreeMap::new();
    for image in images {
        let descriptor = image.manifest().config().clone();
        let digest = digest_of(&descriptor, "the image")?;
        let source = Arc::new(InMemory(Bytes::copy_from_slice(image.config_bytes())));
        configs.insert(digest, Blob { digest, descriptor, source, mounts: pushed.clone() });
    }
    Ok((layers.into_values().collect(), configs.into_values().collect()))
}

/// Pushes blobs, some at a time. The first failure ends the others.
async fn push_blobs(session: &Session, blobs: Vec<Blob>, events: &dyn Events) -> Result<(), ImageError> {
    let mut waiting = blobs.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < CONCURRENT_UPLOADS
            && let Some(blob) = waiting.next()
        {
            running.spawn(push_blob(session.clone(), blob));
        }
        let Some(finished) = running.join_next().await else { return Ok(()) };
        let (digest, how) = finished.map_err(|source| ImageError::UploadTask { source })??;
        events.emit(Event::BlobPushed { digest, how });
    }
}

/// Pushes one blob; after a passing fault, from the beginning.
async fn push_blob(session: Session, blob: Blob) -> Result<(Digest, &'static str), ImageError> {
    let mut attempt = 0;
    loop {
        match try_push_blob(&session, &blob).await? {
            Attempt::Done(how) => return Ok((blob.digest, how)),
            Attempt::Broken(error) if attempt < zoea_http::RETRIES && retry::is_passing(&error) => {
                tokio::time::sleep(zoea_http::delay(attempt, None)).await;
            }
            Attempt::Broken(error) => return Err(error),
        }
        attempt += 1;
    }
}

/// How one attempt at a blob ended. Requests without a blob were tried again already, and fail for good.
enum Attempt {
    Done(&'static str),
    /// The bytes did not arrive.
    Broken(ImageError),
}

async fn try_push_blob(session: &Session, blob: &Blob) -> Result<Attempt, ImageError> {
    let purpose = format!("push blob `{}`", blob.digest);
    let check = session.call(Method::HEAD, &format!("blobs/{}", blob.digest), purpose.clone())?;
    let answer = session.send(&check).await?;
    match answer.status() {
        StatusCode::OK => return Ok(Attempt::Done("present")),
        StatusCode::NOT_FOUND => {}
        _ => return Err(session.refused(&check, answer).await),
    }
    let begin = session.call(Method::POST, "blobs/uploads/", purpose)?;
    for mount in &blob.mounts {
        let mut call = begin.clone();
        call.url.query_pairs_mut().append_pair("mount", &blob.digest.to_string()).append_pair("from", mount);
        let answer = session.send(&call).await?;
        match answer.status() {
            StatusCode::CREATED => return Ok(Attempt::Done("mounted")),
            // The registry did not mount but opened an upload.
            StatusCode::ACCEPTED => return upload(session, blob, &begin, &answer).await,
            // It may not know mounts, or hide that repository: the blob is sent like any other.
            _ => {}
        }
    }
    let answer = session.expect(&begin).await?;
    upload(session, blob, &begin, &answer).await
}

/// Sends a blob's bytes to the upload that an answer opened.
async fn upload(
    session: &Session,
    blob: &Blob,
    begin: &Call,
    opened: &Response,
) -> Result<Attempt, ImageError> {
    let mut url = upload_address(session, begin, opened)?;
    url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
    let progress = Progress::default();
    let (body, feeder, cancel) = UploadBody::new(blob.descriptor.size(), progress.clone());
    let (source, descriptor) = (Arc::clone(&blob.source), blob.descriptor.clone());
    let feeding = tokio::task::spawn_blocking(move || feeder.feed(source.as_ref(), &descriptor));
    let mut request = session
        .transport()
        .client()?
        .put(url.clone())
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(reqwest::Body::wrap(body));
    if let Some(value) = session.authorization(&url) {
        request = request.header(AUTHORIZATION, value);
    }
    let answer = tokio::select! {
        answer = request.send() => answer.map_err(|error| session.broken(&begin.purpose, error)),
        () = stall(&progress) => Err(session.stalled(&begin.purpose, UPLOAD_TIMEOUT.as_secs())),
    };
    let refused = match answer {
        Ok(response) if response.status().is_success() => None,
        Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
            session.forget_authorization();
            let answer = "the token is not accepted any more".to_owned();
            let (registry, request) = (session.registry().to_owned(), begin.purpose.clone());
            Some(ImageError::Refused { registry, request, status: 401, answer })
        }
        Ok(response) => Some(session.refused(begin, response).await),
        Err(error) => Some(error),
    };
    // After an early answer nobody takes the rest.
    drop(cancel);
    // A source that fails ends the request too; its own error is the one that tells.
    feeding.await.map_err(|source| ImageError::UploadTask { source })??;
    Ok(refused.map_or(Attempt::Done("uploaded"), Attempt::Broken))
}

/// Ends when no byte was taken for a while.
async fn stall(progress: &Progress) {
    let mut before = None;
    while before != Some(progress.bytes()) {
        before = Some(progress.bytes());
        tokio::time::sleep(UPLOAD_TIMEOUT).await;
    }
}

/// Returns where an upload goes; the registry may send it to another host, but not from TLS to plain HTTP.
fn upload_address(session: &Session, begin: &Call, opened: &Response) -> Result<Url, ImageError> {
    let location = opened.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let url = location.and_then(|location| opened.url().join(location).ok());
    let invalid = |reason: &str| session.protocol(&begin.purpose, reason.to_owned());
    let url = url.ok_or_else(|| invalid("it names no address for the upload"))?;
    match (begin.url.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(url),
        _ => Err(invalid("it sends the upload from HTTPS to another protocol")),
    }
}

/// Puts a manifest at `place`: a tag, or its digest.
async fn put_manifest(
    session: &Session,
    manifest: &Manifest<'_>,
    place: &str,
    purpose: String,
) -> Result<(), ImageError> {
    let digest = manifest.digest;
    let mut call = session.call(Method::PUT, &format!("manifests/{place}"), purpose)?;
    call.headers.insert(CONTENT_TYPE, HeaderValue::from_static(manifest.media_type));
    call.body = Bytes::copy_from_slice(manifest.bytes);
    let answer = session.expect(&call).await?;
    let stated = answer.headers().get(CONTENT_DIGEST).and_then(|value| value.to_str().ok());
    match stated.and_then(|text| text.parse::<Digest>().ok()) {
        Some(stated) if stated != digest => {
            let reason = format!("it stored the manifest under `{stated}` instead of `{digest}`");
            Err(session.protocol(&call.purpose, reason))
        }
        Some(_) | None => Ok(()),
    }
}

/// A small blob.
#[derive(Debug)]
struct InMemory(Bytes);

impl BlobSource for InMemory {
    fn open(&self, _descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        Ok(Box::new(std::io::Cursor::new(self.0.clone())))
    }

    fn repository(&self) -> Option<&ImageRef> {
        None
    }

    fn origin(&self) -> String {
        "the new image".to_owned()
    }
}
