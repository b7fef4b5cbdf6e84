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
    config::Authorization,
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
    refresh_token: String,
    scope: String,
}

/// Signs an access token and answers with it and the refresh token of its family.
///
/// # Errors
/// When it cannot be signed.
pub async fn issue(
    app: &App,
    granted: &Granted,
    portion: Portion,
    family: Family,
) -> Result<Response, Refusal> {
    let Authorization::Embedded(embedded) = &app.config.authorization;
    let now = app.clock.now_unix();
    let life = embedded.access_token_ttl;
    let validity = Validity { issued_at: now, expires_at: after(now, life) };
    let claims = Claims {
        iss: app.config.public_url.as_str().to_owned(),
        sub: granted.sub.clone(),
        aud: Audience::of(portion.resources),
        client_id: Some(granted.client_id.clone()),
        scope: Some(portion.scope.clone()),
        jti: Some(app.random.id()),
        grant_id: Some(family.grant_id),
        email: Some(granted.email.clone()),
        groups: granted.groups.clone(),
    };
    let token = app.keys.ring().await?.sign(&claims, validity)?;
    tracing::info!(sub = claims.sub, client_id = granted.client_id, "tokens were issued");
    let answer = Answer {
        access_token: token.reveal().clone(),
        token_type: "Bearer",
        expires_in: life.as_secs(),
        refresh_token: family.refresh,
        scope: portion.scope,
    };
    Ok((NO_STORE, Json(answer)).into_response())
}

/// Unix seconds.
#[must_use]
pub fn after(now: i64, life: Duration) -> i64 {
    now.saturating_add(seconds(life))
}
