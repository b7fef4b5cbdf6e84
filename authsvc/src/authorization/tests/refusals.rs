//! Requests that are not granted, and where that is said.

use axum::http::StatusCode;

use super::browser::{
    Browser, CHALLENGE, LOOPBACK, LOOPBACK_REDIRECT, WEB, WEB_REDIRECT, answered, asking, client,
    error, register_known, url, web,
};
use crate::{
    config::HostPattern,
    testing::{Bench, RESOURCE, form, get, log::Log},
};

async fn page(request: &[(&str, &str)], title: &str) {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let answer = bench.public(get(&url(request))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{request:?}");
    assert!(!answer.headers.contains_key("location"), "{request:?}");
    assert!(answer.body.contains(title), "{}", answer.body);
}

async fn refused(request: &[(&str, &str)], expected: &str) {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let answer = bench.public(get(&url(request))).await;
    assert_eq!(error(&answer), expected, "{request:?}");
    assert_eq!(answered(&answer, WEB_REDIRECT)["state"], "xyz", "{request:?}");
}

#[tokio::test]
async fn s04_an_unknown_client_gets_a_page_and_no_redirect() {
    let title = "This application is not known here";
    for client_id in ["nobody", "' OR 1=1 --", ""] {
        page(&web(&[("client_id", client_id)]), title).await;
    }
    let long = "x".repeat(3000);
    page(&web(&[("client_id", &long)]), title).await;
    page(&[web(&[]), vec![("client_id", WEB)]].concat(), title).await;
}

#[tokio::test]
async fn s04_a_redirect_uri_that_was_not_registered_gets_a_page_and_no_redirect() {
    let title = "The way back does not match";
    for redirect_uri in [
        "https://evil.example/callback",
        "https://client.example/callback/",
        "https://client.example/callback?x=1",
        "https://client.example:8443/callback",
        "http://client.example/callback",
        "https://client.example/callback/../callback",
        "https://client.example@evil.example/callback",
        "javascript:alert(1)",
        LOOPBACK_REDIRECT,
    ] {
        page(&web(&[("redirect_uri", redirect_uri)]), title).await;
    }
    let twice = [web(&[]), vec![("redirect_uri", WEB_REDIRECT)]].concat();
    page(&twice, title).await;
    let other = asking(LOOPBACK, "http://127.0.0.1:53412/callback", &[]);
    page(&other, title).await;
}

#[tokio::test]
async fn a_redirect_uri_may_be_left_out_only_where_one_is_registered() {
    let bench = Bench::new().await;
    register_known(&bench).await;
    client(&bench, "two", None, &[WEB_REDIRECT, "https://client.example/other"]).await;
    let without = web(&[("redirect_uri", ""), ("prompt", "none")]);
    assert_eq!(error(&bench.public(get(&url(&without))).await), "login_required");
    let ambiguous = web(&[("redirect_uri", ""), ("client_id", "two")]);
    let answer = bench.public(get(&url(&ambiguous))).await;
    assert!(answer.body.contains("The way back does not match"));
}

#[tokio::test]
async fn s05_s15_every_other_error_goes_to_the_client_with_state_and_iss() {
    for (changes, expected) in [
        ([("response_type", "")], "invalid_request"),
        ([("resource", "https://elsewhere.example/mcp")], "invalid_target"),
        ([("prompt", "none")], "login_required"),
        ([("prompt", "none login")], "invalid_request"),
        ([("request", "eyJ9")], "request_not_supported"),
        ([("request_uri", "https://client.example/r")], "request_uri_not_supported"),
        ([("response_mode", "fragment")], "invalid_request"),
        ([("response_mode", "form_post")], "invalid_request"),
    ] {
        refused(&web(&changes), expected).await;
    }
}

#[tokio::test]
async fn s08_only_codes_are_issued() {
    for response_type in ["token", "id_token", "code token", "code id_token", "none", "CODE"] {
        refused(&web(&[("response_type", response_type)]), "unsupported_response_type").await;
    }
}

#[tokio::test]
async fn s09_a_repeated_parameter_is_refused_unless_it_is_resource() {
    for (name, value) in [
        ("response_type", "code"),
        ("scope", "mcp"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
    ] {
        refused(&[web(&[]), vec![(name, value), (name, value)]].concat(), "invalid_request").await;
    }
    let bench = Bench::new().await;
    register_known(&bench).await;
    let states = [web(&[]), vec![("state", "other")]].concat();
    let answer = bench.public(get(&url(&states))).await;
    assert_eq!(error(&answer), "invalid_request");
    assert!(!answered(&answer, WEB_REDIRECT).contains_key("state"));
    let resources = [web(&[("prompt", "none")]), vec![("resource", RESOURCE); 2]].concat();
    assert_eq!(error(&bench.public(get(&url(&resources))).await), "login_required");
}

#[tokio::test]
async fn s10_state_comes_back_byte_for_byte() {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let query = url(&web(&[("state", ""), ("prompt", "none")]));
    let every_byte: String = (0..=255_u8).map(|byte| format!("%{byte:02X}")).collect();
    for (sent, back) in [
        (every_byte.as_str(), every_byte.as_str()),
        ("a+b%2Bc%26d%3De%23f", "a%20b%2Bc%26d%3De%23f"),
        ("%0d%0aLocation:%20x", "%0D%0ALocation%3A%20x"),
        ("%zz%", "%25zz%25"),
        ("%C3%A9=%F0%9F%98%80", "%C3%A9%3D%F0%9F%98%80"),
    ] {
        let answer = bench.public(get(&format!("{query}&state={sent}"))).await;
        let location = answer.header("location");
        let state = location.split_once("&state=").unwrap().1.split_once('&').unwrap().0;
        let bytes = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        assert_eq!(bytes(state), bytes(back), "{sent}");
    }
    let longest = "s".repeat(4096);
    let answer = bench.public(get(&format!("{query}&state={longest}"))).await;
    assert_eq!(answered(&answer, WEB_REDIRECT)["state"], longest);
}

#[tokio::test]
async fn s10_what_is_too_long_is_refused() {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let state = "s".repeat(4097);
    let answer = bench.public(get(&url(&web(&[("state", &state)])))).await;
    assert_eq!(error(&answer), "invalid_request");
    assert!(!answered(&answer, WEB_REDIRECT).contains_key("state"));

    let scope = "mcp ".repeat(1000);
    refused(&web(&[("scope", &scope)]), "invalid_request").await;

    let padding = "p".repeat(40_000);
    for request in
        [get(&url(&web(&[("x", &padding)]))), form("/oauth/authorize", &web(&[("x", &padding)]))]
    {
        let answer = bench.public(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("This request cannot be read"));
    }
}

#[tokio::test]
async fn s11_pkce_with_s256_is_required() {
    let bad = format!("{}!", "x".repeat(42));
    let short = "x".repeat(42);
    for changes in [
        &[("code_challenge", ""), ("code_challenge_method", "")][..],
        &[("code_challenge", "")],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "s256")],
        &[("code_challenge", bad.as_str())],
        &[("code_challenge", short.as_str())],
    ] {
        refused(&web(changes), "invalid_request").await;
    }
}

#[tokio::test]
async fn s14_a_resource_that_is_not_ours_is_refused() {
    for resource in [
        "http://localhost:8080/other/mcp",
        "http://localhost:8080/everything/mcp/",
        "http://localhost:8080/",
        "http://localhost:8080/everything/mcp#x",
        "http://localhost:8080/everything/mcp?x=1",
        "http://user@localhost:8080/everything/mcp",
        "https://localhost:8080/everything/mcp",
        "/everything/mcp",
        "everything",
    ] {
        refused(&web(&[("resource", resource)]), "invalid_target").await;
        let mixed = [web(&[]), vec![("resource", RESOURCE), ("resource", resource)]].concat();
        refused(&mixed, "invalid_target").await;
    }
    let many = [web(&[]), vec![("resource", RESOURCE); 11]].concat();
    refused(&many, "invalid_target").await;
}

#[tokio::test]
async fn what_is_no_form_is_not_read() {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let mut request = form("/oauth/authorize", &web(&[]));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(bench.public(request).await.status, StatusCode::BAD_REQUEST);
    let mut browser = Browser::new(&bench);
    assert_eq!(browser.get("/oauth/login").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get("/oauth/consent?interaction=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn s54_a_host_that_is_not_trusted_is_named_to_the_user_and_the_setting_to_the_operator() {
    let bench = Bench::with(|config| {
        let trusted = HostPattern::Exactly("claude.ai".to_owned());
        config.authorization.clients.metadata_documents.hosts = vec![trusted];
    })
    .await;
    let document = "https://client.example/oauth/client.json";
    let answer = bench.public(get(&url(&web(&[("client_id", document)])))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    for text in [
        "This application is not accepted here",
        "described at client.example.",
        "Whoever runs this gateway can allow it.",
    ] {
        assert!(answer.body.contains(text), "{text}: {}", answer.body);
    }
    let answer = bench.public(get(&url(&web(&[("client_id", "https://client.example/")])))).await;
    assert!(answer.body.contains("This application is not known here"), "it names no document");
}

#[tokio::test]
async fn who_is_turned_away_is_logged_with_the_reason() {
    let log = Log::start();
    let bench = Bench::with(|config| {
        config.authorization.clients.metadata_documents.hosts = Vec::new();
    })
    .await;
    register_known(&bench).await;
    let secret = "https://me:password@evil.example:8443/callback?token=secret#secret";
    for (number, changes, client, reason) in [
        (
            1,
            ("client_id", "nobody"),
            "unknown",
            "its client_id is not registered here, or was forgotten",
        ),
        (
            2,
            ("client_id", "https://client.example/x.json"),
            "https://client.example/x.json",
            "client_id_metadata_documents.hosts does not have client.example",
        ),
        (
            3,
            ("redirect_uri", secret),
            WEB,
            "redirect_uri is https://evil.example:8443/callback, and the client did not register it",
        ),
        (4, ("client_id", ""), "none", "client_id is missing, repeated or too long"),
    ] {
        let id = format!("turned-away-{number}");
        let mut request = get(&url(&web(&[changes])));
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        bench.public(request).await;
        let lines = log.with(&format!("\"request_id\":\"{id}\""));
        let line = lines.iter().find(|line| line["message"] == "a client was turned away");
        let line = line.unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!((&line["client_id"], &line["reason"]), (&client.into(), &reason.into()));
        let text = format!("{lines:?}");
        assert!(!text.contains("password") && !text.contains("token=secret"), "{text}");
    }
}
