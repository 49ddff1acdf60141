//! Moving the bytes of regular files: hashed from a reader, or copied from file to file.
//!
//! Knows no names and no attributes.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::io::Errno;
use zoea_model::{Digest, Hasher};

/// Bytes per read: large enough that system calls do not count, small enough for many threads.
const BUFFER_SIZE: usize = 1 << 17;

/// A buffer that outlives the files that pass through it.
#[derive(Debug)]
pub(crate) struct ContentBuffer(Vec<u8>);

impl ContentBuffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; BUFFER_SIZE])
    }

    /// Passes everything of `from` on to `to`; returns the digest and the number of the bytes.
    pub(crate) fn copy(
        &mut self,
        from: &mut (impl Read + ?Sized),
        to: &mut impl Write,
    ) -> io::Result<(Digest, u64)> {
        let mut hasher = Hasher::default();
        loop {
            let count = match from.read(&mut self.0) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = self.0.get(..count).unwrap_or_default();
            hasher.update(bytes);
            to.write_all(bytes)?;
        }
        let size = hasher.size();
        Ok((hasher.finish(), size))
    }
}

/// Copies a whole file: shared blocks where the file system can, otherwise inside of the kernel.
pub(crate) fn clone_file(mut from: &File, mut to: &File) -> io::Result<()> {
    match rustix::fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(()),
        Err(Errno::NOTSUP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM) => {
            io::copy(&mut from, &mut to).map(drop)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Returns the digest of what is left to read.
pub(crate) fn digest_of(from: &mut impl Read) -> io::Result<Digest> {
    ContentBuffer::new().copy(from, &mut io::sink()).map(|(digest, _)| digest)
}
