//! Advice for each error of this crate.

use std::error::Error;
use std::io::ErrorKind;

use crate::ImageError;

/// Returns the kind of the first I/O error in the chain of causes.
pub(crate) fn io_kind(error: &ImageError) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && (error.kind() != ErrorKind::Other || error.source().is_none())
        {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

impl ImageError {
    /// Says whether a registry is to blame: what it answered, or that it did not.
    pub fn is_remote(&self) -> bool {
        matches!(
            self,
            Self::TruncatedBlob { .. }
                | Self::DamagedBlob { .. }
                | Self::DocumentDigest { .. }
                | Self::Unreachable { .. }
                | Self::Transfer { .. }
                | Self::Stalled { .. }
                | Self::NotFound { .. }
                | Self::Unauthorized { .. }
                | Self::Refused { .. }
                | Self::Protocol { .. }
                | Self::PushDigest { .. }
        )
    }

    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        if let Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) = io_kind(self) {
            return Some("the disk is full: free space, or choose another directory".to_owned());
        }
        if let Self::Unauthorized { registry, .. } = self {
            return Some(format!(
                "check the name, and the credentials for `{registry}` in DOCKER_AUTH_CONFIG or config.json"
            ));
        }
        self.fixed_hint().map(str::to_owned)
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        match self {
            Self::OpenDirectory { .. }
            | Self::OpenBlob { .. }
            | Self::WriteBlob { .. }
            | Self::PublishBlob { .. }
            | Self::ReadFile { .. }
            | Self::WriteFile { .. }
            | Self::WriteArchive { .. }
            | Self::ReadArchive { .. } => Some("check that the file is readable and the directory writable"),
            Self::TruncatedBlob { .. } => Some("the source is incomplete or the connection broke: try again"),
            Self::DamagedBlob { .. } | Self::DocumentDigest { .. } => {
                Some("the bytes were changed on the way or at the source: fetch them again or elsewhere")
            }
            Self::MissingBlob { .. } => Some("the image is incomplete at its source: fetch or push it again"),
            Self::OversizedDocument { .. }
            | Self::MalformedDocument { .. }
            | Self::InvalidDocument { .. }
            | Self::UnsupportedDigest { .. } => {
                Some("the source does not follow the OCI specifications: check that it is an image")
            }
            Self::UnsupportedMediaType { .. } => {
                Some("zoea reads OCI images and Docker images of manifest version 2, schema 2")
            }
            Self::NoMatchingPlatform { .. } => Some("choose one of the offered platforms with --platform"),
            Self::IndexInDockerArchive => {
                Some("build for one platform, or write an OCI archive (`--output type=oci,dest=FILE`)")
            }
            Self::UnknownName { .. } | Self::AmbiguousName { .. } => Some("name one of the offered images"),
            Self::InvalidArchive { .. } => {
                Some("expected an OCI or docker-save archive: a regular file, plain, gzip or zstd")
            }
            Self::MalformedCredentials { .. }
            | Self::InvalidCredential { .. }
            | Self::UnsupportedCredential { .. }
            | Self::Unreachable { .. }
            | Self::ReadBlob { .. }
            | Self::Transfer { .. }
            | Self::Stalled { .. }
            | Self::NotFound { .. }
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Protocol { .. }
            | Self::SetUpHttp { .. }
            | Self::PushDigest { .. } => self.remote_hint(),
            Self::WriteDocument { .. }
            | Self::HistoryCount { .. }
            | Self::UploadTask { .. }
            | Self::RandomName { .. } => None,
        }
    }

    /// Advice for what happens between zoea and a registry.
    fn remote_hint(&self) -> Option<&'static str> {
        if let Self::Refused { status, .. } = self {
            return Some(match status {
                429 => "the registry limits requests: wait, or use credentials or a mirror",
                500.. => "the registry has a fault: try again later",
                _ => "the registry does not accept this: its answer says why",
            });
        }
        if matches!(self, Self::MalformedCredentials { .. } | Self::InvalidCredential { .. }) {
            return Some(
                "expected the form of Docker's config.json: {\"auths\": {\"HOST\": {\"auth\": \"BASE64\"}}}",
            );
        }
        if matches!(self, Self::UnsupportedCredential { .. }) {
            return Some("put `auth` for this registry into DOCKER_AUTH_CONFIG or config.json");
        }
        if matches!(self, Self::Unreachable { .. }) {
            return Some(
                "check the registry's name, the network, and whether it speaks plain HTTP (then mark it insecure)",
            );
        }
        if matches!(self, Self::NotFound { .. }) {
            return Some("check the name and the tag, and whether the image was pushed");
        }
        if matches!(self, Self::Protocol { .. }) {
            return Some("check that the address is a registry and no other web server");
        }
        if matches!(self, Self::PushDigest { .. }) {
            return Some("push to a tag, or to the image's own digest");
        }
        Some("check the network and the registry, and try again")
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_full_disk_has_its_own_hint() {
        let full = ImageError::WriteBlob { source: io::Error::from(ErrorKind::StorageFull) };
        assert!(full.hint().unwrap().contains("disk is full"));
        let wrapped = ImageError::WriteArchive { source: full.into_io() };
        assert!(wrapped.hint().unwrap().contains("disk is full"));
    }

    #[test]
    fn a_reader_error_keeps_the_image_error() {
        let digest = zoea_model::Digest::of(b"");
        let error = ImageError::MissingBlob { digest, origin: "here".to_owned() }.into_io();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(matches!(ImageError::within(&error), Some(ImageError::MissingBlob { .. })));
    }
}
