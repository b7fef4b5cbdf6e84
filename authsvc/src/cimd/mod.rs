//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-00, MCP 2025-11-25): a client whose id
//! is the URL of a document about it needs no registration.
//!
//! In the order of the flow: [`id`] says whether a `client_id` is such a URL and whether its host is trusted,
//! [`fetch`] gets it without being led anywhere else, [`document`] reads it. What it says is kept beside registered
//! clients, for all replicas: at the authorization endpoint it is looked up anew when its time has passed, and
//! everything after that (the pages, the token endpoint) takes what was kept then, but for [`keys`].

pub mod document;
pub mod fetch;
pub mod id;
mod turns;

use std::net::IpAddr;

use attache_protocol::jwk::{Found, KeySet};
use url::Url;

use self::{
    document::{Auth, BadDocument, Document},
    fetch::{FetchError, Fetched},
    id::DocumentUrl,
};
use crate::{
    clock::seconds,
    metrics::Throttled,
    state::App,
    store::{
        self,
        clients::Client,
        documents::{KeptDocument, KeptKeys},
    },
};

/// How long a document is used beyond its time while it cannot be fetched, seconds.
const STALE: i64 = 24 * 3600;
/// Keys are fetched again no sooner than this, seconds: a stranger decides how often he names a new one.
const KEYS_LEAST: i64 = 60;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// No URL of a document.
    #[error("client_id is no URL of a document: https, a host and a path, and nothing else")]
    Id,
    /// The operator does not trust its host.
    #[error("client_id_metadata_documents.hosts does not have {0}")]
    Host(String),
    /// Somebody asks for too many.
    #[error("too many documents are asked for")]
    TooMany,
    /// There is none to be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What is there is none.
    #[error(transparent)]
    Document(#[from] BadDocument),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The client that a document describes: as it was kept, or, when its time has passed, as it is now.
///
/// # Errors
/// When it is not to be had.
pub async fn resolve(app: &App, address: IpAddr, client_id: &str) -> Result<Client, NoClient> {
    let Some(id) = DocumentUrl::parse(client_id, app.documents.policy()) else {
        let host = DocumentUrl::untrusted_host(client_id, app.documents.policy());
        return Err(host.map_or(NoClient::Id, NoClient::Host));
    };
    let now = app.clock.now_unix();
    let kept = app.store.client(id.as_str()).await?;
    let expires_at = match &kept {
        Some(_) => app.store.document(id.as_str()).await?.map_or(0, |kept| kept.expires_at),
        None => 0,
    };
    if let Some(kept) = kept.as_ref().filter(|_| now < expires_at) {
        return Ok(kept.clone());
    }
    app.authorizations.admit(address).map_err(|_seconds| {
        app.metrics.throttled(Throttled::Authorization);
        NoClient::TooMany
    })?;
    match (fetch(app, address, &id).await, kept) {
        (Ok((document, age)), kept) => keep(app, &id, document, kept, now + age).await,
        (Err(NoClient::Fetch(error)), Some(kept))
            if error.is_passing() && now < expires_at + STALE =>
        {
            tracing::warn!(client_id, %error, "the document of a client is out of date and used");
            Ok(kept)
        }
        (Err(error), _) => Err(error),
    }
}

/// Whether a client, if it is one with a document, may still have one: trust that was taken back ends everything.
#[must_use]
pub fn is_trusted(app: &App, client_id: &str) -> bool {
    !id::is_url(client_id) || DocumentUrl::parse(client_id, app.documents.policy()).is_some()
}

async fn fetch(app: &App, address: IpAddr, id: &DocumentUrl) -> Result<(Document, i64), NoClient> {
    let Fetched { body, age } = app.documents.json(address, id.url()).await?;
    let private = &app.config.authorization.clients.private_redirect_uris;
    let document = Document::parse(&body, id, private, app.documents.policy())?;
    tracing::info!(client_id = id.as_str(), "the document of a client was read");
    Ok((document, seconds(age)))
}

async fn keep(
    app: &App,
    id: &DocumentUrl,
    document: Document,
    earlier: Option<Client>,
    expires_at: i64,
) -> Result<Client, NoClient> {
    let now = app.clock.now_unix();
    let Document { name, redirect_uris, auth } = document;
    let client = Client {
        id: id.as_str().to_owned(),
        name,
        redirect_uris,
        auth_method: auth.method(),
        secret: None,
        management: None,
        created_at: earlier.map_or(now, |earlier| earlier.created_at),
    };
    let (keys, keys_uri) = match auth {
        Auth::Public => (None, None),
        Auth::Keys(text) => (Some(text), None),
        Auth::KeysAt(uri) => (None, Some(uri)),
    };
    let kept = KeptDocument { expires_at, keys_uri, keys, keys_expire_at: 0, keys_fetched_at: 0 };
    app.store.keep_document(&client, &kept, now).await?;
    Ok(client)
}

/// The keys of a client that signs assertions, with `kid` among them if it is anywhere to be had; `address` is where it
/// is asked from. Keys that are looked for and not there any more are nobody's: a client that lost one takes it away.
///
/// # Errors
/// When the database fails.
pub async fn keys(
    app: &App,
    address: IpAddr,
    client_id: &str,
    kid: Option<&str>,
) -> Result<Option<KeySet>, store::Error> {
    let Some(kept) = app.store.document(client_id).await? else { return Ok(None) };
    let now = app.clock.now_unix();
    let set = kept.keys.as_deref().and_then(parse);
    let has = set.as_ref().is_some_and(|set| matches!(set.find(kid), Found::Key(_)));
    // Those in a document are as good as that is.
    let expire_at = if kept.keys_uri.is_some() { kept.keys_expire_at } else { kept.expires_at };
    if has && now < expire_at {
        return Ok(set);
    }
    let known = set.filter(|_set| now < expire_at.saturating_add(STALE));
    let rested = now >= kept.keys_fetched_at.saturating_add(KEYS_LEAST);
    // Whoever else comes meanwhile goes on with what there is.
    if !rested || !app.store.begin_keys(client_id, kept.keys_fetched_at, now).await? {
        return Ok(known);
    }
    let error = match look_again(app, address, client_id, kept.keys_uri.as_deref()).await {
        Ok(set) => return Ok(set),
        Err(NoClient::Store(error)) => return Err(error),
        Err(error) => error,
    };
    tracing::warn!(client_id, %error, "the keys of a client cannot be fetched");
    if now < expire_at || matches!(&error, NoClient::Fetch(error) if error.is_passing()) {
        return Ok(known);
    }
    if let Some(gone) = &kept.keys {
        app.store.forget_keys(client_id, gone).await?;
    }
    Ok(None)
}

/// What is at a `jwks_uri` now, or without one in the document itself, and kept from now on.
async fn look_again(
    app: &App,
    address: IpAddr,
    client_id: &str,
    uri: Option<&str>,
) -> Result<Option<KeySet>, NoClient> {
    let now = app.clock.now_unix();
    let Some(uri) = uri else {
        let id = DocumentUrl::parse(client_id, app.documents.policy()).ok_or(NoClient::Id)?;
        let (document, age) = fetch(app, address, &id).await?;
        let set = match &document.auth {
            Auth::Keys(text) => parse(text),
            Auth::Public | Auth::KeysAt(_) => None,
        };
        keep(app, &id, document, None, now + age).await?;
        return Ok(set);
    };
    let wrong = |reason: String| FetchError::Wrong(reason);
    let url = Url::parse(uri).map_err(|error| wrong(error.to_string()))?;
    let Fetched { body, age } = app.documents.json(address, &url).await?;
    let set = KeySet::parse(&body).map_err(|rejected| wrong(rejected.to_string()))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let expire_at = now.saturating_add(seconds(age));
    let kept = KeptKeys { uri: uri.to_owned(), text, expire_at };
    app.store.keep_keys(client_id, &kept).await?;
    Ok(Some(set))
}

fn parse(text: &str) -> Option<KeySet> {
    KeySet::parse(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests;
