//! What leaves for the server.

#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
#[cfg(not(target_arch = "wasm32"))]
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::rewrite;
use crate::{
    request::{
        headers::{Field, Headers},
        message::Spoken,
        token::{Caller, Patience, Verdict},
    },
    testing::{NOW_MS, configuration, post, shared, token},
};

pub(super) fn caller() -> Caller {
    let mut shared = shared(configuration());
    let bearer = format!("Bearer {}", token());
    let endpoint = shared.gateway.endpoint(b"/mcp").expect("it is there").clone();
    let field = Field::Once(bearer.as_bytes());
    let verdict = shared.trust.authorize(&endpoint, field, Patience::Over, NOW_MS);
    let Verdict::Caller(caller) = verdict else { panic!("{verdict:?}") };
    caller
}

fn rewritten_with(headers: &Headers, body: &str) -> Option<String> {
    let shared = shared(configuration());
    let endpoint = shared.gateway.endpoint(b"/mcp").expect("it is there");
    let spoken = Spoken::read(&caller(), headers, body.as_bytes(), 64).expect("a message");
    let body = rewrite(endpoint, &spoken, body.as_bytes()).body?;
    Some(String::from_utf8(body).expect("UTF-8"))
}

fn rewritten(body: &str) -> Option<String> {
    rewritten_with(&post(&[]), body)
}

fn call(arguments: &str) -> String {
    format!(
        r#" {{ "jsonrpc":"2.0", "id":-9007199254740993, "method":"tools/call","params":{{"name":"a","arguments":{arguments},"_meta":{{"x":1.50}}}} }} "#
    )
}

#[test]
fn our_arguments_are_cut_out_and_every_other_byte_stays() {
    for (before, after) in [
        (r#"{"attache_intent":"why"}"#, "{}"),
        (r#"{"a":1,"attache_intent":"why"}"#, r#"{"a":1}"#),
        (r#"{"attache_intent":"why","a":1}"#, r#"{"a":1}"#),
        (r#"{ "a" : 1e2, "attache_intent" : [1,{}] , "b" : 2 }"#, r#"{ "a" : 1e2 , "b" : 2 }"#),
        (r#"{"attache_prompt":"p","attache_history":null,"attache_intent":7}"#, "{}"),
        (r#"{"attache_intent":1,"attache_intent":2,"z":3}"#, r#"{"z":3}"#),
        (r#"{"\u0061ttache_intent":"why","z":3}"#, r#"{"z":3}"#),
        (
            r#"{"x":{"attache_intent":"mine"},"attache_intent":""}"#,
            r#"{"x":{"attache_intent":"mine"}}"#,
        ),
    ] {
        assert_eq!(rewritten(&call(before)), Some(call(after)), "{before}");
    }
}

#[test]
fn a_body_without_our_arguments_is_not_touched() {
    for arguments in
        [r#"{"a":1,"a":2}"#, "{}", "null", "[]", "\"attache_intent\"", r#"{"Attache_intent":1}"#]
    {
        assert_eq!(rewritten(&call(arguments)), None, "{arguments}");
    }
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","arguments":{"attache_intent":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"arguments":{"attache_intent":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"raw","arguments":{"attache_intent":"x"}}}"#,
    ] {
        assert_eq!(rewritten(body), None, "{body}");
    }
}

#[test]
fn every_call_of_a_batch_is_rewritten() {
    let batch = |one: &str, two: &str| format!("[{}, {},\n{}]", call(one), call("{}"), call(two));
    let headers = post(&[("mcp-protocol-version", "2025-03-26")]);
    let before = batch(r#"{"attache_intent":"x"}"#, r#"{"a":1,"attache_prompt":"y"}"#);
    assert_eq!(rewritten_with(&headers, &before), Some(batch("{}", r#"{"a":1}"#)));
}

#[cfg(not(target_arch = "wasm32"))]
fn arguments() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("attache_intent".to_owned()),
        Just("attache_prompt".to_owned()),
        Just("attache_history".to_owned()),
        "[a-c\"\\\\é]{0,3}",
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map(".{0,4}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::hash_map(name, value, 0..6)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn cutting_is_what_parsing_editing_and_writing_would_be(arguments in arguments()) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "a", "arguments": arguments}});
        let mut expected = body.clone();
        let edited = expected["params"]["arguments"].as_object_mut().expect("an object");
        edited.retain(|name, _| !name.starts_with("attache_"));
        let text = body.to_string();
        let actual = rewritten(&text).unwrap_or(text);
        prop_assert_eq!(serde_json::from_str::<Value>(&actual).expect("JSON"), expected);
    }
}
