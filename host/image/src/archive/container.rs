//! An archive file with an index of where each entry lies, so that entries open without a walk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use zoea_model::TreePath;

use super::headers::{Headers, Skip};
use super::region::Region;
use crate::ImageError;
use crate::compression::{Compression, MAGIC};
use crate::document::Document;

/// How many links are followed from one entry to another; old versions of `docker save` write one.
const LONGEST_CHAIN: usize = 8;

/// What an archive has under a path.
#[derive(Debug)]
enum Place {
    File { offset: u64, size: u64 },
    Link(TreePath),
}

/// An archive file.
#[derive(Debug)]
pub(crate) struct Container {
    file: Arc<File>,
    length: u64,
    compression: Compression,
    places: BTreeMap<TreePath, Place>,
    origin: String,
}

impl Container {
    /// Indexes an archive.
    pub(crate) fn open(file: File, origin: String) -> Result<Self, ImageError> {
        let failed = |source| ImageError::ReadArchive { origin: origin.clone(), source };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(ImageError::InvalidArchive { origin, reason: "it is no regular file".to_owned() });
        }
        let mut first = [0; MAGIC];
        let count = file.read_at(&mut first, 0).map_err(failed)?;
        let compression = Compression::of_bytes(first.get(..count).unwrap_or_default());
        let (file, length) = (Arc::new(file), metadata.len());
        let mut container = Self { file, length, compression, places: BTreeMap::new(), origin };
        container.places = container.index().map_err(|source| container.unreadable(source))?;
        Ok(container)
    }

    fn index(&self) -> io::Result<BTreeMap<TreePath, Place>> {
        let whole = Region::new(Arc::clone(&self.file), 0, self.length);
        let stream: Box<dyn Skip> = match self.compression {
            Compression::None => Box::new(SkipBySeeking(whole)),
            Compression::Gzip | Compression::Zstd => Box::new(SkipByReading(self.compression.decode(whole)?)),
        };
        let mut headers = Headers::new(stream);
        let mut places = BTreeMap::new();
        while let Some(member) = headers.next()? {
            let path = TreePath::new(&member.path).map_err(io::Error::other)?;
            let link = member.link.unwrap_or_default();
            let place = if member.kind.is_file() || member.kind.is_contiguous() {
                Place::File { offset: member.offset, size: member.size }
            } else if member.kind.is_hard_link() {
                Place::Link(TreePath::clamped(&link).map_err(io::Error::other)?)
            } else if member.kind.is_symlink() {
                let parent = path.parent().unwrap_or_default();
                let target = [parent.as_bytes(), b"/", &link].concat();
                Place::Link(TreePath::clamped(target).map_err(io::Error::other)?)
            } else {
                continue;
            };
            places.insert(path, place);
        }
        Ok(places)
    }

    /// Returns the archive's name for messages.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Says whether the archive has a file under this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// Returns a file's size.
    pub(crate) fn size(&self, path: &str) -> Result<u64, ImageError> {
        self.find(path).map(|(_, size)| size).ok_or_else(|| self.missing(path))
    }

    /// Opens a file's bytes.
    pub(crate) fn read(&self, path: &str) -> Result<Box<dyn Read + Send>, ImageError> {
        let (offset, size) = self.find(path).ok_or_else(|| self.missing(path))?;
        let file = Arc::clone(&self.file);
        if self.compression == Compression::None {
            return Ok(Box::new(Region::new(file, offset, size)));
        }
        let failed = |source| self.unreadable(source);
        let stream = self.compression.decode(Region::new(file, 0, self.length)).map_err(failed)?;
        let mut stream = SkipByReading(stream);
        stream.skip(offset).map_err(failed)?;
        Ok(Box::new(stream.0.take(size)))
    }

    /// Reads a document.
    pub(crate) fn document(&self, document: Document, path: &str) -> Result<Vec<u8>, ImageError> {
        document.read(self.read(path)?, &self.origin)
    }

    fn find(&self, path: &str) -> Option<(u64, u64)> {
        let mut path = TreePath::new(path).ok()?;
        for _ in 0..LONGEST_CHAIN {
            match self.places.get(&path)? {
                Place::File { offset, size } => return Some((*offset, *size)),
                Place::Link(target) => path = target.clone(),
            }
        }
        None
    }

    pub(crate) fn missing(&self, path: &str) -> ImageError {
        self.invalid(format!("it has no file `{path}`"))
    }

    pub(crate) fn invalid(&self, reason: impl Into<String>) -> ImageError {
        ImageError::InvalidArchive { origin: self.origin.clone(), reason: reason.into() }
    }

    fn unreadable(&self, source: io::Error) -> ImageError {
        ImageError::ReadArchive { origin: self.origin.clone(), source }
    }
}

struct SkipBySeeking(Region);

impl Read for SkipBySeeking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Skip for SkipBySeeking {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let count = i64::try_from(count).map_err(io::Error::other)?;
        let position = self.0.seek(SeekFrom::Current(count))?;
        let end = self.0.seek(SeekFrom::End(0))?;
        if position > end {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is truncated"));
        }
        self.0.seek(SeekFrom::Start(position)).map(|_| ())
    }
}

struct SkipByReading(Box<dyn Read + Send>);

impl Read for SkipByReading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Skip for SkipByReading {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        if io::copy(&mut (&mut self.0).take(count), &mut io::sink())? == count {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is truncated"))
    }
}

impl Skip for Box<dyn Skip> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        (**self).skip(count)
    }
}
