//! Names of images in registries.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, ModelError};

/// The registry that a reference without a host means, by the name that users see.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The longest repository name that registries accept (distribution specification, "Pulling manifests").
const LONGEST_NAME: usize = 255;

/// An image reference with its defaults filled in: `[host[:port]/]repository[:tag][@digest]`.
///
/// `debian` becomes `docker.io/library/debian:latest`; a reference with a digest gets no default tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// Returns the registry's host, with its port if one was given; `docker.io` by default.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag, as written or `latest` by default; none where only a digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Says whether two references lie in one repository of one registry.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }

    /// Fixes the reference to one manifest.
    pub fn pin(&self, digest: Digest) -> PinnedRef {
        PinnedRef(Self { digest: Some(digest), ..self.clone() }, digest)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ImageRef {
    type Err = ModelError;

    /// Reads a reference in the grammar of the distribution specification with Docker's defaults.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let invalid = |reason| ModelError::Reference { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| invalid("the digest is no sha256 digest"))?))
            }
            None => (text, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            Some((rest, tag)) if !tag.contains('/') => (rest, Some(tag)),
            Some(_) | None => (rest, None),
        };
        if !tag.is_none_or(is_tag) {
            return Err(invalid(
                "a tag is up to 128 letters, digits, `_`, `.` or `-`, the first no `.` or `-`",
            ));
        }
        let (registry, path) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            Some(_) | None => (DEFAULT_REGISTRY, rest),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        if !is_host(registry) {
            return Err(invalid("the registry is no host name with an optional port"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid("a repository name must be lower-case"));
        }
        if !path.split('/').all(is_component) {
            return Err(invalid(
                "a repository name is lower-case letters and digits, joined by `.`, `_`, `__`, `-` or `/`",
            ));
        }
        let library = registry == DEFAULT_REGISTRY && !path.contains('/');
        let repository = if library { format!("library/{path}") } else { path.to_owned() };
        if repository.len() > LONGEST_NAME {
            return Err(invalid("the repository name is longer than 255 characters"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name_ok = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        }),
    };
    name_ok && port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok())
}

/// Says whether `text` is `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word);
    ends && bytes
        .split(|byte| word(*byte))
        .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|byte| *byte == b'-'))
}

/// A reference that means one manifest, whatever happens to its tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinnedRef(ImageRef, Digest);

impl PinnedRef {
    /// Returns the reference, digest included.
    pub fn reference(&self) -> &ImageRef {
        &self.0
    }

    /// Returns the manifest's digest.
    pub fn digest(&self) -> Digest {
        self.1
    }
}

impl fmt::Display for PinnedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_defaults() {
        let digest = Digest::of(b"");
        for (given, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("a/b", "docker.io/a/b:latest"),
            ("localhost/a", "localhost/a:latest"),
            ("127.0.0.1:5000/a/b:1.0", "127.0.0.1:5000/a/b:1.0"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("index.docker.io/debian", "docker.io/library/debian:latest"),
            ("Ghcr.io/a__b/c-d--e", "Ghcr.io/a__b/c-d--e:latest"),
        ] {
            assert_eq!(given.parse::<ImageRef>().unwrap().to_string(), expected);
        }
        let pinned: ImageRef = format!("debian@{digest}").parse().unwrap();
        assert_eq!(pinned.tag(), None);
        assert_eq!(pinned.pin(digest).to_string(), format!("docker.io/library/debian@{digest}"));
    }

    #[test]
    fn refuses_malformed_references() {
        for text in [
            "",
            "Debian",
            "a//b",
            "a/",
            "/a",
            "a:",
            "a:-b",
            "a@sha256:00",
            "a b",
            "a.-b",
            "a___b",
            "-a",
            "host:99999/a",
            "ho..st/a",
            "-host.x/a",
            "[::g]:1/a",
            "a..b",
            "docker.io/",
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
        assert!("a".repeat(300).parse::<ImageRef>().is_err());
    }
}
