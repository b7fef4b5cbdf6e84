//! `GET` and `POST /oauth/login`: who is it?

use std::net::IpAddr;

use attache_protocol::secret::Secret;
use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tokio::time;

use super::{
    client_name, decide,
    grant::Grant,
    interaction::{self, Open, with_cookie},
    parameters::Parameters,
    submitted::Submitted,
};
use crate::{
    address::ClientAddress,
    clock::millis,
    config::User,
    cookies::Cookie,
    csrf::{self, Form},
    metrics::{LoggedIn, Throttled},
    pages::{
        self, STYLE,
        error::{Trouble, gateway},
    },
    sessions,
    state::App,
    throttle::TooMany,
    users::{Member, Overloaded},
};

/// Said of an unknown address and of a wrong password alike.
const WRONG: &str = "Email or password is wrong.";
/// Longest password that is read at all, bytes; a longer one than [`crate::users::MAX_PASSWORD`] is wrong.
const MAX_FIELD: usize = 16 * 1024;

/// What was typed.
struct Typed {
    email: String,
    password: Secret,
}

/// What came of it.
enum Attempt<'a> {
    /// It is them.
    Member(Member<'a>),
    /// It is not.
    Wrong,
    /// They have to wait.
    TooMany(TooMany),
}

/// The page.
pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    show(&app, &headers, &parameters).await.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// The form.
pub async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    log_in(&app, address, request).await.unwrap_or_else(|trouble| trouble.page(&app.config))
}

async fn show(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let open = interaction::find(app, headers, parameters).await?;
    let session = sessions::current(app, headers).await?;
    let login = session.map(|session| open.login(&session));
    match decide(app, open.kept.asked.clone(), login).await? {
        Grant::Asked(_) => page(app, &open, "", None).await,
        Grant::LoggedIn(_) | Grant::Consented(_) | Grant::Refused(_) => Ok(to_consent(&open)),
    }
}

async fn log_in(
    app: &App,
    ClientAddress(address): ClientAddress,
    request: Request,
) -> Result<Response, Trouble> {
    let submitted = Submitted::read(app, request).await?;
    submitted.demand_token(&submitted.open.browser, Form::Login)?;
    let Submitted { headers, parameters, open } = submitted;
    let Some(typed) = typed(&parameters) else { return Err(Trouble::Unreadable) };
    match attempt(app, &typed, address).await? {
        Attempt::Member(member) => welcome(app, &headers, &open, &member).await,
        Attempt::Wrong => {
            page(app, &open, &typed.email, Some((StatusCode::UNAUTHORIZED, WRONG.to_owned()))).await
        }
        Attempt::TooMany(many) => wait(app, &open, &typed.email, many).await,
    }
}

async fn attempt<'a>(app: &'a App, typed: &Typed, address: IpAddr) -> Result<Attempt<'a>, Trouble> {
    let attempt = check(app, typed, address).await;
    let (result, throttled) = match &attempt {
        Ok(Attempt::Member(_)) => (LoggedIn::Ok, None),
        Ok(Attempt::Wrong) => (LoggedIn::Wrong, None),
        Ok(Attempt::TooMany(_)) => (LoggedIn::Throttled, Some(Throttled::Login)),
        Err(Overloaded) => (LoggedIn::Overloaded, Some(Throttled::PasswordChecks)),
    };
    app.metrics.logged_in(result);
    throttled.into_iter().for_each(|kind| app.metrics.throttled(kind));
    Ok(attempt?)
}

async fn check<'a>(
    app: &'a App,
    typed: &Typed,
    address: IpAddr,
) -> Result<Attempt<'a>, Overloaded> {
    let place = app.passwords.begin()?;
    let now_ms = millis(app.clock.elapsed());
    let pause = match app.throttle.begin(&typed.email, address, now_ms) {
        Ok(pause) => pause,
        Err(many) => return Ok(Attempt::TooMany(many)),
    };
    time::sleep(pause).await;
    let password = typed.password.clone();
    let checked = app.passwords.check(place, &app.config, &typed.email, password).await?;
    let Some(member) = checked else {
        tracing::info!(%address, "a login failed");
        return Ok(Attempt::Wrong);
    };
    app.throttle.succeeded(&typed.email, address);
    Ok(Attempt::Member(member))
}

/// A new session, whatever the browser had; then on to consent, which knows whether to ask.
async fn welcome(
    app: &App,
    headers: &HeaderMap,
    open: &Open,
    member: &Member<'_>,
) -> Result<Response, Trouble> {
    let session = sessions::begin(app, headers, member).await?;
    app.store.log_into_interaction(&open.kept.id, &session.id).await?;
    tracing::info!(sub = session.login.sub, "a user logged in");
    Ok(with_cookie(to_consent(open), Cookie::Session.set(&app.config.public_url, &session.cookie)))
}

async fn wait(app: &App, open: &Open, email: &str, many: TooMany) -> Result<Response, Trouble> {
    let seconds = many.retry_after.as_millis().div_ceil(1000);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let notice = format!("Too many attempts. Wait {seconds} {unit}, then try again.");
    let mut response =
        page(app, open, email, Some((StatusCode::TOO_MANY_REQUESTS, notice))).await?;
    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    Ok(response)
}

async fn page(
    app: &App,
    open: &Open,
    email: &str,
    notice: Option<(StatusCode, String)>,
) -> Result<Response, Trouble> {
    let (status, notice) =
        notice.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let page = pages::Login {
        style: STYLE,
        gateway: gateway(&app.config),
        client: client_name(app, &open.kept.asked.client_id).await?,
        interaction: open.name.clone(),
        csrf: csrf::token(&open.browser, Form::Login, &open.name),
        email: email.to_owned(),
        notice,
    };
    Ok(pages::respond(status, &page))
}

fn typed(parameters: &Parameters) -> Option<Typed> {
    let email = parameters.text("email", User::MAX_EMAIL).ok()?.unwrap_or_default().to_owned();
    let password = parameters.text("password", MAX_FIELD).ok()?.unwrap_or_default().to_owned();
    Some(Typed { email, password: Secret::new(password) })
}

fn to_consent(open: &Open) -> Response {
    pages::redirect(&format!("/oauth/consent?interaction={}", open.name))
}
