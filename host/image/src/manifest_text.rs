//! Writing manifests: fields in BuildKit's order, maps sorted, so that equal images have equal bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use zoea_model::oci::Descriptor;

use crate::document::Document;
use crate::{Image, ImageError};

/// An image manifest to be written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestText {
    pub(crate) schema_version: u32,
    pub(crate) media_type: String,
    pub(crate) config: DescriptorText,
    pub(crate) layers: Vec<DescriptorText>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// An index to be written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IndexText {
    pub(crate) schema_version: u32,
    pub(crate) media_type: String,
    pub(crate) manifests: Vec<DescriptorText>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A descriptor to be written.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescriptorText {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<zoea_model::Platform>,
}

impl DescriptorText {
    /// Describes an image's manifest.
    pub(crate) fn of_image(image: &Image) -> Self {
        Self {
            media_type: image.media_type().to_owned(),
            digest: image.digest().to_string(),
            size: image.manifest_bytes().len() as u64,
            ..Self::default()
        }
    }

    /// Copies a base layer's descriptor under another media type.
    pub(crate) fn of(descriptor: &Descriptor, media_type: &str) -> Self {
        let annotations = descriptor.annotations().iter().flatten();
        Self {
            media_type: media_type.to_owned(),
            digest: descriptor.digest().to_string(),
            size: descriptor.size(),
            urls: descriptor.urls().clone().unwrap_or_default(),
            annotations: annotations.map(|(key, value)| (key.clone(), value.clone())).collect(),
            platform: None,
        }
    }
}

/// Writes a document as JSON.
pub(crate) fn to_json(document: Document, value: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    serde_json::to_vec(value).map_err(|source| ImageError::WriteDocument { document, source })
}
