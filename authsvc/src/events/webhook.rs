//! One destination and one attempt at it (Standard Webhooks 1.0.0).

use std::time::Duration;

use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use time::{
    OffsetDateTime,
    format_description::well_known::{Rfc2822, Rfc3339},
};
use url::Url;

use super::signature::{Key, KeyError};
use crate::{
    config,
    outgoing::{
        self, explain,
        target::{self, GuardedResolver, TargetError},
    },
};

/// Time in which a receiver must answer.
pub const TIMEOUT: Duration = Duration::from_secs(20);
/// How much of an answer is kept, bytes.
const KEPT_REPLY: usize = 1024;
/// Longest `Retry-After` that is believed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A destination, ready to be sent to.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: Url,
    /// The newest first.
    keys: Vec<Key>,
    client: Client,
}

/// Why a destination cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its secret is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its URL is not allowed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The HTTP client cannot be made, for lack of root certificates for instance.
    #[error("cannot prepare the webhook client")]
    Client(#[source] reqwest::Error),
}

/// What is sent: the same bytes at every attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// `webhook-id`: what the receiver recognizes a repetition by.
    pub id: String,
    /// JSON.
    pub body: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// 2xx.
    Accepted {
        /// HTTP status.
        status: u16,
    },
    /// 410: the receiver never wants to hear from us again.
    Gone(Failure),
    /// Anything else.
    Failed {
        /// What is known of it.
        failure: Failure,
        /// How long the receiver asked to be left alone.
        wait: Option<Duration>,
    },
}

/// What is kept of an attempt that failed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Failure {
    /// HTTP status; absent when there was no answer.
    pub status: Option<u16>,
    /// One sentence, without the URL.
    pub error: String,
    /// The first kilobyte of the answer.
    pub reply: Option<String>,
}

impl Message {
    /// Wraps an event, given as its id, its start in Unix milliseconds and its JSON.
    #[must_use]
    pub fn new(event_id: &str, started_at_ms: i64, event: &str) -> Self {
        let timestamp =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(started_at_ms) * 1_000_000)
                .ok()
                .and_then(|time| time.format(&Rfc3339).ok())
                .unwrap_or_default();
        Self {
            id: format!("evt_{event_id}"),
            body: format!(r#"{{"type":"mcp.message","timestamp":"{timestamp}","data":{event}}}"#),
        }
    }
}

impl Webhook {
    /// Prepares a destination; does not speak to it.
    ///
    /// # Errors
    /// When its secret or URL is not acceptable, or the system has no root certificates.
    pub fn new(config: &config::Webhook) -> Result<Self, WebhookError> {
        Self::answering_within(TIMEOUT, config)
    }

    /// The same, for a receiver that must answer in this time.
    pub(super) fn answering_within(
        timeout: Duration,
        config: &config::Webhook,
    ) -> Result<Self, WebhookError> {
        target::check(&config.url, config.targets)?;
        let secrets = std::iter::once(&config.secret).chain(&config.previous_secret);
        let keys = secrets.map(Key::parse).collect::<Result<_, _>>()?;
        let client = outgoing::builder(config.url.scheme())
            .http1_only()
            .dns_resolver(GuardedResolver::new(config.targets))
            .timeout(timeout);
        let client = client.build().map_err(WebhookError::Client)?;
        Ok(Self { url: config.url.clone(), keys, client })
    }

    /// A signature with each secret, the newest first: receivers take the message if one of them is good.
    fn sign(&self, message: &Message, timestamp: i64) -> String {
        let body = message.body.as_bytes();
        let signatures = self.keys.iter().map(|key| key.sign(&message.id, timestamp, body));
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Sends a message once, and says how that ended.
    pub async fn attempt(&self, message: &Message, now: OffsetDateTime) -> Reply {
        let timestamp = now.unix_timestamp();
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.sign(message, timestamp))
            .body(message.body.clone());
        match request.send().await {
            Ok(response) => judge(response, now).await,
            Err(error) => Reply::Failed {
                failure: Failure { error: explain(error), ..Failure::default() },
                wait: None,
            },
        }
    }
}

async fn judge(response: Response, now: OffsetDateTime) -> Reply {
    let status = response.status();
    if status.is_success() {
        return Reply::Accepted { status: status.as_u16() };
    }
    let wait = match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => retry_after(response.headers(), now),
        _ => None,
    };
    let error = if status.is_redirection() {
        format!("receiver answered {status}; redirects are not followed")
    } else {
        format!("receiver answered {status}")
    };
    let failure =
        Failure { status: Some(status.as_u16()), error, reply: Some(beginning(response).await) };
    if status == StatusCode::GONE { Reply::Gone(failure) } else { Reply::Failed { failure, wait } }
}

/// RFC 9110 section 10.2.3: seconds or a date.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (OffsetDateTime::parse(value, &Rfc2822).ok()? - now).try_into().ok()?,
    };
    Some(wait.min(LONGEST_WAIT))
}

/// What can be had of the body's first kilobyte; a receiver that breaks off has still answered.
async fn beginning(mut response: Response) -> String {
    let mut kept = Vec::new();
    while kept.len() < KEPT_REPLY {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        kept.extend(chunk.into_iter().take(KEPT_REPLY - kept.len()));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use time::macros::datetime;

    use super::{Message, retry_after};

    fn wait(value: &'static str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers, datetime!(2026-11-21 10:00:00 UTC))
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_bounded() {
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sat, 21 Nov 2026 10:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(wait("Sat, 21 Nov 2026 09:00:00 GMT"), None);
        assert_eq!(wait("99999999999"), Some(Duration::from_secs(3600)));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_message_carries_the_event_as_it_was_received() {
        let message = Message::new("0199", 1_795_257_600_123, r#"{ "id":"0199","n":1.0 }"#);
        assert_eq!(message.id, "evt_0199");
        assert_eq!(
            message.body,
            r#"{"type":"mcp.message","timestamp":"2026-11-21T10:40:00.123Z","data":{ "id":"0199","n":1.0 }}"#
        );
    }
}
