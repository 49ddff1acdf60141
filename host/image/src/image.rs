//! Images as immutable views: documents in memory, layers as blobs that open when someone reads them.
//!
//! Owns no bytes on disk and knows nothing of what is inside a layer. A view that exists has a manifest and
//! a configuration that agree on the number of layers, and a configuration with the manifest's digest.

use std::fmt::Debug;
use std::io::Read;
use std::sync::Arc;

use zoea_model::oci::{Descriptor, ImageManifest};
use zoea_model::{DiffId, Digest, ImageConfig, ImageRef, Platform};

use crate::ImageError;
use crate::blob_reader::BlobReader;
use crate::document::{Addressed, Document, digest_of, parse_config};
use crate::media;

/// A place that blobs come from. One source serves several threads at once.
pub trait BlobSource: Debug + Send + Sync {
    /// Opens a blob's bytes, unchecked; [`Layer::open`] checks them.
    ///
    /// # Errors
    /// When the blob is missing or the place cannot be reached.
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError>;

    /// Returns the repository that has the blobs, where it is one of a registry; blobs can be mounted from it.
    fn repository(&self) -> Option<&ImageRef>;

    /// Returns a name of the place for messages.
    fn origin(&self) -> String;
}

/// One layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    descriptor: Descriptor,
    digest: Digest,
    diff_id: DiffId,
    source: Arc<dyn BlobSource>,
}

impl Layer {
    /// Returns the layer's entry in the manifest.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the digest of the blob.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the blob's length in bytes.
    pub fn size(&self) -> u64 {
        self.descriptor.size()
    }

    /// Returns the digest of the uncompressed tar stream, as the configuration says.
    pub fn diff_id(&self) -> DiffId {
        self.diff_id
    }

    /// Returns where the blob comes from.
    pub fn source(&self) -> &Arc<dyn BlobSource> {
        &self.source
    }

    /// Opens the blob, compressed as it is. A wrong size or digest is an error in place of the end of file.
    ///
    /// # Errors
    /// When the blob is missing or its source cannot be reached.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, ImageError> {
        Ok(Box::new(BlobReader::open(self.source.as_ref(), &self.descriptor)?))
    }
}

/// One image for one platform. Clones share everything.
#[derive(Debug, Clone)]
pub struct Image(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    manifest: Addressed<ImageManifest>,
    digest: Digest,
    config_bytes: Vec<u8>,
    config: ImageConfig,
    layers: Vec<Layer>,
}

impl Image {
    /// Makes a view; `source_of` says where each layer comes from.
    pub(crate) fn new(
        manifest: Addressed<ImageManifest>,
        config_bytes: Vec<u8>,
        origin: &str,
        source_of: impl Fn(usize) -> Arc<dyn BlobSource>,
    ) -> Result<Self, ImageError> {
        let config = parse_config(&config_bytes, manifest.content.config(), origin)?;
        let descriptors = manifest.content.layers();
        let diff_ids = &config.rootfs.diff_ids;
        if descriptors.len() != diff_ids.len() {
            let reason = format!("it has {} layers, the manifest {}", diff_ids.len(), descriptors.len());
            return Err(Document::Config.invalid(origin, reason));
        }
        let layers = descriptors
            .iter()
            .zip(diff_ids)
            .enumerate()
            .map(|(position, (descriptor, diff_id))| {
                check_layer_type(descriptor, origin)?;
                let digest = digest_of(descriptor, origin)?;
                let source = source_of(position);
                Ok(Layer { descriptor: descriptor.clone(), digest, diff_id: *diff_id, source })
            })
            .collect::<Result<_, ImageError>>()?;
        let digest = Digest::of(&manifest.bytes);
        Ok(Self(Arc::new(Parts { manifest, digest, config_bytes, config, layers })))
    }

    /// Returns the digest of the manifest: the image's identity.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Returns the manifest's media type.
    pub fn media_type(&self) -> &'static str {
        self.0.manifest.media_type
    }

    /// Returns the manifest's bytes.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.0.manifest.bytes
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &ImageManifest {
        &self.0.manifest.content
    }

    /// Returns the configuration's bytes.
    pub fn config_bytes(&self) -> &[u8] {
        &self.0.config_bytes
    }

    /// Returns the digest of the configuration: the image's ID in Docker's words.
    pub fn config_digest(&self) -> Digest {
        Digest::of(&self.0.config_bytes)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ImageConfig {
        &self.0.config
    }

    /// Returns the platform that the image is for.
    pub fn platform(&self) -> Platform {
        self.0.config.platform()
    }

    /// Returns the layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.0.layers
    }
}

/// Refuses what is no layer: artifacts of other kinds have manifests of the same form.
fn check_layer_type(descriptor: &Descriptor, origin: &str) -> Result<(), ImageError> {
    if media::is_layer(descriptor.media_type()) {
        return Ok(());
    }
    Err(ImageError::UnsupportedMediaType {
        origin: format!("a layer of {origin}"),
        media_type: descriptor.media_type().to_string(),
    })
}
