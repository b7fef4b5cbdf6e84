//! Which bodies are messages, and which contradict their headers.

use attache_protocol::{jsonrpc::Flaw, mcp::headers::Mismatch};
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Spoken;
use crate::{
    refusal::Refusal,
    request::{
        headers::{Field, Headers},
        token::{Caller, Patience, Verdict},
    },
    testing::{NOW_MS, configured, headers, shared},
};

fn caller() -> Caller {
    let mut shared = shared(configured("/endpoints/0/authentication", json!("none")));
    let endpoint = shared.gateway.endpoint(b"/mcp").expect("it is there").clone();
    let verdict = shared.trust.authorize(&endpoint, Field::Absent, Patience::Over, NOW_MS);
    let Verdict::Caller(caller) = verdict else { panic!("{verdict:?}") };
    caller
}

/// How many messages a body has, or why it is refused and with which id.
fn read(headers: &Headers, body: &str) -> Result<usize, (Refusal, Option<String>)> {
    match Spoken::read(&caller(), headers, body.as_bytes(), 64) {
        Ok(spoken) => Ok(spoken.items().len()),
        Err(refused) => Err((refused.refusal, refused.id.map(str::to_owned))),
    }
}

const BATCHES: &[(&str, &str)] = &[("mcp-protocol-version", "2025-03-26")];

#[test]
fn one_message_is_read_in_every_era() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
    ] {
        for headers in [headers(&[]), headers(BATCHES)] {
            assert_eq!(read(&headers, body), Ok(1), "{body}");
        }
    }
}

#[test]
fn members_that_two_parsers_could_read_differently_are_refused() {
    let none = headers(&[]);
    for (body, refusal, id) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#,
            Refusal::Message(Flaw::Duplicate("id")),
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","m\u0065thod":"b"}"#,
            Refusal::Message(Flaw::Duplicate("method")),
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{}}"#,
            Refusal::Message(Flaw::Duplicate("params")),
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"a","name":"b"}}"#,
            Refusal::Duplicate("name"),
            Some("\"x\""),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}}"#,
            Refusal::Duplicate("arguments"),
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#,
            Refusal::NoText("name"),
            Some("1"),
        ),
    ] {
        assert_eq!(read(&none, body), Err((refusal, id.map(str::to_owned))), "{body}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    for body in [
        "",
        "null",
        "1",
        "\"a\"",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
        "{\"a\":",
        "[}",
    ] {
        assert!(read(&headers(&[]), body).is_err(), "{body}");
    }
    let bomb = "[".repeat(1_000_000);
    assert!(read(&headers(BATCHES), &bomb).is_err());
}

#[test]
fn batches_exist_in_one_revision() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"}]"#;
    assert_eq!(read(&headers(BATCHES), batch), Ok(2));
    for version in ["2025-06-18", "2025-11-25", "2026-07-28", "", "x"] {
        let headers = headers(&[("mcp-protocol-version", version)]);
        assert_eq!(read(&headers, batch), Err((Refusal::Batch, None)), "{version}");
    }
    assert_eq!(read(&headers(&[]), batch), Err((Refusal::Batch, None)));
}

#[test]
fn every_message_of_a_batch_is_decided() {
    let refused = |body: &str| read(&headers(BATCHES), body).expect_err("refused").0;
    assert_eq!(refused("[]"), Refusal::BatchSize(64));
    let item = r#"{"jsonrpc":"2.0","method":"x"}"#;
    let many = |count| format!("[{}]", vec![item; count].join(","));
    assert_eq!(read(&headers(BATCHES), &many(64)), Ok(64));
    assert_eq!(refused(&many(65)), Refusal::BatchSize(64));
    assert_eq!(refused(&format!("[{item},1]")), Refusal::Message(Flaw::NotAnObject));
    assert_eq!(refused(&format!("[{item},[{item}]]")), Refusal::Message(Flaw::NotAnObject));
    let twice =
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}]"#;
    assert_eq!(refused(twice), Refusal::Duplicate("name"));
    let modern = r#"[{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}]"#;
    assert_eq!(refused(modern), Refusal::Batch);
}

fn modern(method: &str, name: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": {"name": name, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28"}}})
    .to_string()
}

fn mirrored(pairs: &[(&str, &str)]) -> Headers {
    headers(&[&[("mcp-protocol-version", "2026-07-28")], pairs].concat())
}

#[test]
fn headers_of_a_modern_request_say_what_the_body_says() {
    let body = modern("tools/call", "a");
    let good = mirrored(&[("mcp-method", "tools/call"), ("mcp-name", "a")]);
    assert_eq!(read(&good, &body), Ok(1));
    let encoded = mirrored(&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?YQ==?=")]);
    assert_eq!(read(&encoded, &body), Ok(1));
    let other = mirrored(&[("mcp-method", "ping")]);
    assert_eq!(read(&other, &modern("ping", "a")), Ok(1), "ping names nothing");
}

#[test]
fn a_modern_request_that_contradicts_its_headers_is_refused() {
    use Mismatch::{Differs, Malformed, Missing};
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "a");
    for (headers, mismatch) in [
        (headers(&[method, name]), Missing("mcp-protocol-version")),
        (
            headers(&[method, name, ("mcp-protocol-version", "2025-11-25")]),
            Differs("mcp-protocol-version"),
        ),
        (mirrored(&[name]), Missing("mcp-method")),
        (mirrored(&[method]), Missing("mcp-name")),
        (mirrored(&[("mcp-method", "TOOLS/CALL"), name]), Differs("mcp-method")),
        (mirrored(&[method, ("mcp-name", "b")]), Differs("mcp-name")),
        (mirrored(&[method, ("mcp-name", "=?base64?Y?=")]), Malformed("mcp-name")),
        (mirrored(&[method, name, ("mcp-name", "b")]), Malformed("mcp-name")),
        (mirrored(&[method, method, name]), Malformed("mcp-method")),
    ] {
        let refused = read(&headers, &modern("tools/call", "a"));
        assert_eq!(refused, Err((Refusal::Headers(mismatch), Some("5".to_owned()))));
    }
}

#[test]
fn a_revision_that_we_cannot_read_is_refused_once_header_and_body_agree_on_it() {
    for version in ["2027-01-01", "9999-99-99", "", "1.0"] {
        let body = modern("tools/call", "a").replace("2026-07-28", version);
        let agreed = headers(&[("mcp-protocol-version", version)]);
        let refused = read(&agreed, &body);
        assert_eq!(refused, Err((Refusal::UnknownVersion, Some("5".to_owned()))), "{version}");
        let differs = Refusal::Headers(Mismatch::Differs("mcp-protocol-version"));
        assert_eq!(read(&mirrored(&[]), &body), Err((differs, Some("5".to_owned()))));
    }
}

#[test]
fn a_modern_request_says_its_revision_in_its_body_too() {
    let body = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a"}}"#;
    let headers = mirrored(&[("mcp-method", "tools/call"), ("mcp-name", "a")]);
    assert_eq!(read(&headers, body), Err((Refusal::NoVersion, Some("5".to_owned()))));
    let initialize = r#"{"jsonrpc":"2.0","id":5,"method":"initialize","params":{}}"#;
    assert_eq!(read(&headers, initialize), Ok(1), "it begins a session");
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    assert_eq!(read(&headers, notification), Ok(1), "the specification asks nothing of it");
}

#[test]
fn headers_of_a_legacy_request_are_not_compared() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
    let stray = headers(&[("mcp-method", "x"), ("mcp-protocol-version", "2025-11-25")]);
    assert_eq!(read(&stray, body), Ok(1));
}
