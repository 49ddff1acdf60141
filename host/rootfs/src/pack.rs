//! Writes changes as a layer: the same changes give the same bytes, everywhere.
//!
//! Streams tar → digest → compressor → digest → sink, and hashes each file's content on its way into the index.
//! Decides nothing about what changed. Invariants: members are sorted, whiteouts first; times are whole seconds,
//! none later than a given date; memory does not grow with the size of files.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use cap_std::fs::Dir;
use zoea_model::oci::MediaType;
use zoea_model::{Change, Changes, DiffId, Digest, Entry, HashingWriter, Node, Timestamp, TreePath};

use crate::ancestors::with_ancestors;
use crate::content::ContentBuffer;
use crate::encoder::{Encoder, MAX_THREADS};
use crate::error::invalid;
use crate::layer_disk::open_file;
use crate::tar_entry::{TarWriter, opaque_marker, whiteout};
use crate::{Compression, IndexRow, LayerIndex, Rootfs, RootfsError};

/// How a layer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackOptions {
    /// How it is compressed.
    pub compression: Compression,
    /// The latest time that an entry of the layer may have.
    pub source_date_epoch: Option<Timestamp>,
}

/// A written layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedLayer {
    /// The digest of the bytes that were written.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// The digest of the bytes before compression.
    pub diff_id: DiffId,
    /// The media type.
    pub media_type: MediaType,
    /// The layer's index, with times as the tree has them.
    pub index: LayerIndex,
}

/// Writes `changes` and the directories above them to `sink`; files are read from `rootfs`.
///
/// # Errors
/// Reports what cannot be read, a file that changes meanwhile, and what the sink refuses.
pub fn pack(
    changes: &Changes,
    rootfs: &Rootfs,
    options: &PackOptions,
    sink: &mut dyn Write,
) -> Result<PackedLayer, RootfsError> {
    pack_content(&with_ancestors(changes, rootfs.baseline()), rootfs.dir(), options, sink)
}

/// As [`pack`], with the files read from any directory.
pub(crate) fn pack_content(
    changes: &Changes,
    content: &Dir,
    options: &PackOptions,
    sink: &mut dyn Write,
) -> Result<PackedLayer, RootfsError> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    pack_on_threads(changes, content, options, sink, processors.min(MAX_THREADS))
}

/// Writes several trees as one archive, each below a name of its own; times as [`pack`] writes them.
pub(crate) fn pack_trees(
    trees: &[(TreePath, Changes, &Dir)],
    latest: Option<Timestamp>,
    sink: &mut dyn Write,
) -> Result<(), RootfsError> {
    let failed = |source| RootfsError::WriteLayer { source };
    let mut tar = TarWriter::new(sink);
    for (below, changes, content) in trees {
        let (rows, buffer) = (BTreeMap::new(), ContentBuffer::new());
        let mut packing = Packing { tar, below: below.clone(), content, latest, rows, buffer };
        packing.write(changes)?;
        tar = packing.tar;
    }
    tar.finish().map_err(failed)?.flush().map_err(failed)
}

fn pack_on_threads(
    changes: &Changes,
    content: &Dir,
    options: &PackOptions,
    sink: &mut dyn Write,
    threads: usize,
) -> Result<PackedLayer, RootfsError> {
    let failed = |source| RootfsError::WriteLayer { source };
    let compressed = HashingWriter::new(sink);
    let encoder = Encoder::new(compressed, options.compression, threads).map_err(failed)?;
    let mut packing = Packing {
        tar: TarWriter::new(HashingWriter::new(encoder)),
        below: TreePath::root(),
        content,
        latest: options.source_date_epoch,
        rows: BTreeMap::new(),
        buffer: ContentBuffer::new(),
    };
    packing.write(changes)?;
    let Packing { tar, rows, .. } = packing;
    let (encoder, diff_id, _) = tar.finish().map_err(failed)?.finish();
    let (sink, digest, size) = encoder.finish().map_err(failed)?.finish();
    sink.flush().map_err(failed)?;
    Ok(PackedLayer {
        digest,
        size,
        diff_id: DiffId(diff_id),
        media_type: options.compression.media_type(),
        index: LayerIndex::from_rows(rows),
    })
}

struct Packing<'a, W: Write> {
    tar: TarWriter<W>,
    /// Where in the archive all paths are.
    below: TreePath,
    content: &'a Dir,
    latest: Option<Timestamp>,
    rows: BTreeMap<TreePath, IndexRow>,
    buffer: ContentBuffer,
}

impl<W: Write> Packing<'_, W> {
    fn write(&mut self, changes: &Changes) -> Result<(), RootfsError> {
        let failed = |path: &TreePath| {
            let path = path.clone();
            move |source| RootfsError::PackEntry { path, source }
        };
        // All before any entry, because some readers apply them to what they have just unpacked.
        for (path, change) in &changes.0 {
            if *change == Change::Remove {
                whiteout(path).and_then(|name| self.tar.marker(&name)).map_err(failed(path))?;
                self.rows.insert(path.clone(), IndexRow::Whiteout);
            }
        }
        for (path, change) in &changes.0 {
            let row = match change {
                Change::Remove => continue,
                Change::Upsert(entry) => IndexRow::Entry(self.entry(path, entry).map_err(failed(path))?),
                Change::Replace(entry) => {
                    let entry = self.entry(path, entry).map_err(failed(path))?;
                    opaque_marker(path).and_then(|name| self.tar.marker(&name)).map_err(failed(path))?;
                    IndexRow::Opaque(entry)
                }
            };
            self.rows.insert(path.clone(), row);
        }
        Ok(())
    }

    /// Writes one entry and returns it with what is known of it now.
    fn entry(&mut self, path: &TreePath, entry: &Entry) -> io::Result<Entry> {
        let mut known = entry.clone();
        let mut written = entry.clone();
        written.attributes.mtime = self.written_time(entry.attributes.mtime);
        if self.below.is_root() {
            self.tar.header(path, &written)?;
        } else {
            let moved = |path: &TreePath| self.below.join(path.as_bytes()).map_err(io::Error::other);
            written.hard_link_to = entry.hard_link_to.as_ref().map(moved).transpose()?;
            self.tar.header(&moved(path)?, &written)?;
        }
        if let Some(first) = &entry.hard_link_to {
            let first = self.rows.get(first).and_then(IndexRow::entry);
            known.node =
                first.ok_or_else(|| invalid("it is a link to what the layer does not have"))?.node.clone();
            return Ok(known);
        }
        if let Node::File { size, .. } = entry.node {
            let mut content = open_file(self.content, path)?.take(size + 1);
            let mut limited = TarContent { tar: &mut self.tar, left: size };
            let (digest, found) = self.buffer.copy(&mut content, &mut limited)?;
            if found != size {
                return Err(changed_meanwhile());
            }
            self.tar.pad(size)?;
            known.node = Node::File { size, digest: Some(digest) };
        }
        Ok(known)
    }

    /// Cuts a time to whole seconds, as all builders write them, and to the latest one allowed.
    fn written_time(&self, mtime: Timestamp) -> Timestamp {
        let mtime = self.latest.map_or(mtime, |latest| mtime.min(latest));
        Timestamp::from_seconds(mtime.seconds)
    }
}

/// Takes exactly as many bytes as the header says.
struct TarContent<'a, W: Write> {
    tar: &'a mut TarWriter<W>,
    left: u64,
}

impl<W: Write> Write for TarContent<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(changed_meanwhile)?;
        self.tar.content(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn changed_meanwhile() -> io::Error {
    invalid("the file changed while it was read")
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
