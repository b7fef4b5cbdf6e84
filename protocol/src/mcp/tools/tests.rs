//! Lists: one more property where it can be, nothing else anywhere.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Injected, Listed, inject};

fn run(tools: &str) -> (String, Listed) {
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}],"nextCursor":"n"}}}}"#);
    let injected = [Injected { name: "attache_intent", schema: r#"{"type":"string"}"#.to_owned() }];
    let listed = inject(text.as_bytes(), 64, &injected, &["exempt".to_owned()]);
    let out = listed.text.clone().map_or(text, |text| String::from_utf8(text).unwrap());
    let prefix = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#;
    let out = out.strip_prefix(prefix).unwrap().strip_suffix(r#"],"nextCursor":"n"}}"#).unwrap();
    (out.to_owned(), listed)
}

fn check(tool: &str, expected: &str) {
    assert_eq!(run(tool).0, expected);
}

#[test]
fn a_tool_gets_one_more_property() {
    check(
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"],"additionalProperties":false},"icons":[]}"#,
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"x":{"type":"number"},"attache_intent":{"type":"string"}},"required":["x"],"additionalProperties":false},"icons":[]}"#,
    );
}

#[test]
fn a_tool_without_properties_gets_some() {
    check(
        r#"{"name":"a","inputSchema":{"type":"object"}}"#,
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"attache_intent":{"type":"string"}}}}"#,
    );
    check(
        r#"{"name":"a","inputSchema":{"type":"object","properties":{ }}}"#,
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"attache_intent":{"type":"string"} }}}"#,
    );
}

#[test]
fn a_tool_without_a_schema_gets_one() {
    check(
        r#"{"name":"a"}"#,
        r#"{"name":"a","inputSchema":{"type":"object","properties":{"attache_intent":{"type":"string"}}}}"#,
    );
}

#[test]
fn a_tool_that_owns_the_name_is_left_alone_and_reported() {
    let tool = r#"{"name":"mine","inputSchema":{"type":"object","properties":{"attache_int\u0065nt":{}}}}"#;
    let (out, listed) = run(tool);
    assert_eq!(out, tool);
    assert_eq!(listed.owners, ["mine"]);
}

#[test]
fn a_schema_that_could_contradict_is_left_alone() {
    for schema in [
        r##"{"type":"object","$ref":"#/$defs/x"}"##,
        r#"{"type":"object","allOf":[]}"#,
        r#"{"type":"object","anyOf":[],"properties":{}}"#,
        r#"{"type":"object","properties":{},"maxProperties":1}"#,
        r#"{"type":"object","properties":{},"propertyNames":{"maxLength":1}}"#,
        r#"{"type":"object","properties":{},"patternProperties":{"^a":{}}}"#,
        r#"{"type":"string"}"#,
        r#"{"properties":{}}"#,
        r#"{"type":"object","properties":[]}"#,
        r#"{"type":"object","properties":{},"properties":{}}"#,
        "true",
        "null",
    ] {
        let tool = format!(r#"{{"name":"a","inputSchema":{schema}}}"#);
        check(&tool, &tool);
    }
}

#[test]
fn an_exempt_tool_is_left_alone() {
    let tool = r#"{"name":"exempt","inputSchema":{"type":"object"}}"#;
    check(tool, tool);
}

#[test]
fn the_names_are_listed_in_order() {
    let (_, listed) = run(r#"{"name":"b"},{"name":"\u0061"},7,{}"#);
    assert_eq!(listed.names, ["b", "a", "", ""]);
}

#[test]
fn what_is_no_list_is_unchanged() {
    let injected = [Injected { name: "attache_intent", schema: "{}".to_owned() }];
    for text in [
        "",
        "{",
        r#"{"result":{}}"#,
        r#"{"result":{"tools":{}}}"#,
        r#"{"error":{"code":1}}"#,
        r#"{"result":{"tools":[{}]},"result":{"tools":[]}}"#,
        r#"{"result":{"tools":[{}],"tools":[]}}"#,
    ] {
        assert_eq!(inject(text.as_bytes(), 64, &injected, &[]), Listed::default(), "{text}");
    }
}
