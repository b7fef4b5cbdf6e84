//! Every way to say no at an OAuth endpoint that answers in JSON: status, code and text in one table
//! (RFC 6749 section 5.2, RFC 7009 section 2.2.1, RFC 7591 section 3.2.2, RFC 8707 section 2).

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use thiserror::Error;

use crate::{
    authorization::parameters::BadParameter, keys::KeyError, redirect::BadRedirectUri, store,
    upstream,
};

/// Neither tokens nor errors are kept by anyone (RFC 6749 section 5.1).
pub const NO_STORE: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// When a provider that cannot be reached is worth another try, seconds.
pub const RETRY_AFTER: u64 = 10;
/// When to ask again while the database does not answer, seconds.
pub const AWAY: u64 = 5;

/// There is nothing here.
#[derive(Clone, Copy, Debug)]
pub struct NotFound;

/// Why a request is refused. The texts are for the developer of the client: ASCII without quotes.
#[derive(Debug, Error)]
pub enum Refusal {
    /// Something is missing, repeated or malformed.
    #[error("{0}")]
    InvalidRequest(String),
    /// The body is larger than it may be.
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    /// The body did not come to its end.
    #[error("the body took too long to come")]
    TooSlow,
    /// The client is not known, or did not show that it is what it claims.
    #[error("{0}")]
    InvalidClient(&'static str, ShownBy),
    /// No token came with a request that needs one.
    #[error("a bearer token is required")]
    NoToken,
    /// The bearer token is not good for this.
    #[error("the bearer token is not that of a client that is registered here")]
    InvalidToken,
    /// The code or refresh token is dead, or not this client's.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// The grant is not for this client.
    #[error("{0}")]
    UnauthorizedClient(&'static str),
    /// Another grant than we know.
    #[error("grant_type must be authorization_code or refresh_token")]
    UnsupportedGrantType,
    /// A token that cannot be revoked.
    #[error("this access token was issued without a grant and lives until it expires")]
    UnsupportedTokenType,
    /// More than was granted.
    #[error("scope goes beyond what was granted")]
    InvalidScope,
    /// A resource that is not ours or was not granted.
    #[error("{0}")]
    InvalidTarget(String),
    /// A redirect URI that may not be registered.
    #[error("{0}")]
    InvalidRedirectUri(BadRedirectUri),
    /// Metadata that cannot be registered.
    #[error("{0}")]
    InvalidClientMetadata(String),
    /// Too many from here, or from everywhere.
    #[error("too many registrations, try again in {retry_after} seconds")]
    TooMany {
        /// Seconds.
        retry_after: u64,
    },
    /// Who logs people in and issues the tokens cannot be asked now.
    #[error("the identity provider cannot be reached, try again in {retry_after} seconds")]
    NoProvider {
        /// Seconds.
        retry_after: u64,
    },
    /// Who logs people in and issues the tokens says what we cannot use, or refuses us.
    #[error(
        "the identity provider and this gateway do not understand each other: the log of the gateway says why"
    )]
    BadProvider,
    /// The provider issued a token that opens nothing here.
    #[error(
        "the identity provider issued an access token that this gateway would refuse: the log of the gateway says why, and what to configure"
    )]
    UnusableToken,
    /// The database does not answer now.
    #[error("the gateway cannot answer now, try again in {AWAY} seconds")]
    Away,
    /// It is our fault.
    #[error("something went wrong here, try again")]
    Internal,
}

/// How a client tried to show who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ShownBy {
    /// The `Authorization` header: the answer carries a challenge.
    Header,
    /// The form.
    Form,
}

impl Refusal {
    /// With a text that says what is wrong.
    #[must_use]
    pub fn invalid_request(text: &str) -> Self {
        Self::InvalidRequest(text.to_owned())
    }

    /// `error`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.row().1
    }

    /// How to authenticate, of a refusal that is about that (RFC 9110 section 11.6.1, RFC 6750 section 3).
    const fn challenge(&self) -> Option<&'static str> {
        if matches!(self, Self::InvalidClient(_, ShownBy::Header)) {
            return Some("Basic realm=\"attache\", charset=\"UTF-8\"");
        }
        if matches!(self, Self::InvalidToken) {
            return Some("Bearer realm=\"attache\", error=\"invalid_token\"");
        }
        if matches!(self, Self::NoToken) { Some("Bearer realm=\"attache\"") } else { None }
    }

    /// Status and `error`.
    const fn row(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "invalid_request"),
            Self::InvalidClient(..) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::NoToken | Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::UnauthorizedClient(_) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::UnsupportedTokenType => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
            Self::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::InvalidTarget(_) => (StatusCode::BAD_REQUEST, "invalid_target"),
            Self::InvalidRedirectUri(_) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
            Self::InvalidClientMetadata(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Self::Away => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Self::NoProvider { .. } => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Self::BadProvider | Self::UnusableToken => (StatusCode::BAD_GATEWAY, "server_error"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl From<BadParameter> for Refusal {
    fn from(bad: BadParameter) -> Self {
        Self::InvalidRequest(bad.to_string())
    }
}

impl From<BadRedirectUri> for Refusal {
    fn from(bad: BadRedirectUri) -> Self {
        Self::InvalidRedirectUri(bad)
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        error.log("a request");
        if error.is_passing() { Self::Away } else { Self::Internal }
    }
}

impl From<upstream::Error> for Refusal {
    fn from(error: upstream::Error) -> Self {
        tracing::error!(%error, "the identity provider is of no use");
        match error {
            upstream::Error::Unreachable { .. } => Self::NoProvider { retry_after: RETRY_AFTER },
            upstream::Error::Unusable { .. }
            | upstream::Error::Client(_)
            | upstream::Error::Grant(_)
            | upstream::Error::Refused(_)
            | upstream::Error::IdToken(_) => Self::BadProvider,
        }
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        if let KeyError::Store(error) = error {
            return error.into();
        }
        tracing::error!(%error, "a request failed");
        Self::Internal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.row();
        tracing::info!(error = code, reason = %self, "refused");
        let body = json!({ "error": code, "error_description": self.to_string() });
        let mut response = (status, NO_STORE, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::TooMany { retry_after } | Self::NoProvider { retry_after } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if matches!(self, Self::Away) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(AWAY));
        }
        response
    }
}

impl IntoResponse for NotFound {
    fn into_response(self) -> Response {
        let text = "there is nothing at this path";
        let body = json!({ "error": "not_found", "error_description": text });
        (StatusCode::NOT_FOUND, NO_STORE, Json(body)).into_response()
    }
}
