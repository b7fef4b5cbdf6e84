//! What a provider says of its tokens (RFC 7662), and that it is told when one is not needed any more (RFC 7009).

use attache_protocol::{foreign::Raw, secret::Secret};
use serde_json::Value;

use super::{Error, Provider, exchange};
use crate::config::Client;

const WHAT: &str = "answer about a token";

impl Provider {
    /// What a token is worth now; nothing if it is not active.
    ///
    /// # Errors
    /// When the provider does not say.
    pub async fn introspect(&self, client: &Client, token: &str) -> Result<Option<Raw>, Error> {
        let metadata = self.metadata().await?;
        let Some(url) = &metadata.introspection_endpoint else {
            return Err(Error::unusable(WHAT, "it has no introspection_endpoint"));
        };
        let form = [("token", token), ("token_type_hint", "access_token")];
        let sent = exchange::send(&self.http, (&metadata, url), client, &form).await;
        let reply = sent.map_err(|error| Error::unanswered(WHAT, &error))?;
        if reply.status.as_u16() == 401 {
            return Err(Error::Client("401".to_owned()));
        }
        if reply.status.as_u16() != 200 {
            return Err(exchange::refused(&reply, WHAT));
        }
        let answer: Raw = serde_json::from_slice(&reply.body)
            .map_err(|_error| Error::unusable(WHAT, "it is not a JSON object"))?;
        match answer.get("active") {
            Some(Value::Bool(true)) => Ok(Some(answer)),
            Some(Value::Bool(false)) => Ok(None),
            _ => Err(Error::unusable(WHAT, "it does not say whether the token is active")),
        }
    }

    /// Says that a refresh token is not needed any more, where the provider wants to know.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn revoke(&self, client: &Client, token: &Secret) -> Result<(), Error> {
        const WHAT: &str = "answer to a revocation";
        let metadata = self.metadata().await?;
        let Some(url) = &metadata.revocation_endpoint else { return Ok(()) };
        let form = [("token", token.reveal().as_str()), ("token_type_hint", "refresh_token")];
        let sent = exchange::send(&self.http, (&metadata, url), client, &form).await;
        let reply = sent.map_err(|error| Error::unanswered(WHAT, &error))?;
        if reply.status.is_success() { Ok(()) } else { Err(exchange::refused(&reply, WHAT)) }
    }
}
