//! Images under names over a blob store: what an OCI layout and the state directory have in common.
//!
//! A name is announced only when every blob of its image is on the disk. `oci-layout` is the lock: whoever
//! changes `index.json` holds it, and readers see the old index or the new one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use cap_std::fs::{Dir, OpenOptions};
use serde::Deserialize;
use zoea_model::oci::Descriptor;
use zoea_model::{ImageRef, Platform};

use crate::blobs::open_regular;
use crate::document::{Document, Manifest};
use crate::layout_index::{LayoutIndex, Wanted};
use crate::resolve::{Documents, deliver, resolve};
use crate::{BlobSource, BlobStore, Delivery, Image, ImageError};

/// The file that makes a directory an OCI layout.
pub(crate) const MARK: &str = "oci-layout";
/// Its content (OCI image specification, `image-layout.md`).
pub(crate) const MARK_TEXT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The file with the names.
pub(crate) const INDEX: &str = "index.json";
/// The next index while it is written; only the holder of the lock has it.
const NEXT_INDEX: &str = "tmp-index.json";

/// A directory with `oci-layout` and `index.json`, and the store of its blobs.
#[derive(Debug, Clone)]
pub(crate) struct NamedImages {
    directory: Arc<Dir>,
    blobs: BlobStore,
    origin: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

impl NamedImages {
    /// Uses a directory that is a layout.
    pub(crate) fn open(directory: Dir, blobs: BlobStore, origin: &'static str) -> Result<Self, ImageError> {
        let images = Self { directory: Arc::new(directory), blobs, origin };
        let mark = images.read(Document::LayoutMark, MARK)?;
        check_mark(&mark, origin)?;
        Ok(images)
    }

    /// Uses a directory and makes it a layout if it is none.
    pub(crate) fn create(directory: Dir, blobs: BlobStore, origin: &'static str) -> Result<Self, ImageError> {
        let images = Self { directory: Arc::new(directory), blobs, origin };
        let lock = images.lock()?;
        // Whoever left this did not live to publish it.
        match images.directory.remove_file(NEXT_INDEX) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(images.not_written(NEXT_INDEX, error));
            }
            Ok(()) | Err(_) => {}
        }
        drop(lock);
        Ok(images)
    }

    /// Returns the image that is wanted.
    pub(crate) fn image(&self, wanted: Wanted<'_>, platform: &Platform) -> Result<Image, ImageError> {
        let index = self.index()?.find(wanted, self.origin)?;
        resolve(Manifest::Index(Box::new(index)), platform, self)
    }

    /// Returns the index; an absent one is empty.
    pub(crate) fn index(&self) -> Result<LayoutIndex, ImageError> {
        match self.read(Document::LayoutIndex, INDEX) {
            Ok(bytes) => LayoutIndex::parse(&bytes, self.origin),
            Err(ImageError::ReadFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(LayoutIndex::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Returns all that is wanted: an index with its images, where the name means one.
    pub(crate) fn delivery(&self, wanted: Wanted<'_>) -> Result<Delivery, ImageError> {
        deliver(&self.index()?.find(wanted, self.origin)?, self)
    }

    /// Stores all blobs of a delivery and gives it names; without names, it is added without one.
    pub(crate) fn put(&self, delivery: &Delivery, names: &[ImageRef]) -> Result<(), ImageError> {
        let mut stored = BTreeSet::new();
        for image in delivery.images() {
            for layer in image.layers() {
                self.blobs.fetch_from(layer.source().as_ref(), layer.descriptor())?;
                stored.insert(layer.digest());
            }
            stored.insert(self.blobs.put(image.config_bytes())?.0);
            stored.insert(self.blobs.put(image.manifest_bytes())?.0);
        }
        stored.insert(self.blobs.put(delivery.bytes())?.0);
        self.blobs.durable(&stored)?;
        let lock = self.lock()?;
        let mut index = self.index()?;
        name_delivery(&mut index, delivery, names)?;
        self.publish(&index.to_bytes()?)?;
        drop(lock);
        Ok(())
    }

    fn read(&self, document: Document, name: &str) -> Result<Vec<u8>, ImageError> {
        let failed =
            |source| ImageError::ReadFile { path: name.to_owned(), origin: self.origin.to_owned(), source };
        document.read(open_regular(&self.directory, name).map_err(failed)?, self.origin)
    }

    /// Waits for the lock, which ends when the file is dropped, and writes the mark where it is missing.
    fn lock(&self) -> Result<File, ImageError> {
        let failed = |source| self.not_written(MARK, source);
        let options = OpenOptions::new().read(true).write(true).create(true).clone();
        let mut file = self.directory.open_with(MARK, &options).map_err(failed)?.into_std();
        match file.lock() {
            Ok(()) => {}
            // Without locks, concurrent writers may lose a name to each other; the file stays well-formed.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(failed(error)),
        }
        let mut mark = Vec::new();
        (&mut file).take(Document::LayoutMark.limit()).read_to_end(&mut mark).map_err(failed)?;
        if mark.is_empty() {
            file.write_all(MARK_TEXT.as_bytes()).map_err(failed)?;
        } else {
            check_mark(&mark, self.origin)?;
        }
        Ok(file)
    }

    /// Replaces the index, the lock held.
    fn publish(&self, bytes: &[u8]) -> Result<(), ImageError> {
        let failed = |source| self.not_written(INDEX, source);
        let mut file = self.directory.create(NEXT_INDEX).map_err(failed)?.into_std();
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        self.directory.rename(NEXT_INDEX, &self.directory, INDEX).map_err(failed)?;
        self.directory.open(".").and_then(|directory| directory.sync_all()).map_err(failed)
    }

    fn not_written(&self, name: &str, source: io::Error) -> ImageError {
        ImageError::WriteFile { path: name.to_owned(), origin: self.origin.to_owned(), source }
    }
}

impl Documents for NamedImages {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        Document::Manifest.read(BlobSource::open(&self.blobs, descriptor)?, self.origin)
    }

    fn blobs(&self) -> Arc<dyn BlobSource> {
        Arc::new(self.blobs.clone())
    }
}

/// Refuses layouts of another version.
pub(crate) fn check_mark(bytes: &[u8], origin: &str) -> Result<(), ImageError> {
    let mark: Mark = Document::LayoutMark.parse(bytes, origin)?;
    if mark.image_layout_version.starts_with("1.") {
        return Ok(());
    }
    let reason = format!("layout version `{}` is not 1", mark.image_layout_version);
    Err(Document::LayoutMark.invalid(origin, reason))
}

/// Puts a delivery into an `index.json` under every name, or without one.
pub(crate) fn name_delivery(
    index: &mut LayoutIndex,
    delivery: &Delivery,
    names: &[ImageRef],
) -> Result<(), ImageError> {
    let manifest = delivery.descriptor();
    match names {
        [] => index.put(&manifest, None),
        names => names.iter().try_for_each(|name| index.put(&manifest, Some(name))),
    }
}
