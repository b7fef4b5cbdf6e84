//! The URL that a browser is sent to (OpenID Connect Core section 3.1.2.1).

use url::Url;

use super::{discovery::Metadata, trip::Trip};
use crate::authorization::request::Prompt as Asked;

/// What is asked for, by whom, on which way.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// `redirect_uri`.
    pub redirect_uri: &'a str,
    /// Scopes, separated by spaces.
    pub scope: &'a str,
    /// `state`, nonce and PKCE.
    pub trip: &'a Trip,
    /// Whether the provider is to ask who it is.
    pub prompt: Prompt,
    /// What else it is told: `hd`, `resource`, `audience`.
    pub more: &'a [(&'a str, &'a str)],
}

/// Whether the provider is to ask who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prompt {
    /// As it likes.
    Unsaid,
    /// It is to ask nobody anything.
    None,
    /// It is to ask for a login, whoever is logged in there.
    Login,
    /// It is to ask which account is meant.
    SelectAccount,
}

/// The URL.
#[must_use]
pub fn url(metadata: &Metadata, request: Request<'_>) -> Url {
    let mut url = metadata.authorization_endpoint.clone();
    let challenge = request.trip.challenge();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", request.client_id)
        .append_pair("redirect_uri", request.redirect_uri)
        .append_pair("scope", request.scope)
        .append_pair("state", &request.trip.state)
        .append_pair("nonce", &request.trip.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(request.prompt.value(metadata).map(|value| ("prompt", value)))
        .extend_pairs(request.more);
    url
}

impl Prompt {
    /// What a provider is to be told of what a client wants.
    #[must_use]
    pub fn of(asked: &[Asked]) -> Self {
        if asked.contains(&Asked::None) {
            Self::None
        } else if asked.contains(&Asked::SelectAccount) {
            Self::SelectAccount
        } else if asked.contains(&Asked::Login) {
            Self::Login
        } else {
            Self::Unsaid
        }
    }

    /// A value that the provider understands: one that does not would refuse.
    fn value(self, metadata: &Metadata) -> Option<&'static str> {
        let wanted: &[&'static str] = match self {
            Self::Unsaid => &[],
            // One that does not know it must not ask either, so it is told all the same.
            Self::None => return Some("none"),
            Self::Login => &["login"],
            Self::SelectAccount => &["select_account", "login"],
        };
        let known = |value: &str| {
            let values = metadata.prompt_values.as_ref();
            values.is_none_or(|values| values.iter().any(|known| known == value))
        };
        wanted.iter().copied().find(|value| known(value))
    }
}
