//! Push and pull with Debian's registry, judged by skopeo.

use std::sync::Mutex;

use zoea_image::{BlobStore, Image, ImageError, ImageFormat, RegistryOptions, validate};
use zoea_model::{Digest, Event, Events, IgnoreEvents, ImageRef, Platform};

use crate::images::{Packing, image, layer, of_layers};
use crate::registry_process::RegistryProcess;
use crate::tools::{json, registry, run, scratch};

/// Keeps what happened to each blob.
#[derive(Default)]
struct Kept(Mutex<Vec<(Digest, &'static str)>>);

impl Events for Kept {
    fn emit(&self, event: Event) {
        if let Event::BlobPushed { digest, how } = event {
            self.0.lock().unwrap().push((digest, how));
        }
    }
}

impl Kept {
    /// Returns how often each thing happened: uploaded, mounted, present.
    fn counts(&self) -> (usize, usize, usize) {
        let events = self.0.lock().unwrap();
        let count = |wanted: &str| events.iter().filter(|(_, how)| *how == wanted).count();
        (count("uploaded"), count("mounted"), count("present"))
    }
}

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn inspect(name: &str) -> serde_json::Value {
    json(&run("skopeo", &["inspect", "--tls-verify=false", &format!("docker://{name}")]))
}

fn push(image: &Image, names: &[&str]) -> (Digest, Kept) {
    let names: Vec<ImageRef> = names.iter().map(|name| name.parse().unwrap()).collect();
    let kept = Kept::default();
    let digest = registry(RegistryOptions::default()).push(image, &names, &kept).unwrap();
    (digest, kept)
}

#[test]
fn pushes_and_pulls_by_tag_and_digest() {
    let server = RegistryProcess::start();
    let (guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    for format in [ImageFormat::Oci, ImageFormat::Docker] {
        let image = image(&blobs, None, &["a", "b", "c", "d", "e", "f"], format);
        let name = server.name(&format!("app:{format:?}"));
        let (digest, kept) = push(&image, &[&name]);
        assert_eq!(digest, image.digest());
        let (uploaded, mounted, present) = kept.counts();
        assert_eq!((uploaded + present, mounted), (7, 0));
        assert_eq!(inspect(&name)["Digest"], digest.to_string());
        let copy = guard.path().join(format!("{format:?}"));
        let from = format!("docker://{name}");
        let to = format!("dir:{}", copy.display());
        run("skopeo", &["copy", "--src-tls-verify=false", &from, &to]);
        let by_digest = server.name(&format!("app@{digest}"));
        for name in [name, by_digest] {
            let pulled =
                registry(RegistryOptions::default()).image(&name.parse().unwrap(), &amd64()).unwrap();
            assert_eq!(pulled.digest(), digest);
            assert_eq!(pulled.config_bytes(), image.config_bytes());
            assert!(validate(&pulled).is_empty(), "{:?}", validate(&pulled));
        }
    }
}

#[test]
fn existing_blobs_are_skipped_and_others_mounted() {
    let server = RegistryProcess::start();
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let base = image(&blobs, None, &["a", "b"], ImageFormat::Docker);
    let base_name = server.name("base:1");
    assert_eq!(push(&base, &[&base_name]).1.counts(), (3, 0, 0));
    assert_eq!(push(&base, &[&base_name, &server.name("base:2")]).1.counts(), (0, 0, 3));

    // Another machine: its store has nothing of the base, which is mounted without being downloaded.
    let (_other, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let pulled = registry(RegistryOptions::default()).image(&base_name.parse().unwrap(), &amd64()).unwrap();
    let next = image(&blobs, Some(&pulled), &["c"], ImageFormat::Oci);
    let (digest, kept) = push(&next, &[&server.name("next:1")]);
    assert_eq!(kept.counts(), (2, 2, 0));
    assert!(!blobs.has(&base.layers()[0].digest()));
    assert_eq!(inspect(&server.name("next:1"))["Digest"], digest.to_string());
    let again = registry(RegistryOptions::default());
    let again = again.image(&server.name("next:1").parse().unwrap(), &amd64()).unwrap();
    assert!(validate(&again).is_empty(), "{:?}", validate(&again));

    // To two new repositories of one registry at once: the second mounts from the first.
    let (_, kept) = push(&next, &[&server.name("x:1"), &server.name("y:1")]);
    assert_eq!(kept.counts(), (2, 6, 0));
}

#[test]
fn streams_from_one_registry_to_another() {
    let (from, to) = (RegistryProcess::start(), RegistryProcess::start());
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let content: Vec<u8> =
        (0..3_000_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    let large = layer(&blobs, "large", &content, Packing::Plain);
    let base = of_layers(&blobs, None, vec![large], ImageFormat::Oci);
    push(&base, &[&from.name("base:1")]);
    let pulled = registry(RegistryOptions::default());
    let pulled = pulled.image(&from.name("base:1").parse().unwrap(), &amd64()).unwrap();
    assert_eq!(push(&pulled, &[&to.name("copy:1")]).1.counts(), (2, 0, 0));
    assert_eq!(inspect(&to.name("copy:1"))["Digest"], base.digest().to_string());
}

#[test]
fn several_threads_pull_at_once() {
    let server = RegistryProcess::start();
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let names: Vec<String> = (0..12).map(|number| format!("file{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let image = image(&blobs, None, &names, ImageFormat::Oci);
    push(&image, &[&server.name("app:1")]);
    let shared = registry(RegistryOptions::default());
    let pulled = shared.image(&server.name("app:1").parse().unwrap(), &amd64()).unwrap();
    std::thread::scope(|scope| {
        for layer in pulled.layers() {
            scope.spawn(move || {
                std::io::copy(&mut layer.open().unwrap(), &mut std::io::sink()).unwrap();
            });
        }
    });
}

#[test]
fn an_index_offers_platforms() {
    let server = RegistryProcess::start();
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    push(&image, &[&server.name("app:1")]);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
        {{"mediaType":"{0}","digest":"{1}","size":{2},"platform":{{"os":"unknown","architecture":"unknown"}}}},
        {{"mediaType":"{0}","digest":"{1}","size":{2},"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        image.media_type(),
        image.digest(),
        image.manifest_bytes().len()
    );
    let url = format!("http://{}/v2/app/manifests/multi", server.address());
    let header = "Content-Type: application/vnd.oci.image.index.v1+json";
    run("curl", &["-sSf", "-X", "PUT", "-H", header, "--data-binary", &index, &url]);
    let reference: ImageRef = server.name("app:multi").parse().unwrap();
    let registry = registry(RegistryOptions::default());
    assert_eq!(registry.image(&reference, &amd64()).unwrap().digest(), image.digest());
    let pinned: ImageRef = server.name(&format!("app@{}", Digest::of(index.as_bytes()))).parse().unwrap();
    assert_eq!(registry.image(&pinned, &amd64()).unwrap().digest(), image.digest());
    let error = registry.image(&reference, &"linux/s390x".parse().unwrap()).unwrap_err();
    assert!(matches!(&error, ImageError::NoMatchingPlatform { offered, .. } if offered == &["linux/amd64"]));
}

#[test]
fn what_is_missing_is_named() {
    let server = RegistryProcess::start();
    let registry = registry(RegistryOptions::default());
    let error = registry.image(&server.name("no/such:1").parse().unwrap(), &amd64()).unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("no/such:1") && error.hint().is_some());
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    let pinned = format!("{}@{}", server.name("app"), Digest::of(b"other"));
    let error = registry.push(&image, &[pinned.parse().unwrap()], &IgnoreEvents).unwrap_err();
    assert!(matches!(error, ImageError::PushDigest { .. }), "{error}");
    let gone = format!("blobs/sha256/{}", image.layers()[0].digest().hex());
    directory.remove_file(gone).unwrap();
    let name: ImageRef = server.name("app:1").parse().unwrap();
    let error = registry.push(&image, std::slice::from_ref(&name), &IgnoreEvents).unwrap_err();
    assert!(matches!(error, ImageError::MissingBlob { .. }), "{error}");
    assert!(matches!(registry.image(&name, &amd64()), Err(ImageError::NotFound { .. })));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test damages the registry's own storage")]
fn damage_in_the_registry_is_found() {
    let server = RegistryProcess::start();
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    push(&image, &[&server.name("app:1")]);
    let path = server.blob_path(&image.layers()[0].digest().hex());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let registry = registry(RegistryOptions::default());
    let pulled = registry.image(&server.name("app:1").parse().unwrap(), &amd64()).unwrap();
    let error = std::io::copy(&mut pulled.layers()[0].open().unwrap(), &mut std::io::sink()).unwrap_err();
    assert!(matches!(ImageError::within(&error), Some(ImageError::DamagedBlob { .. })), "{error}");
}
