//! Walking over the headers of a tar stream without reading what lies between.
//!
//! The `tar` crate parses each header; the walk is ours, because the crate's reads names and PAX records of any
//! length into memory, and an archive may come from anyone.

use std::io::{self, Read};

use tar::{EntryType, Header, PaxExtensions};

/// Bytes of one tar block (POSIX ustar).
const BLOCK: u64 = 512;
/// The longest name or PAX record set that is read; the names in image archives have a hundred characters.
const LONGEST_EXTENSION: u64 = 1 << 20;
/// How many entries are walked over; a layered image has some hundred.
const MOST_ENTRIES: usize = 100_000;

/// Moves forward over bytes that nobody wants.
pub(crate) trait Skip: Read {
    /// Skips `count` bytes.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

/// One entry, its extended headers applied.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryType,
    pub(crate) link: Option<Vec<u8>>,
    /// Where its content begins in the stream.
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// What extended headers say of the entry after them.
#[derive(Debug, Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// The walk over one stream.
#[derive(Debug)]
pub(crate) struct Headers<R> {
    stream: R,
    position: u64,
    count: usize,
}

impl<R: Skip> Headers<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, position: 0, count: 0 }
    }

    /// Returns the next entry; none at the end of the archive.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other entry stands for itself")]
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut extensions = Extensions::default();
        loop {
            self.count += 1;
            if self.count > MOST_ENTRIES {
                return Err(invalid(format!("it has more than {MOST_ENTRIES} entries")));
            }
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            let size = header.entry_size()?;
            match kind {
                EntryType::XHeader => self.read_pax(size, &mut extensions)?,
                EntryType::GNULongName => extensions.path = Some(self.read_name(size)?),
                EntryType::GNULongLink => extensions.link = Some(self.read_name(size)?),
                EntryType::XGlobalHeader => self.skip_content(size)?,
                EntryType::GNUSparse => return Err(invalid("it has sparse entries")),
                _ => return self.member(&header, kind, extensions).map(Some),
            }
        }
    }

    fn member(&mut self, header: &Header, kind: EntryType, extensions: Extensions) -> io::Result<Member> {
        let size = match extensions.size {
            Some(size) => size,
            None => header.entry_size()?,
        };
        let size = if kind.is_file() || kind.is_contiguous() { size } else { 0 };
        let offset = self.position;
        self.skip_content(size)?;
        let link = || header.link_name_bytes().map(|name| name.into_owned());
        Ok(Member {
            path: extensions.path.unwrap_or_else(|| header.path_bytes().into_owned()),
            kind,
            link: extensions.link.or_else(link),
            offset,
            size,
        })
    }

    /// Reads one header; none at the end-of-archive blocks and at a bare end of file, as GNU tar does.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a header is truncated")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let stated = header.cksum()?;
        if stated != checksum(header.as_bytes()) {
            return Err(invalid("a header has a wrong checksum: it is no tar archive, or damaged"));
        }
        Ok(Some(header))
    }

    fn read_pax(&mut self, size: u64, extensions: &mut Extensions) -> io::Result<()> {
        let bytes = self.read_content(size)?;
        for record in PaxExtensions::new(&bytes) {
            let record = record?;
            match record.key_bytes() {
                b"path" => extensions.path = Some(record.value_bytes().to_vec()),
                b"linkpath" => extensions.link = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|text| text.parse().ok());
                    extensions.size = Some(size.ok_or_else(|| invalid("a PAX size is no number"))?);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(invalid("it has sparse entries")),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_name(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut name = self.read_content(size)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn read_content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_EXTENSION {
            return Err(invalid(format!("an extended header is longer than {LONGEST_EXTENSION} bytes")));
        }
        let mut bytes = Vec::new();
        (&mut self.stream).take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "an extended header is truncated"));
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        self.stream.skip(padding)?;
        self.position += size + padding;
        Ok(bytes)
    }

    fn skip_content(&mut self, size: u64) -> io::Result<()> {
        let too_long = || invalid("an entry is longer than any file");
        let padded = size.checked_next_multiple_of(BLOCK).ok_or_else(too_long)?;
        self.stream.skip(padded)?;
        self.position = self.position.checked_add(padded).ok_or_else(too_long)?;
        Ok(())
    }
}

/// Sums a header's bytes with its own checksum field taken as spaces (POSIX ustar).
fn checksum(block: &[u8; 512]) -> u32 {
    let field = 148..156;
    let byte = |(position, byte): (usize, &u8)| if field.contains(&position) { b' ' } else { *byte };
    block.iter().enumerate().map(|pair| u32::from(byte(pair))).sum()
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Bytes<'a>(&'a [u8]);

    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Skip for Bytes<'_> {
        fn skip(&mut self, count: u64) -> io::Result<()> {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            self.0 = self.0.get(count..).ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok(())
        }
    }

    fn walk(bytes: &[u8]) -> io::Result<Vec<Member>> {
        let mut headers = Headers::new(Bytes(bytes));
        let mut members = Vec::new();
        while let Some(member) = headers.next()? {
            members.push(member);
        }
        Ok(members)
    }

    fn archive(paths: &[String]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for path in paths {
            let mut header = Header::new_gnu();
            header.set_size(path.len() as u64);
            builder.append_data(&mut header, path, path.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn long_extensions_are_refused() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        let error = walk(header.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("extended header is longer"), "{error}");
    }

    #[test]
    fn pax_sizes_and_names_count() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("path", &b"long"[..]), ("size", b"5")]).unwrap();
        let mut header = Header::new_ustar();
        header.set_path("short").unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.get_mut().extend_from_slice(header.as_bytes());
        builder.get_mut().extend_from_slice(&[0; 512]);
        let members = walk(&builder.into_inner().unwrap()).unwrap();
        assert_eq!((members[0].path.as_slice(), members[0].size, members[0].offset), (&b"long"[..], 5, 1536));
    }

    proptest! {
        #[test]
        fn finds_what_the_tar_crate_wrote(paths in prop::collection::vec("[a-z]{1,150}", 0..8)) {
            let bytes = archive(&paths);
            let members = walk(&bytes).unwrap();
            prop_assert_eq!(members.len(), paths.len());
            for (member, path) in members.iter().zip(&paths) {
                prop_assert_eq!(&member.path, path.as_bytes());
                let start = usize::try_from(member.offset).unwrap();
                prop_assert_eq!(&bytes[start..start + path.len()], path.as_bytes());
            }
        }

        #[test]
        fn damage_never_panics(position in 0_usize..4096, byte: u8, length in 0_usize..4096) {
            let mut bytes = archive(&["a".to_owned(), "b".repeat(120)]);
            if let Some(place) = bytes.get_mut(position) {
                *place = byte;
            }
            bytes.truncate(length);
            match walk(&bytes) {
                Ok(members) => prop_assert!(members.len() <= 2),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
