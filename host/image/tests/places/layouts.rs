//! OCI layout directories, judged by skopeo.

use zoea_image::{BlobStore, ImageError, ImageFormat, Layout, validate};
use zoea_model::Platform;

use crate::images::{Packing, image, layer, of_layers};
use crate::tools::{json, run, scratch};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

#[test]
fn skopeo_reads_what_is_put() {
    let (_store, store) = scratch();
    let blobs = BlobStore::open(&store).unwrap();
    let (path, directory) = scratch();
    let layout = Layout::create(&directory).unwrap();
    let layers = [Packing::Gzip, Packing::Zstd, Packing::Plain];
    let layers = layers.iter().enumerate();
    let layers = layers.map(|(n, packing)| layer(&blobs, &format!("f{n}"), b"x", *packing)).collect();
    let one = of_layers(&blobs, None, layers, ImageFormat::Oci);
    let two = image(&blobs, Some(&one), &["two"], ImageFormat::Oci);
    layout.put(&one, &["app:one".parse().unwrap()]).unwrap();
    layout.put(&two, &["app:two".parse().unwrap(), "app:three".parse().unwrap()]).unwrap();
    for (tag, image) in [("one", &one), ("two", &two), ("three", &two)] {
        let place = format!("oci:{}:{tag}", path.path().display());
        let seen = json(&run("skopeo", &["inspect", &place]));
        assert_eq!(seen["Digest"], image.digest().to_string(), "{tag}");
        assert_eq!(seen["Layers"].as_array().unwrap().len(), image.layers().len());
        let again = Layout::open(&directory).unwrap().image(Some(tag), &amd64()).unwrap();
        assert_eq!(again.digest(), image.digest());
        assert!(validate(&again).is_empty(), "{:?}", validate(&again));
    }
    assert!(matches!(layout.image(None, &amd64()), Err(ImageError::AmbiguousName { .. })));
    assert!(matches!(layout.image(Some("no"), &amd64()), Err(ImageError::UnknownName { .. })));
}

#[test]
fn docker_images_keep_their_form() {
    let (_store, store) = scratch();
    let blobs = BlobStore::open(&store).unwrap();
    let (_guard, directory) = scratch();
    let layout = Layout::create(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Docker);
    layout.put(&image, &[]).unwrap();
    layout.put(&image, &[]).unwrap();
    let again = layout.image(None, &amd64()).unwrap();
    assert_eq!(again.manifest_bytes(), image.manifest_bytes());
    assert!(validate(&again).is_empty(), "{:?}", validate(&again));
}

#[test]
fn what_skopeo_wrote_is_read_and_kept() {
    let (_store, store) = scratch();
    let blobs = BlobStore::open(&store).unwrap();
    let (path, directory) = scratch();
    Layout::create(&directory)
        .unwrap()
        .put(image(&blobs, None, &["a"], ImageFormat::Oci), &["a:1".parse().unwrap()])
        .unwrap();
    let (copy, copied) = scratch();
    let to = format!("oci:{}:theirs", copy.path().display());
    run("skopeo", &["copy", &format!("oci:{}:1", path.path().display()), &to]);
    let theirs = Layout::open(&copied).unwrap().image(None, &amd64()).unwrap();
    assert!(validate(&theirs).is_empty());
    let ours = image(&blobs, Some(&theirs), &["b"], ImageFormat::Oci);
    let layout = Layout::create(&copied).unwrap();
    layout.put(&ours, &["b:ours".parse().unwrap()]).unwrap();
    assert_eq!(layout.names().unwrap(), ["theirs", "docker.io/library/b:ours"]);
    run("skopeo", &["inspect", &to]);
}

#[test]
fn a_damaged_source_leaves_the_index_as_it_was() {
    let (_store, store) = scratch();
    let blobs = BlobStore::open(&store).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    store.write(format!("blobs/sha256/{}", image.layers()[0].digest().hex()), "damaged").unwrap();
    let (_guard, directory) = scratch();
    let layout = Layout::create(&directory).unwrap();
    let error = layout.put(&image, &["a:1".parse().unwrap()]).unwrap_err();
    assert!(matches!(error, ImageError::TruncatedBlob { .. }), "{error}");
    assert!(layout.names().unwrap().is_empty());
    assert_eq!(directory.read_dir("blobs/sha256").unwrap().count(), 0);
}

#[test]
fn other_directories_are_no_layouts() {
    let (_guard, directory) = scratch();
    assert!(Layout::open(&directory).is_err());
    directory.create_dir_all("blobs/sha256").unwrap();
    assert!(matches!(Layout::open(&directory), Err(ImageError::ReadFile { .. })));
    directory.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(Layout::open(&directory), Err(ImageError::InvalidDocument { .. })));
    assert!(matches!(Layout::create(&directory), Err(ImageError::InvalidDocument { .. })));
}
