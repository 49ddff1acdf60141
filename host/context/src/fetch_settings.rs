//! How things are fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::runtime::Handle;
use zoea_http::Proxies;
use zoea_model::Secret;

use crate::GitProgram;

/// The largest file that is fetched: far above any release archive or disk image that builds take, and an endless
/// answer ends before it fills most disks.
pub const LARGEST_FILE: u64 = 64 << 30;

/// How long a server has to send [`LEAST_IN_PATIENCE`] bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long git may work without receiving more. A server that counts the objects of the largest histories is silent for
/// some minutes, and so is git while it resolves their differences.
const GIT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Less than the slowest modem sends in [`PATIENCE`]; a server that sends less would hold a build for years.
pub(crate) const LEAST_IN_PATIENCE: u64 = 16 << 10;

/// How things are fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// The runtime that traffic runs on; it has several threads.
    pub handle: Handle,
    /// Which proxies are used; the loopback is always reached directly.
    pub proxies: Proxies,
    /// Credentials by the names that BuildKit gives such secrets: `HTTP_AUTH_TOKEN_<host>` and the like.
    pub secrets: BTreeMap<String, Secret>,
    /// What fetches from git repositories.
    pub git: Option<GitProgram>,
    /// The largest file, and the largest repository, that is fetched.
    pub largest_file: u64,
    /// How long a server may take to answer, or to send the least that counts as sending.
    pub patience: Duration,
    /// How long git may work without receiving more.
    pub git_patience: Duration,
}

impl FetchSettings {
    /// Makes settings without proxies and secrets, and with the usual limits.
    pub fn new(handle: Handle) -> Self {
        Self {
            handle,
            proxies: Proxies::default(),
            secrets: BTreeMap::new(),
            git: None,
            largest_file: LARGEST_FILE,
            patience: PATIENCE,
            git_patience: GIT_PATIENCE,
        }
    }
}
