//! `GET` and `POST /oauth/authorize` (RFC 6749 section 4.1.1): who asks, where may the answer go, what is asked.
//!
//! The order is what matters: until the redirect URI is known to be one of the client's, a page is the only
//! answer; from then on, every error goes there, by itself or by a click of the user.

use std::net::IpAddr;

use axum::{
    extract::{RawQuery, Request, State},
    http::HeaderMap,
    response::Response,
};
use url::Url;

use super::{
    answer::{Destination, RedirectUriOrigin, encode},
    decide, finish,
    grant::{Freshness, Grant},
    interaction::{self, Wanted},
    parameters::{MAX_LENGTH, Parameters},
    read_form, refuse_unasked,
    request::{self, MAX_STATE},
};
use crate::{
    address::ClientAddress,
    cimd::{self, NoClient, fetch::FetchError},
    metrics::Throttled,
    pages::error::Trouble,
    redirect, sessions,
    state::App,
    store::clients::Client,
};

/// Longest `client_id` and `redirect_uri`, bytes.
const MAX_VALUE: usize = 2048;

/// The request in the query.
pub async fn get(
    State(app): State<App>,
    address: ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let outcome = if query.len() > MAX_LENGTH {
        Err(Trouble::Unreadable)
    } else {
        authorize(&app, address, &headers, &Parameters::parse(query.as_bytes())).await
    };
    outcome.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// The request in a form (OpenID Connect Core section 3.1.2.1). It changes nothing here, so it may come from
/// another site, as the one in the query does.
pub async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    let headers = request.headers().clone();
    let outcome = match read_form(request).await {
        Ok(parameters) => authorize(&app, address, &headers, &parameters).await,
        Err(trouble) => Err(trouble),
    };
    outcome.unwrap_or_else(|trouble| trouble.page(&app.config))
}

async fn authorize(
    app: &App,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let Ok(Some(client_id)) = parameters.text("client_id", MAX_VALUE) else {
        turned_away("none", &"client_id is missing, repeated or too long");
        return Err(Trouble::UnknownClient);
    };
    let client = client(app, address, client_id).await?;
    let destination = destination(&client, parameters).ok_or_else(|| {
        let sent = parameters.text("redirect_uri", MAX_VALUE).ok().flatten();
        let sent = sent.map_or_else(|| "none, or several".to_owned(), place);
        let reason = format!("redirect_uri is {sent}, and the client did not register it");
        turned_away(client_id, &reason);
        Trouble::UnknownRedirect
    })?;
    let login = sessions::current(app, headers).await?.map(|session| session.login);
    let sub = login.as_ref().map(|login| login.sub.clone());
    let refuse =
        async |fault| refuse_unasked(app, sub.as_deref(), client_id, &destination, &fault).await;
    let asked = match request::check(&app.config, parameters, client_id, destination.clone()) {
        Ok(asked) => asked,
        Err(fault) => return refuse(fault).await,
    };
    let login = login.map(|login| (login, Freshness::Earlier));
    match decide(app, asked, login).await? {
        Grant::Asked(asked) => {
            admit(app, address)?;
            let wanted = Wanted::Authorization(asked);
            // To a provider one goes only after the question.
            let page = if app.broker().is_some() { "/oauth/consent" } else { "/oauth/login" };
            interaction::begin(app, headers, wanted, page).await
        }
        Grant::LoggedIn(waiting) => {
            admit(app, address)?;
            let wanted = Wanted::Authorization(waiting.asked().clone());
            interaction::begin(app, headers, wanted, "/oauth/consent").await
        }
        Grant::Consented(consented) if app.broker().is_some() => {
            admit(app, address)?;
            let wanted = Wanted::Authorization(consented.asked().clone());
            interaction::begin(app, headers, wanted, "/oauth/consent").await
        }
        Grant::Consented(consented) => finish(app, &consented).await,
        Grant::Refused(refused) => refuse(refused.fault).await,
    }
}

/// Only what waits for somebody is kept, and of one network only so much.
///
/// # Errors
/// When it is too much.
pub fn admit(app: &App, address: IpAddr) -> Result<(), Trouble> {
    app.authorizations.admit(address).map_err(|_seconds| {
        app.metrics.throttled(Throttled::Authorization);
        Trouble::TooMany
    })
}

/// Who asks: registered here, or described by a document at its URL.
async fn client(app: &App, address: IpAddr, client_id: &str) -> Result<Client, Trouble> {
    if !cimd::id::is_url(client_id) {
        let client = app.client(client_id).await?;
        return client.ok_or_else(|| {
            // Not by its name: who takes one field for another sends a secret here.
            turned_away("unknown", &"its client_id is not registered here, or was forgotten");
            Trouble::UnknownClient
        });
    }
    cimd::resolve(app, address, client_id).await.map_err(|error| {
        if !matches!(error, NoClient::Store(_)) {
            turned_away(client_id, &error);
        }
        match error {
            NoClient::Store(error) => error.into(),
            NoClient::Id => Trouble::UnknownClient,
            NoClient::Host(host) => Trouble::UntrustedHost(host),
            NoClient::TooMany => Trouble::TooMany,
            NoClient::Fetch(FetchError::Busy) => Trouble::Overloaded,
            NoClient::Fetch(_) | NoClient::Document(_) => Trouble::NoDocument,
        }
    })
}

/// Of a request that gets a page and no redirect the client never hears: the operator does.
fn turned_away(client_id: &str, reason: &dyn std::fmt::Display) {
    tracing::info!(client_id, %reason, "a client was turned away");
}

/// A redirect URI as it may be logged: what it carries beside its place may be a secret.
fn place(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else { return "what is no URL".to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The redirect URI, if it is one of the client's; it may be left out only where there is a single one
/// (RFC 6749 section 3.1.2.3).
fn destination(client: &Client, parameters: &Parameters) -> Option<Destination> {
    let sent = parameters.text("redirect_uri", MAX_VALUE).ok()?;
    let (redirect_uri, origin) = match (sent, client.redirect_uris.as_slice()) {
        (Some(sent), registered) => {
            let known = registered.iter().any(|one| redirect::matches(one, sent));
            known.then_some((sent, RedirectUriOrigin::Request))?
        }
        (None, [only]) => (only.as_str(), RedirectUriOrigin::Registration),
        (None, _) => return None,
    };
    let state = parameters.bytes("state", MAX_STATE).ok().flatten().map(encode);
    Some(Destination { redirect_uri: redirect_uri.to_owned(), origin, state })
}
