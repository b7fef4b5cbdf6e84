//! The pages that a user sees: what this is, login, consent, the way back, their own, and what went wrong. HTML without
//! script, one inline style whose digest is in the policy, everything that others wrote escaped by the templates.

pub mod error;
pub mod words;

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use words::Scope;

/// The style of every page.
pub const STYLE: &str = include_str!("../../templates/style.css");

/// What the browser may do with a page.
///
/// `form-action` is left out on purpose: Chromium applies it to every redirect that follows the form, so any
/// value that we could give would stop the way back to `http://localhost:<port>`, to `cursor://` or to what a
/// client's web site redirects to. It would limit forms injected into a page; escaping and the absence of
/// scripts are what keeps them out.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ))
});

/// Headers of every page.
///
/// The opener policy is `unsafe-none` in so many words: clients that live in a browser open these pages in a
/// popup and hear from their callback through `window.opener`, which any other value takes away for good.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("unsafe-none"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Where a user says who they are.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct Login {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
    /// Name of the application that sent them, as it claims; nothing where they want their own page.
    pub client: Option<String>,
    /// Which interaction.
    pub interaction: String,
    /// Token of the form.
    pub csrf: String,
    /// What was typed before.
    pub email: String,
    /// Why the page is shown again.
    pub notice: Option<String>,
    /// Whether there is a form for a password.
    pub password: PasswordForm,
    /// Where else they can log in.
    pub providers: Vec<ProviderButton>,
    /// Whether they want to log in there as somebody else than before.
    pub is_another: bool,
    /// Who is told if they do not want to log in; nothing where nobody waits for that.
    pub receiver: Option<String>,
}

/// Whether the login page has a form for a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PasswordForm {
    /// It has one.
    There,
    /// It has one, and nobody has a password or another way to log in: somebody may be added at any time.
    Useless,
    /// It has none: people log in elsewhere.
    Absent,
}

impl PasswordForm {
    const fn is_there(self) -> bool {
        matches!(self, Self::There | Self::Useless)
    }

    const fn is_useless(self) -> bool {
        matches!(self, Self::Useless)
    }
}

/// A button that sends somebody to a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderButton {
    /// What it is called in the configuration.
    pub name: String,
    /// What people call it.
    pub label: String,
}

/// Where a user is asked.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
    /// Name of the application, as it claims, or as the operator has it.
    pub client: String,
    /// Whether the operator wrote it down.
    pub is_configured: bool,
    /// Host that describes it, of an application that has a document there.
    pub described_by: Option<String>,
    /// Which interaction.
    pub interaction: String,
    /// Token of the form.
    pub csrf: String,
    /// What the application will be able to do.
    pub scopes: Vec<Scope>,
    /// Where.
    pub resources: Vec<String>,
    /// Who gets the code.
    pub receiver: String,
    /// What that means, where the name alone does not say it.
    pub receiver_note: Option<&'static str>,
    /// Where exactly the code goes: one host may have many applications.
    pub redirect_uri: String,
    /// Why to look twice.
    pub warning: Option<&'static str>,
    /// Whose name the application bears although it is not known to be theirs.
    pub pretended: Option<&'static str>,
    /// Who is asked, of somebody who is logged in here.
    pub account: Option<String>,
    /// Where they will log in, and for what, of somebody who is not.
    pub elsewhere: Option<Elsewhere>,
    /// Why the page is shown again.
    pub notice: Option<String>,
}

/// Where somebody logs in who agrees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Elsewhere {
    /// Host of the provider.
    pub host: String,
    /// Scopes that it is asked for.
    pub scopes: Vec<String>,
}

/// Where a user decides whether to go where an error would send them.
#[derive(Debug, Template)]
#[template(path = "return.html")]
pub struct Return {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
    /// Code of the error.
    pub error: &'static str,
    /// What is wrong with the request.
    pub description: String,
    /// Who is told of it.
    pub receiver: String,
    /// The URL that tells them, http or https.
    pub back: String,
}

/// Where a user sees what they have let in, and ends it.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct Account {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
    /// Who they are.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Token of the forms.
    pub csrf: String,
    /// What was done just now.
    pub done: Option<String>,
    /// Why the password was not changed.
    pub problem: Option<String>,
    /// What has access, or had the user's agreement.
    pub applications: Vec<Application>,
    /// How long an access token lives on.
    pub lingers: String,
    /// Personal access tokens that live.
    pub tokens: Vec<Token>,
    /// How long one that has ended is accepted.
    pub tokens_linger: String,
    /// Where they can change their password, if not here.
    pub elsewhere: Option<String>,
    /// Characters of the shortest password.
    pub shortest: usize,
}

/// An application on the page of a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    /// `client_id`.
    pub client: String,
    /// Name, as it claims.
    pub name: String,
    /// Host of the document that says so, if there is one.
    pub described_by: Option<String>,
    /// Who got the codes, and what that means where the name alone does not say it.
    pub receivers: Vec<(String, Option<&'static str>)>,
    /// Where it may act.
    pub resources: Vec<String>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Each access that it has, the youngest first.
    pub connections: Vec<Connection>,
    /// Whether it gets access again without a question.
    pub is_remembered: bool,
    /// The first access that lives, or the first agreement.
    pub since: Option<Moment>,
    /// When it last got tokens.
    pub last_at: Option<Moment>,
}

/// One access of an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Of the grant.
    pub id: String,
    /// Who got its code.
    pub receiver: String,
    /// When it began.
    pub since: Moment,
    /// When tokens were last issued from it.
    pub last_at: Moment,
}

/// A personal access token on the page of whom it stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Identity, as the operator knows it.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// Where it opens something.
    pub resources: Vec<String>,
    /// What it opens there.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub since: Moment,
    /// When it ends by itself.
    pub until: Moment,
    /// When it was last used.
    pub last_at: Option<Moment>,
}

/// A time, for people and for programs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Moment {
    /// RFC 3339.
    pub exact: String,
    /// As people write it.
    pub words: String,
}

/// What somebody sees who opens the gateway itself.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub struct Home {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
    /// The URL of each MCP server.
    pub servers: Vec<String>,
}

/// What a user sees after they have signed out.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// See [`STYLE`].
    pub style: &'static str,
    /// Host of the public URL.
    pub gateway: String,
}

impl Moment {
    /// Of Unix seconds.
    #[must_use]
    pub fn at(seconds: i64) -> Self {
        let time =
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let words =
            format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        Self {
            exact: time.format(&Rfc3339).unwrap_or_default(),
            words: time.format(words).unwrap_or_default(),
        }
    }
}

/// The page as a response, with the headers of every page.
#[must_use]
pub fn respond(status: StatusCode, page: &impl Template) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return secure(
                (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made").into_response(),
            );
        }
    };
    let mut response = (status, html).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    secure(response)
}

/// A redirect by 303: the browser continues with GET and never repeats a form (RFC 9700 section 4.12).
#[must_use]
pub fn redirect(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::try_from(to) {
        Ok(location) => response.headers_mut().insert(header::LOCATION, location),
        Err(error) => {
            tracing::error!(%error, "a redirect is no header value");
            return secure(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        }
    };
    secure(response)
}

fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    response
}
