//! Calls: what they say, and what is cut out of them.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Doubt, Params, strip};
use crate::{
    json::{Duplicate, Edits, parse},
    mcp::method::Method,
};

const NAMES: [&str; 2] = ["attache_intent", "attache_prompt"];

/// Strips the arguments of `params`; gives the document, and what was cut as it was written.
fn stripped(params: &str) -> (String, Vec<String>) {
    let value = parse(params.as_bytes(), 128).unwrap();
    let read = Params::read(Method::ToolsCall, Some(&value)).unwrap();
    let mut edits = Edits::default();
    let cut = read.arguments.map(|it| strip(&it, &NAMES, &mut edits)).unwrap_or_default();
    let cut = cut.iter().map(|cut| cut.value.raw().to_owned()).collect();
    (String::from_utf8(edits.apply(params.as_bytes()).unwrap()).unwrap(), cut)
}

#[test]
fn our_arguments_go_and_every_other_byte_stays() {
    let (text, cut) = stripped(
        r#"{"name":"add","arguments":{ "a": 12345678901234567890, "attache_intent":"sum\n" ,"b":-1.0e3},"x":1}"#,
    );
    assert_eq!(
        text,
        r#"{"name":"add","arguments":{ "a": 12345678901234567890 ,"b":-1.0e3},"x":1}"#
    );
    assert_eq!(cut, [r#""sum\n""#]);
}

#[test]
fn arguments_that_become_empty_stay_an_object() {
    assert_eq!(
        stripped(r#"{"name":"a","arguments":{"attache_intent":"x"}}"#).0,
        r#"{"name":"a","arguments":{}}"#
    );
}

#[test]
fn a_malformed_argument_of_ours_goes_too() {
    let (text, cut) = stripped(
        r#"{"name":"a","arguments":{"attache_\u0069ntent":{"a":[]},"attache_prompt":null,"attache_intent":1}}"#,
    );
    assert_eq!(text, r#"{"name":"a","arguments":{}}"#);
    assert_eq!(cut.len(), 3);
}

#[test]
fn what_is_absent_stays_absent_and_what_is_no_object_stays() {
    for params in [
        r#"{"name":"a"}"#,
        r#"{"name":"a","arguments":null}"#,
        r#"{"name":"a","arguments":["attache_intent"]}"#,
        r#"{"name":"a","arguments":{"inner":{"attache_intent":1}}}"#,
        r#"{"attache_intent":"not an argument","name":"a","arguments":{}}"#,
    ] {
        assert_eq!(stripped(params).0, params);
    }
}

#[test]
fn what_decides_is_refused_when_it_occurs_twice() {
    for (params, name) in [
        (r#"{"name":"a","n\u0061me":"b"}"#, "name"),
        (r#"{"name":"a","arguments":{},"arguments":{}}"#, "arguments"),
        (r#"{"name":"a","_meta":{},"_meta":{}}"#, "_meta"),
        (r#"{"name":"a","Name":"b"}"#, "name"),
        (r#"{"Name":"b"}"#, "name"),
        (r#"{"name":"a","ARGUMENTS":{}}"#, "arguments"),
        (r#"{"name":"a","_Meta":{}}"#, "_meta"),
    ] {
        let value = parse(params.as_bytes(), 64).unwrap();
        let doubt = Params::read(Method::ToolsCall, Some(&value)).unwrap_err();
        assert_eq!(doubt, Doubt::Duplicate(Duplicate { name }));
    }
}

#[test]
fn what_decides_is_refused_when_it_is_no_text() {
    let version = "io.modelcontextprotocol/protocolVersion";
    for (method, params, name) in [
        (Method::ToolsCall, r#"{"name":"a\ud800"}"#.to_owned(), "name"),
        (Method::ToolsCall, r#"{"name":"\udc00\ud800"}"#.to_owned(), "name"),
        (Method::ResourcesRead, r#"{"uri":"file:///\udfff"}"#.to_owned(), "uri"),
        (Method::ToolsList, format!(r#"{{"_meta":{{"{version}":"\ud834"}}}}"#), version),
    ] {
        let value = parse(params.as_bytes(), 64).unwrap();
        assert_eq!(Params::read(method, Some(&value)).unwrap_err(), Doubt::NoText(name));
    }
    for params in [r#"{"name":"\ud834\udd1e"}"#, r#"{"name":7}"#, r#"{"x":"\ud800"}"#] {
        let value = parse(params.as_bytes(), 64).unwrap();
        assert!(Params::read(Method::ToolsCall, Some(&value)).is_ok(), "{params}");
    }
}

#[test]
fn the_client_says_who_it_is_and_why_it_asks() {
    let params = r#"{"name":"a","_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},
        "io.modelcontextprotocol/aiInvocation":{"userIntent":"to know"},
        "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}"#;
    let value = parse(params.as_bytes(), 64).unwrap();
    let read = Params::read(Method::ToolsCall, Some(&value)).unwrap();
    assert_eq!(read.version.as_deref(), Some("2026-07-28"));
    assert_eq!(read.intent.as_deref(), Some("to know"));
    assert_eq!(read.client.unwrap().version.as_deref(), Some("1"));
    assert!(read.traceparent.unwrap().starts_with("00-0af7"));
}

#[test]
fn initialize_names_its_client_and_version() {
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c"}}"#;
    let value = parse(params.as_bytes(), 64).unwrap();
    let read = Params::read(Method::Initialize, Some(&value)).unwrap();
    assert_eq!(read.asked_version.as_deref(), Some("2025-11-25"));
    assert_eq!(read.client.unwrap().name, "c");
    assert_eq!(read.version, None);
}

#[test]
fn a_deep_argument_is_cut_whole() {
    let deep = format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60));
    let params = format!(r#"{{"name":"a","arguments":{{"attache_intent":{deep},"b":{deep}}}}}"#);
    let (text, cut) = stripped(&params);
    assert_eq!(text, format!(r#"{{"name":"a","arguments":{{"b":{deep}}}}}"#));
    assert_eq!(cut, [deep]);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::proptest;
    use serde_json::Value;

    use super::{NAMES, stripped};
    use crate::json::{parse, random};

    proptest! {
        #[test]
        fn stripping_is_parsing_removing_and_serializing(
            arguments in random::object(random::json()),
            before in random::json(),
            behind in random::json(),
        ) {
            let params = format!(r#"{{"a": {before} ,"arguments" :{arguments} , "name":"x","z":{behind}}}"#);
            let (text, cut) = stripped(&params);
            let mut theirs: Value = serde_json::from_str(&params).unwrap();
            let map = theirs["arguments"].as_object_mut().unwrap();
            let removed = NAMES.iter().filter(|name| map.remove(**name).is_some()).count();
            assert_eq!(removed > 0, !cut.is_empty());
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), theirs);
            if cut.is_empty() {
                assert_eq!(text, params);
            }
            // What stands around the arguments keeps its bytes.
            let span = parse(params.as_bytes(), 128).unwrap().first("arguments").unwrap().span();
            assert!(text.starts_with(params.get(..=span.start).unwrap()));
            assert!(text.ends_with(params.get(span.end..).unwrap()));
        }
    }
}
