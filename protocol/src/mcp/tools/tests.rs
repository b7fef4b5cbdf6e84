//! Lists: one more property where it can be, nothing else anywhere.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Injected, Listed, MOST_TOOLS, inject};

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
fn an_owner_is_reported_whatever_its_schema() {
    let tool = r#"{"name":"mine","inputSchema":{"type":"object","allOf":[],"properties":{"attache_intent":{}}}}"#;
    let (out, listed) = run(tool);
    assert_eq!(out, tool);
    assert_eq!(listed.owners, ["mine"]);
}

#[test]
fn what_forbids_undeclared_properties_does_not_forbid_ours() {
    check(
        r##"{"name":"a","inputSchema":{"$schema":"x","unevaluatedProperties":false,"additionalProperties":false,"$defs":{"a":{"allOf":[]}},"type":"object"}}"##,
        r##"{"name":"a","inputSchema":{"$schema":"x","unevaluatedProperties":false,"additionalProperties":false,"$defs":{"a":{"allOf":[]}},"type":"object","properties":{"attache_intent":{"type":"string"}}}}"##,
    );
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
        r#"{"type":"object","minProperties":1}"#,
        r#"{"type":"object","if":{},"then":{}}"#,
        r#"{"type":["object","null"]}"#,
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

#[test]
fn a_list_that_would_grow_beyond_measure_is_unchanged() {
    let list = |tools| vec![r#"{"name":"a"}"#; tools].join(",");
    assert_eq!(run(&list(MOST_TOOLS)).1.names.len(), MOST_TOOLS);
    assert_eq!(run(&list(MOST_TOOLS + 1)).1, Listed::default());
}

#[test]
fn several_arguments_are_added_together() {
    let injected = ["attache_intent", "attache_prompt"]
        .map(|name| Injected { name, schema: r#"{"type":"string"}"#.to_owned() });
    let text = r#"{"id":-1,"result":{"tools":[{"name":"a"}]}}"#;
    let listed = inject(text.as_bytes(), 64, &injected, &[]);
    assert_eq!(
        String::from_utf8(listed.text.unwrap()).unwrap(),
        r#"{"id":-1,"result":{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"attache_intent":{"type":"string"},"attache_prompt":{"type":"string"}}}}]}}"#
    );
    assert_eq!(inject(text.as_bytes(), 64, &[], &[]).text, None);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::{Value, json, value::RawValue};

    use super::{Injected, inject, run};
    use crate::json::random;

    /// Members with these names, each at most once, in any order.
    fn object(
        members: Vec<(&'static str, impl Strategy<Value = String> + 'static)>,
    ) -> impl Strategy<Value = String> {
        let count = members.len();
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| value.prop_map(move |value| (name, value)).boxed())
            .collect();
        let kept = prop::collection::vec(any::<bool>(), count);
        let space = prop::sample::select(vec!["", " ", "\n  "]);
        (members, kept, space).prop_flat_map(|(members, kept, space)| {
            let members: Vec<_> =
                members.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|it| it.0).collect();
            Just(members).prop_shuffle().prop_map(move |members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{space}\"{name}\"{space}:{value}{space}"))
                    .collect();
                format!("{{{}{space}}}", members.join(","))
            })
        })
    }

    fn tool() -> impl Strategy<Value = String> {
        let one_of = |texts: &'static [&'static str]| {
            prop::sample::select(texts).prop_map(str::to_owned).boxed()
        };
        let properties =
            prop_oneof![3 => random::object(random::json()), 1 => random::json()].boxed();
        let schema = object(vec![
            ("type", one_of(&["\"object\"", "\"object\"", "\"object\"", "\"string\""])),
            ("properties", properties),
            ("required", one_of(&["[\"x\"]", "[]"])),
            ("additionalProperties", one_of(&["false", "{\"type\":\"string\"}"])),
            ("x-any", random::json().boxed()),
        ]);
        let schema = prop_oneof![6 => schema, 1 => random::json()].boxed();
        object(vec![
            ("name", one_of(&["\"a\"", "\"b\"", "\"exempt\"", "\"\\u0061\"", "7"])),
            ("inputSchema", schema),
            ("description", random::json().boxed()),
        ])
    }

    /// The tool with the argument, found in another way.
    fn expected(mut tool: Value) -> Value {
        let before = tool.clone();
        if !tool["name"].is_string() || tool["name"] == "exempt" {
            return before;
        }
        let ours = json!({"type": "string"});
        let Some(schema) = tool.get_mut("inputSchema") else {
            tool["inputSchema"] = json!({"type": "object", "properties": {"attache_intent": ours}});
            return tool;
        };
        if schema.get("type") != Some(&"object".into()) {
            return before;
        }
        let object = schema.as_object_mut().unwrap();
        let properties = object.entry("properties").or_insert_with(|| json!({}));
        match properties.as_object_mut() {
            Some(properties) if !properties.contains_key("attache_intent") => {
                properties.insert("attache_intent".to_owned(), ours);
                tool
            }
            _ => before,
        }
    }

    proptest! {
        #[test]
        fn a_broken_list_does_not_become_another(
            tools in prop::collection::vec(tool(), 0..3),
            at in any::<prop::sample::Index>(),
            byte in prop::sample::select(b"{}[]\",:\\u0-1 \x00\xc3a".to_vec()),
        ) {
            let mut text = format!(r#"{{"result":{{"tools":[{}]}}}}"#, tools.join(",")).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            let injected = [Injected { name: "attache_intent", schema: "{}".to_owned() }];
            if let Some(out) = inject(&text, 64, &injected, &[]).text {
                assert!(serde_json::from_slice::<&RawValue>(&text).is_ok());
                assert!(serde_json::from_slice::<&RawValue>(&out).is_ok());
            }
        }

        #[test]
        fn injecting_is_parsing_adding_and_serializing(tools in prop::collection::vec(tool(), 0..5)) {
            let text = tools.join(" ,");
            let (out, listed) = run(&text);
            let theirs: Vec<Value> = serde_json::from_str(&format!("[{text}]")).unwrap();
            let names: Vec<_> =
                theirs.iter().map(|tool| tool["name"].as_str().unwrap_or_default()).collect();
            assert_eq!(listed.names, names);
            let theirs: Vec<Value> = theirs.iter().cloned().map(expected).collect();
            assert_eq!(serde_json::from_str::<Vec<Value>>(&format!("[{out}]")).unwrap(), theirs);
        }

        #[test]
        fn every_byte_of_a_list_stays(tools in prop::collection::vec(tool(), 0..5)) {
            let text = tools.join(",");
            let (out, _) = run(&text);
            let mut out = out.bytes();
            assert!(text.bytes().all(|byte| out.any(|other| other == byte)), "in this order");
        }
    }
}
