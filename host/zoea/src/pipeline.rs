//! The whole build on one screen.
//!
//! Each arrow is one owned value and nothing flows back: Dockerfile → plan (with the images whose configuration
//! it needed) → built → written.

use zoea_build::{BaseBlobs, Capabilities, Options, TreeNeed};
use zoea_launch::Launcher;
use zoea_model::{Digest, ImageConfig};

use crate::export::export_all;
use crate::resolve::resolve;
use crate::{Authority, Output, Request, ZoeaError};

/// What a build made.
#[derive(Debug, Clone)]
pub struct Report {
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: String,
    /// The manifest's length in bytes.
    pub size: u64,
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
    let text = &request.dockerfile;
    let dockerfile = zoea_dockerfile::parse(&text.bytes)
        .map_err(|error| ZoeaError::dockerfile(&error, &text.name, &text.bytes))?;
    let resolved = resolve(&dockerfile, request, authority)?;
    let workspace = authority.store.begin_build().map_err(|source| ZoeaError::State(Box::new(source)))?;
    // Where there is none, a build without RUN still works; one with RUN is told why.
    let launcher = authority.surroundings.launcher(authority.step_settings.clone()).ok();
    let capabilities = Capabilities {
        workspace: &workspace,
        blobs: &authority.blobs,
        images: &resolved.images,
        contexts: authority.contexts,
        remotes: authority.remotes,
        launcher: launcher.as_ref().map(|launcher| launcher as &dyn Launcher),
        probe: authority.surroundings.probe(),
        clock: authority.clock,
        events: authority.events,
    };
    let built = zoea_build::build(&resolved.plan, &capabilities, &options(request))
        .map_err(|error| ZoeaError::build(error, &text.name))?;
    export_all(&built, request, authority, &workspace)?;
    Ok(report(&built))
}

fn options(request: &Request) -> Options {
    let reads_files = request.outputs.iter().any(Output::reads_files);
    let reads_blobs = request.outputs.iter().any(Output::reads_blobs);
    Options {
        compression: request.compression,
        format: request.format,
        source_date_epoch: request.source_date_epoch,
        annotations: request.annotations.clone(),
        jobs: request.jobs,
        base_blobs: if reads_blobs { BaseBlobs::Keep } else { BaseBlobs::Stream },
        target_tree: if reads_files { TreeNeed::Needed } else { TreeNeed::Unneeded },
    }
}

fn report(built: &zoea_build::Built) -> Report {
    let image = &built.image;
    Report {
        digest: image.digest(),
        media_type: image.media_type().to_string(),
        size: image.manifest_bytes().len() as u64,
        config_digest: image.config_digest(),
        config: image.config().clone(),
    }
}
