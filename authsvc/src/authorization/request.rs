//! What an authorization request asks for, after every check that needs no one to be logged in.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    answer::{Destination, ErrorCode},
    parameters::{BadParameter, Parameters},
    resource::{self, InvalidTarget},
    scope,
};
use crate::config::Config;

/// Limit of `state`, which comes back byte for byte.
pub const MAX_STATE: usize = 4096;
/// Limit of every other parameter, bytes.
const MAX_VALUE: usize = 2048;
/// base64url of a SHA-256 without padding (RFC 7636 section 4.2).
const CHALLENGE_LENGTH: usize = 43;

/// A request that may be shown to the user.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asked {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub destination: Destination,
    /// PKCE challenge, S256.
    pub code_challenge: String,
    /// Resources that the tokens will be for, as they are written in `aud`.
    pub resources: Vec<String>,
    /// Scopes that will be granted.
    pub scopes: Vec<String>,
    /// How the user is to be involved.
    pub prompt: Vec<Prompt>,
}

/// `prompt` (OpenID Connect Core section 3.1.2.1).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Show nothing.
    None,
    /// Log in again.
    Login,
    /// Ask again.
    Consent,
    /// Let the user choose an account: we know one at a time, so log in again.
    SelectAccount,
}

/// What is told to the client.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{}: {description}", code.as_str())]
pub struct Fault {
    /// `error`.
    pub code: ErrorCode,
    /// `error_description`.
    pub description: String,
}

impl Fault {
    /// With a description for the developer of the client: ASCII without quotes (RFC 6749 section 4.1.2.1).
    #[must_use]
    pub fn new(code: ErrorCode, description: &str) -> Self {
        Self { code, description: description.to_owned() }
    }
}

impl From<BadParameter> for Fault {
    fn from(bad: BadParameter) -> Self {
        Self::new(ErrorCode::InvalidRequest, &bad.to_string())
    }
}

impl From<InvalidTarget> for Fault {
    fn from(invalid: InvalidTarget) -> Self {
        Self::new(ErrorCode::InvalidTarget, &invalid.to_string())
    }
}

/// Checks what is left once it is known who asks and where the answer goes.
///
/// # Errors
/// The first [`Fault`] found.
pub fn check(
    config: &Config,
    parameters: &Parameters,
    client_id: &str,
    destination: Destination,
) -> Result<Asked, Fault> {
    // `state` itself was read for the destination; too long or repeated, it is named here and not echoed.
    parameters.bytes("state", MAX_STATE)?;
    unsupported(parameters)?;
    response_type(parameters)?;
    let code_challenge = challenge(parameters)?;
    let servers = resource::resolve(config, &parameters.texts("resource", MAX_VALUE)?)?;
    if servers.len() > 1 && config.authorization.brokered().is_some() {
        let text = "one resource at a time: the identity provider issues each token for one";
        return Err(Fault::new(ErrorCode::InvalidTarget, text));
    }
    let scopes = scope::narrow(&servers, parameters.text("scope", MAX_VALUE)?);
    Ok(Asked {
        client_id: client_id.to_owned(),
        destination,
        code_challenge,
        resources: servers.iter().map(|server| resource::uri(config, server)).collect(),
        scopes,
        prompt: prompt(parameters)?,
    })
}

/// Ways to ask that would change what we checked: refused rather than ignored.
fn unsupported(parameters: &Parameters) -> Result<(), Fault> {
    if parameters.text("request", usize::MAX)?.is_some() {
        return Err(Fault::new(
            ErrorCode::RequestNotSupported,
            "request objects are not supported",
        ));
    }
    if parameters.text("request_uri", usize::MAX)?.is_some() {
        return Err(Fault::new(ErrorCode::RequestUriNotSupported, "request_uri is not supported"));
    }
    match parameters.text("response_mode", MAX_VALUE)? {
        None | Some("query") => Ok(()),
        Some(_) => Err(Fault::new(ErrorCode::InvalidRequest, "response_mode must be query")),
    }
}

fn response_type(parameters: &Parameters) -> Result<(), Fault> {
    match parameters.text("response_type", MAX_VALUE)? {
        Some("code") => Ok(()),
        Some(_) => {
            Err(Fault::new(ErrorCode::UnsupportedResponseType, "response_type must be code"))
        }
        None => {
            Err(Fault::new(ErrorCode::InvalidRequest, "response_type is missing, it must be code"))
        }
    }
}

/// PKCE with S256 for every client (RFC 9700 section 2.1.1); without a method, RFC 7636 section 4.3 means `plain`.
fn challenge(parameters: &Parameters) -> Result<String, Fault> {
    let refuse = |text| Err(Fault::new(ErrorCode::InvalidRequest, text));
    let Some(challenge) = parameters.text("code_challenge", MAX_VALUE)? else {
        return refuse("code_challenge is missing, PKCE with S256 is required");
    };
    if parameters.text("code_challenge_method", MAX_VALUE)? != Some("S256") {
        return refuse("code_challenge_method must be S256");
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(base64url) {
        return refuse(
            "code_challenge must be 43 characters of base64url, the SHA-256 of the verifier",
        );
    }
    Ok(challenge.to_owned())
}

fn prompt(parameters: &Parameters) -> Result<Vec<Prompt>, Fault> {
    let text = parameters.text("prompt", MAX_VALUE)?.unwrap_or_default();
    let mut prompts = Vec::new();
    for value in text.split(' ') {
        match value {
            "none" => prompts.push(Prompt::None),
            "login" => prompts.push(Prompt::Login),
            "consent" => prompts.push(Prompt::Consent),
            "select_account" => prompts.push(Prompt::SelectAccount),
            // Extensions define others; what we do not know we cannot do.
            _ => {}
        }
    }
    if prompts.contains(&Prompt::None) && text != "none" {
        return Err(Fault::new(ErrorCode::InvalidRequest, "prompt none stands alone"));
    }
    Ok(prompts)
}
