//! Fetching from real servers on the loopback: what comes, and what hostile ones cannot do.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs and does not get, fails it")]

mod bench;
mod http;
mod server;
