//! URLs as Go's `net/url` takes them apart, as far as sources of `ADD` need it.
//!
//! Owns the syntax only. What is malformed is no URL, as in BuildKit; what a URL means is decided elsewhere.

use std::collections::BTreeMap;

/// A URL in its parts, percent signs resolved where the name says nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    /// In small letters.
    pub(crate) scheme: String,
    /// What stands before the query, as written but for the scheme.
    pub(crate) address: String,
    /// The path.
    pub(crate) path: String,
    /// The query as written.
    pub(crate) query: &'a str,
    /// The fragment.
    pub(crate) fragment: String,
}

/// Takes `scheme://authority/path?query#fragment` apart.
pub(crate) fn parse(text: &str) -> Option<Url<'_>> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = address.split_once("://")?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    is_authority(authority).then_some(())?;
    let scheme = scheme.to_ascii_lowercase();
    let address = format!("{scheme}://{rest}");
    Some(Url { scheme, address, path: unescape(path)?, query, fragment: unescape(fragment)? })
}

fn is_authority(authority: &str) -> bool {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    let port = after_address.rsplit_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
        && !host.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
        && unescape(authority).is_some()
}

/// Replaces `%XX`; nothing if a percent sign is followed by anything else, or the result is no text.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let value = digit()? * 16 + digit()?;
                bytes.push(u8::try_from(value).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads the pairs of a query; those that are malformed are left out, as in Go's `URL.Query`.
pub(crate) fn query(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let read = |part: &str| unescape(&part.replace('+', " "));
        if let (Some(key), Some(value)) = (read(key), read(value)) {
            pairs.entry(key).or_default().push(value);
        }
    }
    pairs
}

/// Returns the last component of a path; none of the root and of nothing.
pub(crate) fn file_name(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().filter(|name| !name.is_empty() && *name != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_fall_into_their_parts() {
        let url = parse("HTTPS://me:key@host:8443/a%20b/c.git?ref=x#main:d%2Fe").unwrap();
        assert_eq!(url.scheme, "https");
        assert_eq!(url.address, "https://me:key@host:8443/a%20b/c.git");
        assert_eq!(url.path, "/a b/c.git");
        assert_eq!((url.query, url.fragment.as_str()), ("ref=x", "main:d/e"));
        assert_eq!(parse("https://[::1]:80").unwrap().path, "");
        for text in ["a", "https://h/%4", "https://h/%zz", "https://h:x/", "https://a b/", "https://h/\u{1}"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn queries_hold_every_value() {
        let pairs = query("a=1&a=2&b&=c&d=%zz&e=x+y&f;g");
        let texts: Vec<String> =
            pairs.iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
        assert_eq!(texts, ["=c", "a=1,2", "b=", "e=x y"]);
    }

    #[test]
    fn file_names() {
        for (path, expected) in [
            ("/a/b", Some("b")),
            ("/a/b//", Some("b")),
            ("/", None),
            ("", None),
            ("/.", None),
            ("/..", Some("..")),
        ] {
            assert_eq!(file_name(path), expected, "{path}");
        }
    }
}
