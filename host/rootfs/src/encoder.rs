//! Compresses the bytes of a new layer, on several threads, always to the same bytes.
//!
//! Owns the pinned compressor settings. Input is cut into chunks of a fixed size, each is compressed by itself
//! as a gzip member or a zstd frame, and these are written in order: neither the number of threads nor the
//! sizes of the writes show in the result. Memory is bounded by the number of chunks under way.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use libdeflater::{CompressionLvl, Compressor};

use crate::Compression;

/// Size of the chunks: large enough that cutting costs less than one percent, small enough to share out.
const CHUNK_SIZE: usize = 1 << 20;

/// The level of libdeflate that is as small as gzip's own default.
const GZIP_LEVEL: i32 = 6;

/// The default level of zstd.
const ZSTD_LEVEL: i32 = 3;

/// More threads than this would need more memory than a build should take.
pub(crate) const MAX_THREADS: usize = 6;

/// One chunk on its way to a thread, with where its compressed form is to go.
type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// A writer that compresses.
pub(crate) struct Encoder<W> {
    sink: W,
    chunk: Vec<u8>,
    pool: Option<Pool>,
}

/// The threads and the chunks that are with them, in order.
struct Pool {
    jobs: Option<SyncSender<Job>>,
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Write> Encoder<W> {
    /// Writes to `sink` what is compressed on up to `threads` threads.
    pub(crate) fn new(sink: W, compression: Compression, threads: usize) -> io::Result<Self> {
        let pool = match compression {
            Compression::None => None,
            Compression::Gzip | Compression::Zstd => Some(Pool::start(compression, threads)?),
        };
        Ok(Self { sink, chunk: Vec::new(), pool })
    }

    /// Compresses what is left and returns the sink.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.chunk.is_empty() {
            self.send_chunk()?;
        }
        if let Some(mut pool) = self.pool.take() {
            while let Some(compressed) = pool.take_first()? {
                self.sink.write_all(&compressed)?;
            }
        }
        Ok(self.sink)
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        let Some(pool) = self.pool.as_mut() else { return Ok(()) };
        if pool.is_full()
            && let Some(compressed) = pool.take_first()?
        {
            self.sink.write_all(&compressed)?;
        }
        pool.send(std::mem::take(&mut self.chunk))
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pool.is_none() {
            return self.sink.write(bytes);
        }
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(CHUNK_SIZE);
        }
        let taken = bytes.len().min(CHUNK_SIZE - self.chunk.len());
        self.chunk.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.chunk.len() == CHUNK_SIZE {
            self.send_chunk()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A chunk is never cut short: where a flush falls must not show in the result.
        self.sink.flush()
    }
}

impl Pool {
    fn start(compression: Compression, threads: usize) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(MAX_THREADS);
        let queue = Arc::new(Mutex::new(queue));
        let mut pool = Self { jobs: Some(jobs), pending: VecDeque::new(), threads: Vec::new() };
        for _ in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("compress".to_owned());
            pool.threads.push(thread.spawn(move || work(&queue, compression))?);
        }
        Ok(pool)
    }

    fn is_full(&self) -> bool {
        self.pending.len() > self.threads.len()
    }

    fn send(&mut self, chunk: Vec<u8>) -> io::Result<()> {
        let (result, pending) = sync_channel(1);
        self.pending.push_back(pending);
        match self.jobs.as_ref().map(|jobs| jobs.send((chunk, result))) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(io::Error::other("the compressing threads are gone")),
        }
    }

    fn take_first(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.pending.pop_front() {
            Some(first) => {
                let gone = |_| io::Error::other("a compressing thread is gone");
                first.recv().map_err(gone)?.map(Some)
            }
            None => Ok(None),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Closing the queue ends the threads; results that nobody waits for are dropped with their receivers.
        self.jobs = None;
        self.pending.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                // A thread that panicked was noticed already, by the result that it did not send.
            }
        }
    }
}

/// Compresses chunks until the queue is closed.
fn work(queue: &Mutex<Receiver<Job>>, compression: Compression) {
    let mut method = Method::new(compression);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((chunk, result)) = job else { return };
        let compressed = match &mut method {
            Ok(method) => method.compress(&chunk),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        drop(chunk);
        if result.send(compressed).is_err() {
            return;
        }
    }
}

enum Method {
    Gzip(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Method {
    fn new(compression: Compression) -> io::Result<Self> {
        match compression {
            Compression::Gzip => {
                let level = CompressionLvl::new(GZIP_LEVEL)
                    .map_err(|error| io::Error::other(format!("invalid compression level: {error:?}")))?;
                Ok(Self::Gzip(Compressor::new(level)))
            }
            Compression::Zstd | Compression::None => Ok(Self::Zstd(zstd::bulk::Compressor::new(ZSTD_LEVEL)?)),
        }
    }

    fn compress(&mut self, chunk: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(compressor) => {
                let mut compressed = vec![0; compressor.gzip_compress_bound(chunk.len())];
                let size = compressor.gzip_compress(chunk, &mut compressed).map_err(io::Error::other)?;
                compressed.truncate(size);
                compressed.shrink_to_fit();
                Ok(compressed)
            }
            Self::Zstd(compressor) => compressor.compress(chunk),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use zoea_model::Digest;

    use super::*;
    use crate::compression::decompress;

    /// Three and a half chunks that are neither all alike nor incompressible.
    fn sample() -> Vec<u8> {
        let mut state = 1u32;
        let numbers = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 20
        });
        let text: String = numbers.take(900_000).map(|number| format!("{number} ")).collect();
        text.into_bytes()[..CHUNK_SIZE * 7 / 2].to_vec()
    }

    fn encode(bytes: &[u8], compression: Compression, threads: usize, step: usize) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), compression, threads).unwrap();
        for part in bytes.chunks(step) {
            encoder.write_all(part).unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn neither_threads_nor_writes_show_and_the_compressors_are_pinned() {
        let sample = sample();
        let pinned = [
            (Compression::Gzip, GZIP_DIGEST),
            (Compression::Zstd, ZSTD_DIGEST),
            (Compression::None, PLAIN_DIGEST),
        ];
        for (compression, digest) in pinned {
            for (threads, step) in [(1, sample.len()), (2, 65_536), (8, 999_983)] {
                let encoded = encode(&sample, compression, threads, step);
                assert_eq!(Digest::of(&encoded).to_string(), digest, "{compression:?} {threads}");
                let mut decoded = Vec::new();
                decompress(encoded.as_slice()).unwrap().1.read_to_end(&mut decoded).unwrap();
                assert!(decoded == sample);
            }
        }
    }

    const GZIP_DIGEST: &str = "sha256:087c6e40fd58226e84e004852af8982ec1e1be49347cf01f2f38dbdb7a2c76b4";
    const ZSTD_DIGEST: &str = "sha256:c269f6d19347554c529bf3b156a7c7b99ee51128d57a7ecb83a3cb8d8558bf6b";
    const PLAIN_DIGEST: &str = "sha256:87ec8750926cd4ea518e12271ccb4090fd7315b05981ecefe70a4081ff36c377";

    #[test]
    fn failing_sink_is_reported() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut encoder = Encoder::new(Full, Compression::Gzip, 2).unwrap();
        let written = encoder.write_all(&vec![0; 8 * CHUNK_SIZE]);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
