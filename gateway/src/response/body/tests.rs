//! What becomes of an answer, in any split.

use attache_protocol::mcp::method::Method;
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::lists::Lists;
use super::{Answer, Asked, Flow, Head, Rules, Seen};
use crate::{
    budget::{Budget, Share},
    config::Gateway,
    testing::{configuration, configured, gateway, headers},
};

const LIST: Asked = Asked::One(Method::ToolsList);
const CALL: Asked = Asked::One(Method::ToolsCall);
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn tools() -> String {
    r#"{ "jsonrpc":"2.0","id":-9007199254740993,"result":{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"q":{"type":"number","maximum":1.0}}}},{"name":"b"},{"name":"c","inputSchema":{"type":"object"}},{"name":"raw","inputSchema":{"type":"object"}},{"name":"mine","inputSchema":{"type":"object","properties":{"attache_intent":{}}}}],"nextCursor":""}}"#.to_owned()
}

fn room() -> Share {
    Budget::default().share()
}

fn rules(gateway: &Gateway) -> Rules<'_> {
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    Rules { endpoint, limits: &gateway.limits }
}

/// Sends a body in pieces; gives what leaves, and what was learned.
fn flow_with(
    gateway: &Gateway,
    asked: Asked,
    status: u16,
    pairs: &[(&str, &str)],
    pieces: &[&[u8]],
) -> (Head, Vec<u8>, Seen) {
    let rules = rules(gateway);
    let (mut flow, head) = Flow::begin(asked, status, &headers(pairs), rules, room());
    let mut out = Vec::new();
    let mut lists = Lists::default();
    for (at, piece) in pieces.iter().enumerate() {
        let seen: &[u8] = if flow.reads() { piece } else { b"" };
        match flow.feed(seen, at + 1 == pieces.len(), rules, &mut lists) {
            Some(replaced) => out.extend(replaced),
            None => out.extend_from_slice(piece),
        }
    }
    (head, out, flow.finish())
}

fn flow(asked: Asked, media_type: &str, pieces: &[&[u8]]) -> (Head, String, Seen) {
    let gateway = gateway(configuration());
    let (head, out, seen) =
        flow_with(&gateway, asked, 200, &[("content-type", media_type)], pieces);
    (head, String::from_utf8(out).expect("UTF-8"), seen)
}

/// The list with the argument, as parsing, editing and writing would give it.
fn expected() -> Value {
    let mut list: Value = serde_json::from_str(&tools()).expect("JSON");
    let gateway = gateway(configuration());
    let schema = &rules(&gateway).endpoint.injected.first().expect("one argument").schema;
    let schema: &Value = &serde_json::from_str(schema).expect("JSON");
    let tools = &mut list["result"]["tools"];
    tools[0]["inputSchema"]["properties"]["attache_intent"] = schema.clone();
    tools[1]["inputSchema"] = json!({"type": "object", "properties": {"attache_intent": schema}});
    tools[2]["inputSchema"]["properties"] = json!({"attache_intent": schema});
    list
}

fn all_cuts(text: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
    (0..=text.len()).map(|at| text.as_bytes().split_at(at))
}

#[test]
fn a_list_in_json_is_rewritten_in_any_split() {
    let text = tools();
    for (one, two) in all_cuts(&text) {
        for media_type in [JSON, "application/json; charset=utf-8", "Application/Json;charset=x"] {
            let (head, out, seen) = flow(LIST, media_type, &[one, two]);
            assert_eq!(head, Head::LengthOpen);
            assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), expected());
            assert!(out.starts_with(r#"{ "jsonrpc":"2.0","id":-9007199254740993,"#), "{out}");
            assert_eq!(seen.answer, Some(Answer::Result));
            assert_eq!(*seen.listed, ["a", "b", "c", "raw", "mine"]);
            assert_eq!(*seen.owners, ["mine"]);
        }
    }
}

#[test]
fn a_list_leaves_as_soon_as_it_is_complete() {
    let gateway = gateway(configuration());
    let text = tools();
    let length = text.len().to_string();
    for pairs in
        [vec![("content-type", JSON)], vec![("content-type", JSON), ("content-length", &length)]]
    {
        let (mut flow, _) = Flow::begin(LIST, 200, &headers(&pairs), rules(&gateway), room());
        let (one, two) = text.as_bytes().split_at(50);
        assert_eq!(flow.feed(one, false, rules(&gateway), &mut Lists::default()), Some(Vec::new()));
        assert!(flow.holds());
        let out =
            flow.feed(two, false, rules(&gateway), &mut Lists::default()).expect("it is replaced");
        assert_eq!(serde_json::from_slice::<Value>(&out).expect("JSON"), expected());
        assert!(!flow.holds());
        assert_eq!(
            flow.feed(b"\n", true, rules(&gateway), &mut Lists::default()),
            None,
            "the rest passes"
        );
    }
}

#[test]
fn a_list_above_the_limit_passes_unchanged() {
    let gateway = gateway(configured("/limits/max_list", json!(300)));
    let text = tools();
    for (one, two) in all_cuts(&text) {
        let (_, out, _) = flow_with(&gateway, LIST, 200, &[("content-type", JSON)], &[one, two]);
        assert_eq!(out, text.as_bytes());
    }
    let declared = [("content-type", JSON), ("content-length", "301")];
    let (head, ..) = flow_with(&gateway, LIST, 200, &declared, &[text.as_bytes()]);
    assert_eq!(head, Head::Unchanged);
}

#[test]
fn what_is_no_list_passes_unchanged() {
    for (text, answer) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            Some(Answer::Error(Some(-32601))),
        ),
        ("<html>", None),
        ("", None),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#, Some(Answer::Result)),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"tools":[]}}"#,
            Some(Answer::Result),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#, Some(Answer::Result)),
    ] {
        let (_, out, seen) = flow(LIST, JSON, &[text.as_bytes()]);
        assert_eq!(out, text);
        assert_eq!(seen.answer, answer, "{text}");
    }
}

#[test]
fn compressed_and_failed_lists_are_not_touched() {
    let gateway = gateway(configuration());
    let text = tools();
    for (status, pairs) in [
        (200, vec![("content-type", JSON), ("content-encoding", "gzip")]),
        (200, vec![("content-type", EVENTS), ("content-encoding", "br")]),
        (
            200,
            vec![
                ("content-type", JSON),
                ("content-encoding", "identity"),
                ("content-encoding", "gzip"),
            ],
        ),
        (200, vec![("content-type", "text/plain")]),
        (200, vec![]),
        (404, vec![("content-type", JSON)]),
    ] {
        let (head, out, _) = flow_with(&gateway, LIST, status, &pairs, &[text.as_bytes()]);
        assert_eq!(head, Head::Unchanged);
        assert_eq!(out, text.as_bytes());
    }
}

fn stream(list: &str) -> String {
    format!(
        "\u{feff}: hello\n\nretry: 100\n\nid: 1\ndata:\n\nid: 2\r\nevent: message\r\ndata: {list}\r\n\r\n\
         data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}}\n\n: bye\n\n"
    )
}

#[test]
fn a_list_in_an_event_stream_is_rewritten_in_any_split() {
    let text = stream(&tools());
    let (_, whole, _) = flow(LIST, EVENTS, &[text.as_bytes()]);
    let before = text.find("data: {").expect("it is there");
    assert_eq!(whole.get(..before), text.get(..before), "what comes before is not touched");
    let list = whole.lines().find_map(|line| line.strip_prefix("data: {")).expect("the list");
    assert_eq!(serde_json::from_str::<Value>(&format!("{{{list}")).expect("JSON"), expected());
    for (one, two) in all_cuts_of_bytes(text.as_bytes()) {
        let (_, out, seen) = flow_of_bytes(&[one, two]);
        assert_eq!(out, whole.as_bytes());
        assert_eq!(seen.answer, Some(Answer::Result));
        assert_eq!(seen.listed.len(), 5);
    }
}

fn all_cuts_of_bytes(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    (0..=text.len()).map(|at| text.split_at(at))
}

fn flow_of_bytes(pieces: &[&[u8]]) -> (Head, Vec<u8>, Seen) {
    let gateway = gateway(configuration());
    flow_with(&gateway, LIST, 200, &[("content-type", "text/event-stream; charset=UTF8")], pieces)
}

#[test]
fn an_event_leaves_when_it_is_complete() {
    let gateway = gateway(configuration());
    let (mut flow, head) =
        Flow::begin(LIST, 200, &headers(&[("content-type", EVENTS)]), rules(&gateway), room());
    assert_eq!(head, Head::LengthOpen);
    let mut feed = |bytes: &[u8]| {
        flow.feed(bytes, false, rules(&gateway), &mut Lists::default()).expect("replaced")
    };
    assert_eq!(feed(b": ping\n\nda"), b": ping\n\n");
    assert_eq!(feed(b"ta: x\n"), b"");
    assert_eq!(feed(b"\n"), b"data: x\n\n");
}

#[test]
fn a_line_of_two_hundred_kilobytes_is_still_a_list() {
    let gateway = gateway(configured("/limits/max_list", json!(8 << 20)));
    let mut list: Value = serde_json::from_str(&tools()).expect("JSON");
    list["result"]["tools"][0]["description"] = "x".repeat(200_000).into();
    let text = stream(&list.to_string());
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(4096).collect();
    let (_, out, seen) = flow_with(&gateway, LIST, 200, &[("content-type", EVENTS)], &pieces);
    assert!(out.len() > text.len());
    assert_eq!(seen.listed.len(), 5);
}

#[test]
fn a_cut_off_stream_leaves_as_far_as_it_came() {
    let text = "data: {\"jsonrpc\":";
    let (_, out, seen) = flow(LIST, EVENTS, &[text.as_bytes()]);
    assert_eq!(out, text);
    assert_eq!(seen.answer, None);
}

#[test]
fn other_answers_are_watched_and_not_touched() {
    let cases = [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#, Answer::Result),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}"#, Answer::ToolError),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"isError":true}],"isError":false}}"#,
            Answer::Result,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"x"}}"#,
            Answer::Error(Some(-32602)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}}"#,
            Answer::InputRequired,
        ),
    ];
    for (text, answer) in cases {
        let events = stream(text);
        for (one, two) in all_cuts(text) {
            let (head, out, seen) = flow(CALL, JSON, &[one, two]);
            assert_eq!((head, out.as_str()), (Head::Unchanged, text));
            assert_eq!(seen.answer, Some(answer));
        }
        for (one, two) in all_cuts_of_bytes(events.as_bytes()) {
            let gateway = gateway(configuration());
            let (head, out, seen) =
                flow_with(&gateway, CALL, 200, &[("content-type", EVENTS)], &[one, two]);
            assert_eq!((head, out.as_slice()), (Head::Unchanged, events.as_bytes()));
            assert_eq!(seen.answer, Some(answer));
        }
    }
}

#[test]
fn nothing_is_copied_where_nobody_looks() {
    let gateway = gateway(configured("/endpoints/0/analytics/capture", json!("off")));
    let json = headers(&[("content-type", JSON)]);
    assert!(!Flow::begin(CALL, 200, &json, rules(&gateway), room()).0.reads());
    for asked in [Asked::Other, Asked::Listen] {
        let (flow, _) = Flow::begin(asked, 200, &json, rules(&gateway), room());
        assert!(!flow.reads());
    }
    assert!(Flow::begin(LIST, 200, &json, rules(&gateway), room()).0.reads(), "it is rewritten");
}

#[test]
fn what_finds_no_room_leaves_as_it_came() {
    let gateway = gateway(configuration());
    let texts = [
        (LIST, JSON, tools()),
        (LIST, EVENTS, stream(&tools())),
        (CALL, EVENTS, stream(r#"{"id":1,"result":{"content":[]}}"#)),
    ];
    for (asked, media_type, text) in texts {
        let (one, two) = text.as_bytes().split_at(30);
        let budget = Budget::of(4);
        let headers = headers(&[("content-type", media_type)]);
        let (mut flow, _) = Flow::begin(asked, 200, &headers, rules(&gateway), budget.share());
        let mut lists = Lists::default();
        let first = flow.feed(one, false, rules(&gateway), &mut lists);
        assert_eq!(first.unwrap_or(one.to_vec()), one, "{media_type}");
        assert!(!flow.reads() && !flow.holds());
        assert_eq!(flow.feed(two, true, rules(&gateway), &mut lists), None);
        assert!(budget.share().holds(4), "it holds nothing any more");
    }
}

#[test]
fn a_length_that_is_only_declared_takes_no_room() {
    let gateway = gateway(configured("/limits/max_list", json!(8 << 20)));
    let budget = Budget::of(1 << 20);
    let declared = headers(&[("content-type", JSON), ("content-length", "8388608")]);
    let (mut flow, _) = Flow::begin(LIST, 200, &declared, rules(&gateway), budget.share());
    assert_eq!(flow.feed(b"{", false, rules(&gateway), &mut Lists::default()), Some(Vec::new()));
    assert!(budget.share().holds(512 << 10));
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_bytes_in_any_split_leave_as_they_came_if_they_are_no_list(
        pieces in proptest::collection::vec(proptest::collection::vec(
            proptest::sample::select(b"{}[]\",: \r\ndat:\\x\xff".as_slice()), 0..12), 1..8),
        events in any::<bool>(),
    ) {
        let gateway = gateway(configuration());
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let media_type = if events { EVENTS } else { JSON };
        for asked in [LIST, CALL] {
            let (_, out, _) =
                flow_with(&gateway, asked, 200, &[("content-type", media_type)], &pieces);
            prop_assert_eq!(&out, &pieces.concat());
        }
    }
}
