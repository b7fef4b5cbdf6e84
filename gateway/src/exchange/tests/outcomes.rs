//! How a message ended, as its event says.

use attache_protocol::event::{Fault, Outcome};
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{CALL, LIST, Run};
use crate::{
    exchange::{Effect, Exchange, Input},
    testing::{NOW_US, configuration, post},
};

/// The outcome of a call that was answered like this.
fn outcome(status: &str, media_type: &str, body: &str) -> (Outcome, Option<Fault>, Option<i64>) {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    run.response(status, media_type);
    run.chunk(body, true);
    let event = run.event();
    (event.outcome, event.fault, event.code)
}

#[test]
fn outcomes_say_how_it_ended_and_whose_fault_it_was() {
    use Fault::{Client, Server};
    const JSON: &str = "application/json";
    let error =
        |code: i64| json!({"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": ""}});
    let cases = [
        ("200", JSON, json!({"id": 7, "result": {}}), Outcome::Ok, None, None),
        ("202", "", json!(null), Outcome::Ok, None, None),
        (
            "200",
            JSON,
            json!({"id": 7, "result": {"isError": true}}),
            Outcome::ToolError,
            Some(Server),
            None,
        ),
        ("200", JSON, error(-32602), Outcome::RpcError, Some(Client), Some(-32602)),
        ("200", JSON, error(-32603), Outcome::RpcError, Some(Server), Some(-32603)),
        ("400", JSON, error(-32600), Outcome::RpcError, Some(Client), Some(-32600)),
        ("404", "text/plain", json!(null), Outcome::UpstreamError, Some(Client), None),
        ("500", JSON, error(-32603), Outcome::UpstreamError, Some(Server), None),
        ("503", "text/plain", json!(null), Outcome::UpstreamError, Some(Server), None),
        ("504", "text/plain", json!(null), Outcome::Timeout, Some(Server), None),
    ];
    for (status, media_type, body, expected, fault, code) in cases {
        let actual = outcome(status, media_type, &body.to_string());
        assert_eq!(actual, (expected, fault, code), "{status} {body}");
    }
}

#[test]
fn a_client_that_leaves_cancels() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    let event = run.event();
    assert_eq!((event.outcome, event.status), (Outcome::Cancelled, None));
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    run.response("200", "text/event-stream");
    run.chunk(": x\n\n", false);
    assert_eq!(run.event().outcome, Outcome::Cancelled);
}

#[test]
fn envoy_s_own_answer_to_half_a_request_is_recorded() {
    for (status, outcome, fault) in [
        ("408", Outcome::Invalid, Fault::Client),
        ("413", Outcome::Invalid, Fault::Client),
        ("503", Outcome::UpstreamError, Fault::Gateway),
    ] {
        let mut run = Run::new(configuration());
        run.headers(post(&[]));
        assert_eq!(run.response(status, "text/plain"), Effect::Continue);
        run.chunk("no", true);
        let event = run.event();
        assert_eq!((event.outcome, event.fault), (outcome, Some(fault)));
        assert_eq!(event.status.map(|status| status.to_string()).as_deref(), Some(status));
    }
}

#[test]
fn a_server_that_breaks_off_is_at_fault() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    run.response("200", "text/event-stream");
    run.chunk(": x\n\n", false);
    assert!(run.exchange.as_ref().is_some_and(Exchange::is_cut_off));
    let Effect::Over(over) = run.say(Input::Done { broken_by_server: true, now_us: NOW_US }) else {
        panic!("over")
    };
    assert_eq!(over.events[0].outcome, Outcome::UpstreamError);
}

#[test]
fn a_task_is_followed_from_the_call_that_began_it() {
    for began in [
        r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"task","taskId":"t-1"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"task":{"taskId":"t-1","status":"working"}}}"#,
    ] {
        let mut run = Run::new(configuration());
        run.headers(post(&[]));
        run.body(CALL);
        run.response("200", "application/json");
        run.chunk(began, true);
        let event = run.event();
        assert_eq!((event.name.as_deref(), event.task.as_deref()), (Some("a"), Some("t-1")));
    }
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(r#"{"jsonrpc":"2.0","id":8,"method":"tasks/get","params":{"taskId":"t-1"}}"#);
    run.response("200", "application/json");
    run.chunk(r#"{"jsonrpc":"2.0","id":8,"result":{"isError":true,"status":"failed"}}"#, true);
    let event = run.event();
    assert_eq!((event.task.as_deref(), event.outcome), (Some("t-1"), Outcome::ToolError));
}

#[test]
fn a_question_back_is_not_the_end() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(CALL);
    run.response("200", "application/json");
    run.chunk(r#"{"id":7,"result":{"resultType":"input_required"}}"#, true);
    assert_eq!(run.done(), []);
}

#[test]
fn every_message_of_a_batch_has_its_event() {
    let mut run = Run::new(configuration());
    run.headers(post(&[("mcp-protocol-version", "2025-03-26"), ("x-request-id", "r1")]));
    run.body(&format!("[{CALL},{LIST}]"));
    run.response("200", "application/json");
    run.chunk("[]", true);
    let events = run.done();
    assert!(events.iter().all(|event| event.request_id.as_deref() == Some("r1")), "{events:?}");
    let methods: Vec<&str> = events.iter().map(|event| event.method.as_str()).collect();
    assert_eq!(methods, ["tools/call", "tools/list"]);
    assert_ne!(events[0].id, events[1].id);
}
