//! Registries that answer wrongly: a clear error, soon, and never a wrong image.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zoea_image::{BlobStore, Image, ImageError, ImageFormat, RegistryOptions};
use zoea_model::{Digest, IgnoreEvents, ImageRef, Platform};

use crate::images::image;
use crate::raw_server::{Answer, RawServer, Request};
use crate::tools::{registry, scratch};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn pull(server: &RawServer, rest: &str) -> Result<Image, ImageError> {
    registry(RegistryOptions::default()).image(&server.name(rest).parse().unwrap(), &amd64())
}

fn sample() -> Image {
    let (guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    drop(guard);
    image
}

/// Serves an image's documents, and `other` for the rest.
fn serve(
    image: &Image,
    other: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let image = image.clone();
    move |request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        path if path.contains("/manifests/") => Answer::ok(image.manifest_bytes()),
        path if path.ends_with(&image.config_digest().hex()) => Answer::ok(image.config_bytes()),
        _ => other(request),
    }
}

#[test]
fn wrong_documents_are_refused() {
    let image = sample();
    let server = RawServer::start(serve(&image, |_| Answer::status(404)));
    assert_eq!(pull(&server, "app:1").unwrap().digest(), image.digest());
    let other = format!("app@{}", Digest::of(b"other"));
    assert!(matches!(pull(&server, &other), Err(ImageError::DocumentDigest { .. })));

    let manifest = image.manifest_bytes().to_vec();
    let stated = Digest::of(b"other").to_string();
    let server = RawServer::start(move |request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        path if path.contains("/manifests/stated") => {
            Answer::ok(&manifest).with("Docker-Content-Digest", &stated)
        }
        path if path.contains("/manifests/html") => Answer::ok("<html>").with("Content-Type", "text/html"),
        path if path.contains("/manifests/") => Answer::ok(&manifest),
        _ => Answer::ok("{\"os\":\"evil\"}"),
    });
    assert!(matches!(pull(&server, "app:stated"), Err(ImageError::DocumentDigest { .. })));
    assert!(matches!(pull(&server, "app:html"), Err(ImageError::MalformedDocument { .. })));
    assert!(matches!(pull(&server, "app:1"), Err(ImageError::DocumentDigest { .. })));
}

#[test]
fn endless_documents_end() {
    let image = sample();
    let head = || b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let server = RawServer::start(move |request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        path if path.contains("/manifests/") => Answer::Endless(head(), vec![b' '; 65536]),
        _ => Answer::status(404),
    });
    let error = pull(&server, "app:1").unwrap_err();
    assert!(matches!(error, ImageError::OversizedDocument { .. }), "{error}");

    let server = RawServer::start(serve(&image, move |_| Answer::Endless(head(), vec![b' '; 65536])));
    let pulled = pull(&server, "app:1").unwrap();
    let error = std::io::copy(&mut pulled.layers()[0].open().unwrap(), &mut std::io::sink()).unwrap_err();
    assert!(matches!(ImageError::within(&error), Some(ImageError::DamagedBlob { .. })), "{error}");
}

#[test]
fn layers_that_break_are_named() {
    let image = sample();
    let size = image.layers()[0].size();
    let broken = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\nhalf").into_bytes(),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz".to_vec(),
    ];
    for bytes in broken {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = RawServer::start(serve(&image, move |_| Answer::Bytes(bytes.clone())));
        let pulled = pull(&server, "app:1").unwrap();
        let error = pulled.layers()[0].open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        let found = ImageError::within(&error);
        assert!(
            matches!(found, Some(ImageError::TruncatedBlob { actual: 4, .. } | ImageError::ReadBlob { .. })),
            "{shown}: {error} {found:?}"
        );
        let (_guard, directory) = scratch();
        let blobs = BlobStore::open(&directory).unwrap();
        blobs.fetch(pulled.layers()[0].descriptor(), pulled.layers()[0].open().unwrap()).unwrap_err();
        assert_eq!(directory.read_dir("blobs/sha256").unwrap().count(), 0);
    }
    let server = RawServer::start(serve(&image, |_| Answer::status(404)));
    let error = pull(&server, "app:1").unwrap().layers()[0].open().map(drop).unwrap_err();
    assert!(matches!(error, ImageError::MissingBlob { .. }), "{error}");
}

#[test]
fn redirect_loops_end() {
    let server = RawServer::start(|request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        path => Answer::status(307).with("Location", path),
    });
    let error = pull(&server, "app:1").unwrap_err();
    assert!(matches!(&error, ImageError::Transfer { source, .. } if source.is_redirect()), "{error:?}");
    assert!(server.requests().len() < 10);
}

#[test]
fn passing_faults_are_tried_again() {
    let image = sample();
    let count = AtomicUsize::new(0);
    let inner = serve(&image, |_| Answer::status(404));
    let server = RawServer::start(move |request| {
        if request.path == "/v2/" {
            return Answer::ok("{}");
        }
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::status(503),
            1 => Answer::Close,
            2 => Answer::status(429).with("Retry-After", "1"),
            3 => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{".to_vec()),
            _ => inner(request),
        }
    });
    let started = Instant::now();
    assert_eq!(pull(&server, "app:1").unwrap().digest(), image.digest());
    assert!(started.elapsed() >= Duration::from_secs(1));

    let server = RawServer::start(|request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        _ => Answer::status(502),
    });
    let error = pull(&server, "app:1").unwrap_err();
    assert!(matches!(error, ImageError::Refused { status: 502, .. }), "{error}");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn nobody_there_is_told_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let name: ImageRef = format!("127.0.0.1:{port}/app:1").parse().unwrap();
    let started = Instant::now();
    let error = registry(RegistryOptions::default()).image(&name, &amd64()).unwrap_err();
    assert!(matches!(error, ImageError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()) && error.hint().is_some());
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// A registry that takes uploads into memory, with one fault at its begin.
fn uploads(fault: fn(usize, &Request) -> Option<Answer>) -> RawServer {
    let puts = AtomicUsize::new(0);
    RawServer::start(move |request| {
        let location = format!("http://{}/v2/app/blobs/uploads/id?state=1", request.host);
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v2/") => Answer::ok("{}"),
            ("HEAD", _) => Answer::status(404),
            ("POST", _) => Answer::status(202).with("Location", &location),
            ("PUT", path) => {
                if let Some(answer) = fault(puts.fetch_add(1, Ordering::SeqCst), request) {
                    return answer;
                }
                if let Some((_, digest)) = path.split_once("digest=") {
                    assert_eq!(digest.replace("%3A", ":"), Digest::of(&request.body).to_string());
                }
                Answer::status(201)
            }
            _ => Answer::status(400),
        }
    })
}

fn push(server: &RawServer) -> Result<Digest, ImageError> {
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a", "b", "c", "d", "e", "f"], ImageFormat::Oci);
    let name: ImageRef = server.name("app:1").parse().unwrap();
    registry(RegistryOptions::default()).push(&image, &[name], &IgnoreEvents)
}

#[test]
fn uploads_are_tried_again() {
    let server = uploads(|number, _| match number {
        0 => Some(Answer::Close),
        1 => Some(Answer::status(500)),
        2 => Some(Answer::status(401)),
        _ => None,
    });
    push(&server).unwrap();
    assert!(server.failures().is_empty(), "{:?}", server.failures());
    let server = uploads(|_, request| request.path.contains("digest=").then(|| Answer::status(413)));
    let error = push(&server).unwrap_err();
    assert!(matches!(error, ImageError::Refused { status: 413, .. }), "{error}");
    assert!(!server.requests().iter().any(|path| path.contains("manifests")));
}

#[test]
fn another_digest_after_a_push_is_told() {
    let server = uploads(|_, request| {
        let stated = Digest::of(b"other").to_string();
        let manifest = request.path.contains("manifests");
        manifest.then(|| Answer::status(201).with("Docker-Content-Digest", &stated))
    });
    let error = push(&server).unwrap_err();
    assert!(matches!(error, ImageError::Protocol { .. }), "{error}");
}

#[test]
fn hostile_upload_addresses_are_refused() {
    for location in [Some("file:///etc/passwd"), Some("http://["), None] {
        let server = RawServer::start(move |request| match request.method.as_str() {
            "GET" => Answer::ok("{}"),
            "HEAD" => Answer::status(404),
            _ => match location {
                Some(location) => Answer::status(202).with("Location", location),
                None => Answer::status(202),
            },
        });
        let error = push(&server).unwrap_err();
        assert!(matches!(error, ImageError::Protocol { .. }), "{error}");
    }
}

#[test]
fn a_source_that_fails_ends_the_upload() {
    let server = uploads(|_, _| None);
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    let path = format!("blobs/sha256/{}", image.layers()[0].digest().hex());
    let mut bytes = directory.read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    directory.write(&path, bytes).unwrap();
    let name: ImageRef = server.name("app:1").parse().unwrap();
    let error = registry(RegistryOptions::default()).push(&image, &[name], &IgnoreEvents).unwrap_err();
    assert!(matches!(error, ImageError::TruncatedBlob { .. }), "{error}");
}
