//! Back from the provider: who it is, and what it gave. What the browser takes on to the
//! client is a code of ours.

use attache_protocol::secret::Secret;
use axum::{http::StatusCode, response::Response};
use tokio::time;

use super::{
    Broker,
    access::Unaccepted,
    consent,
    departure::login,
    held::{Held, Owner},
    registrar::NoClient,
    sign_in::OPENID,
};
use crate::{
    authorization::{
        answer::ErrorCode,
        decide,
        grant::{Freshness, Grant},
        hand_out,
        interaction::with_cookie,
        refuse, remember,
        request::{Asked, Fault, Prompt},
    },
    callback::Back,
    config::{Client, IdentityClaims},
    cookies::Cookie,
    pages::{
        self,
        error::Trouble,
        words::{unavailable, unusable},
    },
    sessions,
    state::App,
    store::{self, accounts::Account},
    upstream::{
        Error, PATIENCE,
        callback::{BadReturn, Returned},
        exchange::{Code, Tokens},
        id_token::{Expected, Refused},
        identity::{self, Identity},
        trip::Trip,
    },
    users::{self, Member},
};

const SWITCHED_OFF: &str = "whoever runs this gateway has switched this account off";

fn switched_off(sub: &str) {
    tracing::info!(sub, "somebody who is switched off came from the identity provider");
}

fn failed(reason: &str) {
    tracing::warn!(reason, "a login at the identity provider failed");
}

/// Why the browser goes on without a code.
#[derive(Debug)]
enum Failure {
    /// The provider says no.
    Said(String),
    /// It does not answer, or nothing that can be used.
    Provider(String, Option<Error>),
    /// They may not come in.
    SwitchedOff(String),
    /// The way there was begun anew, or is over.
    Over,
    /// Our own.
    Store(store::Error),
}

/// Sends the browser on to the client with a code, or says why there is none.
///
/// # Errors
/// When the database fails.
pub async fn arrive(app: &App, broker: &Broker, back: &Back<'_>) -> Result<Response, Trouble> {
    let asked = back.open.asked()?;
    let came = Came { app, broker, back, asked };
    match came.tokens().await {
        Ok((member, held)) => welcome(came, &member, &held).await,
        Err(Failure::Store(error)) => Err(error.into()),
        Err(failure) => came.fail(&failure).await,
    }
}

/// Somebody who came back.
#[derive(Clone, Copy)]
struct Came<'a> {
    app: &'a App,
    broker: &'a Broker,
    back: &'a Back<'a>,
    asked: &'a Asked,
}

impl Came<'_> {
    /// Who it is, kept as they are from now on, and what the provider gave.
    async fn tokens(self) -> Result<(Member, Held), Failure> {
        let Self { app, broker, back, .. } = self;
        let trip = back.trip(app, broker.name()).await?.ok_or(Failure::Over)?;
        let redeemed = time::timeout(PATIENCE, self.redeem(&trip)).await;
        let (identity, held) = redeemed.map_err(|_late| Failure::from(Error::late("answer")))??;
        let account = broker.keep(app, identity).await?;
        let member = app.users().by_sub(&account.id).await?;
        Ok((member.ok_or(Failure::SwitchedOff(account.id))?, held))
    }

    async fn redeem(self, trip: &Trip) -> Result<(Identity, Held), Failure> {
        let Self { app, broker, back, asked } = self;
        let code = match broker.provider.returned(back.parameters).await?? {
            Returned::Code(code) => code,
            Returned::Error { code, description } => {
                tracing::info!(code, description, "the identity provider sent somebody back");
                return Err(Failure::Said(code));
            }
        };
        let client = broker.client_of(app, login(&back.open, asked)).await?;
        let redirect_uri = broker.callback(app);
        let code = Code { code: &code, verifier: &trip.verifier, redirect_uri: &redirect_uri };
        let more = broker.resource(&asked.resources);
        let tokens = match broker.provider.redeem(&client, code, &more).await {
            Err(error @ Error::Client(_)) => {
                // It has forgotten us: next time it is made acquainted anew.
                broker.forget_client(app, &asked.client_id, &client.id).await?;
                return Err(error.into());
            }
            tokens => tokens?,
        };
        let identity = self.identify(&client, trip, &tokens).await?;
        Ok((identity, Held::new(&client.id, tokens, app.clock.now_ms())))
    }

    /// Who it is: by the ID token, or where there is none by the access token.
    async fn identify(
        self,
        client: &Client,
        trip: &Trip,
        tokens: &Tokens,
    ) -> Result<Identity, Failure> {
        let Self { app, broker, asked, .. } = self;
        let Some(token) = &tokens.id else {
            if broker.scopes(&asked.scopes).iter().any(|scope| scope == OPENID) {
                // Without it nobody would look at the nonce.
                return Err(Refused::Missing.into());
            }
            let token = tokens.access.reveal();
            let claims = broker.examine(app, token, &asked.resources).await?.claims;
            return Ok(Identity {
                issuer: claims.iss,
                subject: claims.sub,
                email: None,
                name: None,
                groups: claims.groups,
            });
        };
        Ok(broker.who(client, trip, (token, &tokens.access)).await?)
    }

    /// Goes on without a code: with a page from where it can be tried again, or, where the user or the client wants
    /// that, back to the client.
    async fn fail(self, failure: &Failure) -> Result<Response, Trouble> {
        let Self { app, broker, back, asked } = self;
        let open = &back.open;
        let host = broker.settings.label();
        let (code, notice) = match failure {
            Failure::Said(code) => said(code, &host),
            Failure::SwitchedOff(sub) => {
                switched_off(sub);
                return self.refuse(ErrorCode::AccessDenied, SWITCHED_OFF).await;
            }
            Failure::Over => {
                let text =
                    format!("That sign-in at {host} is over, or another one was begun since.");
                (None, (StatusCode::BAD_REQUEST, text))
            }
            Failure::Provider(reason, error) => {
                failed(reason);
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
        self.refuse(code, description(code)).await
    }

    /// Tells the client.
    async fn refuse(self, code: ErrorCode, description: &'static str) -> Result<Response, Trouble> {
        self.back.open.clone().close(self.app).await?;
        let fault = Fault::new(code, description);
        Ok(refuse(self.app, &self.asked.destination, &fault))
    }
}

impl Broker {
    /// Keeps somebody who has just logged in. Not every login asks for a name and an address, so what this one does not
    /// say stays as it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep(&self, app: &App, identity: Identity) -> Result<Account, store::Error> {
        let now = app.clock.now_unix();
        let mut account = users::account(&app.config, self.name(), identity, now);
        if let Some(earlier) = app.store.account(&account.id).await? {
            account.email = account.email.or(earlier.email);
            account.name = account.name.or(earlier.name);
        }
        app.store.log_in_account(&account).await
    }

    /// Where the provider says who somebody is.
    #[must_use]
    pub fn identity_claims(&self) -> IdentityClaims {
        let names = &self.settings.tokens.claims;
        IdentityClaims {
            email: names.email.clone(),
            groups: names.groups.clone(),
            ..IdentityClaims::default()
        }
    }

    /// Who it is, by the ID token that came with this access token.
    ///
    /// # Errors
    /// When it is not good, or the provider does not answer.
    pub async fn who(
        &self,
        client: &Client,
        trip: &Trip,
        (token, access): (&Secret, &Secret),
    ) -> Result<Identity, Error> {
        let expected = Expected {
            client_id: &client.id,
            nonce: &trip.nonce,
            hosted_domain: None,
            access_token: Some(access),
        };
        let verified = self.provider.verify(token, expected).await?;
        // The UserInfo endpoint takes no access token that is for a resource of ours.
        Ok(identity::read(verified, &serde_json::Map::new(), &self.identity_claims()))
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
async fn welcome(came: Came<'_>, member: &Member, held: &Held) -> Result<Response, Trouble> {
    let Came { app, broker, back, asked } = came;
    let open = &back.open;
    let session = sessions::begin(app, back.headers, member).await?;
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
