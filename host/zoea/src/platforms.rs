//! What a request's platforms mean: one image or an index, and what goes with which.
//!
//! Pure, and decided before anything is read.

use zoea_model::Platform;

use crate::{Annotation, Output, PlatformSplit, Request};

/// The build argument that asks for an index of one image, or forbids one; BuildKit's.
const MULTI_PLATFORM: &str = "BUILDKIT_MULTI_PLATFORM";

/// What a build gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One image.
    Image,
    /// An index, perhaps of one image.
    Index,
}

/// A request whose parts do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No platform is asked for.
    #[error("No platform is asked for")]
    NoPlatform,
    /// A platform is asked for twice.
    #[error("Platform `{0}` is asked for twice")]
    PlatformTwice(Platform),
    /// The build argument is no truth value.
    #[error("Invalid value `{0}` of build argument `BUILDKIT_MULTI_PLATFORM`: it is neither true nor false")]
    MultiPlatform(String),
    /// Several platforms make an index.
    #[error("Build argument `BUILDKIT_MULTI_PLATFORM` forbids an index, which several platforms need")]
    IndexForbidden,
    /// `docker load` takes one image.
    #[error("An archive for `docker load` cannot hold an index of images for several platforms")]
    IndexInDockerArchive,
    /// Files of several trees would lie upon each other.
    #[error(
        "Files for several platforms are written into one directory each: `platform-split=false` is not built"
    )]
    Unsplit,
    /// There is no index to annotate.
    #[error("Annotation `{0}` belongs to an index, and one image without an index is built")]
    IndexAnnotation(String),
    /// There is no image to annotate.
    #[error("Annotation `{key}` belongs to an image for `{platform}` in an index, and none is built")]
    AnnotationPlatform {
        /// Its key.
        key: String,
        /// The platform that it names.
        platform: Platform,
    },
}

impl RequestError {
    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::IndexInDockerArchive => {
                Some("build for one platform, or write an OCI archive (`--output type=oci,dest=FILE`)")
            }
            Self::IndexAnnotation(_) => Some(
                "build for several platforms, or make an index of one with `--build-arg BUILDKIT_MULTI_PLATFORM=1`",
            ),
            Self::NoPlatform
            | Self::PlatformTwice(_)
            | Self::MultiPlatform(_)
            | Self::IndexForbidden
            | Self::Unsplit
            | Self::AnnotationPlatform { .. } => None,
        }
    }
}

/// Returns what `request` makes.
pub(crate) fn check(request: &Request) -> Result<Form, RequestError> {
    let platforms = &request.platforms;
    if platforms.is_empty() {
        return Err(RequestError::NoPlatform);
    }
    for (index, platform) in platforms.iter().enumerate() {
        if platforms.iter().take(index).any(|earlier| earlier == platform) {
            return Err(RequestError::PlatformTwice(platform.clone()));
        }
    }
    let asked = request.dockerfile_request.build_args.get(MULTI_PLATFORM).map(String::as_str);
    let form = form(platforms, asked)?;
    for output in &request.outputs {
        check_output(output, form)?;
    }
    for annotation in &request.annotations {
        check_annotation(annotation, form, platforms)?;
    }
    Ok(form)
}

fn form(platforms: &[Platform], asked: Option<&str>) -> Result<Form, RequestError> {
    // The words are those of Go's `strconv.ParseBool`.
    match (asked, platforms.len()) {
        (None | Some(""), 1) => Ok(Form::Image),
        (None | Some(""), _) => Ok(Form::Index),
        (Some("1" | "t" | "T" | "true" | "TRUE" | "True"), _) => Ok(Form::Index),
        (Some("0" | "f" | "F" | "false" | "FALSE" | "False"), 1) => Ok(Form::Image),
        (Some("0" | "f" | "F" | "false" | "FALSE" | "False"), _) => Err(RequestError::IndexForbidden),
        (Some(other), _) => Err(RequestError::MultiPlatform(other.to_owned())),
    }
}

fn check_output(output: &Output, form: Form) -> Result<(), RequestError> {
    match (output, form) {
        (Output::DockerArchive(_), Form::Index) => Err(RequestError::IndexInDockerArchive),
        (Output::Tar(_, split) | Output::Local(_, split), Form::Index) if *split == PlatformSplit::Never => {
            Err(RequestError::Unsplit)
        }
        (
            Output::Push
            | Output::Store
            | Output::OciArchive(_)
            | Output::OciLayout(_)
            | Output::DockerArchive(_)
            | Output::Tar(..)
            | Output::Local(..),
            Form::Image | Form::Index,
        ) => Ok(()),
    }
}

fn check_annotation(annotation: &Annotation, form: Form, platforms: &[Platform]) -> Result<(), RequestError> {
    match (form, annotation.needs_index(), &annotation.platform) {
        (Form::Image, true, _) => Err(RequestError::IndexAnnotation(annotation.key.clone())),
        (Form::Image, false, Some(platform)) => {
            Err(RequestError::AnnotationPlatform { key: annotation.key.clone(), platform: platform.clone() })
        }
        (Form::Index, _, Some(platform)) if !platforms.contains(platform) => {
            Err(RequestError::AnnotationPlatform { key: annotation.key.clone(), platform: platform.clone() })
        }
        (Form::Image, false, None) | (Form::Index, _, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn several_platforms_make_an_index() {
        let (one, two) = (platforms(&["linux/amd64"]), platforms(&["linux/amd64", "linux/arm64"]));
        assert_eq!(form(&one, None), Ok(Form::Image));
        assert_eq!(form(&one, Some("true")), Ok(Form::Index));
        assert_eq!(form(&one, Some("0")), Ok(Form::Image));
        assert_eq!(form(&two, Some("")), Ok(Form::Index));
        assert_eq!(form(&two, Some("false")), Err(RequestError::IndexForbidden));
        assert_eq!(form(&one, Some("yes")), Err(RequestError::MultiPlatform("yes".to_owned())));
    }

    #[test]
    fn annotations_fit_what_is_built() {
        let two = platforms(&["linux/amd64", "linux/arm64"]);
        let check = |text: &str, form, platforms| {
            check_annotation(&Annotation::parse(text).unwrap()[0], form, platforms).is_ok()
        };
        assert!(check("index:a=b", Form::Index, &two));
        assert!(!check("index:a=b", Form::Image, &two[..1]));
        assert!(check("manifest[linux/arm64]:a=b", Form::Index, &two));
        assert!(!check("manifest[linux/s390x]:a=b", Form::Index, &two));
        assert!(!check("manifest[linux/amd64]:a=b", Form::Image, &two[..1]));
        assert!(check("manifest-descriptor:a=b", Form::Image, &two[..1]));
    }
}
