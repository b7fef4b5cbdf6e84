//! Splices: exactly what was named changes.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Edits;
use crate::json::parse;

fn without(text: &str, names: &[&str]) -> String {
    let value = parse(text.as_bytes(), 64).unwrap();
    let mut edits = Edits::default();
    edits.remove_members(&value, |member| names.iter().any(|name| member.is(name)));
    String::from_utf8(edits.apply(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_member_goes_with_one_comma() {
    let text = r#"{ "a" : 1 , "b" : 2 , "c" : 3 }"#;
    assert_eq!(without(text, &["a"]), r#"{ "b" : 2 , "c" : 3 }"#);
    assert_eq!(without(text, &["b"]), r#"{ "a" : 1 , "c" : 3 }"#);
    assert_eq!(without(text, &["c"]), r#"{ "a" : 1 , "b" : 2 }"#);
    assert_eq!(without(text, &["a", "b"]), r#"{ "c" : 3 }"#);
    assert_eq!(without(text, &["a", "c"]), r#"{ "b" : 2 }"#);
    assert_eq!(without(text, &["b", "c"]), r#"{ "a" : 1 }"#);
    assert_eq!(without(text, &["a", "b", "c"]), "{  }");
    assert_eq!(without(text, &["d"]), text);
    assert_eq!(without("{}", &["a"]), "{}");
}

#[test]
fn a_member_that_occurs_twice_goes_twice() {
    assert_eq!(without(r#"{"a":1,"b":2,"\u0061":3}"#, &["a"]), r#"{"b":2}"#);
}

#[test]
fn members_are_appended_with_the_comma_that_they_need() {
    for (text, expected) in
        [("{}", r#"{"x":1}"#), ("{ }", r#"{"x":1 }"#), (r#"{"a":1 }"#, r#"{"a":1,"x":1 }"#)]
    {
        let value = parse(text.as_bytes(), 8).unwrap();
        let mut edits = Edits::default();
        edits.append_members(&value, r#""x":1"#);
        assert_eq!(String::from_utf8(edits.apply(text.as_bytes()).unwrap()).unwrap(), expected);
    }
}

#[test]
fn changes_of_the_same_bytes_are_refused() {
    let mut edits = Edits::default();
    edits.replace(0..3, "a");
    edits.replace(2..4, "b");
    assert!(edits.apply(b"012345").is_err());
    let mut outside = Edits::default();
    outside.replace(4..9, "");
    assert!(outside.apply(b"0123").is_err());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{any, prop, proptest};
    use serde_json::{Map, Value};

    use crate::json::{Edits, parse, random};

    proptest! {
        #[test]
        fn cutting_members_is_parsing_editing_and_serializing(text in random::object(random::json())) {
            let value = parse(text.as_bytes(), 128).unwrap();
            let mut edits = Edits::default();
            edits.remove_members(&value, |member| member.is("attache_intent") || member.is("name"));
            let ours = edits.apply(text.as_bytes()).unwrap();
            let mut theirs: Map<String, Value> = serde_json::from_str(&text).unwrap();
            theirs.remove("attache_intent");
            theirs.remove("name");
            assert_eq!(serde_json::from_slice::<Map<String, Value>>(&ours).unwrap(), theirs);
        }

        #[test]
        fn members_that_stay_keep_their_bytes(text in random::object(random::json())) {
            let value = parse(text.as_bytes(), 128).unwrap();
            let mut edits = Edits::default();
            edits.remove_members(&value, |member| member.is("attache_intent"));
            let out = edits.apply(text.as_bytes()).unwrap();
            let out = parse(&out, 128).unwrap();
            let kept = value.members().filter(|member| !member.is("attache_intent"));
            let kept: Vec<_> = kept.map(|member| (member.key.raw(), member.value.raw())).collect();
            let left: Vec<_> =
                out.members().map(|member| (member.key.raw(), member.value.raw())).collect();
            assert_eq!(left, kept);
        }

        #[test]
        fn changes_apply_in_any_order(
            text in any::<Vec<u8>>(),
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            backwards in any::<bool>(),
        ) {
            let mut at: Vec<usize> = at.iter().map(|at| at.index(text.len() + 1)).collect();
            at.sort_unstable();
            at.dedup();
            let mut expected = Vec::new();
            let mut copied = 0;
            let mut changes = Vec::new();
            for pair in at.chunks_exact(2) {
                expected.extend_from_slice(&text[copied..pair[0]]);
                expected.extend_from_slice(b"new");
                copied = pair[1];
                changes.push(pair[0]..pair[1]);
            }
            expected.extend_from_slice(&text[copied..]);
            if backwards {
                changes.reverse();
            }
            let mut edits = Edits::default();
            for span in changes {
                edits.replace(span, "new");
            }
            assert_eq!(edits.apply(&text).unwrap(), expected);
        }

        #[test]
        fn appending_members_is_parsing_editing_and_serializing(text in random::object(random::json())) {
            let value = parse(text.as_bytes(), 128).unwrap();
            let mut edits = Edits::default();
            edits.append_members(&value, r#""appended":[1.50]"#);
            let ours = edits.apply(text.as_bytes()).unwrap();
            let mut theirs: Map<String, Value> = serde_json::from_str(&text).unwrap();
            theirs.insert("appended".to_owned(), serde_json::json!([1.5]));
            assert_eq!(serde_json::from_slice::<Map<String, Value>>(&ours).unwrap(), theirs);
        }
    }
}
