//! A layer that a step or a base made.

use zoea_image::NewLayer;

/// A layer with what is said of it where no instruction speaks for it.
#[derive(Debug, Clone)]
pub(crate) struct MadeLayer {
    /// The layer.
    pub(crate) layer: NewLayer,
    /// How it came to be.
    pub(crate) description: String,
}
