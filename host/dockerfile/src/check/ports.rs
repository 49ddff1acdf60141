//! What `EXPOSE` is written with.

use super::{Finding, Findings};

/// Checks a port that could be read: `[[address:]host:]port[/protocol]`.
pub(crate) fn check_port(port: &str, findings: &Findings) {
    let (host, container) = port.rsplit_once(':').unwrap_or(("", port));
    let protocol = container.split_once('/').map_or("", |(_, protocol)| protocol);
    if protocol != protocol.to_lowercase() {
        findings.report(&Finding::ProtocolCasing { port: port.to_owned() });
    }
    // `:80` and `::80` leave both empty, which is nothing to complain of.
    if !host.trim_start_matches(':').is_empty() {
        findings.report(&Finding::HostPort { port: port.to_owned() });
    }
}
