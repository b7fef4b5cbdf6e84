//! Messages: what is one, what is none, and what an error can echo.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Body, Flaw, Message, error_body, parse};
use crate::json::Fault;

fn flaw(text: &str) -> (Flaw, Option<&str>) {
    let invalid = parse(text.as_bytes(), 64).unwrap_err();
    (invalid.flaw, invalid.id.map(|id| id.raw()))
}

fn kind(text: &str) -> &'static str {
    match parse(text.as_bytes(), 64).unwrap() {
        Body::One(Message::Request { .. }) => "request",
        Body::One(Message::Notification(_)) => "notification",
        Body::One(Message::Response { .. }) => "response",
        Body::Batch(_) => "batch",
    }
}

#[test]
fn a_message_is_told_by_its_members() {
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), "request");
    assert_eq!(
        kind(r#"{"jsonrpc":"2.0","method":"notifications/initialized","x":[]}"#),
        "notification"
    );
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":"a","result":null}"#), "response");
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#), "response");
    assert_eq!(kind(r#"{"jsonrpc":"2.0","error":{}}"#), "response");
    assert_eq!(kind("[]"), "batch");
}

#[test]
fn an_id_keeps_its_bytes() {
    for id in ["-1", "12345678901234567890", "9007199254740993", "1.5", "\"\\u0061\\n\"", "0"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let Body::One(Message::Request { id: read, .. }) = parse(text.as_bytes(), 8).unwrap()
        else {
            panic!("{text} is a request");
        };
        assert_eq!(read.raw(), id);
        assert_eq!(
            error_body(Some(read.raw()), -32600, "no", None),
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"message":"no"}}}}"#)
        );
    }
}

#[test]
fn an_error_without_an_id_has_none() {
    assert_eq!(
        error_body(None, 401, "a \"quoted\" thing", Some("{\"x\":1}")),
        r#"{"jsonrpc":"2.0","error":{"code":401,"message":"a \"quoted\" thing","data":{"x":1}}}"#
    );
}

#[test]
fn what_is_no_message_says_why_and_whose() {
    assert_eq!(flaw("1"), (Flaw::NotAnObject, None));
    assert_eq!(flaw(r#"{"id":4,"method":"x"}"#), (Flaw::Version, Some("4")));
    assert_eq!(flaw(r#"{"jsonrpc":"1.0","id":4,"method":"x"}"#), (Flaw::Version, Some("4")));
    assert_eq!(flaw(r#"{"jsonrpc":2.0,"id":4,"method":"x"}"#), (Flaw::Version, Some("4")));
    assert_eq!(flaw(r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#), (Flaw::BadId, None));
    assert_eq!(flaw(r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#), (Flaw::BadId, None));
    assert_eq!(flaw(r#"{"jsonrpc":"2.0","id":1,"method":7}"#), (Flaw::BadMethod, Some("1")));
    assert_eq!(
        flaw(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":1}"#),
        (Flaw::BadParams, Some("1"))
    );
    assert_eq!(
        flaw(r#"{"jsonrpc":"2.0","id":1,"method":"x","result":1}"#),
        (Flaw::Both, Some("1"))
    );
    assert_eq!(flaw(r#"{"jsonrpc":"2.0","id":1}"#), (Flaw::Nothing, Some("1")));
    assert!(matches!(flaw("{").0, Flaw::Json(error) if error.fault == Fault::Ended));
}

#[test]
fn what_occurs_twice_is_refused_however_it_is_written() {
    for (text, name) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","m\u0065thod":"b"}"#, "method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{}}"#, "params"),
        (r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"a"}"#, "jsonrpc"),
    ] {
        assert_eq!(flaw(text), (Flaw::Duplicate(name), Some("1")));
    }
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a","method":"b"}"#,
        r#"{"jsonrpc":"2.0","method":"a","method":"b","id":1,"ID":2}"#,
    ] {
        assert_eq!(flaw(text), (Flaw::Duplicate("id"), None));
    }
}

#[test]
fn what_a_parser_that_ignores_case_would_take_for_a_member_is_refused() {
    for (text, name) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}"#, "method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","PARAMS":{}}"#, "params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","param\u017f":{}}"#, "params"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"re\u{17f}ult\":{}}", "result"),
    ] {
        assert_eq!(flaw(text), (Flaw::Duplicate(name), Some("1")));
    }
}
