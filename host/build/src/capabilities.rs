//! What a build may use: passed in, never found.

use std::collections::BTreeMap;
use std::fmt;

use zoea_context::Remotes;
use zoea_image::{BlobStore, Image, ImageFormat};
use zoea_launch::{Launcher, Probe};
use zoea_model::{Digest, Events, Timestamp};
use zoea_rootfs::{Compression, Workspace};

use crate::{Contexts, StepNaming};

/// Tells the time, so that equal inputs can give equal bytes.
pub trait Clock: Sync {
    /// Returns the present time.
    fn now(&self) -> Timestamp;
}

/// Everything a build may use.
pub struct Capabilities<'a> {
    /// The build's private area beside the stored layers.
    pub workspace: &'a Workspace,
    /// Where new blobs go.
    pub blobs: &'a BlobStore,
    /// Every image that the plan names, by the digest of its manifest.
    pub images: &'a BTreeMap<Digest, Image>,
    /// The contexts whose files COPY and ADD take.
    pub contexts: &'a dyn Contexts,
    /// What fetches from elsewhere.
    pub remotes: &'a dyn Remotes,
    /// What runs processes; none where nothing can.
    pub launcher: Option<&'a dyn Launcher>,
    /// What this place allows a process, and why it refuses the rest.
    pub probe: &'a Probe,
    /// How steps are called.
    pub naming: StepNaming,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where events go.
    pub events: &'a dyn Events,
}

impl fmt::Debug for Capabilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capabilities").finish_non_exhaustive()
    }
}

/// What becomes of a base layer's blob once it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseBlobs {
    /// It streams by: nothing will ask for it again.
    Stream,
    /// It is kept in the blob store, because an export reads it.
    Keep,
}

/// How the image is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// How new layers are compressed.
    pub compression: Compression,
    /// Media types of manifest, configuration and layers.
    pub format: ImageFormat,
    /// When given: the time of everything that the build itself dates, and the latest time in new layers. It
    /// wins over the plan's own.
    pub source_date_epoch: Option<Timestamp>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// How many layers are fetched and unpacked at once.
    pub jobs: usize,
    /// What becomes of base layers' blobs.
    pub base_blobs: BaseBlobs,
    /// Whether the target's files are wanted, beside its image.
    pub target_tree: TreeNeed,
}

/// Whether a stage's files are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeNeed {
    /// Its layers are enough.
    Unneeded,
    /// Its files are.
    Needed,
}
