//! Headers and cookies of the pages.

use axum::http::{HeaderMap, header};

use super::browser::{Browser, register, url, web};
use crate::{
    config::Origin,
    cookies::Cookie,
    testing::{Answer, Bench, PASSWORD, get},
};

/// What no page and no redirect of ours goes without.
pub(crate) fn assert_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for directive in
        ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "style-src 'sha256-"]
    {
        assert!(policy.contains(directive), "{policy}");
    }
    // Rule 11: Chromium would apply it to the redirect to the client.
    assert!(!policy.contains("form-action") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "unsafe-none"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn s43_s44_c8_every_page_and_redirect_has_the_headers() {
    let bench = Bench::new().await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let redirect = browser.get(&url(&web(&[]))).await;
    let login = browser.get(redirect.header("location")).await;
    let logged_in = browser.log_in(&login, PASSWORD).await;
    let consent = browser.get(logged_in.header("location")).await;
    let done = browser.decide(&consent, "allow").await;
    let trouble = bench.public(get("/oauth/authorize")).await;
    for answer in [&redirect, &login, &logged_in, &consent, &done, &trouble] {
        assert_headers(answer);
    }
    for page in [&login, &consent, &trouble] {
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.body.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(!page.body.contains("<script") && !page.body.contains("style=\""));
    }
}

#[test]
fn s44_the_digest_in_the_policy_is_that_of_the_style_in_the_page() {
    use askama::Template as _;
    let page = crate::pages::Login {
        style: crate::pages::STYLE,
        gateway: String::new(),
        client: None,
        interaction: String::new(),
        csrf: String::new(),
        email: String::new(),
        notice: None,
        password: crate::pages::PasswordForm::There,
        providers: Vec::new(),
        is_another: false,
        receiver: None,
    };
    let html = page.render().unwrap();
    let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    assert_eq!(style, crate::pages::STYLE);
}

#[test]
fn s45_c9_over_https_cookies_are_host_cookies() {
    let origin = Origin::parse("https://mcp.example.com").unwrap();
    assert_eq!(
        Cookie::Session.set(&origin, "v").unwrap(),
        "__Host-attache_session=v; Path=/; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(
        Cookie::Browser.remove(&origin).unwrap(),
        "__Host-attache_browser=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
    );
}

#[test]
fn s45_over_plain_http_on_loopback_cookies_are_named_by_port() {
    let origin = Origin::parse("http://localhost:8080").unwrap();
    assert_eq!(
        Cookie::Session.set(&origin, "v").unwrap(),
        "attache_session_8080=v; Path=/; HttpOnly; SameSite=Lax"
    );
}

#[test]
fn a_cookie_is_read_only_by_its_whole_name_and_only_alone() {
    let origin = Origin::parse("https://mcp.example.com").unwrap();
    let read = |line: &str| {
        let headers: HeaderMap = [(header::COOKIE, line.parse().unwrap())].into_iter().collect();
        Cookie::Session.read(&origin, &headers).map(str::to_owned)
    };
    assert_eq!(read("a=b; __Host-attache_session=v;c=d"), Some("v".to_owned()));
    for line in [
        "attache_session=v",
        "__host-attache_session=v",
        "__Host-attache_session=",
        "__Host-attache_session=v; __Host-attache_session=w",
        "x__Host-attache_session=v",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
    assert_eq!(read(&format!("__Host-attache_session={}", "v".repeat(200))), None);
}
