//! The token endpoint before a provider: what it gave is handed out, and new ones are got for a refresh token of ours.
//!
//! A provider may take each of its refresh tokens once. So of all who come for the same grant, here and at other replicas,
//! one asks, and the others take what came of it; whoever asks finishes, whether or not anybody waits; and a refresh token
//! of ours is used up only when there is something to give for it.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::time;

use super::{
    Broker,
    access::{Accepted, Unaccepted, lacks_scopes},
    held::{Held, Owner},
    registrar::NoClient,
};
use crate::{
    audit,
    authorization::{resource, scope::OFFLINE_ACCESS},
    clock::millis,
    config::{Client, Registrar, Server},
    refusal::{NO_STORE, Refusal},
    state::{App, Issuance},
    store::{audit::Action, brokered::Turn, codes::Granted, grants::FromProvider},
    token::issue::{Family, Portion},
    upstream::Error,
};

/// How long somebody who gets new tokens is left alone: longer than that takes, or two would use one refresh token.
const TURN: Duration = Duration::from_secs(30);
/// How long that may take.
const ASKING: Duration = Duration::from_secs(25);
/// How often the others look.
const LOOK: Duration = Duration::from_millis(100);
/// How long they do; the request itself may take 15 s.
const WAIT: Duration = Duration::from_secs(11);
/// An access token with less life than this is not given out again, seconds.
const SHORT: i64 = 30;

/// Tokens of the provider that the filter will take.
#[derive(Clone, Debug)]
pub struct Ready {
    held: Held,
    accepted: Accepted,
}

/// RFC 6749 section 5.1.
#[derive(Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

impl Broker {
    /// What the provider gave for a code, for the grant that it becomes.
    #[must_use]
    pub fn hand_over(
        &self,
        app: &App,
        (code, sealed): (&[u8], Option<&[u8]>),
        grant_id: &str,
    ) -> Option<(Held, FromProvider)> {
        let held = self.open(sealed?, Owner::Code(code))?;
        let given = self.keepable(&held, grant_id, &app.random)?;
        Some((held, given))
    }

    /// What the provider gave, if the filter will take it at each of `resources`, and nowhere that the user did not agree
    /// to.
    ///
    /// # Errors
    /// When it will not.
    pub async fn ready(
        &self,
        app: &App,
        held: Held,
        (granted, resources): (&Granted, &[String]),
    ) -> Result<Ready, Refusal> {
        let accepted = self.examine(app, held.access.reveal(), resources).await;
        let narrow = accepted.and_then(|accepted| {
            self.opens_nothing_else(&app.config, &accepted, granted).map(|()| accepted)
        });
        match narrow {
            Ok(accepted) => Ok(Ready { held, accepted }),
            Err(Unaccepted::Provider(error)) => Err(error.into()),
            Err(Unaccepted::Store(error)) => Err(error.into()),
            Err(reason) => {
                tracing::error!(
                    issuer = self.settings.issuer.as_str(),
                    "an access token of the provider is not handed out: {reason}"
                );
                Err(Refusal::UnusableToken)
            }
        }
    }

    /// Answers with it, and with a refresh token of ours if the provider gave one.
    #[must_use]
    pub fn answer(&self, app: &App, ready: &Ready, portion: &Portion, family: Family) -> Response {
        let Ready { held, accepted } = ready;
        self.warn_of_scopes(app, accepted, portion);
        let said = held.expires_at.unwrap_or(accepted.expires_at);
        let life = said.min(accepted.expires_at).saturating_sub(app.clock.now_unix());
        tracing::info!(
            sub = accepted.claims.sub,
            "tokens of the identity provider were handed out"
        );
        let answer = Answer {
            access_token: held.access.reveal().clone(),
            token_type: "Bearer",
            expires_in: life.max(0),
            refresh_token: held.refresh.is_some().then_some(family.refresh),
            scope: granted(accepted, portion),
        };
        (NO_STORE, Json(answer)).into_response()
    }

    fn warn_of_scopes(&self, app: &App, accepted: &Accepted, portion: &Portion) {
        let named =
            |server: &&Server| portion.resources.contains(&resource::uri(&app.config, server));
        let rules = self.settings.foreign_tokens();
        for server in app.config.servers.iter().filter(named) {
            let missing = lacks_scopes(&rules, &accepted.claims, &server.scopes);
            if !missing.is_empty() {
                tracing::warn!(
                    server = server.name,
                    missing = missing.join(" "),
                    "an access token of the provider lacks scopes, and Envoy will answer 403: have the provider grant them, or look at `scope_map`, `claims.scope` and the `scopes` of the server"
                );
            }
        }
    }

    /// Tokens for a grant that are good now: those that came a moment ago, or new ones.
    ///
    /// # Errors
    /// `invalid_grant`, and the end of the grant, when the provider gives nothing for it any more; `temporarily_unavailable`
    /// while it does not answer.
    pub async fn renew(&self, app: &App, grant: &Renewed) -> Result<Held, Refusal> {
        let app = app.clone();
        let grant = grant.clone();
        // It goes on when the client has gone: what the provider has given once, it does not give again.
        let renewing = self.unfinished.spawn(async move {
            let Issuance::Brokered(broker) = &app.issuance else { return Err(Refusal::Internal) };
            broker.renew_now(&app, &grant).await
        });
        renewing.await.unwrap_or(Err(Refusal::Internal))
    }

    async fn renew_now(&self, app: &App, grant: &Renewed) -> Result<Held, Refusal> {
        let began = time::Instant::now();
        let grace = millis(app.config.authorization.refresh.grace);
        loop {
            let sealed = app.store.provider_tokens(&grant.id).await?;
            let held = sealed.and_then(|sealed| self.open(&sealed, Owner::Grant(&grant.id)));
            let held = held.ok_or(Refusal::InvalidGrant(NOTHING))?;
            let now_ms = app.clock.now_ms();
            let fresh = held.issued_ms.saturating_add(grace) > now_ms
                && held.expires_at.is_none_or(|at| at > now_ms.div_euclid(1000) + SHORT);
            if fresh && held.issued_ms > grant.since_ms {
                return Ok(held);
            }
            let until_ms = now_ms.saturating_add(millis(TURN));
            if let Some(turn) = app.store.take_provider_turn(&grant.id, now_ms, until_ms).await? {
                return self.renew_in(app, grant, turn).await;
            }
            if began.elapsed() > WAIT {
                return Err(Error::late("answer to a token request").into());
            }
            time::sleep(LOOK).await;
        }
    }

    async fn renew_in(&self, app: &App, grant: &Renewed, turn: Turn) -> Result<Held, Refusal> {
        // Read anew: somebody else's turn may have ended in between.
        let sealed = app.store.provider_tokens(&grant.id).await?;
        let held = sealed.and_then(|sealed| self.open(&sealed, Owner::Grant(&grant.id)));
        let outcome = match held {
            Some(held) => match time::timeout(ASKING, self.ask_for(app, grant, held)).await {
                Ok(outcome) => outcome,
                Err(_late) => Err(Error::late("answer to a token request").into()),
            },
            None => Err(Refusal::InvalidGrant(NOTHING)),
        };
        match outcome {
            Ok(next) => {
                let given = self.keepable(&next, &grant.id, &app.random);
                let given = given.ok_or(Refusal::Internal)?;
                if !app.store.keep_provider_tokens(&grant.id, turn, &given).await? {
                    tracing::error!(grant_id = grant.id, "tokens of the provider came too late");
                    return Err(Refusal::Internal);
                }
                Ok(next)
            }
            Err(refusal) => {
                app.store.end_provider_turn(&grant.id, turn).await?;
                Err(refusal)
            }
        }
    }

    async fn ask_for(&self, app: &App, grant: &Renewed, held: Held) -> Result<Held, Refusal> {
        let Some(refresh) = held.refresh.clone() else {
            return Err(Refusal::InvalidGrant(NOTHING));
        };
        let client = match self.client_known(app, &grant.client_id, &held.client).await {
            Ok(Some(client)) => client,
            Ok(None) => return self.over(app, grant, "authsvc is another client there now").await,
            Err(NoClient::Store(error)) => return Err(error.into()),
            Err(NoClient::Provider(error)) => return Err(error.into()),
            Err(NoClient::Sealed) => return Err(Refusal::Internal),
        };
        let more = self.resource(&grant.resources);
        let ask = async |client: &Client| self.provider.refresh(client, &refresh, &more).await;
        match self.understood(&client, ask(&client).await, ask).await {
            Ok(tokens) => Ok(Held::new(&client.id, tokens, app.clock.now_ms()).after(held)),
            Err(Error::Grant(_)) => self.over(app, grant, "the provider refuses it").await,
            Err(Error::Client(code)) if self.is_made() => {
                self.forget_client(app, &grant.client_id, &client.id).await?;
                tracing::warn!(code, "the provider does not know a client any more that we were");
                self.over(app, grant, "the provider does not know the client any more").await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether authsvc is made a client of the provider as it is needed.
    const fn is_made(&self) -> bool {
        match self.settings.registrar {
            Registrar::Static(_) => false,
            Registrar::Registration(_) | Registrar::Dex(_) => true,
        }
    }

    async fn over<T>(&self, app: &App, grant: &Renewed, why: &str) -> Result<T, Refusal> {
        tracing::info!(grant_id = grant.id, why, "a grant ends with that of the identity provider");
        let entry = audit::authsvc(app).does(Action::EndGrant, grant.id.clone());
        app.store.end_grant(&grant.id, entry.with("reason", why)).await?;
        Err(Refusal::InvalidGrant("the identity provider has ended the grant"))
    }
}

/// Scopes of ours that the token carries, where it says so.
fn granted(accepted: &Accepted, portion: &Portion) -> String {
    let Some(carried) = &accepted.claims.scope else { return portion.scope.clone() };
    let carried: Vec<&str> = carried.split(' ').collect();
    let kept = |one: &&str| carried.contains(one) || *one == OFFLINE_ACCESS;
    portion.scope.split(' ').filter(kept).collect::<Vec<_>>().join(" ")
}

const NOTHING: &str = "the identity provider gave nothing to go on with";

/// A grant that wants new tokens.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// Identity.
    pub id: String,
    /// The client.
    pub client_id: String,
    /// Resources that tokens are for.
    pub resources: Vec<String>,
    /// Tokens of before this are not what is wanted, Unix milliseconds.
    pub since_ms: i64,
}
