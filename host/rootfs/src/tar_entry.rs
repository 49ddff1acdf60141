//! Writes entries as tar members: POSIX headers, PAX records only for what these cannot hold.
//!
//! Owns how an entry looks in a layer; knows no disk. Invariant: a member's bytes depend on its path and entry
//! alone.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;

use zoea_model::{Attributes, DeviceNumber, Entry, Node, Timestamp, TreePath};

use crate::error::invalid;
use crate::layer_tree::{OPAQUE_NAME, WHITEOUT_PREFIX};
use crate::tar_header::XATTR_PREFIX;
use crate::tar_reader::BLOCK_SIZE;

/// Largest values of the octal fields of a header (`pax(1)`, "ustar Interchange Format").
const MAX_ID: u32 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;
const MAX_TIME: i64 = 0o77_777_777_777;

/// Room for names in a header.
const MAX_NAME: usize = 100;
const MAX_PREFIX: usize = 155;

/// Returns the name that says that `path` is gone.
pub(crate) fn whiteout(path: &TreePath) -> io::Result<TreePath> {
    let root = || invalid("the root of a tree cannot be removed");
    let (parent, name) = path.parent().zip(path.file_name()).ok_or_else(root)?;
    marker_in(&parent, &[WHITEOUT_PREFIX, name.as_bytes()].concat())
}

/// Returns the name that says that the directory `path` shows nothing of lower layers.
pub(crate) fn opaque_marker(path: &TreePath) -> io::Result<TreePath> {
    marker_in(path, OPAQUE_NAME)
}

fn marker_in(parent: &TreePath, name: &[u8]) -> io::Result<TreePath> {
    parent.join(name).map_err(|error| invalid(error.to_string()))
}

/// Writes the members of an archive.
pub(crate) struct TarWriter<W> {
    sink: W,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink }
    }

    /// Writes the header of an entry.
    ///
    /// # Errors
    /// Refuses names that readers would take for whiteouts.
    pub(crate) fn header(&mut self, path: &TreePath, entry: &Entry) -> io::Result<()> {
        if path.components().any(|name| name.as_bytes().starts_with(WHITEOUT_PREFIX)) {
            return Err(invalid("a name that begins with `.wh.` means a whiteout in a layer"));
        }
        self.member(path, entry)
    }

    /// Writes an empty file by whose name readers know what is hidden.
    pub(crate) fn marker(&mut self, path: &TreePath) -> io::Result<()> {
        let node = Node::File { size: 0, digest: None };
        let attributes = Attributes::root_owned(0, Timestamp::EPOCH);
        self.member(path, &Entry { node, attributes, hard_link_to: None })
    }

    /// Writes bytes of the current member.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)
    }

    /// Fills up the last block of `size` bytes.
    pub(crate) fn pad(&mut self, size: u64) -> io::Result<()> {
        let zeros = [0; BLOCK_SIZE];
        let used = usize::try_from(size % BLOCK_SIZE as u64).unwrap_or_default();
        let padding = if used == 0 { &[] } else { zeros.get(used..).unwrap_or_default() };
        self.sink.write_all(padding)
    }

    /// Writes the end marker and returns the sink.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.sink.write_all(&[0; 2 * BLOCK_SIZE])?;
        Ok(self.sink)
    }

    fn member(&mut self, path: &TreePath, entry: &Entry) -> io::Result<()> {
        let mut name = path.as_bytes().to_vec();
        if entry.node.is_directory() {
            name.extend_from_slice(if name.is_empty() { b"./" } else { b"/" });
        }
        let mut records = Vec::new();
        let mut header = tar::Header::new_ustar();
        set_name(&mut header, &name, &mut records);
        set_node(&mut header, entry, &mut records);
        set_attributes(&mut header, &entry.attributes, &mut records);
        header.set_cksum();
        if !records.is_empty() {
            let mut extended = tar::Header::new_ustar();
            let name = pax_name(path);
            copy_into(&mut extended.as_old_mut().name, &name);
            extended.as_old_mut().linkflag = [b'x'];
            octal(&mut extended.as_old_mut().size, records.len() as u64);
            set_attributes(&mut extended, &Attributes::root_owned(0, Timestamp::EPOCH), &mut Vec::new());
            extended.set_cksum();
            self.sink.write_all(extended.as_bytes())?;
            self.sink.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.sink.write_all(header.as_bytes())
    }
}

fn set_name(header: &mut tar::Header, name: &[u8], records: &mut Vec<u8>) {
    if name.len() <= MAX_NAME {
        copy_into(&mut header.as_old_mut().name, name);
        return;
    }
    // The prefix ends at a slash that leaves no more than the name's room behind it.
    let first = name.len().saturating_sub(MAX_NAME + 1);
    let slash = name.iter().enumerate().skip(first).find(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    match slash.map(|slash| (name.get(..slash), name.get(slash + 1..))) {
        Some((Some(prefix), Some(rest))) if prefix.len() <= MAX_PREFIX && !rest.is_empty() => {
            copy_into(&mut header.as_old_mut().name, rest);
            if let Some(header) = header.as_ustar_mut() {
                copy_into(&mut header.prefix, prefix);
            }
        }
        Some(_) | None => {
            record(records, b"path", name);
            copy_into(&mut header.as_old_mut().name, name);
        }
    }
}

fn set_node(header: &mut tar::Header, entry: &Entry, records: &mut Vec<u8>) {
    let (flag, target, device, size) = match (&entry.hard_link_to, &entry.node) {
        (Some(first), _) => (b'1', first.as_bytes(), None, 0),
        (None, Node::File { size, .. }) => (b'0', &b""[..], None, *size),
        (None, Node::Directory) => (b'5', &b""[..], None, 0),
        (None, Node::Symlink { target }) => (b'2', target.as_slice(), None, 0),
        (None, Node::CharacterDevice(number)) => (b'3', &b""[..], Some(*number), 0),
        (None, Node::BlockDevice(number)) => (b'4', &b""[..], Some(*number), 0),
        (None, Node::Fifo) => (b'6', &b""[..], None, 0),
    };
    header.as_old_mut().linkflag = [flag];
    if target.len() > MAX_NAME {
        record(records, b"linkpath", target);
    }
    copy_into(&mut header.as_old_mut().linkname, target);
    if size > MAX_SIZE {
        record(records, b"size", size.to_string().as_bytes());
    }
    octal(&mut header.as_old_mut().size, if size > MAX_SIZE { 0 } else { size });
    let DeviceNumber { major, minor } = device.unwrap_or(DeviceNumber { major: 0, minor: 0 });
    if let Some(header) = header.as_ustar_mut() {
        octal(&mut header.dev_major, u64::from(major));
        octal(&mut header.dev_minor, u64::from(minor));
    }
}

fn set_attributes(header: &mut tar::Header, attributes: &Attributes, records: &mut Vec<u8>) {
    let Attributes { uid, gid, mode, mtime, xattrs } = attributes;
    let old = header.as_old_mut();
    octal(&mut old.mode, u64::from(mode & 0o7777));
    for (field, key, id) in [(&mut old.uid, &b"uid"[..], *uid), (&mut old.gid, &b"gid"[..], *gid)] {
        if id > MAX_ID {
            record(records, key, id.to_string().as_bytes());
        }
        octal(field, if id > MAX_ID { 0 } else { u64::from(id) });
    }
    let fits = (0..=MAX_TIME).contains(&mtime.seconds);
    if !fits {
        record(records, b"mtime", mtime.seconds.to_string().as_bytes());
    }
    octal(&mut old.mtime, if fits { mtime.seconds.unsigned_abs() } else { 0 });
    for (name, value) in xattrs {
        record(records, &[XATTR_PREFIX, name.as_slice()].concat(), value);
    }
}

/// Appends `<length> <key>=<value>\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Returns a name for a PAX header, which readers that know PAX never see.
fn pax_name(path: &TreePath) -> Vec<u8> {
    let name = path.file_name().map(|name| name.as_bytes()).unwrap_or_default();
    let mut name = [b"PaxHeaders.0/", name].concat();
    name.truncate(MAX_NAME);
    name
}

fn copy_into(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// Writes digits that fill the field up to its last byte, which stays NUL.
fn octal(field: &mut [u8], mut value: u64) {
    let Some((last, digits)) = field.split_last_mut() else { return };
    *last = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value & 7).to_le_bytes()[0];
        value >>= 3;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::tar_reader::{MemberKind, TarReader};

    fn write(path: &TreePath, entry: &Entry) -> Vec<u8> {
        let mut writer = TarWriter::new(Vec::new());
        writer.header(path, entry).unwrap();
        if let Node::File { size, .. } = entry.node
            && entry.hard_link_to.is_none()
        {
            writer.content(&vec![7; usize::try_from(size).unwrap()]).unwrap();
            writer.pad(size).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn plain_entries_need_no_extended_header() {
        let attributes = Attributes::root_owned(0o755, Timestamp::from_seconds(1));
        let entry = |node| Entry { node, attributes: attributes.clone(), hard_link_to: None };
        let path = |text: &str| TreePath::new(text).unwrap();
        let bytes = write(&path("usr/bin"), &entry(Node::Directory));
        assert_eq!(bytes.len(), 3 * BLOCK_SIZE);
        assert!(bytes.starts_with(b"usr/bin/\0"));
        assert!(write(&TreePath::root(), &entry(Node::Directory)).starts_with(b"./\0"));
        let split = path(&format!("{}/{}", "a".repeat(150), "b".repeat(99)));
        assert_eq!(write(&split, &entry(Node::Fifo)).len(), 3 * BLOCK_SIZE);
        let long = path(&"c".repeat(200));
        assert_eq!(write(&long, &entry(Node::Fifo)).len(), 5 * BLOCK_SIZE);
    }

    #[test]
    fn names_that_mean_whiteouts_are_refused() {
        let path = TreePath::new("a/.wh.b").unwrap();
        let attributes = Attributes::root_owned(0o644, Timestamp::EPOCH);
        let entry = Entry { node: Node::Fifo, attributes, hard_link_to: None };
        assert!(TarWriter::new(Vec::new()).header(&path, &entry).is_err());
        assert_eq!(whiteout(&TreePath::new("a/b").unwrap()).unwrap(), path);
        assert!(whiteout(&TreePath::root()).is_err());
    }

    fn any_node() -> impl Strategy<Value = Node> {
        let number = (0u32..4096, 0u32..1 << 20).prop_map(|(major, minor)| DeviceNumber { major, minor });
        prop_oneof![
            (0u64..2000).prop_map(|size| Node::File { size, digest: None }),
            Just(Node::Directory),
            Just(Node::Fifo),
            "[a/.é]{1,300}".prop_map(|target| Node::Symlink { target: target.into_bytes() }),
            number.clone().prop_map(Node::CharacterDevice),
            number.prop_map(Node::BlockDevice),
        ]
    }

    proptest! {
        #[test]
        fn our_reader_and_the_tar_crate_read_what_is_written(
            path in "[a-zé]{1,120}(/[a-z]{1,120}){0,3}",
            node in any_node(),
            ids in (any::<u32>(), any::<u32>()),
            mode in 0u32..0o10000,
            seconds in -10_000_000_000i64..100_000_000_000,
            xattrs in proptest::collection::btree_map("user\\.[a-z]{1,9}", any::<Vec<u8>>(), 0..3),
        ) {
            let ids = (ids.0.min(u32::MAX - 1), ids.1.min(u32::MAX - 1));
            let path = TreePath::new(path).unwrap();
            let xattrs = xattrs.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let mtime = Timestamp::from_seconds(seconds);
            let attributes = Attributes { uid: ids.0, gid: ids.1, mode, mtime, xattrs };
            let entry = Entry { node, attributes, hard_link_to: None };
            let bytes = write(&path, &entry);

            let mut reader = TarReader::new(bytes.as_slice());
            let member = reader.next_member().unwrap().unwrap();
            prop_assert_eq!(TreePath::new(&member.path).unwrap(), path.clone());
            prop_assert_eq!(member.attributes, entry.attributes);
            let kind = match entry.node.clone() {
                Node::File { size, .. } => MemberKind::File { size },
                Node::Directory => MemberKind::Directory,
                Node::Symlink { target } => MemberKind::Symlink { target },
                Node::CharacterDevice(number) => MemberKind::CharacterDevice(number),
                Node::BlockDevice(number) => MemberKind::BlockDevice(number),
                Node::Fifo => MemberKind::Fifo,
            };
            prop_assert_eq!(member.kind, kind);
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            prop_assert!(content.iter().all(|byte| *byte == 7));
            prop_assert_eq!(reader.next_member().unwrap(), None);

            let mut archive = tar::Archive::new(bytes.as_slice());
            let found = archive.entries().unwrap().next().unwrap().unwrap();
            prop_assert_eq!(TreePath::new(found.path_bytes()).unwrap(), path);
        }
    }
}
