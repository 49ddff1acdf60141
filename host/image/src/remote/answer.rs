//! Reading a registry's answers: limited, and never shown to a terminal as they came.

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::ImageError;
use zoea_http::ANSWER_TIMEOUT;

/// How much of an error's body is read.
const LONGEST_ERROR: u64 = 64 << 10;
/// How many characters of an error's text are shown.
const LONGEST_TEXT: usize = 300;

/// The body of an error (distribution specification, "Error Codes").
#[derive(Debug, Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Debug, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// A body that is not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is longer than the limit.
    TooLong,
    /// The connection broke.
    Broken(reqwest::Error),
    /// Nothing came for a while.
    Stalled,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(ANSWER_TIMEOUT, response.chunk()).await {
            Err(_) => return Err(Unread::Stalled),
            Ok(Err(error)) => return Err(Unread::Broken(error.without_url())),
            Ok(Ok(None)) => return Ok(bytes),
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
        }
        if bytes.len() as u64 > limit {
            return Err(Unread::TooLong);
        }
    }
}

/// Makes an error of an answer that is no success.
pub(crate) async fn refusal(registry: &str, request: &str, response: Response) -> ImageError {
    let status = response.status();
    let answer = match body(response, LONGEST_ERROR).await {
        Ok(bytes) => text(&bytes, status),
        Err(Unread::TooLong | Unread::Broken(_) | Unread::Stalled) => reason(status),
    };
    let (registry, request) = (registry.to_owned(), request.to_owned());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ImageError::Unauthorized { registry, request, answer }
        }
        _ => ImageError::Refused { registry, request, status: status.as_u16(), answer },
    }
}

fn text(bytes: &[u8], status: StatusCode) -> String {
    let said = match serde_json::from_slice::<ErrorBody>(bytes) {
        Ok(body) => body
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.code, error.message))
            .collect::<Vec<_>>()
            .join("; "),
        // Pages of proxies and of other servers say little in much text.
        Err(_) => String::new(),
    };
    let shown: String = said.chars().filter(|character| !character.is_control()).take(LONGEST_TEXT).collect();
    if shown.is_empty() { reason(status) } else { shown }
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("without a reason").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_tamed() {
        let body = br#"{"errors":[{"code":"DENIED","message":"\u001b[2Jno","detail":{}}]}"#;
        assert_eq!(text(body, StatusCode::FORBIDDEN), "DENIED: [2Jno");
        assert_eq!(text(b"<html>", StatusCode::BAD_GATEWAY), "Bad Gateway");
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(10_000));
        assert_eq!(text(long.as_bytes(), StatusCode::BAD_REQUEST).len(), LONGEST_TEXT);
    }
}
