//! What every conversation over HTTP shares: the client, whom it trusts, its proxies, and what is tried again.
//!
//! Owns no protocol above HTTP: registries are `zoea-image`'s, files of web servers `zoea-context`'s. Reads no
//! environment; the one thing it takes from the machine is the list of trusted certificates.
#![forbid(unsafe_code)]

mod client;
mod retry;

pub use client::{ANSWER_TIMEOUT, Bodies, HttpError, Proxies, client};
pub use retry::{RETRIES, cause, delay, is_passing_error, is_passing_status, retry_after};
