//! What tests share: a configuration, an issuer that signs anything, requests.

use std::rc::Rc;

use attache_protocol::plugin::Plugin;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::{
    Algorithm, AlgorithmSignature as _,
    alg::{Ed25519, SigningKey as _},
    jwk::JsonWebKey,
};
use serde_json::{Value, json};

use crate::{
    config::Gateway,
    exchange::{Seed, Shared},
    request::{headers::Headers, token::MarkKey},
};

/// Unix milliseconds of every test: 2026-11-21.
pub(crate) const NOW_MS: u64 = 1_795_219_200_000;
/// The same, microseconds.
pub(crate) const NOW_US: u64 = NOW_MS * 1000;
/// The same, seconds.
pub(crate) const NOW: i64 = 1_795_219_200;

/// An endpoint for the path and server of this name, which needs a token.
pub(crate) fn endpoint(name: &str) -> Value {
    json!({
        "path": format!("/{name}"),
        "server": name,
        "resource": format!("https://gateway.example/{name}"),
        "resource_metadata":
            format!("https://gateway.example/.well-known/oauth-protected-resource/{name}"),
        "authentication": "required",
        "scopes": ["mcp"],
        "caller_token": "removed",
        "origins": "any",
        "analytics": {"capture": "intent", "arguments": ["intent"], "exempt": ["raw"]},
    })
}

/// A configuration with the endpoint `/mcp`.
pub(crate) fn configuration() -> Value {
    let target = |path: &str| json!({"cluster": "authsvc", "authority": "authsvc", "path": path, "timeout_ms": 2000});
    json!({
        "public_url": "https://gateway.example",
        "issuer": "https://gateway.example",
        "jwks": {
            "target": target("/oauth/jwks.json"), "refresh_seconds": 300, "stale_seconds": 3600,
            "unknown_kid_seconds": 30, "wait_ms": 2000,
        },
        "events": {
            "target": target("/internal/events"), "secret": "s".repeat(32), "max_events": 100,
            "max_bytes": 1_000_000, "batch": 10, "flush_ms": 500,
        },
        "limits": {"max_body": 4096, "max_list": 8192, "max_depth": 64},
        "endpoints": [endpoint("mcp")],
    })
}

/// The configuration with something else at a JSON pointer.
pub(crate) fn configured(pointer: &str, value: Value) -> Value {
    let mut configuration = configuration();
    *configuration.pointer_mut(pointer).expect("the pointer names something") = value;
    configuration
}

pub(crate) fn gateway(configuration: Value) -> Rc<Gateway> {
    let plugin: Plugin = serde_json::from_value(configuration).expect("the mirror reads it");
    Rc::new(Gateway::compile(plugin).expect("it compiles"))
}

/// What is random elsewhere.
pub(crate) const fn seed() -> Seed {
    Seed { event_ids: 7, mark_key: MarkKey::new([7; 16]) }
}

/// A worker that has the keys of [`jwks`].
pub(crate) fn shared(configuration: Value) -> Shared {
    let mut shared = Shared::new(gateway(configuration), seed());
    let keys = jwks(&["k1"]).to_string();
    shared.trust.adopt(keys.as_bytes(), NOW_MS).expect("the keys can be used");
    shared
}

fn signing_key(kid: &str) -> <Ed25519 as Algorithm>::SigningKey {
    let mut seed = [7; 32];
    for (to, from) in seed.iter_mut().zip(kid.bytes()) {
        *to = from;
    }
    <Ed25519 as Algorithm>::SigningKey::from_bytes(&seed)
}

/// The public Ed25519 key that [`token`] signs with under this name.
pub(crate) fn jwk(kid: &str) -> Value {
    let public = signing_key(kid).to_verifying_key();
    let mut jwk = serde_json::to_value(JsonWebKey::from(&public)).expect("a key is JSON");
    jwk["kid"] = kid.into();
    jwk
}

/// A key set with these keys.
pub(crate) fn jwks(kids: &[&str]) -> Value {
    json!({"keys": kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>()})
}

/// The header of a good token.
pub(crate) fn good_header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"})
}

/// The claims of a good token.
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": "https://gateway.example", "sub": "alice", "aud": "https://gateway.example/mcp",
        "exp": NOW + 3600, "iat": NOW, "scope": "openid mcp", "client_id": "c1",
        "email": "alice@example.com",
    })
}

/// A good token.
pub(crate) fn token() -> String {
    signed(&good_header(), &good_claims(), "k1")
}

/// A token with some claims replaced; `null` removes one.
pub(crate) fn token_with(claims: Value) -> String {
    let mut all = good_claims();
    merge(&mut all, claims);
    signed(&good_header(), &all, "k1")
}

/// Replaces members; `null` removes one.
pub(crate) fn merge(into: &mut Value, from: Value) {
    let into = into.as_object_mut().expect("an object");
    let Value::Object(from) = from else { panic!("an object") };
    for (name, value) in from {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

/// A token of any header and claims, signed with the Ed25519 key of this name.
pub(crate) fn signed(header: &Value, claims: &Value, kid: &str) -> String {
    let text = unsigned(header, claims);
    let signature = Ed25519.sign(&signing_key(kid), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
}

/// Header and claims, without a signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Headers {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    Headers::read(serialized(&pairs)).unwrap()
}

/// Headers as Envoy serializes them.
pub(crate) fn serialized(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let mut map = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        map.extend(number(name.len()));
        map.extend(number(value.len()));
    }
    for (name, value) in pairs {
        map.extend([*name, b"\0", *value, b"\0"].concat());
    }
    map
}

/// The headers of a POST with a good token, and more.
pub(crate) fn post(more: &[(&str, &str)]) -> Headers {
    let bearer = format!("Bearer {}", token());
    let mut pairs = vec![
        (":method", "POST"),
        (":path", "/mcp"),
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    pairs.extend_from_slice(more);
    headers(&pairs)
}
