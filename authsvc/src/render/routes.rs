//! Routes: every MCP server, the paths of authsvc that the public may reach, and refusals for the rest.

use std::time::Duration;

use serde_json::json;

use super::{
    clusters,
    tree::{Tree, list, section},
};
use crate::config::{Config, Server};

const CORS_FILTER: &str = "envoy.filters.http.cors";
const CORS_POLICY: &str = "envoy.extensions.filters.http.cors.v3.CorsPolicy";

/// Documents and endpoints that programs use, also programs in browsers.
const OPEN: [&str; 6] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/oauth/jwks.json",
    "/oauth/register",
    "/oauth/token",
];
/// Pages that people use; no script of another origin may read them.
const PAGES: [&str; 3] = ["/oauth/authorize", "/oauth/login", "/oauth/consent"];
/// Password checks wait for each other.
const AUTHSVC_TIMEOUT: &str = "30s";

/// Both virtual hosts.
pub(super) fn configuration(config: &Config) -> Tree {
    let mut routes = public(config);
    routes.push(nothing_here(config));
    let ours = section! {
        "name" => "attache",
        "domains" => domains(config),
        "typed_per_filter_config" => section! { CORS_FILTER => cors() },
        "routes" => routes,
    };
    let others = section! {
        "name" => "elsewhere",
        "domains" => list!["*"],
        "routes" => list![wrong_host(config)],
    };
    section! { "name" => "attache", "virtual_hosts" => list![ours, others] }
}

/// What is served, most specific first.
pub(super) fn public(config: &Config) -> Vec<Tree> {
    let metadata = config
        .servers
        .iter()
        .map(|server| format!("/.well-known/oauth-protected-resource{}", server.path));
    let open = OPEN.map(str::to_owned).into_iter().chain(metadata).map(|path| authsvc(&path));
    let pages = PAGES.map(|path| authsvc(path).and("typed_per_filter_config", without_cors()));
    config.servers.iter().map(server).chain(open).chain(pages).collect()
}

/// Any origin may call: nothing here is authorized by cookies or by where it comes from, and the filter refuses
/// the origins of other pages where no token is needed. Preflights are answered here, before the filter.
pub(super) fn cors() -> Tree {
    Tree::typed(
        CORS_POLICY,
        section! {
            "allow_origin_string_match" => list![section! { "safe_regex" => section! { "regex" => ".*" } }],
            "allow_methods" => "GET, POST, DELETE, OPTIONS",
            // `*` covers Mcp-Param-* and what comes; it never covers Authorization.
            "allow_headers" => "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID, *",
            "expose_headers" => "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After",
            "max_age" => "7200",
        },
    )
}

/// The public host with and without its port, so that a foreign Host (DNS rebinding) gets nowhere.
fn domains(config: &Config) -> Tree {
    let authority = config.public_url.authority();
    let port = config.public_url.port().unwrap_or_default();
    let host = authority.strip_suffix(&format!(":{port}")).unwrap_or(authority);
    list![format!("{host}:{port}"), host]
}

fn server(server: &Server) -> Tree {
    let action = section! {
        "cluster" => clusters::of_server(server),
        "prefix_rewrite" => server.url.path(),
        "host_rewrite_literal" => upstream_authority(server),
        // A stream lives as long as the server keeps it.
        "timeout" => "0s",
        "idle_timeout" => "0s",
        // Bounds the time until the headers of the response; nothing is tried twice.
        "retry_policy" => section! { "num_retries" => 0_u32, "per_try_timeout" => seconds(server.timeout) },
    };
    let route = section! {
        "name" => clusters::of_server(server),
        "match" => section! { "path" => server.path.as_str() },
        "route" => action,
    };
    let Some(credentials) = &server.credentials else { return route };
    // Envoy reads %...% as a command.
    let value = credentials.value.reveal().replace('%', "%%");
    let header = section! { "key" => credentials.header.as_str(), "value" => value };
    let option = section! { "header" => header, "append_action" => "OVERWRITE_IF_EXISTS_OR_ADD" };
    route.and("request_headers_to_add", list![option])
}

fn authsvc(path: &str) -> Tree {
    section! {
        "match" => section! { "path" => path },
        "route" => section! { "cluster" => clusters::AUTHSVC, "timeout" => AUTHSVC_TIMEOUT },
    }
}

fn without_cors() -> Tree {
    let disabled =
        Tree::typed("envoy.config.route.v3.FilterConfig", section! { "disabled" => true });
    section! { CORS_FILTER => disabled }
}

fn nothing_here(config: &Config) -> Tree {
    let paths: Vec<String> =
        config.servers.iter().map(|server| config.public_url.url(&server.path)).collect();
    let text = format!("there is nothing at this path; MCP is served at {}", paths.join(", "));
    refusal(&text)
}

fn wrong_host(config: &Config) -> Tree {
    refusal(&format!("this gateway is called {}", config.public_url))
}

fn refusal(text: &str) -> Tree {
    let body = json!({ "error": "not_found", "error_description": text }).to_string();
    let header = section! { "key" => "content-type", "value" => "application/json" };
    let option = section! { "header" => header, "append_action" => "OVERWRITE_IF_EXISTS_OR_ADD" };
    section! {
        "match" => section! { "prefix" => "/" },
        "direct_response" => section! { "status" => 404_u32, "body" => section! { "inline_string" => body } },
        "response_headers_to_add" => list![option],
    }
}

/// Host and, unless it is the scheme's own, port.
fn upstream_authority(server: &Server) -> String {
    let host = server.url.host_str().unwrap_or_default();
    server.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A protobuf duration.
fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        millis => format!("{}.{millis:03}s", duration.as_secs()),
    }
}
