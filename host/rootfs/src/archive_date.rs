//! The time of the newest file in an archive.

use std::io::Read as _;

use cap_std::fs::File;
use zoea_model::Timestamp;

use crate::compression::decompress;
use crate::tar_reader::{MemberKind, TarReader};

/// How much of an archive is looked at, uncompressed: as much as is fetched at most. A few kilobytes can stand for
/// more than can be read in a day.
const MOST_READ: u64 = 64 << 30;

/// Returns the time of the newest regular file, hard links included; none if it is no archive, or a damaged one.
pub fn newest_in_archive(file: File) -> Option<Timestamp> {
    let (_, bytes) = decompress(file).ok()?;
    let mut reader = TarReader::new(bytes.take(MOST_READ));
    let mut newest = None;
    while let Some(member) = reader.next_member().ok()? {
        if matches!(member.kind, MemberKind::File { .. } | MemberKind::HardLink { .. }) {
            newest = newest.max(Some(member.attributes.mtime));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn date(bytes: &[u8]) -> Option<Timestamp> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        newest_in_archive(File::from_std(file))
    }

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, time) in [
            (tar::EntryType::Regular, "old", 5),
            (tar::EntryType::Regular, "new", 7),
            (tar::EntryType::Regular, "middle", 6),
            (tar::EntryType::Directory, "directory", 9),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mtime(time);
            builder.append_data(&mut header, name, &b""[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn the_newest_file_counts_and_no_directory() {
        let bytes = archive();
        assert_eq!(date(&bytes), Some(Timestamp::from_seconds(7)));
        assert_eq!(date(&zstd::encode_all(bytes.as_slice(), 1).unwrap()), Some(Timestamp::from_seconds(7)));
    }

    #[test]
    fn what_is_no_whole_archive_has_no_time() {
        let bytes = archive();
        let compressed = zstd::encode_all(bytes.as_slice(), 1).unwrap();
        for damaged in [&b"text"[..], b"", &bytes[..700], &compressed[..compressed.len() - 3]] {
            assert_eq!(date(damaged), None);
        }
    }
}
