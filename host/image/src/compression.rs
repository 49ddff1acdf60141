//! The compressions of blobs and archives, told by their first bytes or by a media type.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// How many first bytes tell the compression.
pub(crate) const MAGIC: usize = 4;

impl Compression {
    /// Tells by the first bytes (RFC 1952, RFC 8878). Anything else counts as uncompressed.
    pub(crate) fn of_bytes(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A stream may begin with a skippable frame: 0x184D2A50 to 0x184D2A5F, little-endian.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Tells by a layer's media type.
    pub(crate) fn of_media_type(media_type: &str) -> Self {
        match media_type.rsplit(['+', '.']).next() {
            Some("gzip") => Self::Gzip,
            Some("zstd") => Self::Zstd,
            Some(_) | None => Self::None,
        }
    }

    /// Decompresses a stream of any number of gzip members or zstd frames.
    pub(crate) fn decode<'a>(self, reader: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Self::None => Box::new(reader),
            Self::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(reader)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_tell() {
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar", Compression::None),
            ("application/vnd.oci.image.layer.v1.tar+gzip", Compression::Gzip),
            ("application/vnd.docker.image.rootfs.diff.tar", Compression::None),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Compression::Zstd),
        ] {
            assert_eq!(Compression::of_media_type(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn decodes_what_it_recognises() {
        let zstd = zstd::encode_all(&b"hello"[..], 1).unwrap();
        assert_eq!(Compression::of_bytes(&zstd), Compression::Zstd);
        let mut text = String::new();
        Compression::Zstd.decode(zstd.as_slice()).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert_eq!(Compression::of_bytes(b""), Compression::None);
    }
}
