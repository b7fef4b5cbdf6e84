//! The login page.

use std::time::Duration;

use axum::http::StatusCode;

use super::browser::{Browser, WEB_REDIRECT, answered, hidden, register, register_known, url, web};
use crate::{
    config::Config,
    store::users::Change,
    testing::{Answer, Bench, EMAIL, PASSWORD, embedded, entry, get},
};

const SESSION: &str = "attache_session_8080";

async fn login_page(browser: &mut Browser<'_>) -> Answer {
    let answer = browser.get(&url(&web(&[]))).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"password\""), "{page:?}");
    page
}

async fn try_login(
    browser: &mut Browser<'_>,
    page: &Answer,
    email: &str,
    password: &str,
) -> Answer {
    browser.submit(page, "/oauth/login", &[("email", email), ("password", password)]).await
}

#[tokio::test]
async fn s42_c7_a_login_form_from_elsewhere_is_refused() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    for (site, origin, expected) in [
        (Some("cross-site"), Some("http://localhost:8080"), StatusCode::FORBIDDEN),
        (Some("same-site"), None, StatusCode::FORBIDDEN),
        (Some("same-origin"), Some("https://evil.example"), StatusCode::FORBIDDEN),
        (None, Some("https://evil.example"), StatusCode::FORBIDDEN),
        (None, Some("null"), StatusCode::FORBIDDEN),
        (Some("none"), Some("null"), StatusCode::FORBIDDEN),
        (None, Some("http://localhost:8080"), StatusCode::UNAUTHORIZED),
        (Some("same-origin"), Some("null"), StatusCode::UNAUTHORIZED),
        (None, None, StatusCode::UNAUTHORIZED),
    ] {
        (browser.fetch_site, browser.origin) = (site, origin);
        let answer = browser.log_in(&page, "wrong").await;
        assert_eq!(answer.status, expected, "{site:?} {origin:?}");
    }
}

#[tokio::test]
async fn s42_c7_a_login_form_without_its_own_token_is_refused() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let other = login_page(&mut browser).await;
    let (interaction, foreign) = (hidden(&page, "interaction"), hidden(&other, "csrf"));
    for csrf in ["", "x", &foreign] {
        let fields = [
            ("interaction", interaction.as_str()),
            ("csrf", csrf),
            ("email", EMAIL),
            ("password", PASSWORD),
        ];
        let answer = browser.post("/oauth/login", &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!browser.cookies.contains_key(SESSION));
    }
}

#[tokio::test]
async fn s45_an_interaction_belongs_to_the_browser_that_began_it() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let mut other = Browser::new(&bench);
    let answer = try_login(&mut other, &page, EMAIL, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let interaction = hidden(&page, "interaction");
    drop(login_page(&mut other).await);
    let answer = other.get(&format!("/oauth/login?interaction={interaction}")).await;
    assert!(answer.body.contains("This page does not belong to this browser"));
}

#[tokio::test]
async fn s45_a_login_makes_a_new_session_and_ends_the_old_one() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    browser.cookies.insert(SESSION.to_owned(), "planted".to_owned());
    let page = login_page(&mut browser).await;
    browser.log_in(&page, PASSWORD).await;
    let first = browser.cookies[SESSION].clone();
    assert_ne!(first, "planted");

    let answer = browser.get(&url(&web(&[("prompt", "login")]))).await;
    let page = browser.follow(answer).await;
    browser.log_in(&page, PASSWORD).await;
    assert_ne!(browser.cookies[SESSION], first);
    browser.cookies.insert(SESSION.to_owned(), first);
    drop(login_page(&mut browser).await);
}

#[tokio::test]
async fn s46_an_unknown_address_and_a_wrong_password_look_the_same() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let known = try_login(&mut browser, &page, EMAIL, "wrong").await;
    let unknown = try_login(&mut browser, &page, "nobody@example.com", "wrong").await;
    assert_eq!(
        (known.status, unknown.status),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(known.body, unknown.body.replace("nobody@example.com", EMAIL));
    assert!(known.body.contains("Email or password is wrong."));
    let empty = try_login(&mut browser, &page, "", "").await;
    assert_eq!(empty.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s46_after_five_failures_even_the_right_password_has_to_wait() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    for _ in 0..5 {
        assert_eq!(browser.log_in(&page, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = browser.log_in(&page, PASSWORD).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert!(answer.body.contains("Wait 1 second, then try again."));
    bench.advance(Duration::from_secs(1));
    assert_eq!(browser.log_in(&page, PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s46_a_password_of_more_than_1024_bytes_is_wrong() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let answer = browser.log_in(&page, &"p".repeat(1025)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = browser.log_in(&page, &"p".repeat(20_000)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_request_waits_ten_minutes() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    bench.advance(Duration::from_secs(599));
    assert_eq!(browser.log_in(&page, PASSWORD).await.status, StatusCode::SEE_OTHER);
    bench.advance(Duration::from_secs(1));
    let answer = browser.log_in(&page, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert!(answer.body.contains("10 minutes"));
}

#[tokio::test]
async fn a_flood_of_requests_pushes_out_the_oldest_and_stops_no_one() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let mut logged_in = Browser::new(&bench);
    let consent = logged_in.arrive(&web(&[])).await;
    for _ in 0..60 {
        login_page(&mut Browser::new(&bench)).await;
    }
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM interactions")
        .fetch_one(bench.app.store.reader())
        .await
        .unwrap();
    assert_eq!(kept, 50);
    assert_eq!(browser.log_in(&page, PASSWORD).await.status, StatusCode::BAD_REQUEST);
    let answer = logged_in.decide(&consent, "allow").await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
}

/// Whether the user is still logged in after `steps`, a request at the end of each.
async fn stays(steps: &[u64]) -> bool {
    let bench = Bench::new().await;
    register_known(&bench).await;
    let mut browser = Browser::new(&bench);
    browser.arrive(&web(&[])).await;
    let mut last = true;
    for seconds in steps {
        bench.advance(Duration::from_secs(*seconds));
        let answer = browser.get(&url(&web(&[("prompt", "none")]))).await;
        last = answered(&answer, WEB_REDIRECT)["error"] == "consent_required";
    }
    last
}

#[tokio::test]
async fn a_session_ends_after_two_silent_hours_or_twelve_in_all() {
    const HOUR: u64 = 3600;
    assert!(stays(&[2 * HOUR - 1]).await);
    assert!(!stays(&[2 * HOUR]).await);
    assert!(stays(&[HOUR; 11]).await);
    assert!(!stays(&[HOUR; 12]).await);
}

#[tokio::test]
async fn a_session_ends_with_the_password_that_it_was_made_with() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    browser.arrive(&web(&[])).await;
    let mut changed: Config = (*bench.app.config).clone();
    let embedded = embedded(&mut changed);
    embedded.users[0].password_hash =
        attache_protocol::secret::Secret::new("$argon2id$v=19$m=8,t=1,p=1$YQ$YQ".to_owned());
    let mut restarted = bench.app.clone();
    restarted.config = changed.into();
    let headers = cookie(&browser);
    assert!(crate::sessions::current(&restarted, &headers).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_who_was_removed_is_not_logged_in() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    browser.arrive(&web(&[])).await;
    let headers = cookie(&browser);
    assert!(crate::sessions::current(&bench.app, &headers).await.unwrap().is_some());
    let mut changed: Config = (*bench.app.config).clone();
    no_users(&mut changed);
    let mut restarted = bench.app.clone();
    restarted.config = changed.into();
    assert!(crate::sessions::current(&restarted, &headers).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_of_the_database_logs_in_and_is_out_when_they_are_disabled() {
    let bench = Bench::with(no_users).await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    assert!(page.body.contains("Nobody can sign in here yet"), "{}", page.body);
    let user = crate::testing::user(&bench, EMAIL);
    bench.app.store.add_user(&user, entry(0)).await.unwrap();
    assert!(!login_page(&mut browser).await.body.contains("Nobody can sign in here yet"));
    assert_eq!(browser.log_in(&page, PASSWORD).await.status, StatusCode::SEE_OTHER);
    let headers = cookie(&browser);
    assert!(crate::sessions::current(&bench.app, &headers).await.unwrap().is_some());

    let disabled = bench.app.store.change_user(&user.id, Change::Disabled, entry(0));
    disabled.await.unwrap();
    assert!(crate::sessions::current(&bench.app, &headers).await.unwrap().is_none());
    let page = login_page(&mut browser).await;
    assert_eq!(browser.log_in(&page, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

fn no_users(config: &mut Config) {
    let embedded = embedded(config);
    embedded.users.clear();
}

fn cookie(browser: &Browser<'_>) -> axum::http::HeaderMap {
    let line = format!("{SESSION}={}", browser.cookies[SESSION]);
    [(axum::http::header::COOKIE, line.parse().unwrap())].into_iter().collect()
}

#[tokio::test]
async fn whoever_opens_the_login_page_by_itself_is_shown_the_way_to_their_own() {
    let bench = Bench::new().await;
    let page = bench.public(get("/oauth/login")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("<a href=\"/account\""), "{}", page.body);
    let page = bench.public(get("/oauth/authorize?client_id=x")).await;
    assert!(!page.body.contains("/account"), "{}", page.body);
}
