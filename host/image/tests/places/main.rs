//! Images against real neighbours: Debian's registry, skopeo, and servers that misbehave.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a test needs and does not get, fails it"
)]

mod archives;
mod authentication;
mod hostile;
mod images;
mod layouts;
mod pushes;
mod raw_server;
mod registry_process;
mod tls;
mod tools;
