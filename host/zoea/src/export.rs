//! The result → files, archives, the state directory, registries.
//!
//! Local outputs come first and the push last, so that a failure to write here publishes nothing there.

use std::io::{self, Write};
use std::path::Path;

use cap_std::fs::Dir;
use zoea_build::Built;
use zoea_image::{ArchiveFormat, Image, ImageError, Layout, write_archive};
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
        export(output, &built.image, view.as_ref(), request, authority)?;
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
    image: &Image,
    view: Option<&TreeView>,
    request: &Request,
    authority: &Authority<'_>,
) -> Result<(), ZoeaError> {
    let destination = name(output);
    let image_error = |source: ImageError| ZoeaError::ExportImage {
        destination: destination.clone(),
        source: Box::new(source),
    };
    let files_error =
        |source| ZoeaError::ExportFiles { destination: destination.clone(), source: Box::new(source) };
    match output {
        Output::Push => Ok(()),
        Output::Store => authority.images.put(image, &request.tags).map_err(image_error),
        Output::OciArchive(sink) => write_file(sink, |writer| {
            write_archive(image, &request.tags, ArchiveFormat::Oci, writer).map_err(image_error)
        }),
        Output::DockerArchive(sink) => write_file(sink, |writer| {
            write_archive(image, &request.tags, ArchiveFormat::Docker, writer).map_err(image_error)
        }),
        Output::OciLayout(directory) => {
            Layout::create(directory).and_then(|layout| layout.put(image, &request.tags)).map_err(image_error)
        }
        Output::Tar(sink) => write_file(sink, |writer| match view {
            Some(view) => export_tar(view, request.source_date_epoch, writer).map_err(files_error),
            None => Ok(()),
        }),
        Output::Local(directory) => match view {
            Some(view) => export_directory(view, directory).map_err(files_error),
            None => Ok(()),
        },
    }
}

/// Writes a file that appears under its name only when it is whole.
fn write_file(
    sink: &FileSink,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ZoeaError>,
) -> Result<(), ZoeaError> {
    match sink {
        FileSink::Stdout => {
            let mut writer = io::BufWriter::new(io::stdout().lock());
            write(&mut writer)?;
            writer
                .flush()
                .map_err(|source| ZoeaError::Write { destination: "standard output".to_owned(), source })
        }
        FileSink::File { directory, name } => {
            let failed = |source| ZoeaError::Write { destination: format!("`{}`", name.display()), source };
            let temporary = temporary_name(name);
            let result = write_temporary(directory, &temporary, write)
                .and_then(|()| directory.rename(&temporary, directory, name).map_err(failed));
            if result.is_err() {
                // The failure that is reported is the first one; the leftover may not even exist.
                drop(directory.remove_file(&temporary));
            }
            result
        }
    }
}

fn write_temporary(
    directory: &Dir,
    temporary: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ZoeaError>,
) -> Result<(), ZoeaError> {
    let failed = |source| ZoeaError::Write { destination: format!("`{}`", temporary.display()), source };
    let file = directory.create(temporary).map_err(failed)?;
    let mut writer = io::BufWriter::with_capacity(1 << 18, file);
    write(&mut writer)?;
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

fn temporary_name(name: &Path) -> std::path::PathBuf {
    let file = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.with_file_name(format!(".{file}.{}.partial", std::process::id()))
}

fn name(output: &Output) -> String {
    let sink = |kind: &str, sink: &FileSink| match sink {
        FileSink::Stdout => format!("{kind} on standard output"),
        FileSink::File { name, .. } => format!("{kind} `{}`", name.display()),
    };
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
