//! Which compressions layers and archives come in, and reading all of them.
//!
//! The bytes decide, never a name or a media type. Reading is bounded in memory whatever the bytes claim; how
//! much comes out is the consumer's to limit. Invariant: only bytes of whole members come out without an error.

use std::io::{self, BufRead, BufReader, Read};

use zoea_model::oci::MediaType;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// `gzip`, which every reader of images knows.
    #[default]
    Gzip,
    /// `zstd`.
    Zstd,
    /// Not at all.
    None,
}

impl Compression {
    /// Returns the media type of a layer that is compressed so (OCI image specification, `layer.md`).
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
            Self::None => MediaType::ImageLayer,
        }
    }
}

/// A form of bytes that can be told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    /// None of the others.
    Plain,
}

/// As many bytes as the longest magic number has.
const MAGIC_SIZE: usize = 6;

/// Largest window of a zstd frame, as a power of two: what `zstd` itself reads unless told otherwise (128 MiB).
const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// Most memory that an xz stream may ask for: `xz -9` needs 65 MiB.
const MAX_XZ_MEMORY: u64 = 256 << 20;

/// `LZMA_CONCATENATED` of `lzma/container.h`: streams that follow each other are one.
const XZ_CONCATENATED: u32 = 0x08;

impl Format {
    /// Tells the format from the first bytes.
    pub(crate) fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that is to be skipped (RFC 8878, section 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::Plain,
        }
    }
}

/// Reads `source`, uncompressed; also says what it was.
///
/// # Errors
/// Reports what stops reading the first bytes; damaged bytes are reported where they are met.
pub(crate) fn decompress<'a>(
    source: impl Read + Send + 'a,
) -> io::Result<(Format, Box<dyn Read + Send + 'a>)> {
    let mut source = BufReader::with_capacity(1 << 17, source);
    let mut first = Vec::with_capacity(MAGIC_SIZE);
    (&mut source).take(MAGIC_SIZE as u64).read_to_end(&mut first)?;
    let format = Format::of(&first);
    let whole = io::Cursor::new(first).chain(source);
    Ok((format, decoder(format, whole)?))
}

fn decoder<'a>(format: Format, source: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(match format {
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Format::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Format::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Format::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(MAX_XZ_MEMORY, XZ_CONCATENATED)
                .map_err(io::Error::from)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream))
        }
        Format::Plain => Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<(Format, Vec<u8>)> {
        let (format, mut reader) = decompress(bytes)?;
        let mut all = Vec::new();
        reader.read_to_end(&mut all)?;
        Ok((format, all))
    }

    #[test]
    fn every_format_is_told_by_its_bytes_and_read_to_its_last_member() {
        let two = |one: Vec<u8>| [one.as_slice(), one.as_slice()].concat();
        let bzip2 = |bytes: &[u8]| {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let xz = |bytes: &[u8]| {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let cases = [
            (Format::Gzip, two(gzip(b"hello"))),
            (Format::Zstd, two(zstd::encode_all(&b"hello"[..], 1).unwrap())),
            (Format::Bzip2, two(bzip2(b"hello"))),
            (Format::Xz, two(xz(b"hello"))),
            (Format::Plain, b"hellohello".to_vec()),
        ];
        for (format, bytes) in cases {
            assert_eq!(read(&bytes).unwrap(), (format, b"hellohello".to_vec()));
            if format != Format::Plain {
                assert!(read(&bytes[..bytes.len() - 3]).is_err(), "{format:?} cut short");
            }
        }
        assert_eq!(read(b"").unwrap(), (Format::Plain, Vec::new()));
        assert_eq!(read(b"ab").unwrap(), (Format::Plain, b"ab".to_vec()));
    }

    #[test]
    fn huge_zstd_windows_are_refused() {
        // A frame header with a window of 2^31 bytes: descriptor without sizes, window exponent 21.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
        assert!(read(&frame).is_err());
    }
}
