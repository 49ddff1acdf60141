//! Memory does not grow with a blob: its own process, because the peak is the process's.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a test needs and does not get, fails it"
)]

#[path = "../places/registry_process.rs"]
mod registry_process;

use std::collections::BTreeMap;
use std::io::Write as _;

use cap_std::fs::Dir;
use registry_process::RegistryProcess;
use zoea_image::{
    Archive, ArchiveFormat, BlobStore, Image, ImageDraft, ImageFormat, Layout, NewLayer, Registry,
    RegistryOptions, compose, validate, write_archive,
};
use zoea_model::oci::MediaType;
use zoea_model::{DiffId, HistoryRow, IgnoreEvents, ImageConfig, ImageRef, Platform};

/// The blob's size in MiB.
const BLOB: u64 = 256;
/// How much the peak may grow in KiB while the blob goes through every place.
const GROWTH: u64 = 24 << 10;

#[expect(clippy::disallowed_methods, reason = "the peak is read from the system")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own work area")]
fn scratch() -> (tempfile::TempDir, Dir) {
    let guard = tempfile::tempdir().unwrap();
    let directory = Dir::open_ambient_dir(guard.path(), cap_std::ambient_authority()).unwrap();
    (guard, directory)
}

fn large_image(blobs: &BlobStore) -> Image {
    let mut writer = blobs.writer().unwrap();
    for number in 0..BLOB {
        let chunk = vec![u8::try_from(number % 251).unwrap(); 1 << 20];
        writer.write_all(&chunk).unwrap();
    }
    let (digest, size) = writer.finish().unwrap();
    let layer = NewLayer { digest, size, diff_id: DiffId(digest), media_type: MediaType::ImageLayer };
    let config =
        ImageConfig { architecture: "amd64".to_owned(), os: "linux".to_owned(), ..ImageConfig::default() };
    let draft = ImageDraft {
        base: None,
        layers: vec![layer],
        config,
        history: vec![HistoryRow::default()],
        created: "1970-01-01T00:00:00Z".to_owned(),
        annotations: BTreeMap::new(),
        format: ImageFormat::Oci,
    };
    compose(draft, blobs).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test looks into the registry's own storage")]
fn stored_size(server: &RegistryProcess, image: &Image) -> u64 {
    std::fs::metadata(server.blob_path(&image.layers().first().unwrap().digest().hex())).unwrap().len()
}

#[test]
fn a_large_blob_streams_through_every_place() {
    let server = RegistryProcess::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let platform: Platform = "linux/amd64".parse().unwrap();
    let name: ImageRef = server.name("large:1").parse().unwrap();
    assert_eq!(name.registry(), server.address());
    let before = peak();

    let (guard, directory) = scratch();
    let image = large_image(&BlobStore::open(&directory).unwrap());
    let registry = Registry::new(RegistryOptions::default(), runtime.handle().clone());
    registry.push(&image, std::slice::from_ref(&name), &IgnoreEvents).unwrap();
    drop(guard);
    assert_eq!(stored_size(&server, &image), BLOB << 20);

    let pulled = registry.image(&name, &platform).unwrap();
    let (_guard, directory) = scratch();
    let mut file = directory.create("image.tar").unwrap();
    write_archive(&pulled, std::slice::from_ref(&name), ArchiveFormat::Docker, &mut file).unwrap();
    let archive = Archive::open(directory.open("image.tar").unwrap(), "image.tar").unwrap();
    let archived = archive.image(None, &platform).unwrap();
    let (_layout, layout) = scratch();
    let layout = Layout::create(&layout).unwrap();
    layout.put(&archived, &[name]).unwrap();
    assert!(validate(&layout.image(None, &platform).unwrap()).is_empty());

    let growth = peak() - before;
    println!("the peak grew by {growth} KiB");
    assert!(growth < GROWTH, "the peak grew by {growth} KiB");
}
