//! Lists, as clients get them.

use attache_protocol::event::Outcome;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{LIST, Run};
use crate::{
    exchange::{Effect, Input},
    testing::{NOW_US, configuration, post},
};

#[test]
fn a_list_is_rewritten() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    assert_eq!(run.response("200", "application/json"), Effect::OpenLength);
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
    let (one, two) = list.split_at(20);
    assert_eq!(run.chunk(one, false), Effect::Replace(Vec::new()));
    let Effect::Replace(out) = run.chunk(two, true) else { panic!("a list") };
    assert!(String::from_utf8(out).expect("UTF-8").contains("attache_intent"));
    let event = run.event();
    assert_eq!((event.listed, event.outcome), (vec!["a".to_owned()], Outcome::Ok));
    assert_eq!(event.response_bytes, list.len() as u64);
}

#[test]
fn trailers_after_a_list_that_is_not_complete_break_it_off() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    run.response("200", "application/json");
    run.chunk(r#"{"jsonrpc":"#, false);
    assert_eq!(run.say(Input::ResponseTrailers), Effect::Abort);
}

#[test]
fn tools_that_own_a_reserved_name_are_reported() {
    let mut run = Run::new(configuration());
    run.headers(post(&[]));
    run.body(LIST);
    run.response("200", "application/json");
    let list = r#"{"id":1,"result":{"tools":[{"name":"mine","inputSchema":{"type":"object","properties":{"attache_intent":{}}}}]}}"#;
    assert_eq!(run.chunk(list, true), Effect::Replace(list.into()));
    let Effect::Over(over) = run.say(Input::Done { broken_by_server: false, now_us: NOW_US })
    else {
        panic!("over")
    };
    assert_eq!(over.owners, ["mine"]);
}
