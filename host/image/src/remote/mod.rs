//! Registries: pull and push over the OCI distribution protocol, HTTP/1.1.
//!
//! A client of our own over `reqwest` and not the `oci-client` crate (0.18): that one reads manifests of any
//! size into memory, panics on a malformed token or upload address, drops the errors of token servers, asks
//! for no scope on the source of a cross-repository mount, renews no token that a registry refuses, chooses
//! platforms per client instead of per request, and falls back to its defaults when its options are wrong.
//! What remains would be its URLs.
//!
//! Everything asynchronous stays in this module. Its public functions block and must be called on threads
//! that do not run tasks of the runtime.

mod address;
mod answer;
mod credentials;
mod pull;
mod push;
mod retry;
mod session;
mod token;
mod transport;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::runtime::Handle;
use zoea_http::Proxies;
use zoea_model::{Digest, Events, ImageRef, Platform};

use crate::{Delivery, Image, ImageError};
use transport::Transport;

pub use credentials::Credentials;

/// How registries are spoken to.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Who one is.
    pub credentials: Credentials,
    /// Registries that may speak plain HTTP when an image is pulled. Those of the loopback always may.
    pub plain_http_pull: Hosts,
    /// Registries that may speak plain HTTP when an image is pushed. Those of the loopback always may.
    pub plain_http_push: Hosts,
    /// Which proxies are used; the loopback is always reached directly.
    pub proxies: Proxies,
}

/// A set of registries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// These, each `host` or `host:port` as in image names.
    Listed(BTreeSet<String>),
    /// Every one.
    All,
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Listed(BTreeSet::new())
    }
}

impl Hosts {
    /// Says whether a registry is in the set.
    pub(crate) fn contains(&self, registry: &str) -> bool {
        match self {
            Self::Listed(hosts) => hosts.contains(registry),
            Self::All => true,
        }
    }
}

/// Whether a session reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    Pull,
    Push,
}

/// The way to all registries. Clones share connections and tokens; several threads may use it at once.
#[derive(Debug, Clone)]
pub struct Registry {
    transport: Arc<Transport>,
    handle: Handle,
}

impl Registry {
    /// Prepares the way; nothing is sent yet. `handle` is of a runtime with several threads.
    pub fn new(options: RegistryOptions, handle: Handle) -> Self {
        Self { transport: Arc::new(Transport::new(options)), handle }
    }

    /// Returns the image of a tag or a digest for `platform`: manifest and configuration, both checked. Its
    /// layers are fetched when they are opened.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, does not have the image, or answers something malformed.
    pub fn image(&self, reference: &ImageRef, platform: &Platform) -> Result<Image, ImageError> {
        pull::image(&self.transport, &self.handle, reference, platform)
    }

    /// Pushes an image or an index under every name and returns its digest. Blobs that the registry has are not sent,
    /// those of another of its repositories are mounted, the others stream from their source.
    ///
    /// # Errors
    /// When a registry cannot be reached or refuses, or a layer cannot be read. Tags are set last.
    pub fn push(
        &self,
        delivery: impl Into<Delivery>,
        names: &[ImageRef],
        events: &dyn Events,
    ) -> Result<Digest, ImageError> {
        self.handle.block_on(push::push(&self.transport, &delivery.into(), names, events))
    }
}
