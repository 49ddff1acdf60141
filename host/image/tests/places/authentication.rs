//! Credentials, with a real registry and with token servers of our own.

use std::sync::atomic::{AtomicUsize, Ordering};

use zoea_image::{BlobStore, Credentials, ImageError, ImageFormat, RegistryOptions};
use zoea_model::{IgnoreEvents, ImageRef, Platform};

use crate::images::image;
use crate::raw_server::{Answer, RawServer};
use crate::registry_process::RegistryProcess;
use crate::tools::{registry, scratch};

/// `user:hunter2` as bcrypt, the only hash that the registry takes.
const PASSWORDS: &str = "user:$2b$12$lUdQmmNsFOUmVRcZS.iuAO.gWxv9CvCF8kRyuP/EXgkERis0N6Rsi\n";
/// `user:hunter2` and `user:wrong` in base64.
const RIGHT: &str = "dXNlcjpodW50ZXIy";
const WRONG: &str = "dXNlcjp3cm9uZw==";

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn options(text: &str) -> RegistryOptions {
    let credentials = Credentials::from_docker_config(text, "the test").unwrap();
    RegistryOptions { credentials, ..RegistryOptions::default() }
}

fn auth(host: &str, auth: &str) -> RegistryOptions {
    options(&format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#))
}

#[test]
fn user_and_password() {
    let more = "auth: {htpasswd: {realm: test, path: DIRECTORY/htpasswd}}\n";
    let server = RegistryProcess::start_with(more, &[("htpasswd", PASSWORDS)]);
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a", "b", "c", "d", "e"], ImageFormat::Oci);
    let name: ImageRef = server.name("app:1").parse().unwrap();
    let right = registry(auth(server.address(), RIGHT));
    right.push(&image, std::slice::from_ref(&name), &IgnoreEvents).unwrap();
    assert_eq!(right.image(&name, &amd64()).unwrap().digest(), image.digest());
    for options in [RegistryOptions::default(), auth(server.address(), WRONG), auth("127.0.0.1", RIGHT)] {
        let wrong = registry(options);
        let error = wrong.image(&name, &amd64()).unwrap_err();
        assert!(matches!(error, ImageError::Unauthorized { .. }), "{error}");
        let error = wrong.push(&image, std::slice::from_ref(&name), &IgnoreEvents).unwrap_err();
        assert!(matches!(error, ImageError::Unauthorized { .. }), "{error}");
        let shown = format!("{error} {error:?} {:?} {wrong:?}", error.hint());
        assert!(!shown.contains("hunter2") && !shown.contains(RIGHT) && !shown.contains("wrong"), "{shown}");
    }
    let helper = registry(options(r#"{"credsStore":"desktop"}"#));
    let error = helper.image(&name, &amd64()).unwrap_err();
    assert!(error.to_string().contains("docker-credential-desktop"), "{error}");
}

const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;

#[test]
fn tokens_are_fetched_and_renewed() {
    let tokens = AtomicUsize::new(0);
    let server = RawServer::start(move |request| {
        let known = tokens.load(Ordering::SeqCst);
        if request.path.starts_with("/token?") {
            assert_eq!(request.header("authorization"), Some(format!("Basic {RIGHT}").as_str()));
            assert!(request.path.contains("scope=repository%3Aapp%3Apull"), "{}", request.path);
            assert!(request.path.contains("service=the+service"), "{}", request.path);
            tokens.fetch_add(1, Ordering::SeqCst);
            return Answer::ok(format!(r#"{{"token":"t{}"}}"#, known + 1));
        }
        // Each token serves one request.
        let sent = request.header("authorization").unwrap_or_default();
        let path = request.path.as_str();
        let fresh = sent == format!("Bearer t{known}") && (known % 2 == 1) == path.contains("manifests");
        match path {
            "/v2/" => Answer::ok("{}"),
            _ if !fresh => Answer::status(401).with(
                "WWW-Authenticate",
                &format!(r#"Bearer realm="http://{}/token",service="the service""#, request.host),
            ),
            "/v2/app/manifests/1" => Answer::ok(MANIFEST),
            _ => Answer::ok("{}"),
        }
    });
    let name: ImageRef = server.name("app:1").parse().unwrap();
    let image = registry(auth(server.address(), RIGHT)).image(&name, &amd64()).unwrap();
    assert!(image.layers().is_empty());
    assert_eq!(server.requests().iter().filter(|path| path.starts_with("/token")).count(), 2);
}

#[test]
fn loops_and_malformed_tokens_end() {
    for (token, expected) in
        [(r#"{"token":"t"}"#, "not authorized"), (r#"{"token":"a\nb"}"#, "header"), ("{", "malformed")]
    {
        let server = RawServer::start(move |request| match request.path.as_str() {
            path if path.starts_with("/token") => Answer::ok(token),
            "/v2/" => Answer::ok("{}"),
            _ => Answer::status(401)
                .with("WWW-Authenticate", &format!(r#"Bearer realm="http://{}/token""#, request.host)),
        });
        let error = registry(RegistryOptions::default())
            .image(&server.name("app:1").parse().unwrap(), &amd64())
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(server.requests().len() <= 4, "{:?}", server.requests());
    }
}

#[test]
fn a_helper_is_missed_only_when_nobody_is_refused() {
    let open = RawServer::start(|request| match request.path.as_str() {
        path if path.starts_with("/token") => Answer::ok(r#"{"token":"t"}"#),
        "/v2/" => Answer::ok("{}"),
        _ if request.header("authorization").is_none() => Answer::status(401)
            .with("WWW-Authenticate", &format!(r#"Bearer realm="http://{}/token""#, request.host)),
        path if path.contains("manifests") => Answer::ok(MANIFEST),
        _ => Answer::ok("{}"),
    });
    let helper = registry(options(r#"{"credsStore":"desktop"}"#));
    helper.image(&open.name("app:1").parse().unwrap(), &amd64()).unwrap();
    let closed = RawServer::start(|request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        path if path.starts_with("/token") => Answer::status(401),
        _ => Answer::status(401)
            .with("WWW-Authenticate", &format!(r#"Bearer realm="http://{}/token""#, request.host)),
    });
    let error = helper.image(&closed.name("app:1").parse().unwrap(), &amd64()).unwrap_err();
    assert!(matches!(error, ImageError::UnsupportedCredential { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn credentials_stay_with_their_registry() {
    let store = RawServer::start(|request| {
        assert_eq!(request.header("authorization"), None);
        Answer::ok("{}")
    });
    let target = store.address().to_owned();
    let server = RawServer::start(move |request| match request.path.as_str() {
        "/v2/" => Answer::ok("{}"),
        _ if request.header("authorization").is_none() => {
            Answer::status(401).with("WWW-Authenticate", "Basic realm=\"x\"")
        }
        path if path.contains("manifests") => Answer::ok(MANIFEST),
        _ => Answer::status(307).with("Location", &format!("http://{target}/blob?signature=hunter2")),
    });
    registry(auth(server.address(), RIGHT)).image(&server.name("app:1").parse().unwrap(), &amd64()).unwrap();
    assert_eq!(store.requests(), ["/blob?signature=hunter2"]);
    assert!(store.failures().is_empty(), "{:?}", store.failures());
}
