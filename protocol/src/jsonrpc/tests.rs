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

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::Value;

    use super::{Body, Message, error_body, parse};

    /// Members of a message, most of them right, some twice.
    fn members() -> impl Strategy<Value = Vec<(&'static str, String)>> {
        let id = prop_oneof![
            any::<i64>().prop_map(|id| id.to_string()),
            any::<String>().prop_map(|id| Value::from(id).to_string()),
            Just("null".to_owned()),
            Just("[]".to_owned()),
        ];
        let member = prop_oneof![
            4 => Just(("jsonrpc", "\"2.0\"".to_owned())),
            3 => id.prop_map(|id| ("id", id)),
            3 => Just(("method", "\"tools\\/call\"".to_owned())),
            2 => prop::sample::select(vec!["{}", "[1]", "{\"id\":7,\"method\":\"x\"}", "7"])
                .prop_map(|params| ("params", params.to_owned())),
            1 => prop::sample::select(vec!["result", "error"]).prop_map(|name| (name, "{}".to_owned())),
            1 => prop::sample::select(vec!["other", "jsonrpc2", "Ìd"])
                .prop_map(|name| (name, "[{\"id\":1}]".to_owned())),
            1 => prop::sample::select(vec!["Method", "ID", "Jsonrpc", "meth\\u006fd"])
                .prop_map(|name| (name, "\"2.0\"".to_owned())),
        ];
        prop::collection::vec(member, 0..7)
    }

    /// What the members make, found in another way; none when they make nothing.
    fn expected(members: &[(&str, String)]) -> Option<&'static str> {
        let named = |name: &str| {
            let same = |key: &str| key.replace("\\u006f", "o").eq_ignore_ascii_case(name);
            members.iter().filter(move |(key, _)| same(key)).collect::<Vec<_>>()
        };
        let one = |name: &str| match named(name).as_slice() {
            [] => Some(None),
            [(key, value)] if key.replace("\\u006f", "o") == name => {
                Some(Some(serde_json::from_str::<Value>(value).unwrap()))
            }
            _ => None,
        };
        let (id, method, params) = (one("id")?, one("method")?, one("params")?);
        let (result, error) = (one("result")?, one("error")?);
        if one("jsonrpc")? != Some("2.0".into()) {
            return None;
        }
        let good_id = id.as_ref().is_some_and(|id| id.is_string() || id.is_number());
        match (method, result.is_some() || error.is_some()) {
            (Some(method), false) => {
                let good_params =
                    params.is_none_or(|params| params.is_object() || params.is_array());
                let good = method.is_string() && good_params && (id.is_none() || good_id);
                good.then_some(if id.is_some() { "request" } else { "notification" })
            }
            (None, true) => {
                let nobody = error.is_some() && id.is_none_or(|id| id.is_null());
                (good_id || nobody).then_some("response")
            }
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn members_make_a_message_or_none(members in members()) {
            let text: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            let text = format!("{{{}}}", text.join(" ,"));
            let kind = match parse(text.as_bytes(), 8) {
                Ok(Body::One(Message::Request { call, id })) => {
                    assert!(call.method == "tools/call" || call.method == "2.0");
                    assert!(text.contains(&format!("\"id\": {}", id.raw())));
                    Some("request")
                }
                Ok(Body::One(Message::Notification(_))) => Some("notification"),
                Ok(Body::One(Message::Response { .. })) => Some("response"),
                Ok(Body::Batch(_)) => Some("batch"),
                Err(_) => None,
            };
            assert_eq!(kind, expected(&members), "{text}");
        }

        #[test]
        fn an_error_body_is_json_that_echoes_its_id(id in any::<i64>(), message in any::<String>(), code in any::<i64>()) {
            let body = error_body(Some(&id.to_string()), code, &message, None);
            let expected = serde_json::json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in any::<Vec<u8>>()) {
            if let Err(invalid) = parse(&bytes, 8) {
                assert_eq!(invalid.id, None);
            }
        }
    }
}
