//! Programs that act for themselves.

use std::{sync::Arc, time::Duration};

use attache_protocol::{jwk::KeySet, secret::Secret};
use jwt_compact::{
    Algorithm, AlgorithmExt as _, Claims, Header,
    alg::{Ed25519, SigningKey as _},
    jwk::JsonWebKey,
};
use serde_json::{Value, json};

use super::{BAD, UNAUTHORIZED, basic, claims, form, invalid, register, replace};
use crate::{
    config::{Config, MachineClient, Proof},
    testing::{Answer, Bench, PUBLIC_URL, RESOURCE, SERVICE_SECRET, embedded, get, server},
    token::assertion,
};

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const SEED: [u8; 32] = [7; 32];

type PrivateKey = <Ed25519 as Algorithm>::SigningKey;

fn private_key(seed: [u8; 32]) -> PrivateKey {
    PrivateKey::from_slice(&seed).unwrap()
}

pub(super) fn public_keys() -> KeySet {
    let key = private_key(SEED).to_verifying_key();
    let mut jwk = serde_json::to_value(JsonWebKey::from(&key)).unwrap();
    jwk["kid"] = json!("one");
    KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap()
}

fn machine(id: &str, proof: Proof, servers: &[&str]) -> MachineClient {
    MachineClient {
        id: id.to_owned(),
        proof,
        servers: servers.iter().map(|&name| name.to_owned()).collect(),
        scopes: Vec::new(),
        groups: vec!["robots".to_owned()],
    }
}

fn programs(config: &mut Config, programs: Vec<MachineClient>) {
    config.servers.push(server("weather"));
    let embedded = embedded(config);
    embedded.machine_clients = programs;
}

/// `report` has a secret and one server, `signer` a key and two.
async fn bench() -> Bench {
    Bench::with(|config| {
        let secret = Proof::Secret(Secret::new(SECRET.to_owned()));
        let keys = Proof::Keys(Arc::new(public_keys()));
        programs(
            config,
            vec![
                machine("report", secret, &["everything"]),
                machine("signer", keys, &["everything", "weather"]),
            ],
        );
    })
    .await
}

pub(super) fn good(now: i64, jti: &str) -> Value {
    json!({"iss": "signer", "sub": "signer", "aud": PUBLIC_URL, "iat": now, "exp": now + 300, "jti": jti})
}

pub(super) fn signed(header: &Header, seed: [u8; 32], claims: Value) -> String {
    Ed25519.token(header, &Claims::new(claims), &private_key(seed)).unwrap()
}

pub(super) fn header() -> Header {
    Header::empty().with_key_id("one")
}

async fn by_secret(bench: &Bench, more: &[(&str, &str)]) -> Answer {
    let own =
        [("grant_type", "client_credentials"), ("client_id", "report"), ("client_secret", SECRET)];
    bench.public(form("/oauth/token", &replace(&own, more))).await
}

async fn by_assertion(bench: &Bench, text: &str, more: &[(&str, &str)]) -> Answer {
    let own = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", assertion::TYPE),
        ("client_assertion", text),
    ];
    bench.public(form("/oauth/token", &replace(&own, more))).await
}

#[tokio::test]
async fn a_program_gets_a_token_for_itself_and_nothing_to_renew_it() {
    let bench = bench().await;
    let answer = by_secret(&bench, &[]).await;
    assert_eq!(answer.json().get("refresh_token"), None);
    assert_eq!(
        (&answer.json()["scope"], &answer.json()["token_type"]),
        (&json!("mcp"), &json!("Bearer"))
    );
    let said = claims(&answer);
    assert_eq!((&said["sub"], &said["client_id"]), (&json!("report"), &json!("report")));
    assert_eq!((&said["aud"], &said["groups"]), (&json!(RESOURCE), &json!(["robots"])));
    assert_eq!(said.get("email"), None);

    let request = form("/oauth/token", &[("grant_type", "client_credentials")]);
    let by_header = bench.public(basic(request, "report", SECRET)).await;
    assert_eq!(claims(&by_header)["sub"], "report");
    invalid(
        &by_secret(&bench, &[("client_secret", "wrong")]).await,
        UNAUTHORIZED,
        "invalid_client",
    );
    invalid(&by_secret(&bench, &[("client_secret", "")]).await, UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn a_program_gets_what_the_configuration_says_or_less() {
    let bench = Bench::with(|config| {
        let client = MachineClient {
            scopes: vec!["read".to_owned()],
            ..machine("report", Proof::Secret(Secret::new(SECRET.to_owned())), &["everything"])
        };
        programs(config, vec![client]);
        for server in &mut config.servers {
            server.scopes = vec!["read".to_owned(), "write".to_owned()];
        }
    })
    .await;
    for asked in ["", "read write", "offline_access", "unknown"] {
        let answer = by_secret(&bench, &[("scope", asked)]).await;
        assert_eq!(answer.json()["scope"], "read", "{asked}: {}", answer.body);
    }
    invalid(&by_secret(&bench, &[("scope", "write")]).await, BAD, "invalid_scope");
    let other = format!("{PUBLIC_URL}/weather/mcp");
    invalid(&by_secret(&bench, &[("resource", &other)]).await, BAD, "invalid_target");
    let unknown = format!("{PUBLIC_URL}/unknown/mcp");
    invalid(&by_secret(&bench, &[("resource", &unknown)]).await, BAD, "invalid_target");
    assert_eq!(claims(&by_secret(&bench, &[("resource", RESOURCE)]).await)["aud"], RESOURCE);
}

#[tokio::test]
async fn grants_are_for_the_clients_that_they_are_meant_for() {
    let bench = bench().await;
    for grant in ["authorization_code", "refresh_token"] {
        let asked = [("grant_type", grant), ("code", "x"), ("refresh_token", "x")];
        invalid(&by_secret(&bench, &asked).await, BAD, "unauthorized_client");
    }
    let (client, _) = register(&bench, "none", "Client").await;
    let fields = [("grant_type", "client_credentials"), ("client_id", client.as_str())];
    invalid(&bench.public(form("/oauth/token", &fields)).await, BAD, "unauthorized_client");
    let fields = [("client_id", "report"), ("redirect_uri", "http://localhost/callback")];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let answer = bench.public(get(&format!("/oauth/authorize?{query}"))).await;
    assert_eq!(answer.status, 400, "a program has nobody to send there");
}

#[tokio::test]
async fn s63_a_program_proves_itself_by_an_assertion_once() {
    let bench = bench().await;
    let now = bench.app.clock.now_unix();
    for (number, aud) in [
        json!(PUBLIC_URL),
        json!(format!("{PUBLIC_URL}/oauth/token")),
        json!([PUBLIC_URL]),
        json!([PUBLIC_URL, format!("{PUBLIC_URL}/oauth/token")]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut said = good(now, &number.to_string());
        said["aud"] = aud;
        let text = signed(&header(), SEED, said);
        let answer = by_assertion(&bench, &text, &[]).await;
        let both = [RESOURCE.to_owned(), format!("{PUBLIC_URL}/weather/mcp")];
        assert_eq!(claims(&answer)["aud"], json!(both));
        invalid(&by_assertion(&bench, &text, &[]).await, UNAUTHORIZED, "invalid_client");
    }
    let nameless = signed(&Header::empty().with_token_type("JWT"), SEED, good(now, "nameless"));
    claims(&by_assertion(&bench, &nameless, &[("client_id", "signer")]).await);
}

#[tokio::test]
async fn s63_of_uses_of_an_assertion_at_the_same_time_one_succeeds() {
    let bench = bench().await;
    let text = signed(&header(), SEED, good(bench.app.clock.now_unix(), "once"));
    let (one, two, three) = tokio::join!(
        by_assertion(&bench, &text, &[]),
        by_assertion(&bench, &text, &[]),
        by_assertion(&bench, &text, &[]),
    );
    let good = [one, two, three].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn s63_an_assertion_that_is_not_right_is_refused() {
    let bench = bench().await;
    let now = bench.app.clock.now_unix();
    for (member, value) in [
        ("iss", json!("report")),
        ("sub", json!("report")),
        ("iss", Value::Null),
        ("aud", json!("https://elsewhere.example")),
        ("aud", json!([PUBLIC_URL, "https://elsewhere.example"])),
        ("aud", json!([])),
        ("aud", json!(format!("{PUBLIC_URL}/"))),
        ("exp", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", json!(now + 3661)),
        ("exp", json!(i64::MAX)),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("jti", json!(7)),
    ] {
        let mut said = good(now, "one");
        said[member] = value.clone();
        let text = signed(&header(), SEED, said);
        let answer = by_assertion(&bench, &text, &[("client_id", "")]).await;
        invalid(&answer, UNAUTHORIZED, "invalid_client");
    }
    let right = || good(now, "one");
    for text in [
        signed(&header(), [8; 32], right()),
        signed(&header().with_key_id("two"), SEED, right()),
        signed(&header().with_token_type("at+jwt"), SEED, right()),
        format!("{}x", signed(&header(), SEED, right())),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzaWduZXIifQ.".to_owned(),
        "not a JWT".to_owned(),
    ] {
        invalid(&by_assertion(&bench, &text, &[]).await, UNAUTHORIZED, "invalid_client");
    }
    // None of them used it up.
    claims(&by_assertion(&bench, &signed(&header(), SEED, right()), &[]).await);
}

#[tokio::test]
async fn s63_an_assertion_is_good_for_a_minute_after_its_end_and_not_after() {
    let bench = bench().await;
    let now = bench.app.clock.now_unix();
    let text = signed(&header(), SEED, good(now, "one"));
    bench.advance(Duration::from_secs(359));
    claims(&by_assertion(&bench, &text, &[]).await);
    let late = signed(&header(), SEED, good(now, "two"));
    bench.advance(Duration::from_secs(1));
    invalid(&by_assertion(&bench, &late, &[]).await, UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn s62_s63_an_assertion_is_the_only_proof_and_of_the_only_kind() {
    let bench = bench().await;
    let text = signed(&header(), SEED, good(bench.app.clock.now_unix(), "one"));
    let secret = [("client_secret", SECRET)];
    invalid(&by_assertion(&bench, &text, &secret).await, BAD, "invalid_request");
    let other = [("client_id", "report")];
    invalid(&by_assertion(&bench, &text, &other).await, BAD, "invalid_request");
    let saml =
        [("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")];
    invalid(&by_assertion(&bench, &text, &saml).await, BAD, "invalid_request");
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", assertion::TYPE),
        ("client_assertion", text.as_str()),
    ];
    let both = basic(form("/oauth/token", &fields), "signer", SECRET);
    invalid(&bench.public(both).await, BAD, "invalid_request");
    let fields =
        [("grant_type", "client_credentials"), ("client_id", "signer"), ("client_secret", SECRET)];
    invalid(&bench.public(form("/oauth/token", &fields)).await, UNAUTHORIZED, "invalid_client");
    claims(&by_assertion(&bench, &text, &[]).await);
}

#[tokio::test]
async fn the_metadata_says_what_programs_can_use_where_there_are_any() {
    let document = async |bench: &Bench| {
        bench.public(get("/.well-known/oauth-authorization-server")).await.json()
    };
    let with = document(&bench().await).await;
    assert_eq!(with["grant_types_supported"][2], "client_credentials");
    assert_eq!(with["token_endpoint_auth_methods_supported"][3], "private_key_jwt");
    let algorithms = json!(["EdDSA", "ES256", "RS256", "PS256"]);
    assert_eq!(with["token_endpoint_auth_signing_alg_values_supported"], algorithms);
    let none = Bench::with(|config| {
        config.authorization.clients.metadata_documents.hosts.clear();
    });
    let without = document(&none.await).await;
    assert_eq!(without["client_id_metadata_document_supported"], false);
    assert_eq!(without.get("token_endpoint_auth_signing_alg_values_supported"), None);
    assert!(!without.to_string().contains("client_credentials"));
}

#[tokio::test]
async fn introspection_knows_programs() {
    let bench = bench().await;
    let token = by_secret(&bench, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    let mut request = form("/internal/introspect", &[("token", &token)]);
    let bearer = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let answer = bench.internal(request).await.json();
    assert_eq!((&answer["active"], &answer["sub"]), (&json!(true), &json!("report")));
    assert_eq!(answer.get("username"), None);
}
