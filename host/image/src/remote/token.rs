//! Answering a registry's challenge: basic credentials, or a bearer token from a token server (distribution
//! specification, "Token Authentication").

use http_auth::{ChallengeRef, parse_challenges};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url};
use serde::Deserialize;
use zoea_model::Secret;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::credentials::Credential;
use crate::ImageError;

/// The largest answer of a token server that is read; real tokens have some kilobytes.
pub(crate) const LARGEST_TOKEN: u64 = 1 << 20;

/// What a registry demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password.
    Basic,
    /// A token from this server.
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// Reads the headers of an answer; a bearer challenge is preferred, the first counts.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Self> = texts
            .filter_map(|text| parse_challenges(text).ok())
            .flatten()
            .filter_map(|challenge| Self::from_parsed(&challenge))
            .collect();
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(challenges.first()).cloned()
    }

    fn from_parsed(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer { realm: parameter("realm")?, service: parameter("service") });
        }
        challenge.scheme.eq_ignore_ascii_case("basic").then_some(Self::Basic)
    }
}

/// Makes the header for a user and a password.
pub(crate) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    header(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// Makes the header for a token.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    header(&format!("Bearer {token}"))
}

/// Makes a header that is never printed; none if the text cannot stand in one.
fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Makes the request for a token. Credentials go nowhere without TLS but to the host that gets them so anyway: that
/// of a registry that is itself spoken to in plain HTTP.
pub(crate) fn request(
    realm: &str,
    service: Option<&str>,
    scopes: &str,
    credential: &Credential,
    registry: &Url,
) -> Result<(Method, Url, HeaderMap), String> {
    let mut url = Url::parse(realm).map_err(|_| "its token server's address is no URL".to_owned())?;
    match (registry.scheme(), url.scheme()) {
        (_, "https") => {}
        ("http", "http") if registry.host() == url.host() => {}
        _ => return Err("its token server is not reached over HTTPS".to_owned()),
    }
    if let Some(service) = service {
        url.query_pairs_mut().append_pair("service", service);
    }
    for scope in scopes.split(' ') {
        url.query_pairs_mut().append_pair("scope", scope);
    }
    let mut headers = HeaderMap::new();
    if let Credential::Basic { user, password } = credential {
        url.query_pairs_mut().append_pair("account", user);
        let value = basic(user, password).ok_or("the credentials cannot stand in a header")?;
        headers.insert(AUTHORIZATION, value);
    }
    Ok((Method::GET, url, headers))
}

/// Takes the token out of a token server's answer.
pub(crate) fn read(answer: &[u8], registry: &str) -> Result<HeaderValue, ImageError> {
    let protocol = |reason: &str| ImageError::Protocol {
        registry: registry.to_owned(),
        request: "get a token".to_owned(),
        reason: reason.to_owned(),
    };
    // The parser's own error may quote the token.
    let answer: TokenAnswer =
        serde_json::from_slice(answer).map_err(|_| protocol("the token server's answer is malformed"))?;
    let given = |token: Option<String>| token.filter(|token| !token.is_empty());
    let token = given(answer.token).or_else(|| given(answer.access_token));
    let token = token.ok_or_else(|| protocol("the token server's answer has no token"))?;
    bearer(&token).ok_or_else(|| protocol("the token cannot stand in a header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    #[test]
    fn bearer_is_preferred() {
        let bearer = r#"Bearer realm="https://auth/token",service="reg",scope="repository:a:pull""#;
        let expected =
            Challenge::Bearer { realm: "https://auth/token".to_owned(), service: Some("reg".to_owned()) };
        assert_eq!(challenge(&[r#"Basic realm="x""#, bearer]), Some(expected));
        assert_eq!(challenge(&[r#"basic realm="x""#]), Some(Challenge::Basic));
        for wrong in ["", "Bearer", "Bearer service=\"x\"", "Negotiate", "\"", "Basic realm=\"unfinished"] {
            let found = challenge(&[wrong]);
            assert!(!matches!(found, Some(Challenge::Bearer { .. })), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn credentials_stay_on_tls() {
        let secure = Url::parse("https://registry/").unwrap();
        let plain = Url::parse("http://registry/").unwrap();
        let ask = |realm, registry| request(realm, None, "s", &Credential::Anonymous, registry);
        assert!(ask("https://auth/", &secure).is_ok());
        assert!(ask("http://auth/", &secure).is_err());
        assert!(ask("http://registry:5001/token", &plain).is_ok());
        assert!(ask("http://auth/", &plain).is_err());
        assert!(ask("https://auth/", &plain).is_ok());
        assert!(ask("file:///etc/passwd", &plain).is_err());
        assert!(ask("nonsense", &plain).is_err());
    }

    #[test]
    fn malformed_tokens_are_refused() {
        for answer in ["", "{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#, r#"{"token":1}"#] {
            assert!(read(answer.as_bytes(), "r").is_err(), "{answer}");
        }
        let value = read(br#"{"token":"","access_token":"abc"}"#, "r").unwrap();
        assert!(value.is_sensitive() && value == "Bearer abc");
    }
}
