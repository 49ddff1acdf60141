//! One blob's bytes on their way into a request, from a blocking reader, with few in memory.

use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use zoea_model::oci::Descriptor;

use crate::blob_reader::BlobReader;
use crate::blobs::unwrapped;
use crate::document::digest_of;
use crate::{BlobSource, ImageError};

/// Bytes per chunk.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for the connection.
const WAITING: usize = 2;

/// Counts the bytes that the connection took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU64>);

impl Progress {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request's body of known length.
pub(crate) struct UploadBody {
    chunks: Receiver<Bytes>,
    left: u64,
    progress: Progress,
}

impl UploadBody {
    /// Makes a body of `size` bytes, what feeds it, and what ends the feeding when it is dropped.
    pub(crate) fn new(size: u64, progress: Progress) -> (Self, Feeder, Cancel) {
        let (sender, chunks) = channel(WAITING);
        let (cancel, cancelled) = watch::channel(());
        (Self { chunks, left: size, progress }, Feeder { sender, cancelled }, Cancel { _sender: cancel })
    }
}

/// Ends a feeder when it is dropped.
#[derive(Debug)]
pub(crate) struct Cancel {
    _sender: watch::Sender<()>,
}

/// The other end of a body.
#[derive(Debug)]
pub(crate) struct Feeder {
    sender: Sender<Bytes>,
    cancelled: watch::Receiver<()>,
}

impl Feeder {
    /// Feeds the body with a blob, checked on the way. Blocks, on a thread that the runtime knows; ends without
    /// an error when nobody takes the chunks any more.
    pub(crate) fn feed(mut self, source: &dyn BlobSource, descriptor: &Descriptor) -> Result<(), ImageError> {
        let digest = digest_of(descriptor, &source.origin())?;
        let mut reader = BlobReader::open(source, descriptor)?;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            match (&mut reader).take(CHUNK as u64).read_to_end(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // The body ends too early when the feeder goes, which breaks the request.
                Err(error) => return Err(unwrapped(error, digest, &source.origin())),
            }
            match self.send(Bytes::from(chunk)) {
                Taken::Yes => {}
                Taken::No => return Ok(()),
            }
        }
    }

    fn send(&mut self, chunk: Bytes) -> Taken {
        let (sender, cancelled) = (&self.sender, &mut self.cancelled);
        Handle::current().block_on(async {
            tokio::select! {
                sent = sender.send(chunk) => if sent.is_ok() { Taken::Yes } else { Taken::No },
                _ = cancelled.changed() => Taken::No,
            }
        })
    }
}

enum Taken {
    Yes,
    No,
}

impl UploadBody {
    /// A body whose feeder went before the end is an error: the request must not look complete.
    fn end(&self) -> Option<io::Result<Frame<Bytes>>> {
        (self.left > 0).then(|| Err(io::Error::new(io::ErrorKind::BrokenPipe, "the blob ended too early")))
    }
}

impl fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadBody").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.chunks.poll_recv(context).map(|chunk| {
            let Some(chunk) = chunk else { return self.end() };
            self.left = self.left.saturating_sub(chunk.len() as u64);
            self.progress.0.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            Some(Ok(Frame::data(chunk)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
