//! A server that says whatever a test wants, one request per connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// What a client sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does.
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends the first bytes, then the second ones until the client goes.
    Endless(Vec<u8>, Vec<u8>),
    /// Closes at once.
    Close,
}

impl Answer {
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200).body(body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n").into_bytes()).body("")
    }

    /// Adds a header.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self::Bytes(bytes) = self else { return self };
        let text = String::from_utf8(bytes).unwrap();
        let (first, rest) = text.split_once("\r\n").unwrap();
        Self::Bytes(format!("{first}\r\n{name}: {value}\r\n{rest}").into_bytes())
    }

    fn body(self, body: impl AsRef<[u8]>) -> Self {
        let Self::Bytes(mut bytes) = self else { return self };
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            bytes.truncate(end + 2);
            let head = String::from_utf8(bytes).unwrap();
            bytes = head.replace("Content-Length: 0\r\n", "").into_bytes();
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.as_ref().len()).as_bytes());
        bytes.extend_from_slice(body.as_ref());
        Self::Bytes(bytes)
    }
}

#[derive(Default)]
struct Log {
    requests: Vec<String>,
    failures: Vec<String>,
}

/// A running server; its threads end with the test.
pub(crate) struct RawServer {
    address: String,
    log: Arc<Mutex<Log>>,
}

impl RawServer {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (log, answer) = (Arc::new(Mutex::new(Log::default())), Arc::new(answer));
        let server = Self { address, log: Arc::clone(&log) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    log.lock().unwrap().requests.push(request.path.clone());
                    match catch_unwind(AssertUnwindSafe(|| answer(&request))) {
                        Ok(answer) => send(stream, answer),
                        Err(_) => log.lock().unwrap().failures.push(format!("{request:?}")),
                    }
                });
            }
        });
        server
    }

    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the paths asked for, without the probe for plain HTTP.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().requests.iter().filter(|path| *path != "/v2/").cloned().collect()
    }

    /// Returns the requests that the test's own assertions did not like.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.log.lock().unwrap().failures.clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, path, ..Request::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    request.host = request.header("host")?.to_owned();
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut request.body).ok()?;
    Some(request)
}

/// Sends; a client that goes in the middle is what many tests are about.
fn send(mut stream: TcpStream, answer: Answer) {
    match answer {
        Answer::Bytes(bytes) => if stream.write_all(&bytes).is_err() {},
        Answer::Endless(first, more) => {
            let mut sent = stream.write_all(&first);
            while sent.is_ok() {
                sent = stream.write_all(&more);
            }
        }
        Answer::Close => {}
    }
    if stream.shutdown(Shutdown::Both).is_err() {}
}
