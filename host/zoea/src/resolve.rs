//! Names of images → manifests, and with them Dockerfile → plan.

use std::collections::BTreeMap;
use std::io;

use zoea_dockerfile::{Dockerfile, ImageRequest, Known, KnownImage, Lowered, Needs};
use zoea_image::{Archive, Image, ImageError, Layout};
use zoea_model::{Digest, Event, ImageRef, ModelError, Plan, Platform, Warning};

use crate::{Authority, NamedImage, PullPolicy, Request, ZoeaError};

/// Why a name means no image.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It is no reference.
    #[error(transparent)]
    Reference(#[from] ModelError),
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] Box<ImageError>),
    /// The file that holds it cannot be opened.
    #[error("Failed to open archive `{name}`")]
    Open {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ResolveError {
    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(source) => source.hint(),
            Self::Reference(_) | Self::Open { .. } => None,
        }
    }
}

impl From<ImageError> for ResolveError {
    fn from(source: ImageError) -> Self {
        Self::Image(Box::new(source))
    }
}

/// A plan with the images that it names.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) plan: Plan,
    /// By the digest of the manifest.
    pub(crate) images: BTreeMap<Digest, Image>,
}

/// Lowers the Dockerfile, resolving the images that it turns out to need.
///
/// Ends because each round adds images that the Dockerfile or an inherited ONBUILD names, and none twice.
pub(crate) fn resolve(
    dockerfile: &Dockerfile,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<Resolved, ZoeaError> {
    let text = &request.dockerfile;
    let mut known = Known::default();
    let mut images = BTreeMap::new();
    loop {
        let lowered = zoea_dockerfile::lower(dockerfile, &request.dockerfile_request, &known)
            .map_err(|error| ZoeaError::dockerfile(&error, &text.name, &text.bytes))?;
        match lowered {
            Lowered::Plan { plan, warnings } => {
                for warning in warnings {
                    authority.events.emit(Event::Warning(warning));
                }
                return Ok(Resolved { plan, images });
            }
            Lowered::Needs(Needs { images: requests, .. }) => {
                for wanted in requests {
                    let image = open(&wanted, request, authority).map_err(|source| ZoeaError::Resolve {
                        file: text.name.clone(),
                        span: wanted.span,
                        name: wanted.name.clone(),
                        source: Box::new(source),
                    })?;
                    warn_of_platform(&wanted, &image, authority);
                    let digest = image.digest();
                    authority.events.emit(Event::ImageResolved { name: wanted.name.clone(), digest });
                    known.images.insert(wanted.key(), KnownImage { digest, config: image.config().clone() });
                    images.insert(digest, image);
                }
            }
        }
    }
}

/// An image that is for one platform only is taken whatever was asked for, as BuildKit takes it.
fn warn_of_platform(wanted: &ImageRequest, image: &Image, authority: &Authority<'_>) {
    let found = image.platform();
    if !wanted.platform.accepts(&found) {
        let message = format!("image `{}` is for {found}, not for {} as asked", wanted.name, wanted.platform);
        authority.events.emit(Event::Warning(Warning { span: Some(wanted.span), ..Warning::new(message) }));
    }
}

fn open(wanted: &ImageRequest, request: &Request, authority: &Authority<'_>) -> Result<Image, ResolveError> {
    if let Some(named) = request.named_images.get(&wanted.name) {
        return open_named(named, &wanted.platform, authority);
    }
    let reference: ImageRef = wanted.name.parse()?;
    if request.pull == PullPolicy::PreferStored
        && let Some(image) = authority.images.get(&reference, &wanted.platform)?
    {
        return Ok(image);
    }
    Ok(authority.registry.image(&reference, &wanted.platform)?)
}

fn open_named(
    named: &NamedImage,
    platform: &Platform,
    authority: &Authority<'_>,
) -> Result<Image, ResolveError> {
    match named {
        NamedImage::Registry(reference) => Ok(authority.registry.image(reference, platform)?),
        NamedImage::Layout { directory, tag } => {
            Ok(Layout::open(directory)?.image(tag.as_deref(), platform)?)
        }
        NamedImage::Archive { directory, name } => {
            let shown = name.display().to_string();
            // A pipe would be waited for without end; an archive is read at many places anyway.
            let file = match directory.metadata(name) {
                Ok(status) if !status.is_file() => Err(io::Error::other("it is no regular file")),
                Ok(_) | Err(_) => directory.open(name),
            };
            let file = file.map_err(|source| ResolveError::Open { name: shown.clone(), source })?;
            Ok(Archive::open(file, &shown)?.image(None, platform)?)
        }
    }
}
