//! A step while it runs, as the builder sees it.
//!
//! Owns the guard's process and the pipes that come from the step. Invariant: when the value is gone, the guard and
//! with it every process of the step is gone too.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::PidfdFlags;
use zoea_model::OutputStream;
use zoea_sys::{Child, Namespace, Spawn};

use crate::message::{Report, StepRequest};
use crate::step;
use crate::{LaunchError, StepStatus};

/// How much output is read at once: what a pipe holds by default (`pipe(7)`).
const CHUNK: usize = 64 * 1024;

/// A step that was started.
#[derive(Debug)]
pub(crate) struct Running {
    guard: Guard,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    report: PipeReader,
}

/// The guard; killed and waited for when dropped.
#[derive(Debug)]
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // A guard that has ended already cannot be killed, and nobody is left who could be told of anything else.
        match self.0.kill().and_then(|()| self.0.wait()) {
            Ok(()) | Err(_) => {}
        }
    }
}

impl Running {
    /// Starts the guard with `request`; the pipes belong to the step's user, who may open them again by name.
    pub(crate) fn start(executable: &OwnedFd, request: &StepRequest) -> Result<Self, LaunchError> {
        let start = || {
            let null = File::open("/dev/null")?;
            let (stdout, stdout_writer) = io::pipe()?;
            let (stderr, stderr_writer) = io::pipe()?;
            let (report, report_writer) = io::pipe()?;
            let user = rustix::fs::Uid::from_raw(request.user.uid);
            rustix::fs::fchown(&stdout_writer, Some(user), None)?;
            rustix::fs::fchown(&stderr_writer, Some(user), None)?;
            let file = request.to_file()?;
            let builder = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
            let arguments = [CString::new(step::ROLE)?];
            let guard = zoea_sys::spawn(&Spawn {
                program: executable.as_fd(),
                arguments: &arguments,
                environment: &[],
                descriptors: &[
                    null.as_fd(),
                    stdout_writer.as_fd(),
                    stderr_writer.as_fd(),
                    file.as_fd(),
                    report_writer.as_fd(),
                    builder.as_fd(),
                ],
                namespaces: &[Namespace::Process],
            })?;
            Ok(Self { guard: Guard(guard), stdout: Some(stdout), stderr: Some(stderr), report })
        };
        start().map_err(LaunchError::Start)
    }

    /// Hands on what the step writes until all of its processes have ended, and says how it ended.
    pub(crate) fn follow(
        mut self,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> Result<StepStatus, LaunchError> {
        let mut buffer = vec![0; CHUNK];
        while !self.pass_on(&mut buffer, output).map_err(LaunchError::ReadOutput)? {}
        for (stream, pipe) in [(OutputStream::Stdout, &self.stdout), (OutputStream::Stderr, &self.stderr)] {
            if let Some(pipe) = pipe {
                drain(pipe, &mut buffer, &mut |bytes| output(stream, bytes))
                    .map_err(LaunchError::ReadOutput)?;
            }
        }
        self.guard.0.wait().map_err(LaunchError::Wait)?;
        let reports = Report::receive(self.report.into()).map_err(LaunchError::Wait)?;
        match reports.into_iter().next() {
            Some(Report::Ended(status)) => Ok(status),
            Some(Report::Failed(failure)) => Err(LaunchError::Prepare {
                preparation: failure.preparation,
                source: io::Error::from_raw_os_error(failure.code),
            }),
            None => Err(LaunchError::Lost),
        }
    }

    /// Waits for something to happen and hands on what there is; says whether the step has ended.
    fn pass_on(
        &mut self,
        buffer: &mut [u8],
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> io::Result<bool> {
        let streams = [(OutputStream::Stdout, &mut self.stdout), (OutputStream::Stderr, &mut self.stderr)];
        let mut polled = vec![PollFd::new(&self.guard.0, PollFlags::IN)];
        for (_, pipe) in &streams {
            polled.extend(pipe.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        }
        match rustix::event::poll(&mut polled, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut ready =
            polled.iter().map(|descriptor| !descriptor.revents().is_empty()).collect::<Vec<_>>().into_iter();
        let ended = ready.next().unwrap_or(false);
        for (stream, pipe) in streams {
            let Some(reader) = pipe else { continue };
            if !ready.next().unwrap_or(false) {
                continue;
            }
            match reader.read(buffer)? {
                0 => *pipe = None,
                count => output(stream, buffer.get(..count).unwrap_or_default()),
            }
        }
        Ok(ended)
    }
}

/// Hands on what is in `pipe` now. Does not wait for its end, which a process outside the step may hold open after
/// the step sent it the pipe through a socket.
fn drain(pipe: &PipeReader, buffer: &mut [u8], output: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut left = rustix::io::ioctl_fionread(pipe)?;
    let mut reader: &PipeReader = pipe;
    while left > 0 {
        let count = reader.read(buffer)?;
        if count == 0 {
            break;
        }
        output(buffer.get(..count).unwrap_or_default());
        left = left.saturating_sub(count as u64);
    }
    Ok(())
}
