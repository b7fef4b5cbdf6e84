//! `GET /oauth/callback/{name}`: back from the provider.

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use tokio::time;

use super::{Connected, Fault, PATIENCE, callback};
use crate::{
    authorization::{
        interaction::{self, Open},
        login,
        parameters::{MAX_LENGTH, Parameters},
    },
    broker,
    metrics::FederatedLogin,
    pages::{self, error::Trouble},
    refusal::NotFound,
    sessions,
    state::App,
    store::{self, accounts::Account},
    upstream::{Wanted, callback::Returned, exchange::Code, identity::Identity, trip::Trip},
    users,
};

/// Longest `state` that is looked at, bytes; ours are shorter.
const MAX_STATE: usize = 256;

/// Takes the answer of a provider.
pub async fn get(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    if let Some(broker) = app.broker() {
        return broker::arrival::arrive(&app, broker, &name, &headers, &query).await;
    }
    let Some(one) = app.federation.get(&name) else { return NotFound.into_response() };
    let outcome = if query.len() > MAX_LENGTH {
        Err(Trouble::Unreadable)
    } else {
        arrive(&app, one, &headers, &Parameters::parse(query.as_bytes())).await
    };
    outcome.unwrap_or_else(|trouble| trouble.page(&app.config))
}

async fn arrive(
    app: &App,
    one: &Connected,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let state = parameters.text("state", MAX_STATE).ok().flatten().ok_or(Trouble::NotYours)?;
    let interaction = Trip::interaction(state).ok_or(Trouble::NotYours)?;
    let open = interaction::named(app, headers, interaction).await?;
    let fault = match log_in(app, one, &open, parameters, state).await? {
        Ok(account) => match app.users().by_sub(&account.id).await? {
            Some(member) => {
                app.metrics.federated(FederatedLogin::Ok);
                return login::welcome(app, headers, open, &member).await;
            }
            None => Fault::NotAdmitted("whoever runs this gateway has switched it off"),
        },
        Err(Fault::Over) if sessions::current(app, headers).await?.is_some() => {
            // They went back in their browser, perhaps: the login page knows where to go on.
            return Ok(pages::redirect(&format!("/oauth/login?interaction={interaction}")));
        }
        Err(fault) => fault,
    };
    login::again(app, &open, one, &fault).await
}

/// Who it is, kept as they are from now on.
async fn log_in(
    app: &App,
    one: &Connected,
    open: &Open,
    parameters: &Parameters,
    state: &str,
) -> Result<Result<Account, Fault>, store::Error> {
    // Before anything else, so that whatever comes of it comes once.
    let digest = Trip::digest(state, &one.settings.name);
    if !app.store.end_trip(&open.kept.id, &digest).await? {
        return Ok(Err(Fault::Over));
    }
    let trip = Trip::of(state.to_owned(), &open.browser);
    let identified = time::timeout(PATIENCE, identify(app, one, &trip, parameters)).await;
    let identity = match identified.unwrap_or(Err(Fault::Late)) {
        Ok(identity) => identity,
        Err(fault) => return Ok(Err(fault)),
    };
    let email = identity.email.as_ref().map(|email| email.as_str().to_owned());
    if let Err(reason) = users::admits(&one.settings, email.as_deref()) {
        return Ok(Err(Fault::NotAdmitted(reason)));
    }
    let Identity { issuer, subject, name, groups, .. } = identity;
    let now = app.clock.now_unix();
    let account = Account {
        id: users::sub_of(&app.config, &issuer, &subject),
        provider: one.settings.name.clone(),
        issuer,
        subject,
        email,
        name,
        groups,
        created_at: now,
        seen_at: now,
        disabled_at: None,
        epoch: 0,
    };
    app.store.log_in_account(&account).await.map(Ok)
}

/// Who it is. The tokens end here.
async fn identify(
    app: &App,
    one: &Connected,
    trip: &Trip,
    parameters: &Parameters,
) -> Result<Identity, Fault> {
    let Connected { settings, provider } = one;
    let code = match provider.returned(parameters).await?? {
        Returned::Code(code) => code,
        Returned::Error { code, description } => return Err(Fault::Said { code, description }),
    };
    let redirect_uri = callback(&app.config.public_url, &settings.name);
    let code = Code { code: &code, verifier: &trip.verifier, redirect_uri: &redirect_uri };
    let tokens = provider.redeem(&settings.client, code, &[]).await?;
    let wanted = Wanted {
        client_id: &settings.client.id,
        nonce: &trip.nonce,
        hosted_domain: settings.hosted_domain.as_deref(),
        claims: &settings.claims,
    };
    Ok(provider.identify(&tokens, wanted).await?)
}
