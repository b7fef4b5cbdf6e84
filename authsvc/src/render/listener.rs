//! The listener: connection hygiene, filters in their order, access log.

use super::{
    Error, plugin, replies, routes,
    tree::{Tree, list, section},
};
use crate::config::Config;

const HCM: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";
const BUFFER: &str = "envoy.extensions.filters.http.buffer.v3.Buffer";
const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
const STDOUT: &str = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
const FORMATTER: &str = "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery";
/// Room above `max_body`, so that the filter refuses a body that is too large, not Envoy.
const HEADROOM: u64 = 256 * 1024;
const LEAST_WINDOW: u64 = 1024 * 1024;
/// Twice the longest token, and then some; every stream may bring as much without any.
const MAX_HEADERS_KIB: u32 = 32;

/// The listener that clients reach.
pub(super) fn listener(config: &Config) -> Result<Tree, Error> {
    let manager = section! { "name" => "envoy.filters.network.http_connection_manager", "typed_config" => manager(config)? };
    Ok(section! {
        "name" => "attache",
        "address" => address(config.listen),
        // Bodies wait here while the filter looks at them.
        "per_connection_buffer_limit_bytes" => window(config),
        "socket_options" => keepalive(),
        "filter_chains" => list![section! { "filters" => list![manager] }],
    })
}

/// Finds clients that vanished while a stream is silent, as `clusters::keepalive` does for servers. As socket
/// options, which accepted connections inherit: listeners have `tcp_keepalive` only from Envoy 1.37.
fn keepalive() -> Tree {
    const SOCKET: u32 = 1;
    const TCP: u32 = 6;
    let option = |description: &str, level: u32, name: u32, value: u32| {
        section! {
            "description" => description, "level" => level, "name" => name, "int_value" => value,
            "state" => "STATE_PREBIND",
        }
    };
    list![
        option("SO_KEEPALIVE", SOCKET, 9, 1),
        option("TCP_KEEPIDLE, seconds", TCP, 4, 60),
        option("TCP_KEEPINTVL, seconds", TCP, 5, 15),
        option("TCP_KEEPCNT", TCP, 6, 4),
    ]
}

/// `cors`, the filter, `buffer`, `router`, in this order: a refusal gets its CORS headers on the way back.
pub(super) fn filters(config: &Config) -> Result<Tree, Error> {
    let cors = section! { "name" => "envoy.filters.http.cors", "typed_config" => Tree::typed(CORS, section! {}) };
    // Off, except on the routes that turn it on: what goes to MCP servers is held by the filter alone.
    let buffer = Tree::typed(BUFFER, section! { "max_request_bytes" => routes::MAX_BODY });
    let buffer =
        section! { "name" => routes::BUFFER_FILTER, "disabled" => true, "typed_config" => buffer };
    // Nothing of Envoy's own goes to clients or servers.
    let router = Tree::typed(ROUTER, section! { "suppress_envoy_headers" => true });
    let router = section! { "name" => "envoy.filters.http.router", "typed_config" => router };
    Ok(list![cors, wasm(config)?, buffer, router])
}

/// A socket address.
pub(super) fn address(address: std::net::SocketAddr) -> Tree {
    let socket = section! { "address" => address.ip().to_string(), "port_value" => u32::from(address.port()) };
    section! { "socket_address" => socket }
}

fn manager(config: &Config) -> Result<Tree, Error> {
    let http2 = section! {
        // Many for one client, few for one that holds on to them.
        "max_concurrent_streams" => 100_u32,
        // A body waits in the window of its stream.
        "initial_stream_window_size" => window(config),
        "initial_connection_window_size" => window(config).saturating_mul(4),
        "connection_keepalive" => section! { "interval" => "60s", "timeout" => "20s" },
    };
    // `Mcp-Param-*` may have underscores; the filter keeps every other such header from the servers.
    let common =
        section! { "headers_with_underscores_action" => "ALLOW", "idle_timeout" => "3600s" };
    // No address makes a client trusted; an empty list would mean every private one.
    let nobody = section! { "address_prefix" => "::", "prefix_len" => 128_u32 };
    let manager = section! {
        "stat_prefix" => "attache",
        "route_config" => routes::configuration(config),
        "http_filters" => filters(config)?,
        "common_http_protocol_options" => common,
        "http2_protocol_options" => http2,
        "use_remote_address" => true,
        // What a user reports and what the access log says can be put together.
        "always_set_request_id_in_response" => true,
        "internal_address_config" => section! { "cidr_ranges" => list![nobody] },
        "normalize_path" => true,
        "merge_slashes" => false,
        "path_with_escaped_slashes_action" => "REJECT_REQUEST",
        "server_header_transformation" => "PASS_THROUGH",
        "max_request_headers_kb" => MAX_HEADERS_KIB,
        "request_headers_timeout" => "10s",
        "request_timeout" => "60s",
        // Streams may be silent for as long as they like.
        "stream_idle_timeout" => "0s",
        "local_reply_config" => section! { "mappers" => replies::mappers() },
        "access_log" => list![access_log()],
    };
    Ok(Tree::typed(HCM, manager))
}

fn wasm(config: &Config) -> Result<Tree, Error> {
    let plugin = serde_json::to_string_pretty(&plugin(config))?;
    let wasm = config.envoy.wasm.to_str().ok_or(Error::Path)?;
    let code = section! { "local" => section! { "filename" => wasm } };
    let vm =
        section! { "vm_id" => "attache", "runtime" => "envoy.wasm.runtime.v8", "code" => code };
    let settings = section! {
        "name" => "attache",
        "root_id" => "attache",
        // Headers wait for the body (Envoy 1.35 and later); without it every POST hangs.
        "allow_on_headers_stop_iteration" => true,
        "failure_policy" => "FAIL_RELOAD",
        "vm_config" => vm,
        "configuration" => Tree::typed("google.protobuf.StringValue", section! { "value" => plugin }),
    };
    Ok(
        section! { "name" => "attache", "typed_config" => Tree::typed(WASM, section! { "config" => settings }) },
    )
}

/// Bodies as large as the filter takes, and a little more.
fn window(config: &Config) -> u64 {
    u64::try_from(config.envoy.max_body)
        .unwrap_or(u64::MAX)
        .saturating_add(HEADROOM)
        .max(LEAST_WINDOW)
}

/// One JSON object per request; neither tokens nor what stands in a query.
fn access_log() -> Tree {
    let fields = section! {
        "time" => "%START_TIME%",
        "method" => "%REQ(:METHOD)%",
        "path" => "%REQ_WITHOUT_QUERY(:PATH)%",
        "protocol" => "%PROTOCOL%",
        "status" => "%RESPONSE_CODE%",
        "flags" => "%RESPONSE_FLAGS%",
        "details" => "%RESPONSE_CODE_DETAILS%",
        "duration_ms" => "%DURATION%",
        "bytes_received" => "%BYTES_RECEIVED%",
        "bytes_sent" => "%BYTES_SENT%",
        "client" => "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "upstream" => "%UPSTREAM_CLUSTER%",
        "upstream_ms" => "%RESPONSE_DURATION%",
        "request_id" => "%REQ(X-REQUEST-ID)%",
        "mcp_server" => "%FILTER_STATE(wasm.mcp_server:PLAIN)%",
        "mcp_method" => "%FILTER_STATE(wasm.mcp_method:PLAIN)%",
        "mcp_tool" => "%FILTER_STATE(wasm.mcp_tool:PLAIN)%",
        "mcp_subject" => "%FILTER_STATE(wasm.mcp_subject:PLAIN)%",
        "mcp_outcome" => "%FILTER_STATE(wasm.mcp_outcome:PLAIN)%",
    };
    let formatter = section! {
        "name" => "envoy.formatter.req_without_query",
        "typed_config" => Tree::typed(FORMATTER, section! {}),
    };
    let format = section! { "json_format" => fields, "omit_empty_values" => true, "formatters" => list![formatter] };
    section! {
        "name" => "envoy.access_loggers.stdout",
        "typed_config" => Tree::typed(STDOUT, section! { "log_format" => format }),
    }
}
