//! `GET` and `POST /oauth/consent`: may it? Nothing about a registration speaks for a client, so the user does.

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    client_name, decide, finish,
    grant::{Grant, LoggedIn},
    interaction::{self, Open, with_cookie},
    parameters::Parameters,
    refuse, remember,
    request::Asked,
    submitted::Submitted,
    vendors,
};
use crate::{
    address::ClientAddress,
    broker,
    cimd::id::host_of,
    clients,
    cookies::Cookie,
    csrf::{self, Form},
    pages::{
        self, STYLE,
        error::{Trouble, gateway},
        words::{self, Scope},
    },
    sessions::{self, Session},
    state::App,
};

/// Longest field of the form, bytes.
const MAX_FIELD: usize = 128;

/// What the user decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    Allow,
    Deny,
    /// Somebody else is to be asked.
    Switch,
}

/// The page, or the answer where the user has agreed before.
pub async fn get(
    State(app): State<App>,
    address: ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let shown = match app.broker() {
        Some(broker) => broker::consent::show(&app, broker, address, (&headers, &parameters)).await,
        None => show(&app, &headers, &parameters).await,
    };
    shown.unwrap_or_else(|trouble| trouble.page(&app.config))
}

/// The form.
pub async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    let answered = match app.broker() {
        Some(broker) => broker::consent::answer(&app, broker, address, request).await,
        None => answer(&app, request).await,
    };
    answered.unwrap_or_else(|trouble| trouble.page(&app.config))
}

async fn show(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let open = interaction::find(app, headers, parameters).await?;
    let asked = open.asked()?.clone();
    let Some(session) = sessions::current(app, headers).await? else { return Ok(to_login(&open)) };
    let login = open.login(&session);
    match decide(app, asked, Some(login)).await? {
        Grant::Asked(_) => Ok(to_login(&open)),
        Grant::LoggedIn(waiting) => page(app, &open, &session, &waiting).await,
        Grant::Consented(consented) => {
            open.close(app).await?;
            finish(app, &consented).await
        }
        Grant::Refused(refused) => {
            open.close(app).await?;
            Ok(refuse(app, &refused.asked.destination, &refused.fault))
        }
    }
}

async fn answer(app: &App, request: Request) -> Result<Response, Trouble> {
    let submitted = Submitted::read(app, request).await?;
    let asked = submitted.open.asked()?.clone();
    let Some(session) = sessions::current(app, &submitted.headers).await? else {
        return Ok(to_login(&submitted.open));
    };
    submitted.demand_token(&session.cookie, Form::Consent)?;
    let Submitted { headers, parameters, open } = submitted;
    let Some(decision) = decision(&parameters) else { return Err(Trouble::Unreadable) };
    if decision == Decision::Switch {
        return switch(app, &headers, &open).await;
    }
    let login = open.login(&session);
    let Grant::LoggedIn(waiting) = asked.logged_in(Some(login)) else {
        return Ok(to_login(&open));
    };
    open.close(app).await?;
    if decision == Decision::Allow { allow(app, waiting).await } else { Ok(deny(app, waiting)) }
}

async fn allow(app: &App, waiting: LoggedIn) -> Result<Response, Trouble> {
    let consented = waiting.allowed();
    remember(app, &consented).await?;
    finish(app, &consented).await
}

fn deny(app: &App, waiting: LoggedIn) -> Response {
    let refused = waiting.denied();
    refuse(app, &refused.asked.destination, &refused.fault)
}

async fn switch(app: &App, headers: &HeaderMap, open: &Open) -> Result<Response, Trouble> {
    sessions::end(app, headers).await?;
    let another = pages::redirect(&format!("/oauth/login?interaction={}&another=1", open.name));
    Ok(with_cookie(another, Cookie::Session.remove(&app.config.public_url)))
}

async fn page(
    app: &App,
    open: &Open,
    session: &Session,
    waiting: &LoggedIn,
) -> Result<Response, Trouble> {
    let page = pages::Consent {
        account: Some(waiting.login().name.clone()),
        ..described(app, open, waiting.asked(), &session.cookie).await?
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

/// What the page says of a request, whoever is asked; `cookie` is what the token of its form depends on.
pub(crate) async fn described(
    app: &App,
    open: &Open,
    asked: &Asked,
    cookie: &str,
) -> Result<pages::Consent, Trouble> {
    let receiver = asked.destination.receiver();
    let (shown, receiver_note) = words::receiver(&receiver);
    let client = client_name(app, &asked.client_id).await?;
    let is_configured = clients::with_id(&app.config, &asked.client_id).is_some();
    Ok(pages::Consent {
        style: STYLE,
        gateway: gateway(&app.config),
        pretended: vendors::pretended(&client, &receiver).filter(|_| !is_configured),
        client,
        is_configured,
        described_by: host_of(&asked.client_id),
        interaction: open.name.clone(),
        csrf: csrf::token(cookie, Form::Consent, &open.name),
        scopes: asked.scopes.iter().map(|scope| Scope::explain(scope)).collect(),
        resources: asked.resources.clone(),
        receiver: shown,
        receiver_note,
        redirect_uri: asked.destination.redirect_uri.clone(),
        warning: words::warning(&receiver),
        account: None,
        elsewhere: None,
        notice: None,
    })
}

pub(crate) fn decision(parameters: &Parameters) -> Option<Decision> {
    match parameters.text("decision", MAX_FIELD).ok().flatten()? {
        "allow" => Some(Decision::Allow),
        "deny" => Some(Decision::Deny),
        "switch" => Some(Decision::Switch),
        _ => None,
    }
}

fn to_login(open: &Open) -> Response {
    pages::redirect(&format!("/oauth/login?interaction={}", open.name))
}
