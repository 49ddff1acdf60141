//! A base, new layers and a configuration become a new image.
//!
//! Reads and writes no layer: new layers are in the store already, base layers stay where they are.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use zoea_model::oci::{Descriptor, MediaType};
use zoea_model::{DiffId, Digest, HistoryRow, ImageConfig, ImageRef, RootFs};

use crate::document::{Document, Manifest, digest_of};
use crate::manifest_text::{DescriptorText, ManifestText, to_json};
use crate::{BlobSource, BlobStore, Image, ImageError, ImageFormat};

/// A layer that a build made; its blob is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLayer {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The digest of the uncompressed tar stream.
    pub diff_id: DiffId,
    /// Its media type, in the OCI's or in Docker's name.
    pub media_type: MediaType,
}

/// What [`compose`] makes an image of.
#[derive(Debug)]
pub struct ImageDraft<'a> {
    /// The image below; none for `scratch`.
    pub base: Option<&'a Image>,
    /// The layers above the base, the lowest first.
    pub layers: Vec<NewLayer>,
    /// Platform, author and `config`. Layers, history and time of creation are filled in.
    pub config: ImageConfig,
    /// The rows above the base's history; as many without `empty_layer` as there are new layers.
    pub history: Vec<HistoryRow>,
    /// When the image was made, RFC 3339.
    pub created: String,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Whose media types the image has; base layers get the corresponding ones.
    pub format: ImageFormat,
}

/// Makes the image and puts its configuration and manifest into the store.
///
/// # Errors
/// When the history does not fit the layers, or the store cannot be written.
pub fn compose(draft: ImageDraft<'_>, blobs: &BlobStore) -> Result<Image, ImageError> {
    let rows = draft.history.iter().filter(|row| !row.empty_layer).count();
    if rows != draft.layers.len() {
        return Err(ImageError::HistoryCount { rows, layers: draft.layers.len() });
    }
    let ImageDraft { base, layers, config, history, created, annotations, format } = draft;
    let config = ImageConfig {
        created: Some(created),
        rootfs: RootFs { diff_ids: diff_ids(base, &layers), ..RootFs::default() },
        history: base.map(base_history).unwrap_or_default().into_iter().chain(history).collect(),
        ..config
    };
    let config_bytes = to_json(Document::Config, &config)?;
    let (config_digest, config_size) = blobs.put(&config_bytes)?;
    let manifest = ManifestText {
        schema_version: 2,
        media_type: format.manifest().to_owned(),
        config: DescriptorText {
            media_type: format.config().to_owned(),
            digest: config_digest.to_string(),
            size: config_size,
            ..DescriptorText::default()
        },
        layers: layer_descriptors(base, &layers, format),
        annotations,
    };
    let manifest_bytes = to_json(Document::Manifest, &manifest)?;
    blobs.put(&manifest_bytes)?;
    let origin = "the new image";
    match Manifest::parse(manifest_bytes, Some(format.manifest()), origin)? {
        Manifest::Image(manifest) => {
            Image::new(*manifest, config_bytes, origin, |position| source(base, position, blobs))
        }
        Manifest::Index(_) => Err(Document::Manifest.invalid(origin, "it is an index")),
    }
}

fn diff_ids(base: Option<&Image>, layers: &[NewLayer]) -> Vec<DiffId> {
    let below = base.map(Image::layers).unwrap_or_default().iter().map(crate::Layer::diff_id);
    below.chain(layers.iter().map(|layer| layer.diff_id)).collect()
}

fn layer_descriptors(base: Option<&Image>, layers: &[NewLayer], format: ImageFormat) -> Vec<DescriptorText> {
    let below = base.map(Image::layers).unwrap_or_default().iter().map(|layer| {
        let descriptor = layer.descriptor();
        DescriptorText::of(descriptor, format.layer(descriptor.media_type().as_ref()))
    });
    let above = layers.iter().map(|layer| DescriptorText {
        media_type: format.layer(layer.media_type.as_ref()).to_owned(),
        digest: layer.digest.to_string(),
        size: layer.size,
        ..DescriptorText::default()
    });
    below.chain(above).collect()
}

/// Returns the base's history with one row per layer, as BuildKit mends it: surplus rows lose their layer from
/// the bottom, missing rows are added on top.
fn base_history(base: &Image) -> Vec<HistoryRow> {
    let mut rows = base.config().history.clone();
    let with_layer = rows.iter().filter(|row| !row.empty_layer).count();
    let surplus = with_layer.saturating_sub(base.layers().len());
    for row in rows.iter_mut().filter(|row| !row.empty_layer).take(surplus) {
        row.empty_layer = true;
    }
    let missing = base.layers().len().saturating_sub(with_layer);
    let row = HistoryRow { created: base.config().created.clone(), ..HistoryRow::default() };
    rows.extend(std::iter::repeat_n(row, missing));
    rows
}

fn source(base: Option<&Image>, position: usize, blobs: &BlobStore) -> Arc<dyn BlobSource> {
    match base.map(Image::layers).unwrap_or_default().get(position) {
        Some(layer) => Arc::new(StoredFirst { blobs: blobs.clone(), upstream: Arc::clone(layer.source()) }),
        None => Arc::new(blobs.clone()),
    }
}

/// A base layer's source: the store when the blob was kept, else where the base comes from.
#[derive(Debug)]
struct StoredFirst {
    blobs: BlobStore,
    upstream: Arc<dyn BlobSource>,
}

impl BlobSource for StoredFirst {
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        if self.blobs.has(&digest_of(descriptor, &self.origin())?) {
            return BlobSource::open(&self.blobs, descriptor);
        }
        self.upstream.open(descriptor)
    }

    fn repository(&self) -> Option<&ImageRef> {
        self.upstream.repository()
    }

    fn origin(&self) -> String {
        self.upstream.origin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{self, draft, scratch_directory};
    use crate::validate;

    #[test]
    fn stacks_layers_and_history_on_the_base() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let base = compose(draft(&blobs, &["one", "two"], ImageFormat::Docker), &blobs).unwrap();
        assert_eq!(base.manifest().config().media_type().as_ref(), crate::media::DOCKER_CONFIG);
        let mut next = draft(&blobs, &["three"], ImageFormat::Oci);
        next.base = Some(&base);
        next.annotations.insert("b".to_owned(), "2".to_owned());
        next.annotations.insert("a".to_owned(), "1".to_owned());
        let image = compose(next, &blobs).unwrap();
        assert_eq!(image.layers().len(), 3);
        assert_eq!(image.config().history.len(), 6);
        let types: Vec<&str> =
            image.layers().iter().map(|layer| layer.descriptor().media_type().as_ref()).collect();
        assert_eq!(types, ["application/vnd.oci.image.layer.v1.tar+gzip"; 3]);
        assert_eq!(image.layers()[0].digest(), base.layers()[0].digest());
        assert!(blobs.has(&image.digest()) && blobs.has(&image.config_digest()));
        let text = String::from_utf8(image.manifest_bytes().to_vec()).unwrap();
        assert!(text.ends_with(r#""annotations":{"a":"1","b":"2"}}"#), "{text}");
        assert!(validate(&image).is_empty(), "{:?}", validate(&image));
    }

    #[test]
    fn equal_drafts_give_equal_images() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let make = || compose(draft(&blobs, &["one"], ImageFormat::Oci), &blobs).unwrap().digest();
        assert_eq!(make(), make());
    }

    #[test]
    fn history_must_fit_the_layers() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let mut wrong = draft(&blobs, &["one"], ImageFormat::Oci);
        wrong.history.clear();
        assert!(matches!(compose(wrong, &blobs), Err(ImageError::HistoryCount { rows: 0, layers: 1 })));
    }

    #[test]
    fn a_base_with_a_broken_history_is_mended() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        for rows in [0, 1, 3] {
            let base = test_support::image_with_history(&blobs, &["one", "two"], rows);
            let mut next = draft(&blobs, &["three"], ImageFormat::Oci);
            next.base = Some(&base);
            let image = compose(next, &blobs).unwrap();
            assert!(validate(&image).is_empty(), "{rows}: {:?}", validate(&image));
        }
    }
}
