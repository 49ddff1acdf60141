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
use crate::error::printable;
use crate::layer_stream::{Blocks, Fed, QUEUE_LENGTH, feed};
use crate::layer_tree::LayerTree;
use crate::member_budget::MemberBudget;
use crate::tar_reader::TarReader;

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
    let mut budget = MemberBudget::new();
    loop {
        let next = reader.next_member();
        let Some(member) = next.map_err(|source| failed(reader.name(), source))? else { break };
        budget.spend(&member).map_err(|source| failed(&member.path, source))?;
        let placed = tree.place(member, reader);
        placed.map_err(|source| failed(reader.name(), source))?;
    }
    reader.drain(MAX_TRAILER).map_err(|source| RootfsError::ReadLayer { layer, source })
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
