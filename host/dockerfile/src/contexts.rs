//! Named build contexts: which names they stand for.
//!
//! Owns the look-up, as BuildKit's `dockerui` has it: `docker.io/library/alpine:latest` and `alpine` are one name,
//! and a context for the wanted platform goes before one for all.

use std::collections::BTreeMap;

use zoea_model::{ContextName, ImageRef, Platform, SourceSpan};

use crate::outline::Origin;
use crate::request::{ImageRequest, NamedContext, Request};

/// The named contexts of a build by normalised name.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    known: BTreeMap<String, (String, NamedContext)>,
}

impl Contexts {
    /// Takes over those of a request.
    pub(crate) fn new(request: &Request) -> Self {
        let entry = |(key, kind): (&String, &NamedContext)| {
            let name = match key.split_once("::") {
                Some((name, platform)) => format!("{}::{}", familiar(name), normal(platform)),
                None => familiar(key),
            };
            (name, (key.clone(), *kind))
        };
        Self { known: request.named_contexts.iter().map(entry).collect() }
    }

    /// Returns the context that stands for an image or a `--from`, if there is one.
    pub(crate) fn find(&self, name: &str, platform: &Platform, span: SourceSpan) -> Option<Origin> {
        if self.known.is_empty() {
            return None;
        }
        let name = familiar(name);
        let exact = self.known.get(&format!("{name}::{platform}"));
        let (key, kind) = exact.or_else(|| self.known.get(&name))?;
        Some(match kind {
            NamedContext::Files => Origin::Context(ContextName::Named(key.clone())),
            NamedContext::Image => Origin::Image(ImageRequest {
                name: key.clone(),
                platform: platform.clone(),
                span,
                similar_stage: None,
            }),
        })
    }

    /// Returns the context that replaces a stage, if there is one.
    pub(crate) fn find_stage(&self, name: &str, platform: &Platform, span: SourceSpan) -> Option<Origin> {
        match name {
            "scratch" | "context" => None,
            other => self.find(other, platform, span),
        }
    }
}

/// Returns an image's name without what is meant anyway; what names no image stays.
fn familiar(name: &str) -> String {
    let Ok(reference) = name.parse::<ImageRef>() else { return name.to_owned() };
    let full = reference.to_string();
    let short = full.strip_prefix("docker.io/").unwrap_or(&full);
    let short = short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short);
    short.strip_suffix(":latest").unwrap_or(short).to_owned()
}

fn normal(platform: &str) -> String {
    platform.parse().map_or_else(|_| platform.to_owned(), |platform: Platform| platform.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened() {
        for (name, expected) in [
            ("alpine", "alpine"),
            ("docker.io/library/alpine:latest", "alpine"),
            ("index.docker.io/library/alpine", "alpine"),
            ("alpine:3", "alpine:3"),
            ("docker.io/me/app", "me/app"),
            ("host:5000/app:latest", "host:5000/app"),
            ("Not An Image", "Not An Image"),
        ] {
            assert_eq!(familiar(name), expected, "{name}");
        }
    }

    #[test]
    fn the_wanted_platform_goes_first() {
        let mut request = Request {
            target: None,
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        };
        request.named_contexts.insert("docker.io/library/a".to_owned(), NamedContext::Files);
        request.named_contexts.insert("a::linux/aarch64".to_owned(), NamedContext::Image);
        request.named_contexts.insert("context".to_owned(), NamedContext::Files);
        let contexts = Contexts::new(&request);
        let find = |name: &str, platform: &str| {
            contexts.find(name, &platform.parse().unwrap(), SourceSpan::default())
        };
        let files = |key: &str| Some(Origin::Context(ContextName::Named(key.to_owned())));
        assert_eq!(find("a:latest", "linux/amd64"), files("docker.io/library/a"));
        assert!(matches!(find("a", "linux/arm64"), Some(Origin::Image(_))));
        assert_eq!(find("a:1", "linux/amd64"), None);
        assert_eq!(find("context", "linux/amd64"), files("context"));
        assert_eq!(contexts.find_stage("context", &request.platform, SourceSpan::default()), None);
    }
}
