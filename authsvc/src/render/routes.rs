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
pub(super) const BUFFER_FILTER: &str = "envoy.filters.http.buffer";
const BUFFER_PER_ROUTE: &str = "envoy.extensions.filters.http.buffer.v3.BufferPerRoute";
/// Most that authsvc reads of a public request, bytes.
pub(super) const MAX_BODY: u32 = 65_536;

/// Documents and endpoints that programs use, also programs in browsers.
const OPEN: [&str; 7] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/oauth/jwks.json",
    "/oauth/register",
    "/oauth/token",
    "/oauth/revoke",
];
/// Where a client manages its registration: one path for each.
const MANAGEMENT: &str = "/oauth/register/[A-Za-z0-9_-]+";
/// Pages that people use; no script of another origin may read them.
const PAGES: [&str; 4] = ["/oauth/authorize", "/oauth/login", "/oauth/consent", "/account"];
/// Where providers of identities send people back: one path for each.
const CALLBACK: &str = "/oauth/callback/[a-z0-9-]+";
const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";
/// `*` covers `Mcp-Param-*` and what comes; it never covers `Authorization`.
const HEADERS: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID, *";
const EXPOSED: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After";
/// Seconds; browsers keep it no longer.
const MAX_AGE: &str = "7200";
/// Response headers that a browser takes as the word of the whole origin, which is authsvc's as well.
const OF_THE_ORIGIN: [&str; 9] = [
    "set-cookie",
    "set-cookie2",
    "clear-site-data",
    "service-worker-allowed",
    "strict-transport-security",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
];
/// What a client could say to a server that believes its proxy: where it is, by which name it was reached, which
/// path or method was meant. And cookies, which are the origin's, and what is for proxies alone.
const NOT_FOR_SERVERS: [&str; 14] = [
    "cookie",
    "forwarded",
    "proxy-authorization",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// authsvc gives up after 15 s, with an answer of its own. A client that stalls in its request has as long.
const AUTHSVC_TIMEOUT: &str = "20s";

/// Both virtual hosts.
pub(super) fn configuration(config: &Config) -> Tree {
    let mut routes = public(config);
    routes.push(home());
    routes.push(preflight());
    routes.push(nothing_here(config));
    let ours = section! {
        "name" => "attache",
        "domains" => domains(config),
        "request_headers_to_remove" => list!["x-envoy-external-address"],
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
    let open = OPEN.map(str::to_owned).into_iter().chain(metadata);
    let filters = || section! { BUFFER_FILTER => whole(), CORS_FILTER => cors() };
    let open = open.map(|path| section! { "path" => path });
    let management = section! { "safe_regex" => section! { "regex" => MANAGEMENT } };
    let open = open.chain([management]);
    let open = open.map(|matched| authsvc(matched, filters()));
    let filters = || section! { BUFFER_FILTER => whole(), CORS_FILTER => without_cors() };
    let pages = PAGES.map(|path| section! { "path" => path });
    let callback = section! { "safe_regex" => section! { "regex" => CALLBACK } };
    let pages = pages.into_iter().chain([callback]);
    let pages = pages.map(|matched| authsvc(matched, filters()));
    config.servers.iter().map(server).chain(open).chain(pages).collect()
}

/// The page about the gateway, for browsers: a client that was given this URL by mistake is told of the right ones as
/// at every other path. In an Envoy of one's own, `/` may be something else.
fn home() -> Tree {
    let header = |name: &str, wanted: Tree| section! { "name" => name, "string_match" => wanted };
    let matched = section! {
        "path" => "/",
        "headers" => list![
            header(":method", section! { "safe_regex" => section! { "regex" => "GET|HEAD" } }),
            header("accept", section! { "contains" => "text/html" }),
        ],
    };
    authsvc(matched, section! { BUFFER_FILTER => whole(), CORS_FILTER => without_cors() })
}

/// Any origin may call: nothing here is authorized by cookies or by where it comes from, and the filter refuses
/// the origins of other pages where no token is needed. Preflights are answered here, before the filter.
///
/// On each route and not on the virtual host: in an Envoy of one's own, that has other routes, too.
fn cors() -> Tree {
    Tree::typed(
        CORS_POLICY,
        section! {
            "allow_origin_string_match" => list![section! { "safe_regex" => section! { "regex" => ".*" } }],
            "allow_methods" => METHODS,
            "allow_headers" => HEADERS,
            "expose_headers" => EXPOSED,
            "max_age" => MAX_AGE,
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
        // A server shares its origin with authsvc: it gets none of our cookies, sets none, and runs nothing there.
        "request_headers_to_remove" => Tree::from(NOT_FOR_SERVERS.map(Tree::from).to_vec()),
        "response_headers_to_remove" => Tree::from(OF_THE_ORIGIN.map(Tree::from).to_vec()),
        "response_headers_to_add" => list![
            header("content-security-policy", "sandbox; default-src 'none'"),
            not_sniffed(),
        ],
        "typed_per_filter_config" => section! { CORS_FILTER => cors() },
    };
    let Some(credentials) = &server.credentials else { return route };
    // Envoy reads %...% as a command.
    let value = credentials.value.reveal().replace('%', "%%");
    route.and("request_headers_to_add", list![header(&credentials.header, &value)])
}

fn authsvc(matched: Tree, filters: Tree) -> Tree {
    let action = section! {
        "cluster" => clusters::AUTHSVC,
        "timeout" => AUTHSVC_TIMEOUT,
        // The time above counts from the end of the request; this one while the request comes, too.
        "idle_timeout" => AUTHSVC_TIMEOUT,
        // Of several authsvc one may have ended a moment ago: what never reached it is sent to another.
        "retry_policy" => section! { "retry_on" => "connect-failure,reset-before-request", "num_retries" => 2_u32 },
    };
    section! {
        "match" => matched,
        "route" => action,
        "typed_per_filter_config" => filters,
    }
}

fn without_cors() -> Tree {
    Tree::typed("envoy.config.route.v3.FilterConfig", section! { "disabled" => true })
}

/// A request takes one of authsvc's connections only when all of it is here: streams that never end cost anyone
/// little to open, and would take them all.
fn whole() -> Tree {
    let buffer = section! { "max_request_bytes" => MAX_BODY };
    Tree::typed(BUFFER_PER_ROUTE, section! { "buffer" => buffer })
}

/// Clients in browsers look for metadata where there is none, and must be able to read that there is none. The
/// CORS filter leaves answers of Envoy itself alone.
fn preflight() -> Tree {
    let method =
        section! { "name" => ":method", "string_match" => section! { "exact" => "OPTIONS" } };
    section! {
        "match" => section! { "prefix" => "/", "headers" => list![method] },
        "direct_response" => section! { "status" => 204_u32 },
        "response_headers_to_add" => list![
            header("access-control-allow-origin", "*"),
            header("access-control-allow-methods", METHODS),
            header("access-control-allow-headers", HEADERS),
            header("access-control-max-age", MAX_AGE),
        ],
    }
}

fn nothing_here(config: &Config) -> Tree {
    let paths: Vec<String> =
        config.servers.iter().map(|server| config.public_url.url(&server.path)).collect();
    let text = format!("there is nothing at this path; MCP is served at {}", paths.join(", "));
    refusal(&text, vec![header("access-control-allow-origin", "*")])
}

fn wrong_host(config: &Config) -> Tree {
    refusal(&format!("this gateway is called {}", config.public_url), Vec::new())
}

/// Nothing that a browser could show in a frame, run, or take for something else.
fn refusal(text: &str, more: Vec<Tree>) -> Tree {
    let mut headers = vec![
        header("content-type", "application/json"),
        header("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        header("x-frame-options", "DENY"),
        not_sniffed(),
    ];
    headers.extend(more);
    let body = json!({ "error": "not_found", "error_description": text }).to_string();
    section! {
        "match" => section! { "prefix" => "/" },
        "direct_response" => section! { "status" => 404_u32, "body" => section! { "inline_string" => body } },
        "response_headers_to_add" => Tree::List(headers),
    }
}

fn not_sniffed() -> Tree {
    header("x-content-type-options", "nosniff")
}

/// A header that replaces one of the same name.
pub(super) fn header(name: &str, value: &str) -> Tree {
    section! {
        "header" => section! { "key" => name, "value" => value },
        "append_action" => "OVERWRITE_IF_EXISTS_OR_ADD",
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
