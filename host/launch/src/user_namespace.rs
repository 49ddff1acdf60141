//! Entering a user namespace, for builders that are not root.
//!
//! Owns the trial in a copy of the process, which shows whether it works before anything is changed, and the entry
//! itself. Invariant: after a refusal the process is what it was.

use std::fmt;
use std::io::{self, Read as _, Write as _};

use rustix::mount::{MountFlags, MountPropagationFlags};
use zoea_sys::Namespace;

use crate::LaunchError;
use crate::mapper::Mapper;
use crate::probe::Refusal;
use crate::subordinate::Subordinate;

/// What is done on the way into a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// Leaving the parent's namespaces.
    Unshare,
    /// Making the own user id root.
    MapUser,
    /// Making the own group id root's.
    MapGroup,
    /// Cutting the mounts off from the parent's.
    MakePrivate,
    /// Mounting something.
    Mount,
}

/// All operations; the position is the number in the trial's answer.
const OPERATIONS: [Operation; 5] =
    [Operation::Unshare, Operation::MapUser, Operation::MapGroup, Operation::MakePrivate, Operation::Mount];

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unshare => "making a user namespace",
            Self::MapUser => "mapping the user's id in a user namespace",
            Self::MapGroup => "mapping the group's id in a user namespace",
            Self::MakePrivate => "making mounts private in a user namespace",
            Self::Mount => "mounting in a user namespace",
        })
    }
}

/// The builder's own ids, as they are outside.
#[derive(Debug, Clone, Copy)]
struct Own {
    uid: u32,
    gid: u32,
}

/// Moves this process, which has one thread, into a user and a mount namespace of its own, if that is allowed.
///
/// Adds to `refusals` what is not allowed. Says whether it is inside.
///
/// # Errors
/// Only what worked in the trial and then failed.
pub(crate) fn enter(refusals: &mut Vec<Refusal>) -> Result<Entered, LaunchError> {
    let own = Own { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    if let Err(refusal) = try_in_copy(own) {
        refusals.push(refusal);
        return Ok(Entered::No);
    }
    let mapper = match start_mapper(own) {
        Ok(mapper) => Some(mapper),
        Err(refusal) => {
            refusals.push(refusal);
            None
        }
    };
    let failed = |operation| move |source| LaunchError::Enter { operation, source };
    if let Err(source) = zoea_sys::unshare(&[Namespace::User, Namespace::Mount]) {
        if let Some(mapper) = mapper {
            mapper.dismiss().map_err(failed("end the helper that maps ids"))?;
        }
        return Err(failed("make a user namespace")(source));
    }
    if let Some(mapper) = mapper
        && let Err(reason) = mapper.map().map_err(failed("map subordinate ids"))?
    {
        refusals.push(Refusal::new("subordinate ids", reason));
    }
    map_unmapped(own).map_err(|(_, source)| failed("map the user's ids")(source))?;
    make_private().map_err(failed("make mounts private"))?;
    Ok(Entered::Yes)
}

/// Whether the process is in a namespace of its own now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// It is.
    Yes,
    /// It is where it was.
    No,
}

/// Cuts all mounts off from those of the parent's namespace.
pub(crate) fn make_private() -> io::Result<()> {
    let flags = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    Ok(rustix::mount::mount_change("/", flags)?)
}

/// Does in a copy of the process all that the namespace is needed for.
fn try_in_copy(own: Own) -> Result<(), Refusal> {
    let what = "a user namespace";
    let (mut reader, mut writer) = io::pipe().map_err(|error| Refusal::new(what, error))?;
    let copy = zoea_sys::fork(|| match attempt(own) {
        Ok(()) => 0,
        Err((operation, error)) => {
            let number = OPERATIONS.iter().position(|other| *other == operation).unwrap_or_default();
            let code = error.raw_os_error().unwrap_or_default();
            let answer = [i32::try_from(number).unwrap_or_default(), code].map(i32::to_ne_bytes).concat();
            // An answer that cannot be written is an unexplained refusal for the reader.
            match writer.write_all(&answer) {
                Ok(()) | Err(_) => 1,
            }
        }
    });
    let copy = copy.map_err(|error| Refusal::new(what, error))?;
    drop(writer);
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).map_err(|error| Refusal::new(what, error))?;
    let status = rustix::process::waitpid(Some(copy), rustix::process::WaitOptions::empty())
        .map_err(|error| Refusal::new(what, error))?;
    if status.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
        return Ok(());
    }
    let number = |bytes: Option<&[u8]>| bytes.and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    let operation = number(answer.get(..4)).and_then(|n| OPERATIONS.get(usize::try_from(n).ok()?));
    match (operation, number(answer.get(4..8))) {
        (Some(operation), Some(code)) => Err(Refusal::new(operation.to_string(), explain(*operation, code))),
        _ => Err(Refusal::new(what, "the trial was killed")),
    }
}

/// Enters for good; to be called in a copy of the process.
fn attempt(own: Own) -> Result<(), (Operation, io::Error)> {
    let during = |operation| move |error| (operation, error);
    zoea_sys::unshare(&[Namespace::User, Namespace::Mount]).map_err(during(Operation::Unshare))?;
    map_unmapped(own)?;
    make_private().map_err(during(Operation::MakePrivate))?;
    rustix::mount::mount("tmpfs", "/", "tmpfs", MountFlags::empty(), None)
        .map_err(|error| (Operation::Mount, error.into()))
}

/// Adds to an error what usually causes it.
fn explain(operation: Operation, code: i32) -> String {
    let error = io::Error::from_raw_os_error(code);
    let cause = match (operation, error.kind()) {
        (Operation::Unshare, io::ErrorKind::PermissionDenied) => {
            " (a container's seccomp profile, or `kernel.unprivileged_userns_clone`, forbids it)"
        }
        (Operation::Unshare, io::ErrorKind::StorageFull) => " (`user.max_user_namespaces` is reached)",
        (Operation::Unshare, _) => "",
        (_, io::ErrorKind::PermissionDenied) => {
            " (a security module takes the capabilities away, as with \
             `kernel.apparmor_restrict_unprivileged_userns`, or the sandbox has no mounts)"
        }
        _ => "",
    };
    format!("{error}{cause}")
}

/// Starts the helper for subordinate ids, if the user has some and set-user-id programs work.
fn start_mapper(own: Own) -> Result<Mapper, Refusal> {
    let refuse = |why: &dyn fmt::Display| Refusal::new("subordinate ids", why);
    match rustix::thread::no_new_privs() {
        Ok(false) => {}
        Ok(true) => return Err(refuse(&"no_new_privs is set, so newuidmap has no power")),
        Err(error) => return Err(refuse(&error)),
    }
    let subordinate = Subordinate::read(own.uid).map_err(|error| refuse(&error))?;
    if subordinate.users.is_empty() || subordinate.groups.is_empty() {
        let uid = own.uid;
        return Err(refuse(&format!("/etc/subuid or /etc/subgid has no line for user {uid}")));
    }
    Mapper::start(own.uid, own.gid, &subordinate).map_err(|error| refuse(&error))
}

/// Maps the own ids to 0 where nothing is mapped yet (`user_namespaces(7)`).
fn map_unmapped(own: Own) -> Result<(), (Operation, io::Error)> {
    let maps = [
        ("/proc/self/gid_map", own.gid, Operation::MapGroup),
        ("/proc/self/uid_map", own.uid, Operation::MapUser),
    ];
    for (path, id, operation) in maps {
        let failed = |error| (operation, error);
        if !std::fs::read(path).map_err(failed)?.is_empty() {
            continue;
        }
        if operation == Operation::MapGroup {
            // The kernel's condition for a group map that no privileged process writes.
            std::fs::write("/proc/self/setgroups", "deny").map_err(failed)?;
        }
        std::fs::write(path, format!("0 {id} 1\n")).map_err(failed)?;
    }
    Ok(())
}
