//! The files that tell other programs what was built: `--iidfile`, `--digest-file`, `--metadata-file`.

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
    let mut descriptor = json!({
        "mediaType": report.media_type,
        "digest": report.digest,
        "size": report.size,
    });
    if !report.annotations.is_empty() {
        descriptor["annotations"] = json!(report.annotations);
    }
    let mut value = json!({});
    if let Some(image) = &report.image {
        value["containerimage.config.digest"] = json!(image.config_digest);
        descriptor["platform"] = json!(image.config.platform());
    }
    value["containerimage.descriptor"] = descriptor;
    value["containerimage.digest"] = json!(report.digest);
    value["image.name"] = json!(names.join(","));
    format!("{value:#}\n")
}
