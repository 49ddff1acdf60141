//! What a name comes to mean: one image, or an index of images for several platforms.
//!
//! Every place that images go to takes a delivery: first the images, then the document that the name points to.

use std::collections::BTreeMap;

use zoea_model::Digest;

use crate::manifest_text::DescriptorText;
use crate::{Image, Index};

/// One image or one index, with what is said of it where it is named.
#[derive(Debug, Clone)]
pub struct Delivery {
    content: Content,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum Content {
    Image(Image),
    Index(Index),
}

impl Delivery {
    /// Adds annotations to its descriptor, which only places with descriptors of names keep: layouts and archives.
    #[must_use]
    pub fn annotated(self, annotations: BTreeMap<String, String>) -> Self {
        Self { annotations, ..self }
    }

    /// Returns the digest that the name will mean.
    pub fn digest(&self) -> Digest {
        match &self.content {
            Content::Image(image) => image.digest(),
            Content::Index(index) => index.digest(),
        }
    }

    /// Returns the media type of the document with that digest.
    pub fn media_type(&self) -> &'static str {
        match &self.content {
            Content::Image(image) => image.media_type(),
            Content::Index(index) => index.media_type(),
        }
    }

    /// Returns the bytes of the document with that digest.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Image(image) => image.manifest_bytes(),
            Content::Index(index) => index.bytes(),
        }
    }

    /// Returns every image of it.
    pub fn images(&self) -> &[Image] {
        match &self.content {
            Content::Image(image) => std::slice::from_ref(image),
            Content::Index(index) => index.images(),
        }
    }

    /// Returns the annotations of its descriptor.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// Returns its index, unless it is one image.
    pub fn index(&self) -> Option<&Index> {
        match &self.content {
            Content::Image(_) => None,
            Content::Index(index) => Some(index),
        }
    }

    /// Describes it for an `index.json`.
    pub(crate) fn descriptor(&self) -> DescriptorText {
        let descriptor = match &self.content {
            Content::Image(image) => {
                DescriptorText { platform: Some(image.platform()), ..DescriptorText::of_image(image) }
            }
            Content::Index(index) => DescriptorText {
                media_type: index.media_type().to_owned(),
                digest: index.digest().to_string(),
                size: index.bytes().len() as u64,
                ..DescriptorText::default()
            },
        };
        DescriptorText { annotations: self.annotations.clone(), ..descriptor }
    }
}

impl From<Image> for Delivery {
    fn from(image: Image) -> Self {
        Self { content: Content::Image(image), annotations: BTreeMap::new() }
    }
}

impl From<Index> for Delivery {
    fn from(index: Index) -> Self {
        Self { content: Content::Index(index), annotations: BTreeMap::new() }
    }
}

impl From<&Image> for Delivery {
    fn from(image: &Image) -> Self {
        image.clone().into()
    }
}

impl From<&Index> for Delivery {
    fn from(index: &Index) -> Self {
        index.clone().into()
    }
}

impl From<&Self> for Delivery {
    fn from(delivery: &Self) -> Self {
        delivery.clone()
    }
}
