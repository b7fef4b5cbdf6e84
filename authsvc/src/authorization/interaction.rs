//! What somebody came for, on its way through login and consent: kept here, and bound to the browser that made it, so that a
//! link to it is worth nothing in another one.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{
    grant::{Freshness, Login},
    parameters::Parameters,
    request::Asked,
};
use crate::{
    cookies::Cookie,
    pages::{self, error::Trouble},
    sessions::{Session, digest},
    state::App,
};

/// Longest id that is looked up, bytes.
const MAX_ID: usize = 64;

/// What somebody came for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Wanted {
    /// A client sent them, with this request.
    Authorization(Asked),
    /// Their own page.
    Account,
}

/// What the database knows of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interaction {
    /// SHA-256 of the id in the URL.
    pub id: Vec<u8>,
    /// SHA-256 of the cookie of the browser.
    pub browser: Vec<u8>,
    /// What they came for.
    pub wanted: Wanted,
    /// Session whose login was made for this request.
    pub session: Option<Vec<u8>>,
    /// Unix seconds.
    pub expires_at: i64,
    /// Unix seconds.
    pub answered_at: Option<i64>,
    /// When the user agreed before they were sent to a provider, Unix seconds.
    pub agreed_at: Option<i64>,
}

/// An interaction that waits for this browser.
#[derive(Clone, Debug)]
pub struct Open {
    /// The id in the URL.
    pub name: String,
    /// Value of the browser's cookie, which keys the token of the login form.
    pub browser: String,
    /// The interaction.
    pub kept: Interaction,
}

impl Interaction {
    /// How long a request waits, seconds.
    pub const LIFE: i64 = 10 * 60;

    fn open(self, name: &str, browser: &str, now: i64) -> Result<Open, Trouble> {
        if self.browser != digest(browser) {
            return Err(Trouble::NotYours);
        }
        if self.answered_at.is_some() {
            return Err(Trouble::Answered);
        }
        if now >= self.expires_at {
            return Err(Trouble::Expired);
        }
        Ok(Open { name: name.to_owned(), browser: browser.to_owned(), kept: self })
    }
}

impl Open {
    /// The login of `session`, and whether it was made for this request.
    #[must_use]
    pub fn login(&self, session: &Session) -> (Login, Freshness) {
        let freshness = if self.kept.session.as_ref() == Some(&session.id) {
            Freshness::ForThisRequest
        } else {
            Freshness::Earlier
        };
        (session.login.clone(), freshness)
    }

    /// The request of a client.
    ///
    /// # Errors
    /// [`Trouble::NotYours`] when no client sent them.
    pub fn asked(&self) -> Result<&Asked, Trouble> {
        match &self.kept.wanted {
            Wanted::Authorization(asked) => Ok(asked),
            Wanted::Account => Err(Trouble::NotYours),
        }
    }

    /// Closes it: from here on there is exactly one answer.
    ///
    /// # Errors
    /// [`Trouble::Answered`] when somebody else was faster.
    pub async fn close(self, app: &App) -> Result<(), Trouble> {
        if app.store.answer_interaction(&self.kept.id, app.clock.now_unix()).await? {
            Ok(())
        } else {
            Err(Trouble::Answered)
        }
    }
}

/// Keeps what somebody came for and sends the browser to `page` with it.
///
/// # Errors
/// [`Trouble::Broken`] when the database does not answer.
pub async fn begin(
    app: &App,
    headers: &HeaderMap,
    wanted: Wanted,
    page: &str,
) -> Result<Response, Trouble> {
    let origin = &app.config.public_url;
    let known = Cookie::Browser.read(origin, headers);
    let browser = known.map_or_else(|| app.random.token(), str::to_owned);
    let name = app.random.token();
    let now = app.clock.now_unix();
    let interaction = Interaction {
        id: digest(&name),
        browser: digest(&browser),
        wanted,
        session: None,
        expires_at: now.saturating_add(Interaction::LIFE),
        answered_at: None,
        agreed_at: None,
    };
    app.store.begin_interaction(&interaction, now).await?;
    let cookie = if known.is_none() { Cookie::Browser.set(origin, &browser) } else { None };
    Ok(with_cookie(pages::redirect(&format!("{page}?interaction={name}")), cookie))
}

/// The interaction that `parameters` name, if it waits for this browser.
///
/// # Errors
/// When it does not, and why.
pub async fn find(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Open, Trouble> {
    let Ok(Some(name)) = parameters.text("interaction", MAX_ID) else {
        return Err(Trouble::NotYours);
    };
    named(app, headers, name).await
}

/// The interaction of this name, if it waits for this browser.
///
/// # Errors
/// When it does not, and why.
pub async fn named(app: &App, headers: &HeaderMap, name: &str) -> Result<Open, Trouble> {
    let browser = Cookie::Browser.read(&app.config.public_url, headers);
    let Some(browser) = browser else { return Err(Trouble::NotYours) };
    let kept = app.store.interaction(&digest(name)).await?;
    kept.ok_or(Trouble::NotYours)?.open(name, browser, app.clock.now_unix())
}

/// Adds `Set-Cookie`.
#[must_use]
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
