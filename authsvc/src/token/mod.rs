//! `POST /oauth/token`: a code, a refresh token, or being a program of the configuration, becomes an access token
//! (RFC 6749 sections 4.1.3, 6 and 4.4).
//!
//! In the order of the flow: the form is read here, [`client`] says who asks, [`code`], [`refresh`] or [`machine`]
//! whether what they bring is good, [`issue`] signs. [`revoke`] is the way back: `POST /oauth/revoke`. What is decided is pure;
//! the store carries it out in one transaction.

pub mod assertion;
pub mod client;
pub mod code;
pub mod issue;
pub mod machine;
pub mod pkce;
pub mod refresh;
pub mod revoke;

use std::net::IpAddr;

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri, header},
    response::Response,
};

use self::client::Caller;
use crate::{
    address::ClientAddress,
    authorization::{
        parameters::Parameters,
        resource::{self, InvalidTarget},
    },
    config::Config,
    metrics::GrantType,
    refusal::Refusal,
    state::App,
};

/// Limit of codes, tokens, secrets and verifiers, bytes; ours are 43.
const MAX_SECRET: usize = 512;
/// Limit of every other parameter, bytes.
const MAX_VALUE: usize = 2048;
/// Who granted this may not log in any more, or with another password only.
const GONE: &str = "the user is gone, or has another password";
/// Limit of a token of any kind, bytes: a JWT names all its resources.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;

/// Answers a token request.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn token(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let form = read(&uri, &headers, body);
    let asked = form.as_ref().ok().and_then(|form| form.text("grant_type", MAX_VALUE).ok()?);
    let grant = asked.map_or(GrantType::Other, GrantType::of);
    let answer = match form {
        Ok(form) => exchange(&app, address, grant, &headers, &form).await,
        Err(refusal) => Err(refusal),
    };
    app.metrics.granted(grant, answer.as_ref().err().map(Refusal::code));
    answer
}

async fn exchange(
    app: &App,
    address: IpAddr,
    grant: GrantType,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Response, Refusal> {
    let caller = client::authenticate(app, address, headers, form).await?;
    form.required("grant_type", MAX_VALUE)?;
    match (grant, &caller) {
        (GrantType::Code, Caller::Registered(client)) => code::redeem(app, &client.id, form).await,
        (GrantType::Refresh, Caller::Registered(client)) => {
            refresh::rotate(app, &client.id, form).await
        }
        (GrantType::Credentials, Caller::Machine(client)) => {
            machine::answer(app, client, form).await
        }
        (GrantType::Code | GrantType::Refresh, Caller::Machine(_)) => {
            let text = "this client acts for itself, it may use client_credentials only";
            Err(Refusal::UnauthorizedClient(text))
        }
        (GrantType::Credentials, Caller::Registered(_)) if machine::is_offered(&app.config) => {
            let text = "only a client of the configuration may use client_credentials";
            Err(Refusal::UnauthorizedClient(text))
        }
        (GrantType::Credentials, Caller::Registered(_)) | (GrantType::Other, _) => {
            Err(Refusal::UnsupportedGrantType)
        }
    }
}

/// A form, and nothing in the query: what is in a URL ends in logs (RFC 9700 section 4.3).
pub(crate) fn read(
    uri: &Uri,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Parameters, Refusal> {
    if uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Refusal::invalid_request("parameters belong in the body, not in the query"));
    }
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = text.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = "the body must be application/x-www-form-urlencoded";
        return Err(Refusal::invalid_request(text));
    }
    body.map_or_else(
        |rejection| Err(refuse_body(&rejection)),
        |bytes| Ok(Parameters::parse(&bytes)),
    )
}

/// Why a body was not read.
pub(crate) fn refuse_body(rejection: &BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::invalid_request("the body cannot be read"),
    }
}

/// The resources that the access token is for: those asked for, all of which must have been granted, or else all
/// that were (RFC 8707 section 2.2).
fn audience(config: &Config, granted: &[String], asked: &[String]) -> Result<Vec<String>, Refusal> {
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    let servers = resource::resolve(config, asked)
        .map_err(|invalid: InvalidTarget| Refusal::InvalidTarget(invalid.to_string()))?;
    let uris: Vec<String> = servers.iter().map(|server| resource::uri(config, server)).collect();
    if uris.iter().all(|uri| granted.contains(uri)) {
        Ok(uris)
    } else {
        Err(Refusal::InvalidTarget("resource was not granted".to_owned()))
    }
}

#[cfg(test)]
mod tests;
