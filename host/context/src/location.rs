//! Addresses of build contexts, as on the command lines of `docker build` and kaniko.
//!
//! Only reads text; opens nothing. What this version cannot fetch is refused by its kind.

use std::path::PathBuf;
use std::str::FromStr;

use zoea_model::{GitForm, GitHint, GitReference, GitSource, SafeUrl};

use crate::ContextError;

/// Where a context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of this machine: a path, or `dir://path`.
    Directory(PathBuf),
    /// A git repository, as `ADD` takes it.
    Git(Box<GitReference>),
    /// A file of a web server: an archive of the context, or a Dockerfile alone.
    Web(SafeUrl),
}

/// Kinds of addresses by their scheme, with the words of their refusal.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("tar", "contexts from tar archives"),
    ("s3", "contexts from S3 buckets"),
    ("gs", "contexts from Google Cloud Storage"),
    ("docker-image", "images as the main context"),
    ("oci-layout", "images as the main context"),
    ("target", "build targets as the main context"),
];

impl FromStr for Location {
    type Err = ContextError;

    fn from_str(text: &str) -> Result<Self, ContextError> {
        let address = || SafeUrl::new(text).to_string();
        let unsupported = |kind| ContextError::UnsupportedLocation { address: address(), kind };
        let invalid = |reason| ContextError::InvalidLocation { address: address(), reason };
        if text == "-" {
            return Err(unsupported("contexts from standard input"));
        }
        let git =
            GitSource::parse(text, GitHint::None).map_err(|source| ContextError::GitLocation { source })?;
        // `github.com/a/b` may be a path: whoever may look at the disk asks there first.
        if let Some(reference) = git.filter(|reference| reference.form == GitForm::Address) {
            return Ok(Self::Git(Box::new(reference)));
        }
        let path = match text.split_once("://") {
            Some(("dir", path)) => path,
            Some((scheme, _)) if ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) => {
                return Ok(Self::Web(SafeUrl::new(text)));
            }
            Some((scheme, _)) if is_scheme(scheme) => {
                let known = UNSUPPORTED.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
                return Err(match known {
                    Some((_, kind)) => unsupported(kind),
                    None => invalid("its scheme is not known"),
                });
            }
            Some(_) | None => text,
        };
        match path {
            "" => Err(invalid("it is empty")),
            path if path.contains('\0') => Err(invalid("it holds a NUL byte")),
            path => Ok(Self::Directory(PathBuf::from(path))),
        }
    }
}

/// Says whether the text before `://` can be a scheme (RFC 3986, section 3.1), not a part of a path.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|rest| rest.is_ascii_alphanumeric() || "+-.".contains(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_directories() {
        for (text, path) in [
            (".", "."),
            ("/srv/app", "/srv/app"),
            ("dir://workspace", "workspace"),
            ("dir:///workspace/", "/workspace/"),
            ("a/b://c", "a/b://c"),
            ("github.com/a/b", "github.com/a/b"),
        ] {
            assert_eq!(text.parse::<Location>().unwrap(), Location::Directory(path.into()));
        }
    }

    #[test]
    fn repositories_are_those_of_add() {
        for text in ["git://github.com/a/b", "git@github.com:a/b.git#v1", "https://host/b.git?ref=x#:sub"] {
            assert!(matches!(text.parse::<Location>(), Ok(Location::Git(_))), "{text}");
        }
        assert!("https://host/b.git?what=x".parse::<Location>().is_err());
    }

    #[test]
    fn other_web_addresses_are_files() {
        for text in ["http://host/file", "HTTPS://host/context.tar?a=b"] {
            assert_eq!(text.parse::<Location>().unwrap(), Location::Web(SafeUrl::new(text)));
        }
    }

    #[test]
    fn other_addresses_are_refused_by_kind() {
        for (text, words) in [
            ("tar://context.tar.gz", "tar archives"),
            ("s3://bucket/key", "S3"),
            ("gs://bucket/key", "Google"),
            ("-", "standard input"),
            ("foo://bar", "scheme"),
            ("dir://", "empty"),
            ("", "empty"),
        ] {
            let message = text.parse::<Location>().unwrap_err().to_string();
            assert!(message.contains(words), "{text}: {message}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let error = "s3://user:password@host/x?token=secret".parse::<Location>().unwrap_err();
        let message = error.to_string();
        assert!(!message.contains("password") && !message.contains("secret"), "{message}");
    }
}
