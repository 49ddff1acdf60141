//! What a build may use: made once by the program that embeds zoea, and only narrowed from there.

use std::fmt;

use zoea_build::{Clock, Contexts};
use zoea_context::Remotes;
use zoea_image::{BlobStore, ImageStore, Registry};
use zoea_launch::{StepSettings, Surroundings};
use zoea_model::Events;
use zoea_rootfs::Store;

/// Everything that [`crate::build`] may touch.
pub struct Authority<'a> {
    /// Unpacked layers and the work area.
    pub store: Store,
    /// Blobs of the state directory.
    pub blobs: BlobStore,
    /// Named images of the state directory.
    pub images: ImageStore,
    /// The way to registries.
    pub registry: Registry,
    /// The files of the build contexts.
    pub contexts: &'a dyn Contexts,
    /// The way to files and repositories elsewhere.
    pub remotes: &'a dyn Remotes,
    /// What this place allows a step.
    pub surroundings: &'a Surroundings,
    /// What all steps have in common.
    pub step_settings: StepSettings,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where events go.
    pub events: &'a dyn Events,
}

impl fmt::Debug for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}
