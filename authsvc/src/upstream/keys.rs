//! The keys of a provider (RFC 7517).

use std::time::Duration;

use attache_protocol::jwk::KeySet;
use url::Url;

use super::{Error, expect_json};
use crate::outgoing::guarded::Guarded;

const WHAT: &str = "key set";

/// A key set, as it came and as it is used.
#[derive(Debug)]
pub struct Keys {
    /// JSON.
    pub text: Vec<u8>,
    /// The keys in it that can be used.
    pub set: KeySet,
}

/// Fetches it.
///
/// # Errors
/// When there is none, or no key in it can be used.
pub async fn fetch(http: &Guarded, url: &Url) -> Result<(Keys, Duration), Error> {
    let reply = http.get(url, None).await.map_err(|error| Error::unanswered(WHAT, &error))?;
    let reply = expect_json(reply, WHAT)?;
    let set = KeySet::parse(&reply.body)
        .map_err(|rejected| Error::unusable(WHAT, rejected.to_string()))?;
    Ok((Keys { text: reply.body, set }, reply.age))
}
