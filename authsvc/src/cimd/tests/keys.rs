//! Keys of clients with documents.

use std::time::Duration;

use attache_protocol::jwk::Found;
use jwt_compact::{
    Algorithm, AlgorithmExt as _, Claims, Header,
    alg::{Ed25519, SigningKey as _},
    jwk::JsonWebKey,
};
use serde_json::{Value, json};

use super::{Next, SOMEBODY, Site, ask, believed, let_in, open};
use crate::{
    cimd,
    testing::{Answer, Bench, PUBLIC_URL, form},
    token::assertion,
};

type PrivateKey = <Ed25519 as Algorithm>::SigningKey;

fn jwk(kid: &str, seed: u8) -> Value {
    let key = PrivateKey::from_slice(&[seed; 32]).unwrap().to_verifying_key();
    let mut jwk = serde_json::to_value(JsonWebKey::from(&key)).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

/// A token request of `site`'s client, signed by a key; the grant itself is not there.
async fn signed(bench: &Bench, site: &Site, (kid, seed): (&str, u8), jti: &str) -> Answer {
    let (id, now) = (site.id(), bench.app.clock.now_unix());
    let claims = json!({"iss": id, "sub": id, "aud": PUBLIC_URL, "exp": now + 60, "jti": jti});
    let key = PrivateKey::from_slice(&[seed; 32]).unwrap();
    let header = Header::empty().with_key_id(kid);
    let text = Ed25519.token(&header, &Claims::new(claims), &key).unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", &id),
        ("client_assertion_type", assertion::TYPE),
        ("client_assertion", &text),
    ];
    bench.public(form("/oauth/token", &fields)).await
}

#[tokio::test]
async fn s54_s63_a_client_with_a_document_signs_with_the_keys_that_it_names() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    let uri = format!("{}/keys.json", site.origin);
    site.change(|document| {
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["jwks_uri"] = json!(uri);
    });
    ask(&bench, &site).await.unwrap();
    let_in(&bench, &site, "code").await;
    assert!(!believed(&signed(&bench, &site, ("one", 1), "a").await), "there are no keys");

    *site.keys.lock().unwrap() = Next::Json(json!({"keys": [jwk("one", 1)]}));
    assert!(!believed(&signed(&bench, &site, ("one", 1), "b").await), "too soon to look again");
    bench.advance(Duration::from_secs(60));
    assert!(believed(&signed(&bench, &site, ("one", 1), "c").await));
    assert!(!believed(&signed(&bench, &site, ("one", 1), "c").await), "it was used before");
    assert!(!believed(&signed(&bench, &site, ("one", 2), "d").await), "another key of that name");
    let unsigned =
        [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &site.id())];
    assert!(!believed(&bench.public(form("/oauth/token", &unsigned)).await));

    *site.keys.lock().unwrap() = Next::Json(json!({"keys": [jwk("two", 2)]}));
    bench.advance(Duration::from_secs(60));
    assert!(believed(&signed(&bench, &site, ("two", 2), "e").await), "keys have rotated");
    assert!(!believed(&signed(&bench, &site, ("one", 1), "f").await), "the old one is gone");
    bench.advance(Duration::from_secs(3600));
    *site.keys.lock().unwrap() = Next::Status(503);
    assert!(believed(&signed(&bench, &site, ("two", 2), "g").await), "what was known is used");
}

#[tokio::test]
async fn keys_stay_when_a_document_is_read_again() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    *site.keys.lock().unwrap() = Next::Json(json!({"keys": [jwk("one", 1)]}));
    let uri = format!("{}/keys.json", site.origin);
    site.change(|document| {
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["jwks_uri"] = json!(uri);
    });
    let client = ask(&bench, &site).await.unwrap();
    let kept = async || cimd::keys(&bench.app, SOMEBODY, &client.id, Some("one")).await.unwrap();
    assert!(matches!(kept().await.unwrap().find(Some("one")), Found::Key(_)));
    bench.advance(Duration::from_secs(601));
    *site.keys.lock().unwrap() = Next::Status(500);
    ask(&bench, &site).await.unwrap();
    assert!(matches!(kept().await.unwrap().find(Some("one")), Found::Key(_)));
    site.change(|document| document["jwks_uri"] = json!(format!("{uri}?new")));
    bench.advance(Duration::from_secs(601));
    ask(&bench, &site).await.unwrap();
    assert!(kept().await.is_none(), "keys of another place are not its keys");
}

/// A client with keys, its own or at a `jwks_uri`, that somebody has let in.
async fn signer(bench: &Bench, site: &Site, name: &str, value: Value) {
    site.change(|document| {
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document[name] = value;
    });
    ask(bench, site).await.unwrap();
    let_in(bench, site, "code").await;
}

#[tokio::test]
async fn s54_keys_that_are_gone_open_nothing() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    let keys = json!({"keys": [jwk("one", 1)]});
    *site.keys.lock().unwrap() = Next::Json(keys.clone());
    signer(&bench, &site, "jwks_uri", json!(format!("{}/keys.json", site.origin))).await;
    assert!(believed(&signed(&bench, &site, ("one", 1), "a").await));
    *site.keys.lock().unwrap() = Next::Status(404);
    bench.advance(Duration::from_secs(599));
    assert!(!believed(&signed(&bench, &site, ("other", 1), "b").await), "no such key");
    assert!(believed(&signed(&bench, &site, ("one", 1), "c").await), "good by their own word");
    bench.advance(Duration::from_secs(61));
    assert!(!believed(&signed(&bench, &site, ("one", 1), "d").await), "they are gone");
    assert!(!believed(&signed(&bench, &site, ("one", 1), "e").await), "and stay so");
    *site.keys.lock().unwrap() = Next::Json(keys);
    bench.advance(Duration::from_secs(60));
    assert!(believed(&signed(&bench, &site, ("one", 1), "f").await));
    *site.keys.lock().unwrap() = Next::Status(503);
    bench.advance(Duration::from_secs(600 + 86_399));
    assert!(believed(&signed(&bench, &site, ("one", 1), "g").await), "a day more");
    bench.advance(Duration::from_secs(1));
    assert!(!believed(&signed(&bench, &site, ("one", 1), "h").await), "not for ever");
}

#[tokio::test]
async fn s54_keys_in_a_document_are_as_good_as_that() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    signer(&bench, &site, "jwks", json!({"keys": [jwk("one", 1)]})).await;
    assert!(believed(&signed(&bench, &site, ("one", 1), "a").await));
    site.change(|document| document["jwks"] = json!({"keys": [jwk("two", 2)]}));
    assert!(believed(&signed(&bench, &site, ("two", 2), "b").await), "a key that is new");
    assert!(!believed(&signed(&bench, &site, ("one", 1), "c").await), "the old one is gone");
    bench.advance(Duration::from_secs(601));
    site.say(Next::Status(503));
    assert!(believed(&signed(&bench, &site, ("two", 2), "d").await), "what was known is used");
    site.say(Next::Status(404));
    bench.advance(Duration::from_secs(61));
    assert!(!believed(&signed(&bench, &site, ("two", 2), "e").await), "no document, no keys");
}

#[tokio::test]
async fn s54_nothing_is_fetched_or_kept_of_what_a_client_signs_that_nobody_let_in() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    *site.keys.lock().unwrap() = Next::Json(json!({"keys": [jwk("one", 1)]}));
    site.change(|document| {
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["jwks_uri"] = json!(format!("{}/keys.json", site.origin));
    });
    ask(&bench, &site).await.unwrap();
    assert!(!believed(&signed(&bench, &site, ("one", 1), "a").await));
    assert_eq!(site.asked(), 1, "only the document");
    let_in(&bench, &site, "code").await;
    assert!(believed(&signed(&bench, &site, ("one", 1), "a").await), "it was not used up");
}
