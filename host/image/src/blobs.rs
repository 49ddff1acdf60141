//! The content-addressed store of one directory: `blobs/sha256/<hex>`.
//!
//! A blob appears under its name only when it is whole and has that digest. Temporary files lie beside the
//! blobs and are locked while their writer lives, so that whoever opens the store can tell the abandoned ones.

use std::io::{self, Read};
use std::sync::Arc;

use cap_std::fs::{Dir, File, OpenOptions};
use zoea_model::oci::Descriptor;
use zoea_model::{Digest, ImageRef};

use crate::blob_reader::BlobReader;
use crate::blob_writer::{BlobWriter, is_temporary};
use crate::document::digest_of;
use crate::{BlobSource, ImageError};

/// Where blobs lie below the store's directory, as in an OCI layout.
pub(crate) const BLOBS: &str = "blobs/sha256";
/// The name of a store in messages.
const ORIGIN: &str = "the local blob store";
/// Bytes that one copy holds in memory.
pub(crate) const COPY_BUFFER: usize = 256 << 10;

/// Opens a file for reading, and nothing else: a pipe in its place would be waited for without end.
pub(crate) fn open_regular(directory: &Dir, name: impl AsRef<std::path::Path>) -> io::Result<File> {
    if directory.metadata(&name)?.is_file() {
        return directory.open(name);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// A store of blobs. Clones share the directory; several processes may use it at once.
#[derive(Debug, Clone)]
pub struct BlobStore {
    directory: Arc<Dir>,
    origin: &'static str,
}

impl BlobStore {
    /// Opens the store in `directory`, makes it where it is missing, and removes what dead writers left.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(directory: &Dir) -> Result<Self, ImageError> {
        let failed = |source| ImageError::OpenDirectory { name: format!("directory `{BLOBS}`"), source };
        directory.create_dir_all(BLOBS).map_err(failed)?;
        let opened = directory.open_dir(BLOBS).map_err(failed)?;
        let store = Self { directory: Arc::new(opened), origin: ORIGIN };
        store.remove_abandoned().map_err(failed)?;
        Ok(store)
    }

    /// Opens the store in `directory` for reading.
    pub(crate) fn existing(directory: &Dir) -> Result<Self, ImageError> {
        let failed = |source| ImageError::OpenDirectory { name: format!("directory `{BLOBS}`"), source };
        let opened = directory.open_dir(BLOBS).map_err(failed)?;
        Ok(Self { directory: Arc::new(opened), origin: ORIGIN })
    }

    /// Gives the store another name in messages.
    pub(crate) fn called(self, origin: &'static str) -> Self {
        Self { origin, ..self }
    }

    /// Removes the temporary files that no living writer has locked.
    fn remove_abandoned(&self) -> io::Result<()> {
        for entry in self.directory.entries()? {
            let name = entry?.file_name();
            if !name.to_str().is_some_and(is_temporary) {
                continue;
            }
            let file = match self.directory.open_with(&name, OpenOptions::new().read(true).write(true)) {
                Ok(file) => file.into_std(),
                // Gone, or another user's, who removes it.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A failed lock means a living writer, or a file system without locks: the file stays either way.
            if file.try_lock().is_ok() {
                match self.directory.remove_file(&name) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Says whether the store has a blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.directory.is_file(digest.hex())
    }

    /// Returns a blob's length in bytes.
    ///
    /// # Errors
    /// When the store does not have it.
    pub fn size(&self, digest: &Digest) -> Result<u64, ImageError> {
        match self.directory.metadata(digest.hex()) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.not_opened(*digest, error)),
        }
    }

    /// Opens a blob. Its bytes are as they were written; [`crate::Layer::open`] checks them again.
    ///
    /// # Errors
    /// When the store does not have it.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, ImageError> {
        open_regular(&self.directory, digest.hex()).map_err(|error| self.not_opened(*digest, error))
    }

    /// Begins a new blob.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub fn writer(&self) -> Result<BlobWriter, ImageError> {
        BlobWriter::create(Arc::clone(&self.directory))
    }

    /// Stores `bytes` and returns their digest and length.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<(Digest, u64), ImageError> {
        let mut writer = self.writer()?;
        io::Write::write_all(&mut writer, bytes).map_err(|source| ImageError::WriteBlob { source })?;
        writer.finish()
    }

    /// Stores the blob that `descriptor` means, unless the store has it; wrong bytes are not stored.
    ///
    /// # Errors
    /// When reading or writing fails, or the bytes differ from what the descriptor says.
    pub fn fetch(
        &self,
        descriptor: &Descriptor,
        reader: impl Read + Send + 'static,
    ) -> Result<(), ImageError> {
        self.copy_in(descriptor, "its source", || Ok(Box::new(reader)))
    }

    /// Stores a blob of another source, unless the store has it.
    pub(crate) fn fetch_from(
        &self,
        source: &dyn BlobSource,
        descriptor: &Descriptor,
    ) -> Result<(), ImageError> {
        self.copy_in(descriptor, &source.origin(), || source.open(descriptor))
    }

    fn copy_in(
        &self,
        descriptor: &Descriptor,
        origin: &str,
        open: impl FnOnce() -> Result<Box<dyn Read + Send>, ImageError>,
    ) -> Result<(), ImageError> {
        let digest = digest_of(descriptor, origin)?;
        if self.has(&digest) {
            return Ok(());
        }
        let mut reader = BlobReader::new(open()?, descriptor, origin.to_owned())?;
        let mut writer = self.writer()?;
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unwrapped(error, digest, origin)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            io::Write::write_all(&mut writer, bytes).map_err(|source| ImageError::WriteBlob { source })?;
        }
        writer.finish().map(|_| ())
    }

    /// Makes blobs survive a loss of power: writes them and their names to the disk.
    ///
    /// Called before an image of these blobs is announced under a name.
    ///
    /// # Errors
    /// When a blob is missing or the disk refuses.
    pub fn durable<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>) -> Result<(), ImageError> {
        let mut last = None;
        for digest in digests {
            let file = self.open_blob(digest)?;
            file.sync_all().map_err(|source| ImageError::PublishBlob { digest: *digest, source })?;
            last = Some(*digest);
        }
        let Some(digest) = last else { return Ok(()) };
        let failed = |source| ImageError::PublishBlob { digest, source };
        self.directory.open(".").and_then(|directory| directory.sync_all()).map_err(failed)
    }

    fn not_opened(&self, digest: Digest, source: io::Error) -> ImageError {
        if source.kind() == io::ErrorKind::NotFound {
            return ImageError::MissingBlob { digest, origin: self.origin.to_owned() };
        }
        ImageError::OpenBlob { digest, source }
    }
}

impl BlobSource for BlobStore {
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        Ok(Box::new(self.open_blob(&digest_of(descriptor, self.origin)?)?))
    }

    fn repository(&self) -> Option<&ImageRef> {
        None
    }

    fn origin(&self) -> String {
        self.origin.to_owned()
    }
}

/// Takes the image error out of a reader's error.
pub(crate) fn unwrapped(error: io::Error, digest: Digest, origin: &str) -> ImageError {
    match error.downcast::<ImageError>() {
        Ok(error) => error,
        Err(source) => ImageError::ReadBlob { digest, origin: origin.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zoea_model::oci::MediaType;

    use super::*;
    use crate::test_support::scratch_directory;

    fn names(directory: &Dir) -> Vec<String> {
        let entries = directory.read_dir(BLOBS).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn descriptor(bytes: &[u8]) -> Descriptor {
        let digest: oci_spec::image::Digest = Digest::of(bytes).to_string().parse().unwrap();
        Descriptor::new(MediaType::ImageLayer, bytes.len() as u64, digest)
    }

    #[test]
    fn stores_by_digest() {
        let (_guard, directory) = scratch_directory();
        let store = BlobStore::open(&directory).unwrap();
        let (digest, size) = store.put(b"hello").unwrap();
        assert_eq!((digest, size), (Digest::of(b"hello"), 5));
        assert_eq!(store.size(&digest).unwrap(), 5);
        assert_eq!(store.put(b"hello").unwrap(), (digest, size));
        store.durable([&digest]).unwrap();
        assert_eq!(names(&directory), [digest.hex()]);
        assert!(matches!(store.open_blob(&Digest::of(b"")), Err(ImageError::MissingBlob { .. })));
        assert!(matches!(store.durable([&Digest::of(b"")]), Err(ImageError::MissingBlob { .. })));
    }

    /// A directory stands for everything that is no regular file; a pipe would be waited for.
    #[test]
    fn only_files_are_opened() {
        let (_guard, directory) = scratch_directory();
        let store = BlobStore::open(&directory).unwrap();
        let digest = Digest::of(b"");
        directory.create_dir(format!("{BLOBS}/{}", digest.hex())).unwrap();
        assert!(matches!(store.open_blob(&digest), Err(ImageError::OpenBlob { .. })));
    }

    #[test]
    fn wrong_bytes_leave_nothing() {
        let (_guard, directory) = scratch_directory();
        let store = BlobStore::open(&directory).unwrap();
        let error = store.fetch(&descriptor(b"hello"), &b"jello"[..]).unwrap_err();
        assert!(matches!(error, ImageError::DamagedBlob { .. }), "{error}");
        let error = store.fetch(&descriptor(b"hello"), &b"hel"[..]).unwrap_err();
        assert!(matches!(error, ImageError::TruncatedBlob { actual: 3, .. }), "{error}");
        assert!(names(&directory).is_empty());
        store.fetch(&descriptor(b"hello"), &b"hello"[..]).unwrap();
        assert!(store.has(&Digest::of(b"hello")));
    }

    #[test]
    fn only_abandoned_files_are_removed() {
        let (_guard, directory) = scratch_directory();
        let store = BlobStore::open(&directory).unwrap();
        let mut living = store.writer().unwrap();
        living.write_all(b"hello").unwrap();
        directory.write(format!("{BLOBS}/tmp-of-a-killed-process"), "half").unwrap();
        BlobStore::open(&directory).unwrap();
        assert_eq!(names(&directory).len(), 1);
        let (digest, _) = living.finish().unwrap();
        assert_eq!(names(&directory), [digest.hex()]);
        drop(store.writer().unwrap());
        assert_eq!(names(&directory), [digest.hex()]);
    }

    #[test]
    fn concurrent_writers_and_openers_agree() {
        let (_guard, directory) = scratch_directory();
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let directory = &directory;
                scope.spawn(move || {
                    for round in 0..20_u8 {
                        let store = BlobStore::open(directory).unwrap();
                        store.put(&[round]).unwrap();
                        store.put(&[thread, round]).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(&directory).len(), 20 + 8 * 20);
    }
}
