//! Who asks for a token: a public client says its id, a confidential one proves it.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::{MAX_SECRET, MAX_VALUE};
use crate::{
    authorization::parameters::Parameters,
    refusal::{Refusal, ShownBy},
    state::App,
    store::{self, clients::Client},
};

/// A client that has shown who it is, as far as it can.
#[derive(Debug)]
pub struct Caller(Client);

impl Caller {
    /// `client_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }
}

/// What was sent; never more than one way at a time (RFC 6749 section 2.3).
struct Credentials {
    id: String,
    secret: Option<String>,
    shown_by: ShownBy,
}

/// Finds out who asks. A confidential client may send its secret in the header or in the form, whichever of them
/// it registered.
///
/// # Errors
/// `invalid_client` for an unknown client or a wrong secret, `invalid_request` for two ways at once.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Caller, Refusal> {
    let Credentials { id, secret, shown_by } = credentials(headers, form)?;
    let Some(client) = app.store.client(&id).await? else {
        return Err(Refusal::InvalidClient("client_id is not registered here", shown_by));
    };
    match (&client.secret, secret) {
        (None, None) => Ok(Caller(client)),
        (Some(kept), Some(sent)) if bool::from(kept.ct_eq(&store::digest(&sent))) => {
            Ok(Caller(client))
        }
        (Some(_), Some(_)) => Err(Refusal::InvalidClient("client_secret is wrong", shown_by)),
        (Some(_), None) => Err(Refusal::InvalidClient("client_secret is missing", shown_by)),
        (None, Some(_)) => {
            Err(Refusal::InvalidClient("this client is public and has no client_secret", shown_by))
        }
    }
}

fn credentials(headers: &HeaderMap, form: &Parameters) -> Result<Credentials, Refusal> {
    let id = form.text("client_id", MAX_VALUE)?;
    let secret = form.text("client_secret", MAX_SECRET)?;
    if form.text("client_assertion", usize::MAX)?.is_some() {
        let text = "client_assertion is not supported";
        return Err(Refusal::InvalidClient(text, ShownBy::Form));
    }
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        let id = id.ok_or_else(|| Refusal::invalid_request("client_id is missing"))?;
        let secret = secret.map(str::to_owned);
        return Ok(Credentials { id: id.to_owned(), secret, shown_by: ShownBy::Form });
    };
    if secret.is_some() || lines.next().is_some() {
        let text = "a client authenticates in one way at a time";
        return Err(Refusal::invalid_request(text));
    }
    let basic = line.to_str().ok().and_then(basic);
    let Some((basic_id, basic_secret)) = basic else {
        let text = "the Authorization header is not HTTP Basic";
        return Err(Refusal::InvalidClient(text, ShownBy::Header));
    };
    if id.is_some_and(|id| id != basic_id) {
        return Err(Refusal::invalid_request("client_id differs between header and body"));
    }
    let secret = Some(basic_secret).filter(|secret| !secret.is_empty());
    Ok(Credentials { id: basic_id, secret, shown_by: ShownBy::Header })
}

/// Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1). Not every client does so; our
/// own have no character on which it would matter.
fn basic(line: &str) -> Option<(String, String)> {
    let (scheme, encoded) = line.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2 * MAX_VALUE {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    Some((decode(id)?, decode(secret)?))
}
