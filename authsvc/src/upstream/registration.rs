//! Becoming a client of a provider by its registration endpoint (RFC 7591), and ending it (RFC 7592).

use attache_protocol::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Error, Provider, discovery, exchange};
use crate::{config::Client, outgoing::guarded::Guarded};

const WHAT: &str = "answer to a registration";

/// What is registered.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What the provider shows of it, perhaps.
    pub name: &'a str,
    /// Where it sends browsers back.
    pub redirect_uri: &'a str,
    /// Scopes that will be asked for, separated by spaces.
    pub scope: &'a str,
    /// What opens the endpoint.
    pub initial_access_token: Option<&'a Secret>,
}

/// A client that was just registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// When its secret is over, Unix seconds.
    pub expires_at: Option<i64>,
    /// How to end it.
    pub management: Option<Management>,
}

/// How a registration is managed (RFC 7592).
#[derive(Clone, Debug)]
pub struct Management {
    /// `registration_client_uri`.
    pub uri: Url,
    /// `registration_access_token`.
    pub token: Secret,
}

#[derive(Deserialize)]
struct Answer {
    client_id: String,
    client_secret: Option<Secret>,
    client_secret_expires_at: Option<i64>,
    token_endpoint_auth_method: Option<String>,
    registration_access_token: Option<Secret>,
    registration_client_uri: Option<String>,
}

impl Provider {
    /// Registers a client.
    ///
    /// # Errors
    /// When the provider registers none.
    pub async fn register(&self, order: Order<'_>) -> Result<Registered, Error> {
        let metadata = self.metadata().await?;
        let Some(url) = &metadata.registration_endpoint else {
            return Err(Error::unusable(WHAT, "it has no registration_endpoint"));
        };
        let offers =
            |method: &str| metadata.token_endpoint_auth_methods.iter().any(|one| one == method);
        let basic = offers("client_secret_basic") || !offers("client_secret_post");
        let method = if basic { "client_secret_basic" } else { "client_secret_post" };
        let body = json!({
            "client_name": order.name,
            "redirect_uris": [order.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
            "scope": order.scope,
        });
        let sent = self.http.post_json(url, order.initial_access_token, &body).await;
        let reply = sent.map_err(|error| Error::unanswered(WHAT, &error))?;
        if !matches!(reply.status.as_u16(), 200 | 201) {
            return Err(exchange::refused(&reply, WHAT));
        }
        // What serde says of it could show a part of a secret.
        let answer: Answer = serde_json::from_slice(&reply.body)
            .map_err(|_error| Error::unusable(WHAT, "it is not JSON with client_id"))?;
        answer.read(&self.http)
    }

    /// Ends a registration; one that is gone is ended.
    ///
    /// # Errors
    /// When the provider does not listen.
    pub async fn unregister(&self, management: &Management) -> Result<(), Error> {
        const WHAT: &str = "answer to the end of a registration";
        let sent = self.http.delete(&management.uri, &management.token).await;
        let reply = sent.map_err(|error| Error::unanswered(WHAT, &error))?;
        match reply.status.as_u16() {
            200 | 204 | 401 | 404 | 410 => Ok(()),
            _ => Err(exchange::refused(&reply, WHAT)),
        }
    }
}

impl Answer {
    fn read(self, http: &Guarded) -> Result<Registered, Error> {
        let public = self.token_endpoint_auth_method.as_deref() == Some("none");
        let secret = self.client_secret.filter(|_secret| !public);
        if secret.is_none() && !public {
            return Err(Error::unusable(WHAT, "it has no client_secret"));
        }
        let uri = discovery::url(
            "registration_client_uri",
            self.registration_client_uri,
            http.targets(),
        )?;
        let management = uri.zip(self.registration_access_token);
        Ok(Registered {
            client: Client { id: self.client_id, secret },
            expires_at: self.client_secret_expires_at.filter(|at| *at > 0),
            management: management.map(|(uri, token)| Management { uri, token }),
        })
    }
}
