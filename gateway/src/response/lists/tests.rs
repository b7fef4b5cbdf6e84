//! Remembering changes nothing but the time.

use std::rc::Rc;

#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Lists, MOST_BYTES, MOST_LISTS, Rewritten};
use crate::{
    config::Gateway,
    testing::{configuration, configured, endpoint, gateway},
};

fn rewrite(lists: &mut Lists, gateway: &Gateway, path: &str, text: &str) -> Rewritten {
    let endpoint = gateway.endpoint(path.as_bytes()).expect("it is there");
    lists.rewrite(text.as_bytes(), endpoint, &gateway.limits)
}

/// The same text, seen for the first time.
fn fresh(gateway: &Gateway, path: &str, text: &str) -> Rewritten {
    rewrite(&mut Lists::default(), gateway, path, text)
}

fn first(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[{{"name":"a"}},{{"name":"b"}}]}}}}"#)
}

fn last(id: &str) -> String {
    format!(r#"{{"result":{{"tools":[{{"name":"a"}}],"id":7}}, "id" : {id} ,"jsonrpc":"2.0"}}"#)
}

#[test]
fn a_list_that_was_seen_is_rewritten_as_one_that_was_not() {
    let gateway = gateway(configuration());
    for list in [first, last] {
        let mut lists = Lists::default();
        for id in ["1", "2", "-9007199254740993", "\"a\"", "\"\\u0062\\\"\"", "1e5", "\"\"", "1"] {
            let text = list(id);
            let remembered = rewrite(&mut lists, &gateway, "/mcp", &text);
            assert_eq!(remembered, fresh(&gateway, "/mcp", &text), "{text}");
            assert!(remembered.text.is_some());
        }
        assert_eq!(lists.kept.len(), 1, "one list, whatever its id");
    }
}

#[test]
fn names_of_a_list_are_bounded_and_cannot_break_a_log() {
    let gateway = gateway(configuration());
    let owner = |name: &str| json!({"name": name, "inputSchema": {"type": "object", "properties": {"attache_intent": {}}}});
    let forged = "a\n[critical] forged\u{1b}[2J";
    let list =
        |tools: &[serde_json::Value]| json!({"id": 1, "result": {"tools": tools}}).to_string();
    let rewritten = fresh(&gateway, "/mcp", &list(&[owner(forged)]));
    assert_eq!(*rewritten.owners, ["a [critical] forged[2J"]);
    assert_eq!(rewritten.names, rewritten.owners);
    let long = fresh(&gateway, "/mcp", &list(&[owner(&"x".repeat(7000))]));
    assert_eq!(*long.owners, ["x".repeat(256)]);
    let many: Vec<_> = (0..600).map(|n| json!({"name": n.to_string()})).collect();
    assert_eq!(fresh(&gateway, "/mcp", &list(&many)).names.len(), 512);
    let wide: Vec<_> = (0..600).map(|_| owner(&"\u{1f600}".repeat(256))).collect();
    let rewritten = fresh(&gateway, "/mcp", &list(&wide));
    assert_eq!((rewritten.names.len(), rewritten.owners.len()), (64, 64), "64 KiB of each");
}

#[test]
fn what_only_resembles_a_list_that_was_seen_is_read_anew() {
    let gateway = gateway(configuration());
    for text in [
        first(r#"1,"result":{"tools":[]}"#),
        first("{}"),
        first("[1]"),
        first("null"),
        first(""),
        first("1,2"),
        first(r#""a","x":"b""#),
        format!("{} ", first("1")),
        first("1").replace("\"b\"", "\"c\""),
        "{}".to_owned(),
        String::new(),
    ] {
        let mut lists = Lists::default();
        rewrite(&mut lists, &gateway, "/mcp", &first("1"));
        let remembered = rewrite(&mut lists, &gateway, "/mcp", &text);
        assert_eq!(remembered, fresh(&gateway, "/mcp", &text), "{text}");
    }
}

#[test]
fn every_byte_is_compared() {
    let gateway = gateway(configuration());
    let text = first("1").into_bytes();
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
        let rewrite =
            |lists: &mut Lists, text: &[u8]| lists.rewrite(text, endpoint, &gateway.limits);
        let mut lists = Lists::default();
        rewrite(&mut lists, &text);
        let remembered = rewrite(&mut lists, &changed);
        assert_eq!(remembered, rewrite(&mut Lists::default(), &changed), "byte {at}");
    }
}

#[test]
fn endpoints_do_not_share_lists() {
    let mut other = endpoint("other");
    other["analytics"]["arguments"] = json!(["prompt"]);
    let gateway = gateway(configured("/endpoints", json!([endpoint("mcp"), other])));
    let mut lists = Lists::default();
    for path in ["/mcp", "/other", "/mcp"] {
        let remembered = rewrite(&mut lists, &gateway, path, &first("1"));
        assert_eq!(remembered, fresh(&gateway, path, &first("1")));
    }
}

#[test]
fn a_list_that_stays_as_it_is_is_remembered_too() {
    let gateway = gateway(configuration());
    let mut lists = Lists::default();
    let exempt = |id: &str| format!(r#"{{"id":{id},"result":{{"tools":[{{"name":"raw"}}]}}}}"#);
    for id in ["1", "2"] {
        let remembered = rewrite(&mut lists, &gateway, "/mcp", &exempt(id));
        assert_eq!((remembered.text, remembered.names), (None, Rc::from(["raw".to_owned()])));
    }
    assert_eq!(lists.kept.len(), 1);
}

#[test]
fn the_memory_is_bounded() {
    let gateway = gateway(configuration());
    let mut lists = Lists::default();
    for at in 0..MOST_LISTS * 2 {
        let text = format!(r#"{{"id":1,"result":{{"tools":[{{"name":"t{at}"}}]}}}}"#);
        rewrite(&mut lists, &gateway, "/mcp", &text);
        assert!(lists.kept.len() <= MOST_LISTS);
    }
    for at in 0..6 {
        let long = format!("{at}{}", "x".repeat(MOST_BYTES / 5));
        let text = format!(r#"{{"id":1,"result":{{"tools":[{{"name":"{long}"}}]}}}}"#);
        rewrite(&mut lists, &gateway, "/mcp", &text);
        let bytes: usize = lists.kept.iter().map(super::Kept::size).sum();
        assert_eq!(bytes, lists.bytes);
        assert!(bytes <= MOST_BYTES);
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn remembering_changes_no_answer(
        texts in proptest::collection::vec(
            ("[0-9\"a{},:\\[\\]]{0,6}", 0..3_usize).prop_map(|(id, kind)| match kind {
                0 => first(&id),
                1 => last(&id),
                _ => id,
            }),
            1..12,
        )
    ) {
        let gateway = gateway(configuration());
        let mut lists = Lists::default();
        for text in texts {
            let remembered = rewrite(&mut lists, &gateway, "/mcp", &text);
            prop_assert_eq!(remembered, fresh(&gateway, "/mcp", &text));
        }
    }
}
