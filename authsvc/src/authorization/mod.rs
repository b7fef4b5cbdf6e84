//! The authorization endpoint, in the order in which a request passes:
//!
//! [`parameters`] decodes → [`authorize`] finds the client and the [`answer::Destination`] → [`request`] checks the
//! rest ([`resource`], [`scope`]) → [`grant`] says what is missing → [`interaction`] keeps the request while
//! [`login`] (with [`attempt`]) and [`consent`] (with [`vendors`]) ask → `finish` makes the code.

pub mod answer;
pub mod attempt;
pub mod authorize;
pub mod consent;
pub mod grant;
pub mod interaction;
pub mod login;
pub mod parameters;
pub mod request;
pub mod resource;
pub mod scope;
pub mod submitted;
pub mod vendors;

use axum::{
    body,
    extract::Request,
    http::{StatusCode, header},
    response::Response,
};

use answer::{Destination, Receiver, RedirectUriOrigin};
use grant::{Consented, Freshness, Grant, Login};
use parameters::{MAX_LENGTH, Parameters};
use request::{Asked, Fault};

use crate::{
    pages::{
        self, STYLE,
        error::{Trouble, gateway},
        words,
    },
    sessions::digest,
    state::App,
    store::{
        self,
        codes::{Code, Granted},
        consents::Parties,
    },
    users::passwords::Overloaded,
};

/// How long a code is good, seconds: it is on its way through a browser, no more (RFC 6749 section 4.1.2).
const CODE_LIFE: i64 = 60;
const FORM: &str = "application/x-www-form-urlencoded";

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        error.log("an authorization request");
        if error.is_passing() { Self::Away } else { Self::Broken }
    }
}

impl From<Overloaded> for Trouble {
    fn from(error: Overloaded) -> Self {
        tracing::warn!(%error, "a login was not looked at");
        Self::Overloaded
    }
}

/// How far the request is, given who is logged in and what they have agreed to before.
pub(crate) async fn decide(
    app: &App,
    asked: Asked,
    login: Option<(Login, Freshness)>,
) -> Result<Grant, store::Error> {
    let waiting = match asked.logged_in(login) {
        Grant::LoggedIn(waiting) => waiting,
        other @ (Grant::Asked(_) | Grant::Consented(_) | Grant::Refused(_)) => return Ok(other),
    };
    let receiver = waiting.asked().destination.receiver();
    let earlier = match parties(waiting.asked(), waiting.login(), &receiver) {
        Some(parties) => app.store.consents(parties).await?,
        None => Vec::new(),
    };
    Ok(waiting.remembered(&earlier))
}

/// Between whom an agreement would be remembered; `None` where it may not be.
pub(crate) fn parties<'a>(
    asked: &'a Asked,
    login: &'a Login,
    receiver: &'a Receiver,
) -> Option<Parties<'a>> {
    let Receiver::Web { host } = receiver else { return None };
    Some(Parties { sub: &login.sub, client_id: &asked.client_id, redirect_host: host })
}

/// Keeps that they agreed, where that may be kept.
pub(crate) async fn remember(app: &App, consented: &Consented) -> Result<(), store::Error> {
    let (asked, login) = (consented.asked(), consented.login());
    let receiver = asked.destination.receiver();
    let Some(parties) = parties(asked, login, &receiver) else { return Ok(()) };
    let now = app.clock.now_unix();
    app.store.remember_consent(parties, &asked.resources, &asked.scopes, now).await
}

/// Tells the client.
pub(crate) fn refuse(app: &App, destination: &Destination, fault: &Fault) -> Response {
    pages::redirect(&failure(app, destination, fault))
}

/// Tells the client of a fault of its request, about which nobody was asked. Anyone may register a client, so a
/// link to us would lead to any web site: where nothing was ever agreed with this one, the way there is the
/// user's to take (RFC 9700 section 4.11.2), although `prompt=none` wants no page. `sub` is who is logged in; of
/// somebody who is not we cannot know what they agreed to, only whether anyone did.
async fn refuse_unasked(
    app: &App,
    sub: Option<&str>,
    client_id: &str,
    destination: &Destination,
    fault: &Fault,
) -> Result<Response, Trouble> {
    let Receiver::Web { host } = destination.receiver() else {
        return Ok(refuse(app, destination, fault));
    };
    if app.store.agreed_before(sub, client_id, &host).await? {
        return Ok(refuse(app, destination, fault));
    }
    let page = pages::Return {
        style: STYLE,
        gateway: gateway(&app.config),
        error: fault.code.as_str(),
        description: fault.description.clone(),
        receiver: host,
        back: failure(app, destination, fault),
    };
    Ok(pages::respond(StatusCode::BAD_REQUEST, &page))
}

/// The URL that tells the client.
fn failure(app: &App, destination: &Destination, fault: &Fault) -> String {
    tracing::info!(
        code = fault.code.as_str(),
        reason = fault.description,
        "an authorization was refused"
    );
    destination.failure(app.config.public_url.as_str(), fault.code, &fault.description)
}

/// The name of a client as it claims.
async fn client_name(app: &App, client_id: &str) -> Result<String, Trouble> {
    let client = app.client(client_id).await?.ok_or(Trouble::UnknownClient)?;
    Ok(words::claimed_name(client.name.as_deref()))
}

/// Makes the code. Only [`Consented`] gets here.
async fn finish(app: &App, consented: &Consented) -> Result<Response, Trouble> {
    hand_out(app, consented, &app.random.token(), None).await
}

/// Keeps this code, with what a provider gave for it, and sends the browser to the client with it.
pub(crate) async fn hand_out(
    app: &App,
    consented: &Consented,
    code: &str,
    provider_tokens: Option<Vec<u8>>,
) -> Result<Response, Trouble> {
    let (asked, login) = (consented.asked(), consented.login());
    let now = app.clock.now_unix();
    let kept = Code {
        granted: Granted {
            client_id: asked.client_id.clone(),
            resources: asked.resources.clone(),
            scope: asked.scopes.join(" "),
            sub: login.sub.clone(),
            email: login.email.clone(),
            groups: login.groups.clone(),
            auth_time: login.auth_time,
            credential: login.credential.clone(),
        },
        redirect_uri: asked.destination.redirect_uri.clone(),
        redirect_uri_sent: asked.destination.origin == RedirectUriOrigin::Request,
        code_challenge: asked.code_challenge.clone(),
        provider_tokens,
        expires_at: now.saturating_add(CODE_LIFE),
    };
    app.store.create_code(&digest(code), &kept, now).await?;
    tracing::info!(sub = login.sub, client_id = asked.client_id, "a code was issued");
    Ok(pages::redirect(&asked.destination.success(app.config.public_url.as_str(), code)))
}

/// A form of at most [`MAX_LENGTH`] bytes.
///
/// # Errors
/// [`Trouble::Unreadable`] when it is larger, or none.
pub(crate) async fn read_form(request: Request) -> Result<Parameters, Trouble> {
    let content_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(FORM) {
        return Err(Trouble::Unreadable);
    }
    let Ok(bytes) = body::to_bytes(request.into_body(), MAX_LENGTH).await else {
        return Err(Trouble::Unreadable);
    };
    Ok(Parameters::parse(&bytes))
}

#[cfg(test)]
pub(crate) mod tests;
