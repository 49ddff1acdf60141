//! Media types: what zoea reads, and how Docker's and the OCI's names correspond.
//!
//! Sources: OCI image specification, `media-types.md`; Docker image manifest version 2, schema 2.

use zoea_model::oci::MediaType;

/// Docker's name of an image manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's name of an index.
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's name of an image configuration.
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// The OCI's name of an image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The OCI's name of an index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The OCI's name of an image configuration.
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// OCI and Docker names of the layers that mean the same bytes. Docker never registered a name for zstd;
/// containerd's is used.
const LAYERS: [(&str, &str); 3] = [
    ("application/vnd.oci.image.layer.v1.tar", DOCKER_LAYER),
    ("application/vnd.oci.image.layer.v1.tar+gzip", DOCKER_LAYER_GZIP),
    ("application/vnd.oci.image.layer.v1.tar+zstd", DOCKER_LAYER_ZSTD),
];
/// Docker's name of an uncompressed layer.
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's name of a layer compressed with gzip.
pub(crate) const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// containerd's name of a Docker layer compressed with zstd.
pub(crate) const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// Whose media types an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageFormat {
    /// The OCI's.
    #[default]
    Oci,
    /// Docker's manifest version 2, schema 2.
    Docker,
}

impl ImageFormat {
    /// Returns the media type of an image manifest.
    pub(crate) fn manifest(self) -> &'static str {
        match self {
            Self::Oci => OCI_MANIFEST,
            Self::Docker => DOCKER_MANIFEST,
        }
    }

    /// Returns the media type of an index.
    pub(crate) fn index(self) -> &'static str {
        match self {
            Self::Oci => OCI_INDEX,
            Self::Docker => DOCKER_INDEX,
        }
    }

    /// Returns the media type of an image configuration.
    pub(crate) fn config(self) -> &'static str {
        match self {
            Self::Oci => OCI_CONFIG,
            Self::Docker => DOCKER_CONFIG,
        }
    }

    /// Returns this format's name of a layer's media type; one without a counterpart is kept.
    pub(crate) fn layer(self, media_type: &str) -> &str {
        let pair = LAYERS.iter().find(|(oci, docker)| media_type == *oci || media_type == *docker);
        match (self, pair) {
            (Self::Oci, Some((oci, _))) => oci,
            (Self::Docker, Some((_, docker))) => docker,
            (Self::Oci | Self::Docker, None) => media_type,
        }
    }
}

/// Says whether blobs of this media type are layers, by any of their names.
pub(crate) fn is_layer(media_type: &MediaType) -> bool {
    match media_type.as_ref() {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => true,
        name if name.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar") => true,
        name => LAYERS.iter().any(|(oci, docker)| name == *oci || name == *docker),
    }
}

/// Says whether blobs of this media type are image configurations.
pub(crate) fn is_config(media_type: &MediaType) -> bool {
    matches!(media_type.as_ref(), OCI_CONFIG | DOCKER_CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_map_both_ways() {
        for (oci, docker) in LAYERS {
            assert_eq!(ImageFormat::Oci.layer(docker), oci);
            assert_eq!(ImageFormat::Oci.layer(oci), oci);
            assert_eq!(ImageFormat::Docker.layer(oci), docker);
            assert!(is_layer(&MediaType::from(oci)) && is_layer(&MediaType::from(docker)));
        }
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        assert_eq!(ImageFormat::Oci.layer(foreign), foreign);
        assert!(!is_layer(&MediaType::from("application/vnd.in-toto+json")));
    }
}
