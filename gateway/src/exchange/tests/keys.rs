//! Before the first keys.

use attache_protocol::event::{Fault, Outcome};
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{CALL, Run, STRIPPED, forwarded, refused};
use crate::{
    exchange::{Effect, Input, Shared},
    testing::{NOW_US, configuration, gateway, headers, jwks, post, seed, token},
};

fn keyless(configuration: Value) -> Run {
    Run::with(Shared::new(gateway(configuration), seed()))
}

fn keys_come(run: &mut Run) {
    let keys = jwks(&["k1"]).to_string();
    run.shared.trust.adopt(keys.as_bytes(), NOW_US / 1000).expect("the keys can be used");
}

#[test]
fn a_request_before_the_first_keys_waits_for_them() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitVerdict);
    assert_eq!(run.say(Input::RequestBodyGrows { held: 10 }), Effect::Hold);
    assert_eq!(run.body(CALL), Effect::Hold);
    keys_come(&mut run);
    let effect = run.say(Input::TrustChanged { now_us: NOW_US });
    assert_eq!(effect, Effect::ReadBody { size: CALL.len() }, "it was not copied");
    assert_eq!(run.body(CALL), forwarded(&["authorization"], None, Some(STRIPPED)));
}

#[test]
fn keys_that_come_before_the_body_let_it_come() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitVerdict);
    keys_come(&mut run);
    assert_eq!(run.say(Input::TrustChanged { now_us: NOW_US }), Effect::Hold);
    assert_eq!(run.body(CALL), forwarded(&["authorization"], None, Some(STRIPPED)));
}

#[test]
fn a_stream_that_waits_for_keys_goes_on_with_them() {
    let mut run = keyless(configuration());
    let bearer = format!("Bearer {}", token());
    let headers = headers(&[(":method", "GET"), ("authorization", &bearer)]);
    let waits = run.say(Input::RequestHeaders { headers, end: true, now_us: NOW_US });
    assert_eq!(waits, Effect::AwaitVerdict);
    keys_come(&mut run);
    let effect = run.say(Input::TrustChanged { now_us: NOW_US });
    assert_eq!(effect, forwarded(&["authorization"], None, None));
}

#[test]
fn a_message_without_a_body_that_waited_is_refused_like_any_other() {
    let mut run = keyless(configuration());
    let waits = run.say(Input::RequestHeaders { headers: post(&[]), end: true, now_us: NOW_US });
    assert_eq!(waits, Effect::AwaitVerdict);
    keys_come(&mut run);
    assert_eq!(refused(run.say(Input::TrustChanged { now_us: NOW_US })).0, 400);
}

#[test]
fn a_wait_ends_with_an_answer() {
    let mut run = keyless(configuration());
    assert_eq!(run.headers(post(&[])), Effect::AwaitVerdict);
    run.body(CALL);
    assert_eq!(refused(run.say(Input::WaitExpired { now_us: NOW_US })).0, 503);
    let event = run.event();
    assert_eq!((event.outcome, event.fault), (Outcome::Unauthenticated, Some(Fault::Gateway)));
}

#[test]
fn a_body_above_the_limit_does_not_wait_for_keys() {
    let mut run = keyless(configuration());
    run.headers(post(&[]));
    assert_eq!(refused(run.say(Input::RequestBodyGrows { held: 5000 })).0, 413);
    assert_eq!(run.say(Input::TrustChanged { now_us: NOW_US }), Effect::Hold, "it is over");
}
