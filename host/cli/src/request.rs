//! Options → request: finds and opens what the user named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use zoea::model::{Event, Events, Warning};
use zoea::{
    Context, DockerfileRequest, DockerfileText, FileSink, ImageFormat, ImageLocation, Location, NamedImage,
    Output, Request,
};

use crate::error::CliError;
use crate::options::{DockerfileChoice, Options};
use crate::output_spec::{Destination, OutputSpec};
use crate::wire;

/// A request with the context that it reads.
pub(crate) struct Prepared {
    pub(crate) request: Request,
    pub(crate) context: Context,
}

/// Opens everything that `options` name. Warnings go to `events`.
pub(crate) fn prepare(options: &Options, events: &dyn Events) -> Result<Prepared, CliError> {
    let context_path = context_path(&options.context, events)?;
    let directory = wire::open_directory(&context_path)?;
    let (dockerfile, place) = dockerfile(options, &context_path, events)?;
    let context =
        Context::open_with_ignore_file(directory, place.as_ref().map(|(dir, name)| (dir, name.as_path())))
            .map_err(CliError::Context)?;
    let request = Request {
        dockerfile,
        platforms: options.platforms.clone(),
        dockerfile_request: dockerfile_request(options),
        named_images: named_images(&options.named_images)?,
        pull: options.pull,
        tags: options.tags.clone(),
        outputs: options.outputs.iter().map(output).collect::<Result<_, _>>()?,
        compression: options.compression,
        format: ImageFormat::Oci,
        annotations: options.annotations.clone(),
        source_date_epoch: options.source_date_epoch,
        jobs: options.jobs,
    };
    Ok(Prepared { request, context })
}

fn context_path(text: &str, events: &dyn Events) -> Result<PathBuf, CliError> {
    let Location::Directory(path) = text.parse().map_err(CliError::Context)?;
    if !wire::exists(&path) && path.is_relative() {
        // kaniko's image works in /workspace, and its tutorials write `dir://workspace` for it.
        let rooted = Path::new("/").join(&path);
        if text.starts_with("dir://") && wire::exists(&rooted) {
            let message = format!("context `{text}` is not here; taking `{}` instead", rooted.display());
            events.emit(Event::Warning(Warning::new(message)));
            return Ok(rooted);
        }
    }
    Ok(path)
}

/// A directory and a name in it.
type Place = (Dir, PathBuf);

/// Reads the Dockerfile; answers also where it is: `<Dockerfile>.dockerignore` may stand beside it.
fn dockerfile(
    options: &Options,
    context: &Path,
    events: &dyn Events,
) -> Result<(DockerfileText, Option<Place>), CliError> {
    let path = match &options.dockerfile {
        DockerfileChoice::Stdin => {
            let text = DockerfileText { name: "Dockerfile".to_owned(), bytes: wire::read_stdin()? };
            return Ok((text, None));
        }
        DockerfileChoice::Path(path) => path.clone(),
        DockerfileChoice::Default => default_dockerfile(context),
        DockerfileChoice::WorkingDirectoryOrContext(path) => {
            working_directory_or_context(path, context, events)
        }
    };
    let text = DockerfileText { name: path.display().to_string(), bytes: wire::read_file(&path)? };
    Ok((text, Some(wire::open_parent(&path)?)))
}

/// `Dockerfile`, or `dockerfile` where only that exists.
fn default_dockerfile(context: &Path) -> PathBuf {
    let (usual, lower) = (context.join("Dockerfile"), context.join("dockerfile"));
    if !wire::exists(&usual) && wire::exists(&lower) { lower } else { usual }
}

fn working_directory_or_context(path: &Path, context: &Path, events: &dyn Events) -> PathBuf {
    let in_context = context.join(path);
    if !wire::exists(path) {
        return in_context;
    }
    if path.is_relative() && wire::exists(&in_context) && !wire::same_file(path, &in_context) {
        let message =
            format!("`{}` in the working directory is built, not the one in the context", path.display());
        events.emit(Event::Warning(Warning::new(message)));
    }
    path.to_owned()
}

fn dockerfile_request(options: &Options) -> DockerfileRequest {
    let value = |(name, value): (&String, &Option<String>)| {
        let value = value.clone().or_else(|| wire::variable(name))?;
        Some((name.clone(), value))
    };
    DockerfileRequest {
        target: options.target.clone(),
        build_args: options.build_args.iter().filter_map(value).collect(),
        // Each of the platforms in turn takes its place.
        platform: zoea::model::Platform::host(),
        build_platform: zoea::model::Platform::host(),
        labels: options.labels.clone(),
        named_contexts: options
            .named_images
            .keys()
            .map(|name| (name.clone(), zoea::NamedContext::Image))
            .collect(),
    }
}

fn named_images(
    locations: &BTreeMap<String, ImageLocation>,
) -> Result<BTreeMap<String, NamedImage>, CliError> {
    let open = |(name, location): (&String, &ImageLocation)| {
        let image = match location {
            ImageLocation::Registry(reference) => NamedImage::Registry(reference.clone()),
            ImageLocation::Layout { path, tag } => {
                NamedImage::Layout { directory: wire::open_directory(path)?, tag: tag.clone() }
            }
            ImageLocation::Archive { path } => {
                let (directory, name) = wire::open_parent(path)?;
                NamedImage::Archive { directory, name }
            }
        };
        Ok((name.clone(), image))
    };
    locations.iter().map(open).collect()
}

fn output(spec: &OutputSpec) -> Result<Output, CliError> {
    Ok(match spec {
        OutputSpec::OciArchive(destination) => Output::OciArchive(sink(destination)?),
        OutputSpec::DockerArchive(destination) => Output::DockerArchive(sink(destination)?),
        OutputSpec::Tar(destination, split) => Output::Tar(sink(destination)?, *split),
        OutputSpec::OciLayout(path) => Output::OciLayout(wire::create_directory(path)?),
        OutputSpec::Local(path, split) => Output::Local(wire::create_directory(path)?, *split),
        OutputSpec::Image { push: true, .. } => Output::Push,
        OutputSpec::Image { push: false, .. } => Output::Store,
    })
}

fn sink(destination: &Destination) -> Result<FileSink, CliError> {
    match destination {
        Destination::Stdout => Ok(FileSink::Stdout),
        Destination::File(path) => wire::file_sink(path),
    }
}
