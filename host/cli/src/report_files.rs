//! The files that tell other programs what was built: `--iidfile`, `--digest-file`, `--metadata-file`.

use std::path::Path;

use serde_json::json;
use zoea::Report;
use zoea::model::ImageRef;

use crate::error::CliError;
use crate::options::ReportFiles;
use crate::wire;

/// Writes the files that were asked for. They appear whole or not at all.
pub(crate) fn write(files: &ReportFiles, report: &Report, tags: &[ImageRef]) -> Result<(), CliError> {
    if let Some(path) = &files.digest {
        write_whole(path, report.digest.to_string().as_bytes())?;
    }
    if let Some(path) = &files.metadata {
        write_whole(path, metadata(report, tags).as_bytes())?;
    }
    Ok(())
}

/// The names are those of `docker buildx build --metadata-file`.
fn metadata(report: &Report, tags: &[ImageRef]) -> String {
    let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
    let value = json!({
        "containerimage.config.digest": report.config_digest,
        "containerimage.descriptor": {
            "mediaType": report.media_type,
            "digest": report.digest,
            "size": report.size,
            "platform": report.config.platform(),
        },
        "containerimage.digest": report.digest,
        "image.name": names.join(","),
    });
    format!("{value:#}\n")
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let (directory, name) = wire::open_parent(path)?;
    let failed = |source| CliError::File { action: "write", path: path.to_owned(), source };
    // A device or pipe, such as /dev/termination-log or /dev/stdout, is written, not replaced.
    let special = directory.metadata(&name).is_ok_and(|status| !status.is_file());
    if special {
        return directory.write(&name, bytes).map_err(failed);
    }
    let temporary = format!(".{}.{}.partial", name.display(), std::process::id());
    directory.write(&temporary, bytes).map_err(failed)?;
    directory.rename(&temporary, &directory, &name).map_err(failed)
}
