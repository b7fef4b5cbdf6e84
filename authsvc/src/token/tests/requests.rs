//! What a token request may look like, and how clients show who they are.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{BAD, Flow, UNAUTHORIZED, VERIFIER, basic, invalid, refresh_token};
use crate::{
    address::Peer,
    testing::{RESOURCE, form, get, json, log::Log},
};

#[tokio::test]
async fn s09_a_repeated_parameter_is_refused_unless_it_is_resource() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", flow.client.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "http://localhost:53412/callback"),
    ] {
        let fields = [(name, value), (name, value)];
        invalid(&flow.redeem(&code, &fields).await, BAD, "invalid_request");
    }
    // None of it used the code up.
    let twice = [("resource", RESOURCE), ("resource", RESOURCE)];
    refresh_token(&flow.redeem(&code, &twice).await);
}

#[tokio::test]
async fn s61_only_a_form_in_the_body_is_read() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", &flow.client),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "http://localhost:53412/callback"),
    ];
    let in_query = form(&format!("/oauth/token?client_id={}", flow.client), &fields);
    invalid(&flow.bench.public(in_query).await, BAD, "invalid_request");
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let mut request = form("/oauth/token", &fields);
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        invalid(&flow.bench.public(request).await, BAD, "invalid_request");
    }
    let mut request = form("/oauth/token", &fields);
    request.headers_mut().remove(header::CONTENT_TYPE);
    invalid(&flow.bench.public(request).await, BAD, "invalid_request");
    let answer = flow.bench.public(get(&format!("/oauth/token?code={code}"))).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);

    let mut request = form("/oauth/token", &fields);
    let charset = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    request.headers_mut().insert(header::CONTENT_TYPE, charset.parse().unwrap());
    refresh_token(&flow.bench.public(request).await);
}

#[tokio::test]
async fn s08_other_grants_are_refused() {
    let flow = Flow::public().await;
    for grant in [
        "password",
        "implicit",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let fields = [("grant_type", grant), ("client_id", flow.client.as_str())];
        invalid(&flow.post(&fields).await, BAD, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let flow = Flow::public().await;
    let client = ("client_id", flow.client.as_str());
    for (fields, name) in [
        (vec![("grant_type", "refresh_token")], "client_id"),
        (vec![client], "grant_type"),
        (vec![client, ("grant_type", "authorization_code")], "code"),
        (vec![client, ("grant_type", "refresh_token")], "refresh_token"),
    ] {
        let answer = flow.post(&fields).await;
        invalid(&answer, BAD, "invalid_request");
        assert_eq!(answer.json()["error_description"], format!("{name} is missing"));
    }
}

#[tokio::test]
async fn unknown_codes_and_tokens_are_dead_grants() {
    let flow = Flow::public().await;
    for secret in ["x", "\u{fffd}", &"x".repeat(500)] {
        invalid(&flow.redeem(secret, &[]).await, BAD, "invalid_grant");
        flow.refresh_is_dead(secret).await;
    }
    invalid(&flow.redeem(&"x".repeat(513), &[]).await, BAD, "invalid_request");
}

#[tokio::test]
async fn s60_an_unknown_client_is_told_so_with_a_challenge_only_for_the_header() {
    let flow = Flow::public().await;
    let answer = flow.redeem("code", &[("client_id", "unknown")]).await;
    invalid(&answer, UNAUTHORIZED, "invalid_client");
    assert_eq!(answer.header("www-authenticate"), "");
    let request = form("/oauth/token", &[("grant_type", "refresh_token")]);
    let answer = flow.bench.public(basic(request, "unknown", "secret")).await;
    invalid(&answer, UNAUTHORIZED, "invalid_client");
    assert!(answer.header("www-authenticate").starts_with("Basic "));
    let mut request = form("/oauth/token", &[("grant_type", "refresh_token")]);
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
    invalid(&flow.bench.public(request).await, UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn a_confidential_client_proves_itself_by_form_or_header() {
    let flow = Flow::with("client_secret_basic").await;
    let secret = flow.secret.clone().unwrap();
    let code = flow.code(|_code| ()).await;
    let by_form = flow.redeem(&code, &[("client_secret", &secret)]).await;
    let token = refresh_token(&by_form);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let by_header = basic(form("/oauth/token", &fields), &flow.client, &secret);
    refresh_token(&flow.bench.public(by_header).await);
}

#[tokio::test]
async fn s29_a_wrong_or_missing_secret_is_refused_and_uses_nothing_up() {
    let flow = Flow::with("client_secret_post").await;
    let secret = flow.secret.clone().unwrap();
    let code = flow.code(|_code| ()).await;
    for wrong in ["", "wrong", &format!("{secret}x")] {
        let answer = flow.redeem(&code, &[("client_secret", wrong)]).await;
        invalid(&answer, UNAUTHORIZED, "invalid_client");
    }
    refresh_token(&flow.redeem(&code, &[("client_secret", &secret)]).await);
}

#[tokio::test]
async fn s62_a_client_shows_who_it_is_in_one_way() {
    let flow = Flow::with("client_secret_basic").await;
    let secret = flow.secret.clone().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", flow.client.as_str()),
        ("client_secret", &secret),
    ];
    let both = basic(form("/oauth/token", &fields), &flow.client, &secret);
    invalid(&flow.bench.public(both).await, BAD, "invalid_request");
    let other = [("grant_type", "refresh_token"), ("client_id", "other")];
    let differs = basic(form("/oauth/token", &other), &flow.client, &secret);
    invalid(&flow.bench.public(differs).await, BAD, "invalid_request");
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    let answer = flow.redeem(&code, &[("client_secret", "x")]).await;
    invalid(&answer, UNAUTHORIZED, "invalid_client");
    // An empty one is how some libraries write that there is none.
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", flow.client.as_str()),
        ("client_secret", ""),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "http://localhost:53412/callback"),
    ];
    refresh_token(&flow.post(&fields).await);
}

#[tokio::test]
async fn s64_no_secret_is_logged_at_any_level() {
    // What other tests log at the same time is in it, too.
    let log = Log::start();
    let flow = Flow::with("client_secret_basic").await;
    let secret = flow.secret.clone().unwrap();
    let code = flow.code(|_code| ()).await;
    let first = flow.redeem(&code, &[("client_secret", &secret)]).await;
    let token = refresh_token(&first);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let second = basic(form("/oauth/token", &fields), &flow.client, &secret);
    let second = refresh_token(&flow.bench.public(second).await);
    invalid(&flow.redeem(&code, &[("client_secret", &secret)]).await, BAD, "invalid_grant");
    flow.bench.public(get(&format!("/nothing?code={code}&token={token}"))).await;

    let text = log.text();
    let access = first.json()["access_token"].as_str().unwrap().to_owned();
    assert!(text.contains("tokens were issued") && text.contains("/oauth/token"), "{text}");
    let header = STANDARD.encode(format!("{}:{secret}", flow.client));
    for secret in [&secret, &code, &token, &second, &access, &header, &VERIFIER.to_owned()] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
}

#[tokio::test]
async fn while_the_database_is_away_clients_are_told_when_to_ask_again() {
    let flow = Flow::public().await;
    flow.bench.app.store.close().await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "y")];
    let registration = serde_json::json!({ "redirect_uris": ["https://client.example/callback"] });
    for request in [
        form("/oauth/token", &fields),
        form("/oauth/revoke", &[("token", "x"), ("client_id", "y")]),
        json("/oauth/register", &registration),
        get("/oauth/authorize?client_id=x"),
        get("/oauth/jwks.json"),
    ] {
        let path = request.uri().path().to_owned();
        let answer = flow.bench.public(request).await;
        let told = (answer.status, answer.header("retry-after"));
        assert_eq!(told, (StatusCode::SERVICE_UNAVAILABLE, "5"), "{path}");
        if answer.header("content-type") == "application/json" {
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
        }
    }
}

/// A request as it is logged: its own lines.
async fn logged(flow: &Flow, id: &str, mut request: Request<Body>) -> Vec<serde_json::Value> {
    let log = Log::start();
    request.headers_mut().insert("x-request-id", id.parse().unwrap());
    request.headers_mut().insert("x-forwarded-for", "203.0.113.7".parse().unwrap());
    request.extensions_mut().insert(Peer("127.0.0.1".parse().unwrap()));
    flow.bench.public(request).await;
    log.with(&format!("\"request_id\":\"{id}\""))
}

#[tokio::test]
async fn a_client_that_does_not_show_who_it_is_is_logged_without_its_secret() {
    let flow = Flow::with("client_secret_basic").await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for (number, client, named) in
        [(1, flow.client.as_str(), flow.client.as_str()), (2, "a-secret-in-its-place", "unknown")]
    {
        let request = basic(form("/oauth/token", &fields), client, "wrong-secret");
        let lines = logged(&flow, &format!("who-is-it-{number}"), request).await;
        let line = lines.iter().find(|line| line["message"] == "a client did not show who it is");
        let line = line.unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!((&line["client_id"], &line["level"]), (&named.into(), &"WARN".into()));
        assert_eq!(line["address"], "203.0.113.7");
        let text = format!("{lines:?}");
        assert!(!text.contains("wrong-secret") && !text.contains("a-secret-in"), "{text}");
    }
}
