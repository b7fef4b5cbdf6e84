//! Refresh tokens rotate (RFC 9700 section 4.14.2): each use makes a successor, and a token that was used before
//! means that two parties have it, so the family ends.
//!
//! But answers get lost, and one program may run several times with one store of tokens. So for a grace time after
//! its first use a token still gets live ones: each a successor of its own, all in the family.

use std::time::Duration;

use axum::response::Response;

use super::{GONE, MAX_SECRET, MAX_VALUE, audience, issue};
use crate::{
    authorization::parameters::Parameters,
    broker::{
        Broker,
        tokens::{Ready, Renewed},
    },
    clock::millis,
    config::Config,
    discovery,
    refusal::Refusal,
    state::App,
    store::{
        self,
        codes::Granted,
        grants::{Presented, Rotated, Rotation, Successor, Verdict},
    },
    users::Member,
};

/// Uses of one token within the grace; more is a loop, not a lost answer.
const MAX_USES: i64 = 32;

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Worth {
    /// A successor.
    Good,
    /// Nothing, for this reason.
    Dead(&'static str),
    /// It was used before, beyond the grace.
    Stolen,
}

/// Judges a token that `client_id` presents.
#[must_use]
pub fn judge(presented: &Presented, client_id: &str, now_ms: i64, grace: Duration) -> Worth {
    let now = now_ms.div_euclid(1000);
    if presented.granted.client_id != client_id {
        return Worth::Dead("the refresh token was issued to another client");
    }
    if presented.family_ended_at.is_some() {
        return Worth::Dead("the grant was revoked");
    }
    if now >= presented.family_expires_at {
        return Worth::Dead("the grant has expired");
    }
    if presented.uses <= 1 {
        let expired = now >= presented.expires_at;
        return if expired { Worth::Dead("the refresh token has expired") } else { Worth::Good };
    }
    if now_ms.saturating_sub(presented.first_used_ms) > millis(grace) {
        return Worth::Stolen;
    }
    if presented.uses > MAX_USES {
        return Worth::Dead("the refresh token was used too often");
    }
    Worth::Good
}

/// Rotates the refresh token of a token request.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn rotate(app: &App, client_id: &str, form: &Parameters) -> Result<Response, Refusal> {
    let token = form.required("refresh_token", MAX_SECRET)?;
    let scope = form.text("scope", MAX_VALUE)?;
    let resources = form.texts("resource", MAX_VALUE)?;

    let policy = app.config.authorization.refresh;
    let now_ms = app.clock.now_ms();
    let next = app.random.token();
    let digest = store::digest(token);
    let member = holder(app, &digest).await?;
    let claim = Claim { client_id, scope, resources: &resources, now_ms };
    let ready = match (app.broker(), &member) {
        (Some(broker), Some(_)) => brokered(app, broker, &digest, claim).await?,
        (_, _) => None,
    };
    let mut portion = issue::Portion { resources: Vec::new(), scope: String::new() };
    let decide = |presented: &Presented| {
        match judge(presented, client_id, now_ms, policy.grace) {
            Worth::Good => {}
            Worth::Dead(reason) => return Verdict::Refuse(Refusal::InvalidGrant(reason)),
            Worth::Stolen => {
                tracing::warn!(client_id, "a refresh token came again, its family ends");
                let reason = "the refresh token was used before";
                return Verdict::EndFamily(Refusal::InvalidGrant(reason));
            }
        }
        if member.is_none() {
            return Verdict::Refuse(Refusal::InvalidGrant(GONE));
        }
        match self::portion(&app.config, &presented.granted, scope, &resources) {
            Ok(granted) => portion = granted,
            Err(refusal) => return Verdict::Refuse(refusal),
        }
        let idle = issue::after(now_ms.div_euclid(1000), policy.idle);
        let expires_at = idle.min(presented.family_expires_at);
        Verdict::Rotate(Successor { refresh: store::digest(&next), expires_at })
    };
    match app.store.rotate(&digest, now_ms, decide).await? {
        Rotation::Rotated(Rotated { granted, grant_id }) => {
            let family = issue::Family { grant_id, refresh: next };
            match (app.broker(), ready) {
                (Some(broker), Some(ready)) => Ok(broker.answer(app, &ready, &portion, family)),
                (Some(_), None) => Err(Refusal::Internal),
                (None, _) => issue::issue(app, &as_of_now(member, granted), portion, family).await,
            }
        }
        Rotation::Refused(refusal) => {
            // A family may have ended by it.
            app.note_ending();
            Err(refusal)
        }
        Rotation::Unknown => Err(Refusal::InvalidGrant("the refresh token is not known")),
    }
}

/// What a refresh request asks for.
#[derive(Clone, Copy)]
struct Claim<'a> {
    client_id: &'a str,
    scope: Option<&'a str>,
    resources: &'a [String],
    now_ms: i64,
}

/// What the provider gives for a refresh token of ours, before that is used up; nothing if that is worth nothing, which
/// its use will tell.
async fn brokered(
    app: &App,
    broker: &Broker,
    digest: &[u8],
    claim: Claim<'_>,
) -> Result<Option<Ready>, Refusal> {
    let Claim { client_id, scope, resources, now_ms } = claim;
    let Some(presented) = app.store.as_if_presented(digest, now_ms).await? else {
        return Ok(None);
    };
    let grace = app.config.authorization.refresh.grace;
    let portion = portion(&app.config, &presented.granted, scope, resources);
    let (Worth::Good, Ok(portion)) = (judge(&presented, client_id, now_ms, grace), portion) else {
        return Ok(None);
    };
    let renewed = Renewed {
        id: presented.grant_id,
        client_id: presented.granted.client_id.clone(),
        resources: presented.granted.resources.clone(),
        since_ms: presented.first_used_ms,
    };
    let held = broker.renew(app, &renewed).await?;
    broker.ready(app, held, (&presented.granted, &portion.resources)).await.map(Some)
}

/// What the access token will carry: as much as was granted, or less.
fn portion(
    config: &Config,
    granted: &Granted,
    scope: Option<&str>,
    resources: &[String],
) -> Result<issue::Portion, Refusal> {
    let resources = audience(config, &granted.resources, resources)?;
    let scope =
        scope.map_or_else(|| Ok(granted.scope.clone()), |asked| narrow(config, granted, asked))?;
    Ok(issue::Portion { resources, scope })
}

/// Fewer scopes, never more (RFC 6749 section 6). Those that nobody here knows are dropped, as they were when they
/// were first asked for.
fn narrow(config: &Config, granted: &Granted, asked: &str) -> Result<String, Refusal> {
    let has = |scope: &&str| granted.scope.split(' ').any(|one| one == *scope);
    let known = discovery::scopes(config);
    let asked = asked.split(' ').filter(|one| known.iter().any(|scope| scope == one) || has(one));
    let (kept, beyond): (Vec<&str>, Vec<&str>) = asked.partition(has);
    if kept.is_empty() || !beyond.is_empty() {
        return Err(Refusal::InvalidScope);
    }
    Ok(kept.join(" "))
}

/// Whoever granted what this refresh token descends from, if they still may log in, with the same password.
async fn holder(app: &App, digest: &[u8]) -> Result<Option<Member>, store::Error> {
    match app.store.grant_of_refresh(digest).await? {
        Some(grant) => app.users().still(&grant.granted, app.clock.now_unix()).await,
        None => Ok(None),
    }
}

/// The user as they are today: groups change, tokens follow.
fn as_of_now(member: Option<Member>, granted: Granted) -> Granted {
    match member {
        Some(Member { email, groups, .. }) => Granted { email, groups, ..granted },
        None => granted,
    }
}
