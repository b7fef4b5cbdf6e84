//! `/oauth/register/{client_id}`: a client reads, replaces or removes what it registered (RFC 7592), with the token
//! that came with its registration. A new token comes with every change, and the one before is dead.

use attache_protocol::{
    bearer::{self, Authorization},
    secret::Secret,
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::IgnoredAny};
use subtle::ConstantTimeEq as _;

use super::{Management, Metadata, PATH, Registered, Verified, describe};
use crate::{
    address::ClientAddress,
    audit,
    refusal::{NO_STORE, Refusal},
    state::App,
    store::{
        self,
        audit::Action,
        clients::{AuthMethod, Client},
    },
    token::refuse_body,
};

/// A client that has shown its token.
struct Managed {
    client: Client,
    /// The token, and what it is kept as.
    token: Secret,
    digest: Vec<u8>,
}

/// What a replacement says beside metadata (section 2.2): whom it is for, and what only we may say.
#[derive(Deserialize)]
struct Replacement {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    client_secret_expires_at: Option<IgnoredAny>,
    client_id_issued_at: Option<IgnoredAny>,
    registration_access_token: Option<IgnoredAny>,
    registration_client_uri: Option<IgnoredAny>,
}

/// `GET`.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn read(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Managed { client, token, .. } = authenticate(&app, &uri, &headers).await?;
    let metadata = Metadata {
        redirect_uris: Some(client.redirect_uris.clone()),
        client_name: client.name.clone(),
        token_endpoint_auth_method: Some(client.auth_method.as_str().to_owned()),
        ..Metadata::default()
    };
    let metadata = metadata.verify(&app.config, client.auth_method)?;
    Ok(answer(&app, &client, token.reveal().clone(), metadata))
}

/// `PUT`: all of the metadata anew; what is left out is gone, but for the secret, which stays.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn update(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Managed { client, digest, .. } = authenticate(&app, &uri, &headers).await?;
    super::count(&app, address)?;
    let body = body.map_err(|rejection| refuse_body(&rejection))?;
    let replacement: Replacement =
        serde_json::from_slice(&body).map_err(|error| describe(&error))?;
    replacement.check(&client)?;
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|error| describe(&error))?;
    let metadata = metadata.verify(&app.config, client.auth_method)?;
    if metadata.auth_method == AuthMethod::None {
        return Err(invalid("a client with a secret cannot become public: register anew"));
    }
    let token = app.random.token();
    let client = Client {
        name: metadata.client_name.clone(),
        redirect_uris: metadata.redirect_uris.clone(),
        auth_method: metadata.auth_method,
        management: Some(store::digest(&token)),
        ..client
    };
    let by = audit::client(&app, &client.id, client.name.as_deref(), address);
    let entry = by
        .does(Action::ChangeClient, client.id.clone())
        .called(client.name.clone())
        .with("redirect_uris", client.redirect_uris.clone());
    // Somebody else may have come with the same token in the meantime.
    if !app.store.update_client(&client, &digest, entry).await? {
        return Err(Refusal::InvalidToken);
    }
    tracing::info!(client_id = client.id, name = client.name, "a client changed its registration");
    Ok(answer(&app, &client, token, metadata))
}

/// `DELETE`: the client is gone, and everything that it was granted has ended.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn remove(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Managed { client, .. } = authenticate(&app, &uri, &headers).await?;
    let by = audit::client(&app, &client.id, client.name.as_deref(), address);
    let entry = by.does(Action::RemoveClient, client.id.clone());
    app.store.remove_client(&client.id, entry).await?;
    app.note_ending();
    tracing::info!(client_id = client.id, "a client removed its registration");
    Ok((StatusCode::NO_CONTENT, NO_STORE).into_response())
}

/// The one token that a request shows (RFC 6750 section 2.1).
pub(super) fn bearer_of(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Refusal::NoToken) };
    match bearer::parse(line.as_bytes()) {
        Authorization::Bearer(token) => Ok(token),
        Authorization::Foreign | Authorization::Malformed => Err(Refusal::NoToken),
    }
}

/// The client of the path, if the token is its own. Whether there is no such client, one without a token, or
/// another token: the answer is the same, and takes the same time.
async fn authenticate(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Managed, Refusal> {
    let token = bearer_of(headers)?;
    let digest = store::digest(token);
    let id = uri.path().strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/'));
    let client = app.client(id.unwrap_or_default()).await?;
    let kept = client.as_ref().and_then(|client| client.management.as_deref());
    let same = kept.unwrap_or(&[0; 32]).ct_eq(&digest);
    match client {
        Some(client) if client.management.is_some() && bool::from(same) => {
            Ok(Managed { client, token: Secret::new(token.to_owned()), digest })
        }
        _ => Err(Refusal::InvalidToken),
    }
}

impl Replacement {
    fn check(&self, client: &Client) -> Result<(), Refusal> {
        if self.client_id.as_ref() != Some(&client.id) {
            return Err(invalid("client_id must be that of the client"));
        }
        let ours = [
            &self.client_secret_expires_at,
            &self.client_id_issued_at,
            &self.registration_access_token,
            &self.registration_client_uri,
        ];
        if ours.into_iter().any(Option::is_some) {
            return Err(invalid(
                "client_secret_expires_at, client_id_issued_at, registration_access_token and registration_client_uri are not the client's to say",
            ));
        }
        let Some(secret) = &self.client_secret else { return Ok(()) };
        let kept = client.secret.as_deref().unwrap_or_default();
        if bool::from(kept.ct_eq(&store::digest(secret.reveal()))) {
            Ok(())
        } else {
            Err(invalid("client_secret is not the client's; it cannot be chosen"))
        }
    }
}

fn invalid(text: &str) -> Refusal {
    Refusal::InvalidClientMetadata(text.to_owned())
}

/// The secret is not told again: only its digest is kept.
fn answer(app: &App, client: &Client, token: String, metadata: Verified) -> Response {
    let answer = Registered {
        client_id: client.id.clone(),
        client_id_issued_at: client.created_at,
        secret: None,
        management: Some(Management::of(&app.config, &client.id, token)),
        metadata,
    };
    (StatusCode::OK, NO_STORE, Json(answer)).into_response()
}
