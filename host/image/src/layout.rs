//! OCI layout directories as places that images come from and go to (OCI image specification,
//! `image-layout.md`).

use cap_std::fs::Dir;
use zoea_model::{ImageRef, Platform};

use crate::layout_index::Wanted;
use crate::named_images::NamedImages;
use crate::{BlobStore, Delivery, Image, ImageError};

const ORIGIN: &str = "the OCI layout";

/// An OCI layout directory.
#[derive(Debug, Clone)]
pub struct Layout(NamedImages);

impl Layout {
    /// Opens a layout to read from it. Nothing in the directory is changed.
    ///
    /// # Errors
    /// When the directory is no OCI layout.
    pub fn open(directory: &Dir) -> Result<Self, ImageError> {
        let blobs = BlobStore::existing(directory)?.called(ORIGIN);
        NamedImages::open(reopen(directory)?, blobs, ORIGIN).map(Self)
    }

    /// Opens a layout to write into it, and makes the directory one if it is none.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn create(directory: &Dir) -> Result<Self, ImageError> {
        let blobs = BlobStore::open(directory)?.called(ORIGIN);
        NamedImages::create(reopen(directory)?, blobs, ORIGIN).map(Self)
    }

    /// Returns the image with this tag or whole name for `platform`; without a name, the only image there is.
    ///
    /// # Errors
    /// When there is none, or several, or a document is malformed.
    pub fn image(&self, name: Option<&str>, platform: &Platform) -> Result<Image, ImageError> {
        self.0.image(name.map_or(Wanted::Only, Wanted::Named), platform)
    }

    /// Returns all that this tag or whole name means: an index with its images, or one image.
    ///
    /// # Errors
    /// As [`Layout::image`].
    pub fn delivery(&self, name: Option<&str>) -> Result<Delivery, ImageError> {
        self.0.delivery(name.map_or(Wanted::Only, Wanted::Named))
    }

    /// Returns the names of all images.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn names(&self) -> Result<Vec<String>, ImageError> {
        Ok(self.0.index()?.names())
    }

    /// Writes an image or an index under every name, each entry with its tag and, as BuildKit writes it, its whole name.
    /// Images of other names stay, one of the same name is replaced.
    ///
    /// # Errors
    /// When a blob cannot be read or written; the index is then as before.
    pub fn put(&self, delivery: impl Into<Delivery>, names: &[ImageRef]) -> Result<(), ImageError> {
        self.0.put(&delivery.into(), names)
    }
}

fn reopen(directory: &Dir) -> Result<Dir, ImageError> {
    directory.try_clone().map_err(|source| ImageError::OpenDirectory { name: ORIGIN.to_owned(), source })
}
