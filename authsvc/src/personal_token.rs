//! Personal access tokens: what one may be made for, and what it is worth.
//!
//! They are for programs that cannot send a person to log in. Only the operator makes them; the filter asks about
//! them at the introspection endpoint, so they can be revoked at any time.

use std::{ops::RangeInclusive, time::Duration};

use attache_protocol::{claims::Audience, personal_token, plugin::Authentication, secret::Secret};
use thiserror::Error;

use crate::{
    authorization::{
        resource::{self, InvalidTarget},
        scope,
    },
    config::{Config, Elsewhere, Embedded, PersonalTokens, Server},
    introspection::Active,
    random::Random,
    state::App,
    store::{self, personal_tokens::PersonalToken},
    token::issue::after,
    users::Member,
};

/// Shortest and longest life of a token.
pub const LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(366 * 24);
const MAX_NAME: usize = 64;

/// What the operator asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// Whom it stands for.
    pub email: String,
    /// Scopes; none: all those of its servers.
    pub scopes: Vec<String>,
    /// Servers, by their URL at this gateway; none: the first one, as for clients that name none.
    pub resources: Vec<String>,
    /// How long it lives.
    pub life: Duration,
    /// What it is called.
    pub name: Option<String>,
}

/// Why a token is not made.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refused {
    /// The operator switched them off.
    #[error(
        "authorization.embedded.personal_access_tokens.enabled is false: no such token is accepted"
    )]
    Off,
    /// A provider issues the tokens.
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    /// Nobody of this address may log in.
    #[error("there is no user {0}: `authsvc user list` names them")]
    NoUser(String),
    /// The server is not one of ours.
    #[error("there is no server {0}: `authsvc check` names them, each by the URL that clients use")]
    NoServer(String),
    /// The servers together are not what may be asked for.
    #[error(transparent)]
    Servers(InvalidTarget),
    /// The server lets everybody in.
    #[error("{0} has `authentication: none`, a token would open nothing there")]
    Open(String),
    /// None of the servers has this scope.
    #[error("there is no scope {unknown} here: the servers of this token have {known}")]
    NoScope {
        /// As it was asked for.
        unknown: String,
        /// What could be.
        known: String,
    },
    /// It would live too short or too long.
    #[error("a token lives between 1s and 366d")]
    Life,
    /// Its name would break lists and events.
    #[error("a name has 1 to {MAX_NAME} letters, digits and ._-")]
    Name,
}

impl Refused {
    /// Whether it is a mistake on the command line or in the configuration, and not of what there is now.
    #[must_use]
    pub const fn is_mistake(&self) -> bool {
        !matches!(self, Self::NoUser(_))
    }
}

/// A token that was just made: shown once, and never again.
#[derive(Debug)]
pub struct Made {
    /// The token.
    pub token: Secret,
    /// What is kept of it.
    pub kept: PersonalToken,
}

/// Makes a token for whoever has the address of the order, at `now`, Unix seconds; it is not kept yet.
///
/// # Errors
/// Why it may not be.
pub fn make(
    config: &Config,
    member: Option<&Member>,
    order: &Order,
    random: &Random,
    now: i64,
) -> Result<Made, Refused> {
    if config.authorization.own()?.personal_tokens == PersonalTokens::Off {
        return Err(Refused::Off);
    }
    if !LIFE.contains(&order.life) {
        return Err(Refused::Life);
    }
    let named = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if !order.name.as_deref().is_none_or(named) {
        return Err(Refused::Name);
    }
    let member = member.ok_or_else(|| Refused::NoUser(order.email.clone()))?;
    let servers = servers(config, &order.resources)?;
    let scopes = scope::exactly(&servers, &order.scopes)
        .map_err(|scope::Unknown { unknown, known }| Refused::NoScope { unknown, known })?;
    let user = member.login(now);
    Ok(Made {
        token: personal_token::write(&random.bytes()),
        kept: PersonalToken {
            id: random.id(),
            name: order.name.clone(),
            sub: user.sub,
            email: user.email.unwrap_or_default(),
            resources: servers.iter().map(|server| resource::uri(config, server)).collect(),
            scope: scopes.join(" "),
            created_at: now,
            expires_at: after(now, order.life),
            revoked_at: None,
            used_at: None,
        },
    })
}

/// The servers that are asked for, each of which has to look at tokens.
fn servers<'a>(config: &'a Config, asked: &[String]) -> Result<Vec<&'a Server>, Refused> {
    let is_unknown = |one: &&String| resource::resolve(config, std::slice::from_ref(*one)).is_err();
    let servers = resource::resolve(config, asked).map_err(|invalid| {
        let unknown = asked.iter().find(is_unknown);
        unknown.map_or(Refused::Servers(invalid), |unknown| Refused::NoServer(unknown.clone()))
    })?;
    let open = servers.iter().find(|server| server.authentication == Authentication::None);
    match open {
        Some(server) => Err(Refused::Open(resource::uri(config, server))),
        None => Ok(servers),
    }
}

/// What a token is worth now; nothing if it is dead, or its user is gone.
///
/// # Errors
/// When the database fails.
pub async fn introspect(app: &App, token: &str) -> Result<Option<Active>, store::Error> {
    let now = app.clock.now_unix();
    let off = |embedded: &Embedded| embedded.personal_tokens == PersonalTokens::Off;
    if app.config.authorization.embedded().is_none_or(off) {
        return Ok(None);
    }
    let found = app.store.personal_token(&store::digest(token)).await?;
    let Some(found) = found.filter(|found| found.is_alive(now)) else {
        return Ok(None);
    };
    let Some(member) = app.users().by_sub(&found.sub).await? else {
        return Ok(None);
    };
    if let Err(error) = app.store.touch_personal_token(&found, now).await {
        tracing::warn!(%error, id = found.id, "the use of a personal access token was not noted");
    }
    let user = member.login(now);
    Ok(Some(Active {
        active: true,
        client_id: Some(client_id(&found)),
        scope: Some(found.scope),
        username: user.email,
        token_type: Some("Bearer"),
        exp: found.expires_at,
        iat: Some(found.created_at),
        sub: found.sub,
        aud: Audience::of(found.resources),
        iss: app.config.public_url.as_str().to_owned(),
        jti: Some(found.id),
        groups: user.groups,
    }))
}

/// What events call the client: no client that registered has a colon in its id.
fn client_id(token: &PersonalToken) -> String {
    match &token.name {
        Some(name) => format!("pat:{}:{name}", token.id),
        None => format!("pat:{}", token.id),
    }
}
