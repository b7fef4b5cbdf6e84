//! `GET` and `POST /oauth/login`: who is it?

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    attempt::{Attempt, attempt, begin, password},
    client_name, decide,
    grant::Grant,
    interaction::{self, Open, Wanted, with_cookie},
    parameters::Parameters,
    submitted::Submitted,
};
use crate::{
    account,
    address::ClientAddress,
    config::User,
    cookies::Cookie,
    csrf::{self, Form},
    pages::{
        self, STYLE,
        error::{Trouble, gateway},
    },
    sessions,
    state::App,
    users::Member,
};

/// Said of an unknown address and of a wrong password alike.
const WRONG: &str = "Email or password is wrong.";

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
    let Wanted::Authorization(asked) = &open.kept.wanted else {
        return match session {
            Some(_) => Ok(account::redirect()),
            None => page(app, &open, "", None).await,
        };
    };
    let login = session.map(|session| open.login(&session));
    match decide(app, asked.clone(), login).await? {
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
    let email = parameters.text("email", User::MAX_EMAIL).map_err(|_error| Trouble::Unreadable)?;
    let email = email.unwrap_or_default();
    let typed = (email, &password(&parameters, "password")?);
    match attempt(app, &begin(app)?, typed, address).await? {
        Attempt::Member(member) => welcome(app, &headers, open, &member).await,
        Attempt::Wrong => {
            page(app, &open, email, Some((StatusCode::UNAUTHORIZED, WRONG.to_owned()))).await
        }
        Attempt::TooMany(many) => {
            let notice = Some((StatusCode::TOO_MANY_REQUESTS, many.notice()));
            Ok(many.delay(page(app, &open, email, notice).await?))
        }
    }
}

/// A new session, whatever the browser had; then on to what they came for: to consent, which knows whether to ask,
/// or to their own page.
async fn welcome(
    app: &App,
    headers: &HeaderMap,
    open: Open,
    member: &Member,
) -> Result<Response, Trouble> {
    let session = sessions::begin(app, headers, member).await?;
    tracing::info!(sub = session.login.sub, "a user logged in");
    let next = match open.kept.wanted {
        Wanted::Authorization(_) => {
            app.store.log_into_interaction(&open.kept.id, &session.id).await?;
            to_consent(&open)
        }
        Wanted::Account => {
            open.close(app).await?;
            account::redirect()
        }
    };
    Ok(with_cookie(next, Cookie::Session.set(&app.config.public_url, &session.cookie)))
}

async fn page(
    app: &App,
    open: &Open,
    email: &str,
    notice: Option<(StatusCode, String)>,
) -> Result<Response, Trouble> {
    let (status, notice) =
        notice.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let client = match &open.kept.wanted {
        Wanted::Authorization(asked) => Some(client_name(app, &asked.client_id).await?),
        Wanted::Account => None,
    };
    let page = pages::Login {
        style: STYLE,
        gateway: gateway(&app.config),
        client,
        interaction: open.name.clone(),
        csrf: csrf::token(&open.browser, Form::Login, &open.name),
        email: email.to_owned(),
        notice,
        has_users: app.users().has_anybody().await?,
    };
    Ok(pages::respond(status, &page))
}

fn to_consent(open: &Open) -> Response {
    pages::redirect(&format!("/oauth/consent?interaction={}", open.name))
}
