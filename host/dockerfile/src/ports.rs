//! `EXPOSE`: ports, ranges and protocols.

use std::net::IpAddr;

use crate::error::Problem;

/// Reads `[[address:]host:]port[-port][/protocol]` into `port/protocol` for each port.
///
/// What names the host is checked and has no effect, as in BuildKit.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, Problem> {
    let invalid = |reason| Problem::Port { text: text.to_owned(), reason };
    let (host, container) = match text.rsplit_once(':') {
        Some((host, container)) => (Some(host), container),
        None => (None, text),
    };
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    let protocol = protocol.to_lowercase();
    let protocol = match protocol.as_str() {
        "" => "tcp",
        "tcp" | "udp" | "sctp" => protocol.as_str(),
        _ => return Err(invalid("its protocol is not `tcp`, `udp` or `sctp`")),
    };
    let range =
        range(ports).ok_or_else(|| invalid("it is no number from 0 to 65535 and no range of them"))?;
    if let Some(host) = host {
        check_host(host, range).map_err(invalid)?;
    }
    Ok((range.0..=range.1).map(|port| format!("{port}/{protocol}")).collect())
}

/// Checks `[address:]host port`.
fn check_host(host: &str, container: (u16, u16)) -> Result<(), &'static str> {
    let (address, port) = match host.rsplit_once(':') {
        Some((address, port)) => (address, port),
        None => ("", host),
    };
    let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err("what stands before it is no address");
    }
    if port.is_empty() {
        return Ok(());
    }
    let Some(host) = range(port) else { return Err("its port of the host is no port") };
    match container.1 - container.0 {
        0 => Ok(()),
        length if length == host.1 - host.0 => Ok(()),
        _ => Err("its range of the host has another length"),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (port(first)?, port(last)?);
    (range.0 <= range.1).then_some(range)
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        for (text, expected) in [
            ("80", &["80/tcp"][..]),
            ("53/UDP", &["53/udp"]),
            ("80/", &["80/tcp"]),
            ("8000-8002/sctp", &["8000/sctp", "8001/sctp", "8002/sctp"]),
            ("8080:80", &["80/tcp"]),
            ("127.0.0.1:8080:80/tcp", &["80/tcp"]),
            ("[::1]:8080:80", &["80/tcp"]),
            ("127.0.0.1::80", &["80/tcp"]),
            ("8000-8001:80-81", &["80/tcp", "81/tcp"]),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(parse("0-65535").unwrap().len(), 65536);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "/tcp", "a", "80/icmp", "70000", "-1", "+1", "81-80", "1-2-3", "x:1:80", "1:2-3", "1-9:2-3"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
