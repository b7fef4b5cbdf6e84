//! Another password, for whoever knows the old one.

use std::net::IpAddr;

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{Done, page, redirect, told};
use crate::{
    audit,
    authorization::{
        attempt::{Attempt, attempt, password},
        interaction::with_cookie,
        parameters::Parameters,
    },
    cookies::Cookie,
    pages::error::Trouble,
    password::fits,
    sessions::{self, Session},
    state::App,
    store::{audit::Action, users::Change},
    users::{Member, Source},
};

/// Changes it; everything that was granted with the old one ends, and so does every session but this, which goes on
/// under a new id.
pub(super) async fn change(
    app: &App,
    headers: &HeaderMap,
    session: &Session,
    form: &Parameters,
    address: IpAddr,
) -> Result<Response, Trouble> {
    let refuse =
        async |status, problem: String| page(app, session, status, None, Some(problem)).await;
    let [current, new, again] =
        [password(form, "current")?, password(form, "new")?, password(form, "again")?];
    if new != again {
        let problem = "The two new passwords differ. Nothing was changed.";
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problem.to_owned()).await;
    }
    if let Err(error) = fits(&new) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, format!("Nothing was changed: {error}."))
            .await;
    }
    // Somebody else may have the same address: who logs in at a provider has no password here.
    let own = app.users().by_sub(&session.login.sub).await?;
    let own = own.filter(|own| matches!(own.source, Source::Database { .. }));
    let Some(email) = own.and_then(|own| own.email) else { return Err(Trouble::Unreadable) };
    if new == current {
        let problem = "The new password is the old one. Nothing was changed.";
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problem.to_owned()).await;
    }
    let place = app.passwords.begin()?;
    let member = match attempt(app, &place, (&email, &current), address).await? {
        Attempt::Member(member) => member,
        Attempt::Wrong => {
            let problem = "The current password is wrong. Nothing was changed.";
            return refuse(StatusCode::UNAUTHORIZED, problem.to_owned()).await;
        }
        Attempt::TooMany(many) => {
            let told = refuse(StatusCode::TOO_MANY_REQUESTS, many.notice()).await?;
            return Ok(many.delay(told));
        }
    };
    let Source::Database { password_hash: from, epoch } = &member.source else {
        return Err(Trouble::Unreadable);
    };
    let to = app.passwords.hash(&place, new, app.random.clone()).await?.map_err(|error| {
        tracing::error!(%error, "a password was not hashed");
        Trouble::Broken
    })?;
    let change = Change::Password { from, to: &to };
    let by = audit::user(app, &session.login, address);
    let entry = by.does(Action::ChangePassword, member.sub.clone()).called(email);
    let changed = app.store.change_user(&member.sub, change, entry).await?;
    // Somebody else was faster, or ended the user: this session is over as well.
    let Some(ended) = changed else { return Ok(redirect()) };
    tracing::info!(sub = member.sub, grants = ended.grants, "a user changed their password");
    // As this change made them, and not as they are now: whoever ends the user or their password in the meantime ends
    // the session that begins here, too.
    let source = Source::Database { epoch: epoch.saturating_add(1), password_hash: to };
    let member = Member { source, ..*member };
    let session = sessions::begin(app, headers, &member).await?;
    let cookie = Cookie::Session.set(&app.config.public_url, &session.cookie);
    Ok(with_cookie(told(&session, &Done::Password), cookie))
}
