//! What clients register, and what they are told.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::clean;
use crate::{
    store::clients::MAX_UNUSED,
    testing::{Answer, Bench, RESOURCE, get, json as post},
};

mod management;

async fn register(bench: &Bench, body: &Value) -> Answer {
    bench.public(post("/oauth/register", body)).await
}

async fn refused(body: Value, code: &str) {
    let bench = Bench::new().await;
    let answer = register(&bench, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(answer.json()["error"], code, "{body}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn rule_5_a_public_client_gets_everything_echoed_and_no_nulls() {
    let bench = Bench::new().await;
    let answer = register(
        &bench,
        &json!({
            "redirect_uris": ["http://localhost:3334/oauth/callback"],
            "client_name": "MCP CLI",
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": "mcp claudeai",
            "application_type": "native",
            "client_uri": "https://example.com",
            "logo_uri": null,
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
            "unknown_member": {"a": [1]},
        }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let mut document = answer.json();
    let id = document["client_id"].take();
    assert!(id.as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    assert_eq!(
        document,
        json!({
            "client_id": null,
            "client_id_issued_at": 1_790_000_000,
            "redirect_uris": ["http://localhost:3334/oauth/callback"],
            "client_name": "MCP CLI",
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": "mcp",
            "application_type": "native",
            "client_uri": "https://example.com",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        })
    );
}

#[tokio::test]
async fn rule_5_redirect_uris_alone_are_enough() {
    let bench = Bench::new().await;
    let answer = register(&bench, &json!({ "redirect_uris": ["https://claude.ai/cb"] })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let document = answer.json();
    assert_eq!(document["token_endpoint_auth_method"], "none");
    assert!(document.get("client_secret").is_none() && document.get("scope").is_none());
    assert!(!answer.body.contains("null"));
}

#[tokio::test]
async fn rule_5_a_secret_comes_with_its_expiry_and_is_kept_hashed() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let bench = Bench::new().await;
        let body = json!({
            "redirect_uris": ["https://example.com/cb"],
            "token_endpoint_auth_method": method,
        });
        let document = register(&bench, &body).await.json();
        assert_eq!(document["token_endpoint_auth_method"], method);
        assert_eq!(document["client_secret_expires_at"], 0);
        let secret = document["client_secret"].as_str().unwrap();
        assert_eq!(secret.len(), 43);
        let id = document["client_id"].as_str().unwrap();
        let client = bench.app.store.client(id).await.unwrap().unwrap();
        assert_eq!(client.secret.unwrap(), crate::store::digest(secret));
        let again = register(&bench, &body).await.json();
        assert_ne!(again["client_id"], document["client_id"]);
    }
}

#[tokio::test]
async fn rule_5_an_authentication_method_that_is_not_offered_becomes_none() {
    let bench = Bench::new().await;
    for method in ["private_key_jwt", "client_secret_jwt", "tls_client_auth", ""] {
        let body = json!({
            "redirect_uris": ["https://example.com/cb"],
            "token_endpoint_auth_method": method,
            "grant_types": ["client_credentials"],
            "response_types": ["token"],
        });
        let answer = register(&bench, &body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let document = answer.json();
        assert_eq!(document["token_endpoint_auth_method"], "none");
        assert_eq!(document["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(document["response_types"], json!(["code"]));
    }
}

#[tokio::test]
async fn rule_6_a_client_registers_all_its_redirect_uris_or_none() {
    let bench = Bench::new().await;
    let cursor = json!({
        "client_name": "Cursor",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
    });
    assert_eq!(register(&bench, &cursor).await.status, StatusCode::CREATED);
    refused(
        json!({ "redirect_uris": ["https://example.com/cb", "javascript:alert(1)"] }),
        "invalid_redirect_uri",
    )
    .await;
    refused(json!({ "redirect_uris": ["http://example.com/cb"] }), "invalid_redirect_uri").await;
}

#[tokio::test]
async fn s50_what_is_too_much_or_malformed_is_refused() {
    let many: Vec<String> = (0..11).map(|n| format!("https://example.com/{n}")).collect();
    refused(json!({ "redirect_uris": many }), "invalid_client_metadata").await;
    refused(json!({ "redirect_uris": [] }), "invalid_client_metadata").await;
    refused(json!({ "client_name": "x" }), "invalid_client_metadata").await;
    refused(json!({ "redirect_uris": "https://example.com/cb" }), "invalid_client_metadata").await;
    refused(
        json!({ "redirect_uris": ["https://example.com/cb"], "client_name": 5 }),
        "invalid_client_metadata",
    )
    .await;
    refused(json!([]), "invalid_client_metadata").await;
    let long = format!("https://example.com/{}", "x".repeat(2000));
    refused(json!({ "redirect_uris": [long] }), "invalid_redirect_uri").await;
}

#[tokio::test]
async fn s50_a_repeated_member_or_broken_json_is_refused_without_echo() {
    let bench = Bench::new().await;
    for body in [
        r#"{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}"#,
        r#"{"redirect_uris":["https://a.example/"]"#,
        "not json <script>",
        "",
    ] {
        let mut request = post("/oauth/register", &json!({}));
        *request.body_mut() = body.to_owned().into();
        let answer = bench.public(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["error"], "invalid_client_metadata");
        assert!(!answer.body.contains("<script") && !answer.body.contains("a.example"));
    }
}

#[test]
fn s50_names_lose_what_is_invisible_or_reorders() {
    assert_eq!(clean("Claude\u{202e}edualC\u{200b}").as_deref(), Some("ClaudeedualC"));
    assert_eq!(clean("a\u{0}b\u{1b}[31m\r\nc").as_deref(), Some("ab[31m c"));
    assert_eq!(clean("\u{feff}\u{2066} \t").as_deref(), None);
    assert_eq!(clean("Übung 日本").as_deref(), Some("Übung 日本"));
    assert_eq!(clean(&"x".repeat(500)).unwrap().len(), 100);
}

#[tokio::test]
async fn s53_application_type_is_accepted_whatever_the_redirect_uris() {
    let bench = Bench::new().await;
    for (kind, echoed) in [("web", json!("web")), ("native", json!("native")), ("x", Value::Null)] {
        let body = json!({
            "redirect_uris": ["http://localhost/callback", "https://example.com/cb"],
            "application_type": kind,
        });
        let answer = register(&bench, &body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.json()["application_type"], echoed);
    }
}

#[tokio::test]
async fn rule_12_the_same_public_registration_is_the_same_client() {
    let bench = Bench::new().await;
    let body = json!({ "redirect_uris": ["http://localhost/callback"], "client_name": "Claude" });
    let first = register(&bench, &body).await.json();
    bench.advance(Duration::from_secs(100));
    let second = register(&bench, &body).await.json();
    assert_eq!(first, second);
    let other = json!({ "redirect_uris": ["http://localhost/callback"], "client_name": "Other" });
    assert_ne!(register(&bench, &other).await.json()["client_id"], first["client_id"]);
}

#[tokio::test]
async fn rule_12_an_address_that_registers_too_much_has_to_wait() {
    let bench = Bench::new().await;
    let body = json!({ "redirect_uris": ["http://localhost/callback"] });
    for _ in 0..60 {
        assert_eq!(register(&bench, &body).await.status, StatusCode::CREATED);
    }
    let answer = register(&bench, &body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "1");
    bench.advance(Duration::from_secs(1));
    assert_eq!(register(&bench, &body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn rule_12_of_clients_that_were_never_used_the_oldest_go_when_there_are_too_many() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for n in 0..MAX_UNUSED + 3 {
        bench.advance(Duration::from_secs(2));
        let callback = format!("https://example.com/{n}");
        let answer = register(&bench, &json!({ "redirect_uris": [callback] })).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        ids.push(answer.json()["client_id"].as_str().unwrap().to_owned());
        if n == 0 {
            // Somebody is about to log in at the first.
            let request = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([
                    ("response_type", "code"),
                    ("client_id", &ids[0]),
                    ("redirect_uri", &callback),
                    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                    ("code_challenge_method", "S256"),
                    ("resource", RESOURCE),
                ])
                .finish();
            let page = bench.public(get(&format!("/oauth/authorize?{request}"))).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        }
        if n == 1 {
            grant(&bench, &ids[1]).await;
        }
    }
    let mut gone = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        if bench.app.store.client(id).await.unwrap().is_none() {
            gone.push(n);
        }
    }
    assert_eq!(gone, [2, 3], "one is busy, one was used, and the others are the oldest");
}

/// A user grants something to a client.
async fn grant(bench: &Bench, id: &str) {
    let mut transaction = bench.app.store.write().await.unwrap();
    sqlx::query("UPDATE clients SET used_at = seen_at WHERE id = $1")
        .bind(id)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn rule_12_clients_that_were_never_used_are_forgotten_after_a_day() {
    let bench = Bench::new().await;
    let body = json!({ "redirect_uris": ["http://localhost/callback"] });
    let id = register(&bench, &body).await.json()["client_id"].as_str().unwrap().to_owned();
    bench.advance(Duration::from_secs(24 * 3600 - 1));
    crate::sweep::once(&bench.app).await.unwrap();
    assert!(bench.app.store.client(&id).await.unwrap().is_some());
    bench.advance(Duration::from_secs(2));
    crate::sweep::once(&bench.app).await.unwrap();
    assert!(bench.app.store.client(&id).await.unwrap().is_none());
}
