//! `GET /oauth/callback/{name}`, back from the provider: who it is, and what it gave. What the browser takes on to the
//! client is a code of ours.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::time;

use super::{
    Broker, PATIENCE,
    access::Unaccepted,
    consent,
    departure::{unavailable, unusable},
    held::{Held, Owner},
    registrar::NoClient,
};
use crate::{
    authorization::{
        answer::ErrorCode,
        decide,
        grant::{Consented, Freshness, Grant},
        hand_out,
        interaction::{self, Open, with_cookie},
        parameters::{MAX_LENGTH, Parameters},
        parties, refuse,
        request::{Asked, Fault, Prompt},
    },
    config::{Client, IdentityClaims},
    cookies::Cookie,
    pages::{self, error::Trouble},
    refusal::NotFound,
    sessions,
    state::App,
    store::{self, accounts::Account},
    upstream::{
        Error,
        callback::{BadReturn, Returned},
        exchange::{Code, Tokens},
        id_token::{Expected, Refused},
        identity,
        trip::Trip,
    },
    users::{self, Member},
};

/// Longest `state` that is looked at, bytes; ours are shorter.
const MAX_STATE: usize = 256;

/// Why the browser goes on without a code.
#[derive(Debug)]
enum Failure {
    /// The provider says no.
    Said(String),
    /// It does not answer, or nothing that can be used.
    Provider(String, Option<Error>),
    /// They may not come in.
    SwitchedOff,
    /// The way there was begun anew, or is over.
    Over,
    /// Our own.
    Store(store::Error),
}

/// Takes the answer of the provider.
pub async fn arrive(
    app: &App,
    broker: &Broker,
    name: &str,
    headers: &HeaderMap,
    query: &str,
) -> Response {
    if name != broker.name() {
        return NotFound.into_response();
    }
    let outcome = if query.len() > MAX_LENGTH {
        Err(Trouble::Unreadable)
    } else {
        take(app, broker, headers, &Parameters::parse(query.as_bytes())).await
    };
    outcome.unwrap_or_else(|trouble| trouble.page(&app.config))
}

async fn take(
    app: &App,
    broker: &Broker,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Trouble> {
    let state = parameters.text("state", MAX_STATE).ok().flatten().ok_or(Trouble::NotYours)?;
    let interaction = Trip::interaction(state).ok_or(Trouble::NotYours)?;
    let open = interaction::named(app, headers, interaction).await?;
    let asked = open.asked()?.clone();
    let came = Came { app, broker, open: &open, asked: &asked };
    match came.tokens(parameters, state).await {
        Ok((member, held)) => welcome(came, headers, &member, &held).await,
        Err(Failure::Store(error)) => Err(error.into()),
        Err(failure) => came.fail(&failure).await,
    }
}

/// Somebody who came back.
#[derive(Clone, Copy)]
struct Came<'a> {
    app: &'a App,
    broker: &'a Broker,
    open: &'a Open,
    asked: &'a Asked,
}

impl Came<'_> {
    /// Who it is, kept as they are from now on, and what the provider gave.
    async fn tokens(self, parameters: &Parameters, state: &str) -> Result<(Member, Held), Failure> {
        let Self { app, broker, open, .. } = self;
        // Before anything else, so that whatever comes of it comes once.
        if !app.store.end_trip(&open.kept.id, &Trip::digest(state, broker.name())).await? {
            return Err(Failure::Over);
        }
        let trip = Trip::of(state.to_owned(), &open.browser);
        let redeemed = time::timeout(PATIENCE, self.redeem(&trip, parameters)).await;
        let (account, held) = redeemed.map_err(|_late| Failure::from(Error::late("answer")))??;
        let account = app.store.log_in_account(&account).await?;
        let member = app.users().by_sub(&account.id).await?;
        Ok((member.ok_or(Failure::SwitchedOff)?, held))
    }

    async fn redeem(
        self,
        trip: &Trip,
        parameters: &Parameters,
    ) -> Result<(Account, Held), Failure> {
        let Self { app, broker, asked, .. } = self;
        let code = match broker.provider.returned(parameters).await?? {
            Returned::Code(code) => code,
            Returned::Error { code, description } => {
                tracing::info!(code, description, "the identity provider sent somebody back");
                return Err(Failure::Said(code));
            }
        };
        let client = broker.client_of(app, asked, trip).await?;
        let redirect_uri = broker.callback(app);
        let code = Code { code: &code, verifier: &trip.verifier, redirect_uri: &redirect_uri };
        let more = broker.resource(&asked.resources);
        let tokens = match broker.provider.redeem(&client, code, &more).await {
            Err(error @ Error::Client(_)) => {
                // It has forgotten us: next time it is made acquainted anew.
                broker.forget_client(app, &asked.client_id).await?;
                return Err(error.into());
            }
            tokens => tokens?,
        };
        let account = self.identify(&client, trip, &tokens).await?;
        Ok((account, Held::new(&client.id, tokens, app.clock.now_ms())))
    }

    /// Who it is: by the ID token, or where there is none by the access token.
    async fn identify(
        self,
        client: &Client,
        trip: &Trip,
        tokens: &Tokens,
    ) -> Result<Account, Failure> {
        let Self { app, broker, asked, .. } = self;
        let names = &broker.settings.tokens.claims;
        let (issuer, subject, email, name, groups) = if let Some(token) = &tokens.id {
            let claims = IdentityClaims {
                email: names.email.clone(),
                groups: names.groups.clone(),
                ..IdentityClaims::default()
            };
            let expected = Expected {
                client_id: &client.id,
                nonce: &trip.nonce,
                hosted_domain: None,
                access_token: Some(&tokens.access),
            };
            let verified = broker.provider.verify(token, expected).await?;
            // The UserInfo endpoint takes no access token that is for a resource of ours.
            let known = identity::read(verified, &serde_json::Map::new(), &claims);
            let email = known.email.as_ref().map(|email| email.as_str().to_owned());
            (known.issuer, known.subject, email, known.name, known.groups)
        } else {
            let token = tokens.access.reveal();
            let claims = broker.examine(app, token, &asked.resources).await?.claims;
            (claims.iss, claims.sub, None, None, claims.groups)
        };
        let now = app.clock.now_unix();
        Ok(Account {
            id: users::sub_of(&app.config, &issuer, &subject),
            provider: broker.name().to_owned(),
            issuer,
            subject,
            email,
            name,
            groups,
            created_at: now,
            seen_at: now,
            disabled_at: None,
            epoch: 0,
        })
    }

    /// Goes on without a code: with a page from where it can be tried again, or, where the user or the client wants
    /// that, back to the client.
    async fn fail(self, failure: &Failure) -> Result<Response, Trouble> {
        let Self { app, broker, open, asked } = self;
        let host = broker.settings.label();
        let (code, notice) = match failure {
            Failure::Said(code) => said(code, &host),
            Failure::SwitchedOff => {
                let text = "whoever runs this gateway has switched this account off";
                (Some(ErrorCode::AccessDenied), (StatusCode::FORBIDDEN, text.to_owned()))
            }
            Failure::Over => {
                let text =
                    format!("That sign-in at {host} is over, or another one was begun since.");
                (None, (StatusCode::BAD_REQUEST, text))
            }
            Failure::Provider(reason, error) => {
                tracing::warn!(reason, "a login at the identity provider failed");
                let passing = matches!(error, Some(Error::Unreachable { .. }));
                (None, if passing { unavailable(&host) } else { unusable(&host) })
            }
            Failure::Store(_) => return Err(Trouble::Broken),
        };
        let code =
            code.or_else(|| asked.prompt.contains(&Prompt::None).then_some(ErrorCode::ServerError));
        let Some(code) = code else {
            return consent::page(app, broker, (open, asked), Some(notice)).await;
        };
        open.clone().close(app).await?;
        let fault = Fault::new(code, description(code));
        Ok(refuse(app, &asked.destination, &fault))
    }
}

/// What an error of the provider means: for the client, or for whoever reads the page.
fn said(code: &str, host: &str) -> (Option<ErrorCode>, (StatusCode, String)) {
    let for_client = match code {
        "access_denied" => Some(ErrorCode::AccessDenied),
        "login_required" | "account_selection_required" => Some(ErrorCode::LoginRequired),
        "consent_required" | "interaction_required" => Some(ErrorCode::ConsentRequired),
        _ => None,
    };
    let passing = matches!(code, "temporarily_unavailable" | "server_error");
    (for_client, if passing { unavailable(host) } else { unusable(host) })
}

const fn description(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::AccessDenied => "the user did not log in at the identity provider",
        ErrorCode::LoginRequired => "nobody is logged in at the identity provider",
        ErrorCode::ConsentRequired => "the identity provider must ask the user",
        ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedResponseType
        | ErrorCode::InvalidTarget
        | ErrorCode::RequestNotSupported
        | ErrorCode::RequestUriNotSupported
        | ErrorCode::ServerError => "the identity provider is of no use just now",
    }
}

/// On to the client, with a code; or, if somebody else came back than had agreed, to the question.
async fn welcome(
    came: Came<'_>,
    headers: &HeaderMap,
    member: &Member,
    held: &Held,
) -> Result<Response, Trouble> {
    let Came { app, broker, open, asked } = came;
    let session = sessions::begin(app, headers, member).await?;
    tracing::info!(sub = session.login.sub, "a user logged in at the identity provider");
    let cookie = Cookie::Session.set(&app.config.public_url, &session.cookie);
    let login = (session.login.clone(), Freshness::ForThisRequest);
    let consented = match (open.kept.agreed_at, decide(app, asked.clone(), Some(login)).await?) {
        (_, Grant::Consented(consented)) => Some(consented),
        (Some(_), Grant::LoggedIn(waiting)) => Some(waiting.allowed()),
        (None, Grant::LoggedIn(_)) | (_, Grant::Asked(_) | Grant::Refused(_)) => None,
    };
    let Some(consented) = consented else {
        app.store.log_into_interaction(&open.kept.id, &session.id).await?;
        let question = format!("/oauth/consent?interaction={}", open.name);
        return Ok(with_cookie(pages::redirect(&question), cookie));
    };
    open.clone().close(app).await?;
    remember(app, &consented).await?;
    let code = app.random.token();
    let sealed = broker.seal(held, Owner::Code(&store::digest(&code)), &app.random);
    let answer = hand_out(app, &consented, &code, Some(sealed.ok_or(Trouble::Broken)?)).await?;
    Ok(with_cookie(answer, cookie))
}

async fn remember(app: &App, consented: &Consented) -> Result<(), Trouble> {
    let (asked, login) = (consented.asked(), consented.login());
    if let Some(parties) = parties(asked, login, &asked.destination.receiver()) {
        let now = app.clock.now_unix();
        app.store.remember_consent(parties, &asked.resources, &asked.scopes, now).await?;
    }
    Ok(())
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Provider(error.to_string(), Some(error))
    }
}

impl From<BadReturn> for Failure {
    fn from(error: BadReturn) -> Self {
        Self::Provider(error.to_string(), None)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::from(Error::from(refused))
    }
}

impl From<NoClient> for Failure {
    fn from(error: NoClient) -> Self {
        match error {
            NoClient::Provider(error) => error.into(),
            NoClient::Store(error) => error.into(),
            NoClient::Sealed => Self::Provider(error.to_string(), None),
        }
    }
}

impl From<Unaccepted> for Failure {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the many others are told alike, each in its words"
    )]
    fn from(error: Unaccepted) -> Self {
        match error {
            Unaccepted::Provider(error) => error.into(),
            Unaccepted::Store(error) => error.into(),
            other => Self::Provider(format!("the access token: {other}"), None),
        }
    }
}
