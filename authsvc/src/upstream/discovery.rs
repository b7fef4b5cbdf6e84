//! What a provider offers: its metadata (OpenID Connect Discovery 1.0, RFC 8414), which must be of the issuer that is
//! configured.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{Error, expect_json, issuer::Issuers};
use crate::{config::Targets, outgoing::guarded::Guarded};

const WHAT: &str = "metadata";
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// What is used of it.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where browsers are sent.
    pub authorization_endpoint: Url,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// Who the bearer of an access token is.
    pub userinfo_endpoint: Option<Url>,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// What a token is worth (RFC 7662).
    pub introspection_endpoint: Option<Url>,
    /// Where tokens are given back (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// How clients may show who they are at the token endpoint; by HTTP Basic where it does not say.
    pub token_endpoint_auth_methods: Vec<String>,
    /// Values of `prompt`, where it says so.
    pub prompt_values: Option<Vec<String>>,
    /// Scopes, where it says so.
    pub scopes: Option<Vec<String>>,
    /// Whether each of its answers says whose it is (RFC 9207).
    pub says_iss: bool,
}

/// As it comes.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    userinfo_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    prompt_values_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Where the metadata of an issuer may be, in the order in which it is looked for: after it, as OpenID Connect has it,
/// or between its host and its path, as RFC 8414 does.
#[must_use]
pub fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut paths = vec![format!("{path}{OPENID}")];
    if !path.is_empty() {
        paths.push(format!("{OPENID}{path}"));
    }
    paths.push(format!("{OAUTH}{path}"));
    let place = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    paths.into_iter().map(place).collect()
}

/// Looks for it.
///
/// # Errors
/// When there is none, or none that can be used: then what is wrong with the last one.
pub async fn find(http: &Guarded, issuers: &Issuers) -> Result<(Metadata, Duration), Error> {
    let places = places(issuers.configured().url());
    let asked = places.iter().map(Url::as_str).collect::<Vec<_>>().join(" or ");
    let mut worst = Error::unusable(WHAT, format!("there is none at {asked}"));
    for place in &places {
        match look(http, place, issuers).await {
            Ok(Some(found)) => return Ok(found),
            // It is there, and cannot be asked now.
            Err(error @ Error::Unreachable { .. }) => return Err(error),
            Err(error) => worst = error,
            Ok(None) => {}
        }
    }
    Err(worst)
}

/// What is there; nothing where there is no document.
async fn look(
    http: &Guarded,
    place: &Url,
    issuers: &Issuers,
) -> Result<Option<(Metadata, Duration)>, Error> {
    let reply = http.get(place, None).await.map_err(|error| Error::unanswered(WHAT, &error))?;
    if reply.status.is_client_error() && !reply.is_passing() {
        return Ok(None);
    }
    let reply = expect_json(reply, WHAT)?;
    let metadata = read(&reply.body, issuers, http.targets())?;
    Ok(Some((metadata, reply.age)))
}

/// Reads a document.
///
/// # Errors
/// When it is of another issuer, or lacks what nothing works without.
pub fn read(body: &[u8], issuers: &Issuers, targets: Targets) -> Result<Metadata, Error> {
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::unusable(WHAT, format!("not JSON as it should be, at line {line} column {column}"))
    })?;
    let expected = issuers.of_metadata();
    if document.issuer != expected {
        let reason = format!(
            "its issuer is {:?}, and not {expected:?}: configure it exactly so, if it is meant",
            document.issuer
        );
        return Err(Error::unusable(WHAT, reason));
    }
    let needed = |name: &'static str, text: Option<String>| match url(name, text, targets) {
        Ok(Some(url)) => Ok(url),
        Ok(None) => Err(Error::unusable(WHAT, format!("{name} is missing"))),
        Err(error) => Err(error),
    };
    Ok(Metadata {
        authorization_endpoint: needed("authorization_endpoint", document.authorization_endpoint)?,
        token_endpoint: needed("token_endpoint", document.token_endpoint)?,
        jwks_uri: needed("jwks_uri", document.jwks_uri)?,
        userinfo_endpoint: url("userinfo_endpoint", document.userinfo_endpoint, targets)?,
        registration_endpoint: url(
            "registration_endpoint",
            document.registration_endpoint,
            targets,
        )?,
        introspection_endpoint: url(
            "introspection_endpoint",
            document.introspection_endpoint,
            targets,
        )?,
        revocation_endpoint: url("revocation_endpoint", document.revocation_endpoint, targets)?,
        token_endpoint_auth_methods: document
            .token_endpoint_auth_methods_supported
            .unwrap_or_else(|| vec!["client_secret_basic".to_owned()]),
        prompt_values: document.prompt_values_supported,
        scopes: document.scopes_supported,
        says_iss: document.authorization_response_iss_parameter_supported,
    })
}

/// An endpoint: what goes there, codes and secrets among it, must not travel in clear.
pub(super) fn url(
    name: &'static str,
    text: Option<String>,
    targets: Targets,
) -> Result<Option<Url>, Error> {
    let Some(text) = text else { return Ok(None) };
    let wrong = |reason: &str| Error::unusable(WHAT, format!("{name} {reason}"));
    let url = Url::parse(&text).map_err(|_error| wrong("is not a URL"))?;
    match (url.scheme(), targets) {
        ("https", _) | ("http", Targets::Any) => {}
        _ => return Err(wrong("is not https")),
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !plain || !url.has_host() {
        return Err(wrong("has a user or a fragment, or no host"));
    }
    Ok(Some(url))
}
