//! Options → request: finds and opens what the user named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use zoea::model::{Event, Events, Warning};
use zoea::{
    ContextSource, DockerfileRequest, DockerfileText, FileSink, ImageFormat, ImageLocation, NamedContext,
    NamedImage, Output, Request,
};

use crate::error::CliError;
use crate::options::{DockerfileChoice, NamedLocation, Options};
use crate::output_spec::{Destination, OutputSpec};
use crate::places::{Located, Places};
use crate::wire;

/// The build argument that dates a build.
const SOURCE_DATE: &str = "SOURCE_DATE_EPOCH";

/// A request with the contexts that it reads.
pub(crate) struct Prepared {
    pub(crate) request: Request,
    pub(crate) main: ContextSource,
    pub(crate) named: BTreeMap<String, ContextSource>,
}

/// Opens everything that `options` name. Warnings go to `events`.
pub(crate) fn prepare(options: &Options, places: &Places<'_>) -> Result<Prepared, CliError> {
    let (dockerfile, main) = match places.locate(&options.context, &options.build_args)? {
        Located::Directory(path) => {
            let path = context_path(&options.context, path, places.events);
            let (dockerfile, place) = dockerfile(options, &path, places.events)?;
            let place = place.as_ref().map(|(directory, name)| (directory, name.as_path()));
            (dockerfile, places.local(&path, place)?)
        }
        Located::Remote(remote) => places.remote(remote, &options.dockerfile)?,
    };
    let (mut images, mut named) = (BTreeMap::new(), BTreeMap::new());
    for (name, location) in &options.named_contexts {
        match location {
            NamedLocation::Image(location) => drop(images.insert(name.clone(), named_image(location)?)),
            NamedLocation::Files(text) => {
                let source = match places.locate(text, &options.build_args)? {
                    Located::Directory(path) => places.local(&path, None)?,
                    Located::Remote(remote) => ContextSource::Remote(remote),
                };
                named.insert(name.clone(), source);
            }
        }
    }
    let request = Request {
        dockerfile,
        platforms: options.platforms.clone(),
        dockerfile_request: dockerfile_request(options),
        named_images: images,
        pull: options.pull,
        tags: options.tags.clone(),
        outputs: options.outputs.iter().map(output).collect::<Result<_, _>>()?,
        compression: options.compression,
        format: ImageFormat::Oci,
        annotations: options.annotations.clone(),
        source_date_epoch: options.source_date_epoch,
        jobs: options.jobs,
    };
    Ok(Prepared { request, main, named })
}

fn context_path(text: &str, path: PathBuf, events: &dyn Events) -> PathBuf {
    if !wire::exists(&path) && path.is_relative() {
        // kaniko's image works in /workspace, and its tutorials write `dir://workspace` for it.
        let rooted = Path::new("/").join(&path);
        if text.starts_with("dir://") && wire::exists(&rooted) {
            let message = format!("context `{text}` is not here; taking `{}` instead", rooted.display());
            events.emit(Event::Warning(Warning::new(message)));
            return rooted;
        }
    }
    path
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
    let mut build_args: BTreeMap<String, String> = options.build_args.iter().filter_map(value).collect();
    if let Some(date) = options.source_date_epoch {
        // Dockerfiles that declare it see it, as with BuildKit's client.
        build_args.entry(SOURCE_DATE.to_owned()).or_insert_with(|| date.seconds.to_string());
    }
    DockerfileRequest {
        target: options.target.clone(),
        build_args,
        // Each of the platforms in turn takes its place.
        platform: zoea::model::Platform::host(),
        build_platform: zoea::model::Platform::host(),
        labels: options.labels.clone(),
        named_contexts: options.named_contexts.iter().map(named_context).collect(),
    }
}

fn named_context((name, location): (&String, &NamedLocation)) -> (String, NamedContext) {
    let kind = match location {
        NamedLocation::Image(_) => NamedContext::Image,
        NamedLocation::Files(_) => NamedContext::Files,
    };
    (name.clone(), kind)
}

fn named_image(location: &ImageLocation) -> Result<NamedImage, CliError> {
    Ok(match location {
        ImageLocation::Registry(reference) => NamedImage::Registry(reference.clone()),
        ImageLocation::Layout { path, tag } => {
            NamedImage::Layout { directory: wire::open_directory(path)?, tag: tag.clone() }
        }
        ImageLocation::Archive { path } => {
            let (directory, name) = wire::open_parent(path)?;
            NamedImage::Archive { directory, name }
        }
    })
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
