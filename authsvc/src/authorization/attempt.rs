//! An attempt to show who one is with a password: counted, slowed down, and looked at only when its turn comes.

use std::net::IpAddr;

use attache_protocol::secret::Secret;
use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use tokio::time;

use super::parameters::Parameters;
use crate::{
    audit,
    clock::millis,
    metrics::{LoggedIn, Throttled},
    pages::error::Trouble,
    state::App,
    store::audit::Action,
    throttle::TooMany,
    users::{Member, passwords::Place},
};

/// Longest password that is read at all, bytes; a longer one than [`crate::users::passwords::MAX_PASSWORD`] is wrong.
const MAX_FIELD: usize = 16 * 1024;

/// What came of it.
#[derive(Debug)]
pub enum Attempt {
    /// It is them.
    Member(Box<Member>),
    /// It is not.
    Wrong,
    /// They have to wait.
    TooMany(TooMany),
}

/// Whether whoever has this address has this password. Without such a member another hash is computed and its
/// result thrown away: the answer takes the same time.
///
/// # Errors
/// When too many passwords are being checked, or the database does not answer.
pub async fn attempt(
    app: &App,
    place: &Place<'_>,
    typed: (&str, &Secret),
    address: IpAddr,
) -> Result<Attempt, Trouble> {
    let attempt = check(app, place, typed, address).await;
    let (result, throttled) = match &attempt {
        Ok(Attempt::Member(_)) => (LoggedIn::Ok, None),
        Ok(Attempt::Wrong) => (LoggedIn::Wrong, None),
        Ok(Attempt::TooMany(_)) => (LoggedIn::Throttled, Some(Throttled::Login)),
        Err(Trouble::Overloaded) => (LoggedIn::Overloaded, Some(Throttled::PasswordChecks)),
        Err(_) => return attempt,
    };
    count(app, result, throttled);
    attempt
}

/// A place for an attempt.
///
/// # Errors
/// When too many are under way.
pub fn begin(app: &App) -> Result<Place<'_>, Trouble> {
    app.passwords.begin().map_err(|overloaded| {
        count(app, LoggedIn::Overloaded, Some(Throttled::PasswordChecks));
        overloaded.into()
    })
}

fn count(app: &App, result: LoggedIn, throttled: Option<Throttled>) {
    app.metrics.logged_in(result);
    throttled.into_iter().for_each(|kind| app.metrics.throttled(kind));
}

async fn check(
    app: &App,
    place: &Place<'_>,
    (email, password): (&str, &Secret),
    address: IpAddr,
) -> Result<Attempt, Trouble> {
    let now_ms = millis(app.clock.elapsed());
    let pause = match app.throttle.begin(email, address, now_ms) {
        Ok(pause) => pause,
        Err(many) => {
            if many.is_first {
                told_to_wait(app, address).await?;
            }
            return Ok(Attempt::TooMany(many));
        }
    };
    time::sleep(pause).await;
    let member = app.users().by_email(email).await?;
    let hash = member.as_ref().and_then(Member::password_hash).cloned();
    let hash = hash.unwrap_or_else(|| app.users().decoy(email));
    let verified = app.passwords.check(place, hash, password.clone()).await?;
    match member {
        Some(member) if verified => {
            app.throttle.succeeded(email, address);
            Ok(Attempt::Member(Box::new(member)))
        }
        member => {
            failed(app, address, member.as_ref()).await?;
            Ok(Attempt::Wrong)
        }
    }
}

/// An address of nobody is not kept: it may be a password in the wrong place. That there is one entry in any case
/// takes the same time.
async fn failed(app: &App, address: IpAddr, member: Option<&Member>) -> Result<(), Trouble> {
    tracing::info!(%address, "a login failed");
    let entry = audit::nobody(app, address)
        .does(Action::FailLogin, member.map(|member| member.sub.clone()))
        .called(member.and_then(|member| member.email.clone()));
    Ok(app.store.record(entry).await?)
}

/// Once for each attempt that was looked at: what is refused costs whoever asks nothing, and must not cost us more.
async fn told_to_wait(app: &App, address: IpAddr) -> Result<(), Trouble> {
    tracing::info!(%address, "logins have to wait");
    let entry = audit::nobody(app, address).does(Action::ThrottleLogin, None);
    Ok(app.store.record(entry).await?)
}

/// A password field of a form.
pub fn password(parameters: &Parameters, name: &'static str) -> Result<Secret, Trouble> {
    let text = parameters.text(name, MAX_FIELD).map_err(|_error| Trouble::Unreadable)?;
    Ok(Secret::new(text.unwrap_or_default().to_owned()))
}

impl TooMany {
    /// In words.
    #[must_use]
    pub fn notice(&self) -> String {
        let seconds = self.seconds();
        let unit = if seconds == 1 { "second" } else { "seconds" };
        format!("Too many attempts. Wait {seconds} {unit}, then try again.")
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn delay(&self, mut response: Response) -> Response {
        if let Ok(seconds) = HeaderValue::try_from(self.seconds().to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }

    const fn seconds(&self) -> u128 {
        self.retry_after.as_millis().div_ceil(1000)
    }
}
