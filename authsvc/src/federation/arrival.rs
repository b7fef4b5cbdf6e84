//! Back from a provider whose users log in here.

use axum::response::Response;
use tokio::time;

use super::{Connected, Fault};
use crate::{
    authorization::login,
    callback::{self, Back},
    metrics::FederatedLogin,
    pages::{self, error::Trouble},
    sessions,
    state::App,
    store::{self, accounts::Account},
    upstream::{
        PATIENCE, Wanted, callback::Returned, exchange::Code, identity::Identity, trip::Trip,
    },
    users::{self, email::Email},
};

/// Goes on as after a password, or on the login page if nobody is logged in.
///
/// # Errors
/// When the database fails.
pub async fn arrive(app: &App, one: &Connected, back: &Back<'_>) -> Result<Response, Trouble> {
    let open = &back.open;
    let fault = match log_in(app, one, back).await? {
        Ok(account) => match app.users().by_sub(&account.id).await? {
            Some(member) => {
                app.metrics.federated(FederatedLogin::Ok);
                return login::welcome(app, back.headers, open.clone(), &member).await;
            }
            None => Fault::NotAdmitted("whoever runs this gateway has switched it off"),
        },
        Err(Fault::Over) if sessions::current(app, back.headers).await?.is_some() => {
            // They went back in their browser, perhaps: the login page knows where to go on.
            return Ok(pages::redirect(&format!("/oauth/login?interaction={}", open.name)));
        }
        Err(fault) => fault,
    };
    login::again(app, open, one.place(), &fault).await
}

/// Who it is, kept as they are from now on.
async fn log_in(
    app: &App,
    one: &Connected,
    back: &Back<'_>,
) -> Result<Result<Account, Fault>, store::Error> {
    let Some(trip) = back.trip(app, &one.settings.name).await? else {
        return Ok(Err(Fault::Over));
    };
    let identified = time::timeout(PATIENCE, identify(app, one, &trip, back)).await;
    let identity = match identified.unwrap_or(Err(Fault::Late)) {
        Ok(identity) => identity,
        Err(fault) => return Ok(Err(fault)),
    };
    let email = identity.email.as_ref().map(Email::as_str);
    if let Err(reason) = users::admits(&one.settings, email) {
        return Ok(Err(Fault::NotAdmitted(reason)));
    }
    let account = users::account(&app.config, &one.settings.name, identity, app.clock.now_unix());
    app.store.log_in_account(&account).await.map(Ok)
}

/// Who it is. The tokens end here.
async fn identify(
    app: &App,
    one: &Connected,
    trip: &Trip,
    back: &Back<'_>,
) -> Result<Identity, Fault> {
    let Connected { settings, provider } = one;
    let code = match provider.returned(back.parameters).await?? {
        Returned::Code(code) => code,
        Returned::Error { code, description } => return Err(Fault::Said { code, description }),
    };
    let redirect_uri = callback::url(&app.config.public_url, &settings.name);
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
