//! A file of a web server, into a directory of its own.
//!
//! Owns the way from an address to a checked file: nothing is held but one chunk, the digest is computed while
//! bytes come, and what fails in passing begins again. The file is as BuildKit leaves it: mode 0600, the time that
//! the server gives, else 1970.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cap_std::fs::{Dir, OpenOptions};
use reqwest::header::{ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustix::fs::{Mode, Timespec, Timestamps};
use tokio::time::Instant;
use zoea_http::{Bodies, RETRIES, delay, is_passing_error, is_passing_status};
use zoea_model::{Hasher, HttpSource, Timestamp, TreePath};

use crate::fetch_settings::LEAST_IN_PATIENCE;
use crate::http_request::HttpRequest;
use crate::{Context, FetchError, FetchSettings, Fetched, IgnoreRules};

/// Makes the client for files. It follows no redirect by itself: [`HttpRequest`] does.
pub(crate) fn client(settings: &FetchSettings) -> Result<Client, FetchError> {
    Ok(zoea_http::client(&settings.proxies, Policy::none(), Bodies::Decoded)?)
}

/// Fetches `source` into `directory`, which is empty.
pub(crate) async fn fetch(
    source: &HttpSource,
    directory: Dir,
    client: &Client,
    settings: &FetchSettings,
) -> Result<Fetched, FetchError> {
    let request = HttpRequest::new(&source.url, &settings.secrets)?;
    let mut file = create(&directory, &source.file_name)?;
    let mut attempt = 0;
    let headers = loop {
        match download(source, &request, &mut file, client, settings).await {
            Ok(headers) => break headers,
            Err(error) if attempt < RETRIES && is_passing(&error) => {
                tokio::time::sleep(delay(attempt, None)).await;
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let modified = modified(&headers);
    finish(&file, modified.unwrap_or(Timestamp::EPOCH)).map_err(FetchError::Store)?;
    let validator = headers.get(ETAG).or_else(|| headers.get(LAST_MODIFIED));
    let validator = validator.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let context = Arc::new(Context::new(directory, IgnoreRules::none()));
    let file = TreePath::new(&source.file_name).ok();
    Ok(Fetched { context, file, modified, validator })
}

fn create(directory: &Dir, name: &str) -> Result<File, FetchError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(FetchError::Address { reason: format!("`{}` is no file name", name.escape_debug()) });
    }
    let options = OpenOptions::new().write(true).create_new(true).clone();
    directory.open_with(name, &options).map(cap_std::fs::File::into_std).map_err(FetchError::Store)
}

/// Asks once and stores what comes.
async fn download(
    source: &HttpSource,
    request: &HttpRequest,
    file: &mut File,
    client: &Client,
    settings: &FetchSettings,
) -> Result<HeaderMap, FetchError> {
    file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(FetchError::Store)?;
    let mut response = request.send(client, settings).await?;
    let too_large = || FetchError::TooLarge { limit: settings.largest_file };
    if response.content_length().is_some_and(|length| length > settings.largest_file) {
        return Err(too_large());
    }
    let mut hasher = Hasher::default();
    let mut pace = Pace::new(settings.patience);
    while let Some(chunk) = pace.next(&mut response).await? {
        hasher.update(&chunk);
        if hasher.size() > settings.largest_file {
            return Err(too_large());
        }
        file.write_all(&chunk).map_err(FetchError::Store)?;
    }
    let found = hasher.finish();
    match source.checksum {
        Some(expected) if expected != found => Err(FetchError::Checksum { expected, found }),
        Some(_) | None => Ok(response.headers().clone()),
    }
}

/// Watches that a body comes at all.
struct Pace {
    patience: Duration,
    deadline: Instant,
    came: u64,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self { patience, deadline: Instant::now() + patience, came: 0 }
    }

    async fn next(
        &mut self,
        response: &mut Response,
    ) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, FetchError> {
        let Ok(next) = tokio::time::timeout_at(self.deadline, response.chunk()).await else {
            return Err(FetchError::Stalled { least: LEAST_IN_PATIENCE, seconds: self.patience.as_secs() });
        };
        let chunk = next.map_err(|error| FetchError::Transfer(error.without_url()))?;
        self.came += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.came >= LEAST_IN_PATIENCE {
            (self.came, self.deadline) = (0, Instant::now() + self.patience);
        }
        Ok(chunk)
    }
}

/// Says whether what failed may succeed when it is begun again.
fn is_passing(error: &FetchError) -> bool {
    match error {
        FetchError::Unreachable(source) | FetchError::Transfer(source) => is_passing_error(source),
        FetchError::Refused { status } => is_passing_status(*status),
        FetchError::NoGit
        | FetchError::GitProgram { .. }
        | FetchError::Git { .. }
        | FetchError::NoReference { .. }
        | FetchError::Commit { .. }
        | FetchError::NoDirectory { .. }
        | FetchError::GitTree { .. }
        | FetchError::Submodule { .. }
        | FetchError::NoModule
        | FetchError::Submodules { .. }
        | FetchError::Address { .. }
        | FetchError::SetUp(_)
        | FetchError::Redirects { .. }
        | FetchError::RedirectTarget
        | FetchError::Stalled { .. }
        | FetchError::TooLarge { .. }
        | FetchError::Checksum { .. }
        | FetchError::Secret { .. }
        | FetchError::Store(_) => false,
    }
}

/// Reads `Last-Modified`; what is no date, or one before 1970, does not count.
fn modified(headers: &HeaderMap) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(headers.get(LAST_MODIFIED)?.to_str().ok()?).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

fn finish(file: &File, time: Timestamp) -> std::io::Result<()> {
    rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)?;
    let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    rustix::fs::futimens(file, &Timestamps { last_access: time, last_modification: time })?;
    Ok(())
}
