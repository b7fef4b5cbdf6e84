//! Watching: the same outcome for every split, and none that hurts.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Ended, Outcome, Watch};

/// Feeds `text` whole, byte by byte and cut in two at every place; all must say `expected`.
fn check(text: &str, expected: &Ended) {
    for cut in 0..=text.len() {
        let mut watch = Watch::default();
        let (head, tail) = text.as_bytes().split_at(cut);
        watch.feed(head);
        watch.feed(tail);
        assert_eq!(&watch.end(), expected, "{text} cut at {cut}");
    }
    let mut watch = Watch::default();
    for byte in text.bytes() {
        watch.feed(&[byte]);
    }
    assert_eq!(&watch.end(), expected, "{text} byte by byte");
}

fn id(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_result_says_whether_the_tool_failed() {
    let ok = Outcome::default();
    let failed = Outcome { is_error: true, result_type: None };
    check(
        r#"{"jsonrpc":"2.0","id":-7,"result":{"content":[{"type":"text","isError":true}],"isError":false}}"#,
        &Ended { id: id("-7"), error: None, result: Some(ok) },
    );
    check(
        r#"{ "result" : { "content" : [ "a", "isError", "b" ], "isError" : true } , "id" : "x" }"#,
        &Ended { id: id("\"x\""), error: None, result: Some(failed) },
    );
}

#[test]
fn an_error_says_its_code() {
    check(
        r#"{"id":12345678901234567890,"error":{"message":"code\":-1","code":-32602,"data":{"code":1}}}"#,
        &Ended { id: id("12345678901234567890"), error: Some(Some(-32602)), result: None },
    );
    check(r#"{"error":{}}"#, &Ended { id: None, error: Some(None), result: None });
}

#[test]
fn a_round_that_wants_input_says_so() {
    let round = Outcome { is_error: false, result_type: Some("input_required".to_owned()) };
    check(
        r#"{"id":1,"result":{"a":{"resultType":"no"},"resultType":"input_required"}}"#,
        &Ended { id: id("1"), error: None, result: Some(round) },
    );
}

#[test]
fn names_inside_of_content_mean_nothing() {
    check(
        r#"{"method":"notifications/progress","params":{"error":{"code":1},"result":{}}}"#,
        &Ended::default(),
    );
}

#[test]
fn garbage_is_watched_without_harm() {
    for text in
        ["", "}}}}]]]]", "\"\\", "{\"a", "[[[[{{{{", "\u{0}\u{1}", "{\"result\":", "{]{]\":,"]
    {
        let mut watch = Watch::default();
        watch.feed(text.as_bytes());
        drop(watch.end());
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut watch = Watch::default();
    watch.feed(b"{\"id\":\"");
    for _ in 0..10_000 {
        watch.feed(&[b'x'; 100]);
    }
    watch.feed(b"\",\"result\":{}}");
    assert_eq!(watch.end(), Ended { id: None, error: None, result: Some(Outcome::default()) });
}
