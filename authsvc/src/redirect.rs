//! What a redirect URI may be, and when one that is presented is one that was registered.

use std::net::Ipv6Addr;

use thiserror::Error;
use url::{Host, Url};

/// Longest redirect URI, bytes.
pub const MAX_LENGTH: usize = 1024;

/// Why a redirect URI is not accepted.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BadRedirectUri {
    /// Too long.
    #[error("a redirect URI is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Not an absolute URI in the characters of RFC 3986.
    #[error("a redirect URI is not an absolute URI of ASCII characters")]
    Malformed,
    /// With a fragment (RFC 6749 section 3.1.2).
    #[error("a redirect URI has a fragment")]
    Fragment,
    /// With a user or password, which only make another host look like a known one.
    #[error("a redirect URI has a user or a password")]
    UserInfo,
    /// With an asterisk: URIs are compared exactly, there are no patterns.
    #[error("a redirect URI has an asterisk, patterns are not supported")]
    Wildcard,
    /// `http` to another machine.
    #[error("a redirect URI has http and a host that is not loopback, use https")]
    PlainHttp,
    /// A scheme that the operator did not allow.
    #[error(
        "a redirect URI has a private-use scheme that is not allowed here, use https or http to loopback"
    )]
    Scheme,
}

/// Whether a client may register `uri`: `https` with any host, `http` with a loopback host and any port, and
/// exactly those of `private`.
///
/// # Errors
/// The first reason against it.
pub fn check(uri: &str, private: &[String]) -> Result<(), BadRedirectUri> {
    if uri.len() > MAX_LENGTH {
        return Err(BadRedirectUri::TooLong);
    }
    // The parser below would drop or rewrite what is refused here, and users' programs may not.
    if uri.bytes().any(|byte| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte)) {
        return Err(BadRedirectUri::Malformed);
    }
    let Ok(url) = Url::parse(uri) else { return Err(BadRedirectUri::Malformed) };
    if uri.contains('#') {
        return Err(BadRedirectUri::Fragment);
    }
    if uri.contains('*') {
        return Err(BadRedirectUri::Wildcard);
    }
    if private.iter().any(|allowed| allowed == uri) && !is_dangerous(url.scheme()) {
        return Ok(());
    }
    let Some((scheme, rest)) = uri.split_once("://") else { return Err(BadRedirectUri::Scheme) };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains(['@', '%']) {
        return Err(BadRedirectUri::UserInfo);
    }
    match scheme {
        // Of `https:///example.com` the parser, as browsers do, takes the path for the authority.
        "https" if !authority.is_empty() => Ok(()),
        "http" if Loopback::parse(uri).is_some() => Ok(()),
        "https" => Err(BadRedirectUri::Malformed),
        "http" => Err(BadRedirectUri::PlainHttp),
        _ => Err(BadRedirectUri::Scheme),
    }
}

/// Whether `presented` is `registered`: byte for byte (RFC 9700 section 2.1), but for the port of a loopback URI,
/// which a program learns only when it starts to listen (RFC 8252 section 7.3). `localhost` counts as loopback
/// although section 8.3 advises against it: most clients use it.
#[must_use]
pub fn matches(registered: &str, presented: &str) -> bool {
    if registered == presented {
        return true;
    }
    match (Loopback::parse(registered), Loopback::parse(presented)) {
        (Some(registered), Some(presented)) => registered == presented,
        _ => false,
    }
}

/// Whether the browser itself would do something with it, whatever the operator allows.
fn is_dangerous(scheme: &str) -> bool {
    matches!(
        scheme,
        "javascript" | "data" | "file" | "vbscript" | "blob" | "about" | "view-source" | "ftp"
    )
}

/// `http` to this machine, without the port.
#[derive(Eq, PartialEq)]
struct Loopback<'a> {
    host: &'a str,
    /// Path and query, as written.
    rest: &'a str,
}

impl<'a> Loopback<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let after = uri.strip_prefix("http://")?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at_checked(end)?;
        // The colons of an IPv6 address are inside its brackets.
        let host_end = authority.find(']').map_or_else(|| authority.find(':'), |at| Some(at + 1));
        let (host, port) = authority.split_at_checked(host_end.unwrap_or(authority.len()))?;
        let port_is_good = port.is_empty()
            || port.strip_prefix(':').is_some_and(|digits| {
                digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
            });
        (port_is_good && is_loopback(host)).then_some(Self { host, rest })
    }
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" && host == "localhost",
        // Only the usual way to write an address: `0x7f.1` is one, too, to some parsers.
        Ok(Host::Ipv4(address)) => address.is_loopback() && host == address.to_string(),
        Ok(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{BadRedirectUri, check, matches};

    const CURSOR: &str = "cursor://anysphere.cursor-mcp/oauth/callback";

    fn verdict(uri: &str) -> Result<(), BadRedirectUri> {
        check(uri, &[CURSOR.to_owned()])
    }

    #[test]
    fn redirect_uris_of_the_known_clients_may_be_registered() {
        for uri in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://chatgpt.com/connector/oauth/abc",
            "https://vscode.dev/redirect",
            "http://localhost/callback",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1/",
            "http://127.0.0.1",
            "http://[::1]:8000/cb?x=1",
            "http://127.3.2.1/cb",
            "http://localhost:6274/oauth/callback/debug",
            CURSOR,
        ] {
            assert_eq!(verdict(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn rule_6_everything_else_is_refused() {
        for (uri, expected) in [
            ("http://example.com/cb", BadRedirectUri::PlainHttp),
            ("http://localhost.example.com/cb", BadRedirectUri::PlainHttp),
            ("http://0x7f.1/cb", BadRedirectUri::PlainHttp),
            ("http://localhost:99999/cb", BadRedirectUri::Malformed),
            ("http://LOCALHOST/cb", BadRedirectUri::PlainHttp),
            ("javascript:alert(1)", BadRedirectUri::Scheme),
            ("data:text/html,x", BadRedirectUri::Scheme),
            ("file:///etc/passwd", BadRedirectUri::Scheme),
            ("vbscript:x", BadRedirectUri::Scheme),
            ("blob:https://example.com/x", BadRedirectUri::Scheme),
            ("https://user@example.com/cb", BadRedirectUri::UserInfo),
            ("https://example.com%40evil.example/cb", BadRedirectUri::Malformed),
            ("https://example.com/cb#x", BadRedirectUri::Fragment),
            ("https://example.com/cb#", BadRedirectUri::Fragment),
            ("https://*.example.com/cb", BadRedirectUri::Wildcard),
            ("http://localhost:8080/*", BadRedirectUri::Wildcard),
            ("https://exa mple.com/cb", BadRedirectUri::Malformed),
            ("https://example.com\\@evil.example/", BadRedirectUri::Malformed),
            ("https://b\u{fc}cher.example/cb", BadRedirectUri::Malformed),
            ("https:example.com/cb", BadRedirectUri::Scheme),
            ("https:///example.com/cb", BadRedirectUri::Malformed),
            ("https:///user@example.com/cb", BadRedirectUri::Malformed),
            ("https://?x", BadRedirectUri::Malformed),
            ("HTTPS://example.com/cb", BadRedirectUri::Scheme),
            ("/callback", BadRedirectUri::Malformed),
            ("", BadRedirectUri::Malformed),
        ] {
            assert_eq!(verdict(uri), Err(expected), "{uri}");
        }
        assert_eq!(
            verdict(&format!("https://e.example/{}", "x".repeat(1024))),
            Err(BadRedirectUri::TooLong)
        );
    }

    #[test]
    fn s03_a_private_use_uri_is_accepted_only_exactly_as_allowed() {
        assert_eq!(verdict(CURSOR), Ok(()));
        assert_eq!(verdict(&format!("{CURSOR}/x")), Err(BadRedirectUri::Scheme));
        assert_eq!(verdict("cursor://other/oauth/callback"), Err(BadRedirectUri::Scheme));
        assert_eq!(verdict("com.example.app:/cb"), Err(BadRedirectUri::Scheme));
        let careless = ["javascript:alert(1)".to_owned()];
        assert_eq!(check("javascript:alert(1)", &careless), Err(BadRedirectUri::Scheme));
        assert!(!matches(CURSOR, "cursor://anysphere.cursor-mcp:1/oauth/callback"));
    }

    #[test]
    fn s01_a_redirect_uri_is_compared_byte_for_byte() {
        let registered = "https://example.com/cb";
        assert!(matches(registered, registered));
        for presented in [
            "https://example.com/cb/",
            "https://example.com/cb?x=1",
            "https://example.com:443/cb",
            "https://EXAMPLE.com/cb",
            "https://example.com/%63b",
            "https://example.com/a/../cb",
            "https://example.com:8443/cb",
            "http://example.com/cb",
            "https://example.com/cb#",
        ] {
            assert!(!matches(registered, presented), "{presented}");
        }
    }

    #[test]
    fn s02_only_the_port_of_a_loopback_uri_may_differ() {
        let cases = [
            ("http://localhost/callback", "http://localhost:53412/callback", true),
            ("http://localhost:3334/cb?a=b", "http://localhost:1/cb?a=b", true),
            ("http://127.0.0.1/", "http://127.0.0.1:33418/", true),
            ("http://[::1]/cb", "http://[::1]:9/cb", true),
            ("http://localhost/callback", "http://127.0.0.1:53412/callback", false),
            ("http://localhost/callback", "http://localhost:53412/callback/", false),
            ("http://localhost/callback", "http://localhost:53412/callback?x=1", false),
            ("http://localhost/callback", "https://localhost:53412/callback", false),
            ("http://localhost/callback", "http://localhost:+80/callback", false),
            ("http://localhost/callback", "http://localhost:80@evil.example/callback", false),
            ("http://localhost/callback", "http://localhost.evil.example:80/callback", false),
            ("http://127.0.0.1/", "http://127.0.0.1:1", false),
        ];
        for (registered, presented, expected) in cases {
            assert_eq!(matches(registered, presented), expected, "{registered} {presented}");
        }
    }
}
