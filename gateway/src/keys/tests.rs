//! Freshness, backoff, and what a key set may contain.

use attache_protocol::jwk::{Found, KeySet, Rejected};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Adopted, Hope, Keys, backoff};
use crate::testing::{NOW_MS, configuration, gateway, jwk, jwks};
use crate::vectors;

fn keys() -> Keys {
    Keys::new(gateway(configuration()).jwks.clone())
}

fn adopted(text: &Value, now_ms: u64) -> Keys {
    let mut keys = keys();
    keys.adopt(text.to_string().as_bytes(), now_ms).expect("the keys can be used");
    keys
}

#[test]
fn missing_keys_are_asked_for_at_once() {
    assert!(keys().is_due(NOW_MS));
    assert!(keys().usable(NOW_MS).is_none());
}

#[test]
fn keys_are_asked_for_again_before_they_age() {
    let keys = adopted(&jwks(&["k1"]), NOW_MS);
    assert!(!keys.is_due(NOW_MS + 299_999));
    assert!(keys.is_due(NOW_MS + 300_000));
    assert!(keys.usable(NOW_MS + 3_600_000).is_some(), "stale keys are good keys");
    assert!(keys.usable(NOW_MS + 3_600_001).is_none());
}

#[test]
fn one_question_at_a_time() {
    let mut keys = keys();
    keys.asked(NOW_MS + 4000);
    assert!(!keys.is_due(NOW_MS + 3999));
    assert!(keys.is_due(NOW_MS + 4000), "the answer is lost");
}

#[test]
fn failures_are_repeated_ever_more_slowly() {
    assert_eq!([1, 2, 3, 6, 7, 100].map(backoff), [500, 1000, 2000, 16_000, 30_000, 30_000]);
    let mut keys = keys();
    assert_eq!(keys.failed(NOW_MS), NOW_MS + 500);
    keys.asked(NOW_MS + 4500);
    assert_eq!(keys.failed(NOW_MS + 500), NOW_MS + 1500);
    assert!(!keys.is_due(NOW_MS + 1499));
    assert!(keys.is_due(NOW_MS + 1500));
}

#[test]
fn an_unknown_key_causes_one_throttled_question() {
    let mut keys = adopted(&jwks(&["k1"]), NOW_MS);
    assert_eq!(keys.unknown_kid(NOW_MS + 29_999), Hope::None);
    assert!(!keys.is_due(NOW_MS + 29_999));
    assert_eq!(keys.unknown_kid(NOW_MS + 30_000), Hope::Soon);
    assert!(keys.is_due(NOW_MS + 30_000));
    keys.asked(NOW_MS + 34_000);
    assert_eq!(keys.unknown_kid(NOW_MS + 30_001), Hope::Soon, "it is underway");
    keys.failed(NOW_MS + 30_002);
    assert_eq!(keys.unknown_kid(NOW_MS + 30_003), Hope::None, "the issuer is down");
}

#[test]
fn an_answer_of_no_use_leaves_the_keys_in_hand() {
    let mut keys = adopted(&jwks(&["k1"]), NOW_MS);
    for text in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, "<html>"] {
        assert!(keys.adopt(text.as_bytes(), NOW_MS + 1).is_err(), "{text}");
    }
    assert_eq!(keys.fetched_ms(), Some(NOW_MS));
    assert!(keys.usable(NOW_MS).is_some());
}

#[test]
fn the_same_keys_are_only_fresher() {
    let text = jwks(&["k1"]).to_string();
    let mut keys = keys();
    let mut adopt = |now_ms| keys.adopt(text.as_bytes(), now_ms).expect("usable");
    assert_eq!(adopt(NOW_MS), Adopted::Other);
    assert_eq!(adopt(NOW_MS + 5), Adopted::Same);
    assert_eq!(keys.fetched_ms(), Some(NOW_MS + 5));
}

fn usable(key: &Value) -> bool {
    let set = json!({"keys": [key]}).to_string();
    match KeySet::parse(set.as_bytes()) {
        Ok(_) => true,
        Err(Rejected::Nothing(_)) => false,
        Err(Rejected::Form(error)) => panic!("{error}"),
    }
}

fn changed(name: &str, value: Value) -> Value {
    let mut key = jwk("k1");
    key[name] = value;
    key
}

#[test]
fn only_public_signing_keys_of_known_kinds_are_used() {
    assert!(usable(&jwk("k1")));
    assert!(usable(&changed("use", json!("sig"))));
    assert!(usable(&changed("alg", json!("EdDSA"))));
    assert!(usable(&changed("key_ops", json!(["verify"]))));
    assert!(usable(&changed("x5c", json!(["whatever"]))));
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("crv", json!("X25519")),
        ("crv", json!("Ed448")),
        ("x", json!("AAAA")),
        ("kty", json!("oct")),
        ("kty", json!("unheard-of")),
        ("d", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        assert!(!usable(&changed(name, value.clone())), "{name} = {value}");
    }
    assert!(!usable(&json!("not an object")));
    let rsa = |modulus: &str| json!({"kty": "RSA", "n": modulus, "e": "AQAB"});
    assert!(usable(&rsa(vectors::RSA_N)));
    assert!(!usable(&rsa(vectors::RSA_SMALL_N)), "1024 bits");
    assert!(!usable(&serde_json::from_str(vectors::P384).expect("JSON")), "no library for it");
}

#[test]
fn one_bad_key_does_not_spoil_a_set() {
    let set = json!({"keys": [{"kty": "unheard-of", "kid": "k1"}, {}, 7, jwk("k2")]}).to_string();
    let set = KeySet::parse(set.as_bytes()).expect("one key can be used");
    assert!(matches!(set.find(Some("k2")), Found::Key(_)));
    assert!(matches!(set.find(Some("k1")), Found::Unknown));
    assert!(matches!(set.find(None), Found::Key(_)), "it is the only one");
}

#[test]
fn a_set_of_a_million_keys_is_read_in_part() {
    let many: Vec<Value> = (0..1000).map(|_| json!({"kty": "oct", "k": "AA"})).collect();
    let set = json!({"keys": many}).to_string();
    assert!(KeySet::parse(set.as_bytes()).is_err());
}
