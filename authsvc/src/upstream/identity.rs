//! What is known of somebody whose ID token is good.

use attache_protocol::{
    foreign::{MOST_GROUPS, find, texts},
    secret::Secret,
};
use serde_json::{Map, Value};
use url::Url;

use super::{Error, expect_json, id_token::Verified};
use crate::{
    config::IdentityClaims,
    outgoing::guarded::Guarded,
    pages::words::is_deceptive,
    users::{self, email::Email},
};

const WHAT: &str = "UserInfo";
/// Longest name, characters.
const MAX_NAME: usize = 100;

/// Somebody, as a provider knows them. Two of them are the same if issuer and subject are, and only then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// An address of which the provider says that it is theirs; any other is taken for none.
    pub email: Option<Email>,
    /// What they are called: by themselves, perhaps.
    pub name: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// Whether the ID token leaves out what the UserInfo endpoint may know.
#[must_use]
pub fn has_gaps(verified: &Verified, names: &IdentityClaims) -> bool {
    let missing = |name: &str| find(&verified.claims, name).is_none();
    [&names.email, &names.email_verified, &names.groups, &names.name]
        .into_iter()
        .any(|name| missing(name))
}

/// Asks the UserInfo endpoint about the bearer of an access token, who must be `subject` (OpenID Connect Core section
/// 5.3.2).
///
/// # Errors
/// When it does not answer, or of somebody else.
pub async fn ask(
    http: &Guarded,
    endpoint: &Url,
    access_token: &Secret,
    subject: &str,
) -> Result<Map<String, Value>, Error> {
    let reply = http.get(endpoint, Some(access_token)).await;
    let reply = expect_json(reply.map_err(|error| Error::unanswered(WHAT, &error))?, WHAT)?;
    let claims: Map<String, Value> = serde_json::from_slice(&reply.body)
        .map_err(|_error| Error::unusable(WHAT, "it is not a JSON object"))?;
    if claims.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(Error::unusable(WHAT, "it is of somebody else than the ID token (sub)"));
    }
    Ok(claims)
}

/// Reads what an ID token says and, where that says nothing, `more`.
#[must_use]
pub fn read(verified: Verified, more: &Map<String, Value>, names: &IdentityClaims) -> Identity {
    let Verified { issuer, subject, claims } = verified;
    let said = |name: &str| find(&claims, name).or_else(|| find(more, name));
    // Address and its proof are of one source: a proof says nothing of another address.
    let email = [&claims, more].into_iter().find(|source| find(source, &names.email).is_some());
    let email =
        email.and_then(|source| email_of(source, names).or_else(|| vouched(more, source, names)));
    let name = said(&names.name).and_then(Value::as_str).and_then(name_of);
    let groups = said(&names.groups).map(groups_of).unwrap_or_default();
    Identity { issuer, subject, email, name, groups }
}

/// The address in `source`, if it is verified there.
fn email_of(source: &Map<String, Value>, names: &IdentityClaims) -> Option<Email> {
    let address = find(source, &names.email)?.as_str()?;
    let verified = find(source, &names.email_verified).is_some_and(is_true);
    // One that can be read in two ways is nobody's.
    if !verified || address.matches('@').count() != 1 {
        return None;
    }
    Email::parse(address).ok()
}

/// The address in `source`, if `more` has the same one and says that it is verified.
fn vouched(
    more: &Map<String, Value>,
    source: &Map<String, Value>,
    names: &IdentityClaims,
) -> Option<Email> {
    let refuted = find(source, &names.email_verified).is_some();
    let same = find(source, &names.email) == find(more, &names.email);
    if refuted || !same { None } else { email_of(more, names) }
}

/// `true`; some providers put it in quotes, or write 1.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(verified) => *verified,
        Value::String(text) => matches!(text.as_str(), "true" | "1"),
        Value::Number(number) => number.as_i64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// What somebody may be called: nothing that looks like an address, since nobody has shown that it is theirs.
fn name_of(text: &str) -> Option<String> {
    let name: String = text.chars().filter(|one| !is_deceptive(*one)).take(MAX_NAME).collect();
    let name = name.trim();
    (!name.is_empty() && !name.contains('@')).then(|| name.to_owned())
}

fn groups_of(value: &Value) -> Vec<String> {
    let mut groups = Vec::new();
    for group in texts(value).into_iter().filter_map(|text| users::group(text).ok()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    if groups.len() > MOST_GROUPS {
        let count = groups.len();
        tracing::warn!(
            count,
            most = MOST_GROUPS,
            "a user has too many groups, the rest is left out"
        );
        groups.truncate(MOST_GROUPS);
    }
    groups
}
