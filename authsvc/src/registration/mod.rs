//! `POST /oauth/register`: a client says what it is and gets an id (RFC 7591). Anyone may, or whoever has the
//! initial access token, where there is one; the id alone opens nothing, and a public client that registers the same again gets the same id.
//!
//! A client with a secret is one program's own, and gets a token to manage its registration with ([`management`],
//! RFC 7592). A public client is whoever registered the same: if one could change or remove it, anyone could do
//! that to all the others. So it gets none; what nobody uses is forgotten.

pub mod management;

use std::net::IpAddr;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::{
    address::ClientAddress,
    config::Config,
    discovery,
    metrics::Throttled,
    redirect,
    refusal::{NO_STORE, Refusal},
    state::App,
    store::{
        self,
        clients::{AuthMethod, Client, Identity},
    },
    token::refuse_body,
};

/// Where clients register.
const PATH: &str = "/oauth/register";
/// Redirect URIs of one client.
const MAX_REDIRECT_URIS: usize = 10;
/// Longest name that is kept, characters.
const MAX_NAME: usize = 100;
/// Longest other text, bytes.
const MAX_TEXT: usize = 2048;

/// What a client may say of itself (RFC 7591 section 2, OpenID Connect Registration section 2). Members that are
/// not here are ignored.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    scope: Option<String>,
    application_type: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    software_id: Option<String>,
    software_version: Option<String>,
    contacts: Option<Vec<String>>,
}

/// Metadata after every check: only [`Metadata::verify`] makes one.
#[derive(Debug, Serialize)]
struct Verified {
    redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    token_endpoint_auth_method: &'static str,
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(flatten)]
    claims: Claims,
    #[serde(skip)]
    auth_method: AuthMethod,
}

/// Told back, and neither kept nor believed.
#[derive(Debug, Serialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<String>>,
}

/// RFC 7591 section 3.2.1.
#[derive(Serialize)]
struct Registered {
    client_id: String,
    client_id_issued_at: i64,
    #[serde(flatten)]
    secret: Option<IssuedSecret>,
    #[serde(flatten)]
    management: Option<Management>,
    #[serde(flatten)]
    metadata: Verified,
}

#[derive(Serialize)]
struct IssuedSecret {
    client_secret: String,
    /// 0: it does not expire; required beside a secret.
    client_secret_expires_at: i64,
}

/// RFC 7592 section 3.
#[derive(Serialize)]
struct Management {
    registration_access_token: String,
    registration_client_uri: String,
}

/// Answers a registration.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn register(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let answer = admit(&app, address, &headers, body).await;
    app.metrics.registered(answer.as_ref().err().map(Refusal::code));
    answer
}

/// Counts one more registration, or change of one.
fn count(app: &App, address: IpAddr) -> Result<(), Refusal> {
    app.registrations.admit(address).map_err(|retry_after| {
        app.metrics.throttled(Throttled::Registration);
        Refusal::TooMany { retry_after }
    })
}

async fn admit(
    app: &App,
    address: IpAddr,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    count(app, address)?;
    if let Some(wanted) = &app.config.authorization.clients.initial_access_token {
        let shown = management::bearer_of(headers)?;
        if !bool::from(store::digest(shown).ct_eq(&store::digest(wanted.reveal()))) {
            return Err(Refusal::InvalidToken);
        }
    }
    let body = body.map_err(|rejection| refuse_body(&rejection))?;
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|error| describe(&error))?;
    let metadata = metadata.verify(&app.config, AuthMethod::None)?;

    let draw = || match metadata.auth_method {
        AuthMethod::None | AuthMethod::Assertion => None,
        AuthMethod::Basic | AuthMethod::Post => Some(app.random.token()),
    };
    let (secret, management) = (draw(), draw());
    let new = Client {
        id: app.random.id(),
        name: metadata.client_name.clone(),
        redirect_uris: metadata.redirect_uris.clone(),
        auth_method: metadata.auth_method,
        secret: secret.as_deref().map(store::digest),
        management: management.as_deref().map(store::digest),
        created_at: app.clock.now_unix(),
    };
    let client = app.store.register_client(&new, identity(&new)).await?;
    tracing::info!(client_id = client.id, name = client.name, "a client is registered");
    let answer = Registered {
        management: management.map(|token| Management::of(&app.config, &client.id, token)),
        client_id: client.id,
        client_id_issued_at: client.created_at,
        secret: secret
            .map(|client_secret| IssuedSecret { client_secret, client_secret_expires_at: 0 }),
        metadata,
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(answer)).into_response())
}

impl Management {
    fn of(config: &Config, client_id: &str, token: String) -> Self {
        Self {
            registration_access_token: token,
            registration_client_uri: config.public_url.url(&format!("{PATH}/{client_id}")),
        }
    }
}

impl Metadata {
    /// `default`: how a client authenticates that asks for nothing that is offered.
    fn verify(self, config: &Config, default: AuthMethod) -> Result<Verified, Refusal> {
        let redirect_uris = redirect_uris(config, self.redirect_uris.unwrap_or_default())?;
        // What is not offered is replaced rather than refused (RFC 7591 section 3.2.1).
        let method = self.token_endpoint_auth_method.as_deref();
        let auth_method = method
            .and_then(AuthMethod::parse)
            .filter(|method| *method != AuthMethod::Assertion)
            .unwrap_or(default);
        let claims = Claims {
            application_type: self
                .application_type
                .filter(|kind| matches!(kind.as_str(), "native" | "web")),
            client_uri: self.client_uri.and_then(|uri| web(&uri)),
            logo_uri: self.logo_uri.and_then(|uri| web(&uri)),
            tos_uri: self.tos_uri.and_then(|uri| web(&uri)),
            policy_uri: self.policy_uri.and_then(|uri| web(&uri)),
            software_id: self.software_id.and_then(|text| clean(&text)),
            software_version: self.software_version.and_then(|text| clean(&text)),
            contacts: self.contacts.map(|all| {
                all.iter().take(MAX_REDIRECT_URIS).filter_map(|text| clean(text)).collect()
            }),
        };
        Ok(Verified {
            redirect_uris,
            client_name: self.client_name.and_then(|name| clean(&name)),
            token_endpoint_auth_method: auth_method.as_str(),
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            scope: self.scope.and_then(|scope| narrow(config, &scope)),
            claims,
            auth_method,
        })
    }
}

/// One URI that we cannot take makes the whole registration useless to the client: it is told so.
fn redirect_uris(config: &Config, uris: Vec<String>) -> Result<Vec<String>, Refusal> {
    if uris.is_empty() || uris.len() > MAX_REDIRECT_URIS {
        let text = format!("redirect_uris must have 1 to {MAX_REDIRECT_URIS} URIs");
        return Err(Refusal::InvalidClientMetadata(text));
    }
    uris.iter().try_for_each(|uri| {
        redirect::check(uri, &config.authorization.clients.private_redirect_uris)
    })?;
    Ok(uris)
}

/// A text that a user may see: without what is invisible or reorders its neighbours, and not too long.
pub(crate) fn clean(text: &str) -> Option<String> {
    let visible: String = text.chars().filter(|&one| !is_invisible(one)).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(MAX_NAME).collect();
    (!short.is_empty()).then_some(short)
}

/// Controls, bidirectional controls, zero-width and other format characters, tags, noncharacters.
fn is_invisible(one: char) -> bool {
    (one.is_control() && !one.is_whitespace())
        || matches!(one,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// An address of the web, for people; anything else is left out.
fn web(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok().filter(|_| uri.len() <= MAX_TEXT)?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| uri.to_owned())
}

/// The scopes that there are; a request may ask for others later, so nothing depends on it.
fn narrow(config: &Config, scope: &str) -> Option<String> {
    let known = discovery::scopes(config);
    let kept: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|one| scope.split(' ').any(|asked| asked == *one))
        .collect();
    (!kept.is_empty()).then(|| kept.join(" "))
}

/// Public clients that register the same are the same: some vendors register at every connection.
fn identity(new: &Client) -> Identity {
    match new.auth_method {
        AuthMethod::None | AuthMethod::Assertion => {
            let text = serde_json::json!([new.name, new.redirect_uris]).to_string();
            Identity::Shared(Sha256::digest(text).into())
        }
        AuthMethod::Basic | AuthMethod::Post => Identity::Own,
    }
}

/// Says where it is wrong, not what is there.
fn describe(error: &serde_json::Error) -> Refusal {
    let place = format!("at line {} column {}", error.line(), error.column());
    let text = match error.classify() {
        serde_json::error::Category::Data => "a member is repeated or of the wrong type",
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => "the body is not JSON",
    };
    Refusal::InvalidClientMetadata(format!("{text} {place}"))
}

#[cfg(test)]
mod tests;
