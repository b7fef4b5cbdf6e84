//! What no server hears of, and what the events say of it.

use attache_protocol::event::{Fault, Outcome};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{CALL, Run, forwarded, refused};
use crate::{
    exchange::{Effect, Input},
    testing::{NOW_US, configuration, headers, post, token},
};

#[test]
fn a_request_without_a_token_is_refused_before_its_body_is_read() {
    for method in ["POST", "GET", "DELETE"] {
        let mut run = Run::new(configuration());
        // Whatever it sends: it is told where to get a token before it is told what else is wrong.
        let headers = headers(&[(":method", method), ("content-type", "text/plain")]);
        assert_eq!(refused(run.headers(headers)).0, 401, "{method}");
        assert_eq!(run.body(CALL), Effect::Hold, "nothing goes on");
        let event = run.event();
        assert_eq!(event.outcome, Outcome::Unauthenticated);
        assert_eq!(
            (event.method.as_str(), event.status, event.code),
            (method, Some(401), Some(401))
        );
        assert_eq!(event.reason.as_deref(), Some("a bearer token is required"));
        assert_eq!(event.upstream_us, None);
    }
}

#[test]
fn no_event_shows_a_token() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    let good = serde_json::to_string(&run.event()).expect("JSON");
    let mut run = Run::new(configuration());
    let bad = format!("Bearer {}x", token());
    run.headers(headers(&[
        (":method", "POST"),
        ("content-type", "application/json"),
        ("authorization", &bad),
    ]));
    let refused = serde_json::to_string(&run.event()).expect("JSON");
    for text in [good, refused] {
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[test]
fn a_revision_that_we_cannot_read_is_answered_with_the_modern_ones_that_we_can() {
    let mut run = Run::new(configuration());
    run.headers(post(&[("mcp-protocol-version", "2027-01-01")]));
    let effect = run.body(
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}}"#,
    );
    let Effect::Refuse(reply) = effect else { panic!("{effect:?}") };
    let body: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!((reply.status, &body["id"]), (400, &json!(5)));
    let error = &body["error"];
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"], json!({"supported": ["2026-07-28"], "requested": "2027-01-01"}));
    assert_eq!(run.event().code, Some(-32022));
}

#[test]
fn a_body_where_none_belongs_does_not_pass() {
    let bearer = format!("Bearer {}", token());
    for method in ["GET", "DELETE"] {
        let begun = || {
            let mut run = Run::new(configuration());
            let override_it = ("x-http-method-override", "POST");
            let pairs = [(":method", method), ("authorization", bearer.as_str()), override_it];
            assert_eq!(run.headers(headers(&pairs)), Effect::Hold);
            run
        };
        assert_eq!(refused(begun().say(Input::RequestBodyGrows { held: 1 })).0, 400);
        assert_eq!(refused(begun().body(CALL)).0, 400);
        // In HTTP/2 the end may come by itself.
        let mut run = begun();
        assert_eq!(run.say(Input::RequestBodyGrows { held: 0 }), Effect::Hold);
        assert_eq!(run.body(""), forwarded(&["authorization"], None, None));
    }
}

#[test]
fn a_body_above_the_limit_is_refused_as_it_grows() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    assert_eq!(run.say(Input::RequestBodyGrows { held: 4096 }), Effect::Hold);
    assert_eq!(refused(run.say(Input::RequestBodyGrows { held: 4097 })).0, 413);
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    assert_eq!(refused(run.body(&" ".repeat(4097))).0, 413);
    assert_eq!(run.event().outcome, Outcome::Invalid);
}

#[test]
fn a_refusal_names_the_request_it_answers() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    let (status, body) = refused(run.body(r#"{"jsonrpc":"2.0","id":"é","method":1}"#));
    assert_eq!((status, &body["id"]), (400, &json!("é")));
    let event = run.event();
    assert_eq!((event.outcome, event.code), (Outcome::Invalid, Some(-32600)));
    assert_eq!((event.fault, event.request_bytes), (Some(Fault::Client), 38));
}

#[test]
fn an_empty_post_is_refused() {
    let mut run = Run::new(configuration());
    let effect = run.say(Input::RequestHeaders { headers: post(&[]), end: true, now_us: NOW_US });
    assert_eq!(refused(effect).0, 400);
}
