//! Reading: what is JSON, and what a view says of it.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Fault, Kind, MAX_DEPTH, parse};

/// Checks a text against the verdict of `serde_json`, which is another implementation.
fn agrees_with_serde(text: &[u8]) {
    let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok();
    let ours = match parse(text, MAX_DEPTH) {
        Err(error) if error.fault == Fault::TooDeep => return,
        verdict => verdict.is_ok(),
    };
    assert_eq!(ours, theirs, "on {:?}", String::from_utf8_lossy(text));
}

/// Texts at the borders of the grammar.
#[rustfmt::skip]
const BORDERS: &[&str] = &[
    "", " ", "{", "}", "[", "]", "[]", "{}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}",
    "{\"a\":1,}", "{\"a\":1}", "{a:1}", "0", "00", "01", "-", "-0", "-01", "1.", "1.0", ".5",
    "1e", "1e5", "1E+5", "1e-", "+1", "true", "tru", "truee", "null", "nul", "\"", "\"a",
    "\"a\"", "\"\\\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\uD800\"", "\"\\x\"", "\"\t\"",
    "\"\\t\"", "[1 2]", "1 2", "{}{}", "[[]]", "[}", "{]", " [ 1 , 2 ] ", "\u{feff}{}",
    "{\"a\":1,\"a\":2}", "nan", "Infinity", "'a'", "[1,2", "// {}", "\"\u{7f}\"", "1\u{0}",
];

#[test]
fn what_is_json_is_decided_as_another_parser_decides_it() {
    for text in BORDERS {
        agrees_with_serde(text.as_bytes());
    }
    agrees_with_serde(b"\"\xff\"");
    agrees_with_serde(b"\"\xc3\"");
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let bomb = "[".repeat(1_000_000);
    assert_eq!(parse(bomb.as_bytes(), MAX_DEPTH).unwrap_err().fault, Fault::TooDeep);
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert!(parse(deep.as_bytes(), 64).is_ok());
    assert_eq!(parse(deep.as_bytes(), 63).unwrap_err().fault, Fault::TooDeep);
}

#[test]
fn a_name_is_found_however_it_is_escaped() {
    let text = br#"{"m\u0065thod":"tools\/call","x":{"method":1}}"#;
    let value = parse(text, 8).unwrap();
    assert_eq!(value.first("method").unwrap().as_str().unwrap(), "tools/call");
}

#[test]
fn a_member_that_occurs_twice_is_refused_where_it_decides() {
    let value = parse(br#"{"a":1,"\u0061":2}"#, 8).unwrap();
    assert_eq!(value.unique("a").unwrap_err().name, "a");
    assert_eq!(value.unique("b").unwrap().map(|value| value.span()), None);
}

#[test]
fn numbers_keep_their_text() {
    let value = parse(b" [12345678901234567890, -0, 1.0, 1e400] ", 8).unwrap();
    let texts: Vec<_> = value.elements().map(|number| number.raw()).collect();
    assert_eq!(texts, ["12345678901234567890", "-0", "1.0", "1e400"]);
    assert_eq!(value.elements().next().unwrap().as_i64(), None);
}

#[test]
fn a_lone_surrogate_is_syntax_but_no_text() {
    let value = parse(br#"["\ud800","\ud83d\ude00"]"#, 8).unwrap();
    let texts: Vec<_> = value.elements().map(|text| text.as_str()).collect();
    assert_eq!(texts[0], None);
    assert_eq!(texts[1].as_deref(), Some("😀"));
}

#[test]
fn empty_containers_have_nothing_in_them() {
    let value = parse(b"{ \"a\" : [ ] , \"b\" : { } }", 8).unwrap();
    assert_eq!(value.first("a").unwrap().elements().count(), 0);
    assert_eq!(value.first("b").unwrap().members().count(), 0);
    assert_eq!(value.kind(), Kind::Object);
    assert_eq!(value.elements().count(), 0);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{any, prop, proptest};

    use super::agrees_with_serde;
    use crate::json::{Kind, Value, parse, random};

    /// What a view says, as a tree; of members that occur twice the last.
    fn tree(value: &Value<'_>, text: &str) -> serde_json::Value {
        assert_eq!(text.get(value.span()), Some(value.raw()));
        match value.kind() {
            Kind::Object => value
                .members()
                .map(|member| {
                    let key = member.key.as_str().unwrap().into_owned();
                    assert!(member.is(&key));
                    (key, tree(&member.value, text))
                })
                .collect(),
            Kind::Array => value.elements().map(|element| tree(&element, text)).collect(),
            Kind::String => value.as_str().unwrap().into(),
            Kind::Boolean => value.as_bool().unwrap().into(),
            Kind::Number => serde_json::from_str(value.raw()).unwrap(),
            Kind::Null => serde_json::Value::Null,
        }
    }

    proptest! {
        #[test]
        fn a_view_reads_what_another_parser_reads(text in random::json()) {
            let value = parse(text.as_bytes(), 128).unwrap();
            assert_eq!(tree(&value, &text), serde_json::from_str::<serde_json::Value>(&text).unwrap());
        }

        #[test]
        fn every_json_text_is_accepted(text in random::json()) {
            let value = parse(text.as_bytes(), 128).unwrap();
            assert_eq!(value.raw(), text.trim());
        }

        #[test]
        fn a_broken_text_is_judged_as_another_parser_judges_it(
            text in random::json(),
            at in any::<prop::sample::Index>(),
            byte in prop::sample::select(b"{}[]\",:\\u0-1.e \n\x00\x7f\xc3a".to_vec()),
            cut in any::<bool>(),
        ) {
            let mut text = text.into_bytes();
            let at = at.index(text.len());
            if cut { text.truncate(at); } else { text[at] = byte; }
            agrees_with_serde(&text);
        }

        #[test]
        fn arbitrary_bytes_are_judged_as_another_parser_judges_them(text in any::<Vec<u8>>()) {
            agrees_with_serde(&text);
        }
    }
}
