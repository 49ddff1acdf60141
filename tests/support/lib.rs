//! The test kit: real registries, real bases, the `zoea` program as its users run it, and independent judges.
//!
//! Owns everything that a test of the whole program needs from the machine, and says plainly what the machine
//! lacks. It uses no crate of the product, so that it cannot share a mistake with it. Whatever mounts runs in a
//! mount namespace of its own with a `/dev` of its own.
#![forbid(unsafe_code)]

pub mod actor;
pub mod base;
pub mod bundle;
pub mod cache;
pub mod elsewhere;
pub mod emulator;
pub mod finished;
pub mod gate;
pub mod isolation;
pub mod machine;
pub mod noise;
pub mod registry;
pub mod skopeo;
pub mod state;
pub mod zoea;

pub use actor::Actor;
pub use base::Base;
pub use bundle::Bundle;
pub use finished::Finished;
pub use gate::Gate;
pub use machine::{Need, ready};
pub use registry::Registry;
pub use zoea::Zoea;
