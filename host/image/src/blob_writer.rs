//! Writing one blob whose digest is known only at the end.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use cap_std::fs::{Dir, OpenOptions};
use zoea_model::{Digest, Hasher};

use crate::ImageError;

/// How the names of temporary files begin; no digest does.
const PREFIX: &str = "tmp-";

/// Says whether a name in a blob directory is a writer's.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Takes a blob's bytes. Without [`BlobWriter::finish`] nothing remains.
pub struct BlobWriter {
    directory: Arc<Dir>,
    file: File,
    name: Option<String>,
    hasher: Hasher,
}

impl BlobWriter {
    /// Makes a temporary file and locks it, which tells others that its writer lives.
    pub(crate) fn create(directory: Arc<Dir>) -> Result<Self, ImageError> {
        let failed = |source| ImageError::WriteBlob { source };
        loop {
            let number = getrandom::u64().map_err(|source| ImageError::RandomName { source })?;
            let name = format!("{PREFIX}{number:016x}");
            let options = OpenOptions::new().write(true).read(true).create_new(true).clone();
            let file = match directory.open_with(&name, &options) {
                Ok(file) => file.into_std(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed(error)),
            };
            match file.lock() {
                Ok(()) => {}
                // Without locks, abandoned files cannot be told apart and stay; nothing else needs them.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(failed(error)),
            }
            // Someone who opened the store may have taken the file for abandoned before it was locked.
            if directory.try_exists(&name).map_err(failed)? {
                return Ok(Self { directory, file, name: Some(name), hasher: Hasher::default() });
            }
        }
    }

    /// Publishes the blob under its digest and returns the digest and its length.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn finish(mut self) -> Result<(Digest, u64), ImageError> {
        let size = self.hasher.size();
        let digest = std::mem::take(&mut self.hasher).finish();
        if let Some(name) = &self.name {
            let renamed = self.directory.rename(name, &self.directory, digest.hex());
            renamed.map_err(|source| ImageError::PublishBlob { digest, source })?;
        }
        self.name = None;
        Ok((digest, size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        match self.directory.remove_file(name) {
            // A file that cannot be removed now is abandoned: whoever opens the store next removes it.
            Ok(()) | Err(_) => {}
        }
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("size", &self.hasher.size()).finish_non_exhaustive()
    }
}
