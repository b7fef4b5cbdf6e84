//! To the provider: only the login page sends anybody there, by a form of its own.

use axum::response::Response;
use tokio::time;

use super::{Connected, Fault};
use crate::{
    authorization::{
        interaction::{Open, Wanted},
        login,
    },
    callback,
    pages::{self, error::Trouble},
    state::App,
    upstream::{
        PATIENCE,
        request::{Prompt, Request},
        trip::Trip,
    },
};

/// Whether the user wants to log in as somebody else than the provider would say by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// Whoever they are there.
    Same,
    /// Another one.
    Another,
}

/// Sends the browser to the provider of this name.
///
/// # Errors
/// When there is none of this name, or the database fails.
pub async fn depart(
    app: &App,
    open: &Open,
    name: &str,
    choice: Choice,
) -> Result<Response, Trouble> {
    let one = app.federation.get(name).ok_or(Trouble::Unreadable)?;
    let metadata = match time::timeout(PATIENCE, one.provider.metadata()).await {
        Ok(Ok(metadata)) => metadata,
        Ok(Err(error)) => {
            return login::again(app, open, one.place(), &Fault::Provider(error)).await;
        }
        Err(_late) => return login::again(app, open, one.place(), &Fault::Late).await,
    };
    let trip = Trip::begin(&app.random, &open.name, &open.browser);
    app.store.begin_trip(&open.kept.id, &Trip::digest(&trip.state, name)).await?;
    let Connected { settings, .. } = one;
    let domain = settings.hosted_domain.as_deref().map(|domain| ("hd", domain));
    let more: Vec<(&str, &str)> = domain.into_iter().collect();
    let request = Request {
        client_id: &settings.client.id,
        redirect_uri: &callback::url(&app.config.public_url, name),
        scope: &settings.scopes.join(" "),
        trip: &trip,
        prompt: prompt(open, choice),
        more: &more,
    };
    Ok(pages::redirect(one.provider.authorization_url(&metadata, request).as_str()))
}

/// What the provider is told of what the client and the user want.
fn prompt(open: &Open, choice: Choice) -> Prompt {
    match (choice, &open.kept.wanted) {
        (Choice::Another, _) => Prompt::SelectAccount,
        (Choice::Same, Wanted::Authorization(asked)) => Prompt::of(&asked.prompt),
        (Choice::Same, Wanted::Account) => Prompt::Unsaid,
    }
}
