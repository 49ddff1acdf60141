//! Values that must not be printed.

use std::fmt;

/// A credential; prints as `****`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the credential itself, for the one call that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A URL whose user information and query print as `****`.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// Wraps a URL as written.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Returns the URL itself, for the one call that follows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, query) = match self.0.split_once('?') {
            Some((address, _)) => (address, "?****"),
            None => (self.0.as_str(), ""),
        };
        match address.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let slash = if rest.contains('/') { "/" } else { "" };
                match authority.rsplit_once('@') {
                    Some((_, host)) => write!(f, "{scheme}://****@{host}{slash}{path}{query}"),
                    None => write!(f, "{scheme}://{authority}{slash}{path}{query}"),
                }
            }
            None => write!(f, "{address}{query}"),
        }
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{0} {0:?}", Secret::new("key")), "**** ****");
        let url = SafeUrl::new("https://user:key@host/a@b?token=key");
        assert_eq!(format!("{url} {url:?}"), "https://****@host/a@b?**** https://****@host/a@b?****");
        assert_eq!(SafeUrl::new("https://host").to_string(), "https://host");
    }
}
