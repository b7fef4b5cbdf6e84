//! `prompt`, and agreements that are remembered.

use axum::http::StatusCode;

use super::browser::{
    Browser, LOOPBACK, LOOPBACK_REDIRECT, PRIVATE, PRIVATE_REDIRECT, WEB_REDIRECT, answered,
    asking, client, error, register, register_known, url, web,
};
use crate::{
    config::{Config, User},
    testing::{Answer, Bench, PASSWORD, embedded, server},
};

/// A browser in which the user has allowed the client with the web site.
async fn agreed(bench: &Bench) -> Browser<'_> {
    let mut browser = Browser::new(bench);
    let page = browser.arrive(&web(&[])).await;
    let answer = browser.decide(&page, "allow").await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    browser
}

fn asks(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.body.contains("id=\"allow\"")
}

#[tokio::test]
async fn s41_an_agreement_with_a_web_site_is_remembered() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = agreed(&bench).await;
    let answer = browser.get(&url(&web(&[]))).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    let answer = browser.get(&url(&web(&[("prompt", "none")]))).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn s41_c1_an_agreement_covers_one_user_client_host_resource_and_set_of_scopes() {
    let bench = Bench::with(|config: &mut Config| {
        config.servers.push(server("weather"));
        let embedded = embedded(config);
        let second = User { email: "second@example.com".to_owned(), ..embedded.users[0].clone() };
        embedded.users.push(second);
    })
    .await;
    register(&bench).await;
    client(&bench, "twin", Some("Web Client"), &[WEB_REDIRECT]).await;
    client(&bench, "hosts", None, &[WEB_REDIRECT, "https://other.example/callback"]).await;
    let mut browser = agreed(&bench).await;
    let page = browser.arrive(&asking("hosts", WEB_REDIRECT, &[])).await;
    browser.decide(&page, "allow").await;

    for request in [
        asking("twin", WEB_REDIRECT, &[]),
        asking("hosts", "https://other.example/callback", &[]),
        web(&[("resource", "http://localhost:8080/weather/mcp")]),
        web(&[("scope", "mcp offline_access")]),
    ] {
        let answer = browser.arrive(&request).await;
        assert!(asks(&answer), "{request:?}: {answer:?}");
    }

    let page = browser.arrive(&web(&[("prompt", "consent")])).await;
    let answer = browser.decide(&page, "switch").await;
    let page = browser.follow(answer).await;
    let second = [("email", "SECOND@example.com"), ("password", PASSWORD)];
    let answer = browser.submit(&page, "/oauth/login", &second).await;
    let page = browser.follow(answer).await;
    assert!(asks(&page) && page.body.contains("second@example.com"), "{page:?}");
}

#[tokio::test]
async fn s41_fewer_scopes_than_agreed_to_are_covered() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[("scope", "offline_access mcp")])).await;
    browser.decide(&page, "allow").await;
    let answer = browser.get(&url(&web(&[("scope", "mcp")]))).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn s40_programs_on_the_users_machine_are_asked_about_each_time() {
    let bench = Bench::new().await;
    register(&bench).await;
    for (client_id, redirect_uri) in [(LOOPBACK, LOOPBACK_REDIRECT), (PRIVATE, PRIVATE_REDIRECT)] {
        let mut browser = Browser::new(&bench);
        let request = asking(client_id, redirect_uri, &[]);
        let page = browser.arrive(&request).await;
        browser.decide(&page, "allow").await;
        let page = browser.arrive(&request).await;
        assert!(asks(&page) && page.body.contains("id=\"warning\""), "{page:?}");
        let answer = browser.get(&url(&[request, vec![("prompt", "none")]].concat())).await;
        assert_eq!(answered(&answer, redirect_uri)["error"], "consent_required");
    }
}

#[tokio::test]
async fn prompt_none_shows_no_page_where_something_was_agreed_before() {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let mut browser = Browser::new(&bench);
    let none = url(&web(&[("prompt", "none")]));
    assert_eq!(error(&browser.get(&none).await), "login_required");
    browser.arrive(&web(&[])).await;
    assert_eq!(error(&browser.get(&none).await), "consent_required");
}

#[tokio::test]
async fn prompt_login_and_select_account_want_a_login_for_this_request() {
    for prompt in ["login", "select_account", "login consent"] {
        let bench = Bench::new().await;
        register(&bench).await;
        let mut browser = agreed(&bench).await;
        let answer = browser.get(&url(&web(&[("prompt", prompt)]))).await;
        let page = browser.follow(answer).await;
        assert!(page.body.contains("id=\"password\""), "{prompt}");
        let interaction = super::browser::hidden(&page, "interaction");
        let around = browser.get(&format!("/oauth/consent?interaction={interaction}")).await;
        assert!(browser.follow(around).await.body.contains("id=\"password\""), "{prompt}");
        let answer = browser.log_in(&page, PASSWORD).await;
        let answer = browser.follow(answer).await;
        assert_eq!(asks(&answer), prompt.contains("consent"), "{prompt}: {answer:?}");
    }
}

#[tokio::test]
async fn prompt_consent_asks_although_it_was_agreed() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = agreed(&bench).await;
    assert!(asks(&browser.arrive(&web(&[("prompt", "consent")])).await));
    let unknown = browser.get(&url(&web(&[("prompt", "create")]))).await;
    assert!(answered(&unknown, WEB_REDIRECT).contains_key("code"));
}
