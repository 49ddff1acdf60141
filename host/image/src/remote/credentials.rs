//! Credentials of registries, as Docker's `config.json` has them.
//!
//! Nothing here is ever printed: neither a value, nor what a malformed file holds.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zoea_model::Secret;

use crate::ImageError;

/// Names under which credentials for Docker's registry are kept.
const DOCKER_HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Credentials from any number of places; the first that knows a registry counts.
#[derive(Clone, Default)]
pub struct Credentials(Vec<DockerConfig>);

/// The part of `config.json` that is about credentials.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Who one is at a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nobody.
    Anonymous,
    /// A user.
    Basic { user: String, password: Secret },
    /// Whoever has this token.
    Token(Secret),
    /// Someone whose credentials this version cannot get at; what has them.
    Elsewhere(String),
}

impl Credentials {
    /// Reads the text of a Docker `config.json`, or of the variable `DOCKER_AUTH_CONFIG`.
    ///
    /// # Errors
    /// When it is no JSON of that form.
    pub fn from_docker_config(text: &str, origin: &str) -> Result<Self, ImageError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: DockerConfig = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            ImageError::MalformedCredentials { origin: origin.to_owned(), line, column }
        })?;
        Ok(Self(vec![config]))
    }

    /// Adds the credentials of another place, which count where these have none.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns the credentials for a repository.
    pub(crate) fn find(&self, registry: &str, repository: &str) -> Result<Credential, ImageError> {
        for config in &self.0 {
            let found = config.find(registry, repository)?;
            if found != Credential::Anonymous {
                return Ok(found);
            }
        }
        Ok(Credential::Anonymous)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&"****").finish()
    }
}

impl DockerConfig {
    /// Takes the entry with the longest path that the repository lies in; a helper comes after entries.
    fn find(&self, registry: &str, repository: &str) -> Result<Credential, ImageError> {
        let entries = self.auths.iter().flatten();
        let reach = |key: &str| covers(key, registry, repository);
        let best =
            entries.filter_map(|(key, entry)| Some((reach(key)?, entry))).max_by_key(|(reach, _)| *reach);
        if let Some((_, entry)) = best {
            let found = entry.credential(registry)?;
            if found != Credential::Anonymous {
                return Ok(found);
            }
        }
        let helpers = self.cred_helpers.iter().flatten();
        let mut helper = helpers.filter(|(key, _)| reach(key).is_some()).map(|(_, helper)| helper);
        Ok(match helper.next().or(self.creds_store.as_ref()) {
            Some(helper) => {
                Credential::Elsewhere(format!("the credential helper `docker-credential-{helper}`"))
            }
            None => Credential::Anonymous,
        })
    }
}

impl Entry {
    fn credential(&self, registry: &str) -> Result<Credential, ImageError> {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Credential::Token(Secret::new(token)));
        }
        if given(&self.identitytoken).is_some() {
            return Ok(Credential::Elsewhere("an identity token".to_owned()));
        }
        if let Some(auth) = given(&self.auth) {
            let invalid = || ImageError::InvalidCredential { registry: registry.to_owned() };
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| invalid())?;
            let text = String::from_utf8(bytes).map_err(|_| invalid())?;
            let (user, password) = text.split_once(':').ok_or_else(invalid)?;
            // Old versions of docker padded the password with NUL bytes.
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Credential::Basic { user: user.to_owned(), password });
        }
        Ok(match (given(&self.username), given(&self.password)) {
            (Some(user), Some(password)) => Credential::Basic { user, password: Secret::new(password) },
            _ => Credential::Anonymous,
        })
    }
}

/// Says how many characters of path an entry's key shares with a repository, if the key is for it.
///
/// A key is a host, with a scheme and `/v1/` or `/v2/` as old files have it, or with a part of a repository's
/// path (`containers-auth.json`). The host must be the registry's own, port included.
fn covers(key: &str, registry: &str, repository: &str) -> Option<usize> {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let canonical = |host: &str| {
        if DOCKER_HUB_NAMES.contains(&host) { "docker.io".to_owned() } else { host.to_owned() }
    };
    if canonical(host) != canonical(registry) {
        return None;
    }
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let inside = path.is_empty()
        || repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    inside.then_some(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, registry: &str, repository: &str) -> Credential {
        Credentials::from_docker_config(config, "test").unwrap().find(registry, repository).unwrap()
    }

    fn user(name: &str) -> Credential {
        Credential::Basic { user: name.to_owned(), password: Secret::new("p:w") }
    }

    fn auth(name: &str) -> String {
        STANDARD.encode(format!("{name}:p:w"))
    }

    #[test]
    fn the_longest_path_of_the_own_host_counts() {
        let config = format!(
            r#"{{"auths":{{"host:5000":{{"auth":"{}"}},"host:5000/team":{{"auth":"{}"}},"host":{{"auth":"{}"}},
            "https://index.docker.io/v1/":{{"auth":"{}"}}}}}}"#,
            auth("all"),
            auth("team"),
            auth("other"),
            auth("hub")
        );
        assert_eq!(found(&config, "host:5000", "app"), user("all"));
        assert_eq!(found(&config, "host:5000", "team/app"), user("team"));
        assert_eq!(found(&config, "host:5000", "teams/app"), user("all"));
        assert_eq!(found(&config, "docker.io", "library/debian"), user("hub"));
        for registry in ["host.evil.com", "ahost:5000", "host:50001", "HOST:5000"] {
            assert_eq!(found(&config, registry, "app"), Credential::Anonymous, "{registry}");
        }
    }

    #[test]
    fn helpers_are_named_and_entries_come_first() {
        let config = format!(
            r#"{{"auths":{{"a.com":{{}},"b.com":{{"auth":"{}"}}}},"credHelpers":{{"a.com":"ecr-login"}},"credsStore":"desktop"}}"#,
            auth("b")
        );
        let helper =
            |name: &str| Credential::Elsewhere(format!("the credential helper `docker-credential-{name}`"));
        assert_eq!(found(&config, "a.com", "x"), helper("ecr-login"));
        assert_eq!(found(&config, "b.com", "x"), user("b"));
        assert_eq!(found(&config, "c.com", "x"), helper("desktop"));
        let first = Credentials::from_docker_config(&config, "one").unwrap();
        assert_eq!(Credentials::default().or(first).find("b.com", "x").unwrap(), user("b"));
    }

    #[test]
    fn nothing_secret_is_in_an_error() {
        for text in [r#"{"auths":{"a":{"auth":["hunter2"]}}}"#, r#"{"auths":"hunter2"}"#, "hunter2"] {
            let error = Credentials::from_docker_config(text, "config.json").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let credentials =
            Credentials::from_docker_config(r#"{"auths":{"a":{"auth":"hunter2"}}}"#, "test").unwrap();
        let error = credentials.find("a", "x").unwrap_err();
        assert!(!format!("{error} {error:?} {credentials:?}").contains("hunter2"));
        assert_eq!(found("", "a", "x"), Credential::Anonymous);
        assert_eq!(found(r#"{"auths":null}"#, "a", "x"), Credential::Anonymous);
    }
}
