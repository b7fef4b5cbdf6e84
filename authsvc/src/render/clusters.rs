//! Clusters: authsvc's two listeners, and every MCP server.

use std::{net::IpAddr, path::Path};

use url::Host;

use super::tree::{Tree, list, section};
use crate::config::{Config, HostPort, HttpVersion, Server};

/// authsvc's public endpoints.
pub(super) const AUTHSVC: &str = "authsvc";
/// authsvc's internal endpoints.
pub(super) const INTERNAL: &str = "authsvc_internal";
/// Streams that stay open count as connections and requests: Envoy's 1024 would be reached by 1024 listeners.
const MANY: u32 = 65_536;
/// Node and uvicorn close a connection that idles for 5 s; whoever closes first is never surprised.
const IDLE_HTTP: &str = "4s";
/// Load balancers and hosted servers wait for 60 s or longer.
const IDLE_HTTPS: &str = "50s";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// Name of a server's cluster.
pub(super) fn of_server(server: &Server) -> String {
    format!("mcp_{}", server.name)
}

/// The two clusters that the filter and the public endpoints need.
pub(super) fn authsvc(config: &Config) -> Vec<Tree> {
    let service = &config.service;
    [(AUTHSVC, &service.address), (INTERNAL, &service.internal_address)]
        .map(|(name, address)| {
            cluster(name, address).and("typed_extension_protocol_options", plain())
        })
        .into()
}

/// Every server. `ca` is the file with the certificate authorities, PEM.
pub(super) fn servers(config: &Config, ca: &Path) -> Vec<Tree> {
    config.servers.iter().map(|server| server_cluster(server, ca)).collect()
}

fn server_cluster(server: &Server, ca: &Path) -> Tree {
    let host = match server.url.host() {
        Some(Host::Ipv6(ip)) => ip.to_string(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Domain(name)) => name.to_owned(),
        None => String::new(),
    };
    let port = server.url.port_or_known_default().unwrap_or_default();
    let cluster = cluster(&of_server(server), &HostPort { host: host.clone(), port });
    let options = |options| cluster.and("typed_extension_protocol_options", options);
    match server.http {
        HttpVersion::Http1 => options(plain()),
        HttpVersion::Http2 => options(prior_knowledge()),
        HttpVersion::Negotiated => options(negotiated()).and("transport_socket", tls(&host, ca)),
    }
}

fn cluster(name: &str, address: &HostPort) -> Tree {
    let numeric = address.host.parse::<IpAddr>().is_ok();
    let kind = if numeric { "STATIC" } else { "STRICT_DNS" };
    let mut cluster = section! { "name" => name, "type" => kind, "connect_timeout" => "5s" };
    if !numeric {
        // Every address of a name becomes a host: `localhost` must not be half an IPv6 that nobody listens on.
        cluster = cluster.and("dns_lookup_family", "V4_PREFERRED");
    }
    let socket =
        section! { "address" => address.host.as_str(), "port_value" => u32::from(address.port) };
    let endpoint = section! { "endpoint" => section! { "address" => section! { "socket_address" => socket } } };
    let assignment = section! {
        "cluster_name" => name,
        "endpoints" => list![section! { "lb_endpoints" => list![endpoint] }],
    };
    let thresholds = section! { "max_connections" => MANY, "max_pending_requests" => MANY, "max_requests" => MANY };
    cluster
        .and("load_assignment", assignment)
        .and("circuit_breakers", section! { "thresholds" => list![thresholds] })
        .and("upstream_connection_options", section! { "tcp_keepalive" => keepalive() })
}

/// Finds peers that vanished while a stream is silent.
pub(super) fn keepalive() -> Tree {
    section! { "keepalive_time" => 60_u32, "keepalive_interval" => 15_u32, "keepalive_probes" => 4_u32 }
}

/// HTTP/1.1.
fn plain() -> Tree {
    let options = section! {
        "common_http_protocol_options" => section! { "idle_timeout" => IDLE_HTTP },
        "explicit_http_config" => section! { "http_protocol_options" => section! {} },
    };
    section! { HTTP_OPTIONS => Tree::typed(HTTP_OPTIONS, options) }
}

/// HTTP/2 without TLS.
fn prior_knowledge() -> Tree {
    let options = section! {
        "common_http_protocol_options" => section! { "idle_timeout" => IDLE_HTTPS },
        "explicit_http_config" => section! { "http2_protocol_options" => section! {} },
    };
    section! { HTTP_OPTIONS => Tree::typed(HTTP_OPTIONS, options) }
}

/// HTTP/2 or HTTP/1.1, as the server chooses (ALPN).
fn negotiated() -> Tree {
    let both = section! { "http_protocol_options" => section! {}, "http2_protocol_options" => section! {} };
    let options = section! {
        "common_http_protocol_options" => section! { "idle_timeout" => IDLE_HTTPS },
        "auto_config" => both,
    };
    section! { HTTP_OPTIONS => Tree::typed(HTTP_OPTIONS, options) }
}

/// The certificate must be valid for the host of the URL.
fn tls(host: &str, ca: &Path) -> Tree {
    let numeric = host.parse::<IpAddr>().is_ok();
    let name = section! {
        "san_type" => if numeric { "IP_ADDRESS" } else { "DNS" },
        "matcher" => section! { "exact" => host },
    };
    let validation = section! {
        "trusted_ca" => section! { "filename" => ca.display().to_string() },
        "match_typed_subject_alt_names" => list![name],
    };
    let common = section! {
        "tls_params" => section! { "tls_minimum_protocol_version" => "TLSv1_2" },
        "validation_context" => validation,
    };
    let mut context = section! { "common_tls_context" => common };
    if !numeric {
        context = context.and("sni", host);
    }
    section! { "name" => "envoy.transport_sockets.tls", "typed_config" => Tree::typed(TLS, context) }
}
