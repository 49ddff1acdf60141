//! What is tried again, how often and after how long.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often a request is sent again after a passing fault. With the delays below, a server may be gone for
/// some eight seconds.
pub const RETRIES: u32 = 5;
/// The first delay; each further one is twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay, whatever the server asks for.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Returns how long to wait before a request is sent again, `attempt` counted from 0.
pub fn delay(attempt: u32, wanted: Option<Duration>) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(attempt));
    wanted.map_or(doubled, |wanted| wanted.max(FIRST_DELAY)).min(LONGEST_DELAY)
}

/// Returns the delay that a server asks for in seconds (RFC 9110, section 10.2.3); dates are not read.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// Says whether a status is of a passing fault.
pub fn is_passing_status(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Says whether a failed request may succeed later: not when nobody listens, the peer is not trusted, or the
/// request itself is wrong.
pub fn is_passing_error(error: &reqwest::Error) -> bool {
    !(error.is_builder()
        || error.is_redirect()
        || cause::<std::io::Error>(error).is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        || cause::<rustls::Error>(error).is_some())
}

/// Finds an error of one type among the causes. An I/O error hides the error that it was made of from `source`.
pub fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let hidden = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match hidden {
            Some(hidden) => Some(hidden),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_causes_are_found() {
        let inner = std::io::Error::other(rustls::Error::EncryptError);
        let error = std::io::Error::other(std::io::Error::other(inner));
        assert!(cause::<rustls::Error>(&error).is_some());
        assert!(cause::<rustls::Error>(&std::io::Error::other("text")).is_none());
    }

    #[test]
    fn delays_grow_and_end() {
        assert_eq!(delay(0, None), Duration::from_millis(250));
        assert_eq!(delay(2, None), Duration::from_secs(1));
        assert_eq!(delay(40, None), LONGEST_DELAY);
        assert_eq!(delay(0, Some(Duration::from_secs(3600))), LONGEST_DELAY);
        assert_eq!(delay(9, Some(Duration::ZERO)), FIRST_DELAY);
    }
}
