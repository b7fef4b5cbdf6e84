//! Requests that are granted, and what their codes stand for.

use std::time::Duration;

use axum::http::StatusCode;

use super::browser::{
    Browser, CHALLENGE, LOOPBACK, LOOPBACK_REDIRECT, PRIVATE, PRIVATE_REDIRECT, WEB, WEB_REDIRECT,
    answered, asking, client, redeem, register, url, web,
};
use crate::{
    config::{Config, Server},
    testing::{Answer, Bench, EMAIL, NOW_MS, RESOURCE, config, form, server},
    users,
};

async fn allow(browser: &mut Browser<'_>, request: &[(&str, &str)]) -> Answer {
    let page = browser.arrive(request).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    browser.decide(&page, "allow").await
}

#[tokio::test]
async fn a_code_stands_for_what_was_asked_shown_and_allowed() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let answer =
        allow(&mut browser, &web(&[("resource", RESOURCE), ("scope", "mcp offline_access")])).await;
    assert_eq!(answered(&answer, WEB_REDIRECT)["state"], "xyz");
    let code = redeem(&bench, &answer, WEB_REDIRECT).await;
    assert_eq!(code.granted.client_id, WEB);
    assert_eq!(code.granted.resources, [RESOURCE]);
    assert_eq!(code.granted.scope, "mcp offline_access");
    assert_eq!(code.granted.sub, users::sub(&bench.app.config, EMAIL));
    assert_eq!(code.granted.email.as_deref(), Some(EMAIL));
    assert_eq!(code.granted.groups, ["Developers"]);
    assert_eq!(code.granted.auth_time, NOW_MS / 1000);
    assert_eq!((code.redirect_uri.as_str(), code.redirect_uri_sent), (WEB_REDIRECT, true));
    assert_eq!(code.code_challenge, CHALLENGE);
    assert_eq!(code.expires_at, NOW_MS / 1000 + 60);
}

#[tokio::test]
async fn s06_rule_13_every_kind_of_client_is_answered_by_303_with_state_and_iss() {
    let bench = Bench::new().await;
    register(&bench).await;
    for (client_id, redirect_uri) in
        [(WEB, WEB_REDIRECT), (LOOPBACK, LOOPBACK_REDIRECT), (PRIVATE, PRIVATE_REDIRECT)]
    {
        let answer = allow(&mut Browser::new(&bench), &asking(client_id, redirect_uri, &[])).await;
        let names: Vec<String> = answered(&answer, redirect_uri).into_keys().collect();
        assert_eq!(names, ["code", "iss", "state"]);
        let code = redeem(&bench, &answer, redirect_uri).await;
        assert_eq!(
            (code.granted.client_id.as_str(), code.redirect_uri.as_str()),
            (client_id, redirect_uri)
        );
    }
}

#[tokio::test]
async fn a_request_in_a_form_is_as_good_as_one_in_the_query() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    browser.fetch_site = Some("cross-site");
    browser.origin = Some("https://client.example");
    let answer = browser.post("/oauth/authorize", &web(&[])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(browser.follow(answer).await.body.contains("id=\"password\""));
}

#[tokio::test]
async fn s46_a_network_can_make_us_keep_few_requests_a_second() {
    let bench = Bench::new().await;
    register(&bench).await;
    for _ in 0..100 {
        let answer = Browser::new(&bench).get(&url(&web(&[]))).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
    let refused = Browser::new(&bench).get(&url(&web(&[]))).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "10");
    bench.advance(Duration::from_millis(200));
    let answer = Browser::new(&bench).get(&url(&web(&[]))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_query_of_a_redirect_uri_is_kept() {
    let bench = Bench::new().await;
    let uri = "https://client.example/cb?tenant=a%20b";
    client(&bench, "query", None, &[uri]).await;
    let answer = allow(&mut Browser::new(&bench), &asking("query", uri, &[])).await;
    let location = answer.header("location");
    assert!(location.starts_with("https://client.example/cb?tenant=a%20b&code="), "{location}");
}

#[tokio::test]
async fn a_redirect_uri_that_was_left_out_is_marked_so() {
    let bench = Bench::new().await;
    register(&bench).await;
    let answer = allow(&mut Browser::new(&bench), &web(&[("redirect_uri", "")])).await;
    let code = redeem(&bench, &answer, WEB_REDIRECT).await;
    assert_eq!((code.redirect_uri.as_str(), code.redirect_uri_sent), (WEB_REDIRECT, false));
}

fn weather() -> Server {
    Server { scopes: vec!["mcp".to_owned(), "weather".to_owned()], ..server("weather") }
}

async fn granted(request: &[(&str, &str)]) -> (Vec<String>, String) {
    let bench = Bench::with(|config: &mut Config| config.servers.push(weather())).await;
    register(&bench).await;
    let answer = allow(&mut Browser::new(&bench), request).await;
    let code = redeem(&bench, &answer, WEB_REDIRECT).await;
    (code.granted.resources, code.granted.scope)
}

#[tokio::test]
async fn s14_resources_are_granted_as_asked_and_by_default_the_first() {
    let other = "http://localhost:8080/weather/mcp";
    assert_eq!(granted(&web(&[])).await.0, [RESOURCE]);
    assert_eq!(granted(&web(&[("resource", other)])).await.0, [other]);
    let both =
        [web(&[]), vec![("resource", other), ("resource", RESOURCE), ("resource", other)]].concat();
    assert_eq!(granted(&both).await.0, [other, RESOURCE]);
}

#[tokio::test]
async fn rule_4_scopes_are_narrowed_and_never_refused() {
    let other = "http://localhost:8080/weather/mcp";
    for (scope, resource, expected) in [
        ("", RESOURCE, "mcp"),
        ("claudeai openid", RESOURCE, "mcp"),
        ("weather", RESOURCE, "mcp"),
        ("weather", other, "weather"),
        ("", other, "mcp weather"),
        ("offline_access", RESOURCE, "mcp offline_access"),
        ("offline_access  mcp mcp", RESOURCE, "mcp offline_access"),
    ] {
        let (_, scopes) = granted(&web(&[("scope", scope), ("resource", resource)])).await;
        assert_eq!(scopes, expected, "{scope:?} at {resource}");
    }
}

#[test]
fn rule_9_a_resource_is_compared_as_a_url() {
    let mut config = config();
    config.servers.push(Server { path: String::new(), ..server("root") });
    let found = |asked: &str| {
        let servers = super::super::resource::resolve(&config, &[asked.to_owned()]).unwrap();
        servers.iter().map(|server| server.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(found("HTTP://LOCALHOST:8080/everything/mcp"), ["everything"]);
    assert_eq!(found("http://localhost:8080"), ["root"]);
    assert_eq!(found("http://localhost:8080/"), ["root"]);
}

/// Redeems a code that was made for the client with the web site, each of `changes` replaced.
async fn exchange(changes: &[(&str, &str)]) -> (StatusCode, serde_json::Value) {
    let bench = Bench::new().await;
    register(&bench).await;
    let answer = allow(&mut Browser::new(&bench), &web(&[])).await;
    let code = answered(&answer, WEB_REDIRECT)["code"].clone();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", WEB),
        ("redirect_uri", WEB_REDIRECT),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    for change in changes {
        fields.retain(|(name, _)| name != &change.0);
    }
    fields.extend(changes.iter().copied());
    let answer = bench.public(form("/oauth/token", &fields)).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_code_is_worth_something_only_to_the_client_and_the_request_that_it_was_made_for() {
    let (status, tokens) = exchange(&[]).await;
    assert_eq!((status, &tokens["scope"]), (StatusCode::OK, &"mcp".into()));
    for changes in [
        ("client_id", LOOPBACK),
        ("redirect_uri", LOOPBACK_REDIRECT),
        ("code_verifier", "an-injected-code-meets-the-verifier-of-another-request"),
    ] {
        let (status, refusal) = exchange(&[changes]).await;
        assert_eq!((status, &refusal["error"]), (StatusCode::BAD_REQUEST, &"invalid_grant".into()));
    }
}
