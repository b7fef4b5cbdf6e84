//! Who is logged in in a browser: for 12 hours at most, and no longer than 2 hours without a request.

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::{authorization::grant::Login, cookies::Cookie, state::App, store, users::Member};

/// Longest life, seconds.
const ABSOLUTE: i64 = 12 * 60 * 60;
/// Longest silence, seconds.
const IDLE: i64 = 2 * 60 * 60;
/// How exact the last use is known, seconds: not every request is a write.
const TOUCH_AFTER: i64 = 60;

/// What the database knows of a session; the value of the cookie only as its SHA-256.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// SHA-256 of the cookie's value.
    pub id: Vec<u8>,
    /// Who.
    pub sub: String,
    /// The member's password as it was, see [`Member::credential`].
    pub credential: Vec<u8>,
    /// Login, Unix seconds.
    pub auth_time: i64,
    /// Last use, Unix seconds.
    pub last_seen: i64,
}

/// A session that is good now.
#[derive(Clone, Debug)]
pub struct Session {
    /// SHA-256 of the cookie's value.
    pub id: Vec<u8>,
    /// Value of the cookie, which keys the tokens of the forms.
    pub cookie: String,
    /// Who.
    pub login: Login,
}

impl Record {
    /// Whether the time is up.
    #[must_use]
    pub const fn is_over(&self, now: i64) -> bool {
        now >= self.auth_time.saturating_add(ABSOLUTE) || now >= self.last_seen.saturating_add(IDLE)
    }

    /// The member, while they may log in, with the password that they logged in with.
    async fn member(&self, app: &App, now: i64) -> Result<Option<Member>, store::Error> {
        let member = app.users().by_sub(&self.sub).await?;
        let still = |member: &Member| {
            member.credential() == self.credential && member.is_in_time(self.auth_time, now)
        };
        Ok(member.filter(still))
    }
}

/// The session of this browser.
///
/// # Errors
/// When the database does not answer.
pub async fn current(app: &App, headers: &HeaderMap) -> Result<Option<Session>, store::Error> {
    let Some(cookie) = Cookie::Session.read(&app.config.public_url, headers) else {
        return Ok(None);
    };
    let now = app.clock.now_unix();
    let id = digest(cookie);
    let Some(record) = app.store.session(&id).await? else { return Ok(None) };
    let Some(member) = record.member(app, now).await?.filter(|_| !record.is_over(now)) else {
        app.store.end_session(&id).await?;
        return Ok(None);
    };
    if now >= record.last_seen.saturating_add(TOUCH_AFTER) {
        app.store.touch_session(&id, now).await?;
    }
    let login = member.login(record.auth_time);
    Ok(Some(Session { id, cookie: cookie.to_owned(), login }))
}

/// Begins a session with a new id, and ends the one that the browser had: an id that was known before the login
/// must be worth nothing after it.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(
    app: &App,
    headers: &HeaderMap,
    member: &Member,
) -> Result<Session, store::Error> {
    end(app, headers).await?;
    let now = app.clock.now_unix();
    let cookie = app.random.token();
    let record = Record {
        id: digest(&cookie),
        sub: member.sub.clone(),
        credential: member.credential(),
        auth_time: now,
        last_seen: now,
    };
    let (logged_in_by, seen_by) = (now.saturating_sub(ABSOLUTE), now.saturating_sub(IDLE));
    app.store.begin_session(&record, logged_in_by, seen_by).await?;
    Ok(Session { id: record.id, cookie, login: member.login(now) })
}

/// Ends the session that the browser has, if any.
///
/// # Errors
/// When the database does not answer.
pub async fn end(app: &App, headers: &HeaderMap) -> Result<(), store::Error> {
    match Cookie::Session.read(&app.config.public_url, headers) {
        Some(cookie) => app.store.end_session(&digest(cookie)).await,
        None => Ok(()),
    }
}

/// How a secret of a browser is kept.
#[must_use]
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
