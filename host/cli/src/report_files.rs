//! The files that tell other programs what was built: `--iidfile`, `--digest-file`, `--metadata-file`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use zoea::model::ImageRef;
use zoea::{FileSink, Report};

use crate::error::CliError;
use crate::options::ReportFiles;
use crate::wire;

/// The files, opened before the build so that one that cannot be written is told before anything is done.
pub(crate) struct OpenedFiles {
    digest: Option<FileSink>,
    metadata: Option<FileSink>,
}

/// Opens the files that were asked for.
pub(crate) fn open(files: &ReportFiles) -> Result<OpenedFiles, CliError> {
    let sink = |path: &Option<PathBuf>| path.as_deref().map(wire::file_sink).transpose();
    Ok(OpenedFiles { digest: sink(&files.digest)?, metadata: sink(&files.metadata)? })
}

/// Writes them. They appear whole or not at all.
pub(crate) fn write(files: &OpenedFiles, report: &Report, tags: &[ImageRef]) -> Result<(), CliError> {
    if let Some(sink) = &files.digest {
        write_to(sink, report.digest.to_string().as_bytes())?;
    }
    if let Some(sink) = &files.metadata {
        write_to(sink, metadata(report, tags).as_bytes())?;
    }
    Ok(())
}

fn write_to(sink: &FileSink, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |source| CliError::File { action: "write", path: PathBuf::from(sink.to_string()), source };
    sink.fill(|writer| writer.write_all(bytes).map_err(failed), failed)
}

/// The names are those of `docker buildx build --metadata-file`.
fn metadata(report: &Report, tags: &[ImageRef]) -> String {
    let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
    let mut descriptor = BTreeMap::from([
        ("mediaType", json!(report.media_type)),
        ("digest", json!(report.digest)),
        ("size", json!(report.size)),
    ]);
    if !report.annotations.is_empty() {
        descriptor.insert("annotations", json!(report.annotations));
    }
    let mut value = BTreeMap::from([
        ("containerimage.digest", json!(report.digest)),
        ("image.name", json!(names.join(","))),
    ]);
    // An index has neither.
    if let Some(image) = &report.image {
        value.insert("containerimage.config.digest", json!(image.config_digest));
        descriptor.insert("platform", json!(image.config.platform()));
    }
    value.insert("containerimage.descriptor", json!(descriptor));
    let value = json!(value);
    format!("{value:#}\n")
}
