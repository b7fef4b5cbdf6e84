//! What waits for a body.

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{CALL, Run, refused};
use crate::{
    budget::Budget,
    exchange::{Effect, Shared},
    testing::{NOW_US, configuration, jwks, post, seed},
};

#[test]
fn headers_that_wait_for_a_body_are_bounded_together() {
    let mut first = Run::new(configuration());
    let room = post(&[]).with_body().size();
    first.shared.budget = Budget::of(room + room / 2);
    let mut shared = Shared::new(first.shared.gateway.clone(), seed());
    shared.trust.adopt(jwks(&["k1"]).to_string().as_bytes(), NOW_US / 1000).expect("they are good");
    shared.budget = first.shared.budget.clone();
    let mut second = Run::with(shared);
    assert_eq!(first.headers(post(&[])), Effect::Hold);
    let Effect::Refuse(reply) = second.headers(post(&[])) else { panic!("there is no room") };
    assert_eq!(reply.status, 503);
    assert!(matches!(first.body(CALL), Effect::Forward(_)));
    let mut third = Run::with(second.shared);
    assert_eq!(third.headers(post(&[])), Effect::Hold, "the first needs it no more");
}

#[test]
fn headers_that_nobody_needs_any_more_do_not_wait_for_a_body() {
    let long = "x".repeat(20_000);
    let mut run = Run::new(configuration());
    run.shared.budget = Budget::of(1000);
    assert_eq!(run.headers(post(&[("cookie", &long)])), Effect::Hold);
    assert!(matches!(run.body(CALL), Effect::Forward(_)));

    for name in ["mcp-name", "accept-encoding", "x_x"] {
        let mut run = Run::new(configuration());
        let (status, body) = refused(run.headers(post(&[(name, &long)])));
        assert_eq!((status, &body["error"]["code"]), (431, &json!(431)), "{name}");
    }
}
