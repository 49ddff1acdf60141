//! Reading a part of a file, by several readers at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// The bytes of a file from one offset to another.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    file: Arc<File>,
    start: u64,
    position: u64,
    end: u64,
}

impl Region {
    /// Takes `size` bytes at `start`; what lies behind the end of the file is a truncated archive.
    pub(crate) fn new(file: Arc<File>, start: u64, size: u64) -> Self {
        Self { file, start, position: start, end: start.saturating_add(size) }
    }
}

impl Read for Region {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.file.read_at(buffer, self.position)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is truncated"));
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Region {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
        };
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "the position is outside of the region");
        self.position = position.filter(|position| *position >= self.start).ok_or_else(invalid)?;
        Ok(self.position - self.start)
    }
}
