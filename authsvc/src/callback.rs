//! `GET /oauth/callback/{name}`: back from a provider, before which authsvc stands or whose users log in here.

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};

use crate::{
    authorization::{
        interaction::{self, Open, Wanted},
        parameters::{MAX_LENGTH, Parameters},
    },
    broker,
    config::Origin,
    federation,
    pages::error::Trouble,
    refusal::NotFound,
    state::App,
    store,
    upstream::trip::Trip,
};

/// Longest `state` that is looked at, bytes; ours are shorter.
const MAX_STATE: usize = 256;

/// Where a provider sends browsers back: one place for each, so that none can answer for another (RFC 9700 section
/// 4.4.2).
#[must_use]
pub fn url(origin: &Origin, name: &str) -> String {
    origin.url(&format!("/oauth/callback/{name}"))
}

/// Takes the answer of the provider of this name.
pub async fn get(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let broker = app.broker().filter(|broker| broker.name() == name);
    let connected = app.federation.get(&name);
    if broker.is_none() && connected.is_none() {
        return NotFound.into_response();
    }
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default().as_bytes());
    let back = match query {
        Some(query) if query.len() > MAX_LENGTH => Err(Trouble::Unreadable),
        Some(_) | None => Back::find(&app, &headers, &parameters).await,
    };
    let outcome = match (back, broker, connected) {
        (Err(trouble), _, _) => Err(trouble),
        (Ok(back), Some(broker), _) => match back.open.kept.wanted {
            Wanted::Authorization(_) => broker::arrival::arrive(&app, broker, &back).await,
            Wanted::Account => broker::sign_in::arrive(&app, broker, &back).await,
        },
        (Ok(back), None, Some(one)) => federation::arrival::arrive(&app, one, &back).await,
        (Ok(_), None, None) => Err(Trouble::NotYours),
    };
    outcome.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// Somebody who came back, in the browser that went there.
#[derive(Debug)]
pub struct Back<'a> {
    /// What the browser sent.
    pub headers: &'a HeaderMap,
    /// What the provider says.
    pub parameters: &'a Parameters,
    /// What they came for.
    pub open: Open,
    state: &'a str,
}

impl<'a> Back<'a> {
    async fn find(
        app: &App,
        headers: &'a HeaderMap,
        parameters: &'a Parameters,
    ) -> Result<Self, Trouble> {
        let state = parameters.text("state", MAX_STATE).ok().flatten().ok_or(Trouble::NotYours)?;
        let interaction = Trip::interaction(state).ok_or(Trouble::NotYours)?;
        let open = interaction::named(app, headers, interaction).await?;
        Ok(Self { headers, parameters, open, state })
    }

    /// The way to the provider of this name that ends here; nothing if another one was begun since, or it has ended.
    /// Asked for before anything else, so that whatever comes of it comes once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trip(&self, app: &App, provider: &str) -> Result<Option<Trip>, store::Error> {
        let digest = Trip::digest(self.state, provider);
        let ended = app.store.end_trip(&self.open.kept.id, &digest).await?;
        Ok(ended.then(|| Trip::of(self.state.to_owned(), &self.open.browser)))
    }
}
