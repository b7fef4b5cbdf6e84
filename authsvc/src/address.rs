//! Where a request comes from, for limits: the peer, or what a trusted proxy says of it.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};

use crate::state::App;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How to reach a listener on this machine.
#[must_use]
pub fn on_this_machine(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        bound @ (IpAddr::V4(_) | IpAddr::V6(_)) => bound,
    };
    SocketAddr::new(ip, listen.port())
}

/// Address of the other end of the connection; the accept loop puts it on every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Address of the client. Never used to build URLs or to let anyone in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let peer = parts.extensions.get::<Peer>().map_or(unknown, |peer| peer.0);
        Ok(Self(client(peer, &parts.headers, &app.config.service.trusted_proxies)))
    }
}

/// The last address that no trusted proxy vouches for another one behind: everything to its left in
/// `X-Forwarded-For` is what the client made up.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let lines: Vec<&str> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut address = peer.to_canonical();
    while trusted.contains(&address) {
        // What cannot be read cannot be believed, and what follows it neither.
        let Some(Ok(hop)) = hops.next().map(|hop| hop.trim().parse::<IpAddr>()) else { break };
        address = hop.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{X_FORWARDED_FOR, client};

    fn check(peer: &str, forwarded: &[&'static str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let trusted: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        let found = client(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn s65_a_forwarded_address_counts_only_from_a_trusted_proxy() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:127.0.0.1", &["2001:db8::1"], "2001:db8::1");
        check("127.0.0.1", &[], "127.0.0.1");
    }

    #[test]
    fn s65_what_the_client_wrote_before_the_proxy_is_not_believed() {
        check("127.0.0.1", &["1.1.1.1, 198.51.100.1"], "198.51.100.1");
        check("127.0.0.1", &["1.1.1.1", "198.51.100.1, 10.0.0.1"], "198.51.100.1");
        check("127.0.0.1", &["198.51.100.1, nonsense"], "127.0.0.1");
    }
}
