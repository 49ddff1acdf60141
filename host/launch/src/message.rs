//! What builder, guard and step tell one another.
//!
//! Owns the messages, their form on the wire (postcard) and the numbers of the descriptors that carry them. Both ends
//! are the same binary, so there is no version.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{OwnedFd, RawFd};

use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::{Preparation, StepStatus};

/// Where the guard finds the request.
pub(crate) const REQUEST: RawFd = 3;
/// Where guard and step write reports.
pub(crate) const REPORT: RawFd = 4;
/// Where the guard finds the builder, as a process descriptor.
pub(crate) const BUILDER: RawFd = 5;

/// What network a step is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StepNetwork {
    /// The builder's.
    Shared,
    /// One of its own, in which there is only a loopback device.
    Own,
}

/// Whom a step runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The supplementary groups; none where the kernel does not let them be set.
    pub(crate) groups: Option<Vec<u32>>,
}

/// All that is to be known to run a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepRequest {
    /// The tree's path in the builder's mount namespace.
    pub(crate) tree: Vec<u8>,
    /// The program as written, then its arguments; without NUL bytes.
    pub(crate) arguments: Vec<String>,
    /// `NAME=value`, without NUL bytes.
    pub(crate) environment: Vec<String>,
    /// The directories in which the program is looked for, as in `PATH`.
    pub(crate) search_path: String,
    /// Absolute, in the tree.
    pub(crate) working_directory: Vec<u8>,
    pub(crate) user: StepUser,
    pub(crate) network: StepNetwork,
    /// The content of `/etc/resolv.conf`.
    pub(crate) resolver: Vec<u8>,
    /// The group of terminals, if it exists here.
    pub(crate) terminal_group: Option<u32>,
    /// Scripts by their names, each one component.
    pub(crate) scripts: Vec<(String, Vec<u8>)>,
}

impl StepRequest {
    /// Writes the request to a file in memory: unlike a pipe, it takes any size before anybody reads.
    pub(crate) fn to_file(&self) -> io::Result<OwnedFd> {
        let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let mut file = File::from(rustix::fs::memfd_create(c"zoea-step", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        file.rewind()?;
        Ok(file.into())
    }

    /// Reads the request from that file.
    pub(crate) fn from_file(file: OwnedFd) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes)?;
        postcard::from_bytes(&bytes).map_err(io::Error::other)
    }
}

/// Why a step could not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What failed.
    pub(crate) preparation: Preparation,
    /// The error's number; 0 where there is none.
    pub(crate) code: i32,
}

impl Failure {
    /// Notes that `preparation` failed with `error`.
    pub(crate) fn new(preparation: Preparation, error: impl Into<io::Error>) -> Self {
        Self { preparation, code: error.into().raw_os_error().unwrap_or_default() }
    }
}

/// Turns errors into [`Failure`]s.
pub(crate) trait During<T> {
    /// Names what an error happened in.
    fn during(self, preparation: impl FnOnce() -> Preparation) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, preparation: impl FnOnce() -> Preparation) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(preparation(), error))
    }
}

/// What guard and step report, each report at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The step's program was not started.
    Failed(Failure),
    /// The step's main process ended.
    Ended(StepStatus),
}

impl Report {
    /// Writes the report in one piece: it is shorter than what a pipe keeps together.
    pub(crate) fn send(&self, pipe: &OwnedFd) -> io::Result<()> {
        let bytes = postcard::to_stdvec(self).map_err(io::Error::other)?;
        File::from(pipe.try_clone()?).write_all(&bytes)
    }

    /// Reads all reports that `pipe` holds.
    pub(crate) fn receive(pipe: OwnedFd) -> io::Result<Vec<Self>> {
        let mut bytes = Vec::new();
        File::from(pipe).read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        let mut reports = Vec::new();
        while !rest.is_empty() {
            let (report, after) = postcard::take_from_bytes(rest).map_err(io::Error::other)?;
            reports.push(report);
            rest = after;
        }
        Ok(reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_any_size_come_through() {
        let request = StepRequest {
            tree: b"/tree\xff".to_vec(),
            arguments: vec!["sh".into(), "a".repeat(1_000_000)],
            environment: vec!["A=1".into()],
            search_path: "/bin".into(),
            working_directory: b"/".to_vec(),
            user: StepUser { uid: 1, gid: 2, groups: Some(vec![3]) },
            network: StepNetwork::Own,
            resolver: b"nameserver ::1\n".to_vec(),
            terminal_group: Some(5),
            scripts: vec![("EOF".into(), b"#!/bin/sh\n".to_vec())],
        };
        assert_eq!(StepRequest::from_file(request.to_file().unwrap()).unwrap(), request);
    }

    #[test]
    fn reports_come_through_in_order() {
        let (reader, writer) = io::pipe().unwrap();
        let writer = writer.into();
        let failure = Failure { preparation: Preparation::Mount("/proc".into()), code: 1 };
        let reports = [Report::Failed(failure), Report::Ended(StepStatus::Signalled(9))];
        for report in &reports {
            report.send(&writer).unwrap();
        }
        drop(writer);
        assert_eq!(Report::receive(reader.into()).unwrap(), reports);
    }
}
