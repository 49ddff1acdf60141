//! Runs one process in one tree.
//!
//! Owns the [`Launcher`] trait, what this machine allows ([`Probe`]), the namespaces that the builder enters
//! ([`enter`]), the overlays that it mounts in them, and everything that a step sees beside its tree. Does not read
//! or interpret trees, and touches no registry and no cache. Invariants: when [`Launcher::run`] has returned, no
//! process of the step is alive; and the step's tree holds nothing that the launcher put there.
//!
//! # How a step starts
//! The builder makes mount points that the tree lacks (`stub`), then starts its own binary as the *guard*: process 1
//! of a process namespace that no step sees. The guard makes the step's namespaces and copies itself; the copy is
//! process 1 of the step's own process namespace. It mounts what the step sees, changes its root, drops what the
//! step may not have and becomes the step's program. The guard only waits. It never changes its credentials, so the
//! kernel's promise to kill it with the builder holds whatever the step executes, and with the guard die both
//! namespaces.
//!
//! # Why a step cannot reach the binary that started it
//! Until the step's program is executed, `/proc/self/exe` in the step's namespace is the builder's binary, and the
//! kernel itself would follow it there: a program that is a link to `/proc/self/exe`, or a script that names it as
//! its interpreter, executes the builder's binary with the tree's dynamic loader (CVE-2019-5736). So that binary is
//! never executed through a writable mount: `enter` binds it read-only, keeps a handle on that mount and detaches
//! it. Whatever a step opens through the link is on a read-only mount that no path leads to and that the step has
//! no capability to change. Nothing of the tree is loaded or executed before: the copy is mapped already, opens no
//! library, and holds no descriptor of a directory outside the tree when it enters the working directory.
#![forbid(unsafe_code)]

mod enter;
mod error;
mod executable;
mod executable_format;
mod foreign;
mod id_map;
mod launcher;
mod mapper;
mod message;
mod mount;
mod namespace_launcher;
mod overlay;
mod overlay_probe;
mod policy;
mod probe;
mod reexec;
mod running;
mod step;
mod stub;
mod subordinate;
mod surroundings;
mod user_namespace;
mod walk;

pub use enter::enter;
pub use error::{LaunchError, Preparation};
pub use foreign::Obstacle;
pub use launcher::{Launcher, Outcome, StepStatus};
pub use namespace_launcher::{NamespaceLauncher, StepSettings};
pub use overlay::KernelOverlay;
pub use probe::{NamespaceKind, Probe, Refusal};
pub use reexec::intercept;
pub use surroundings::Surroundings;
