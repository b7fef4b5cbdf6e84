//! The consent page.

use axum::http::StatusCode;

use super::browser::{
    Browser, LOOPBACK, LOOPBACK_REDIRECT, PRIVATE, PRIVATE_REDIRECT, WEB_REDIRECT, answered,
    asking, client, error, hidden, register, url, web,
};
use crate::config::StaticClient;
use crate::testing::{Bench, EMAIL, RESOURCE};

#[tokio::test]
async fn s40_c4_c5_c6_the_page_says_who_asks_for_what_and_where_it_goes() {
    let bench = Bench::new().await;
    register(&bench).await;
    let page = Browser::new(&bench).arrive(&web(&[("scope", "mcp offline_access")])).await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "Web Client",
        "nobody has verified it",
        "client.example",
        WEB_REDIRECT,
        "Use its tools, prompts and resources in your name",
        "<code>mcp</code>",
        "Stay connected while you are away",
        "<code>offline_access</code>",
        RESOURCE,
        EMAIL,
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("id=\"warning\""));
}

#[tokio::test]
async fn s40_a_program_on_the_users_machine_is_called_so() {
    let bench = Bench::new().await;
    register(&bench).await;
    let page = Browser::new(&bench).arrive(&asking(LOOPBACK, LOOPBACK_REDIRECT, &[])).await;
    for text in [
        "localhost:53412",
        "a program on this computer",
        "Allow it only if you started this yourself",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    let page = Browser::new(&bench).arrive(&asking(PRIVATE, PRIVATE_REDIRECT, &[])).await;
    for text in [
        "cursor://anysphere.cursor-mcp",
        "an application installed on this computer",
        "id=\"warning\"",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
}

#[tokio::test]
async fn s40_a_client_of_the_configuration_is_asked_about_and_called_so() {
    let client = StaticClient {
        id: "app".to_owned(),
        name: "Claude for everybody".to_owned(),
        redirect_uris: vec![WEB_REDIRECT.to_owned(), "http://localhost/callback".to_owned()],
        proof: None,
    };
    let bench = Bench::with(|config| config.authorization.clients.configured.push(client)).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&asking("app", LOOPBACK_REDIRECT, &[])).await;
    for text in ["Claude for everybody", "Whoever runs this gateway", "id=\"warning\""] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("nobody has verified it"), "{}", page.body);
    let page = browser.arrive(&asking("app", WEB_REDIRECT, &[])).await;
    assert!(!page.body.contains("id=\"impersonation\""), "the operator has looked at it");
    let answer = browser.decide(&page, "allow").await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    let account = browser.get("/account").await;
    assert!(account.body.contains("Claude for everybody"), "{}", account.body);
    let elsewhere = browser.get(&url(&asking("app", "https://evil.example/", &[]))).await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn s40_what_a_client_calls_itself_is_text_and_nothing_else() {
    let bench = Bench::new().await;
    let name =
        "</bdi></h1><script>alert(1)</script><form action=//evil.example>\" onx='&\u{202e}\u{200b}";
    client(&bench, "hostile", Some(name), &[WEB_REDIRECT]).await;
    let page = Browser::new(&bench).arrive(&asking("hostile", WEB_REDIRECT, &[])).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.body.matches("<form").count(), 1);
    assert!(page.body.contains("&#60;script&#62;"), "{}", page.body);
    for text in ["<script", "evil.example>", "\" onx", "\u{202e}", "\u{200b}"] {
        assert!(!page.body.contains(text), "{text:?}: {}", page.body);
    }
}

#[tokio::test]
async fn what_was_typed_comes_back_as_text() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get(&url(&web(&[]))).await;
    let page = browser.follow(answer).await;
    let fields = [("email", "\"><script>alert(1)</script>"), ("password", "secret-password")];
    let page = browser.submit(&page, "/oauth/login", &fields).await;
    assert!(!page.body.contains("<script") && !page.body.contains("secret-password"));
}

#[tokio::test]
async fn a_denial_is_told_to_the_client() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    let answer = browser.decide(&page, "deny").await;
    assert_eq!(error(&answer), "access_denied");
    assert_eq!(answered(&answer, WEB_REDIRECT)["state"], "xyz");
    let page = browser.arrive(&web(&[])).await;
    assert!(page.body.contains("id=\"allow\""), "a denial is no agreement");
}

#[tokio::test]
async fn one_request_gets_one_answer() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    assert!(answered(&browser.decide(&page, "allow").await, WEB_REDIRECT).contains_key("code"));
    for decision in ["allow", "deny"] {
        let again = browser.decide(&page, decision).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert!(!again.headers.contains_key("location"));
    }
    let interaction = hidden(&page, "interaction");
    let again = browser.get(&format!("/oauth/consent?interaction={interaction}")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn s42_c7_a_consent_form_needs_its_session_its_token_and_our_page() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    let interaction = hidden(&page, "interaction");
    for csrf in ["", "x", &hidden(&browser.arrive(&web(&[])).await, "csrf")] {
        let fields = [("interaction", interaction.as_str()), ("csrf", csrf), ("decision", "allow")];
        assert_eq!(browser.post("/oauth/consent", &fields).await.status, StatusCode::FORBIDDEN);
    }
    browser.fetch_site = Some("cross-site");
    assert_eq!(browser.decide(&page, "allow").await.status, StatusCode::FORBIDDEN);
    browser.fetch_site = Some("same-origin");

    let nonsense = browser.decide(&page, "perhaps").await;
    assert_eq!(nonsense.status, StatusCode::BAD_REQUEST);

    let mut stranger = Browser::new(&bench);
    stranger.arrive(&web(&[])).await;
    assert_eq!(stranger.decide(&page, "allow").await.status, StatusCode::BAD_REQUEST);

    assert!(answered(&browser.decide(&page, "allow").await, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn s42_a_page_of_an_earlier_session_answers_nothing() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let stale = browser.arrive(&web(&[])).await;
    let other = browser.arrive(&web(&[])).await;
    let answer = browser.decide(&other, "switch").await;
    let login = browser.follow(answer).await;
    let without = browser.decide(&stale, "allow").await;
    assert!(without.header("location").starts_with("/oauth/login?"), "{without:?}");
    browser.log_in(&login, crate::testing::PASSWORD).await;
    assert_eq!(browser.decide(&stale, "allow").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn another_account_begins_with_a_login() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    let answer = browser.decide(&page, "switch").await;
    assert!(!browser.cookies.contains_key("attache_session_8080"));
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"password\""));
    let answer = browser.log_in(&page, crate::testing::PASSWORD).await;
    let page = browser.follow(answer).await;
    assert!(answered(&browser.decide(&page, "allow").await, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn c2_c11_nothing_is_granted_before_the_answer() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    let codes: i64 =
        sqlx::query_scalar("SELECT (SELECT COUNT(*) FROM codes) + (SELECT COUNT(*) FROM consents)")
            .fetch_one(bench.app.store.reader())
            .await
            .unwrap();
    assert_eq!(codes, 0);
}

#[tokio::test]
async fn s28_c3_no_secret_of_a_browser_is_in_the_database() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = browser.arrive(&web(&[])).await;
    let mut secrets: Vec<String> = browser.cookies.values().cloned().collect();
    secrets.push(hidden(&page, "interaction"));
    let rows: Vec<(Vec<u8>, Vec<u8>, String)> = sqlx::query_as(
        "SELECT id, browser, asked FROM interactions UNION ALL SELECT id, credential, sub FROM sessions",
    )
    .fetch_all(bench.app.store.reader())
    .await
    .unwrap();
    assert_eq!(rows.len(), 2);
    for secret in secrets {
        let is_in =
            |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(
            rows.iter().all(|(id, other, text)| {
                !is_in(id) && !is_in(other) && !is_in(text.as_bytes())
            })
        );
    }
}

#[tokio::test]
async fn s52_a_known_name_at_an_unknown_host_is_warned_of() {
    let bench = Bench::new().await;
    register(&bench).await;
    client(&bench, "pretender", Some("Cl\u{200b}aude"), &[WEB_REDIRECT]).await;
    let page = Browser::new(&bench).arrive(&asking("pretender", WEB_REDIRECT, &[])).await;
    assert!(page.body.contains("id=\"impersonation\""), "{}", page.body);
    assert!(page.body.contains("is not known to belong to Claude"), "{}", page.body);
    for (id, uri) in
        [("web-client", WEB_REDIRECT), (LOOPBACK, LOOPBACK_REDIRECT), (PRIVATE, PRIVATE_REDIRECT)]
    {
        let page = Browser::new(&bench).arrive(&asking(id, uri, &[])).await;
        assert!(page.body.contains("id=\"allow\"") && !page.body.contains("id=\"impersonation\""));
    }
}
