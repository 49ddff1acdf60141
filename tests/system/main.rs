//! Tests of the whole program on real input: real bases, a real registry, and judges that share no code with it.
//!
//! What a crate can show by itself is tested there; these tests show that the parts make a builder.
#![forbid(unsafe_code)]

mod bad_input;
mod bad_layers;
mod compile;
mod context_archives;
mod copy_flags;
mod copying;
mod examples;
mod executor;
mod fetching;
mod killed;
mod memory;
mod metadata;
mod outputs;
mod owners;
mod platforms;
mod pushing;
mod questions;
mod result;
mod stages;
mod steps;
mod validity;
