//! A registry behind TLS, whose certificate is trusted through `SSL_CERT_FILE`.

use std::process::Command;
use std::time::{Duration, Instant};

use zoea_image::{BlobStore, ImageError, ImageFormat, RegistryOptions};
use zoea_model::{IgnoreEvents, ImageRef};

use crate::images::image;
use crate::registry_process::RegistryProcess;
use crate::tools::{registry, run, scratch};

/// Tells the process that plays the client where the registry is.
const NAME: &str = "ZOEA_TEST_TLS_NAME";

/// The environment is the process's, so each client is a process of its own: this test again.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts itself with another environment")]
fn certificates_of_the_environment_count() {
    if let Ok(name) = std::env::var(NAME) {
        return push(&name);
    }
    let (guard, _directory) = scratch();
    let file = |name: &str| guard.path().join(name).display().to_string();
    let (key, certificate) = (file("key.pem"), file("certificate.pem"));
    let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let mut arguments: Vec<&str> = request.split(' ').collect();
    arguments.extend(["-keyout", &key, "-out", &certificate]);
    run("openssl", &arguments);
    let more = format!("  tls: {{certificate: \"{certificate}\", key: \"{key}\"}}\n");
    let server = RegistryProcess::start_with(&more, &[]);
    let client = |trusted: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::certificates_of_the_environment_count", "--nocapture"])
            .env(NAME, server.name("app:1"))
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let output = client(&certificate);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let started = Instant::now();
    let output = client("/dev/null");
    assert!(started.elapsed() < Duration::from_secs(6), "what cannot pass is not tried again");
    assert!(String::from_utf8_lossy(&output.stderr).contains("UnknownIssuer"), "{output:?}");
}

fn push(name: &str) {
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    let name: ImageRef = name.parse().unwrap();
    let registry = registry(RegistryOptions::default());
    let pushed: Result<_, ImageError> = registry.push(&image, std::slice::from_ref(&name), &IgnoreEvents);
    pushed.unwrap();
    let pulled = registry.image(&name, &"linux/amd64".parse().unwrap()).unwrap();
    assert_eq!(pulled.digest(), image.digest());
}
