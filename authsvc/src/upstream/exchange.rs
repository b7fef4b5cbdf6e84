//! The token endpoint of a provider (RFC 6749 sections 4.1.3, 5 and 6).

use attache_protocol::secret::Secret;
use serde::Deserialize;
use url::Url;

use super::{Error, discovery::Metadata, plain};
use crate::{
    authorization::answer::encode,
    config::Client,
    outgoing::guarded::{Guarded, Reply, Unanswered},
};

const WHAT: &str = "answer to a token request";

/// A code, and what goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// `code`.
    pub code: &'a str,
    /// `code_verifier`.
    pub verifier: &'a Secret,
    /// `redirect_uri`, as in the authorization request.
    pub redirect_uri: &'a str,
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Access token.
    pub access: Secret,
    /// Refresh token.
    pub refresh: Option<Secret>,
    /// ID token.
    pub id: Option<Secret>,
    /// Life of the access token, seconds, where it says so.
    pub expires_in: Option<u64>,
    /// Scopes of the access token, where they are said: else those that were asked for.
    pub scope: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    token_type: String,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    #[serde(default)]
    expires_in: Seconds,
    scope: Option<String>,
}

/// A number, and from some providers a number in quotes.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
    #[default]
    Unsaid,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

impl<'a> Code<'a> {
    pub(super) fn form(&self) -> [(&'a str, &'a str); 4] {
        [
            ("grant_type", "authorization_code"),
            ("code", self.code),
            ("code_verifier", self.verifier.reveal().as_str()),
            ("redirect_uri", self.redirect_uri),
        ]
    }
}

/// Sends a token request as this client.
pub(super) async fn ask(
    http: &Guarded,
    metadata: &Metadata,
    client: &Client,
    form: &[(&str, &str)],
) -> Result<Tokens, Error> {
    let sent = send(http, (metadata, &metadata.token_endpoint), client, form).await;
    read(&sent.map_err(|error| Error::unanswered(WHAT, &error))?)
}

/// Sends a form to an endpoint at which clients show who they are as they do at the token endpoint.
pub(super) async fn send(
    http: &Guarded,
    (metadata, url): (&Metadata, &Url),
    client: &Client,
    form: &[(&str, &str)],
) -> Result<Reply, Unanswered> {
    let posts = |method: &str| metadata.token_endpoint_auth_methods.iter().any(|one| one == method);
    let id = ("client_id", client.id.as_str());
    match &client.secret {
        None => http.post(url, None, &[form, &[id]].concat()).await,
        Some(secret) if posts("client_secret_basic") || !posts("client_secret_post") => {
            // Both are form-encoded before they are joined (RFC 6749 section 2.3.1).
            let (user, password) =
                (encode(client.id.as_bytes()), encode(secret.reveal().as_bytes()));
            http.post(url, Some((&user, &password)), form).await
        }
        Some(secret) => {
            let secret = ("client_secret", secret.reveal().as_str());
            http.post(url, None, &[form, &[id, secret]].concat()).await
        }
    }
}

fn read(reply: &Reply) -> Result<Tokens, Error> {
    let status = reply.status;
    if status.as_u16() != 200 {
        return Err(failure(reply));
    }
    // What serde says of it could show a part of a token.
    let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_error| {
        Error::unusable(WHAT, "it is not JSON with access_token and token_type")
    })?;
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(Error::unusable(WHAT, "its token_type is not Bearer"));
    }
    let expires_in = match answer.expires_in {
        Seconds::Number(seconds) => Some(seconds),
        Seconds::Text(text) => text.parse().ok(),
        Seconds::Unsaid => None,
    };
    let Answer { access_token, refresh_token, id_token, scope, .. } = answer;
    Ok(Tokens { access: access_token, refresh: refresh_token, id: id_token, expires_in, scope })
}

/// What an error of such an endpoint means.
pub(super) fn refused(reply: &Reply, what: &'static str) -> Error {
    match failure(reply) {
        Error::Unreachable { reason, .. } => Error::Unreachable { what, reason },
        Error::Unusable { reason, .. } => Error::Unusable { what, reason },
        other @ (Error::Client(_) | Error::Grant(_) | Error::Refused(_) | Error::IdToken(_)) => {
            other
        }
    }
}

/// What an error means (RFC 6749 section 5.2); its description is not repeated, it may hold what we sent.
fn failure(reply: &Reply) -> Error {
    let said: Option<Failure> = serde_json::from_slice(&reply.body).ok();
    let code = said.map(|said| plain(&said.error));
    match (code, reply.status) {
        (_, status) if reply.is_passing() => {
            Error::Unreachable { what: WHAT, reason: format!("it answers {status}") }
        }
        (Some(code), _) if matches!(code.as_str(), "invalid_client" | "unauthorized_client") => {
            Error::Client(code)
        }
        (Some(code), _) if code == "invalid_grant" => Error::Grant(code),
        (Some(code), _) => Error::Refused(code),
        (None, status) => Error::unusable(WHAT, format!("it answers {status}")),
    }
}
