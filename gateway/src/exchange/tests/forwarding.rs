//! What a server gets, and what it does not.

use attache_protocol::event::{Fault, Outcome};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{CALL, LIST, Run, STRIPPED, forwarded};
use crate::{
    exchange::{Effect, Input},
    testing::{NOW_US, configuration, configured, headers, post, token},
};

#[test]
fn a_server_reads_a_body_in_the_charset_in_which_it_was_read_here() {
    let mut run = Run::new(configuration());
    run.headers(headers(&[
        (":method", "POST"),
        (":path", "/mcp"),
        ("authorization", &format!("Bearer {}", token())),
        ("content-type", "application/json; charset=utf-7"),
    ]));
    let Effect::Forward(forward) = run.body(STRIPPED) else { panic!("it is forwarded") };
    assert_eq!(forward.media_type, Some("application/json"));
    assert_eq!(forward.body, None);
}

#[test]
fn a_call_is_stripped_forwarded_watched_and_recorded() {
    let mut run = Run::new(configuration());
    let length = CALL.len().to_string();
    let more = [
        ("content-length", length.as_str()),
        ("accept-encoding", "gzip"),
        ("user-agent", "test\u{7}/1"),
        ("mcp-session-id", "s1"),
        ("mcp-protocol-version", "2025-11-25"),
        ("traceparent", "00-1-2-01"),
        ("x-request-id", "5b8f\u{7}"),
    ];
    assert_eq!(run.headers(post(&more)), Effect::Hold);
    assert_eq!(run.say(Input::RequestBodyGrows { held: 10 }), Effect::Hold);
    let effect = run.body(CALL);
    let remove = ["authorization", "accept-encoding"];
    assert_eq!(effect, forwarded(&remove, Some(STRIPPED.len()), Some(STRIPPED)));
    assert_eq!(run.response("200", "application/json"), Effect::Continue);
    let answer = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
    assert_eq!(run.chunk(answer, true), Effect::Continue);
    let event = run.event();
    let expected = json!({
        "id": event.id, "started_at_ms": NOW_US / 1000, "duration_us": 1000, "upstream_us": 900,
        "endpoint": "/mcp", "server": "mcp", "method": "tools/call", "name": "a", "outcome": "ok",
        "status": 200, "request_bytes": CALL.len(), "response_bytes": answer.len(),
        "subject": "alice", "email": "alice@example.com", "client_id": "c1",
        "user_agent": "test/1", "session": "s1", "protocol_version": "2025-11-25",
        "intent": {"text": "look it up", "source": "argument"}, "traceparent": "00-1-2-01",
        "request_id": "5b8f",
    });
    assert_eq!(serde_json::to_value(&event).expect("JSON"), expected);
}

#[test]
fn a_body_without_our_arguments_is_forwarded_as_it_is() {
    let mut run = Run::new(configuration());
    run.headers(post(&[("content-length", "88")]));
    assert_eq!(run.body(STRIPPED), forwarded(&["authorization"], None, None));
}

#[test]
fn a_body_of_open_length_stays_one() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    assert_eq!(run.body(CALL), forwarded(&["authorization"], None, Some(STRIPPED)));
}

#[test]
fn the_caller_s_token_stays_here_unless_it_is_forwarded() {
    let mut run = Run::new(configured("/endpoints/0/caller_token", json!("forwarded")));
    run.headers(post(&[]));
    assert_eq!(run.body(LIST), forwarded(&[], None, None));
    let mut run = Run::new(configured("/endpoints/0/authentication", json!("none")));
    run.headers(post(&[]));
    let stays = forwarded(&["authorization"], None, None);
    assert_eq!(run.body(LIST), stays, "it would open other endpoints");
    let mut run = Run::new(configured("/endpoints/0/authentication", json!("optional")));
    run.headers(post(&[]));
    assert_eq!(run.body(LIST), forwarded(&["authorization"], None, None));
}

#[test]
fn a_header_that_a_server_could_take_for_another_does_not_reach_it() {
    let mut run = Run::new(configuration());
    run.headers(post(&[("x_api_key", "theirs"), ("mcp-param-user_id", "7"), ("_", "")]));
    assert_eq!(run.body(LIST), forwarded(&["authorization", "x_api_key", "_"], None, None));
}

#[test]
fn where_no_token_is_asked_for_those_of_others_pass() {
    let jwt = |claims: &str| {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(r#"{"alg":"EdDSA"}"#), part(claims))
    };
    let others = [
        "Bearer opaque".to_owned(),
        "AccessToken 0190f0e8".to_owned(),
        format!("Bearer {}", jwt(r#"{"iss":"https://other.example"}"#)),
    ];
    let ours = jwt(r#"{"iss":"https://gateway.example"}"#);
    let ours = [format!("Bearer {ours}"), format!("bearer\t{ours} "), format!("Token {ours}")];
    for (values, remove) in [(others, &[][..]), (ours, &["authorization"])] {
        for value in values {
            let mut run = Run::new(configured("/endpoints/0/authentication", json!("none")));
            run.headers(headers(&[
                (":method", "POST"),
                ("content-type", "application/json"),
                ("authorization", &value),
            ]));
            assert_eq!(run.body(LIST), forwarded(remove, None, None), "{value}");
        }
    }
}

#[test]
fn streams_and_ends_of_sessions_pass() {
    for method in ["GET", "DELETE"] {
        let mut run = Run::new(configuration());
        let bearer = format!("Bearer {}", token());
        let headers = headers(&[(":method", method), ("authorization", &bearer)]);
        let effect = run.say(Input::RequestHeaders { headers, end: true, now_us: NOW_US });
        assert_eq!(effect, forwarded(&["authorization"], None, None));
        assert_eq!(run.response("200", "text/event-stream"), Effect::Continue);
        assert_eq!(run.chunk("data: x\n\n", false), Effect::Continue);
        assert_eq!(run.chunk("", true), Effect::Continue);
        let event = run.event();
        assert_eq!((event.method.as_str(), event.outcome), (method, Outcome::Ok));
    }
}

#[test]
fn a_credential_of_a_listed_scheme_reaches_its_server_and_names_nobody() {
    let mut configuration = configuration();
    configuration["endpoints"][0]["foreign"] =
        json!({"schemes": ["AccessToken"], "challenges": "ours"});
    let mut run = Run::new(configuration);
    run.headers(headers(&[
        (":method", "POST"),
        (":path", "/mcp"),
        ("authorization", "AccessToken theirs"),
        ("content-type", "application/json"),
    ]));
    assert_eq!(run.body(LIST), forwarded(&[], None, None));
    let refused = headers(&[
        (":status", "401"),
        ("content-type", "application/json"),
        ("www-authenticate", r#"Bearer resource_metadata="https://evil.example.com/""#),
    ]);
    let effect = run.say(Input::ResponseHeaders { headers: refused, end: true });
    let Effect::Challenge(Some(challenge)) = effect else { panic!("rewritten, not {effect:?}") };
    assert!(challenge.starts_with(r#"Bearer resource_metadata="https://gateway.example/"#));
    let event = run.event();
    assert_eq!((event.status, event.subject, event.client_id), (Some(401), None, None));
    assert_eq!((event.outcome, event.fault), (Outcome::UpstreamError, Some(Fault::Client)));
}
