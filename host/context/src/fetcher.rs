//! Fetching for one build.
//!
//! Owns a private directory, in which each thing that was fetched has one of its own, and remembers them: what is
//! asked for twice, also at the same time, is fetched once. Its functions block and must be called on threads that
//! do not run tasks of the runtime.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cap_std::fs::Dir;
use reqwest::Client;
use zoea_model::Remote;

use crate::{ContextError, FetchError, FetchSettings, Fetched, Remotes, git_fetch, http_fetch};

/// Fetches what a build names.
#[derive(Debug)]
pub struct Fetcher {
    settings: FetchSettings,
    directory: Dir,
    client: OnceLock<Client>,
    known: Mutex<Vec<Arc<Known>>>,
}

/// Something that was asked for; empty until it is there.
#[derive(Debug)]
struct Known {
    remote: Remote,
    name: String,
    fetched: Mutex<Option<Arc<Fetched>>>,
}

impl Fetcher {
    /// Prepares for one build; nothing is sent yet. `directory` is empty and private, and outlives all that is
    /// fetched.
    pub fn new(settings: FetchSettings, directory: Dir) -> Self {
        Self { settings, directory, client: OnceLock::new(), known: Mutex::default() }
    }

    fn known(&self, remote: &Remote) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|known| known.remote == *remote) {
            return Arc::clone(known);
        }
        let name = format!("fetched-{}", all.len());
        let known = Arc::new(Known { remote: remote.clone(), name, fetched: Mutex::default() });
        all.push(Arc::clone(&known));
        known
    }

    fn fetch_into(&self, remote: &Remote, name: &str) -> Result<Fetched, FetchError> {
        let directory = self.empty(name).map_err(FetchError::Store)?;
        match remote {
            Remote::Http(source) => {
                let fetched = http_fetch::fetch(source, directory, self.client()?, &self.settings);
                self.settings.handle.block_on(fetched)
            }
            Remote::Git(source) => git_fetch::fetch(source, &directory, &self.settings),
        }
    }

    /// Makes a directory, without what an attempt before may have left there.
    fn empty(&self, name: &str) -> io::Result<Dir> {
        match self.directory.remove_dir_all(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => self.directory.create_dir(name)?,
        }
        self.directory.open_dir(name)
    }

    /// Returns the client; made when it is first needed, because reading the system's certificates takes time.
    fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = http_fetch::client(&self.settings)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Remotes for Fetcher {
    fn fetch(&self, remote: &Remote) -> Result<Arc<Fetched>, ContextError> {
        let known = self.known(remote);
        let mut fetched = known.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetched) = fetched.as_ref() {
            return Ok(Arc::clone(fetched));
        }
        let made = self.fetch_into(remote, &known.name).map_err(|source| ContextError::Fetch {
            address: remote.to_string(),
            source: Box::new(source),
        })?;
        Ok(Arc::clone(fetched.insert(Arc::new(made))))
    }
}
