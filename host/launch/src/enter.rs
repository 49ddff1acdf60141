//! The builder's way into namespaces of its own.
//!
//! Owns the order in which the ways are tried. It is the only code of the crate that changes the builder's process.

use rustix::thread::CapabilitySet;
use zoea_sys::Namespace;

use crate::LaunchError;
use crate::executable;
use crate::id_map::IdMaps;
use crate::probe::{NamespaceKind, Probe, Refusal};
use crate::surroundings::{Powers, Surroundings};
use crate::user_namespace::{self, Entered};

/// Moves this process into a private mount namespace, and into a user namespace unless it is root.
///
/// To be called while the process has one thread, after [`intercept`](crate::intercept) and before anything is
/// opened that an overlay is to be mounted from. Where nothing is allowed, the process stays what it was and the
/// answer says why; its processes' files, ids and mounts are otherwise as before. Supplementary groups stay the
/// builder's, which may need them to read its context; steps get their own.
///
/// # Errors
/// The process has several threads, or something that worked in a trial failed.
pub fn enter() -> Result<Surroundings, LaunchError> {
    let mut refusals = Vec::new();
    match zoea_sys::thread_count() {
        Ok(1) => {}
        Ok(count) => return Err(LaunchError::Threads(count)),
        Err(error) => {
            refusals.push(Refusal::new("namespaces", format!("/proc cannot be read: {error}")));
            return Ok(Surroundings::without_powers(refusals));
        }
    }
    if let Err(refusal) = enter_as_root() {
        refusals.push(refusal);
        if user_namespace::enter(&mut refusals)? == Entered::No {
            return Ok(Surroundings::without_powers(refusals));
        }
    }
    let ids = IdMaps::read().map_err(|source| LaunchError::Enter { operation: "read the ids", source })?;
    let executable = match executable::protect() {
        Ok(executable) => executable,
        Err(error) => {
            refusals.push(Refusal::new("protecting the program's own file from steps", error));
            return Ok(Surroundings::without_powers(refusals));
        }
    };
    let kind = match (ids.several(), refusals.is_empty()) {
        (false, _) => NamespaceKind::OneId,
        (true, true) => NamespaceKind::HostRoot,
        (true, false) => NamespaceKind::SubordinateIds,
    };
    Ok(Surroundings::new(Probe { kind, refusals }, Powers { ids, executable }))
}

/// Moves this process into a private mount namespace, which takes the right to administrate the system.
fn enter_as_root() -> Result<(), Refusal> {
    let what = "namespaces as root";
    let refuse = |error: &dyn std::fmt::Display| Refusal::new(what, error);
    if !rustix::process::geteuid().is_root() {
        return Err(refuse(&"the user is not root"));
    }
    let sets = rustix::thread::capabilities(None).map_err(|error| refuse(&error))?;
    if !sets.effective.contains(CapabilitySet::SYS_ADMIN) {
        return Err(refuse(&"CAP_SYS_ADMIN is missing"));
    }
    zoea_sys::unshare(&[Namespace::Mount]).map_err(|error| refuse(&error))?;
    user_namespace::make_private().map_err(|error| refuse(&error))
}
