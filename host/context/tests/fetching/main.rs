//! Fetching from real servers on the loopback: what comes, and what hostile ones cannot do.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what a test needs and does not get, fails it; its own files and servers are no product"
)]

mod bench;
mod git;
mod http;
mod repository;
mod server;
