//! The only file that calls Envoy.
//!
//! The SDK panics on a status that it does not expect, and its `String` getters panic on a header that is not
//! UTF-8. Here only the getters of bytes are used, and a panic inside of a call becomes a [`HostError`] like any
//! other failure.

use std::{
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    time::{Duration, UNIX_EPOCH},
};

use attache_gateway::{refusal::Reply, request::headers::Headers};
use attache_protocol::plugin::Target;
use proxy_wasm::{
    hostcalls,
    types::{BufferType, Bytes, MapType, MetricType, Status},
};
use thiserror::Error;

/// A call that Envoy did not carry out.
#[derive(Debug, Error)]
pub(crate) enum HostError {
    /// It said why.
    #[error("Envoy refused `{call}`: {status:?}")]
    Refused { call: &'static str, status: Status },
    /// Its answer was none that the SDK knows.
    #[error("Envoy failed on `{call}`")]
    Failed { call: &'static str },
}

type Result<T> = std::result::Result<T, HostError>;

fn host<T>(call: &'static str, run: impl FnOnce() -> std::result::Result<T, Status>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(status)) => Err(HostError::Refused { call, status }),
        Err(_panic) => Err(HostError::Failed { call }),
    }
}

/// Unix time, microseconds.
pub(crate) fn now_us() -> Result<u64> {
    let now = host("get_current_time", hostcalls::get_current_time)?;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Ok(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The plugin configuration.
pub(crate) fn configuration(size: usize) -> Result<Bytes> {
    buffer("get_plugin_configuration", BufferType::PluginConfiguration, size)
}

/// `:path` of the request.
pub(crate) fn path() -> Result<Option<Bytes>> {
    host("get_path", || hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path"))
}

/// All headers of the request.
pub(crate) fn request_headers() -> Result<Headers> {
    headers("get_request_headers", MapType::HttpRequestHeaders)
}

/// All headers of the response.
pub(crate) fn response_headers() -> Result<Headers> {
    headers("get_response_headers", MapType::HttpResponseHeaders)
}

/// All headers of the answer to a call of ours; not to be asked for when there are none.
pub(crate) fn call_headers() -> Result<Headers> {
    headers("get_call_headers", MapType::HttpCallResponseHeaders)
}

fn headers(call: &'static str, map: MapType) -> Result<Headers> {
    let mut start = ptr::null_mut();
    let mut size = 0;
    // Not the SDK's getter: it allocates twice for each header.
    // SAFETY: the host writes the two numbers, which live until it returns.
    #[expect(unsafe_code, reason = "an import of Proxy-Wasm")]
    let status = unsafe { proxy_get_header_map_pairs(map, &raw mut start, &raw mut size) };
    if status != Status::Ok as u32 {
        return Err(HostError::Failed { call });
    }
    if start.is_null() {
        return Ok(Headers::default());
    }
    // SAFETY: the host asked the SDK's allocator for `size` bytes, a vector of exactly this capacity that nobody
    // else knows, and filled them.
    #[expect(unsafe_code, reason = "the bytes are ours from here on")]
    let map = unsafe { Vec::from_raw_parts(start, size, size) };
    Headers::read(map).map_err(|_unreadable| HostError::Failed { call })
}

#[link(wasm_import_module = "env")]
#[expect(unsafe_code, reason = "the declaration of an import of Proxy-Wasm")]
unsafe extern "C" {
    /// A status comes as the number that it is: one that the SDK does not know must not become its enum.
    fn proxy_get_header_map_pairs(map: MapType, start: *mut *mut u8, size: *mut usize) -> u32;
}

/// The first `size` bytes of the request body that Envoy holds.
pub(crate) fn request_body(size: usize) -> Result<Bytes> {
    buffer("get_request_body", BufferType::HttpRequestBody, size)
}

/// The chunk of the response body that is passing.
pub(crate) fn response_chunk(size: usize) -> Result<Bytes> {
    buffer("get_response_body", BufferType::HttpResponseBody, size)
}

/// The body of the answer to a call of ours.
pub(crate) fn call_body(size: usize) -> Result<Bytes> {
    buffer("get_call_body", BufferType::HttpCallResponseBody, size)
}

fn buffer(call: &'static str, buffer: BufferType, size: usize) -> Result<Bytes> {
    if size == 0 {
        return Ok(Bytes::new());
    }
    host(call, || hostcalls::get_buffer(buffer, 0, size)).map(Option::unwrap_or_default)
}

/// Puts another body in the place of the one that Envoy holds.
pub(crate) fn replace_request_body(body: &[u8]) -> Result<()> {
    host("set_request_body", || {
        hostcalls::set_buffer(BufferType::HttpRequestBody, 0, usize::MAX, body)
    })
}

/// Puts other bytes in the place of the chunk that is passing.
pub(crate) fn replace_response_chunk(chunk: &[u8]) -> Result<()> {
    host("set_response_body", || {
        hostcalls::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, chunk)
    })
}

/// Removes a header of the request.
pub(crate) fn remove_request_header(name: &str) -> Result<()> {
    host("remove_request_header", || hostcalls::remove_map_value(MapType::HttpRequestHeaders, name))
}

/// Sets a header of the request.
pub(crate) fn set_request_header(name: &str, value: &str) -> Result<()> {
    host("set_request_header", || {
        let value = Some(value.as_bytes());
        hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, value)
    })
}

/// Removes a header of the response.
pub(crate) fn remove_response_header(name: &str) -> Result<()> {
    host("remove_response_header", || {
        hostcalls::remove_map_value(MapType::HttpResponseHeaders, name)
    })
}

/// Adds a header to the response.
pub(crate) fn add_response_header(name: &str, value: &str) -> Result<()> {
    host("add_response_header", || {
        hostcalls::add_map_value_bytes(MapType::HttpResponseHeaders, name, value.as_bytes())
    })
}

/// Lets a request go on that was held.
pub(crate) fn resume_request() -> Result<()> {
    host("resume_http_request", hostcalls::resume_http_request)
}

/// Answers the request; when the response has begun, breaks it off.
pub(crate) fn reply(reply: &Reply) -> Result<()> {
    let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    host("send_http_response", || {
        hostcalls::send_http_response(u32::from(reply.status), headers, Some(reply.body.as_bytes()))
    })
}

/// Sets filter state `wasm.<name>`, for access logs.
pub(crate) fn set_property(name: &str, value: &str) -> Result<()> {
    host("set_property", || hostcalls::set_property(vec![name], Some(value.as_bytes())))
}

/// The response flags of a stream that is over, one bit each.
pub(crate) fn response_flags() -> Result<u64> {
    let flags = host("get_property", || hostcalls::get_property(vec!["response", "flags"]))?;
    let flags = flags.and_then(|flags| flags.as_slice().try_into().ok());
    Ok(flags.map_or(0, u64::from_le_bytes))
}

/// Where the request comes from, as the connection manager found it: the other end of the connection, or what proxies
/// that it trusts say.
pub(crate) fn client_address() -> Result<Option<IpAddr>> {
    let address = host("get_property", || hostcalls::get_property(vec!["source", "address"]))?;
    let address = address.and_then(|address| String::from_utf8(address).ok());
    Ok(address.and_then(|address| address.parse::<SocketAddr>().ok()).map(|address| address.ip()))
}

/// An HTTP call of ours, by the context that is in effect; the answer comes to the context whose callback this is.
pub(crate) fn call(
    target: &Target,
    method: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Result<u32> {
    let mut all =
        vec![(":method", method), (":path", &target.path), (":authority", &target.authority)];
    all.extend_from_slice(headers);
    let timeout = Duration::from_millis(target.timeout_ms);
    host("dispatch_http_call", || {
        hostcalls::dispatch_http_call(&target.cluster, all, body, Vec::new(), timeout)
    })
}

/// A slot of shared data, and the number of its version.
pub(crate) fn shared_data(key: &str) -> Result<(Option<Bytes>, Option<u32>)> {
    host("get_shared_data", || hostcalls::get_shared_data(key))
}

/// Writes a slot of shared data; with a version, only if nobody wrote meanwhile.
pub(crate) fn set_shared_data(key: &str, value: &[u8], version: Option<u32>) -> Result<()> {
    host("set_shared_data", || hostcalls::set_shared_data(key, Some(value), version))
}

/// Makes another context the one that host calls are for.
pub(crate) fn set_effective_context(id: u32) -> Result<()> {
    host("set_effective_context", || hostcalls::set_effective_context(id))
}

/// Asks for a tick every so many milliseconds.
pub(crate) fn set_tick_period(ms: u64) -> Result<()> {
    host("set_tick_period", || hostcalls::set_tick_period(Duration::from_millis(ms)))
}

/// Defines a counter in Envoy's statistics.
pub(crate) fn define_counter(name: &str) -> Result<u32> {
    host("define_metric", || hostcalls::define_metric(MetricType::Counter, name))
}

/// Defines a gauge in Envoy's statistics.
pub(crate) fn define_gauge(name: &str) -> Result<u32> {
    host("define_metric", || hostcalls::define_metric(MetricType::Gauge, name))
}

/// Counts, or raises a gauge.
pub(crate) fn increment(counter: u32, by: u64) -> Result<()> {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    host("increment_metric", || hostcalls::increment_metric(counter, by))
}
