//! Images for several platforms under one digest: an index, or in Docker's words a manifest list.
//!
//! Owns no bytes on disk. A view that exists has the images that its bytes name, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use zoea_model::{Digest, Platform};

use crate::document::Document;
use crate::manifest_text::{DescriptorText, IndexText, to_json};
use crate::{BlobStore, Image, ImageError, ImageFormat};

/// An index with its images. Clones share everything.
#[derive(Debug, Clone)]
pub struct Index(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    bytes: Vec<u8>,
    media_type: &'static str,
    digest: Digest,
    images: Vec<Image>,
}

/// What [`compose_index`] makes an index of.
#[derive(Debug)]
pub struct IndexDraft {
    /// The images, in the order in which they are listed.
    pub entries: Vec<IndexEntry>,
    /// Annotations of the index.
    pub annotations: BTreeMap<String, String>,
    /// Whose media type the index has; its images should have those of the same.
    pub format: ImageFormat,
}

/// One image of an index.
#[derive(Debug)]
pub struct IndexEntry {
    /// What the image is for, as it was asked for.
    pub platform: Platform,
    /// The image.
    pub image: Image,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
}

/// Makes an index and puts it into the store.
///
/// # Errors
/// When the store cannot be written.
pub fn compose_index(draft: IndexDraft, blobs: &BlobStore) -> Result<Index, ImageError> {
    let media_type = draft.format.index();
    let manifests = draft.entries.iter().map(|entry| DescriptorText {
        platform: Some(entry.platform.clone()),
        annotations: entry.annotations.clone(),
        ..DescriptorText::of_image(&entry.image)
    });
    let text = IndexText {
        schema_version: 2,
        media_type: media_type.to_owned(),
        manifests: manifests.collect(),
        annotations: draft.annotations,
    };
    let bytes = to_json(Document::Manifest, &text)?;
    blobs.put(&bytes)?;
    Ok(Index::new(bytes, media_type, draft.entries.into_iter().map(|entry| entry.image).collect()))
}

impl Index {
    /// Makes a view; `images` are those that `bytes` name.
    pub(crate) fn new(bytes: Vec<u8>, media_type: &'static str, images: Vec<Image>) -> Self {
        let digest = Digest::of(&bytes);
        Self(Arc::new(Parts { bytes, media_type, digest, images }))
    }

    /// Returns the digest of the index.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Returns the index's media type.
    pub fn media_type(&self) -> &'static str {
        self.0.media_type
    }

    /// Returns the index's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns the images, in the order in which the index lists them.
    pub fn images(&self) -> &[Image] {
        &self.0.images
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{draft, scratch_directory};
    use crate::{Delivery, ImageStore, Layout, Violation, compose, validate_delivery};

    /// Makes an index of one image per architecture, each with a layer of its own.
    fn index(blobs: &BlobStore, architectures: &[&str], format: ImageFormat) -> Index {
        let entry = |architecture: &&str| {
            let mut draft = draft(blobs, &["shared", architecture], format);
            draft.config.architecture = (*architecture).to_owned();
            let image = compose(draft, blobs).unwrap();
            let platform = format!("linux/{architecture}").parse().unwrap();
            IndexEntry { platform, image, annotations: BTreeMap::new() }
        };
        let entries = architectures.iter().map(entry).collect();
        let annotations = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        compose_index(IndexDraft { entries, annotations, format }, blobs).unwrap()
    }

    #[test]
    fn lists_its_images_in_the_given_order() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let index = index(&blobs, &["s390x", "amd64"], ImageFormat::Docker);
        let [first, second] = index.images() else { panic!("not two images") };
        let text = String::from_utf8(index.bytes().to_vec()).unwrap();
        let entry = |image: &Image, architecture: &str| {
            format!(
                r#"{{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                image.digest(),
                image.manifest_bytes().len()
            )
        };
        assert_eq!(
            text,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{},{}],"annotations":{{"a":"1"}}}}"#,
                entry(first, "s390x"),
                entry(second, "amd64")
            )
        );
        assert!(blobs.has(&index.digest()));
        assert!(validate_delivery(&index.into()).is_empty());
    }

    #[test]
    fn a_layout_and_the_store_give_the_platforms_image() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let index = index(&blobs, &["amd64", "arm64"], ImageFormat::Oci);
        let (_other_guard, other) = scratch_directory();
        let layout = Layout::create(&other).unwrap();
        let said = BTreeMap::from([("said".to_owned(), "of it".to_owned())]);
        let name = "app:1".parse().unwrap();
        layout.put(Delivery::from(&index).annotated(said), std::slice::from_ref(&name)).unwrap();
        assert!(other.read_to_string("index.json").unwrap().contains(r#""said":"of it""#));
        let read = layout.delivery(None).unwrap();
        assert_eq!(read.bytes(), index.bytes());
        assert!(validate_delivery(&read).is_empty());

        let store = ImageStore::open(&directory, blobs).unwrap();
        store.put(&index, std::slice::from_ref(&name)).unwrap();
        for (image, platform) in index.images().iter().zip(["linux/amd64", "linux/arm64"]) {
            let platform = platform.parse().unwrap();
            assert_eq!(layout.image(Some("1"), &platform).unwrap().digest(), image.digest());
            assert_eq!(store.get(&name, &platform).unwrap().unwrap().digest(), image.digest());
        }
        let lost = "linux/s390x".parse().unwrap();
        assert!(matches!(store.get(&name, &lost), Err(ImageError::NoMatchingPlatform { .. })));
    }

    #[test]
    fn what_is_wrong_is_found() {
        let (_guard, directory) = scratch_directory();
        let blobs = BlobStore::open(&directory).unwrap();
        let index = index(&blobs, &["amd64", "arm64"], ImageFormat::Oci);
        let swapped: Vec<Image> = index.images().iter().rev().cloned().collect();
        let wrong = Index::new(index.bytes().to_vec(), index.media_type(), swapped);
        let violations = validate_delivery(&wrong.into());
        assert!(violations.iter().any(|found| matches!(found, Violation::IndexEntry { entry: 1, .. })));
        let text = String::from_utf8(index.bytes().to_vec()).unwrap().replace("arm64", "amd64");
        let twice = Index::new(text.into_bytes(), index.media_type(), index.images().to_vec());
        assert!(!validate_delivery(&twice.into()).is_empty());
    }
}
