//! `GET` and `POST /account`: what a user has let in, and how they end it; their sessions and their password.
//!
//! Whoever is not logged in is sent to the login page, which knows by itself where to go on: nothing in a URL says.

mod access;
mod password;
#[cfg(test)]
mod tests;

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use crate::{
    address::ClientAddress,
    authorization::{
        authorize::admit,
        interaction::{self, Wanted, with_cookie},
        parameters::Parameters,
        read_form,
    },
    cookies::Cookie,
    csrf::{self, Form},
    pages::{
        self, STYLE,
        error::{Trouble, gateway},
        words,
    },
    password::SHORTEST,
    sessions::{self, Session},
    state::App,
    store::endings::EndedBy,
    users::Source,
};

const PATH: &str = "/account";
/// How long access lingers where a provider decides it.
const LINGERS: &str = "the life of its access token";
/// Longest field but a password, bytes.
const MAX_FIELD: usize = 2048;

/// What a user wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Order {
    /// This client is to have no access any more.
    End(String),
    /// No client is.
    EndAll,
    /// This browser is to forget who they are.
    SignOut,
    /// Every browser is.
    SignOutEverywhere,
    /// Another password.
    Password,
}

/// What was done, as the next page tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Done {
    Ended,
    EndedAll,
    Password,
}

/// The page.
pub async fn get(
    State(app): State<App>,
    address: ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let shown = show(&app, address, &headers, &parameters).await;
    shown.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// Its forms.
pub async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    obey(&app, address, request).await.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// To the page.
#[must_use]
pub fn redirect() -> Response {
    pages::redirect(PATH)
}

async fn show(
    app: &App,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let Some(session) = sessions::current(app, headers).await? else {
        admit(app, address)?;
        return interaction::begin(app, headers, Wanted::Account, "/oauth/login").await;
    };
    let done = Done::told(parameters, &session).map(Done::words);
    page(app, &session, StatusCode::OK, done, None).await
}

async fn obey(
    app: &App,
    ClientAddress(address): ClientAddress,
    request: Request,
) -> Result<Response, Trouble> {
    let headers = request.headers().clone();
    if !csrf::is_same_origin(&app.config.public_url, &headers) {
        return Err(Trouble::ForeignForm);
    }
    let form = read_form(request).await?;
    let Some(session) = sessions::current(app, &headers).await? else { return Ok(redirect()) };
    let token = form.text("csrf", MAX_FIELD).ok().flatten().unwrap_or_default();
    if !csrf::matches(token, &session.cookie, Form::Account, PATH) {
        return Err(Trouble::ForeignForm);
    }
    match order(&form).ok_or(Trouble::Unreadable)? {
        Order::End(client_id) => end(app, &session, Some(&client_id)).await,
        Order::EndAll => end(app, &session, None).await,
        Order::SignOut => {
            sessions::end(app, &headers).await?;
            Ok(signed_out(app))
        }
        Order::SignOutEverywhere => {
            app.store.end_sessions(&session.login.sub).await?;
            tracing::info!(sub = session.login.sub, "a user signed out everywhere");
            Ok(signed_out(app))
        }
        Order::Password => password::change(app, &headers, &session, &form, address).await,
    }
}

async fn end(app: &App, session: &Session, client: Option<&str>) -> Result<Response, Trouble> {
    let (sub, now) = (&session.login.sub, app.clock.now_unix());
    let grants = app.store.end_access(sub, client, EndedBy::User, now).await?;
    tracing::info!(sub, client_id = client, grants, "a user ended access");
    Ok(told(session, if client.is_some() { Done::Ended } else { Done::EndedAll }))
}

/// To the page, which then says what was done.
fn told(session: &Session, done: Done) -> Response {
    let seal = csrf::token(&session.cookie, Form::Done, done.as_str());
    pages::redirect(&format!("{PATH}?done={}&seal={seal}", done.as_str()))
}

fn signed_out(app: &App) -> Response {
    let page = pages::SignedOut { style: STYLE, gateway: gateway(&app.config) };
    let forget = Cookie::Session.remove(&app.config.public_url);
    with_cookie(pages::respond(StatusCode::OK, &page), forget)
}

async fn page(
    app: &App,
    session: &Session,
    status: StatusCode,
    done: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Trouble> {
    let login = &session.login;
    let member = app.users().by_sub(&login.sub).await?;
    let held = app.store.held(&login.sub, &login.credential, app.clock.now_unix()).await?;
    let agreed = app.store.agreed(&login.sub).await?;
    let page = pages::Account {
        style: STYLE,
        gateway: gateway(&app.config),
        name: login.name.clone(),
        email: login.email.clone().unwrap_or_default(),
        csrf: csrf::token(&session.cookie, Form::Account, PATH),
        done,
        problem,
        applications: access::applications(&held, &agreed),
        lingers: app
            .config
            .authorization
            .embedded()
            .map_or_else(|| LINGERS.to_owned(), |own| words::duration(own.access_token_ttl)),
        elsewhere: elsewhere(member.map(|member| member.source)),
        shortest: SHORTEST,
    };
    Ok(pages::respond(status, &page))
}

/// Where somebody changes their password who cannot do it here.
fn elsewhere(source: Option<Source>) -> Option<String> {
    match source {
        Some(Source::Database { .. }) => None,
        Some(Source::Provider { label, .. }) => {
            Some(format!("You sign in at {label}: your password, if you have one, is kept there."))
        }
        Some(Source::Configuration { .. }) | None => Some(
            "Your password is kept in the configuration of this gateway. Whoever runs it can change it."
                .to_owned(),
        ),
    }
}

fn order(form: &Parameters) -> Option<Order> {
    let text = |name| form.text(name, MAX_FIELD).ok().flatten();
    match text("order")? {
        "end" => Some(Order::End(text("client")?.to_owned())),
        "end_all" => Some(Order::EndAll),
        "sign_out" => Some(Order::SignOut),
        "sign_out_everywhere" => Some(Order::SignOutEverywhere),
        "password" => Some(Order::Password),
        _ => None,
    }
}

impl Done {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::EndedAll => "ended_all",
            Self::Password => "password",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Ended => "Its access has ended.",
            Self::EndedAll => "All access has ended.",
            Self::Password => {
                "Your password is changed. You are signed out everywhere else, and every application has to ask you again."
            }
        }
    }

    /// What this session was told was done: anyone can make up a link that says so.
    fn told(parameters: &Parameters, session: &Session) -> Option<Self> {
        let text = |name| parameters.text(name, MAX_FIELD).ok().flatten();
        let (named, seal) = (text("done")?, text("seal")?);
        [Self::Ended, Self::EndedAll, Self::Password].into_iter().find(|done| {
            done.as_str() == named
                && csrf::matches(seal, &session.cookie, Form::Done, done.as_str())
        })
    }
}
