//! When something from elsewhere was changed last, which can be the date of a build.

use zoea_context::{ContextError, Fetched};
use zoea_dockerfile::KnownDate;
use zoea_model::{SourceDate, Timestamp};
use zoea_rootfs::newest_in_archive;

use crate::{Authority, ZoeaError};

/// Finds a date: what the server or the commit says, else the time of the newest file in an archive.
pub(crate) fn find_date(wanted: &SourceDate, authority: &Authority<'_>) -> Result<KnownDate, ZoeaError> {
    let found = match wanted {
        SourceDate::Given(time) => Ok(Some(*time)),
        SourceDate::Context(name) => {
            let fetched = authority.contexts.fetched(name);
            fetched.and_then(|fetched| fetched.as_deref().map_or(Ok(None), modified))
        }
        SourceDate::Remote(remote) => authority.remotes.fetch(remote).and_then(|fetched| modified(&fetched)),
    };
    let found = found.map_err(|source| ZoeaError::SourceDate(Box::new(source)))?;
    Ok(found.map_or(KnownDate::None, KnownDate::At))
}

fn modified(fetched: &Fetched) -> Result<Option<Timestamp>, ContextError> {
    match (&fetched.modified, &fetched.file) {
        (Some(time), _) => Ok(Some(*time)),
        (None, Some(path)) => {
            let file = fetched.context.open(path).map_err(|source| ContextError::Open { source })?;
            Ok(newest_in_archive(file))
        }
        (None, None) => Ok(None),
    }
}
