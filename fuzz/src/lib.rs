//! What must hold of every text that zoea reads, as functions that panic where it does not.
//!
//! `fuzz_targets/` hands them to libFuzzer (`cargo xtask fuzz`), `tests/seeds.rs` runs them over the seeds in the
//! ordinary test run. Owns no input and no search.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a target panics where something does not hold")]

mod dockerfile;
mod ignore;
mod word;

pub use dockerfile::dockerfile;
pub use ignore::ignore;
pub use word::word;
