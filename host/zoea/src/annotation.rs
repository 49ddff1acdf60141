//! Annotations, each with the document that it belongs to.
//!
//! Owns BuildKit's form `[TYPE[[PLATFORM]],…:]KEY=VALUE`. Pure.

use std::collections::BTreeMap;

use zoea_model::Platform;

/// What an annotation is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnotationPlace {
    /// An image's manifest.
    Manifest,
    /// An image's descriptor: in the index, or where the image is named.
    ManifestDescriptor,
    /// The index.
    Index,
    /// The index's descriptor, where the index is named.
    IndexDescriptor,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// What it is of.
    pub place: AnnotationPlace,
    /// Of which platform's image alone; of every one by default.
    pub platform: Option<Platform>,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A text that is no annotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// There is no key, or no value.
    #[error("expected `[TYPE:]KEY=VALUE`")]
    Form,
    /// The type is none that there is.
    #[error(
        "unknown type `{0}`; known are `manifest`, `manifest-descriptor`, `index` and `index-descriptor`, each perhaps \
         with `[PLATFORM]`"
    )]
    Type(String),
    /// The platform is malformed.
    #[error("`{0}` is no platform")]
    Platform(String),
}

impl Annotation {
    /// Reads one text, which may name several places.
    ///
    /// # Errors
    /// The text is no annotation.
    pub fn parse(text: &str) -> Result<Vec<Self>, AnnotationError> {
        let (name, value) = text.split_once('=').ok_or(AnnotationError::Form)?;
        let (types, key) = name.split_once(':').unwrap_or(("manifest", name));
        if key.is_empty() {
            return Err(AnnotationError::Form);
        }
        let annotation = |text: &str| {
            let (kind, platform) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
                Some((kind, platform)) => {
                    let malformed = |_| AnnotationError::Platform(platform.to_owned());
                    (kind, Some(platform.parse::<Platform>().map_err(malformed)?))
                }
                None => (text, None),
            };
            let place = match kind {
                "manifest" => AnnotationPlace::Manifest,
                "manifest-descriptor" => AnnotationPlace::ManifestDescriptor,
                "index" => AnnotationPlace::Index,
                "index-descriptor" => AnnotationPlace::IndexDescriptor,
                _ => return Err(AnnotationError::Type(text.to_owned())),
            };
            Ok(Self { place, platform, key: key.to_owned(), value: value.to_owned() })
        };
        types.split(',').map(annotation).collect()
    }

    /// Says whether it is of an index, or of where one is named.
    pub fn needs_index(&self) -> bool {
        match self.place {
            AnnotationPlace::Index | AnnotationPlace::IndexDescriptor => true,
            AnnotationPlace::Manifest | AnnotationPlace::ManifestDescriptor => false,
        }
    }
}

/// Returns the annotations of an index or its descriptor. A platform in their brackets says nothing, as in BuildKit.
pub(crate) fn of_index(annotations: &[Annotation], place: AnnotationPlace) -> BTreeMap<String, String> {
    annotations.iter().filter(|annotation| annotation.place == place).map(pair).collect()
}

/// Returns the annotations of the image for `platform` or of its descriptor; its own ones count before those of all.
pub(crate) fn of_image(
    annotations: &[Annotation],
    place: AnnotationPlace,
    platform: &Platform,
) -> BTreeMap<String, String> {
    let here = || annotations.iter().filter(|annotation| annotation.place == place);
    let of_all = here().filter(|annotation| annotation.platform.is_none());
    let own = here().filter(|annotation| annotation.platform.as_ref() == Some(platform));
    of_all.chain(own).map(pair).collect()
}

fn pair(annotation: &Annotation) -> (String, String) {
    (annotation.key.clone(), annotation.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<Annotation> {
        texts.iter().flat_map(|text| Annotation::parse(text).unwrap()).collect()
    }

    #[test]
    fn places_and_platforms_are_read() {
        let annotations =
            all(&["manifest[linux/arm64]:a=own", "a=all", "index,manifest-descriptor:b=c=d", "index:e="]);
        let of = |platform: &str| {
            of_image(&annotations, AnnotationPlace::Manifest, &platform.parse().unwrap())["a"].clone()
        };
        assert_eq!((of("linux/arm64").as_str(), of("linux/amd64").as_str()), ("own", "all"));
        let index = of_index(&annotations, AnnotationPlace::Index);
        assert_eq!(
            index.into_iter().collect::<Vec<_>>(),
            [("b".to_owned(), "c=d".to_owned()), ("e".to_owned(), String::new())]
        );
        assert!(of_index(&annotations, AnnotationPlace::IndexDescriptor).is_empty());
    }

    #[test]
    fn what_is_no_annotation_is_refused() {
        for text in ["", "a", "=a", "index:=a", "key:with=colon", "manifest[linux]:a=b", "index[:a=b", ":a=b"]
        {
            assert!(Annotation::parse(text).is_err(), "{text}");
        }
    }
}
