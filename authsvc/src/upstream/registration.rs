//! Becoming a client of a provider by its registration endpoint (RFC 7591), and ending it (RFC 7592).

use attache_protocol::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Error, Provider, callback, discovery, exchange};
use crate::{
    config::Client,
    outgoing::guarded::{Guarded, Reply},
};

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

#[derive(Deserialize)]
struct Failure {
    error_description: Option<String>,
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
            return Err(explained(&reply, order.initial_access_token));
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

/// Why it registers nobody. What was sent holds no secret but the token, so what it says to that may be repeated.
fn explained(reply: &Reply, token: Option<&Secret>) -> Error {
    let said: Option<Failure> = serde_json::from_slice(&reply.body).ok();
    let description = said
        .and_then(|said| said.error_description)
        .filter(|said| token.is_none_or(|token| !said.contains(token.reveal().as_str())))
        .and_then(|said| callback::shown(&said));
    match (exchange::refused(reply, WHAT), description) {
        (Error::Refused(code), Some(description)) => {
            Error::Refused(format!("{code}: {description}"))
        }
        (error, _) => error,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use attache_protocol::secret::Secret;
    use reqwest::StatusCode;

    use super::{Reply, explained};

    fn refused(body: &str) -> String {
        let reply = Reply {
            status: StatusCode::BAD_REQUEST,
            is_json: true,
            age: Duration::ZERO,
            body: body.as_bytes().to_vec(),
        };
        explained(&reply, Some(&Secret::new("the-token".to_owned()))).to_string()
    }

    #[test]
    fn why_nobody_is_registered_is_repeated_without_our_token() {
        let code = r#"{"error":"invalid_client_metadata""#;
        let why = refused(&format!(r#"{code},"error_description":"unknown scope\r\nmcp"}}"#));
        assert_eq!(why, "it refuses: invalid_client_metadata: unknown scopemcp");
        let long = format!(r#"{code},"error_description":"{}"}}"#, "x".repeat(1000));
        assert!(refused(&long).len() < 300, "{}", refused(&long));
        for silent in ["}", r#","error_description":7}"#, r#","error_description":"no the-token"}"#]
        {
            let why = refused(&format!("{code}{silent}"));
            assert_eq!(why, "it refuses: invalid_client_metadata", "{silent}");
        }
    }
}
