//! Safe functions over the kernel for what neither the standard library nor `rustix` offers safely.
//!
//! Owns all unsafe code of zoea. Holds no policy: nothing here decides what a step may see or do. Invariant: no
//! call of these functions, with any arguments, breaks memory safety or closes a descriptor that somebody owns.
//! Each unsafe block performs one operation and says why it is sound (`SAFETY`) and why there is no safe call for
//! it (`JUSTIFICATION`).
#![expect(unsafe_code, reason = "the one crate whose purpose is to wrap unsafe calls")]

mod descriptor;
mod execute;
mod fork;
mod keyring;
mod loopback;
mod mount_attributes;
mod namespace;
mod signal;
mod spawn;

pub use descriptor::take_inherited;
pub use execute::execute;
pub use fork::{fork, thread_count};
pub use keyring::join_new_session_keyring;
pub use loopback::raise_loopback;
pub use mount_attributes::{MountAttribute, Reach, set_mount_attributes};
pub use namespace::{Namespace, unshare};
pub use signal::reset_signals;
pub use spawn::{Child, Spawn, spawn};
