//! Who asks for a token: a public client says its id, a confidential one proves it, by a secret or by an assertion
//! that it signed.

use std::net::IpAddr;

use attache_protocol::jwk::KeySet;
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::{
    MAX_SECRET, MAX_TOKEN, MAX_VALUE,
    assertion::{self, Expected},
    machine,
};
use crate::{
    authorization::parameters::Parameters,
    cimd, clients,
    config::{MachineClient, Proof},
    refusal::{Refusal, ShownBy},
    state::App,
    store::{
        self,
        clients::{AuthMethod, Client},
    },
};

const MUST_SIGN: &str = "this client authenticates by private_key_jwt";

/// A client that has shown who it is, as far as it can.
#[derive(Debug)]
pub enum Caller<'a> {
    /// It acts for users, wherever it is kept.
    Registered(Client),
    /// It is in the configuration, and acts for itself.
    Machine(&'a MachineClient),
}

impl Caller<'_> {
    /// `client_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Registered(client) => &client.id,
            Self::Machine(client) => &client.id,
        }
    }
}

/// What was sent; never more than one way at a time (RFC 6749 section 2.3).
struct Credentials {
    id: String,
    shown: Shown,
    by: ShownBy,
}

enum Shown {
    Nothing,
    Secret(String),
    Assertion(String),
}

/// Finds out who asks. A confidential client may send its secret in the header or in the form, whichever of them
/// it registered.
///
/// # Errors
/// `invalid_client` for an unknown client or a wrong proof, `invalid_request` for two ways at once.
pub async fn authenticate<'a>(
    app: &'a App,
    address: IpAddr,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Caller<'a>, Refusal> {
    let (id, found) = match credentials(headers, form) {
        Ok(credentials) => {
            (Some(credentials.id.clone()), identify(app, address, credentials).await)
        }
        Err(refusal) => (None, Err(refusal)),
    };
    if let Err(Refusal::InvalidClient(reason, _)) = &found {
        // What is no client's id may be anything, a secret in the wrong place, too.
        let known = match &id {
            Some(id) => is_known(app, id).await?,
            None => false,
        };
        let client_id = id.as_deref().filter(|_| known).unwrap_or("unknown");
        tracing::warn!(client_id, %address, reason, "a client did not show who it is");
    }
    found
}

async fn is_known(app: &App, id: &str) -> Result<bool, store::Error> {
    let is_program = machine::programs(&app.config).iter().any(|client| client.id == id);
    Ok(is_program || app.client(id).await?.is_some())
}

async fn identify<'a>(
    app: &'a App,
    address: IpAddr,
    Credentials { id, shown, by }: Credentials,
) -> Result<Caller<'a>, Refusal> {
    let mut programs = machine::programs(&app.config).iter();
    if let Some(machine) = programs.find(|client| client.id == id) {
        prove(app, machine, &shown, by).await?;
        return Ok(Caller::Machine(machine));
    }
    if !cimd::is_trusted(app, &id) {
        return Err(Refusal::InvalidClient("the host of this client is not trusted here", by));
    }
    let Some(client) = app.client(&id).await? else {
        return Err(Refusal::InvalidClient("client_id is not registered here", by));
    };
    let wrong = match (&client.secret, &shown) {
        (_, Shown::Assertion(text)) if client.auth_method == AuthMethod::Assertion => {
            match signed(app, address, &client.id, text).await? {
                Ok(()) => return Ok(Caller::Registered(client)),
                Err(reason) => reason,
            }
        }
        (_, Shown::Assertion(_)) => "this client authenticates otherwise than by private_key_jwt",
        (_, _) if client.auth_method == AuthMethod::Assertion => MUST_SIGN,
        (None, Shown::Nothing) => return Ok(Caller::Registered(client)),
        (Some(kept), Shown::Secret(sent)) if same(kept, sent) => {
            return Ok(Caller::Registered(client));
        }
        (Some(_), Shown::Secret(_)) => "client_secret is wrong",
        (Some(_), Shown::Nothing) => "client_secret is missing",
        (None, Shown::Secret(_)) => "this client is public and has no client_secret",
    };
    Err(Refusal::InvalidClient(wrong, by))
}

/// A client that acts for users shows who it is by what it signed.
async fn signed(
    app: &App,
    address: IpAddr,
    client_id: &str,
    text: &str,
) -> Result<Result<(), &'static str>, Refusal> {
    match clients::keys(&app.config, client_id) {
        Some(keys) => asserted(app, client_id, keys, text).await,
        None => documented(app, address, client_id, text).await,
    }
}

/// A client with a document shows who it is. Anyone can have one, and as many assertions as they like: until a user
/// has let it in, nothing is fetched for it or kept of it.
async fn documented(
    app: &App,
    address: IpAddr,
    client_id: &str,
    text: &str,
) -> Result<Result<(), &'static str>, Refusal> {
    if !app.store.is_used(client_id).await? {
        return Ok(Err("nothing was granted to this client so far"));
    }
    let kid = assertion::key_id(text);
    match cimd::keys(app, address, client_id, kid.as_deref()).await? {
        Some(keys) => asserted(app, client_id, &keys, text).await,
        None => Ok(Err("the keys of this client cannot be fetched")),
    }
}

/// A program of the configuration shows who it is, in the way that stands there.
async fn prove(
    app: &App,
    client: &MachineClient,
    shown: &Shown,
    by: ShownBy,
) -> Result<(), Refusal> {
    let wrong = match (&client.proof, shown) {
        (Proof::Secret(kept), Shown::Secret(sent)) if same(&store::digest(kept.reveal()), sent) => {
            return Ok(());
        }
        (Proof::Keys(keys), Shown::Assertion(text)) => {
            match asserted(app, &client.id, keys, text).await? {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            }
        }
        (Proof::Secret(_), Shown::Secret(_)) => "client_secret is wrong",
        (Proof::Secret(_), _) => "this client authenticates by client_secret",
        (Proof::Keys(_), _) => MUST_SIGN,
    };
    Err(Refusal::InvalidClient(wrong, by))
}

/// Checks an assertion, and uses it up; the inner error says what is wrong with it.
async fn asserted(
    app: &App,
    client_id: &str,
    keys: &KeySet,
    text: &str,
) -> Result<Result<(), &'static str>, Refusal> {
    let issuer = app.config.public_url.as_str();
    // Not each endpoint for itself: many libraries take the token endpoint wherever they authenticate.
    let token_endpoint = app.config.public_url.url("/oauth/token");
    let audiences = [issuer, token_endpoint.as_str()];
    let expected = Expected { client_id, audiences: &audiences, now: app.clock.now_unix() };
    match assertion::verify(text, keys, expected) {
        Ok(one) if app.store.use_assertion(&one.digest, one.expires_at).await? => Ok(Ok(())),
        Ok(_) => Ok(Err("client_assertion was used before")),
        Err(reason) => Ok(Err(reason)),
    }
}

fn same(kept: &[u8], sent: &str) -> bool {
    bool::from(kept.ct_eq(&store::digest(sent)))
}

fn credentials(headers: &HeaderMap, form: &Parameters) -> Result<Credentials, Refusal> {
    let id = form.text("client_id", MAX_VALUE)?;
    let secret = form.text("client_secret", MAX_SECRET)?.map(str::to_owned);
    let assertion = sent(form)?;
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next();
    let ways = usize::from(secret.is_some()) + usize::from(assertion.is_some());
    if ways + usize::from(line.is_some()) + lines.count() > 1 {
        let text = "a client authenticates in one way at a time";
        return Err(Refusal::invalid_request(text));
    }
    let by = ShownBy::Form;
    if let Some(assertion) = assertion {
        let claimed = assertion::client_id(&assertion);
        let text = "client_assertion is not a JWT with a sub";
        let claimed = claimed.ok_or(Refusal::InvalidClient(text, by))?;
        if id.is_some_and(|id| id != claimed) {
            return Err(Refusal::invalid_request("client_id differs from sub of client_assertion"));
        }
        return Ok(Credentials { id: claimed, shown: Shown::Assertion(assertion), by });
    }
    let Some(line) = line else {
        let id = id.ok_or_else(|| Refusal::invalid_request("client_id is missing"))?;
        let shown = secret.map_or(Shown::Nothing, Shown::Secret);
        return Ok(Credentials { id: id.to_owned(), shown, by });
    };
    let by = ShownBy::Header;
    let Some((basic_id, basic_secret)) = line.to_str().ok().and_then(basic) else {
        return Err(Refusal::InvalidClient("the Authorization header is not HTTP Basic", by));
    };
    if id.is_some_and(|id| id != basic_id) {
        return Err(Refusal::invalid_request("client_id differs between header and body"));
    }
    let shown = if basic_secret.is_empty() { Shown::Nothing } else { Shown::Secret(basic_secret) };
    Ok(Credentials { id: basic_id, shown, by })
}

/// The assertion of a form, and that it is of the one kind that there is.
fn sent(form: &Parameters) -> Result<Option<String>, Refusal> {
    let kind = form.text("client_assertion_type", MAX_VALUE)?;
    let Some(assertion) = form.text("client_assertion", MAX_TOKEN)? else { return Ok(None) };
    if kind != Some(assertion::TYPE) {
        let text = format!("client_assertion_type must be {}", assertion::TYPE);
        return Err(Refusal::InvalidRequest(text));
    }
    Ok(Some(assertion.to_owned()))
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
