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
    let failed = Outcome { is_error: true, ..Outcome::default() };
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
    let round = Outcome {
        is_error: false,
        result_type: Some("input_required".to_owned()),
        ..Outcome::default()
    };
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

#[test]
fn what_is_escaped_is_read_as_another_parser_reads_it() {
    check(
        r#"{"i\u0064":"a\"\u0062é","result":{"resultTyp\u0065":"input\u005frequired","isErro\u0072":true}}"#,
        &Ended {
            id: id(r#""a\"\u0062é""#),
            error: None,
            result: Some(Outcome {
                is_error: true,
                result_type: Some("input_required".to_owned()),
                ..Outcome::default()
            }),
        },
    );
}

#[test]
fn a_call_that_became_a_task_says_which() {
    let modern = Outcome {
        result_type: Some("task".to_owned()),
        task_id: Some("t-1".to_owned()),
        ..Outcome::default()
    };
    check(
        r#"{"id":1,"result":{"resultType":"task","taskId":"t-1","status":"working"}}"#,
        &Ended { id: id("1"), error: None, result: Some(modern) },
    );
    let legacy = Outcome { task: Some("t\u{e9}".to_owned()), ..Outcome::default() };
    check(
        r#"{"id":1,"result":{"task":{"a":{"taskId":"no"},"taskI\u0064":"t\u00e9","x":["taskId","no"]},"y":{"taskId":"no"}}}"#,
        &Ended { id: id("1"), error: None, result: Some(legacy) },
    );
    let none = Ended { id: id("1"), error: None, result: Some(Outcome::default()) };
    check(r#"{"id":1,"result":{"task":{"taskId":"t"},"task":[{"taskId":"u"}]}}"#, &none);
    check(r#"{"id":1,"result":{"x":{"task":{"taskId":"t"}}}}"#, &none);
}

#[test]
fn what_stands_elsewhere_is_not_taken_for_the_result() {
    let done = Some(Outcome {
        is_error: false,
        result_type: Some("complete".to_owned()),
        ..Outcome::default()
    });
    let expected = Ended { id: None, error: None, result: done };
    check(r#"{"result":{"resultType":"complete"},"x":["task","isError",true]}"#, &expected);
    check(
        r#"{"result":{"resultType":"complete","isError":"true"}}{"error":{"code":1}}"#,
        &expected,
    );
    let result = Some(Outcome::default());
    check(
        r#"{"error":null,"result":["x","isError",true,"resultType","task"]}"#,
        &Ended { id: None, error: None, result },
    );
    check(r#"{"error":"a text"}"#, &Ended { id: None, error: Some(None), result: None });
    for text in [r#"[{"id":1,"result":{}}]"#, r#"["id",1,"error",{}]"#, r#" "id" "#, "true", "12"] {
        check(text, &Ended::default());
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::Value;

    use super::{Ended, Outcome, Watch};
    use crate::json::random;

    fn watched(text: &[u8], cuts: &[prop::sample::Index]) -> Ended {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let mut watch = Watch::default();
        for pair in at.windows(2) {
            watch.feed(&text[pair[0]..pair[1]]);
        }
        watch.end()
    }

    fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
        prop::collection::vec(any::<prop::sample::Index>(), 0..8)
    }

    /// Members with these names, each at most once, in any order.
    fn members(
        names: &'static [&'static str],
        value: impl Strategy<Value = String>,
    ) -> impl Strategy<Value = String> {
        let values = prop::collection::vec(value, names.len());
        let names = prop::sample::subsequence(names, 0..=names.len()).prop_shuffle();
        (names, values, prop::sample::select(vec!["", " ", "\n\t"])).prop_map(
            |(names, values, space)| {
                let members: Vec<_> = names
                    .iter()
                    .zip(values)
                    .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            },
        )
    }

    fn response() -> impl Strategy<Value = String> {
        let inner = prop_oneof![
            Just("true".to_owned()),
            Just("\"input_required\"".to_owned()),
            Just("\"\\u0074ask\"".to_owned()),
            any::<i32>().prop_map(|number| number.to_string()),
            random::json(),
        ];
        let task = members(&["taskId", "status", "x"], inner.clone());
        let inner = prop_oneof![4 => inner, 1 => task];
        let names =
            &["isError", "resultTyp\\u0065", "code", "content", "message", "task", "taskId"];
        let body = members(names, inner);
        let outer = prop_oneof![4 => body, 1 => Just("null".to_owned()), 1 => random::json()];
        members(&["jsonrpc", "id", "r\\u0065sult", "error", "method", "params"], outer)
    }

    fn expected(text: &str) -> Ended {
        let tree: Value = serde_json::from_str(text).unwrap();
        let short =
            |text: &Value| text.as_str().filter(|_| text.to_string().len() < 40).map(str::to_owned);
        Ended {
            id: None,
            error: tree
                .get("error")
                .filter(|error| !error.is_null())
                .map(|error| error.get("code").and_then(Value::as_i64)),
            result: tree.get("result").map(|result| Outcome {
                is_error: result.get("isError") == Some(&Value::Bool(true)),
                result_type: result.get("resultType").and_then(short),
                task_id: result.get("taskId").and_then(short),
                task: result.pointer("/task/taskId").and_then(short),
            }),
        }
    }

    proptest! {
        #[test]
        fn a_response_is_watched_as_another_parser_reads_it(text in response(), cuts in cuts()) {
            let mut seen = watched(text.as_bytes(), &cuts);
            // Ids and long texts are bounded as they are written; their tests are above.
            seen.id = None;
            let bounded = |outcome: &mut Outcome| {
                let long = |text: &String| Value::from(text.as_str()).to_string().len() >= 40;
                for kept in [&mut outcome.result_type, &mut outcome.task_id, &mut outcome.task] {
                    if kept.as_ref().is_some_and(long) {
                        *kept = None;
                    }
                }
            };
            seen.result.iter_mut().for_each(bounded);
            assert_eq!(seen, expected(&text), "{text}");
        }

        #[test]
        fn any_bytes_say_the_same_in_every_split(
            text in response(),
            at in any::<prop::sample::Index>(),
            byte in prop::sample::select(b"{}[]\",:\\u0-1 \x00\xc3a".to_vec()),
            cuts in cuts(),
        ) {
            let mut text = text.into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            assert_eq!(watched(&text, &cuts), watched(&text, &[]));
        }
    }
}
