//! A gate before a registry that lets so many bytes of uploads pass and then holds everything back.
//!
//! Lets a test stop the program in the middle of a push, at the same place every time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A gate; it stays open for as long as the test's process lives.
#[derive(Debug)]
pub struct Gate {
    address: String,
    allowance: Arc<Allowance>,
}

/// How many bytes came to the gate, and how many may pass.
#[derive(Debug)]
struct Allowance {
    limit: u64,
    seen: AtomicU64,
}

impl Allowance {
    /// Says whether `count` more bytes may pass.
    fn pass(&self, count: usize) -> bool {
        self.seen.fetch_add(count as u64, Ordering::SeqCst) + count as u64 <= self.limit
    }
}

impl Gate {
    /// Opens a gate before the server at `server` that passes `limit` bytes of what clients send.
    ///
    /// # Errors
    /// No port can be had.
    pub fn open(server: &str, limit: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?.to_string();
        let allowance = Arc::new(Allowance { limit, seen: AtomicU64::new(0) });
        let (shared, server) = (Arc::clone(&allowance), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, server) = (Arc::clone(&shared), server.clone());
                thread::spawn(move || serve(&client, &server, &shared));
            }
        });
        Ok(Self { address, allowance })
    }

    /// Returns host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the gate holds something back.
    ///
    /// # Errors
    /// It does not within `patience`.
    pub fn wait_until_shut(&self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        while self.allowance.seen.load(Ordering::SeqCst) <= self.allowance.limit {
            if start.elapsed() > patience {
                bail!("only {} bytes came to the gate", self.allowance.seen.load(Ordering::SeqCst));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// Passes bytes between one client and the server. Ends when either does; nobody waits for the outcome.
fn serve(client: &TcpStream, server: &str, allowance: &Allowance) {
    let Ok(server) = TcpStream::connect(server) else { return };
    thread::scope(|scope| {
        scope.spawn(|| pass(client, &server, |count| allowance.pass(count)));
        pass(&server, client, |_| true);
    });
}

/// Copies from one side to the other while `may` allows it; swallows the rest without a word.
fn pass(mut from: &TcpStream, mut to: &TcpStream, may: impl Fn(usize) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        let bytes = buffer.get(..count).unwrap_or_default();
        if count == 0 || (may(count) && to.write_all(bytes).is_err()) {
            break;
        }
    }
    // The other side may be gone already.
    drop(to.shutdown(Shutdown::Write));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every connection with what it sent.
    fn echo() -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut sent = Vec::new();
                stream.read_to_end(&mut sent).unwrap();
                stream.write_all(&sent).unwrap();
            }
        });
        address
    }

    fn ask(gate: &Gate, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(gate.address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    #[test]
    fn passes_what_is_allowed_and_no_more() {
        let gate = Gate::open(&echo(), 5).unwrap();
        assert_eq!(ask(&gate, b"12345"), b"12345");
        assert!(gate.wait_until_shut(Duration::from_millis(1)).is_err());
        assert_eq!(ask(&gate, b"6"), b"");
        gate.wait_until_shut(Duration::from_secs(5)).unwrap();
    }
}
