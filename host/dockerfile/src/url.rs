//! The name of the file that a URL leads to.
//!
//! Owns the syntax of URLs as far as that needs it, after Go's `net/url`. A malformed URL names no file; whether it can
//! be fetched is found out by whoever tries.

/// Returns the last component of a URL's path, percent signs resolved; none if it has none.
pub(crate) fn file_name(url: &str) -> Option<String> {
    if url.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let address = url.split(['#', '?']).next()?;
    let (_, rest) = address.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let path = unescape(path).filter(|_| is_authority(authority))?;
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    (!matches!(name, "" | ".")).then(|| name.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_is_the_name() {
        for (url, expected) in [
            ("https://h/a/b.tar.gz?x/y#z", Some("b.tar.gz")),
            ("https://me:key@[::1]:8443/a%20b//", Some("a b")),
            ("https://h/a/..", Some("..")),
            ("https://h", None),
            ("https://h/", None),
            ("https://h/.", None),
            ("https://h?a/b", None),
            ("https://h/%4", None),
            ("https://h/%ff", None),
            ("https://h:x/a", None),
            ("https://a b/c", None),
            ("https://h/\u{1}", None),
            ("a/b", None),
        ] {
            assert_eq!(file_name(url).as_deref(), expected, "{url}");
        }
    }
}
