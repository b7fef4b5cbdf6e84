//! Protection of the forms against requests that another site makes (RFC 6749 section 10.12).
//!
//! Three barriers: cookies are `SameSite=Lax`; the browser must not say that the request comes from elsewhere;
//! and the form carries a token that only a page made for this browser, this interaction and this form has.

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::config::Origin;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which form a token is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// E-mail address and password.
    Login,
    /// Allow or deny.
    Consent,
    /// Any of the user's own page.
    Account,
    /// None: what was done with one is told on the page that follows, and on no other.
    Done,
}

/// The token of a form: keyed by the secret in the cookie that the form depends on (the browser's before the
/// login, the session's after it), so that nothing needs to be stored and a new session ends the old tokens.
#[must_use]
pub fn token(cookie: &str, form: Form, interaction: &str) -> String {
    let form = match form {
        Form::Login => "login",
        Form::Consent => "consent",
        Form::Account => "account",
        Form::Done => "done",
    };
    // HMAC takes keys of any length; without a key there would be an empty token, which never matches.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(cookie.as_bytes()) else {
        return String::new();
    };
    mac.update(form.as_bytes());
    mac.update(b"\n");
    mac.update(interaction.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Whether `sent` is the token of that form.
#[must_use]
pub fn matches(sent: &str, cookie: &str, form: Form, interaction: &str) -> bool {
    let expected = token(cookie, form, interaction);
    !expected.is_empty() && bool::from(sent.as_bytes().ct_eq(expected.as_bytes()))
}

/// Whether the browser says that a page of ours sent the form.
///
/// Our pages send no referrer, and then browsers say `Origin: null` even to the same origin; that is believed
/// only beside `Sec-Fetch-Site: same-origin`, which no page can forge.
#[must_use]
pub fn is_same_origin(origin: &Origin, headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    let from = headers.get(header::ORIGIN).map(|value| value.as_bytes());
    match (site, from) {
        (Some(b"same-origin"), None | Some(b"null")) | (None | Some(b"none"), None) => true,
        (Some(b"same-origin" | b"none") | None, Some(from)) => from == origin.as_str().as_bytes(),
        (Some(_), _) => false,
    }
}
