//! Which repository, and as whom.
//!
//! Owns the addresses that git is given: those of a repository's own `.gitmodules` are hostile.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zoea_model::{SafeUrl, Secret};

use crate::FetchError;

/// Refuses what is no address on another machine: paths, options, and the transports that run programs.
pub(crate) fn check(remote: &str) -> Result<(), FetchError> {
    let refused = || FetchError::Address {
        reason: format!("`{}` is no repository of http, https, git or ssh", SafeUrl::new(remote)),
    };
    let place = match remote.split_once("://") {
        Some(("http" | "https" | "git" | "ssh", rest)) => rest.split('/').next(),
        Some(_) => None,
        None => {
            remote.split_once(':').filter(|(_, path)| !path.starts_with([':', '-'])).map(|(place, _)| place)
        }
    };
    let place = place.filter(|place| !place.starts_with('-') && !remote.contains(char::is_control));
    let host = place.map(|place| place.rsplit_once('@').map_or(place, |(_, host)| host));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('-') && !host.contains('/') => Ok(()),
        Some(_) | None => Err(refused()),
    }
}

/// Resolves the address of a submodule against that of its repository, as git does.
pub(crate) fn submodule(parent: &str, url: &str) -> Result<SafeUrl, FetchError> {
    let mut rest = url;
    let mut base = parent.trim_end_matches('/');
    if !url.starts_with("./") && !url.starts_with("../") {
        check(url)?;
        return Ok(SafeUrl::new(url));
    }
    // Behind this the host ends, above which nothing is.
    let authority = match base.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find('/').unwrap_or(rest.len()),
        None => 0,
    };
    let mut separator = '/';
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            let cut = base.rfind('/').map(|at| (at, '/')).or_else(|| base.rfind(':').map(|at| (at, ':')));
            let cut = cut.filter(|(at, _)| *at >= authority);
            let (at, cut_at) = cut.ok_or_else(|| FetchError::Address {
                reason: format!(
                    "the submodule's `{}` leads above `{}`",
                    url.escape_debug(),
                    SafeUrl::new(parent)
                ),
            })?;
            (base, separator, rest) = (base.get(..at).unwrap_or_default(), cut_at, next);
        } else {
            break;
        }
    }
    let joined = format!("{base}{separator}{}", rest.trim_end_matches('/'));
    check(&joined)?;
    Ok(SafeUrl::new(joined))
}

/// Returns git's configuration for the credentials of `remote`: the first that is given of a host's own header and
/// token, and the general ones. They are sent to that repository only; those for GitHub, to all of GitHub.
pub(crate) fn credentials(remote: &str, secrets: &BTreeMap<String, Secret>) -> Option<(String, String)> {
    let (scheme, rest) =
        remote.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let header = |secret: &Secret| secret.reveal().trim_end().to_owned();
    let token = |secret: &Secret| {
        let pair = format!("x-access-token:{}", secret.reveal().trim_end());
        format!("basic {}", BASE64_STANDARD.encode(pair))
    };
    let get = |name: &str| secrets.get(name);
    let value = get(&format!("GIT_AUTH_HEADER.{host}"))
        .map(header)
        .or_else(|| get(&format!("GIT_AUTH_TOKEN.{host}")).map(token))
        .or_else(|| get("GIT_AUTH_HEADER").map(header))
        .or_else(|| get("GIT_AUTH_TOKEN").map(token))?;
    let github = scheme == "https" && matches!(host, "github.com" | "www.github.com");
    let scope = if github { format!("https://{host}/") } else { remote.to_owned() };
    Some((format!("http.{scope}.extraHeader"), format!("Authorization: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_resolved_as_git_does() {
        for (parent, url, resolved) in [
            ("https://host/a/b.git", "../c.git", "https://host/a/c.git"),
            ("https://host/a/b.git/", "../../c.git/", "https://host/c.git"),
            ("https://host/a/b.git", "./c", "https://host/a/b.git/c"),
            ("git@host:a/b.git", "../c", "git@host:a/c"),
            ("git@host:b.git", "../c", "git@host:c"),
            ("https://host/b.git", "git@host:c", "git@host:c"),
            ("https://host/b.git", "ssh://git@host/c", "ssh://git@host/c"),
        ] {
            assert_eq!(submodule(parent, url).unwrap().reveal(), resolved, "{parent} {url}");
        }
    }

    #[test]
    fn addresses_of_this_machine_and_options_are_refused() {
        for url in [
            "/etc",
            "etc",
            "file:///etc",
            "ext::sh -c id",
            "ext::x",
            "--upload-pack=id",
            "-u:x",
            "ssh://-oProxyCommand=id/x",
            "-oProxyCommand=id:x",
            "host:-x",
            "https://",
            "https:///x",
            "ftp://host/x",
            "a/b:c",
            "../../../../etc",
            "../../../..",
            "https://host/\nx",
            "fd::7",
            "user@-host:x",
            "",
        ] {
            assert!(submodule("https://host/a/b.git", url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_are_for_one_repository() {
        let secrets: BTreeMap<_, _> =
            [("GIT_AUTH_TOKEN", "a"), ("GIT_AUTH_TOKEN.host:1", "b"), ("GIT_AUTH_HEADER.other", "c")]
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .into();
        let find = |remote| credentials(remote, &secrets).unwrap();
        let value = |text: &str| {
            format!("Authorization: basic {}", BASE64_STANDARD.encode(format!("x-access-token:{text}")))
        };
        assert_eq!(find("https://x/b.git"), ("http.https://x/b.git.extraHeader".to_owned(), value("a")));
        assert_eq!(find("https://u@host:1/b.git").1, value("b"));
        assert_eq!(find("https://other/b.git").1, "Authorization: c");
        assert_eq!(find("https://github.com/a/b").0, "http.https://github.com/.extraHeader");
        assert_eq!(credentials("git@host:b", &secrets), None);
    }
}
