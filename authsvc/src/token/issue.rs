//! What was granted becomes an access token (RFC 9068) and the answer that carries it (RFC 6749 section 5.1).

use std::time::Duration;

use attache_protocol::claims::{Audience, Claims};
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::{
    clock::seconds,
    config::MachineClient,
    keys::Validity,
    refusal::{NO_STORE, Refusal},
    state::App,
    store::codes::Granted,
};

/// How much of the grant this access token carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Portion {
    /// `aud`.
    pub resources: Vec<String>,
    /// `scope`.
    pub scope: String,
}

/// The grant that tokens are issued from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Family {
    /// Identity.
    pub grant_id: String,
    /// Its newest refresh token.
    pub refresh: String,
}

/// RFC 6749 section 5.1. `Bearer` with a capital letter: some clients send it back as they got it.
#[derive(Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

/// Signs an access token for what a user granted, and answers with it and the refresh token of its family.
///
/// # Errors
/// When it cannot be signed.
pub async fn issue(
    app: &App,
    granted: &Granted,
    portion: Portion,
    family: Family,
) -> Result<Response, Refusal> {
    let claims = Claims {
        grant_id: Some(family.grant_id),
        email: granted.email.clone(),
        groups: granted.groups.clone(),
        ..claims(app, &granted.sub, &granted.client_id, &portion)
    };
    answer(app, &claims, portion.scope, Some(family.refresh)).await
}

/// Signs an access token for a program that acts for itself, and answers with it alone: it can ask again whenever
/// it likes (RFC 6749 section 4.4.3).
///
/// # Errors
/// When it cannot be signed.
pub async fn issue_to_machine(
    app: &App,
    client: &MachineClient,
    portion: Portion,
) -> Result<Response, Refusal> {
    let claims =
        Claims { groups: client.groups.clone(), ..claims(app, &client.id, &client.id, &portion) };
    answer(app, &claims, portion.scope, None).await
}

/// What every token of ours says.
fn claims(app: &App, sub: &str, client_id: &str, portion: &Portion) -> Claims {
    Claims {
        iss: app.config.public_url.as_str().to_owned(),
        sub: sub.to_owned(),
        aud: Audience::of(portion.resources.clone()),
        client_id: Some(client_id.to_owned()),
        scope: Some(portion.scope.clone()),
        jti: Some(app.random.id()),
        grant_id: None,
        email: None,
        groups: Vec::new(),
    }
}

async fn answer(
    app: &App,
    claims: &Claims,
    scope: String,
    refresh_token: Option<String>,
) -> Result<Response, Refusal> {
    let keys = app.keys().ok_or(Refusal::Internal)?;
    let now = app.clock.now_unix();
    let life = keys.token_life();
    let validity = Validity { issued_at: now, expires_at: now.saturating_add(life) };
    let token = keys.ring().await?.sign(claims, validity)?;
    tracing::info!(sub = claims.sub, client_id = claims.client_id, "tokens were issued");
    let answer = Answer {
        access_token: token.reveal().clone(),
        token_type: "Bearer",
        expires_in: life.unsigned_abs(),
        refresh_token,
        scope,
    };
    Ok((NO_STORE, Json(answer)).into_response())
}

/// Unix seconds.
#[must_use]
pub fn after(now: i64, life: Duration) -> i64 {
    now.saturating_add(seconds(life))
}
