//! `POST /oauth/revoke`: a client gives back what it was granted (RFC 7009).
//!
//! Any token of a grant ends the whole grant: a client that logs out means all of it, and what one token ended
//! could otherwise be renewed with the other. From then on no refresh token of it works and introspection says
//! that none of its tokens is active; but an access token is a JWT that the filter checks by itself, and lives
//! until its `exp`, one `access_token_ttl` at most.

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};

use super::{MAX_TOKEN, client, read};
use crate::{
    address::ClientAddress,
    audit,
    refusal::{NO_STORE, Refusal},
    state::App,
    store::{self, audit::Action, endings::Grant},
};

/// Answers a revocation request. `token_type_hint` is not needed: our kinds of token tell themselves apart.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn revoke(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let form = read(&uri, &headers, body)?;
    let caller = client::authenticate(&app, address, &headers, &form).await?;
    let token = form.required("token", MAX_TOKEN)?;
    // What is not known needs no revocation (section 2.2).
    let Some(grant) = grant_of(&app, token, caller.id()).await? else { return Ok(done()) };
    if grant.granted.client_id != caller.id() {
        return Err(Refusal::InvalidGrant("the token was issued to another client"));
    }
    let by = audit::client(&app, caller.id(), None, address);
    let entry =
        by.does(Action::EndGrant, grant.id.clone()).with("user", grant.granted.sub.as_str());
    if app.store.end_grant(&grant.id, entry).await? {
        tracing::info!(client_id = caller.id(), sub = grant.granted.sub, "a client ended a grant");
        app.note_ending();
    }
    Ok(done())
}

/// What a token belongs to, whatever kind of token it is; of several, what this client was granted.
async fn grant_of(app: &App, token: &str, client_id: &str) -> Result<Option<Grant>, Refusal> {
    if let Some(grant) = app.store.grant_of_refresh(&store::digest(token)).await? {
        return Ok(Some(grant));
    }
    let Some(keys) = app.keys() else {
        let mut grants = app.store.grants_of_access(&store::digest(token)).await?;
        let theirs = grants.iter().position(|grant| grant.granted.client_id == client_id);
        return Ok((!grants.is_empty()).then(|| grants.swap_remove(theirs.unwrap_or(0))));
    };
    let Some(verified) = keys.ring().await?.verify(token) else { return Ok(None) };
    // Ours, and still nothing that could be ended.
    let id = verified.claims.grant_id.ok_or(Refusal::UnsupportedTokenType)?;
    Ok(app.store.grant(&id).await?)
}

/// The client reads the status alone.
fn done() -> Response {
    (StatusCode::OK, NO_STORE).into_response()
}
