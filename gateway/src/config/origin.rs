//! Which origins browsers may call from.

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_protocol::plugin;

/// Origins that browsers may call from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origins {
    /// Any: a bearer token is no ambient authority.
    Any,
    /// These, byte for byte.
    Listed(Vec<String>),
    /// These, and every loopback origin.
    ListedAndLoopback(Vec<String>),
}

impl Origins {
    /// Our own origin is always one of those listed.
    pub(super) fn compile(origins: plugin::Origins, own: &str) -> Self {
        let with_own = |mut listed: Vec<String>| {
            listed.push(own.to_owned());
            listed
        };
        match origins {
            plugin::Origins::Any => Self::Any,
            plugin::Origins::Listed(listed) => Self::Listed(with_own(listed)),
            plugin::Origins::ListedAndLoopback(listed) => Self::ListedAndLoopback(with_own(listed)),
        }
    }

    /// Whether a request with this `Origin` may come in.
    #[must_use]
    pub fn allow(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => is_listed(listed, origin),
            Self::ListedAndLoopback(listed) => is_listed(listed, origin) || is_loopback(origin),
        }
    }
}

fn is_listed(listed: &[String], origin: &[u8]) -> bool {
    listed.iter().any(|one| one.as_bytes() == origin)
}

/// `http` or `https`, a loopback host, perhaps a port, and nothing else.
fn is_loopback(origin: &[u8]) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else {
        return false;
    };
    let Some(rest) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    else {
        return false;
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => return is_loopback_v6(host),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => return is_loopback_v6(host) && is_port(port),
                None => return false,
            },
            None => return false,
        },
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let loopback =
        host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|host| host.is_loopback());
    loopback && port.is_none_or(is_port)
}

fn is_loopback_v6(host: &str) -> bool {
    host.parse::<Ipv6Addr>().is_ok_and(|host| host.is_loopback())
}

fn is_port(port: &str) -> bool {
    !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Origins, is_loopback};

    #[test]
    fn loopback_origins_are_recognized() {
        for origin in [
            "http://localhost",
            "http://localhost:6274",
            "https://localhost:443",
            "http://127.0.0.1:1",
            "http://127.8.9.1",
            "http://[::1]",
            "http://[::1]:8080",
        ] {
            assert!(is_loopback(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn what_only_looks_like_loopback_is_not() {
        for origin in [
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://localhost:80@evil.example",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1:80/",
            "http://[::1].evil.example",
            "http://[::1]x",
            "http://[::2]",
            "http://localhost:",
            "http://localhost:99999",
            "ftp://localhost",
            "null",
            "",
        ] {
            assert!(!is_loopback(origin.as_bytes()), "{origin}");
        }
        assert!(!is_loopback(b"http://localhost\xff"));
    }

    #[test]
    fn our_own_origin_is_allowed_where_origins_are_listed() {
        let origins = Origins::compile(
            attache_protocol::plugin::Origins::Listed(vec!["https://a.example".to_owned()]),
            "https://gateway.example",
        );
        assert!(origins.allow(b"https://gateway.example"));
        assert!(origins.allow(b"https://a.example"));
        assert!(!origins.allow(b"http://localhost:3000"));
        assert!(!origins.allow(b"https://A.example"));
    }
}
