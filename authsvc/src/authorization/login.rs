//! `GET` and `POST /oauth/login`: who is it?

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    answer::{ErrorCode, Receiver},
    attempt::{Attempt, attempt, begin, password},
    authorize::admit,
    client_name, decide,
    grant::Grant,
    interaction::{self, Open, Wanted, with_cookie},
    parameters::Parameters,
    refuse,
    request::Fault as ClientFault,
    submitted::Submitted,
};
use crate::{
    account,
    address::ClientAddress,
    broker,
    config::User,
    cookies::Cookie,
    csrf::{self, Form},
    federation::{self, Choice, Fault, Place},
    pages::{
        self, PasswordForm, STYLE,
        error::{Trouble, gateway},
    },
    sessions,
    state::App,
    users::Member,
};

/// Said of an unknown address and of a wrong password alike.
const WRONG: &str = "Email or password is wrong.";
/// Longest field but address and password, bytes.
const MAX_FIELD: usize = 64;

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
    let shown = Shown { choice: choice(parameters), ..Shown::default() };
    if is_asked_first(app, &open) {
        return Ok(to_consent(&open));
    }
    let Wanted::Authorization(asked) = &open.kept.wanted else {
        return match session {
            Some(_) => Ok(account::redirect()),
            None => page(app, &open, shown).await,
        };
    };
    let login = session.map(|session| open.login(&session));
    match decide(app, asked.clone(), login).await? {
        Grant::Asked(_) => page(app, &open, shown).await,
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
    if parameters.text("decision", MAX_FIELD).ok().flatten() == Some("deny") {
        return deny(app, open).await;
    }
    if let Some(provider) = parameters.text("provider", MAX_FIELD).ok().flatten() {
        admit(app, address)?;
        if is_asked_first(app, &open) {
            return Ok(to_consent(&open));
        }
        return match app.broker() {
            Some(broker) => broker::sign_in::depart(app, broker, &open, choice(&parameters)).await,
            None => federation::depart(app, &open, provider, choice(&parameters)).await,
        };
    }
    let email = parameters.text("email", User::MAX_EMAIL).map_err(|_error| Trouble::Unreadable)?;
    let email = email.unwrap_or_default();
    let typed = (email, &password(&parameters, "password")?);
    match attempt(app, &begin(app)?, typed, address).await? {
        Attempt::Member(member) => welcome(app, &headers, open, &member).await,
        Attempt::Wrong => {
            let notice = Some((StatusCode::UNAUTHORIZED, WRONG.to_owned()));
            page(app, &open, Shown { email, notice, ..Shown::default() }).await
        }
        Attempt::TooMany(many) => {
            let notice = Some((StatusCode::TOO_MANY_REQUESTS, many.notice()));
            Ok(many.delay(page(app, &open, Shown { email, notice, ..Shown::default() }).await?))
        }
    }
}

/// A new session, whatever the browser had; then on to what they came for: to consent, which knows whether to ask,
/// or to their own page.
///
/// # Errors
/// When the request is closed by now, or the database fails.
pub async fn welcome(
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

/// The page again, after a login at a provider that came to nothing.
///
/// # Errors
/// When the database fails.
pub async fn again(
    app: &App,
    open: &Open,
    at: Place<'_>,
    fault: &Fault,
) -> Result<Response, Trouble> {
    let notice = Some(fault.tell(at, &app.metrics));
    let choice = if fault.is_of_the_account() { Choice::Another } else { Choice::Same };
    page(app, open, Shown { email: "", notice, choice }).await
}

/// Tells the client that its user did not want to; where that is, the page has said.
async fn deny(app: &App, open: Open) -> Result<Response, Trouble> {
    let destination = open.asked()?.destination.clone();
    open.close(app).await?;
    let fault = ClientFault::new(ErrorCode::AccessDenied, "the user did not log in");
    Ok(refuse(app, &destination, &fault))
}

/// Before a provider, nobody is sent there for an application before they agreed.
fn is_asked_first(app: &App, open: &Open) -> bool {
    app.broker().is_some() && matches!(open.kept.wanted, Wanted::Authorization(_))
}

fn choice(parameters: &Parameters) -> Choice {
    match parameters.text("another", MAX_FIELD) {
        Ok(Some(_)) => Choice::Another,
        Ok(None) | Err(_) => Choice::Same,
    }
}

/// What is different from one showing of the page to the next.
struct Shown<'a> {
    email: &'a str,
    notice: Option<(StatusCode, String)>,
    choice: Choice,
}

impl Default for Shown<'_> {
    fn default() -> Self {
        Self { email: "", notice: None, choice: Choice::Same }
    }
}

async fn page(app: &App, open: &Open, shown: Shown<'_>) -> Result<Response, Trouble> {
    let Shown { email, notice, choice } = shown;
    let (status, notice) =
        notice.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let (client, receiver) = match &open.kept.wanted {
        Wanted::Authorization(asked) => {
            let receiver = match asked.destination.receiver() {
                Receiver::Web { host } => host,
                // Its name says nothing to people.
                Receiver::Loopback { .. } | Receiver::PrivateUse { .. } => {
                    "the application".to_owned()
                }
            };
            (Some(client_name(app, &asked.client_id).await?), Some(receiver))
        }
        Wanted::Account => (None, None),
    };
    let button = |name: &str, label: String| pages::ProviderButton { name: name.to_owned(), label };
    let mut providers: Vec<pages::ProviderButton> = app
        .federation
        .iter()
        .map(|one| button(&one.settings.name, one.settings.label.clone()))
        .collect();
    providers.extend(app.broker().map(|broker| button(broker.name(), broker.settings.label())));
    let password = match (app.users().has_passwords().await?, providers.is_empty()) {
        (true, _) => PasswordForm::There,
        (false, true) => PasswordForm::Useless,
        (false, false) => PasswordForm::Absent,
    };
    let page = pages::Login {
        style: STYLE,
        gateway: gateway(&app.config),
        client,
        receiver,
        interaction: open.name.clone(),
        csrf: csrf::token(&open.browser, Form::Login, &open.name),
        email: email.to_owned(),
        notice,
        password,
        is_another: choice == Choice::Another,
        providers,
    };
    Ok(pages::respond(status, &page))
}

fn to_consent(open: &Open) -> Response {
    pages::redirect(&format!("/oauth/consent?interaction={}", open.name))
}
