//! The result → files, archives, the state directory, registries.
//!
//! Local outputs come first and the push last, so that a failure to write here publishes nothing there.

use zoea_build::Built;
use zoea_image::{ArchiveFormat, ImageError, Layout, write_archive};
use zoea_model::Event;
use zoea_rootfs::{TreeView, Workspace, export_directory, export_tar};

use crate::{Authority, FileSink, Output, Request, ZoeaError};

/// Writes every output of `request`.
pub(crate) fn export_all(
    built: &Built,
    request: &Request,
    authority: &Authority<'_>,
    workspace: &Workspace,
) -> Result<(), ZoeaError> {
    let (pushes, local): (Vec<&Output>, Vec<&Output>) =
        request.outputs.iter().partition(|output| matches!(output, Output::Push));
    let view = match &built.tree {
        Some(tree) => Some(workspace.view(tree).map_err(|source| ZoeaError::State(Box::new(source)))?),
        None => None,
    };
    for output in local {
        let destination = name(output);
        export(output, built, view.as_ref(), request, authority)?;
        authority.events.emit(Event::Exported { destination });
    }
    if pushes.is_empty() {
        authority.events.emit(Event::PushSkipped);
        return Ok(());
    }
    let names: Vec<String> = request.tags.iter().map(ToString::to_string).collect();
    authority
        .registry
        .push(&built.image, &request.tags, authority.events)
        .map(drop)
        .map_err(|source| ZoeaError::ExportImage { destination: names.join(", "), source: Box::new(source) })
}

fn export(
    output: &Output,
    built: &Built,
    view: Option<&TreeView>,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<(), ZoeaError> {
    let image = &built.image;
    let destination = name(output);
    let image_error = |source: ImageError| ZoeaError::ExportImage {
        destination: destination.clone(),
        source: Box::new(source),
    };
    let files_error =
        |source| ZoeaError::ExportFiles { destination: destination.clone(), source: Box::new(source) };
    let write_error = |source| ZoeaError::Write { destination: destination.clone(), source };
    match output {
        Output::Push => Ok(()),
        Output::Store => authority.images.put(image, &request.tags).map_err(image_error),
        Output::OciArchive(sink) => sink.fill(
            |writer| write_archive(image, &request.tags, ArchiveFormat::Oci, writer).map_err(image_error),
            write_error,
        ),
        Output::DockerArchive(sink) => sink.fill(
            |writer| write_archive(image, &request.tags, ArchiveFormat::Docker, writer).map_err(image_error),
            write_error,
        ),
        Output::OciLayout(directory) => {
            Layout::create(directory).and_then(|layout| layout.put(image, &request.tags)).map_err(image_error)
        }
        Output::Tar(sink) => sink.fill(
            |writer| match view {
                Some(view) => export_tar(view, built.source_date, writer).map_err(files_error),
                None => Ok(()),
            },
            write_error,
        ),
        Output::Local(directory) => match view {
            Some(view) => export_directory(view, directory).map_err(files_error),
            None => Ok(()),
        },
    }
}

fn name(output: &Output) -> String {
    let sink = |kind: &str, sink: &FileSink| format!("{kind} {sink}");
    match output {
        Output::Push => "the registry".to_owned(),
        Output::Store => "the state directory".to_owned(),
        Output::OciArchive(file) => sink("OCI archive", file),
        Output::DockerArchive(file) => sink("Docker archive", file),
        Output::OciLayout(_) => "OCI layout directory".to_owned(),
        Output::Tar(file) => sink("tar archive", file),
        Output::Local(_) => "local directory".to_owned(),
    }
}
