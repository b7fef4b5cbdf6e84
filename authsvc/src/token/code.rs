//! A code becomes tokens (RFC 6749 section 4.1.3), once.

use axum::response::Response;

use super::{GONE, MAX_SECRET, MAX_VALUE, audience, issue, pkce};
use crate::{
    audit,
    authorization::parameters::Parameters,
    broker::{Broker, held::Held},
    refusal::Refusal,
    state::App,
    store::{
        self,
        audit::Action,
        codes::{Code, Granted, Redemption},
        grants::NewGrant,
    },
    users::Member,
};

/// Said of a code that was made when there was no provider, or another secret.
const OTHERWISE: &str = "the code was made when this gateway was configured otherwise";

/// What a token request says of the authorization request that it follows.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Who asks, authenticated.
    pub client_id: &'a str,
    /// `redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`.
    pub verifier: Option<&'a str>,
}

/// Whether the code may be used so. A code that fails here is used up: whoever sends it with another client's id
/// or without the verifier has come by it in a way that was not meant.
///
/// # Errors
/// `invalid_grant`, with the reason.
pub fn check(code: &Code, claim: &Claim<'_>, now: i64) -> Result<(), Refusal> {
    if now >= code.expires_at {
        return Err(Refusal::InvalidGrant("the code has expired"));
    }
    if claim.client_id != code.granted.client_id {
        return Err(Refusal::InvalidGrant("the code was issued to another client"));
    }
    let same_redirect = match claim.redirect_uri {
        Some(uri) => uri == code.redirect_uri,
        None => !code.redirect_uri_sent,
    };
    if !same_redirect {
        let text = "redirect_uri is not that of the authorization request";
        return Err(Refusal::InvalidGrant(text));
    }
    match claim.verifier {
        Some(verifier) if pkce::verify(&code.code_challenge, verifier) => Ok(()),
        Some(_) => Err(Refusal::InvalidGrant("code_verifier does not match the code_challenge")),
        None => Err(Refusal::InvalidGrant("code_verifier is missing")),
    }
}

/// Redeems the code of a token request.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn redeem(app: &App, client_id: &str, form: &Parameters) -> Result<Response, Refusal> {
    let code = form.required("code", MAX_SECRET)?;
    let claim = Claim {
        client_id,
        redirect_uri: form.text("redirect_uri", MAX_VALUE)?,
        verifier: form.text("code_verifier", MAX_SECRET)?,
    };
    let asked = form.texts("resource", MAX_VALUE)?;

    let now = app.clock.now_unix();
    let refresh = app.random.token();
    let mut new = begin(app, &refresh, now);
    let family = issue::Family { grant_id: new.id.clone(), refresh };
    let mut resources = Vec::new();
    let mut held = None;
    let digest = store::digest(code);
    let holder = holder(app, &digest).await?;
    let examine = |code: &Code| {
        check(code, &claim, now)?;
        let still = |member: &&Member| member.still_grants(&code.granted, now);
        let Some(member) = holder.as_ref().filter(still) else {
            return Err(Refusal::InvalidGrant(GONE));
        };
        new.end_by(member.ends_at(code.granted.auth_time));
        resources = audience(&app.config, &code.granted.resources, &asked)?;
        if let Some(broker) = app.broker() {
            let given = (digest.as_slice(), code.provider_tokens.as_deref());
            let given = broker.hand_over(app, given, &new.id);
            let (tokens, sealed) = given.ok_or(Refusal::InvalidGrant(OTHERWISE))?;
            (held, new.provider) = (Some(tokens), Some(sealed));
        }
        Ok(new)
    };
    match app.store.redeem_code(&digest, now, examine).await? {
        Redemption::Granted(granted) => {
            let portion = issue::Portion { resources, scope: granted.scope.clone() };
            match (app.broker(), held) {
                (Some(broker), Some(held)) => {
                    brokered(app, broker, (held, &granted), (&portion, family)).await
                }
                (_, _) => issue::issue(app, &granted, portion, family).await,
            }
        }
        Redemption::Refused(refusal) => Err(refusal),
        Redemption::Replayed => {
            app.note_ending();
            tracing::warn!(
                client_id = claim.client_id,
                "a code was used twice, what was issued from it has ended"
            );
            Err(Refusal::InvalidGrant("the code was used before"))
        }
        Redemption::Unknown => Err(Refusal::InvalidGrant("the code is not known")),
    }
}

/// Hands out what the provider gave; a grant of which nothing can be used ends.
async fn brokered(
    app: &App,
    broker: &Broker,
    (held, granted): (Held, &Granted),
    (portion, family): (&issue::Portion, issue::Family),
) -> Result<Response, Refusal> {
    broker.granted(&held.client, &family.grant_id).await?;
    match broker.ready(app, held, (granted, &portion.resources)).await {
        Ok(ready) => Ok(broker.answer(app, &ready, portion, family)),
        Err(refusal) => {
            let entry = audit::authsvc(app).does(Action::EndGrant, family.grant_id.clone());
            app.store.end_grant(&family.grant_id, entry).await?;
            app.note_ending();
            Err(refusal)
        }
    }
}

/// Whoever granted a code, if they may log in.
async fn holder(app: &App, digest: &[u8]) -> Result<Option<Member>, store::Error> {
    match app.store.code_holder(digest).await? {
        Some(sub) => app.users().by_sub(&sub).await,
        None => Ok(None),
    }
}

fn begin(app: &App, refresh: &str, now: i64) -> NewGrant {
    let policy = app.config.authorization.refresh;
    let expires_at = issue::after(now, policy.absolute);
    NewGrant {
        id: app.random.id(),
        refresh: store::digest(refresh),
        refresh_expires_at: issue::after(now, policy.idle).min(expires_at),
        expires_at,
        provider: None,
    }
}
