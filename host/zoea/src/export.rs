//! The result → files, archives, the state directory, registries.
//!
//! Local outputs come first and the push last, so that a failure to write here publishes nothing there.

use std::io;

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _, Permissions, PermissionsExt as _};
use zoea_build::Built;
use zoea_image::{ArchiveFormat, Delivery, ImageError, Layout, write_archive};
use zoea_model::{Event, Platform, Timestamp};
use zoea_rootfs::{TreeView, Workspace, export_directory, export_tar, export_tar_of_several};

use crate::platforms::Form;
use crate::{Authority, FileSink, Output, PlatformSplit, Request, ZoeaError};

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product<'a> {
    /// What the names will mean.
    pub(crate) delivery: &'a Delivery,
    /// What it was made of, with the files of each platform.
    pub(crate) built: &'a [(Platform, Built)],
    pub(crate) form: Form,
}

/// The files of one platform.
struct PlatformFiles {
    /// The name of its directory, where each platform has one.
    name: String,
    view: TreeView,
    /// The latest time of a file.
    latest: Option<Timestamp>,
}

/// Writes every output of `request`.
pub(crate) fn export_all(
    product: &Product<'_>,
    request: &Request,
    authority: &Authority<'_>,
    workspace: &Workspace,
) -> Result<(), ZoeaError> {
    let (pushes, local): (Vec<&Output>, Vec<&Output>) =
        request.outputs.iter().partition(|output| matches!(output, Output::Push));
    let files = files(product, workspace)?;
    for output in local {
        let destination = name(output);
        export(output, product, &files, request, authority)?;
        authority.events.emit(Event::Exported { destination });
    }
    if pushes.is_empty() {
        authority.events.emit(Event::PushSkipped);
        return Ok(());
    }
    let names: Vec<String> = request.tags.iter().map(ToString::to_string).collect();
    authority
        .registry
        .push(product.delivery, &request.tags, authority.events)
        .map(drop)
        .map_err(|source| ZoeaError::ExportImage { destination: names.join(", "), source: Box::new(source) })
}

/// Makes the trees readable, where there are some: where an output reads files.
fn files(product: &Product<'_>, workspace: &Workspace) -> Result<Vec<PlatformFiles>, ZoeaError> {
    let trees =
        product.built.iter().filter_map(|(platform, built)| Some((platform, built, built.tree.as_ref()?)));
    let view = |(platform, built, tree): (&Platform, &Built, _)| {
        // The form of BuildKit's directories.
        let name = platform.to_string().replace('/', "_");
        Ok(PlatformFiles { name, view: workspace.view(tree)?, latest: built.source_date })
    };
    trees.map(view).collect::<Result<_, _>>().map_err(|source| ZoeaError::State(Box::new(source)))
}

fn is_split(split: PlatformSplit, form: Form) -> bool {
    match (split, form) {
        (PlatformSplit::Always, _) | (PlatformSplit::OfIndex, Form::Index) => true,
        (PlatformSplit::Never, _) | (PlatformSplit::OfIndex, Form::Image) => false,
    }
}

fn export(
    output: &Output,
    product: &Product<'_>,
    files: &[PlatformFiles],
    request: &Request,
    authority: &Authority<'_>,
) -> Result<(), ZoeaError> {
    let destination = name(output);
    let delivery = product.delivery;
    let image_error = |source: ImageError| ZoeaError::ExportImage {
        destination: destination.clone(),
        source: Box::new(source),
    };
    let files_error =
        |source| ZoeaError::ExportFiles { destination: destination.clone(), source: Box::new(source) };
    let write_error = |source| ZoeaError::Write { destination: destination.clone(), source };
    match output {
        Output::Push => Ok(()),
        Output::Store => authority.images.put(delivery, &request.tags).map_err(image_error),
        Output::OciArchive(sink) => sink.fill(
            |writer| write_archive(delivery, &request.tags, ArchiveFormat::Oci, writer).map_err(image_error),
            write_error,
        ),
        Output::DockerArchive(sink) => sink.fill(
            |writer| {
                write_archive(delivery, &request.tags, ArchiveFormat::Docker, writer).map_err(image_error)
            },
            write_error,
        ),
        Output::OciLayout(directory) => Layout::create(directory)
            .and_then(|layout| layout.put(delivery, &request.tags))
            .map_err(image_error),
        Output::Tar(sink, split) => sink.fill(
            |writer| {
                if is_split(*split, product.form) {
                    // A build has one date, whatever its platforms.
                    let latest = files.first().and_then(|platform| platform.latest);
                    let made = latest.unwrap_or_else(|| authority.clock.now());
                    let views: Vec<_> =
                        files.iter().map(|platform| (platform.name.as_str(), &platform.view)).collect();
                    return export_tar_of_several(&views, made, latest, writer).map_err(files_error);
                }
                files.iter().try_for_each(|platform| {
                    export_tar(&platform.view, platform.latest, writer).map_err(files_error)
                })
            },
            write_error,
        ),
        Output::Local(directory, split) => files.iter().try_for_each(|platform| {
            if is_split(*split, product.form) {
                let below = directory_below(directory, &platform.name).map_err(write_error)?;
                return export_directory(&platform.view, &below).map_err(files_error);
            }
            export_directory(&platform.view, directory).map_err(files_error)
        }),
    }
}

/// Opens the directory `name`, made with mode 0755 whatever the builder's umask is.
fn directory_below(directory: &Dir, name: &str) -> io::Result<Dir> {
    match directory.create_dir_with(name, DirBuilder::new().mode(0o755)) {
        Ok(()) => directory.set_permissions(name, Permissions::from_mode(0o755))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    directory.open_dir(name)
}

fn name(output: &Output) -> String {
    let sink = |kind: &str, sink: &FileSink| format!("{kind} {sink}");
    match output {
        Output::Push => "the registry".to_owned(),
        Output::Store => "the state directory".to_owned(),
        Output::OciArchive(file) => sink("OCI archive", file),
        Output::DockerArchive(file) => sink("Docker archive", file),
        Output::OciLayout(_) => "OCI layout directory".to_owned(),
        Output::Tar(file, _) => sink("tar archive", file),
        Output::Local(..) => "local directory".to_owned(),
    }
}
