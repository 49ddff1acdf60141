//! Archives in both directions, judged by skopeo.

use std::io::Write as _;

use zoea_image::{
    Archive, ArchiveFormat, BlobStore, Image, ImageError, ImageFormat, validate, write_archive,
};
use zoea_model::{ImageRef, Platform};

use crate::images::{Packing, image, layer, of_layers};
use crate::tools::{json, run, scratch};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn name() -> ImageRef {
    "example.com/app:1".parse().unwrap()
}

fn written(image: &Image, format: ArchiveFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_archive(image, &[name()], format, &mut bytes).unwrap();
    bytes
}

fn sample(blobs: &BlobStore) -> Image {
    let layers = [Packing::Gzip, Packing::Plain, Packing::Gzip];
    let layers = layers.iter().enumerate();
    let layers = layers.map(|(n, packing)| layer(blobs, &format!("f{n}"), b"x", *packing)).collect();
    of_layers(blobs, None, layers, ImageFormat::Oci)
}

#[test]
fn skopeo_reads_both_forms() {
    let (guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = sample(&blobs);
    for (format, transport) in
        [(ArchiveFormat::Oci, "oci-archive"), (ArchiveFormat::Docker, "docker-archive")]
    {
        let bytes = written(&image, format);
        assert_eq!(bytes, written(&image, format));
        directory.write("image.tar", &bytes).unwrap();
        let place = format!("{transport}:{}", guard.path().join("image.tar").display());
        let seen = json(&run("skopeo", &["inspect", &place]));
        assert_eq!(seen["Layers"].as_array().unwrap().len(), 3, "{transport}");
        let config = json(&run("skopeo", &["inspect", "--config", &place]));
        assert_eq!(config["rootfs"]["diff_ids"][0], image.layers()[0].diff_id().to_string());
        let copy = guard.path().join(transport);
        run("skopeo", &["copy", &place, &format!("dir:{}", copy.display())]);
    }
    let named = format!("docker-archive:{}:example.com/app:1", guard.path().join("image.tar").display());
    run("skopeo", &["inspect", &named]);
}

#[test]
fn both_forms_are_read_plain_and_compressed() {
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = sample(&blobs);
    for format in [ArchiveFormat::Oci, ArchiveFormat::Docker] {
        let plain = written(&image, format);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        for bytes in [plain, gzip.finish().unwrap(), zstd] {
            directory.write("image.tar", &bytes).unwrap();
            let archive = Archive::open(directory.open("image.tar").unwrap(), "image.tar").unwrap();
            assert_eq!(archive.names().unwrap(), ["example.com/app:1"]);
            for wanted in [None, Some("example.com/app:1"), Some("1")] {
                let read = archive.image(wanted, &amd64()).unwrap();
                assert_eq!(read.digest(), image.digest());
                assert!(validate(&read).is_empty(), "{:?}", validate(&read));
            }
            assert!(matches!(archive.image(Some("no"), &amd64()), Err(ImageError::UnknownName { .. })));
        }
    }
}

#[test]
fn what_skopeo_writes_for_docker_is_read() {
    let (guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = sample(&blobs);
    directory.write("ours.tar", written(&image, ArchiveFormat::Oci)).unwrap();
    let from = format!("oci-archive:{}", guard.path().join("ours.tar").display());
    let to = guard.path().join("theirs.tar");
    run("skopeo", &["copy", &from, &format!("docker-archive:{}:example.com/app:1", to.display())]);
    let archive = Archive::open(directory.open("theirs.tar").unwrap(), "theirs.tar").unwrap();
    assert_eq!(archive.names().unwrap(), ["example.com/app:1"]);
    let read = archive.image(Some("example.com/app:1"), &amd64()).unwrap();
    let diff_ids = |image: &Image| image.config().rootfs.diff_ids.clone();
    assert_eq!(diff_ids(&read), diff_ids(&image));
    assert!(validate(&read).is_empty(), "{:?}", validate(&read));
    // Its layers are uncompressed there; a new image on it still is one that others read.
    let next = crate::images::image(&blobs, Some(&read), &["next"], ImageFormat::Oci);
    assert!(validate(&next).is_empty());
}

#[test]
fn compressed_layers_and_links_of_old_archives_are_read() {
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let same = || layer(&blobs, "same", b"x", Packing::Gzip);
    let image = of_layers(&blobs, None, vec![same(), same()], ImageFormat::Docker);
    let mut layer_bytes = Vec::new();
    std::io::Read::read_to_end(&mut image.layers()[0].open().unwrap(), &mut layer_bytes).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let manifest = r#"[{"Config":"c.json","RepoTags":null,"Layers":["a/layer.tar","b/layer.tar"]}]"#;
    for (name, bytes) in [
        ("./manifest.json", manifest.as_bytes()),
        ("c.json", image.config_bytes()),
        ("a/layer.tar", &layer_bytes),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "b/layer.tar", "../a/layer.tar").unwrap();
    directory.write("old.tar", builder.into_inner().unwrap()).unwrap();
    let archive = Archive::open(directory.open("old.tar").unwrap(), "old.tar").unwrap();
    let read = archive.image(None, &amd64()).unwrap();
    assert_eq!(read.layers()[0].digest(), image.layers()[0].digest());
    assert!(validate(&read).is_empty(), "{:?}", validate(&read));
}

#[test]
fn hostile_archives_are_refused() {
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = sample(&blobs);
    let good = written(&image, ArchiveFormat::Oci);
    let open = |bytes: &[u8]| {
        directory.write("image.tar", bytes).unwrap();
        Archive::open(directory.open("image.tar").unwrap(), "image.tar")
    };
    assert!(matches!(open(b""), Err(ImageError::InvalidArchive { .. })));
    assert!(matches!(open(&[b'x'; 2000]), Err(ImageError::ReadArchive { .. })));
    assert!(matches!(open(&good[..700]), Err(ImageError::ReadArchive { .. })));
    assert!(matches!(open(&[0x1f, 0x8b, 8, 0, 0, 0]), Err(ImageError::ReadArchive { .. })));
    // One wrong byte anywhere is found, at the latest by validation.
    for position in (0..good.len()).step_by(211) {
        let mut bytes = good.clone();
        bytes[position] ^= 0x20;
        if let Ok(read) = open(&bytes).and_then(|archive| archive.image(None, &amd64())) {
            let intact = read.digest() == image.digest();
            assert!(intact || !validate(&read).is_empty(), "byte {position}");
        }
    }
    let mut builder = tar::Builder::new(Vec::new());
    let manifest = r#"[{"Config":"../../etc/passwd","Layers":["/etc/passwd"]}]"#;
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    builder.append_data(&mut header, "manifest.json", manifest.as_bytes()).unwrap();
    let error = open(&builder.into_inner().unwrap()).unwrap().image(None, &amd64()).unwrap_err();
    assert!(error.to_string().contains("no file `../../etc/passwd`"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_full_sink_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (_guard, directory) = scratch();
    let blobs = BlobStore::open(&directory).unwrap();
    let image = image(&blobs, None, &["a"], ImageFormat::Oci);
    let error = write_archive(&image, &[], ArchiveFormat::Oci, &mut Full).unwrap_err();
    assert!(error.hint().unwrap().contains("disk is full"), "{error}");
}
