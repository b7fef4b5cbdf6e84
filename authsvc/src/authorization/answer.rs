//! The answer to an authorization request: a redirect to a URI that was checked, with `state` and `iss`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// What a query value keeps as it is: the unreserved characters of RFC 3986.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the answer may go. Made from a redirect URI that matches the client's registration, and from nothing
/// else: a page is the only answer without one (RFC 6749 section 4.1.2.1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Destination {
    /// The URI as it was sent or, alone, registered.
    pub redirect_uri: String,
    /// Whether the request carried it: then the token request must, too (RFC 6749 section 4.1.3).
    pub origin: RedirectUriOrigin,
    /// `state`, percent-encoded: any bytes come back as they came.
    pub state: Option<String>,
}

/// Where a redirect URI comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectUriOrigin {
    /// The request.
    Request,
    /// The registration, which has only this one.
    Registration,
}

/// Who receives what is sent to a redirect URI.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Receiver {
    /// A web site.
    Web {
        /// Host, with its port unless that is the default one.
        host: String,
    },
    /// Whatever program listens on this port of the user's machine (RFC 8252 section 7.3).
    Loopback {
        /// Host and port.
        host: String,
    },
    /// Whatever program has claimed this scheme on the user's machine (RFC 8252 section 7.1).
    PrivateUse {
        /// Scheme and what follows up to the path.
        target: String,
    },
}

/// Errors that are told to the client (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCode {
    /// Something is missing, repeated or malformed.
    InvalidRequest,
    /// Another `response_type` than `code`.
    UnsupportedResponseType,
    /// An unknown `resource`.
    InvalidTarget,
    /// The user said no.
    AccessDenied,
    /// `prompt=none`, and nobody is logged in.
    LoginRequired,
    /// `prompt=none`, and nobody has agreed yet.
    ConsentRequired,
    /// `request` is not supported.
    RequestNotSupported,
    /// `request_uri` is not supported.
    RequestUriNotSupported,
    /// It is our fault.
    ServerError,
}

impl ErrorCode {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
        }
    }
}

impl Destination {
    /// The URL that carries a code.
    #[must_use]
    pub fn success(&self, issuer: &str, code: &str) -> String {
        self.with(issuer, &[("code", code)])
    }

    /// The URL that carries an error.
    #[must_use]
    pub fn failure(&self, issuer: &str, error: ErrorCode, description: &str) -> String {
        self.with(issuer, &[("error", error.as_str()), ("error_description", description)])
    }

    /// Who receives it.
    #[must_use]
    pub fn receiver(&self) -> Receiver {
        receiver(&self.redirect_uri)
    }

    /// Appends to the query; what the URI already has is left as it is, byte for byte. `iss` is on every answer
    /// (RFC 9207 section 2), which is what lets a client notice a mixed-up server.
    fn with(&self, issuer: &str, parameters: &[(&str, &str)]) -> String {
        let iss = [("iss", issuer)];
        let encode = |(name, value): &(&str, &str)| format!("{name}={}", encode(value.as_bytes()));
        let mut pairs: Vec<String> = parameters.iter().map(encode).collect();
        pairs.extend(self.state.iter().map(|state| format!("state={state}")));
        pairs.extend(iss.iter().map(encode));
        let separator = match self.redirect_uri.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.redirect_uri, pairs.join("&"))
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, VALUE).to_string()
}

/// Who receives what is sent to this redirect URI.
pub(crate) fn receiver(uri: &str) -> Receiver {
    let Ok(url) = Url::parse(uri) else { return Receiver::PrivateUse { target: uri.to_owned() } };
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        let target =
            if host.is_empty() { format!("{scheme}:") } else { format!("{scheme}://{host}") };
        return Receiver::PrivateUse { target };
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if local { Receiver::Loopback { host } } else { Receiver::Web { host } }
}

#[cfg(test)]
mod tests {
    use super::{Receiver, receiver};

    #[test]
    fn s40_this_machine_has_several_names() {
        for uri in [
            "http://localhost:53412/cb",
            "https://localhost/cb",
            "https://localhost./cb",
            "https://a.localhost.:8443/cb",
            "http://127.3.2.1/cb",
            "https://[::1]/cb",
        ] {
            assert!(matches!(receiver(uri), Receiver::Loopback { .. }), "{uri}");
        }
        for uri in ["https://localhost.example.com/", "https://notlocalhost/", "https://8.8.8.8/"] {
            assert!(matches!(receiver(uri), Receiver::Web { .. }), "{uri}");
        }
    }
}
