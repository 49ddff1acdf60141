//! The whole build on one screen.
//!
//! Each arrow is one owned value and nothing flows back: Dockerfile → plans (with the images whose configuration
//! they needed) → built → delivery → written.

use std::collections::BTreeMap;

use zoea_build::{BaseBlobs, Built, Capabilities, Options, StepNaming, TreeNeed};
use zoea_image::{Delivery, IndexDraft, IndexEntry, compose_index};
use zoea_launch::Launcher;
use zoea_model::{Digest, Event, ImageConfig, Platform};

use crate::annotation::{self, AnnotationPlace};
use crate::export::{Product, export_all};
use crate::platforms::{Form, check};
use crate::resolve::resolve;
use crate::{Authority, Output, Request, ZoeaError};

/// What a build made.
#[derive(Debug, Clone)]
pub struct Report {
    /// The digest of the image's manifest, or of the index.
    pub digest: Digest,
    /// The media type of what has that digest.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
    /// The image; none for an index.
    pub image: Option<ReportedImage>,
}

/// One image that a build made.
#[derive(Debug, Clone)]
pub struct ReportedImage {
    /// The digest of the image's configuration.
    pub config_digest: Digest,
    /// The configuration.
    pub config: ImageConfig,
}

/// Builds what `request` asks for with what `authority` allows.
///
/// # Errors
/// See [`ZoeaError`]. After a failure nothing half-made stands anywhere: outputs appear whole or not at all.
pub fn build(request: &Request, authority: &Authority<'_>) -> Result<Report, ZoeaError> {
    let form = check(request)?;
    let text = &request.dockerfile;
    let dockerfile = zoea_dockerfile::parse(&text.bytes)
        .map_err(|error| ZoeaError::dockerfile(&error, &text.name, &text.bytes))?;
    let resolved = resolve(&dockerfile, request, authority)?;
    let workspace = authority.store.begin_build().map_err(|source| ZoeaError::State(Box::new(source)))?;
    // Where there is none, a build without RUN still works; one with RUN is told why.
    let launcher = authority.surroundings.launcher(authority.step_settings.clone()).ok();
    let capabilities = |platform: &Platform| Capabilities {
        workspace: &workspace,
        blobs: &authority.blobs,
        images: &resolved.images,
        contexts: authority.contexts,
        remotes: authority.remotes,
        launcher: launcher.as_ref().map(|launcher| launcher as &dyn Launcher),
        probe: authority.surroundings.probe(),
        naming: match form {
            Form::Image => StepNaming::Plain,
            Form::Index => StepNaming::For(platform.clone()),
        },
        clock: authority.clock,
        events: authority.events,
    };
    let failed = |error| ZoeaError::build(error, &text.name);
    // For all platforms before anything runs for one.
    for (platform, plan) in request.platforms.iter().zip(&resolved.plans) {
        zoea_build::check(plan, &capabilities(platform)).map_err(failed)?;
    }
    let mut built = Vec::new();
    for (platform, plan) in request.platforms.iter().zip(&resolved.plans) {
        let options = options(request, platform);
        let result = zoea_build::build(plan, &capabilities(platform), &options).map_err(failed)?;
        built.push((platform.clone(), result));
    }
    let delivery = deliver(&built, form, request, authority)?;
    export_all(&Product { delivery: &delivery, built: &built, form }, request, authority, &workspace)?;
    Ok(report(&delivery))
}

fn options(request: &Request, platform: &Platform) -> Options {
    let reads_files = request.outputs.iter().any(Output::reads_files);
    let reads_blobs = request.outputs.iter().any(Output::reads_blobs);
    Options {
        compression: request.compression,
        format: request.format,
        source_date_epoch: request.source_date_epoch,
        annotations: annotation::of_image(&request.annotations, AnnotationPlace::Manifest, platform),
        jobs: request.jobs,
        base_blobs: if reads_blobs { BaseBlobs::Keep } else { BaseBlobs::Stream },
        target_tree: if reads_files { TreeNeed::Needed } else { TreeNeed::Unneeded },
    }
}

/// Makes of what was built what the names will mean.
fn deliver(
    built: &[(Platform, Built)],
    form: Form,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<Delivery, ZoeaError> {
    let of_descriptor = |platform: &Platform| {
        annotation::of_image(&request.annotations, AnnotationPlace::ManifestDescriptor, platform)
    };
    if let (Form::Image, [(platform, only)]) = (form, built) {
        return Ok(Delivery::from(&only.image).annotated(of_descriptor(platform)));
    }
    let entry = |(platform, built): &(Platform, Built)| IndexEntry {
        platform: platform.clone(),
        image: built.image.clone(),
        annotations: of_descriptor(platform),
    };
    let draft = IndexDraft {
        entries: built.iter().map(entry).collect(),
        annotations: annotation::of_index(&request.annotations, AnnotationPlace::Index),
        format: request.format,
    };
    let index = compose_index(draft, &authority.blobs)
        .map_err(|source| ZoeaError::Build(Box::new(zoea_build::BuildError::Image(source))))?;
    authority.events.emit(Event::ImageBuilt { digest: index.digest() });
    let annotations = annotation::of_index(&request.annotations, AnnotationPlace::IndexDescriptor);
    Ok(Delivery::from(index).annotated(annotations))
}

fn report(delivery: &Delivery) -> Report {
    let image = match (delivery.index(), delivery.images()) {
        (None, [image]) => {
            Some(ReportedImage { config_digest: image.config_digest(), config: image.config().clone() })
        }
        _ => None,
    };
    Report {
        digest: delivery.digest(),
        media_type: delivery.media_type().to_owned(),
        size: delivery.bytes().len() as u64,
        annotations: delivery.annotations().clone(),
        image,
    }
}
