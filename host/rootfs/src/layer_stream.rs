//! A layer's bytes, uncompressed and hashed on a thread of their own.
//!
//! So that uncompressing and writing to the disk use two processors. Passes blocks through a short queue, which
//! bounds the memory; knows nothing of what the bytes mean.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use zoea_model::{Digest, Hasher};

use crate::compression::decompress;

/// Bytes per block.
const BLOCK_SIZE: usize = 1 << 18;

/// Blocks that may wait.
pub(crate) const QUEUE_LENGTH: usize = 4;

/// How the sending side ended.
#[derive(Debug)]
pub(crate) enum Fed {
    /// With the end of the bytes, which have this digest.
    Whole(Digest),
    /// Because nobody wanted more.
    Unwanted,
}

/// Uncompresses `source` and sends it, until its end or until nobody wants more.
pub(crate) fn feed(
    source: Box<dyn Read + Send + '_>,
    blocks: &SyncSender<Vec<u8>>,
    stop: &AtomicBool,
) -> io::Result<Fed> {
    let (_, mut source) = decompress(source)?;
    let mut hasher = Hasher::default();
    loop {
        let mut block = Vec::with_capacity(BLOCK_SIZE);
        (&mut source).take(BLOCK_SIZE as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(Fed::Whole(hasher.finish()));
        }
        hasher.update(&block);
        if stop.load(Ordering::Relaxed) || blocks.send(block).is_err() {
            return Ok(Fed::Unwanted);
        }
    }
}

/// The receiving side; ends when the sending side is gone.
#[derive(Debug)]
pub(crate) struct Blocks {
    queue: Receiver<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
}

impl Blocks {
    pub(crate) fn new(queue: Receiver<Vec<u8>>) -> Self {
        Self { queue, current: Vec::new(), position: 0 }
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.current.len() {
            match self.queue.recv() {
                Ok(block) => (self.current, self.position) = (block, 0),
                // The sending side is gone: this is the end.
                Err(_) => return Ok(0),
            }
        }
        let count = self.current.get(self.position..).unwrap_or_default().read(buffer)?;
        self.position += count;
        Ok(count)
    }
}
