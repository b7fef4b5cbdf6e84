//! Origins: `public_url`, and those that browsers may call from.

use url::{Host, Url};

use super::super::Origin;

impl Origin {
    /// The origin that clients use. It is the issuer, which is compared byte for byte (RFC 8414 section 3.3), so
    /// only the one way to write it is taken: lower case, no trailing slash, no path, no default port.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| {
            format!("not a URL ({error}): write https://host or https://host:port")
        })?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err("http is for loopback only (localhost, 127.0.0.1, [::1]): tokens must not travel in clear, use https".to_owned());
            }
            scheme => {
                return Err(format!(
                    "the scheme {scheme} cannot be used: write https://host or https://host:port, or http://localhost:port"
                ));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user or password".to_owned());
        }
        let origin = url.origin().ascii_serialization();
        if origin != text {
            return Err(format!(
                "must be scheme, host and port only, in lower case, without a trailing slash, path or default port: write {origin}"
            ));
        }
        Ok(Self(origin))
    }

    /// `host` or `host:port`, as in a `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether it is only reachable from this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }

    /// Its port, the scheme's own included.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        Url::parse(&self.0).ok().and_then(|url| url.port_or_known_default())
    }
}

/// An origin that browsers may call from, as they send it: compared byte for byte.
pub(super) fn browser(text: &str) -> Result<String, String> {
    const FORM: &str = "an origin is written as browsers send it, without a trailing slash: https://app.example.com, http://localhost:5173";
    if text == "*" || text == "null" {
        return Err(format!("name each origin, `{text}` lets any page in; {FORM}"));
    }
    let url = Url::parse(text).map_err(|_not_a_url| FORM.to_owned())?;
    let origin = match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        // Browser extensions and editors: `chrome-extension://id`, `vscode-webview://id`.
        scheme => format!("{scheme}://{}", url.host_str().unwrap_or_default()),
    };
    if origin != text || url.host_str().is_none_or(str::is_empty) {
        Err(FORM.to_owned())
    } else {
        Ok(origin)
    }
}

/// Whether a URL is written without anything that parsers drop or encode in silence.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the host is `localhost` or a loopback address.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, browser};

    #[test]
    fn an_issuer_is_written_in_one_way() {
        for text in [
            "https://mcp.example.com",
            "https://mcp.example.com:8443",
            "http://localhost:8080",
            "http://localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://xn--bcher-kva.example",
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "https://mcp.example.com/",
            "https://mcp.example.com/mcp",
            "https://mcp.example.com?x",
            "https://mcp.example.com#x",
            "https://MCP.example.com",
            "HTTPS://mcp.example.com",
            "https://mcp.example.com:443",
            "http://localhost:80",
            "https://bücher.example",
            "https://user@mcp.example.com",
            "https://user:secret@mcp.example.com",
            "http://mcp.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "ftp://mcp.example.com",
            "mcp.example.com",
            " https://mcp.example.com",
            "https://mcp.example.com\n",
            "https://",
            "",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refused_issuer_is_shown_how_to_write_it() {
        let reason = Origin::parse("https://MCP.example.com:443/").unwrap_err();
        assert!(reason.ends_with("write https://mcp.example.com"), "{reason}");
        let reason = Origin::parse("localhost:8080").unwrap_err();
        assert!(reason.contains("or http://localhost:port"), "{reason}");
    }

    #[test]
    fn browser_origins_are_written_as_browsers_send_them() {
        for text in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://10.0.0.1:3000",
            "vscode-webview://abc",
        ] {
            assert_eq!(browser(text).as_deref(), Ok(text));
        }
        for text in [
            "*",
            "null",
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "file:///x",
            "https://*.example.com/",
        ] {
            assert!(browser(text).is_err(), "{text}");
        }
    }
}
