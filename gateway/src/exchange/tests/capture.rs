//! Why, by whom and with what, as events say.

use attache_protocol::event::{Event, IntentSource, Outcome};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Run;
use crate::testing::{configuration, configured, merge, post};

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
