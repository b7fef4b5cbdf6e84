//! A login at the provider for one's own page: no application is let in, and no token is kept.

use axum::response::Response;
use tokio::time;

use super::{
    Broker,
    registrar::{Login, NOBODY, NoClient},
};
use crate::{
    authorization::{interaction::Open, login},
    callback::Back,
    config::Tenants,
    federation::{Choice, Fault, Place},
    metrics::FederatedLogin,
    pages::{self, error::Trouble},
    state::App,
    store,
    upstream::{
        Error, PATIENCE, Wanted,
        callback::Returned,
        exchange::Code,
        identity::Identity,
        request::{Prompt, Request},
        trip::Trip,
    },
};

/// What makes a request one for an ID token.
pub(super) const OPENID: &str = "openid";

/// Sends the browser to the provider.
///
/// # Errors
/// When the database fails.
pub async fn depart(
    app: &App,
    broker: &Broker,
    open: &Open,
    choice: Choice,
) -> Result<Response, Trouble> {
    let prepare = async {
        Ok((broker.provider.metadata().await?, broker.client_for(app, login_of(open)).await?))
    };
    let (metadata, client) = match time::timeout(PATIENCE, prepare).await {
        Ok(Ok(ready)) => ready,
        Ok(Err(NoClient::Store(error))) => return Err(error.into()),
        Ok(Err(error)) => return again(app, broker, open, &of_client(error)).await,
        Err(_late) => return again(app, broker, open, &Fault::Late).await,
    };
    let trip = Trip::begin(&app.random, &open.name, &open.browser);
    app.store.begin_trip(&open.kept.id, &Trip::digest(&trip.state, broker.name())).await?;
    let request = Request {
        client_id: &client.id,
        redirect_uri: &broker.callback(app),
        scope: &broker.sign_in_scopes().join(" "),
        trip: &trip,
        prompt: match choice {
            Choice::Same => Prompt::Unsaid,
            Choice::Another => Prompt::SelectAccount,
        },
        more: &[],
    };
    Ok(pages::redirect(broker.provider.authorization_url(&metadata, request).as_str()))
}

/// Goes on to their page, or to the login page if nobody is logged in.
///
/// # Errors
/// When the database fails.
pub async fn arrive(app: &App, broker: &Broker, back: &Back<'_>) -> Result<Response, Trouble> {
    let Some(trip) = back.trip(app, broker.name()).await? else {
        return again(app, broker, &back.open, &Fault::Over).await;
    };
    let identified = time::timeout(PATIENCE, identify(app, broker, &trip, back)).await;
    let identity = match identified.unwrap_or(Ok(Err(Fault::Late)))? {
        Ok(identity) => identity,
        Err(fault) => return again(app, broker, &back.open, &fault).await,
    };
    let account = broker.keep(app, identity).await?;
    let Some(member) = app.users().by_sub(&account.id).await? else {
        let off = Fault::NotAdmitted("whoever runs this gateway has switched it off");
        return again(app, broker, &back.open, &off).await;
    };
    app.metrics.federated(FederatedLogin::Ok);
    login::welcome(app, back.headers, back.open.clone(), &member).await
}

/// Who it is. The tokens end here.
async fn identify(
    app: &App,
    broker: &Broker,
    trip: &Trip,
    back: &Back<'_>,
) -> Result<Result<Identity, Fault>, store::Error> {
    let returned = match broker.provider.returned(back.parameters).await {
        Ok(Ok(returned)) => returned,
        Ok(Err(bad)) => return Ok(Err(bad.into())),
        Err(error) => return Ok(Err(error.into())),
    };
    let code = match returned {
        Returned::Code(code) => code,
        Returned::Error { code, description } => return Ok(Err(Fault::Said { code, description })),
    };
    let client = match broker.client_of(app, login_of(&back.open)).await {
        Ok(client) => client,
        Err(NoClient::Store(error)) => return Err(error),
        Err(error) => return Ok(Err(of_client(error))),
    };
    let redirect_uri = broker.callback(app);
    let code = Code { code: &code, verifier: &trip.verifier, redirect_uri: &redirect_uri };
    let tokens = match broker.provider.redeem(&client, code, &[]).await {
        Ok(tokens) => tokens,
        Err(error @ Error::Client(_)) => {
            // It has forgotten us: next time it is made acquainted anew.
            broker.forget_client(app, NOBODY, &client.id).await?;
            return Ok(Err(error.into()));
        }
        Err(error) => return Ok(Err(error.into())),
    };
    let wanted = Wanted {
        client_id: &client.id,
        nonce: &trip.nonce,
        hosted_domain: None,
        claims: &broker.identity_claims(),
    };
    Ok(broker.provider.identify(&tokens, wanted).await.map_err(Fault::from))
}

const fn login_of(open: &Open) -> Login<'_> {
    Login { name: open.name.as_str(), client_id: NOBODY, resources: &[] }
}

fn of_client(error: NoClient) -> Fault {
    match error {
        NoClient::Provider(error) => error.into(),
        NoClient::Store(_) | NoClient::Sealed => {
            Fault::Provider(Error::Client("what is kept of it cannot be read".to_owned()))
        }
    }
}

async fn again(
    app: &App,
    broker: &Broker,
    open: &Open,
    fault: &Fault,
) -> Result<Response, Trouble> {
    let label = broker.settings.label();
    let at = Place { name: broker.name(), label: &label, tenants: &Tenants::Single };
    login::again(app, open, at, fault).await
}
