//! A web server that says whatever a test wants, one request per connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does.
#[derive(Clone)]
pub(crate) struct Answer {
    head: String,
    body: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Close,
    Repeat(Duration),
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
        Self { head, body: Vec::new(), end: End::Close }
    }

    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let length = body.len().to_string();
        Self { body, ..Self::status(200) }.with("Content-Length", &length)
    }

    /// Announces more than it sends.
    pub(crate) fn short(body: &str, length: usize) -> Self {
        let answer = Self { body: body.into(), ..Self::status(200) };
        answer.with("Content-Length", &length.to_string())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).with("Location", to).with("Content-Length", "0")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A body without length that is sent again and again until the client goes.
    pub(crate) fn endless(body: impl AsRef<[u8]>, pause: Duration) -> Self {
        Self { body: body.as_ref().to_vec(), end: End::Repeat(pause), ..Self::status(200) }
    }

    fn send(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.write_all(format!("{}\r\n", self.head).as_bytes())?;
        stream.write_all(&self.body)?;
        while let End::Repeat(pause) = self.end {
            std::thread::sleep(pause);
            stream.write_all(&self.body)?;
        }
        Ok(())
    }
}

/// A running server; its threads end with the test.
pub(crate) struct Server {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts one; `answer` gets each request with its number from 0.
    pub(crate) fn start(answer: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let server = Self { address, asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(request.clone());
                        asked.len() - 1
                    };
                    // A client that goes in the middle is what many tests are about.
                    drop(answer(&request, number).send(stream));
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("http://{}/{rest}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut asked = Asked { path: first.split(' ').nth(1)?.to_owned(), headers: Vec::new() };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Some(asked)
}
