//! Asks others for JSON: over TLS at globally routable addresses, unless the operator says otherwise, without
//! redirects, not too long and not too much.

use std::{error::Error as _, time::Duration};

use attache_protocol::secret::Secret;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    dns::Resolve,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap},
};
use thiserror::Error;
use url::Url;

use super::{
    explain,
    target::{self, GuardedResolver, System, TargetError},
};
use crate::config::Targets;

/// How long an answer is good that says nothing of it.
const DEFAULT_AGE: Duration = Duration::from_hours(1);
/// Least and most, whatever it says: nobody makes us ask more often, and nothing is kept for ever.
const AGES: [Duration; 2] = [Duration::from_mins(5), Duration::from_hours(24)];

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From the first packet to the last byte.
    pub time: Duration,
    /// Most that is read, bytes.
    pub bytes: usize,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Guarded {
    client: Client,
    targets: Targets,
    bytes: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Whether it says that it is JSON.
    pub is_json: bool,
    /// How long it is good, within limits.
    pub age: Duration,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, Error)]
pub enum Unanswered {
    /// We do not speak to that.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody answered, or not in time; later it may be otherwise.
    #[error("{0}")]
    Silent(String),
    /// There is more than we read.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

/// Why an answer is not what was asked for.
#[derive(Clone, Debug)]
pub enum NotJson {
    /// The server is not well; later it may be otherwise.
    Passing(String),
    /// It is something else.
    Wrong(String),
}

impl Guarded {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(targets: Targets, bounds: Bounds) -> Result<Self, reqwest::Error> {
        Self::asking(System, targets, bounds)
    }

    /// The same, with somebody else than the system to ask for the addresses of names.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn asking(
        names: impl Resolve + 'static,
        targets: Targets,
        bounds: Bounds,
    ) -> Result<Self, reqwest::Error> {
        let client = super::builder("https")
            .http1_only()
            .dns_resolver(GuardedResolver::asking(names, targets))
            .timeout(bounds.time)
            .build()?;
        Ok(Self { client, targets, bytes: bounds.bytes })
    }

    /// Where it may go.
    #[must_use]
    pub const fn targets(&self) -> Targets {
        self.targets
    }

    /// Asks for what is there, with a bearer token where one is needed.
    ///
    /// # Errors
    /// When there is no answer, or too much of it.
    pub async fn get(&self, url: &Url, bearer: Option<&Secret>) -> Result<Reply, Unanswered> {
        let request = self.client.get(url.clone());
        let request = bearer.iter().fold(request, |it, token| it.bearer_auth(token.reveal()));
        self.send(url, request).await
    }

    /// Sends a form, with a user and password (RFC 7617) where they are needed.
    ///
    /// # Errors
    /// When there is no answer, or too much of it.
    pub async fn post(
        &self,
        url: &Url,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<Reply, Unanswered> {
        let request = self.client.post(url.clone()).form(form);
        let request =
            basic.iter().fold(request, |it, (user, password)| it.basic_auth(user, Some(password)));
        self.send(url, request).await
    }

    /// Sends JSON, with a bearer token where one is needed.
    ///
    /// # Errors
    /// When there is no answer, or too much of it.
    pub async fn post_json(
        &self,
        url: &Url,
        bearer: Option<&Secret>,
        body: &serde_json::Value,
    ) -> Result<Reply, Unanswered> {
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        let request = request.body(body.to_string());
        let request = bearer.iter().fold(request, |it, token| it.bearer_auth(token.reveal()));
        self.send(url, request).await
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// When there is no answer, or too much of it.
    pub async fn delete(&self, url: &Url, bearer: &Secret) -> Result<Reply, Unanswered> {
        let request = self.client.delete(url.clone()).bearer_auth(bearer.reveal());
        self.send(url, request).await
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Reply, Unanswered> {
        target::check(url, self.targets)?;
        let response = request.header(ACCEPT, "application/json").send().await.map_err(silent)?;
        let (is_json, age) = (is_json(response.headers()), age(response.headers()));
        let status = response.status();
        let body = match self.body(response).await {
            // That it failed is known without it.
            Err(Unanswered::TooLong(_)) if !status.is_success() => Vec::new(),
            body => body?,
        };
        Ok(Reply { status, is_json, age, body })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Unanswered> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > self.bytes {
                return Err(Unanswered::TooLong(self.bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Reply {
    /// Whether another time may bring another answer: the server is not well, or has too much to do.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// The same, if it is what was asked for: 200, and JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(self) -> Result<Self, NotJson> {
        let status = self.status;
        if self.is_passing() {
            return Err(NotJson::Passing(format!("it answers {status}")));
        }
        if status.is_redirection() {
            return Err(NotJson::Wrong(format!("it answers {status}, redirects are not followed")));
        }
        if status != StatusCode::OK {
            return Err(NotJson::Wrong(format!("it answers {status}")));
        }
        if !self.is_json {
            return Err(NotJson::Wrong("it is not application/json".to_owned()));
        }
        Ok(self)
    }
}

/// The URL may carry secrets, or is a stranger's and in the log beside it.
fn silent(error: reqwest::Error) -> Unanswered {
    match refused(&error) {
        Some(refused) => refused.into(),
        None => Unanswered::Silent(explain(error)),
    }
}

/// What our resolver said, if it was that.
fn refused(error: &reqwest::Error) -> Option<TargetError> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<TargetError>() {
            return Some(refused.clone());
        }
        source = cause.source();
    }
    None
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
