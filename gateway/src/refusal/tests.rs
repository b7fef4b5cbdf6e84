//! The table, as clients see it.

use attache_protocol::{json::Fault, jsonrpc::Flaw, mcp::headers::Mismatch};
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Refusal, TokenFlaw};
use crate::testing::{configuration, gateway};

const METADATA: &str = r#"Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp", scope="mcp""#;

/// Status, code, and the headers beyond those that every refusal has.
fn shown(refusal: Refusal, id: Option<&str>) -> (u16, Value, Vec<(&'static str, String)>) {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut reply = refusal.reply(endpoint, id);
    let own = reply.headers.split_off(2);
    let every = [("content-type", "application/json"), ("cache-control", "no-store")];
    assert_eq!(reply.headers, every.map(|(name, value)| (name, value.to_owned())));
    (reply.status, serde_json::from_str(&reply.body).expect("JSON"), own)
}

#[test]
fn every_refusal_has_its_status_its_code_and_its_challenge() {
    let json = attache_protocol::json::Error { at: 0, fault: Fault::Syntax };
    let challenge = |more: &str| vec![("www-authenticate", format!("{METADATA}{more}"))];
    let cases = [
        (Refusal::MissingToken, 401, 401, challenge("")),
        (
            Refusal::InvalidToken(TokenFlaw::Expired),
            401,
            401,
            challenge(r#", error="invalid_token", error_description="the token has expired""#),
        ),
        (
            Refusal::InsufficientScope,
            403,
            403,
            challenge(
                r#", error="insufficient_scope", error_description="the token lacks a scope that this endpoint needs""#,
            ),
        ),
        (Refusal::ForeignOrigin, 403, 403, vec![]),
        (Refusal::Method, 405, 405, vec![("allow", "POST, GET, DELETE".to_owned())]),
        (Refusal::BodyTooLarge(7), 413, 413, vec![]),
        (Refusal::StrayBody, 400, -32600, vec![]),
        (Refusal::HeadersTooLarge(8192), 431, 431, vec![]),
        (Refusal::ContentEncoding, 415, 415, vec![]),
        (Refusal::ContentType, 415, 415, vec![]),
        (Refusal::Message(Flaw::Json(json)), 400, -32700, vec![]),
        (Refusal::Message(Flaw::NotAnObject), 400, -32600, vec![]),
        (Refusal::Duplicate("name"), 400, -32600, vec![]),
        (Refusal::NoText("name"), 400, -32602, vec![]),
        (Refusal::Batch, 400, -32600, vec![]),
        (Refusal::BatchSize(64), 400, -32600, vec![]),
        (Refusal::Headers(Mismatch::Differs("mcp-name")), 400, -32020, vec![]),
        (Refusal::NoVersion, 400, -32602, vec![]),
        (Refusal::UnknownVersion, 400, -32022, vec![]),
        (Refusal::NoKeys, 503, 503, vec![("retry-after", "1".to_owned())]),
        (Refusal::Busy, 503, 503, vec![("retry-after", "1".to_owned())]),
        (Refusal::Failure, 500, 500, vec![]),
    ];
    for (refusal, status, code, headers) in cases {
        let (shown_status, body, shown_headers) = shown(refusal, None);
        assert_eq!(shown_status, status, "{refusal}");
        assert_eq!(body["error"]["code"], code, "{refusal}");
        assert_eq!(body["error"]["message"], refusal.to_string());
        assert_eq!(shown_headers, headers);
    }
}

#[test]
fn the_id_is_echoed_as_it_was_written_or_left_out() {
    for id in ["1", "\"a\\u0020b\"", "-7", "9007199254740993", "1e400"] {
        let gateway = gateway(configuration());
        let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
        let body = Refusal::Batch.reply(endpoint, Some(id)).body;
        assert!(body.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error""#)), "{body}");
    }
    assert_eq!(shown(Refusal::Batch, None).1.get("id"), None);
}
