//! Reading the JSON documents of images: sizes limited, form checked, contradictions refused.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use zoea_model::oci::{Descriptor, ImageIndex, ImageManifest};
use zoea_model::{Digest, ImageConfig};

use crate::ImageError;
use crate::media::{DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

/// The largest manifest or index that is read: what registries accept at most (distribution specification,
/// "Pushing Manifests").
pub(crate) const LARGEST_MANIFEST: u64 = 4 << 20;
/// The largest configuration that is read: a hundred times what the largest known images have.
pub(crate) const LARGEST_CONFIG: u64 = 8 << 20;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Document {
    /// An image manifest or an index.
    Manifest,
    /// An image configuration.
    Config,
    /// `oci-layout`.
    LayoutMark,
    /// `index.json` of a layout.
    LayoutIndex,
    /// `manifest.json` of a docker-save archive.
    DockerManifest,
}

impl Document {
    /// Returns the largest size that is read.
    pub(crate) fn limit(self) -> u64 {
        match self {
            Self::Manifest | Self::LayoutMark | Self::LayoutIndex | Self::DockerManifest => LARGEST_MANIFEST,
            Self::Config => LARGEST_CONFIG,
        }
    }

    /// Reads a whole document.
    pub(crate) fn read(self, reader: impl Read, origin: &str) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        reader.take(self.limit() + 1).read_to_end(&mut bytes).map_err(|source| ImageError::ReadFile {
            path: self.to_string(),
            origin: origin.to_owned(),
            source,
        })?;
        self.check_size(bytes.len() as u64, origin)?;
        Ok(bytes)
    }

    /// Refuses a size above the limit.
    pub(crate) fn check_size(self, size: u64, origin: &str) -> Result<(), ImageError> {
        if size <= self.limit() {
            return Ok(());
        }
        Err(ImageError::OversizedDocument { document: self, origin: origin.to_owned(), limit: self.limit() })
    }

    /// Parses JSON.
    pub(crate) fn parse<T: DeserializeOwned>(self, bytes: &[u8], origin: &str) -> Result<T, ImageError> {
        serde_json::from_slice(bytes).map_err(|source| ImageError::MalformedDocument {
            document: self,
            origin: origin.to_owned(),
            source,
        })
    }

    /// Checks a document's digest.
    pub(crate) fn verify(self, bytes: &[u8], expected: Digest, origin: &str) -> Result<(), ImageError> {
        let actual = Digest::of(bytes);
        if actual == expected {
            return Ok(());
        }
        Err(ImageError::DocumentDigest { document: self, origin: origin.to_owned(), expected, actual })
    }

    pub(crate) fn invalid(self, origin: &str, reason: impl Into<String>) -> ImageError {
        ImageError::InvalidDocument { document: self, origin: origin.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "manifest",
            Self::Config => "configuration",
            Self::LayoutMark => "oci-layout file",
            Self::LayoutIndex => "index.json",
            Self::DockerManifest => "manifest.json",
        })
    }
}

/// A parsed manifest with the bytes that its digest is of.
#[derive(Debug, Clone)]
pub(crate) enum Manifest {
    /// Of one image.
    Image(Box<Addressed<ImageManifest>>),
    /// Of several.
    Index(Box<ImageIndex>),
}

/// A document that is known by the digest of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Addressed<T> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
    pub(crate) content: T,
}

/// The fields that tell what a manifest is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

impl Manifest {
    /// Parses a manifest of the media type that its carrier `declared`.
    ///
    /// A document that could be read as image and as index is refused, as is one whose own media type is
    /// another than the declared one: two readers would see two images under one digest.
    pub(crate) fn parse(bytes: Vec<u8>, declared: Option<&str>, origin: &str) -> Result<Self, ImageError> {
        let document = Document::Manifest;
        document.check_size(bytes.len() as u64, origin)?;
        let shape: Shape = document.parse(&bytes, origin)?;
        let declared = declared.and_then(|text| text.split(';').next()).map(str::trim);
        if let Some(schema_1) = declared.filter(|name| name.contains("distribution.manifest.v1+")) {
            return Err(unsupported(origin, schema_1));
        }
        if shape.schema_version != 2 {
            return Err(document.invalid(origin, format!("schema version {} is not 2", shape.schema_version)));
        }
        let declared = declared.and_then(known_manifest);
        let stated = match shape.media_type.as_deref() {
            None | Some("") => None,
            Some(name) => Some(known_manifest(name).ok_or_else(|| unsupported(origin, name))?),
        };
        if let (Some(declared), Some(stated)) = (declared, stated)
            && declared != stated
        {
            return Err(document.invalid(origin, format!("it is sent as `{declared}` but is `{stated}`")));
        }
        let media_type = match (stated.or(declared), shape.manifests, shape.config.or(shape.layers)) {
            (_, Some(_), Some(_)) => {
                return Err(document.invalid(origin, "it is an image and an index at once"));
            }
            (Some(media_type), _, _) => media_type,
            (None, Some(_), None) => OCI_INDEX,
            (None, None, _) => OCI_MANIFEST,
        };
        if matches!(media_type, OCI_INDEX | DOCKER_INDEX) {
            return document.parse(&bytes, origin).map(Box::new).map(Self::Index);
        }
        let content = document.parse(&bytes, origin)?;
        Ok(Self::Image(Box::new(Addressed { bytes, media_type, content })))
    }
}

fn known_manifest(name: &str) -> Option<&'static str> {
    [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX].into_iter().find(|known| *known == name)
}

fn unsupported(origin: &str, media_type: &str) -> ImageError {
    ImageError::UnsupportedMediaType { origin: origin.to_owned(), media_type: media_type.to_owned() }
}

/// Returns a descriptor's digest.
pub(crate) fn digest_of(descriptor: &Descriptor, origin: &str) -> Result<Digest, ImageError> {
    let text = descriptor.digest().to_string();
    text.parse().map_err(|_| ImageError::UnsupportedDigest { origin: origin.to_owned(), digest: text })
}

/// Parses a configuration after checking its bytes against the descriptor.
pub(crate) fn parse_config(
    bytes: &[u8],
    descriptor: &Descriptor,
    origin: &str,
) -> Result<ImageConfig, ImageError> {
    let document = Document::Config;
    document.verify(bytes, digest_of(descriptor, origin)?, origin)?;
    if bytes.len() as u64 != descriptor.size() {
        let reason = format!("it has {} bytes, its descriptor says {}", bytes.len(), descriptor.size());
        return Err(document.invalid(origin, reason));
    }
    document.parse(bytes, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, declared: Option<&str>) -> Result<Manifest, ImageError> {
        Manifest::parse(text.as_bytes().to_vec(), declared, "test")
    }

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,
        "digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    #[test]
    fn kind_comes_from_media_type_or_shape() {
        let image = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[]}}"#);
        assert!(
            matches!(parse(&image, None), Ok(Manifest::Image(image)) if image.media_type == OCI_MANIFEST)
        );
        let charset = "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8";
        assert!(matches!(parse(&image, Some(charset)),
            Ok(Manifest::Image(image)) if image.media_type == DOCKER_MANIFEST));
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(parse(index, Some("application/json")), Ok(Manifest::Index(_))));
    }

    #[test]
    fn contradictions_are_refused() {
        let both = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[],"manifests":[]}}"#);
        assert!(matches!(parse(&both, None), Err(ImageError::InvalidDocument { .. })));
        let image =
            format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{CONFIG},"layers":[]}}"#);
        assert!(matches!(parse(&image, Some(OCI_INDEX)), Err(ImageError::InvalidDocument { .. })));
        assert!(matches!(parse(r#"{"schemaVersion":1}"#, None), Err(ImageError::InvalidDocument { .. })));
        let first = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert!(matches!(
            parse(r#"{"schemaVersion":1}"#, Some(first)),
            Err(ImageError::UnsupportedMediaType { .. })
        ));
        assert!(matches!(
            parse(r#"{"schemaVersion":2,"mediaType":"text/html"}"#, None),
            Err(ImageError::UnsupportedMediaType { .. })
        ));
        assert!(matches!(parse("{", None), Err(ImageError::MalformedDocument { .. })));
        assert!(matches!(parse(&"[".repeat(100_000), None), Err(ImageError::MalformedDocument { .. })));
    }
}
