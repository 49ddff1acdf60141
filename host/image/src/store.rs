//! Named images of the state directory: `images/` beside the shared blobs.

use cap_std::fs::Dir;
use zoea_model::{Digest, ImageRef, Platform};

use crate::document::digest_of;
use crate::layout_index::Wanted;
use crate::named_images::NamedImages;
use crate::{BlobStore, Delivery, Image, ImageError};

const ORIGIN: &str = "the stored images";
const IMAGES: &str = "images";

/// The images that builds left under their tags. Several processes may use it at once.
#[derive(Debug, Clone)]
pub struct ImageStore(NamedImages);

impl ImageStore {
    /// Opens the names in the state directory, over its blobs.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(state: &Dir, blobs: BlobStore) -> Result<Self, ImageError> {
        let failed = |source| ImageError::OpenDirectory { name: format!("directory `{IMAGES}`"), source };
        state.create_dir_all(IMAGES).map_err(failed)?;
        let directory = state.open_dir(IMAGES).map_err(failed)?;
        NamedImages::create(directory, blobs, ORIGIN).map(Self)
    }

    /// Returns the image of a name, or of a digest in the name's repository, if it is stored.
    ///
    /// # Errors
    /// When it is stored for other platforms only, or damaged.
    pub fn get(&self, name: &ImageRef, platform: &Platform) -> Result<Option<Image>, ImageError> {
        match self.0.image(Wanted::Reference(name), platform) {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::UnknownName { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores an image or an index under every name; what these names meant before is forgotten.
    ///
    /// # Errors
    /// When a blob cannot be read or written; the names are then as before.
    pub fn put(&self, delivery: impl Into<Delivery>, names: &[ImageRef]) -> Result<(), ImageError> {
        self.0.put(&delivery.into(), names)
    }

    /// Returns every name with the digest of its manifest.
    ///
    /// # Errors
    /// When the names cannot be read.
    pub fn list(&self) -> Result<Vec<(String, Digest)>, ImageError> {
        let named = self.0.index()?.named(ORIGIN)?;
        named.into_iter().map(|(name, entry)| Ok((name, digest_of(&entry, ORIGIN)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{draft, scratch_directory};
    use crate::{ImageFormat, compose};

    #[test]
    fn names_are_stored_and_replaced() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let store = ImageStore::open(&directory, blobs.clone()).unwrap();
        let platform = "linux/amd64".parse().unwrap();
        let name: ImageRef = "app:1".parse().unwrap();
        assert!(store.get(&name, &platform).unwrap().is_none());
        let one = compose(draft(&blobs, &["one"], ImageFormat::Oci), &blobs).unwrap();
        let two = compose(draft(&blobs, &["two"], ImageFormat::Docker), &blobs).unwrap();
        store.put(&one, &[name.clone(), "app:2".parse().unwrap()]).unwrap();
        store.put(&two, std::slice::from_ref(&name)).unwrap();
        assert_eq!(store.get(&name, &platform).unwrap().unwrap().digest(), two.digest());
        let pinned: ImageRef = format!("app@{}", one.digest()).parse().unwrap();
        assert_eq!(store.get(&pinned, &platform).unwrap().unwrap().digest(), one.digest());
        assert_eq!(store.list().unwrap().len(), 2);
        let other = "linux/arm64".parse().unwrap();
        assert!(matches!(store.get(&name, &other), Err(ImageError::NoMatchingPlatform { .. })));
    }

    #[test]
    fn an_unpublished_index_is_removed() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        directory.create_dir("images").unwrap();
        directory.write("images/tmp-index.json", "{\"half").unwrap();
        let store = ImageStore::open(&directory, blobs).unwrap();
        assert!(store.list().unwrap().is_empty());
        assert!(!directory.exists("images/tmp-index.json"));
    }

    #[test]
    fn concurrent_names_are_all_kept() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let image = compose(draft(&blobs, &["one"], ImageFormat::Oci), &blobs).unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (directory, blobs, image) = (&directory, blobs.clone(), &image);
                scope.spawn(move || {
                    let store = ImageStore::open(directory, blobs).unwrap();
                    for round in 0..4 {
                        store.put(image, &[format!("app{number}:{round}").parse().unwrap()]).unwrap();
                    }
                });
            }
        });
        assert_eq!(ImageStore::open(&directory, blobs).unwrap().list().unwrap().len(), 32);
    }
}
