//! To the provider: only from the page that asks, or where the same was agreed before.

use axum::{http::StatusCode, response::Response};
use tokio::time;

use super::{
    Broker, consent,
    registrar::{Login, NoClient},
};
use crate::{
    authorization::{interaction::Open, request::Asked},
    config::Client,
    pages::{
        self,
        error::Trouble,
        words::{unavailable, unusable},
    },
    state::App,
    upstream::{
        Error, PATIENCE,
        discovery::Metadata,
        request::{Prompt, Request},
        trip::Trip,
    },
};

/// When the user agreed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Agreed {
    /// Just now.
    Now,
    /// To the same, some time ago.
    Before,
}

/// Sends the browser to the provider.
///
/// # Errors
/// When the database fails.
pub async fn depart(
    app: &App,
    broker: &Broker,
    (open, asked): (&Open, &Asked),
    agreed: Agreed,
) -> Result<Response, Trouble> {
    let trip = Trip::begin(&app.random, &open.name, &open.browser);
    let ready = time::timeout(PATIENCE, prepare(app, broker, login(open, asked))).await;
    let (metadata, client) = match ready {
        Ok(Ok(ready)) => ready,
        Ok(Err(NoClient::Store(error))) => return Err(error.into()),
        Ok(Err(error)) => {
            let notice = Some(apology(broker, &error));
            return consent::page(app, broker, (open, asked), notice).await;
        }
        Err(_late) => {
            let notice = Some(apology(broker, &Error::late("answer").into()));
            return consent::page(app, broker, (open, asked), notice).await;
        }
    };
    if agreed == Agreed::Now {
        app.store.agree_to_interaction(&open.kept.id, app.clock.now_unix()).await?;
    }
    app.store.begin_trip(&open.kept.id, &Trip::digest(&trip.state, broker.name())).await?;
    let scopes = [broker.scopes(&asked.scopes), broker.audiences(&asked.resources)].concat();
    let request = Request {
        client_id: &client.id,
        redirect_uri: &broker.callback(app),
        scope: &scopes.join(" "),
        trip: &trip,
        prompt: Prompt::of(&asked.prompt),
        more: &broker.resource(&asked.resources),
    };
    Ok(pages::redirect(broker.provider.authorization_url(&metadata, request).as_str()))
}

/// Who goes there for a request.
#[must_use]
pub fn login<'a>(open: &'a Open, asked: &'a Asked) -> Login<'a> {
    Login { name: &open.name, client_id: &asked.client_id, resources: &asked.resources }
}

async fn prepare(
    app: &App,
    broker: &Broker,
    login: Login<'_>,
) -> Result<(std::sync::Arc<Metadata>, Client), NoClient> {
    let metadata = broker.provider.metadata().await?;
    Ok((metadata, broker.client_for(app, login).await?))
}

/// What is told to somebody who could not be sent there.
fn apology(broker: &Broker, error: &NoClient) -> (StatusCode, String) {
    tracing::warn!(%error, "nobody can be sent to the identity provider");
    let host = broker.settings.label();
    match error {
        NoClient::Provider(Error::Unreachable { .. }) => unavailable(&host),
        NoClient::Provider(_) | NoClient::Store(_) | NoClient::Sealed => unusable(&host),
    }
}
