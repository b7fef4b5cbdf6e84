//! S51, RFC 7592: who may read, change and remove a registration.

use attache_protocol::secret::Secret;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::{Bench, post, register};
use crate::testing::{Answer, form, get};

const METADATA: fn() -> Value = || {
    json!({
        "redirect_uris": ["https://example.com/cb"],
        "client_name": "One",
        "token_endpoint_auth_method": "client_secret_basic",
    })
};

/// A client with a secret, as it was told.
async fn confidential(bench: &Bench) -> Value {
    let answer = register(bench, &METADATA()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    answer.json()
}

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().unwrap()
}

async fn manage(
    bench: &Bench,
    method: Method,
    client: &Value,
    token: &str,
    body: Option<&Value>,
) -> Answer {
    let uri =
        text(client, "registration_client_uri").strip_prefix("http://localhost:8080").unwrap();
    let mut request = body.map_or_else(|| get(uri), |body| post(uri, body));
    *request.method_mut() = method;
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, value);
    bench.public(request).await
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    assert_eq!(answer.json()["error"], "invalid_token");
    assert!(answer.header("www-authenticate").starts_with("Bearer realm="));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn s51_a_client_with_a_secret_can_read_what_it_registered() {
    let bench = Bench::new().await;
    let client = confidential(&bench).await;
    let token = text(&client, "registration_access_token");
    assert_eq!(token.len(), 43);
    let answer = manage(&bench, Method::GET, &client, token, None).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let mut expected = client.clone();
    // Only its digest is kept.
    for name in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn s51_a_public_client_has_nothing_to_manage_since_others_share_it() {
    let bench = Bench::new().await;
    let body = json!({ "redirect_uris": ["http://localhost/callback"] });
    let client = register(&bench, &body).await.json();
    assert!(client.get("registration_access_token").is_none());
    assert!(client.get("registration_client_uri").is_none());
    let path = format!("/oauth/register/{}", text(&client, "client_id"));
    for token in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        for method in ["GET", "PUT", "DELETE"] {
            let request = Request::builder().method(method).uri(&path);
            let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            refused(&bench.public(request.body("".into()).unwrap()).await);
        }
    }
    refused(&bench.public(get(&path)).await);
    assert_eq!(bench.public(form(&path, &[])).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn s51_another_token_and_another_client_are_refused_alike() {
    let bench = Bench::new().await;
    let (one, other) = (confidential(&bench).await, confidential(&bench).await);
    let token = text(&other, "registration_access_token");
    let mut nobody = one.clone();
    nobody["registration_client_uri"] = json!("http://localhost:8080/oauth/register/nobody");
    let mut said = Vec::new();
    for client in [&one, &nobody] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = manage(&bench, method, client, token, Some(&METADATA())).await;
            refused(&answer);
            said.push((answer.header("www-authenticate").to_owned(), answer.body));
        }
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn s51_a_change_replaces_everything_but_the_secret_and_brings_a_new_token() {
    let bench = Bench::new().await;
    let client = confidential(&bench).await;
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let token = text(&client, "registration_access_token");
    let body = json!({
        "client_id": id,
        "client_secret": secret,
        "redirect_uris": ["https://example.com/other"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let answer = manage(&bench, Method::PUT, &client, token, Some(&body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let changed = answer.json();
    assert_eq!(changed["redirect_uris"], json!(["https://example.com/other"]));
    assert_eq!(changed["token_endpoint_auth_method"], "client_secret_post");
    assert!(changed.get("client_name").is_none() && changed.get("client_secret").is_none());
    assert_eq!(changed["client_id_issued_at"], client["client_id_issued_at"]);

    refused(&manage(&bench, Method::GET, &client, token, None).await);
    let next = text(&changed, "registration_access_token");
    assert_eq!(manage(&bench, Method::GET, &client, next, None).await.json(), changed);
    let trail = bench.app.store.audited(0).await.unwrap();
    let [kept] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!((kept.author.as_str(), kept.action.as_str()), ("client", "client.change"));
    assert_eq!(kept.details["redirect_uris"], body["redirect_uris"]);
    assert!(![token, next].iter().any(|token| format!("{kept:?}").contains(token)));
    let kept = bench.app.store.client(id).await.unwrap().unwrap();
    assert_eq!(kept.secret.unwrap(), crate::store::digest(secret));
    assert_eq!(kept.management.unwrap(), crate::store::digest(next));
}

#[tokio::test]
async fn s51_a_change_that_is_not_right_changes_nothing() {
    let bench = Bench::new().await;
    let client = confidential(&bench).await;
    let token = text(&client, "registration_access_token");
    let right = || {
        let mut body = METADATA();
        body["client_id"] = client["client_id"].clone();
        body
    };
    for (name, value, error) in [
        ("client_id", json!("another"), "invalid_client_metadata"),
        ("client_id", Value::Null, "invalid_client_metadata"),
        ("client_secret", json!("chosen"), "invalid_client_metadata"),
        ("client_secret_expires_at", json!(0), "invalid_client_metadata"),
        ("client_id_issued_at", json!(0), "invalid_client_metadata"),
        ("registration_access_token", json!(token), "invalid_client_metadata"),
        ("registration_client_uri", json!("https://x.example"), "invalid_client_metadata"),
        ("token_endpoint_auth_method", json!("none"), "invalid_client_metadata"),
        ("redirect_uris", json!([]), "invalid_client_metadata"),
        ("redirect_uris", json!(["javascript:alert(1)"]), "invalid_redirect_uri"),
    ] {
        let mut body = right();
        body[name] = value;
        let answer = manage(&bench, Method::PUT, &client, token, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(answer.json()["error"], error, "{name}");
    }
    let answer = manage(&bench, Method::GET, &client, token, None).await;
    assert_eq!(answer.json()["redirect_uris"], client["redirect_uris"]);
    // Of two changes with the same token, one is made.
    let body = right();
    let change = || manage(&bench, Method::PUT, &client, token, Some(&body));
    let (one, two) = tokio::join!(change(), change());
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::UNAUTHORIZED]);
}

#[tokio::test]
async fn s51_a_client_that_removes_itself_is_gone() {
    let bench = Bench::new().await;
    let client = confidential(&bench).await;
    let token = text(&client, "registration_access_token");
    let answer = manage(&bench, Method::DELETE, &client, token, None).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    refused(&manage(&bench, Method::GET, &client, token, None).await);
    refused(&manage(&bench, Method::DELETE, &client, token, None).await);
    let trail = bench.app.store.audited(0).await.unwrap();
    let [kept] = trail.as_slice() else { panic!("{trail:?}") };
    let told = (kept.author.as_str(), kept.action.as_str(), kept.target_name.as_deref());
    assert_eq!(told, ("client", "client.remove", Some("One")));
    assert!(bench.app.store.client(text(&client, "client_id")).await.unwrap().is_none());
}

#[tokio::test]
async fn s51_where_there_is_an_initial_access_token_only_who_has_it_registers() {
    const TOKEN: &str = "an-initial-access-token-that-is-long-enough";
    let bench = Bench::with(|config| {
        config.authorization.clients.initial_access_token = Some(Secret::new(TOKEN.to_owned()));
    })
    .await;
    let register = async |line: Option<String>| {
        let mut request = post("/oauth/register", &METADATA());
        if let Some(line) = line {
            request.headers_mut().insert(header::AUTHORIZATION, line.parse().unwrap());
        }
        bench.public(request).await
    };
    for line in [None, Some("Bearer another".to_owned()), Some(format!("Basic {TOKEN}"))] {
        refused(&register(line).await);
    }
    let answer = register(Some(format!("bearer {TOKEN}"))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    // What it is managed with is another token.
    let client = answer.json();
    refused(&manage(&bench, Method::GET, &client, TOKEN, None).await);
}
