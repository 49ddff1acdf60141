//! From a manifest to the image of one platform: the same walk for registries, layouts and archives.

use std::sync::Arc;

use zoea_model::Platform;
use zoea_model::oci::{Descriptor, ImageIndex};

use crate::document::{Addressed, Document, Manifest, digest_of};
use crate::{BlobSource, Delivery, Image, ImageError, Index, media};

/// How many indexes may be nested in each other: OCI layouts nest two.
const DEEPEST_INDEX: usize = 4;

/// Where the documents of images come from.
pub(crate) trait Documents {
    /// Returns the bytes of a manifest, unchecked but limited in size.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError>;

    /// Returns where blobs come from.
    fn blobs(&self) -> Arc<dyn BlobSource>;
}

/// Follows indexes to the image for `platform`.
pub(crate) fn resolve(
    first: Manifest,
    platform: &Platform,
    documents: &dyn Documents,
) -> Result<Image, ImageError> {
    let source = documents.blobs();
    let origin = source.origin();
    let mut manifest = first;
    for _ in 0..DEEPEST_INDEX {
        match manifest {
            Manifest::Image(image) => return open(*image, &source, &origin),
            Manifest::Index(index) => {
                let entry = choose(&index, platform, &origin)?;
                manifest = fetch(entry, documents, &origin)?;
            }
        }
    }
    Err(Document::Manifest.invalid(&origin, format!("more than {DEEPEST_INDEX} indexes are nested")))
}

/// Reads all that the entries of one name mean: an index with its images, or one image.
pub(crate) fn deliver(found: &ImageIndex, documents: &dyn Documents) -> Result<Delivery, ImageError> {
    let source = documents.blobs();
    let origin = source.origin();
    let [entry] = found.manifests().as_slice() else {
        return Err(Document::LayoutIndex.invalid(&origin, "several manifests have the same name"));
    };
    let index = match fetch(entry, documents, &origin)? {
        Manifest::Image(image) => return open(*image, &source, &origin).map(Delivery::from),
        Manifest::Index(index) => index,
    };
    let mut images = Vec::new();
    for entry in index.manifests() {
        match fetch(entry, documents, &origin)? {
            Manifest::Image(image) => images.push(open(*image, &source, &origin)?),
            Manifest::Index(_) => return Err(Document::Manifest.invalid(&origin, "it nests an index")),
        }
    }
    let media_type = match entry.media_type().as_ref() {
        media::DOCKER_INDEX => media::DOCKER_INDEX,
        _ => media::OCI_INDEX,
    };
    Ok(Index::new(documents.manifest(entry)?, media_type, images).into())
}

/// Reads and checks the manifest that a descriptor means.
pub(crate) fn fetch(
    entry: &Descriptor,
    documents: &dyn Documents,
    origin: &str,
) -> Result<Manifest, ImageError> {
    Document::Manifest.check_size(entry.size(), origin)?;
    let bytes = documents.manifest(entry)?;
    Document::Manifest.verify(&bytes, digest_of(entry, origin)?, origin)?;
    Manifest::parse(bytes, Some(entry.media_type().as_ref()), origin)
}

/// Reads the configuration and makes the view.
fn open(
    manifest: Addressed<zoea_model::oci::ImageManifest>,
    source: &Arc<dyn BlobSource>,
    origin: &str,
) -> Result<Image, ImageError> {
    let descriptor = manifest.content.config();
    if !media::is_config(descriptor.media_type()) {
        return Err(ImageError::UnsupportedMediaType {
            origin: format!("the configuration of {origin}"),
            media_type: descriptor.media_type().to_string(),
        });
    }
    Document::Config.check_size(descriptor.size(), origin)?;
    let config = Document::Config.read(source.open(descriptor)?, origin)?;
    Image::new(manifest, config, origin, |_| Arc::clone(source))
}

/// Chooses the entry for a platform: the exact one, else the first that serves it, else the only one there is
/// when it does not say what it is for.
fn choose<'a>(index: &'a ImageIndex, wanted: &Platform, origin: &str) -> Result<&'a Descriptor, ImageError> {
    let offered: Vec<(Platform, &Descriptor)> = index
        .manifests()
        .iter()
        .filter_map(|entry| platform_of(entry).map(|platform| (platform, entry)))
        .filter(|(platform, _)| platform.os != "unknown")
        .collect();
    let exact = offered.iter().find(|(platform, _)| platform == wanted);
    let serving = || offered.iter().find(|(platform, _)| wanted.accepts(platform));
    if let Some((_, entry)) = exact.or_else(serving) {
        return Ok(entry);
    }
    match index.manifests().as_slice() {
        [only] if only.platform().is_none() => Ok(only),
        _ => Err(ImageError::NoMatchingPlatform {
            origin: origin.to_owned(),
            wanted: wanted.clone(),
            offered: offered.iter().map(|(platform, _)| platform.to_string()).collect(),
        }),
    }
}

/// Returns the platform that an entry is for, in normal spelling; attestations are for `unknown/unknown`.
pub(crate) fn platform_of(entry: &Descriptor) -> Option<Platform> {
    let platform = entry.platform().as_ref()?;
    let variant = platform.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    let text = format!("{}/{}{variant}", platform.os(), platform.architecture());
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use zoea_model::Digest;

    use super::*;

    fn index(platforms: &[&str]) -> ImageIndex {
        let entries: Vec<String> = platforms
            .iter()
            .map(|text| {
                let digest = Digest::of(text.as_bytes());
                let platform = match text.split('/').collect::<Vec<_>>().as_slice() {
                    [os, arch] => format!(r#","platform":{{"os":"{os}","architecture":"{arch}"}}"#),
                    [os, arch, variant] => format!(
                        r#","platform":{{"os":"{os}","architecture":"{arch}","variant":"{variant}"}}"#
                    ),
                    _ => String::new(),
                };
                format!(r#"{{"mediaType":"{}","size":1,"digest":"{digest}"{platform}}}"#, media::OCI_MANIFEST)
            })
            .collect();
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        serde_json::from_str(&text).unwrap()
    }

    fn chosen(platforms: &[&str], wanted: &str) -> Result<String, ImageError> {
        let index = index(platforms);
        let entry = choose(&index, &wanted.parse().unwrap(), "test")?;
        let digest = entry.digest().to_string();
        let found = platforms.iter().find(|text| Digest::of(text.as_bytes()).to_string() == digest);
        Ok((*found.unwrap()).to_owned())
    }

    #[test]
    fn prefers_the_exact_platform() {
        let offered = ["unknown/unknown", "linux/amd64/v3", "linux/amd64", "linux/arm64/v8", "linux/arm/v7"];
        assert_eq!(chosen(&offered, "linux/amd64").unwrap(), "linux/amd64");
        assert_eq!(chosen(&offered, "linux/arm64").unwrap(), "linux/arm64/v8");
        assert_eq!(chosen(&offered, "linux/arm").unwrap(), "linux/arm/v7");
        assert_eq!(chosen(&["linux/amd64/v3"], "linux/amd64").unwrap(), "linux/amd64/v3");
    }

    #[test]
    fn lists_what_is_offered() {
        let error = chosen(&["unknown/unknown", "linux/s390x", "windows/amd64"], "linux/amd64").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`linux/s390x`, `windows/amd64`"), "{text}");
        assert!(!text.contains("unknown"), "{text}");
        assert!(chosen(&[], "linux/amd64").is_err());
        assert_eq!(chosen(&["unsaid"], "linux/amd64").unwrap(), "unsaid");
        assert!(chosen(&["unsaid", "unsaid too"], "linux/amd64").is_err());
    }
}
