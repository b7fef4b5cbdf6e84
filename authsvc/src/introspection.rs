//! `POST /internal/introspect`: what a token is worth now (RFC 7662), for the filter and the operator's tools; the
//! shared secret opens it. A signature says that a token was good when it was issued; this says whether its grant
//! still stands.

use attache_protocol::{
    claims::{Audience, Claims},
    personal_token::{self, Form},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, Uri},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    broker::{
        Broker,
        access::{Accepted, Unaccepted},
    },
    cimd,
    keys::Verified,
    personal_token::introspect as personal_token_of,
    refusal::{NO_STORE, Refusal},
    state::App,
    store::{self, endings::Grant, grants::Presented},
    token::{self, MAX_TOKEN, machine, refresh::Worth},
    users,
};

/// Limit of `resource`, bytes.
const MAX_RESOURCE: usize = 2048;

/// RFC 7662 section 2.2, of a token that is good; of any other nothing is said but that it is not.
#[derive(Debug, Serialize)]
pub struct Active {
    /// Always `true`.
    pub active: bool,
    /// Scopes, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whom it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// E-mail address of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Of what opens a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// Unix seconds.
    pub exp: i64,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Subject.
    pub sub: String,
    /// Resources.
    pub aud: Audience,
    /// Issuer.
    pub iss: String,
    /// Identity of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Groups of the subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Active {
    /// What it is worth at this resource, byte for byte as in `aud`; nothing if it is not for it.
    fn at(self, resource: &str) -> Option<Self> {
        let aud = Audience::One(resource.to_owned());
        self.aud.contains(resource).then_some(Self { aud, ..self })
    }
}

/// Answers an introspection request. `token_type_hint` is not needed; `resource`, our own parameter, says where the
/// token was presented: then the answer is for there and says of no other place whether it would open it.
///
/// # Errors
/// The [`Refusal`] of a request that is none, or when the database fails.
pub async fn introspect(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let form = token::read(&uri, &headers, body)?;
    let token = form.required("token", MAX_TOKEN)?;
    let resource = form.text("resource", MAX_RESOURCE)?;
    let found = match personal_token::form(token) {
        Form::Whole => personal_token_of(&app, token).await?,
        Form::Broken => None,
        Form::Other => match refresh(&app, token).await? {
            Some(active) => Some(active),
            None => match app.broker() {
                Some(broker) => brokered(&app, broker, token, resource).await?,
                None => access(&app, token).await?,
            },
        },
    };
    let found = match resource {
        Some(resource) => found.and_then(|active| active.at(resource)),
        None => found,
    };
    let answer = found.map_or_else(
        || Json(json!({ "active": false })).into_response(),
        |active| Json(active).into_response(),
    );
    Ok((NO_STORE, answer).into_response())
}

/// A refresh token is good if it would be rotated now.
async fn refresh(app: &App, token: &str) -> Result<Option<Active>, Refusal> {
    let now_ms = app.clock.now_ms();
    let presented = app.store.as_if_presented(&store::digest(token), now_ms).await?;
    let Some(presented) = presented else { return Ok(None) };
    let client_id = &presented.granted.client_id;
    let worth = token::refresh::judge(
        &presented,
        client_id,
        now_ms,
        app.config.authorization.refresh.grace,
    );
    if worth != Worth::Good || !cimd::is_trusted(app, client_id) {
        return Ok(None);
    }
    if app.users().still(&presented.granted, now_ms.div_euclid(1000)).await?.is_none() {
        return Ok(None);
    }
    let Presented { granted, expires_at, family_expires_at, .. } = presented;
    Ok(Some(Active {
        active: true,
        scope: Some(granted.scope),
        client_id: Some(granted.client_id),
        username: granted.email,
        token_type: None,
        exp: expires_at.min(family_expires_at),
        iat: None,
        sub: granted.sub,
        aud: Audience::of(granted.resources),
        iss: app.config.public_url.as_str().to_owned(),
        jti: None,
        groups: granted.groups,
    }))
}

/// An access token is good if one of our keys signed it, it has not expired, and its grant stands.
async fn access(app: &App, token: &str) -> Result<Option<Active>, Refusal> {
    let Some(keys) = app.keys() else { return Ok(None) };
    let Some(Verified { claims, validity }) = keys.ring().await?.verify(token) else {
        return Ok(None);
    };
    let alive = app.clock.now_unix() < validity.expires_at
        && claims.iss == app.config.public_url.as_str()
        && claims.client_id.as_deref().is_none_or(|id| cimd::is_trusted(app, id));
    Ok((alive && stands(app, &claims).await?).then_some(Active {
        active: true,
        scope: claims.scope,
        client_id: claims.client_id,
        username: claims.email,
        token_type: Some("Bearer"),
        exp: validity.expires_at,
        iat: Some(validity.issued_at),
        sub: claims.sub,
        aud: claims.aud,
        iss: claims.iss,
        jti: claims.jti,
        groups: claims.groups,
    }))
}

/// A token of the provider is good if the filter would take it, and nothing that we know of has ended it.
async fn brokered(
    app: &App,
    broker: &Broker,
    token: &str,
    resource: Option<&str>,
) -> Result<Option<Active>, Refusal> {
    let resources: Vec<String> = resource.map(str::to_owned).into_iter().collect();
    let Accepted { claims, expires_at, issued_at } =
        match broker.examine(app, token, &resources).await {
            Ok(accepted) => accepted,
            Err(Unaccepted::Provider(error)) => return Err(error.into()),
            Err(Unaccepted::Store(error)) => return Err(error.into()),
            Err(reason) => {
                tracing::info!(%reason, "a token of the identity provider is not good here");
                return Ok(None);
            }
        };
    let grants = app.store.grants_of_access(&store::digest(token)).await?;
    // Not every provider says what a token is for; what was agreed to is known here.
    let stands = |grant: &Grant| {
        grant.ended_at.is_none()
            && resources.iter().all(|resource| grant.granted.resources.contains(resource))
    };
    let account = app.store.account(&users::sub_of(&app.config, &claims.iss, &claims.sub)).await?;
    if !(grants.is_empty() || grants.iter().any(stands))
        || account.is_some_and(|account| account.disabled_at.is_some())
    {
        return Ok(None);
    }
    Ok(Some(Active {
        active: true,
        scope: claims.scope,
        client_id: claims.client_id,
        username: claims.email,
        token_type: Some("Bearer"),
        exp: expires_at,
        iat: issued_at,
        sub: claims.sub,
        aud: resource.map_or(claims.aud, |resource| Audience::One(resource.to_owned())),
        iss: claims.iss,
        jti: claims.jti,
        groups: claims.groups,
    }))
}

/// Whether what a token was issued from has not ended.
async fn stands(app: &App, claims: &Claims) -> Result<bool, Refusal> {
    if claims.client_id.as_ref() == Some(&claims.sub) {
        return Ok(machine::is_known(&app.config, &claims.sub));
    }
    let Some(id) = &claims.grant_id else {
        // Issued before tokens named their grant.
        return Ok(app.users().by_sub(&claims.sub).await?.is_some());
    };
    let grant = app.store.grant(id).await?.filter(|grant| grant.ended_at.is_none());
    let Some(grant) = grant else { return Ok(false) };
    Ok(app.users().still(&grant.granted, app.clock.now_unix()).await?.is_some())
}
