//! One bounded request to a URL of the configuration.

use std::time::Duration;

use attache_protocol::secret::Secret;
use reqwest::{Client, Method, StatusCode, header};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::outgoing;

/// From the first packet to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most of a document that is read, bytes.
const MOST: usize = 256 * 1024;

/// What came back.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) status: StatusCode,
    /// The `Date` header.
    pub(super) date: Option<OffsetDateTime>,
    pub(super) body: Vec<u8>,
}

/// A request for a document.
pub(super) async fn get(url: &str) -> Result<Fetched, String> {
    ask(url, None).await
}

/// A request of somebody who has this secret.
pub(super) async fn get_with(url: &str, secret: &Secret) -> Result<Fetched, String> {
    ask(url, Some(secret)).await
}

async fn ask(url: &str, secret: Option<&Secret>) -> Result<Fetched, String> {
    let scheme = url.split(':').next().unwrap_or_default();
    let client = client(outgoing::builder(scheme))?;
    let mut request = client.request(Method::GET, url).header(header::ACCEPT, "application/json");
    if let Some(secret) = secret {
        request = request.bearer_auth(secret.reveal());
    }
    let mut response = request.send().await.map_err(outgoing::explain)?;
    let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
    let date = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(outgoing::explain)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err(format!("the answer is larger than {} KiB", MOST / 1024));
        }
    }
    Ok(Fetched { status, date, body })
}

/// A client with our patience.
pub(super) fn client(builder: reqwest::ClientBuilder) -> Result<Client, String> {
    builder.timeout(TIMEOUT).build().map_err(outgoing::explain)
}
