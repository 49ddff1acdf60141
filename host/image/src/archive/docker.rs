//! What `docker save` writes, as a source: in its old form with `layer.tar` files and in its present one.
//!
//! Such an archive has no image manifest, so one is made: the layers as they lie in the archive.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use serde::Deserialize;
use zoea_model::oci::Descriptor;
use zoea_model::{Digest, HashingReader, ImageConfig, ImageRef};

use super::container::Container;
use super::{DOCKER_INDEX, normal};
use crate::compression::{Compression, MAGIC};
use crate::document::{Document, Manifest, digest_of};
use crate::manifest_text::{DescriptorText, ManifestText, to_json};
use crate::media::{DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD, DOCKER_MANIFEST};
use crate::{BlobSource, Image, ImageError};

/// An archive with `manifest.json`.
#[derive(Debug, Clone)]
pub(crate) struct DockerArchive {
    container: Arc<Container>,
    images: Vec<Entry>,
}

/// One image in `manifest.json` (Docker image specification v1.2, "Combined image JSON + filesystem changeset").
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

impl DockerArchive {
    pub(crate) fn open(container: Arc<Container>) -> Result<Self, ImageError> {
        let bytes = container.document(Document::DockerManifest, DOCKER_INDEX)?;
        let images = Document::DockerManifest.parse(&bytes, container.origin())?;
        Ok(Self { container, images })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.images.iter().flat_map(|image| image.repo_tags.iter().flatten()).cloned().collect()
    }

    pub(crate) fn image(&self, name: Option<&str>) -> Result<Image, ImageError> {
        let entry = self.find(name)?;
        let origin = self.container.origin();
        let config_bytes = self.container.document(Document::Config, &entry.config)?;
        let config: ImageConfig = Document::Config.parse(&config_bytes, origin)?;
        let files = entry.layers.as_deref().unwrap_or_default();
        let diff_ids = &config.rootfs.diff_ids;
        if files.len() != diff_ids.len() {
            let reason = format!("it has {} layers, the archive {}", diff_ids.len(), files.len());
            return Err(Document::Config.invalid(origin, reason));
        }
        let mut paths = BTreeMap::new();
        let mut layers = Vec::new();
        for (path, diff_id) in files.iter().zip(diff_ids) {
            let (digest, layer) = self.layer(path, diff_id.0)?;
            paths.insert(digest, path.clone());
            layers.push(layer);
        }
        let manifest = ManifestText {
            schema_version: 2,
            media_type: DOCKER_MANIFEST.to_owned(),
            config: DescriptorText {
                media_type: DOCKER_CONFIG.to_owned(),
                digest: Digest::of(&config_bytes).to_string(),
                size: config_bytes.len() as u64,
                ..DescriptorText::default()
            },
            layers,
            annotations: BTreeMap::new(),
        };
        let bytes = to_json(Document::Manifest, &manifest)?;
        let source: Arc<dyn BlobSource> =
            Arc::new(DockerBlobs { container: Arc::clone(&self.container), paths });
        match Manifest::parse(bytes, Some(DOCKER_MANIFEST), origin)? {
            Manifest::Image(manifest) => Image::new(*manifest, config_bytes, origin, |_| Arc::clone(&source)),
            Manifest::Index(_) => Err(Document::Manifest.invalid(origin, "it is an index")),
        }
    }

    fn find(&self, name: Option<&str>) -> Result<&Entry, ImageError> {
        let origin = || self.container.origin().to_owned();
        let Some(name) = name else {
            return match self.images.as_slice() {
                [only] => Ok(only),
                [] => Err(self.container.invalid("it holds no image")),
                _ => Err(ImageError::AmbiguousName { origin: origin(), offered: self.names() }),
            };
        };
        let wanted = normal(name);
        let called = |image: &&Entry| image.repo_tags.iter().flatten().any(|tag| normal(tag) == wanted);
        self.images.iter().find(called).ok_or_else(|| ImageError::UnknownName {
            origin: origin(),
            name: name.to_owned(),
            offered: self.names(),
        })
    }

    /// Describes a layer: an uncompressed one is its own tar stream, a compressed one is read to be hashed.
    fn layer(&self, path: &str, diff_id: Digest) -> Result<(Digest, DescriptorText), ImageError> {
        let failed = |source| ImageError::ReadArchive { origin: self.container.origin().to_owned(), source };
        let mut first = Vec::new();
        self.container.read(path)?.take(MAGIC as u64).read_to_end(&mut first).map_err(failed)?;
        let (media_type, digest) = match Compression::of_bytes(&first) {
            Compression::None => (DOCKER_LAYER, diff_id),
            Compression::Gzip => (DOCKER_LAYER_GZIP, self.hash(path)?),
            Compression::Zstd => (DOCKER_LAYER_ZSTD, self.hash(path)?),
        };
        let layer = DescriptorText {
            media_type: media_type.to_owned(),
            digest: digest.to_string(),
            size: self.container.size(path)?,
            ..DescriptorText::default()
        };
        Ok((digest, layer))
    }

    fn hash(&self, path: &str) -> Result<Digest, ImageError> {
        let mut reader = HashingReader::new(self.container.read(path)?);
        io::copy(&mut reader, &mut io::sink()).map_err(|source| ImageError::ReadArchive {
            origin: self.container.origin().to_owned(),
            source,
        })?;
        let (digest, _) = reader.finish();
        Ok(digest)
    }
}

/// The layers of one image, by digest.
#[derive(Debug)]
struct DockerBlobs {
    container: Arc<Container>,
    paths: BTreeMap<Digest, String>,
}

impl BlobSource for DockerBlobs {
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        let digest = digest_of(descriptor, self.container.origin())?;
        match self.paths.get(&digest) {
            Some(path) => self.container.read(path),
            None => Err(ImageError::MissingBlob { digest, origin: self.origin() }),
        }
    }

    fn repository(&self) -> Option<&ImageRef> {
        None
    }

    fn origin(&self) -> String {
        self.container.origin().to_owned()
    }
}
