//! Addresses of images in places other than the registry of their name.

use std::fmt;
use std::path::PathBuf;

use zoea_model::ImageRef;

/// Where a named image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageLocation {
    /// `docker-image://REFERENCE`: in a registry.
    Registry(ImageRef),
    /// `oci-layout://DIR[:TAG]`: in an OCI layout directory.
    Layout {
        /// The directory.
        path: PathBuf,
        /// Which of its images; needed when there are several.
        tag: Option<String>,
    },
    /// `oci-archive://FILE` or `docker-archive://FILE`: in an archive, whose form is read off its content.
    Archive {
        /// The file.
        path: PathBuf,
    },
}

/// An address that is none of the known forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The scheme is none that this version reads.
    #[error("`{0}` is no address of an image that this version reads")]
    Scheme(String),
    /// The part after the scheme is empty or malformed.
    #[error("`{address}` is incomplete: {reason}")]
    Malformed {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

impl LocationError {
    /// Returns advice on what to do.
    pub fn hint(&self) -> String {
        "expected `oci-layout://DIR[:TAG]`, `oci-archive://FILE`, `docker-archive://FILE` or \
         `docker-image://REFERENCE`"
            .to_owned()
    }
}

impl std::str::FromStr for ImageLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let malformed = |reason: String| LocationError::Malformed { address: text.to_owned(), reason };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(LocationError::Scheme(text.to_owned()));
        };
        if rest.is_empty() {
            return Err(malformed("nothing follows the scheme".to_owned()));
        }
        match scheme {
            "docker-image" => rest.parse().map(Self::Registry).map_err(|error| malformed(error.to_string())),
            "oci-layout" => Ok(match rest.rsplit_once(':') {
                Some((path, tag)) if !tag.contains('/') && !path.is_empty() => {
                    Self::Layout { path: PathBuf::from(path), tag: Some(tag.to_owned()) }
                }
                Some(_) | None => Self::Layout { path: PathBuf::from(rest), tag: None },
            }),
            "oci-archive" | "docker-archive" => Ok(Self::Archive { path: PathBuf::from(rest) }),
            _ => Err(LocationError::Scheme(text.to_owned())),
        }
    }
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => write!(f, "docker-image://{reference}"),
            Self::Layout { path, tag: None } => write!(f, "oci-layout://{}", path.display()),
            Self::Layout { path, tag: Some(tag) } => write!(f, "oci-layout://{}:{tag}", path.display()),
            Self::Archive { path } => write!(f, "archive {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let layout = |path: &str, tag: Option<&str>| ImageLocation::Layout {
            path: PathBuf::from(path),
            tag: tag.map(str::to_owned),
        };
        assert_eq!("oci-layout:///a/b".parse(), Ok(layout("/a/b", None)));
        assert_eq!("oci-layout://b:v1".parse(), Ok(layout("b", Some("v1"))));
        assert_eq!("oci-layout://b:v/1".parse(), Ok(layout("b:v/1", None)));
        assert_eq!("docker-archive://f".parse(), Ok(ImageLocation::Archive { path: PathBuf::from("f") }));
        assert!("docker-image://debian".parse::<ImageLocation>().is_ok());
        for text in ["debian", "oci-layout://", "docker-image://A", "https://host/x"] {
            assert!(text.parse::<ImageLocation>().is_err(), "{text}");
        }
    }
}
