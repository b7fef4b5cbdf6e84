//! The two cookies of the login and consent pages.
//!
//! With an `https` public URL they are `__Host-` cookies: only this origin can have set them, over TLS, for `/`
//! (RFC 6265bis section 4.1.3.2). That prefix demands `Secure`, which not every browser accepts from
//! `http://localhost`, so with a plain-http public URL, which can only be a loopback one, they go without both.
//! There the name carries the port: cookies do not know ports, and two gateways on one machine must not
//! overwrite each other's.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::config::Origin;

/// Longest value that is read, bytes.
const MAX_VALUE: usize = 128;

/// What a cookie is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cookie {
    /// Binds a request for authorization to the browser that made it, before anybody has logged in.
    Browser,
    /// Says who is logged in.
    Session,
}

impl Cookie {
    /// Its name at this origin.
    #[must_use]
    pub fn name(self, origin: &Origin) -> String {
        let name = match self {
            Self::Browser => "attache_browser",
            Self::Session => "attache_session",
        };
        if is_secure(origin) {
            return format!("__Host-{name}");
        }
        let port = Url::parse(origin.as_str()).ok().and_then(|url| url.port_or_known_default());
        format!("{name}_{}", port.unwrap_or(80))
    }

    /// `Set-Cookie` for the lifetime of the browser's session; `value` is base64url.
    #[must_use]
    pub fn set(self, origin: &Origin, value: &str) -> Option<HeaderValue> {
        self.write(origin, value, "")
    }

    /// `Set-Cookie` that removes it.
    #[must_use]
    pub fn remove(self, origin: &Origin) -> Option<HeaderValue> {
        self.write(origin, "", "; Max-Age=0")
    }

    /// The value that the browser sent. Two cookies of the name mean that somebody meddled: then neither counts.
    #[must_use]
    pub fn read<'a>(self, origin: &Origin, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.name(origin);
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = values.next().filter(|value| !value.is_empty() && value.len() <= MAX_VALUE)?;
        values.next().is_none().then_some(value)
    }

    fn write(self, origin: &Origin, value: &str, life: &str) -> Option<HeaderValue> {
        let secure = if is_secure(origin) { "; Secure" } else { "" };
        let name = self.name(origin);
        HeaderValue::try_from(format!(
            "{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}"
        ))
        .ok()
    }
}

fn is_secure(origin: &Origin) -> bool {
    origin.as_str().starts_with("https://")
}
