//! Unpacks one layer from its bytes into a directory of its own, and checks that they are the layer.
//!
//! Owns the limits of a whole layer; what a single member means is `layer_tree`'s. Looks at no other layer, so
//! that layers can be unpacked at the same time. Invariant: success means that the uncompressed bytes have the
//! digest that was asked for.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use zoea_model::DiffId;

use crate::RootfsError;
use crate::error::{invalid, printable};
use crate::layer_stream::{Blocks, Fed, QUEUE_LENGTH, feed};
use crate::layer_tree::LayerTree;
use crate::tar_reader::{Member, TarReader};

/// Most members of a layer: the largest images in use have some hundred thousand; their names must fit in memory.
const MAX_MEMBERS: u64 = 4_000_000;

/// Most bytes of names, link targets and extended attributes of a layer, for the same reason.
const MAX_METADATA: u64 = 1 << 30;

/// Most bytes behind the archive's end marker: writers fill up to a tape record, which is far less.
const MAX_TRAILER: u64 = 64 << 20;

/// Unpacks the compressed bytes of `source` into `tree`.
///
/// # Errors
/// Reports bytes that are no layer, not this layer, or more than a limit allows, and what the disk refused;
/// [`RootfsError::Stopped`] once `stop` is set.
pub(crate) fn unpack(
    layer: DiffId,
    source: Box<dyn Read + Send + '_>,
    tree: &mut LayerTree,
    stop: &AtomicBool,
) -> Result<(), RootfsError> {
    let (sender, receiver) = sync_channel(QUEUE_LENGTH);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || feed(source, &sender, stop));
        let mut reader = TarReader::new(Blocks::new(receiver));
        let unpacked = unpack_members(layer, &mut reader, tree);
        // Without its reader the feeder ends as soon as it has something to send.
        drop(reader);
        let fed = feeder.join();
        if stop.load(Ordering::Relaxed) {
            return Err(RootfsError::Stopped { layer });
        }
        match (fed, unpacked) {
            // What stopped the stream is the cause of whatever the end of it looked like.
            (Ok(Err(source)), _) => Err(RootfsError::ReadLayer { layer, source }),
            (_, Err(error)) => Err(error),
            (Ok(Ok(Fed::Whole(actual))), Ok(())) if actual == layer.0 => Ok(()),
            (Ok(Ok(Fed::Whole(actual))), Ok(())) => Err(RootfsError::LayerDigest { layer, actual }),
            (Ok(Ok(Fed::Unwanted)) | Err(_), Ok(())) => {
                let source = std::io::Error::other("the thread that reads it is gone");
                Err(RootfsError::ReadLayer { layer, source })
            }
        }
    })
}

fn unpack_members(
    layer: DiffId,
    reader: &mut TarReader<impl Read>,
    tree: &mut LayerTree,
) -> Result<(), RootfsError> {
    let failed = |name: &[u8], source| RootfsError::UnpackEntry { layer, entry: printable(name), source };
    let (mut members, mut metadata) = (0, 0);
    loop {
        let next = reader.next_member();
        let Some(member) = next.map_err(|source| failed(reader.name(), source))? else { break };
        members += 1;
        metadata += metadata_size(&member);
        if members > MAX_MEMBERS {
            let source = invalid(format!("the layer has more than {MAX_MEMBERS} entries"));
            return Err(failed(&member.path, source));
        }
        if metadata > MAX_METADATA {
            let source =
                invalid(format!("the layer has more than {MAX_METADATA} bytes of names and attributes"));
            return Err(failed(&member.path, source));
        }
        let placed = tree.place(member, reader);
        placed.map_err(|source| failed(reader.name(), source))?;
    }
    reader.drain(MAX_TRAILER).map_err(|source| RootfsError::ReadLayer { layer, source })
}

fn metadata_size(member: &Member) -> u64 {
    let xattrs: usize = member.attributes.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let target = match &member.kind {
        crate::tar_reader::MemberKind::HardLink { target }
        | crate::tar_reader::MemberKind::Symlink { target } => target.len(),
        crate::tar_reader::MemberKind::File { .. }
        | crate::tar_reader::MemberKind::CharacterDevice(_)
        | crate::tar_reader::MemberKind::BlockDevice(_)
        | crate::tar_reader::MemberKind::Directory
        | crate::tar_reader::MemberKind::Fifo => 0,
    };
    (member.path.len() + target + xattrs) as u64
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
