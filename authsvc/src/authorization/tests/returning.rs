//! Errors of requests that nobody was asked about, on their way to a web site.

use axum::http::StatusCode;

use super::browser::{
    Browser, LOOPBACK, LOOPBACK_REDIRECT, PRIVATE, PRIVATE_REDIRECT, WEB_REDIRECT, answered,
    asking, client, error, register, url, web,
};
use crate::{
    config::{Config, User},
    testing::{Answer, Bench, PASSWORD, embedded, get},
};

const FAULTS: [(&str, &str); 3] =
    [("resource", "https://elsewhere.example/mcp"), ("response_type", "token"), ("prompt", "none")];

/// Where the link of a page leads that does nothing by itself.
fn link(page: &Answer) -> String {
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
    for header in ["location", "refresh"] {
        assert!(!page.headers.contains_key(header), "{page:?}");
    }
    for automatic in ["http-equiv", "<script", "<form", "<img", "<iframe"] {
        assert!(!page.body.contains(automatic), "{}", page.body);
    }
    let (_, rest) =
        page.body.split_once("<a href=\"").unwrap_or_else(|| panic!("no link: {page:?}"));
    rest.split_once('"').unwrap().0.replace("&#38;", "&")
}

#[tokio::test]
async fn an_error_leads_to_a_web_site_unknown_to_the_user_only_by_a_click() {
    let bench = Bench::new().await;
    register(&bench).await;
    for fault in FAULTS {
        let page = bench.public(get(&url(&web(&[fault])))).await;
        let link = link(&page);
        assert!(link.starts_with("https://client.example/callback?error="), "{link}");
        assert!(link.contains("&state=xyz&iss=http%3A%2F%2Flocalhost%3A8080"), "{link}");
        assert!(page.body.contains("Go back to client.example"), "{}", page.body);
    }
}

#[tokio::test]
async fn where_the_user_has_agreed_errors_go_by_themselves() {
    let bench = Bench::with(|config: &mut Config| {
        let embedded = embedded(config);
        let second = User { email: "second@example.com".to_owned(), ..embedded.users[0].clone() };
        embedded.users.push(second);
    })
    .await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    browser.decide(&page, "allow").await;
    for (name, value) in FAULTS.into_iter().take(2) {
        error(&browser.get(&url(&web(&[(name, value)]))).await);
    }
    let silent = url(&web(&[("prompt", "none")]));
    assert_eq!(error(&bench.public(get(&silent)).await), "login_required");

    let page = browser.arrive(&web(&[("prompt", "consent")])).await;
    let answer = browser.decide(&page, "switch").await;
    let page = browser.follow(answer).await;
    let second = [("email", "second@example.com"), ("password", PASSWORD)];
    browser.submit(&page, "/oauth/login", &second).await;
    for fault in FAULTS {
        link(&browser.get(&url(&web(&[fault]))).await);
    }
}

#[tokio::test]
async fn an_agreement_with_one_client_or_host_says_nothing_of_another() {
    let bench = Bench::new().await;
    register(&bench).await;
    client(&bench, "twin", None, &[WEB_REDIRECT]).await;
    client(&bench, "hosts", None, &[WEB_REDIRECT, "https://other.example/callback"]).await;
    let mut browser = Browser::new(&bench);
    for request in [web(&[]), asking("hosts", WEB_REDIRECT, &[])] {
        let page = browser.arrive(&request).await;
        browser.decide(&page, "allow").await;
    }
    for (client_id, redirect_uri) in
        [("twin", WEB_REDIRECT), ("hosts", "https://other.example/callback")]
    {
        let request = asking(client_id, redirect_uri, &[("response_type", "token")]);
        link(&browser.get(&url(&request)).await);
        link(&bench.public(get(&url(&request))).await);
    }
}

#[tokio::test]
async fn programs_on_the_users_machine_are_told_at_once() {
    let bench = Bench::new().await;
    register(&bench).await;
    for (client_id, redirect_uri) in [(LOOPBACK, LOOPBACK_REDIRECT), (PRIVATE, PRIVATE_REDIRECT)] {
        for fault in FAULTS {
            let answer = bench.public(get(&url(&asking(client_id, redirect_uri, &[fault])))).await;
            assert!(answered(&answer, redirect_uri).contains_key("error"));
        }
    }
}

#[tokio::test]
async fn a_redirect_uri_stays_inside_the_link() {
    let bench = Bench::new().await;
    let hostile = "https://client.example/cb?a='onclick='x&b=<script>";
    client(&bench, "hostile", None, &[hostile]).await;
    let request = asking("hostile", hostile, &[("response_type", "token")]);
    let page = bench.public(get(&url(&request))).await;
    let back = link(&page);
    assert!(!back.contains(['<', '\'']), "{back}");
    assert!(back.starts_with("https://client.example/cb?a=&#39;onclick=&#39;x&b=&#60;script&#62;"));
}
