//! Places that files are fetched from: a web server and a git daemon on the loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

/// Every commit is of this time.
pub const COMMIT_TIME: i64 = 1_700_000_000;

/// What a web server says of a file's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileDate {
    /// That it is of 1994.
    Given,
    /// Nothing.
    None,
}

/// Serves one file at every path to the end of the test; returns its address.
///
/// # Errors
/// No port is free.
pub fn web_server(content: impl Into<Vec<u8>>, date: FileDate) -> Result<String> {
    let content = content.into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes is no failure of the server.
            drop(answer(stream, &content, date));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, content: &[u8], date: FileDate) -> Result<()> {
    for line in BufReader::new(&stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let length = content.len();
    let date = match date {
        FileDate::Given => "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        FileDate::None => "",
    };
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n{date}Content-Length: {length}\r\n\r\n")?;
    Ok(stream.write_all(content)?)
}

/// Makes a repository of the files in a directory, with everything committed.
///
/// # Errors
/// Git fails.
pub fn commit(directory: &Path) -> Result<()> {
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message=x"]] {
        let time = format!("{COMMIT_TIME} +0000");
        let names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        let status = Command::new("git")
            .current_dir(directory)
            .envs(names.map(|name| (name, "x")))
            .envs([("GIT_AUTHOR_DATE", &time), ("GIT_COMMITTER_DATE", &time)])
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .args(arguments)
            .status()?;
        ensure!(status.success(), "git {arguments:?}");
    }
    Ok(())
}

/// A running `git daemon`.
#[derive(Debug)]
pub struct GitDaemon {
    child: Child,
    port: u16,
}

impl GitDaemon {
    /// Serves every repository below a directory.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(directory: &Path) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new("git")
            .args(["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", directory.display()))
            .envs([
                ("GIT_CONFIG_COUNT", "1"),
                ("GIT_CONFIG_KEY_0", "safe.directory"),
                ("GIT_CONFIG_VALUE_0", "*"),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let daemon = Self { child, port };
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(daemon)
    }

    /// Returns the address of a repository.
    pub fn url(&self, rest: &str) -> String {
        format!("git://127.0.0.1:{}/{rest}", self.port)
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        // The daemon runs in a process of its own below `git`, which passes the signal on to nobody.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.child.wait());
    }
}
