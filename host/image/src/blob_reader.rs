//! Reading a blob with its size and digest checked on the way.
//!
//! Once a reader gave an error it gives nothing but errors: no consumer can take a retry for the end of file.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zoea_model::oci::Descriptor;
use zoea_model::{Digest, VerifyingReader};

use crate::document::digest_of;
use crate::{BlobSource, ImageError};

/// A blob's bytes from any source, checked.
pub(crate) struct BlobReader {
    bytes: VerifyingReader<Counted>,
    digest: Digest,
    expected: u64,
    count: Arc<AtomicU64>,
    origin: String,
    state: State,
}

/// Counts what came, also the bytes that are refused.
struct Counted {
    bytes: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Failed,
}

impl BlobReader {
    /// Opens a blob.
    pub(crate) fn open(source: &dyn BlobSource, descriptor: &Descriptor) -> Result<Self, ImageError> {
        let bytes = source.open(descriptor)?;
        Self::new(bytes, descriptor, source.origin())
    }

    /// Checks `bytes` against a descriptor.
    pub(crate) fn new(
        bytes: Box<dyn Read + Send>,
        descriptor: &Descriptor,
        origin: String,
    ) -> Result<Self, ImageError> {
        let digest = digest_of(descriptor, &origin)?;
        let expected = descriptor.size();
        let count = Arc::new(AtomicU64::new(0));
        let bytes = Counted { bytes, count: Arc::clone(&count) };
        let bytes = VerifyingReader::new(bytes, digest, Some(expected));
        Ok(Self { bytes, digest, expected, count, origin, state: State::Reading })
    }

    fn explain(&self, source: io::Error) -> io::Error {
        if ImageError::within(&source).is_some() {
            return source;
        }
        let (digest, expected, origin) = (self.digest, self.expected, self.origin.clone());
        let actual = self.count.load(Ordering::Relaxed);
        let kind = source.kind();
        let ends = matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
        let error = if ends && actual < expected {
            ImageError::TruncatedBlob { digest, origin, expected, actual }
        } else if kind == io::ErrorKind::InvalidData {
            ImageError::DamagedBlob { digest, origin, source }
        } else {
            ImageError::ReadBlob { digest, origin, source }
        };
        error.into_io()
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.state == State::Failed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the blob failed before"));
        }
        match self.bytes.read(buffer) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.state = State::Failed;
                Err(self.explain(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zoea_model::oci::MediaType;

    use super::*;

    fn read(bytes: &'static [u8], promised: &[u8]) -> (BlobReader, io::Result<usize>) {
        let digest: oci_spec::image::Digest = Digest::of(promised).to_string().parse().unwrap();
        let descriptor = Descriptor::new(MediaType::ImageLayer, promised.len() as u64, digest);
        let mut reader = BlobReader::new(Box::new(bytes), &descriptor, "test".to_owned()).unwrap();
        let result = reader.read_to_end(&mut Vec::new());
        (reader, result)
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(read(b"hello", b"hello").1.unwrap(), 5);
        let (_, short) = read(b"hell", b"hello");
        assert!(matches!(
            ImageError::within(&short.unwrap_err()),
            Some(ImageError::TruncatedBlob { expected: 5, actual: 4, .. })
        ));
        for other in [&b"jello"[..], b"hello!"] {
            let (mut reader, damaged) = read(other, b"hello");
            assert!(matches!(
                ImageError::within(&damaged.unwrap_err()),
                Some(ImageError::DamagedBlob { .. })
            ));
            reader.read(&mut [0; 8]).unwrap_err();
        }
    }
}
