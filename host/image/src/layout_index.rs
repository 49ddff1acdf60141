//! The content of an `index.json`: which names mean which manifests.
//!
//! Edited as a JSON value, so that entries and fields of other programs are kept as they are. Pure.

use serde_json::{Map, Value};
use zoea_model::ImageRef;
use zoea_model::oci::{Descriptor, ImageIndex};

use crate::ImageError;
use crate::document::Document;
use crate::manifest_text::{DescriptorText, to_json};
use crate::media::OCI_INDEX;

/// The tag of an entry (OCI image specification, `annotations.md`); some programs put the whole name here.
const TAG: &str = "org.opencontainers.image.ref.name";
/// The whole name of an entry, as containerd and BuildKit write it.
const NAME: &str = "io.containerd.image.name";
/// The field with the entries.
const ENTRIES: &str = "manifests";

/// Which of the images in an index is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The only one.
    Only,
    /// The one with this tag or whole name.
    Named(&'a str),
    /// The one that a reference means: by its digest, if it has one, else by name.
    Reference(&'a ImageRef),
}

/// A parsed `index.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayoutIndex(Map<String, Value>);

impl Default for LayoutIndex {
    fn default() -> Self {
        Self(Map::from_iter([
            ("schemaVersion".to_owned(), Value::from(2)),
            ("mediaType".to_owned(), Value::from(OCI_INDEX)),
            (ENTRIES.to_owned(), Value::Array(Vec::new())),
        ]))
    }
}

impl LayoutIndex {
    /// Parses and checks the form of every entry.
    pub(crate) fn parse(bytes: &[u8], origin: &str) -> Result<Self, ImageError> {
        let _checked: ImageIndex = Document::LayoutIndex.parse(bytes, origin)?;
        let fields: Map<String, Value> = Document::LayoutIndex.parse(bytes, origin)?;
        if fields.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(Document::LayoutIndex.invalid(origin, "its schema version is not 2"));
        }
        Ok(Self(fields))
    }

    /// Writes the index.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, ImageError> {
        to_json(Document::LayoutIndex, &self.0)
    }

    /// Makes `name` mean `manifest`; whatever it meant before is forgotten. Without a name, adds the manifest
    /// unless an entry without a name has it.
    pub(crate) fn put(
        &mut self,
        manifest: &DescriptorText,
        name: Option<&ImageRef>,
    ) -> Result<(), ImageError> {
        let mut entry = manifest.clone();
        if let Some(name) = name {
            entry.annotations.insert(NAME.to_owned(), whole_name(name));
            if let Some(tag) = name.tag() {
                entry.annotations.insert(TAG.to_owned(), tag.to_owned());
            }
        }
        let entry = serde_json::to_value(&entry)
            .map_err(|source| ImageError::WriteDocument { document: Document::LayoutIndex, source })?;
        if let Some(Value::Array(entries)) = self.0.get_mut(ENTRIES) {
            entries.retain(|old| match name {
                Some(name) => !is_called(old, name),
                None => name_of(old).is_some() || old.get("digest") != entry.get("digest"),
            });
            entries.push(entry);
        }
        Ok(())
    }

    /// Returns the entries of one image, one or several for several platforms.
    pub(crate) fn find(&self, wanted: Wanted<'_>, origin: &str) -> Result<ImageIndex, ImageError> {
        let found: Vec<&Value> = match wanted {
            Wanted::Only => self.entries().iter().collect(),
            Wanted::Named(name) => self.entries().iter().filter(|entry| answers_to(entry, name)).collect(),
            Wanted::Reference(name) => self.entries().iter().filter(|entry| means(entry, name)).collect(),
        };
        let name = match wanted {
            Wanted::Only => self.check_only(&found, origin).map(|()| "any image".to_owned())?,
            Wanted::Named(name) => name.to_owned(),
            Wanted::Reference(name) => name.to_string(),
        };
        if found.is_empty() {
            return Err(ImageError::UnknownName { origin: origin.to_owned(), name, offered: self.names() });
        }
        let index = serde_json::json!({"schemaVersion": 2, ENTRIES: found});
        serde_json::from_value(index).map_err(|source| ImageError::MalformedDocument {
            document: Document::LayoutIndex,
            origin: origin.to_owned(),
            source,
        })
    }

    /// Refuses to choose between entries of different names and manifests.
    fn check_only(&self, entries: &[&Value], origin: &str) -> Result<(), ImageError> {
        let same = |field: fn(&Value) -> Option<&str>| {
            entries.windows(2).all(|pair| match pair {
                [one, two] => field(one) == field(two),
                _ => true,
            })
        };
        if same(name_of) || same(|entry| text(entry.get("digest"))) {
            return Ok(());
        }
        Err(ImageError::AmbiguousName { origin: origin.to_owned(), offered: self.names() })
    }

    /// Returns every name, in the index's order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries().iter().filter_map(name_of).map(str::to_owned).collect()
    }

    /// Returns every name with its entry.
    pub(crate) fn named(&self, origin: &str) -> Result<Vec<(String, Descriptor)>, ImageError> {
        let malformed = |source| ImageError::MalformedDocument {
            document: Document::LayoutIndex,
            origin: origin.to_owned(),
            source,
        };
        let named = self.entries().iter().filter_map(|entry| Some((name_of(entry)?.to_owned(), entry)));
        let parse = |entry: &Value| serde_json::from_value(entry.clone()).map_err(malformed);
        named.map(|(name, entry)| Ok((name, parse(entry)?))).collect()
    }

    fn entries(&self) -> &[Value] {
        self.0.get(ENTRIES).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Returns a reference's name without its digest, unless it has nothing else.
fn whole_name(name: &ImageRef) -> String {
    match name.tag() {
        Some(tag) => format!("{}/{}:{tag}", name.registry(), name.repository()),
        None => name.to_string(),
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn annotation<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    text(entry.get("annotations")?.get(key))
}

fn name_of(entry: &Value) -> Option<&str> {
    annotation(entry, NAME).or_else(|| annotation(entry, TAG))
}

/// Says whether an entry has a name: the whole one, or, in entries without a whole one, the tag.
fn is_called(entry: &Value, name: &ImageRef) -> bool {
    match (annotation(entry, NAME), annotation(entry, TAG)) {
        (Some(whole), _) => whole == whole_name(name),
        (None, Some(tag)) => name.tag() == Some(tag) || tag == whole_name(name),
        (None, None) => false,
    }
}

/// Says whether a user who writes `name` may mean this entry.
fn answers_to(entry: &Value, name: &str) -> bool {
    let whole = name.parse::<ImageRef>().map(|name| whole_name(&name)).ok();
    [annotation(entry, NAME), annotation(entry, TAG)]
        .into_iter()
        .flatten()
        .any(|known| known == name || Some(known) == whole.as_deref())
}

fn means(entry: &Value, name: &ImageRef) -> bool {
    let Some(digest) = name.digest() else { return is_called(entry, name) };
    let known = name_of(entry).and_then(|known| known.parse::<ImageRef>().ok());
    text(entry.get("digest")) == Some(digest.to_string().as_str())
        && known.is_some_and(|known| known.same_repository(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use zoea_model::Digest;

    use super::*;
    use crate::media::OCI_MANIFEST;

    fn manifest(content: &str) -> DescriptorText {
        DescriptorText {
            media_type: OCI_MANIFEST.to_owned(),
            digest: Digest::of(content.as_bytes()).to_string(),
            size: 1,
            ..DescriptorText::default()
        }
    }

    fn digest(index: &LayoutIndex, wanted: Wanted<'_>) -> Result<String, ImageError> {
        let found = index.find(wanted, "test")?;
        assert_eq!(found.manifests().len(), 1);
        Ok(found.manifests()[0].digest().to_string())
    }

    #[test]
    fn foreign_entries_and_fields_are_kept() {
        let text = format!(
            r#"{{"schemaVersion":2,"x":[1],"manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":1,"y":{{}},"annotations":{{"{TAG}":"other"}}}}]}}"#,
            Digest::of(b"old")
        );
        let mut index = LayoutIndex::parse(text.as_bytes(), "test").unwrap();
        assert_eq!(String::from_utf8(index.to_bytes().unwrap()).unwrap(), text);
        index.put(&manifest("new"), Some(&"app:1".parse().unwrap())).unwrap();
        let written = String::from_utf8(index.to_bytes().unwrap()).unwrap();
        assert!(written.contains(r#""y":{}"#) && written.contains(r#""x":[1]"#), "{written}");
        assert_eq!(index.names(), ["other", "docker.io/library/app:1"]);
        let expected = Digest::of(b"new").to_string();
        for name in ["1", "app:1", "docker.io/library/app:1"] {
            assert_eq!(digest(&index, Wanted::Named(name)).unwrap(), expected);
        }
        assert!(matches!(digest(&index, Wanted::Only), Err(ImageError::AmbiguousName { .. })));
        assert!(matches!(digest(&index, Wanted::Named("2")), Err(ImageError::UnknownName { .. })));
    }

    #[test]
    fn a_tag_of_another_program_is_replaced() {
        let mut index = LayoutIndex::default();
        let mut old = manifest("old");
        old.annotations.insert(TAG.to_owned(), "1".to_owned());
        index.put(&old, None).unwrap();
        index.put(&manifest("new"), Some(&"app:1".parse().unwrap())).unwrap();
        assert_eq!(index.entries().len(), 1);
    }

    #[test]
    fn digests_count_only_in_their_repository() {
        let mut index = LayoutIndex::default();
        index.put(&manifest("a"), Some(&"app:1".parse().unwrap())).unwrap();
        let reference = |name: &str| format!("{name}@{}", Digest::of(b"a")).parse::<ImageRef>().unwrap();
        assert!(digest(&index, Wanted::Reference(&reference("app"))).is_ok());
        assert!(digest(&index, Wanted::Reference(&reference("other"))).is_err());
    }

    #[test]
    fn malformed_indexes_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":1,"manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[{}]}"#,
        ] {
            assert!(LayoutIndex::parse(text.as_bytes(), "test").is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_last_put_of_each_name_counts(puts in prop::collection::vec(("[ab](:[12])?", "[xyz]"), 0..12)) {
            let mut index = LayoutIndex::default();
            let mut model = BTreeMap::new();
            for (name, content) in &puts {
                let name: ImageRef = name.parse().unwrap();
                index.put(&manifest(content), Some(&name)).unwrap();
                model.insert(name.to_string(), Digest::of(content.as_bytes()).to_string());
                index = LayoutIndex::parse(&index.to_bytes().unwrap(), "test").unwrap();
            }
            prop_assert_eq!(index.entries().len(), model.len());
            for (name, expected) in model {
                prop_assert_eq!(digest(&index, Wanted::Reference(&name.parse().unwrap())).unwrap(), expected);
            }
        }
    }
}
