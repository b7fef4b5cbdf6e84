//! Whole exchanges: what Envoy says, what Envoy is to do, and the events.

use std::borrow::Cow;

use attache_protocol::event::{Event, Fault, IntentSource, Outcome};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Effect, Exchange, Forward, Input, Shared};
use crate::{
    budget::Budget,
    request::headers::Headers,
    testing::{
        NOW_US, configuration, configured, gateway, headers, jwks, merge, post, seed, shared, token,
    },
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"q":1,"attache_intent":"look it up"}}}"#;
const STRIPPED: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"q":1}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// An exchange, and what it shares with others.
struct Run {
    shared: Shared,
    exchange: Option<Exchange>,
}

impl Run {
    fn new(configuration: Value) -> Self {
        Self::with(shared(configuration))
    }

    fn with(shared: Shared) -> Self {
        let endpoint = shared.gateway.endpoint(b"/mcp").expect("it is there").clone();
        Self { shared, exchange: Some(Exchange::new(endpoint)) }
    }

    fn say(&mut self, input: Input<'_>) -> Effect {
        let exchange = self.exchange.take().expect("it comes back each time");
        let (exchange, effect) = exchange.handle(input, &mut self.shared);
        self.exchange = Some(exchange);
        effect
    }

    fn headers(&mut self, headers: Headers) -> Effect {
        self.say(Input::RequestHeaders { headers, end: false, now_us: NOW_US })
    }

    fn body(&mut self, body: &str) -> Effect {
        self.say(Input::RequestBody { body: body.as_bytes(), now_us: NOW_US + 100 })
    }

    fn response(&mut self, status: &str, media_type: &str) -> Effect {
        let headers = headers(&[(":status", status), ("content-type", media_type)]);
        self.say(Input::ResponseHeaders { headers, end: false })
    }

    fn chunk(&mut self, text: &str, end: bool) -> Effect {
        let exchange = self.exchange.as_ref().expect("it comes back each time");
        let bytes = if exchange.reads_response() { text.as_bytes() } else { b"" };
        self.say(Input::ResponseBody { size: text.len(), bytes, end })
    }

    fn done(&mut self) -> Vec<Event> {
        let done = Input::Done { broken_by_server: false, now_us: NOW_US + 1000 };
        let Effect::Over(over) = self.say(done) else { panic!("it is over") };
        over.events
    }

    fn event(&mut self) -> Event {
        let mut events = self.done();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

fn refused(effect: Effect) -> (u16, Value) {
    let Effect::Refuse(reply) = effect else { panic!("refused, not {effect:?}") };
    (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
}

fn forwarded(remove: &[&'static str], length: Option<usize>, body: Option<&str>) -> Effect {
    let body = body.map(|body| body.as_bytes().to_vec());
    Effect::Forward(Forward {
        remove: remove.iter().copied().map(Cow::Borrowed).collect(),
        length,
        media_type: None,
        body,
    })
}

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

fn keyless(configuration: Value) -> Run {
    Run::with(Shared::new(gateway(configuration), seed()))
}

fn keys_come(run: &mut Run) {
    let keys = jwks(&["k1"]).to_string();
    run.shared.trust.adopt(keys.as_bytes(), NOW_US / 1000).expect("the keys can be used");
}

#[test]
fn a_request_before_the_first_keys_waits_for_them() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitKeys);
    assert_eq!(run.say(Input::RequestBodyGrows { held: 10 }), Effect::Hold);
    assert_eq!(run.body(CALL), Effect::Hold);
    keys_come(&mut run);
    let effect = run.say(Input::KeysChanged { now_us: NOW_US });
    assert_eq!(effect, Effect::ReadBody { size: CALL.len() }, "it was not copied");
    assert_eq!(run.body(CALL), forwarded(&["authorization"], None, Some(STRIPPED)));
}

#[test]
fn keys_that_come_before_the_body_let_it_come() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitKeys);
    keys_come(&mut run);
    assert_eq!(run.say(Input::KeysChanged { now_us: NOW_US }), Effect::Hold);
    assert_eq!(run.body(CALL), forwarded(&["authorization"], None, Some(STRIPPED)));
}

#[test]
fn a_stream_that_waits_for_keys_goes_on_with_them() {
    let mut run = keyless(configuration());
    let bearer = format!("Bearer {}", token());
    let headers = headers(&[(":method", "GET"), ("authorization", &bearer)]);
    let waits = run.say(Input::RequestHeaders { headers, end: true, now_us: NOW_US });
    assert_eq!(waits, Effect::AwaitKeys);
    keys_come(&mut run);
    let effect = run.say(Input::KeysChanged { now_us: NOW_US });
    assert_eq!(effect, forwarded(&["authorization"], None, None));
}

#[test]
fn a_message_without_a_body_that_waited_is_refused_like_any_other() {
    let mut run = keyless(configuration());
    let waits = run.say(Input::RequestHeaders { headers: post(&[]), end: true, now_us: NOW_US });
    assert_eq!(waits, Effect::AwaitKeys);
    keys_come(&mut run);
    assert_eq!(refused(run.say(Input::KeysChanged { now_us: NOW_US })).0, 400);
}

#[test]
fn a_wait_ends_with_an_answer() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitKeys);
    run.body(CALL);
    assert_eq!(refused(run.say(Input::WaitExpired { now_us: NOW_US })).0, 503);
    let event = run.event();
    assert_eq!((event.outcome, event.fault), (Outcome::Unauthenticated, Some(Fault::Gateway)));
}

#[test]
fn a_body_above_the_limit_does_not_wait_for_keys() {
    let mut run = keyless(configuration());
    run.headers(post(&[]));
    assert_eq!(refused(run.say(Input::RequestBodyGrows { held: 5000 })).0, 413);
    assert_eq!(run.say(Input::KeysChanged { now_us: NOW_US }), Effect::Hold, "it is over");
}

#[test]
fn a_list_is_rewritten() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    assert_eq!(run.response("200", "application/json"), Effect::OpenLength);
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
    let (one, two) = list.split_at(20);
    assert_eq!(run.chunk(one, false), Effect::Replace(Vec::new()));
    let Effect::Replace(out) = run.chunk(two, true) else { panic!("a list") };
    assert!(String::from_utf8(out).expect("UTF-8").contains("attache_intent"));
    let event = run.event();
    assert_eq!((event.listed, event.outcome), (vec!["a".to_owned()], Outcome::Ok));
    assert_eq!(event.response_bytes, list.len() as u64);
}

#[test]
fn trailers_after_a_list_that_is_not_complete_break_it_off() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    run.response("200", "application/json");
    run.chunk(r#"{"jsonrpc":"#, false);
    assert_eq!(run.say(Input::ResponseTrailers), Effect::Abort);
}

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
    run.headers(post(&[("mcp-protocol-version", "2025-03-26")]));
    run.body(&format!("[{CALL},{LIST}]"));
    run.response("200", "application/json");
    run.chunk("[]", true);
    let events = run.done();
    let methods: Vec<&str> = events.iter().map(|event| event.method.as_str()).collect();
    assert_eq!(methods, ["tools/call", "tools/list"]);
    assert_ne!(events[0].id, events[1].id);
}

fn intent(configuration: Value, body: &Value) -> Event {
    let mut run = Run::new(configuration);
    run.headers(post(&[]));
    run.body(&body.to_string());
    run.event()
}

fn call_with(params: Value) -> Value {
    let mut all = json!({"name": "a"});
    merge(&mut all, params);
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": all})
}

#[test]
fn the_client_s_own_word_outranks_the_argument() {
    let both = call_with(json!({
        "arguments": {"attache_intent": "argument"},
        "_meta": {"io.modelcontextprotocol/aiInvocation": {"userIntent": "own"}},
    }));
    let captured = intent(configuration(), &both).intent.expect("an intent");
    assert_eq!((captured.text.as_str(), captured.source), ("own", IntentSource::ClientMetadata));
}

#[test]
fn a_malformed_intent_costs_the_intent_and_not_the_call() {
    for value in [json!(7), json!(null), json!({"a": 1}), json!(""), json!("\u{1}")] {
        let event =
            intent(configuration(), &call_with(json!({"arguments": {"attache_intent": value}})));
        assert_eq!((event.intent, event.outcome), (None, Outcome::Cancelled));
    }
    let long = call_with(json!({"arguments": {"attache_intent": "é".repeat(1900)}}));
    let captured = intent(configured("/limits/max_body", json!(100_000)), &long).intent;
    assert_eq!(captured.expect("an intent").text.chars().count(), 1900);
}

#[test]
fn only_what_is_configured_is_captured() {
    let all = call_with(json!({"arguments": {
        "attache_intent": "i", "attache_prompt": "p", "attache_history": "h",
    }}));
    let event = intent(configuration(), &all);
    assert!(event.intent.is_some() && event.prompt.is_none() && event.history.is_none());
    let opted = configured("/endpoints/0/analytics/arguments", json!(["prompt", "history"]));
    let event = intent(opted, &all);
    assert_eq!(
        (event.intent, event.prompt, event.history),
        (None, Some("p".into()), Some("h".into()))
    );
    let metadata = configured("/endpoints/0/analytics/capture", json!("metadata"));
    assert_eq!(intent(metadata, &all).intent, None);
    let mut off = Run::new(configured("/endpoints/0/analytics/capture", json!("off")));
    off.headers(post(&[]));
    off.body(&all.to_string());
    assert_eq!(off.done(), []);
}

#[test]
fn initialize_tells_who_the_client_is() {
    let event = intent(
        configuration(),
        &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "clientInfo": {"name": "Test\n", "version": "1"}}}),
    );
    let client = event.client.expect("a client");
    assert_eq!((client.name.as_str(), client.version.as_deref()), ("Test ", Some("1")));
    assert_eq!(event.protocol_version.as_deref(), Some("2025-06-18"));
}

#[test]
fn headers_that_wait_for_a_body_are_bounded_together() {
    let mut first = Run::new(configuration());
    let room = post(&[]).with_body().size();
    first.shared.budget = Budget::of(room + room / 2);
    let mut shared = Shared::new(first.shared.gateway.clone(), seed());
    shared.trust.adopt(jwks(&["k1"]).to_string().as_bytes(), NOW_US / 1000).expect("they are good");
    shared.budget = first.shared.budget.clone();
    let mut second = Run::with(shared);
    assert_eq!(first.headers(post(&[])), Effect::Hold);
    let Effect::Refuse(reply) = second.headers(post(&[])) else { panic!("there is no room") };
    assert_eq!(reply.status, 503);
    assert!(matches!(first.body(CALL), Effect::Forward(_)));
    let mut third = Run::with(second.shared);
    assert_eq!(third.headers(post(&[])), Effect::Hold, "the first needs it no more");
}

#[test]
fn headers_that_nobody_needs_any_more_do_not_wait_for_a_body() {
    let long = "x".repeat(20_000);
    let mut run = Run::new(configuration());
    run.shared.budget = Budget::of(1000);
    assert_eq!(run.headers(post(&[("cookie", &long)])), Effect::Hold);
    assert!(matches!(run.body(CALL), Effect::Forward(_)));

    for name in ["mcp-name", "accept-encoding", "x_x"] {
        let mut run = Run::new(configuration());
        let (status, body) = refused(run.headers(post(&[(name, &long)])));
        assert_eq!((status, &body["error"]["code"]), (431, &json!(431)), "{name}");
    }
}

#[test]
fn tools_that_own_a_reserved_name_are_reported() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    run.response("200", "application/json");
    let list = r#"{"id":1,"result":{"tools":[{"name":"mine","inputSchema":{"type":"object","properties":{"attache_intent":{}}}}]}}"#;
    assert_eq!(run.chunk(list, true), Effect::Replace(list.into()));
    let Effect::Over(over) = run.say(Input::Done { broken_by_server: false, now_us: NOW_US })
    else {
        panic!("over")
    };
    assert_eq!(over.owners, ["mine"]);
}
