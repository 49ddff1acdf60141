//! The processes that a step is made of before it is the step's program: guard and first process.
//!
//! Owns what they do and in which order. They have one thread, know only the request, and report the first thing that
//! fails. Invariant: the first process becomes the step's program with exactly what the policy and the request give.

mod device;
mod identity;
mod mounts;
mod program;
mod root;
mod script;

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Mode;
use rustix::process::{Signal, WaitOptions};
use zoea_sys::Namespace;

use crate::message::{BUILDER, During as _, Failure, REPORT, REQUEST, Report, StepNetwork, StepRequest};
use crate::policy::HOST_NAME;
use crate::{Preparation, StepStatus};

/// The name under which the binary is started for this.
pub(crate) const ROLE: &str = "zoea-step";

/// The guard's main function.
pub(crate) fn main() -> ExitCode {
    let Ok(report) = zoea_sys::take_inherited(REPORT) else { return ExitCode::FAILURE };
    let sent = match guard(&report) {
        Ok(status) => Report::Ended(status).send(&report),
        Err(failure) => Report::Failed(failure).send(&report),
    };
    // The builder takes silence for a failure too.
    if sent.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ties this process to the builder, starts the step and waits for its end.
fn guard(report: &OwnedFd) -> Result<StepStatus, Failure> {
    tie_to_builder().during(|| Preparation::Guard)?;
    let request = zoea_sys::take_inherited(REQUEST).and_then(StepRequest::from_file);
    let request = request.during(|| Preparation::ReadRequest)?;
    let mut namespaces = vec![Namespace::Process, Namespace::Mount, Namespace::Ipc, Namespace::HostName];
    match request.network {
        StepNetwork::Own => namespaces.push(Namespace::Network),
        StepNetwork::Shared => {}
    }
    zoea_sys::unshare(&namespaces).during(|| Preparation::MakeNamespaces)?;
    let first = zoea_sys::fork(|| first_process(&request, report)).during(|| Preparation::Fork)?;
    let waited = rustix::process::waitpid(Some(first), WaitOptions::empty()).during(|| Preparation::Fork)?;
    let status = waited.map(|(_, status)| status);
    let exited = status.and_then(|status| status.exit_status()).and_then(|code| u8::try_from(code).ok());
    let signalled = status.and_then(|status| status.terminating_signal());
    match (exited, signalled) {
        (Some(code), _) => Ok(StepStatus::Exited(code)),
        (None, Some(signal)) => Ok(StepStatus::Signalled(signal)),
        (None, None) => Err(Failure { preparation: Preparation::Fork, code: 0 }),
    }
}

/// Makes the kernel kill this process when the builder's thread ends, however that happens.
fn tie_to_builder() -> io::Result<()> {
    zoea_sys::reset_signals()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The builder may have died before the promise was made.
    let builder = zoea_sys::take_inherited(BUILDER)?;
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::event::poll(&mut [PollFd::new(&builder, PollFlags::IN)], Some(&now))? {
        0 => Ok(()),
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// The first process of the step's namespaces; returns its exit status if it could not become the program.
fn first_process(request: &StepRequest, report: &OwnedFd) -> u8 {
    match become_program(request) {
        Ok(status) => status,
        Err(failure) => match Report::Failed(failure).send(report) {
            Ok(()) | Err(_) => 1,
        },
    }
}

/// Prepares everything and becomes the program; returns the status for one that cannot be started.
fn become_program(request: &StepRequest) -> Result<u8, Failure> {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::setsid().during(|| Preparation::LeaveSession)?;
    identity::leave_keyring().during(|| Preparation::LeaveSession)?;
    rustix::system::sethostname(HOST_NAME.as_bytes()).during(|| Preparation::NameHost)?;
    rustix::system::setdomainname(b"(none)").during(|| Preparation::NameHost)?;
    match request.network {
        StepNetwork::Own => zoea_sys::raise_loopback().during(|| Preparation::RaiseLoopback)?,
        StepNetwork::Shared => {}
    }
    let mounts::Mounted { root, null } = mounts::make(request)?;
    root::change(root).during(|| Preparation::ChangeRoot)?;
    // In place of the machine's node, with which the guard was started.
    rustix::stdio::dup2_stdin(null).during(|| Preparation::MakeDevice("/dev/null".to_owned()))?;
    root::enter_working_directory(&request.working_directory)?;
    identity::limit_capabilities().during(|| Preparation::LimitCapabilities)?;
    identity::become_user(&request.user).during(|| Preparation::BecomeUser)?;
    Ok(program::execute(request))
}
