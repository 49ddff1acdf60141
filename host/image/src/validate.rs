//! Every invariant of an image or an index, checked by reading all of it.

use std::fmt;
use std::io::{self, Read};

use zoea_model::{DiffId, Digest, HashingReader};

use crate::compression::Compression;
use crate::document::{Document, Manifest};
use crate::resolve::platform_of;
use crate::{Delivery, Image, ImageError, ImageFormat, Index, Layer, media};

/// Something that is wrong with an image.
#[derive(Debug)]
#[non_exhaustive]
pub enum Violation {
    /// The manifest is no well-formed manifest.
    Manifest(ImageError),
    /// The manifest has no media type of its own, or another than its carrier said.
    ManifestMediaType,
    /// The configuration's digest or size differs from the manifest's descriptor.
    Config(ImageError),
    /// Manifest, configuration and layers mix Docker's and the OCI's media types.
    MixedMediaTypes(String),
    /// The configuration's `rootfs.type` is not `layers`.
    RootFsType(String),
    /// The configuration names no operating system or no architecture.
    Platform(String),
    /// The configuration has another number of layers than the manifest.
    LayerCount {
        /// In the configuration.
        diff_ids: usize,
        /// In the manifest.
        layers: usize,
    },
    /// The history has another number of rows with a layer than there are layers.
    HistoryCount {
        /// Rows with a layer.
        rows: usize,
        /// Layers.
        layers: usize,
    },
    /// A layer's blob cannot be read, or has another size or digest.
    LayerBlob {
        /// The layer, counted from 0.
        layer: usize,
        /// What is wrong.
        error: ImageError,
    },
    /// A layer's blob cannot be decompressed as its media type says.
    LayerCompression {
        /// The layer, counted from 0.
        layer: usize,
        /// What is wrong.
        error: io::Error,
    },
    /// The index is no well-formed index, or has another number of entries than images.
    Index(String),
    /// An entry of the index does not describe its image.
    IndexEntry {
        /// The entry, counted from 0.
        entry: usize,
        /// What is wrong.
        reason: String,
    },
    /// A layer's uncompressed bytes have another digest than the configuration says.
    DiffId {
        /// The layer, counted from 0.
        layer: usize,
        /// What the configuration says.
        expected: DiffId,
        /// What the bytes have.
        actual: DiffId,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(error) | Self::Config(error) => write!(f, "{error}"),
            Self::ManifestMediaType => write!(f, "the manifest does not state its media type"),
            Self::MixedMediaTypes(name) => write!(f, "media type `{name}` does not fit the manifest's"),
            Self::RootFsType(kind) => write!(f, "rootfs type `{kind}` is not `layers`"),
            Self::Platform(platform) => write!(f, "platform `{platform}` is incomplete"),
            Self::LayerCount { diff_ids, layers } => {
                write!(f, "the configuration has {diff_ids} layers, the manifest {layers}")
            }
            Self::HistoryCount { rows, layers } => {
                write!(f, "the history has {rows} rows with a layer for {layers} layers")
            }
            Self::LayerBlob { layer, error } => write!(f, "layer {layer}: {error}"),
            Self::LayerCompression { layer, error } => write!(f, "layer {layer}: {error}"),
            Self::Index(reason) => write!(f, "the index: {reason}"),
            Self::IndexEntry { entry, reason } => write!(f, "entry {entry} of the index: {reason}"),
            Self::DiffId { layer, expected, actual } => {
                write!(f, "layer {layer}: its diff ID is `{actual}`, the configuration says `{expected}`")
            }
        }
    }
}

/// Checks everything, reading every layer once; an image without violations gives an empty list.
pub fn validate(image: &Image) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_manifest(image, &mut violations);
    check_config(image, &mut violations);
    for (position, layer) in image.layers().iter().enumerate() {
        violations.extend(check_layer(position, layer));
    }
    violations
}

/// Checks every image of a delivery, and its index where it has one.
pub fn validate_delivery(delivery: &Delivery) -> Vec<Violation> {
    let mut violations = delivery.index().map(check_index).unwrap_or_default();
    violations.extend(delivery.images().iter().flat_map(validate));
    violations
}

fn check_index(index: &Index) -> Vec<Violation> {
    let parsed = match Manifest::parse(index.bytes().to_vec(), Some(index.media_type()), "the index") {
        Ok(Manifest::Index(parsed)) => parsed,
        Ok(Manifest::Image(_)) => return vec![Violation::Index("it is an image".to_owned())],
        Err(error) => return vec![Violation::Index(error.to_string())],
    };
    let mut violations = Vec::new();
    if parsed.media_type().as_ref().map(AsRef::as_ref) != Some(index.media_type()) {
        violations.push(Violation::Index("it does not state its media type".to_owned()));
    }
    let (entries, images) = (parsed.manifests().len(), index.images().len());
    if entries != images {
        violations.push(Violation::Index(format!("it has {entries} entries for {images} images")));
    }
    let mut platforms = Vec::new();
    for (entry, (descriptor, image)) in parsed.manifests().iter().zip(index.images()).enumerate() {
        let mut wrong = |reason: String| violations.push(Violation::IndexEntry { entry, reason });
        if descriptor.digest().to_string() != image.digest().to_string() {
            wrong("it names another digest than its image has".to_owned());
        }
        if descriptor.size() != image.manifest_bytes().len() as u64 {
            wrong("it names another size than its image has".to_owned());
        }
        let kind = descriptor.media_type().as_ref();
        let docker = index.media_type() == media::DOCKER_INDEX;
        if kind != image.media_type() || docker != (kind == media::DOCKER_MANIFEST) {
            wrong(format!("media type `{kind}` does not fit"));
        }
        match platform_of(descriptor) {
            None => wrong("it names no platform".to_owned()),
            Some(platform) if platforms.contains(&platform) => {
                wrong(format!("a second one for `{platform}`"))
            }
            Some(platform) => {
                if !platform.accepts(&image.platform()) {
                    wrong(format!("it says `{platform}`, the image `{}`", image.platform()));
                }
                platforms.push(platform);
            }
        }
    }
    violations
}

fn check_manifest(image: &Image, violations: &mut Vec<Violation>) {
    let bytes = image.manifest_bytes().to_vec();
    if let Err(error) = Manifest::parse(bytes, Some(image.media_type()), "the image") {
        violations.push(Violation::Manifest(error));
    }
    let manifest = image.manifest();
    if manifest.media_type().as_ref().map(AsRef::as_ref) != Some(image.media_type()) {
        violations.push(Violation::ManifestMediaType);
    }
    let format =
        if image.media_type() == media::DOCKER_MANIFEST { ImageFormat::Docker } else { ImageFormat::Oci };
    let config = manifest.config().media_type().as_ref();
    if config != format.config() {
        violations.push(Violation::MixedMediaTypes(config.to_owned()));
    }
    for layer in image.layers() {
        let name = layer.descriptor().media_type().as_ref();
        if format.layer(name) != name || !media::is_layer(layer.descriptor().media_type()) {
            violations.push(Violation::MixedMediaTypes(name.to_owned()));
        }
    }
}

fn check_config(image: &Image, violations: &mut Vec<Violation>) {
    let descriptor = image.manifest().config();
    if let Err(error) = crate::document::parse_config(image.config_bytes(), descriptor, "the image") {
        violations.push(Violation::Config(error));
    }
    if let Err(error) = Document::Config.check_size(descriptor.size(), "the image") {
        violations.push(Violation::Config(error));
    }
    let config = image.config();
    let (layers, diff_ids) = (image.layers().len(), config.rootfs.diff_ids.len());
    if layers != diff_ids || layers != image.manifest().layers().len() {
        violations.push(Violation::LayerCount { diff_ids, layers });
    }
    let rows = config.history.iter().filter(|row| !row.empty_layer).count();
    if !config.history.is_empty() && rows != layers {
        violations.push(Violation::HistoryCount { rows, layers });
    }
    if config.rootfs.kind != "layers" {
        violations.push(Violation::RootFsType(config.rootfs.kind.clone()));
    }
    if config.os.is_empty() || config.architecture.is_empty() {
        violations.push(Violation::Platform(config.platform().to_string()));
    }
}

fn check_layer(position: usize, layer: &Layer) -> Option<Violation> {
    let broken = |error: io::Error| match error.downcast::<ImageError>() {
        Ok(error) => Violation::LayerBlob { layer: position, error },
        Err(error) => Violation::LayerCompression { layer: position, error },
    };
    let mut blob = match layer.open() {
        Ok(blob) => blob,
        Err(error) => return Some(Violation::LayerBlob { layer: position, error }),
    };
    match uncompressed_digest(&mut blob, layer) {
        Ok(actual) if actual == layer.diff_id() => None,
        Ok(actual) => Some(Violation::DiffId { layer: position, expected: layer.diff_id(), actual }),
        Err(error) => Some(broken(error)),
    }
}

fn uncompressed_digest(blob: &mut (dyn Read + Send), layer: &Layer) -> io::Result<DiffId> {
    let compression = Compression::of_media_type(layer.descriptor().media_type().as_ref());
    let mut tar = HashingReader::new(compression.decode(&mut *blob)?);
    io::copy(&mut tar, &mut io::sink())?;
    let (digest, _): (Digest, u64) = tar.finish();
    // The decoder may stop before the end, where the blob's own check is.
    io::copy(blob, &mut io::sink())?;
    Ok(DiffId(digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{draft, image_with_history, scratch_directory};
    use crate::{BlobStore, compose};

    #[test]
    fn finds_a_wrong_diff_id_and_damage() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let mut wrong = draft(&blobs, &["one", "two"], ImageFormat::Oci);
        wrong.layers[1].diff_id = wrong.layers[0].diff_id;
        let image = compose(wrong, &blobs).unwrap();
        assert!(matches!(validate(&image).as_slice(), [Violation::DiffId { layer: 1, .. }]));

        let image = compose(draft(&blobs, &["one"], ImageFormat::Docker), &blobs).unwrap();
        assert!(validate(&image).is_empty());
        let path = format!("blobs/sha256/{}", image.layers()[0].digest().hex());
        let mut bytes = directory.read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        directory.write(&path, &bytes).unwrap();
        assert_eq!(validate(&image).len(), 1);
        directory.remove_file(&path).unwrap();
        assert!(matches!(validate(&image).as_slice(), [Violation::LayerBlob { layer: 0, .. }]));
    }

    #[test]
    fn finds_a_history_that_does_not_fit() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let image = image_with_history(&blobs, &["one", "two"], 3);
        assert!(matches!(validate(&image).as_slice(), [Violation::HistoryCount { rows: 3, layers: 2 }]));
    }
}
