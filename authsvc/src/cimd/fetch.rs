//! Fetches what strangers name: over TLS from globally routable addresses, without redirects, not too long and not
//! too much.

use std::{net::IpAddr, time::Duration};

use reqwest::{
    Client, Response,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap},
};
use thiserror::Error;
use url::Url;

use super::turns::{Turn, Turns};
use crate::{
    config::MetadataDocuments,
    events::target::{self, GuardedResolver, TargetError},
    outgoing,
};

/// How long it may take, all in all.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most that is read, bytes.
const MAX_BYTES: usize = 64 * 1024;
/// How long an answer is good that says nothing of it.
const DEFAULT_AGE: Duration = Duration::from_hours(1);
/// Least and most, whatever it says: nobody makes us ask more often, and nothing is kept for ever.
const AGES: [Duration; 2] = [Duration::from_mins(5), Duration::from_hours(24)];

/// Fetches documents and keys of clients.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    policy: MetadataDocuments,
    turns: Turns,
}

/// What was fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// JSON, as it says.
    pub body: Vec<u8>,
    /// How long it is good.
    pub age: Duration,
}

/// Why nothing was.
#[derive(Debug, Error)]
pub enum FetchError {
    /// We do not speak to that.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody answered, or not in time; later it may be otherwise.
    #[error("it cannot be fetched: {0}")]
    Silent(String),
    /// It is not there, or not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// Too many others are being fetched.
    #[error("too many documents are being fetched at the same time")]
    Busy,
}

impl FetchError {
    /// Whether what was known before is as good as it was.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Busy)
    }
}

impl Fetcher {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(policy: MetadataDocuments) -> Result<Self, reqwest::Error> {
        let client = outgoing::builder("https")
            .http1_only()
            .dns_resolver(GuardedResolver::new(policy.targets))
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, policy, turns: Turns::default() })
    }

    /// Whose documents are trusted.
    #[must_use]
    pub const fn policy(&self) -> &MetadataDocuments {
        &self.policy
    }

    /// A turn for whoever asks from this address.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn turn(&self, address: IpAddr) -> Result<Turn<'_>, FetchError> {
        self.turns.take(address).ok_or(FetchError::Busy)
    }

    /// Fetches JSON for whoever asks from this address.
    ///
    /// # Errors
    /// When it is not to be had, or is none.
    pub async fn json(&self, address: IpAddr, url: &Url) -> Result<Fetched, FetchError> {
        let _turn = self.turn(address)?;
        target::check(url, self.policy.targets)?;
        let request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(silent)?;
        let status = response.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(FetchError::Silent(format!("it answers {status}")));
        }
        if status.as_u16() != 200 {
            return Err(FetchError::Wrong(format!(
                "it answers {status}, redirects are not followed"
            )));
        }
        if !is_json(response.headers()) {
            return Err(FetchError::Wrong("it is not application/json".to_owned()));
        }
        let age = age(response.headers());
        Ok(Fetched { body: body(response).await?, age })
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::Wrong(format!("it is longer than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The URL is a stranger's, and in the log beside it.
fn silent(error: reqwest::Error) -> FetchError {
    FetchError::Silent(outgoing::explain(error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// As `Cache-Control` says (RFC 9111 section 5.2.2), within limits.
fn age(headers: &HeaderMap) -> Duration {
    let [least, most] = AGES;
    let said = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut age = DEFAULT_AGE;
    for directive in said.split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return least;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=").and_then(|text| text.parse().ok())
        {
            age = Duration::from_secs(seconds);
        }
    }
    age.clamp(least, most)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};

    use super::{age, is_json};

    fn headers(name: reqwest::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn an_answer_is_kept_as_long_as_it_says_within_limits() {
        for (said, seconds) in [
            ("max-age=7200", 7200),
            ("public, Max-Age=7200, must-revalidate", 7200),
            ("max-age=1", 300),
            ("max-age=0", 300),
            ("no-store", 300),
            ("max-age=7200, no-cache", 300),
            ("max-age=99999999999", 86_400),
            ("max-age=-1", 3600),
            ("private", 3600),
        ] {
            let kept = age(&headers(CACHE_CONTROL, said));
            assert_eq!(kept, Duration::from_secs(seconds), "{said}");
        }
        assert_eq!(age(&HeaderMap::new()), Duration::from_secs(3600));
    }

    #[test]
    fn only_json_is_a_document() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/oauth-client+json", true),
            ("text/html", false),
            ("text/json", false),
            ("application/jsonp", false),
        ] {
            assert_eq!(is_json(&headers(CONTENT_TYPE, kind)), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
