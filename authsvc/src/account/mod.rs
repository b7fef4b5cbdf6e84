//! `GET` and `POST /account`: what a user has let in, and how they end it; their sessions and their password.
//!
//! Whoever is not logged in is sent to the login page, which knows by itself where to go on: nothing in a URL says.

mod access;
mod done;
mod password;
#[cfg(test)]
mod tests;

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use self::done::Done;
use crate::{
    address::ClientAddress,
    audit,
    authorization::{
        authorize::admit,
        grant::Login,
        interaction::{self, Wanted, with_cookie},
        parameters::Parameters,
        read_form,
    },
    clients,
    config::PersonalTokens,
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
    store::{
        self,
        access::{Agreed, Held},
        audit::{Action, Author},
        personal_tokens::PersonalToken,
    },
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
    /// This connection of a client is to end.
    EndConnection(String),
    /// No client is to have access.
    EndAll,
    /// This personal access token is to end.
    EndToken(String),
    /// This browser is to forget who they are.
    SignOut,
    /// Every browser is.
    SignOutEverywhere,
    /// Another password.
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
    let done = Done::told(parameters, &session);
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
    let by = &audit::user(app, &session.login, address);
    match order(&form).ok_or(Trouble::Unreadable)? {
        Order::End(client_id) => end(app, &session, Some(&client_id), by).await,
        Order::EndConnection(id) => end_connection(app, &session, &id, by).await,
        Order::EndToken(id) => end_token(app, &session, &id, by).await,
        Order::EndAll => end(app, &session, None, by).await,
        Order::SignOut => {
            sessions::end(app, &headers).await?;
            Ok(signed_out(app))
        }
        Order::SignOutEverywhere => sign_out_everywhere(app, &session, by).await,
        Order::Password => password::change(app, &headers, &session, &form, address).await,
    }
}

async fn sign_out_everywhere(
    app: &App,
    session: &Session,
    by: &Author,
) -> Result<Response, Trouble> {
    let sub = &session.login.sub;
    app.store.end_sessions(sub, by.does(Action::EndSessions, sub.clone())).await?;
    tracing::info!(sub = session.login.sub, "a user signed out everywhere");
    Ok(signed_out(app))
}

async fn end(
    app: &App,
    session: &Session,
    client: Option<&str>,
    by: &Author,
) -> Result<Response, Trouble> {
    let sub = &session.login.sub;
    let entry = by.does(Action::EndAccess, sub.clone()).with("client", client);
    let grants = app.store.end_access(sub, client, entry).await?;
    app.note_ending();
    tracing::info!(sub, client_id = client, grants, "a user ended access");
    let done = match client {
        Some(client) => Done::Ended(name(app, client).await?),
        None => Done::EndedAll,
    };
    Ok(told(session, &done))
}

/// Of a grant that somebody else gave nothing is said, not even that it is there.
async fn end_connection(
    app: &App,
    session: &Session,
    id: &str,
    by: &Author,
) -> Result<Response, Trouble> {
    let sub = &session.login.sub;
    let grant = app.store.grant(id).await?.filter(|grant| grant.granted.sub == *sub);
    let Some(grant) = grant else { return Ok(redirect()) };
    let client_id = grant.granted.client_id;
    let entry = by.does(Action::EndGrant, id.to_owned()).with("client", client_id.as_str());
    if !app.store.end_grant(id, entry).await? {
        return Ok(redirect());
    }
    app.note_ending();
    tracing::info!(sub, client_id, grant_id = id, "a user ended a connection");
    Ok(told(session, &Done::EndedConnection(name(app, &client_id).await?)))
}

async fn end_token(
    app: &App,
    session: &Session,
    id: &str,
    by: &Author,
) -> Result<Response, Trouble> {
    let sub = &session.login.sub;
    let theirs = living(app, sub).await?.into_iter().find(|token| token.id == id);
    let Some(token) = theirs else { return Ok(redirect()) };
    app.store.revoke_personal_token(id, by.does(Action::RevokeToken, id.to_owned())).await?;
    tracing::info!(sub, id, "a user ended a personal access token");
    Ok(told(session, &Done::EndedToken(access::name(&token))))
}

/// What a client calls itself.
async fn name(app: &App, client_id: &str) -> Result<String, store::Error> {
    let client = app.client(client_id).await?;
    Ok(words::claimed_name(client.and_then(|client| client.name).as_deref()))
}

/// What a user has let in, and what they agreed to.
async fn let_in(app: &App, login: &Login) -> Result<(Vec<Held>, Vec<Agreed>), store::Error> {
    let mut held = app.store.held(&login.sub, &login.credential, app.clock.now_unix()).await?;
    for one in &mut held {
        one.name = clients::name(&app.config, &one.client_id, one.name.take());
    }
    let mut agreed = app.store.agreed(&login.sub).await?;
    for one in &mut agreed {
        one.name = clients::name(&app.config, &one.client_id, one.name.take());
    }
    Ok((held, agreed))
}

/// The personal access tokens that stand for this user, where any are accepted.
async fn living(app: &App, sub: &str) -> Result<Vec<PersonalToken>, store::Error> {
    if lingering(app).is_none() {
        return Ok(Vec::new());
    }
    app.store.personal_tokens_of(sub, app.clock.now_unix()).await
}

/// How long a personal access token that has ended is accepted; nothing where none is.
fn lingering(app: &App) -> Option<String> {
    match app.config.authorization.embedded()?.personal_tokens {
        PersonalTokens::On { cache } => Some(words::duration(cache)),
        PersonalTokens::Off => None,
    }
}

/// To the page, which then says what was done.
fn told(session: &Session, done: &Done) -> Response {
    pages::redirect(&format!("{PATH}?{}", done.sealed(session)))
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
    done: Option<Done>,
    problem: Option<String>,
) -> Result<Response, Trouble> {
    let login = &session.login;
    let member = app.users().by_sub(&login.sub).await?;
    let (held, agreed) = let_in(app, login).await?;
    let lingers = app
        .config
        .authorization
        .embedded()
        .map_or_else(|| LINGERS.to_owned(), |own| words::duration(own.access_token_ttl));
    let tokens = access::tokens(living(app, &login.sub).await?);
    let tokens_linger = lingering(app).unwrap_or_default();
    let page = pages::Account {
        style: STYLE,
        gateway: gateway(&app.config),
        name: login.name.clone(),
        email: login.email.clone().unwrap_or_default(),
        csrf: csrf::token(&session.cookie, Form::Account, PATH),
        done: done.map(|done| done.words(&lingers, &tokens_linger, tokens.len())),
        problem,
        applications: access::applications(&held, &agreed),
        lingers,
        tokens,
        tokens_linger,
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
        "end_connection" => Some(Order::EndConnection(text("grant")?.to_owned())),
        "end_token" => Some(Order::EndToken(text("token")?.to_owned())),
        "end_all" => Some(Order::EndAll),
        "sign_out" => Some(Order::SignOut),
        "sign_out_everywhere" => Some(Order::SignOutEverywhere),
        "password" => Some(Order::Password),
        _ => None,
    }
}
