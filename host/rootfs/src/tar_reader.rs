//! Takes a tar stream apart into members, each with its name, kind and attributes as the archive has them.
//!
//! Owns the framing and the extended headers (PAX, GNU long names); touches no disk and gives no meaning to
//! names: whiteouts, `..` and links are the consumer's. Everything is hostile: whatever is held in memory has a
//! limit. Invariant: between two members exactly the first one's content is passed over.

use std::collections::BTreeMap;
use std::io::{self, Read};

use zoea_model::{Attributes, DeviceNumber, Timestamp};

use crate::error::invalid;
use crate::tar_header::{Extensions, Number, checksum_matches, has_name, number, parse_records};

/// Size of a tar block.
pub(crate) const BLOCK_SIZE: usize = 512;

/// Largest extended header: room for the longest path, the longest link and sixteen extended attributes of the
/// kernel's largest size (64 KiB).
const MAX_EXTENDED_HEADER: u64 = 1_200_000;

/// Most extended headers before one member; writers use two (a long name and a long link) and one of PAX.
const MAX_EXTENDED_HEADERS: usize = 8;

/// Largest device numbers of Linux (`MINORBITS` in `include/linux/kdev_t.h`).
const MAX_MAJOR: u32 = (1 << 12) - 1;
const MAX_MINOR: u32 = (1 << 20) - 1;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberKind {
    /// A regular file; its content follows and is read from the reader.
    File {
        size: u64,
    },
    /// One more name of a member before, by that member's name.
    HardLink {
        target: Vec<u8>,
    },
    Symlink {
        target: Vec<u8>,
    },
    CharacterDevice(DeviceNumber),
    BlockDevice(DeviceNumber),
    Directory,
    Fifo,
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name as written.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: MemberKind,
    /// Its attributes, with every extended attribute that the archive has.
    pub(crate) attributes: Attributes,
}

/// A tar stream; as a reader it yields the content of the current member.
#[derive(Debug)]
pub(crate) struct TarReader<R> {
    source: R,
    remaining: u64,
    padding: u64,
    name: Vec<u8>,
}

impl<R: Read> TarReader<R> {
    /// Reads the uncompressed archive `source`.
    pub(crate) fn new(source: R) -> Self {
        Self { source, remaining: 0, padding: 0, name: Vec::new() }
    }

    /// Returns the name of the member read last, or whose header is at fault.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Passes over the rest of the current member and reads the next header; none at the archive's end.
    ///
    /// # Errors
    /// Reports what is not well-formed, and kinds of members that no layer has (sparse files, parts of
    /// multi-volume archives).
    pub(crate) fn next_member(&mut self) -> io::Result<Option<Member>> {
        self.skip()?;
        let mut extensions = Extensions::default();
        for _ in 0..=MAX_EXTENDED_HEADERS {
            let Some(block) = self.next_header()? else {
                return if extensions == Extensions::default() {
                    Ok(None)
                } else {
                    Err(invalid("the archive ends behind an extended header"))
                };
            };
            let header = tar::Header::from_byte_slice(&block);
            match header.as_old().linkflag {
                [b'x'] => {
                    let records = self.read_extended(header)?;
                    parse_records(&records, &mut extensions)?;
                }
                // Defaults for all members behind; as with Docker they are not used.
                [b'g'] => drop(self.read_extended(header)?),
                [b'L'] => extensions.path = Some(self.read_long_name(header)?),
                [b'K'] => extensions.link = Some(self.read_long_name(header)?),
                [flag] => return self.member(header, flag, extensions).map(Some),
            }
        }
        Err(invalid(format!("more than {MAX_EXTENDED_HEADERS} extended headers before one member")))
    }

    /// Reads to the end of the stream behind the archive's end, at most `limit` bytes.
    ///
    /// # Errors
    /// Reports more bytes than that.
    pub(crate) fn drain(&mut self, limit: u64) -> io::Result<()> {
        let rest = io::copy(&mut (&mut self.source).take(limit + 1), &mut io::sink())?;
        if rest > limit {
            return Err(invalid(format!("more than {limit} bytes behind the end of the archive")));
        }
        Ok(())
    }

    fn member(&mut self, header: &tar::Header, flag: u8, extensions: Extensions) -> io::Result<Member> {
        let old = header.as_old();
        let path = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        self.name.clone_from(&path);
        if extensions.sparse || flag == b'S' {
            return Err(invalid("sparse files are not read by this version"));
        }
        let size = match extensions.size {
            Some(size) => size,
            None => number(&old.size, "size")?.unsigned("size")?,
        };
        let target = extensions.link.or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let kind = match flag {
            // Before POSIX a directory was a file whose name ends in a slash.
            0 if path.ends_with(b"/") => MemberKind::Directory,
            0 | b'0' | b'7' => MemberKind::File { size },
            b'1' => MemberKind::HardLink { target: target.unwrap_or_default() },
            b'2' => MemberKind::Symlink { target: target.unwrap_or_default() },
            b'3' => MemberKind::CharacterDevice(device(header)?),
            b'4' => MemberKind::BlockDevice(device(header)?),
            b'5' => MemberKind::Directory,
            b'6' => MemberKind::Fifo,
            other => return Err(invalid(format!("members of type `{}` are not read", other.escape_ascii()))),
        };
        if let MemberKind::File { size } = kind {
            self.begin_content(size)?;
        }
        let owner = |record: Option<u64>, field: &[u8], name| match record {
            Some(owner) => owner_id(owner, name),
            None => owner_id(number(field, name)?.unsigned(name)?, name),
        };
        let mode = number(&old.mode, "mode")?.unsigned("mode")? & 0o7777;
        let mtime = match extensions.mtime {
            Some(mtime) => mtime,
            None => Timestamp::from_seconds(number(&old.mtime, "time")?.signed("time")?),
        };
        let attributes = Attributes {
            uid: owner(extensions.uid, &old.uid, "user id")?,
            gid: owner(extensions.gid, &old.gid, "group id")?,
            mode: u32::try_from(mode).unwrap_or_default(),
            mtime,
            xattrs: extensions.xattrs,
        };
        Ok(Member { path, kind, attributes })
    }

    /// Reads the next header block; none at the end marker or the end of the stream.
    fn next_header(&mut self) -> io::Result<Option<[u8; BLOCK_SIZE]>> {
        let Some(block) = self.read_block()? else { return Ok(None) };
        if block.iter().any(|byte| *byte != 0) {
            let name = tar::Header::from_byte_slice(&block).path_bytes().into_owned();
            if has_name(&block) {
                self.name = name;
            }
            if !checksum_matches(&block) {
                return Err(invalid("a header has a wrong checksum"));
            }
            return Ok(Some(block));
        }
        // The end marker is two blocks of zeros; a stream that ends after one is taken as GNU tar takes it.
        match self.read_block()? {
            Some(second) if second.iter().any(|byte| *byte != 0) => {
                Err(invalid("a block of zeros stands between the members"))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Reads one whole block; none at the end of the stream.
    fn read_block(&mut self) -> io::Result<Option<[u8; BLOCK_SIZE]>> {
        let mut block = [0; BLOCK_SIZE];
        let mut filled = 0;
        while filled < BLOCK_SIZE {
            match self.source.read(block.get_mut(filled..).unwrap_or_default()) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(cut_short()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    fn read_long_name(&mut self, header: &tar::Header) -> io::Result<Vec<u8>> {
        let mut name = self.read_extended(header)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    fn read_extended(&mut self, header: &tar::Header) -> io::Result<Vec<u8>> {
        let size = number(&header.as_old().size, "size")?.unsigned("size")?;
        if size > MAX_EXTENDED_HEADER {
            return Err(invalid(format!("an extended header is larger than {MAX_EXTENDED_HEADER} bytes")));
        }
        self.begin_content(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        self.skip()?;
        Ok(bytes)
    }

    fn begin_content(&mut self, size: u64) -> io::Result<()> {
        let block = BLOCK_SIZE as u64;
        if size > i64::MAX.unsigned_abs() - block {
            return Err(invalid(format!("a size of {size} bytes is more than any file has")));
        }
        self.remaining = size;
        self.padding = (block - size % block) % block;
        Ok(())
    }

    fn skip(&mut self) -> io::Result<()> {
        let wanted = self.remaining + self.padding;
        let skipped = io::copy(&mut (&mut self.source).take(wanted), &mut io::sink())?;
        (self.remaining, self.padding) = (0, 0);
        // Some writers leave out the padding of the last member.
        if skipped == wanted { Ok(()) } else { Err(cut_short()) }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.remaining == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if count == 0 {
            return Err(cut_short());
        }
        self.remaining -= count as u64;
        Ok(count)
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short")
}

fn owner_id(id: u64, name: &'static str) -> io::Result<u32> {
    // The highest number means "none" to the kernel (`chown(2)`).
    u32::try_from(id)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| invalid(format!("the {name} {id} is too large")))
}

fn device(header: &tar::Header) -> io::Result<DeviceNumber> {
    let fields = header
        .as_ustar()
        .map(|header| (header.dev_major, header.dev_minor))
        .or_else(|| header.as_gnu().map(|header| (header.dev_major, header.dev_minor)));
    let (major, minor) = fields.ok_or_else(|| invalid("a device has no numbers"))?;
    let read = |field: &[u8], limit: u32| -> io::Result<u32> {
        let found: Number = number(field, "device number")?;
        let found = u32::try_from(found.unsigned("device number")?).ok().filter(|found| *found <= limit);
        found.ok_or_else(|| invalid("a device number is too large"))
    };
    Ok(DeviceNumber { major: read(&major, MAX_MAJOR)?, minor: read(&minor, MAX_MINOR)? })
}

/// Extended attributes of a member.
pub(crate) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(flag: u8, name: &str, size: u64) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkflag = [flag];
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(1);
        header.set_gid(2);
        header.set_mtime(3);
        header.set_cksum();
        header
    }

    fn member(flag: u8, name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = header(flag, name, content.len() as u64).as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE), 0);
        bytes
    }

    fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| length.to_string().len() + rest == *length).unwrap();
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        member(b'x', "pax", &body)
    }

    fn all(bytes: &[u8]) -> io::Result<Vec<(Member, Vec<u8>)>> {
        let mut reader = TarReader::new(bytes);
        let mut found = Vec::new();
        while let Some(member) = reader.next_member()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            found.push((member, content));
        }
        Ok(found)
    }

    fn message(bytes: &[u8]) -> String {
        all(bytes).unwrap_err().to_string()
    }

    #[test]
    fn reads_members_with_pax_records_and_long_names() {
        let long = "d/".repeat(300) + "f";
        let archive = [
            member(b'g', "global", b"14 path=wrong\n"),
            pax(&[
                ("path", long.as_bytes()),
                ("uid", b"3000000"),
                ("mtime", b"-1.25"),
                ("SCHILY.xattr.user.a", b"x\ny=z\0"),
            ]),
            member(b'0', "short", b"hello"),
            member(b'L', "././@LongLink", b"gnu-name\0"),
            member(b'K', "././@LongLink", b"gnu-target\0"),
            member(b'2', "short", b""),
            member(0, "old/", b""),
            vec![0; 1024],
        ]
        .concat();
        let found = all(&archive).unwrap();
        let (file, content) = &found[0];
        assert_eq!((file.path.as_slice(), content.as_slice()), (long.as_bytes(), &b"hello"[..]));
        assert_eq!((file.attributes.uid, file.attributes.gid, file.attributes.mode), (3_000_000, 2, 0o644));
        assert_eq!(file.attributes.mtime, Timestamp { seconds: -2, nanoseconds: 750_000_000 });
        assert_eq!(file.attributes.xattrs[b"user.a".as_slice()], b"x\ny=z\0");
        assert_eq!(found[1].0.path, b"gnu-name");
        assert_eq!(found[1].0.kind, MemberKind::Symlink { target: b"gnu-target".to_vec() });
        assert_eq!(found[2].0.kind, MemberKind::Directory);
    }

    #[test]
    fn hostile_headers_are_refused() {
        let mut wrong_sum = header(b'0', "a", 0);
        wrong_sum.as_old_mut().name[0] = b'b';
        assert!(message(wrong_sum.as_bytes()).contains("checksum"));
        assert!(message(&member(b'S', "a", b"")).contains("sparse"));
        assert!(
            message(&[pax(&[("GNU.sparse.major", b"1")]), member(b'0', "a", b"")].concat())
                .contains("sparse")
        );
        assert!(message(&member(b'V', "label", b"")).contains("type `V`"));
        assert!(message(header(b'x', "a", 1 << 32).as_bytes()).contains("larger than"));
        assert!(message(&pax(&[]).repeat(20)).contains("extended headers"));
        assert!(message(&pax(&[("path", b"a")])).contains("ends behind"));
        assert!(message(header(b'0', "a", 10).as_bytes()).contains("cut short"));
        let mut negative = header(b'0', "a", 0);
        negative.as_old_mut().size = [0xff; 12];
        negative.set_cksum();
        assert!(message(negative.as_bytes()).contains("size"));
        let mut nobody = header(b'0', "a", 0);
        nobody.as_old_mut().uid = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        nobody.set_cksum();
        assert!(message(nobody.as_bytes()).contains("too large"));
        let zeros = [vec![0; 512], member(b'0', "a", b"")].concat();
        assert!(message(&zeros).contains("zeros"));
        for bad in
            [&b"5 a\n"[..], b"99 a=b\n", b"0 a=b\n", b"x a=b\n", b"6 a=b", b"18446744073709551616 a=b\n"]
        {
            assert!(message(&[member(b'x', "p", bad), member(b'0', "a", b"")].concat()).contains("PAX"));
        }
    }

    #[test]
    fn huge_base_256_sizes_and_times_are_read() {
        let mut large = header(b'5', "a", 0);
        large.as_old_mut().mtime = [0xff; 12];
        large.set_cksum();
        assert_eq!(all(large.as_bytes()).unwrap()[0].0.attributes.mtime.seconds, -1);
    }

    #[test]
    fn drains_only_so_much() {
        let mut archive = vec![0; 4096];
        let mut reader = TarReader::new(archive.as_slice());
        assert_eq!(reader.next_member().unwrap(), None);
        reader.drain(4096).unwrap();
        archive.resize(9000, 1);
        let mut reader = TarReader::new(archive.as_slice());
        assert_eq!(reader.next_member().unwrap(), None);
        assert!(reader.drain(4096).is_err());
    }

    proptest! {
        #[test]
        fn any_damage_ends_in_members_or_an_error(at in 0usize..4096, value: u8, cut in 0usize..4096) {
            let mut archive =
                [pax(&[("path", b"x")]), member(b'0', "a", b"hello"), member(b'5', "d", b"")].concat();
            let length = archive.len();
            archive[at % length] = value;
            archive.truncate(cut.max(1) % (length + 1));
            let (Ok(_) | Err(_)) = all(&archive);
        }
    }
}
