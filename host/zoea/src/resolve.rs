//! Names of images → manifests, and with them Dockerfile → plans, one for each platform.

use std::collections::BTreeMap;
use std::io;

use zoea_dockerfile::{Answer, Dockerfile, IgnoredFiles, ImageRequest, Known, KnownImage, Lowered, Needs};
use zoea_image::{Archive, Image, ImageError, Layout};
use zoea_model::{ContextName, Digest, Event, ImageRef, ModelError, Plan, Platform, Warning};

use crate::source_date::find_date;
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

/// The plans with the images that they name.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// For each platform of the request, in its order.
    pub(crate) plans: Vec<Plan>,
    /// By the digest of the manifest.
    pub(crate) images: BTreeMap<Digest, Image>,
}

/// Finds out what a Dockerfile's reading asks for, and remembers it: for one platform and for the next.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    request: &'a Request,
    authority: &'a Authority<'a>,
    known: Known,
    images: BTreeMap<Digest, Image>,
    told: Vec<Warning>,
}

/// Lowers the Dockerfile for every platform.
pub(crate) fn resolve(
    dockerfile: &Dockerfile,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<Resolved, ZoeaError> {
    let mut resolver = Resolver::new(request, authority);
    let mut plans = Vec::new();
    for platform in &request.platforms {
        plans.push(resolver.plan(dockerfile, platform)?);
    }
    Ok(Resolved { plans, images: resolver.images })
}

impl<'a> Resolver<'a> {
    /// Begins with what is known before anything is looked up.
    pub(crate) fn new(request: &'a Request, authority: &'a Authority<'a>) -> Self {
        // A context that cannot be had is complained of where its files are read.
        let ignored = authority
            .contexts
            .get(&ContextName::Main)
            .ok()
            .map(|context| IgnoredFiles::new(move |path| context.hides(path)));
        let known = Known { ignored: ignored.unwrap_or_default(), ..Known::default() };
        Self { request, authority, known, images: BTreeMap::new(), told: Vec::new() }
    }

    /// Lowers the Dockerfile for one platform and passes its warnings on.
    fn plan(&mut self, dockerfile: &Dockerfile, platform: &Platform) -> Result<Plan, ZoeaError> {
        let text = &self.request.dockerfile;
        let lowered = self.answer(platform, |asked, known| {
            Ok(match zoea_dockerfile::lower(dockerfile, asked, known) {
                Ok(Lowered::Needs(needs)) => Answer::Needs(needs),
                Ok(Lowered::Plan { plan, warnings }) => Answer::Known(Ok((plan, warnings))),
                Err(errors) => Answer::Known(Err(errors)),
            })
        })?;
        match lowered {
            Ok((plan, warnings)) => {
                self.warn_all(warnings);
                Ok(plan)
            }
            Err(errors) => {
                self.warn_all(errors.warnings().to_vec());
                Err(ZoeaError::dockerfile(&errors, &text.name, &text.bytes))
            }
        }
    }

    /// Asks until nothing more must be known.
    ///
    /// Ends because each round adds the date, or images that the Dockerfile or an inherited ONBUILD names, and none
    /// twice.
    pub(crate) fn answer<T>(
        &mut self,
        platform: &Platform,
        ask: impl Fn(&zoea_dockerfile::Request, &Known) -> Result<Answer<T>, ZoeaError>,
    ) -> Result<T, ZoeaError> {
        // Another platform may take its date from elsewhere.
        self.known.source_date = None;
        let asked = zoea_dockerfile::Request {
            platform: platform.clone(),
            ..self.request.dockerfile_request.clone()
        };
        loop {
            match ask(&asked, &self.known)? {
                Answer::Known(answer) => return Ok(answer),
                Answer::Needs(Needs { images, source_date }) => {
                    if let Some(wanted) = source_date {
                        self.known.source_date = Some(find_date(&wanted, self.authority)?);
                    }
                    for wanted in images {
                        self.look_up(&wanted)?;
                    }
                }
            }
        }
    }

    fn look_up(&mut self, wanted: &ImageRequest) -> Result<(), ZoeaError> {
        let image = open(wanted, self.request, self.authority).map_err(|source| ZoeaError::Resolve {
            file: self.request.dockerfile.name.clone(),
            span: wanted.span,
            name: wanted.name.clone(),
            similar_stage: wanted.similar_stage.clone(),
            source: Box::new(source),
        })?;
        self.warn_all(platform_warning(wanted, &image));
        let digest = image.digest();
        self.authority.events.emit(Event::ImageResolved { name: wanted.name.clone(), digest });
        let known = KnownImage { digest, config: image.config().clone() };
        self.known.images.insert(wanted.key(), known);
        self.images.insert(digest, image);
        Ok(())
    }

    /// Passes warnings on, each once for all platforms.
    fn warn_all(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        for warning in warnings {
            if !self.told.contains(&warning) {
                self.told.push(warning.clone());
                self.authority.events.emit(Event::Warning(warning));
            }
        }
    }
}

/// An image that is for one platform only is taken whatever was asked for, as BuildKit takes it. A build check
/// complains of another system or architecture, and this of another variant.
fn platform_warning(wanted: &ImageRequest, image: &Image) -> Option<Warning> {
    let found = image.platform();
    if wanted.platform.os != found.os || wanted.platform.architecture != found.architecture {
        return None;
    }
    let message = format!("image `{}` is for {found}, not for {} as asked", wanted.name, wanted.platform);
    let warning = Warning { span: Some(wanted.span), ..Warning::new(message) };
    (!wanted.platform.accepts(&found)).then_some(warning)
}

fn open(wanted: &ImageRequest, request: &Request, authority: &Authority<'_>) -> Result<Image, ResolveError> {
    if let Some(named) = request.named_images.get(&wanted.name) {
        return open_named(named, &wanted.platform, request.pull, authority);
    }
    open_reference(&wanted.name.parse()?, &wanted.platform, request.pull, authority)
}

/// Takes an image that an earlier build left, if it is for the wanted platform, and asks its registry otherwise.
fn open_reference(
    reference: &ImageRef,
    platform: &Platform,
    pull: PullPolicy,
    authority: &Authority<'_>,
) -> Result<Image, ResolveError> {
    let pulled = || authority.registry.image(reference, platform);
    if pull == PullPolicy::Always {
        return Ok(pulled()?);
    }
    match authority.images.get(reference, platform) {
        Ok(Some(image)) => Ok(image),
        Ok(None) => Ok(pulled()?),
        // Where the registry has none either, what is offered here says more than its refusal.
        Err(stored @ ImageError::NoMatchingPlatform { .. }) => pulled().map_err(|_| stored.into()),
        Err(error) => Err(error.into()),
    }
}

fn open_named(
    named: &NamedImage,
    platform: &Platform,
    pull: PullPolicy,
    authority: &Authority<'_>,
) -> Result<Image, ResolveError> {
    match named {
        NamedImage::Registry(reference) => open_reference(reference, platform, pull, authority),
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
