//! Content digests, and readers and writers that compute or check them while bytes stream.
//!
//! Only SHA-256 is supported: the one algorithm that the OCI image specification requires of everyone.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ModelError;

/// The SHA-256 digest of some bytes, written `sha256:<64 hexadecimal digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the 64 hexadecimal digits without the algorithm's name.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Makes a digest of its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let invalid = || ModelError::Digest(text.to_owned());
        let digits = text.strip_prefix("sha256:").ok_or_else(invalid)?.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(invalid());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(invalid()),
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The digest of a layer's *uncompressed* tar stream (OCI image specification, `config.md`, "DiffID").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a stack of layers (OCI image specification, `config.md`, "ChainID").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// Puts `layer` on `parent`, or on nothing.
    pub fn stack(parent: Option<&Self>, layer: &DiffId) -> Self {
        match parent {
            None => Self(layer.0),
            Some(parent) => Self(Digest::of(format!("{} {}", parent.0, layer.0).as_bytes())),
        }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Hashes bytes as they come and counts them.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Sha256,
    size: u64,
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Returns how many bytes came.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the digest of all bytes that came.
    pub fn finish(self) -> Digest {
        Digest(self.state.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Passes bytes on from a reader and hashes them.
#[derive(Debug)]
pub struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    /// Wraps `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// Returns the digest and the number of the bytes read so far.
    pub fn finish(self) -> (Digest, u64) {
        let size = self.hasher.size();
        (self.hasher.finish(), size)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Passes bytes on to a writer and hashes them.
#[derive(Debug)]
pub struct HashingWriter<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> HashingWriter<W> {
    /// Wraps `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// Returns the writer, the digest and the number of the bytes written.
    pub fn finish(self) -> (W, Digest, u64) {
        let size = self.hasher.size();
        (self.inner, self.hasher.finish(), size)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes bytes on and reports an error in place of the end of file unless digest and size are as expected.
///
/// A consumer that reads to the end therefore never believes bytes that were not checked. It never reads more
/// than the expected size plus one byte, so an endless answer ends.
#[derive(Debug)]
pub struct VerifyingReader<R> {
    inner: R,
    hasher: Hasher,
    digest: Digest,
    size: Option<u64>,
    /// How the bytes ended, once they have: a reader that failed fails again.
    end: Option<Result<(), String>>,
}

impl<R: Read> VerifyingReader<R> {
    /// Wraps `inner`, whose bytes must have `digest` and, when given, `size`.
    pub fn new(inner: R, digest: Digest, size: Option<u64>) -> Self {
        Self { inner, hasher: Hasher::default(), digest, size, end: None }
    }

    /// Checks what came after a read of `count` bytes; a count of 0 is the end.
    fn check(&mut self, count: usize) -> Result<(), String> {
        let found = self.hasher.size();
        match self.size {
            Some(expected) if found > expected => {
                return Err(format!("size mismatch: expected {expected} bytes, got at least {found}"));
            }
            Some(expected) if count == 0 && found < expected => {
                return Err(format!("size mismatch: expected {expected} bytes, got {found}"));
            }
            Some(_) | None => {}
        }
        if count > 0 {
            return Ok(());
        }
        let actual = std::mem::take(&mut self.hasher).finish();
        if actual == self.digest {
            return Ok(());
        }
        Err(format!("digest mismatch: expected `{}`, got `{actual}`", self.digest))
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |reason: &String| io::Error::new(io::ErrorKind::InvalidData, reason.clone());
        match &self.end {
            Some(Ok(())) => return Ok(0),
            Some(Err(reason)) => return Err(failed(reason)),
            None if buffer.is_empty() => return Ok(0),
            None => {}
        }
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        let checked = self.check(count);
        if count == 0 || checked.is_err() {
            self.end = Some(checked.clone());
        }
        match checked {
            Ok(()) => Ok(count),
            Err(reason) => Err(failed(&reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn malformed_digests_are_refused() {
        for text in ["", "sha256:", "sha512:aa", "sha256:E3B0", &format!("sha256:{}", "G".repeat(64))] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>().is_err());
    }

    #[test]
    fn chain_of_one_layer_is_the_layer() {
        let layer = DiffId(Digest::of(b"a"));
        let one = ChainId::stack(None, &layer);
        assert_eq!(one.0, layer.0);
        let two = ChainId::stack(Some(&one), &layer);
        assert_eq!(two.0, Digest::of(format!("{} {}", layer.0, layer.0).as_bytes()));
    }

    #[test]
    fn verifying_reader_reports_every_mismatch() {
        let good = Digest::of(b"hello");
        let read = |digest, size| {
            let mut bytes = Vec::new();
            VerifyingReader::new(&b"hello"[..], digest, size).read_to_end(&mut bytes).map(|_| bytes)
        };
        assert_eq!(read(good, Some(5)).unwrap(), b"hello");
        assert_eq!(read(good, None).unwrap(), b"hello");
        assert!(read(good, Some(4)).unwrap_err().to_string().contains("size mismatch"));
        assert!(read(good, Some(6)).unwrap_err().to_string().contains("size mismatch"));
        assert!(read(Digest::of(b""), None).unwrap_err().to_string().contains("digest mismatch"));
    }

    #[test]
    fn a_reader_that_failed_fails_again() {
        let mut reader = VerifyingReader::new(&b"hello"[..], Digest::of(b""), None);
        let mut bytes = Vec::new();
        assert!(reader.read_to_end(&mut bytes).is_err());
        assert!(reader.read_to_end(&mut bytes).is_err());
    }

    #[test]
    fn hashing_reader_and_writer_agree() {
        let mut reader = HashingReader::new(&b"hello"[..]);
        let mut writer = HashingWriter::new(Vec::new());
        io::copy(&mut reader, &mut writer).unwrap();
        let (bytes, digest, size) = writer.finish();
        assert_eq!((bytes.as_slice(), digest, size), (&b"hello"[..], Digest::of(b"hello"), 5));
        assert_eq!(reader.finish(), (digest, 5));
    }
}
