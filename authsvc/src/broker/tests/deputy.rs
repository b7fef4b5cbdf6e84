//! The confused deputy (MCP security best practices): authsvc is one client of a provider that knows its users and asks
//! them nothing, and anybody may register a client here. By the numbers of `docs/security.md`.

use std::{collections::BTreeSet, time::Duration};

use axum::http::StatusCode;
use serde_json::json;

use super::{CALLBACK, gateway, let_in, path, query, question};
use crate::{
    authorization::tests::{
        browser::{
            Browser, WEB, WEB_REDIRECT, answered, asking, client, hidden, register, url, web,
        },
        cookies::assert_headers,
    },
    config::{Mode, Origin, Targets},
    store::clients::Identity,
    testing::{
        Answer, Bench, RESOURCE, brokered, entry,
        provider::{self, FakeProvider},
    },
    upstream::trip::Trip,
};

const EVIL: &str = "evil-client";
const EVIL_REDIRECT: &str = "https://evil.example/callback";

/// A gateway with a client of an attacker.
async fn trusting() -> (FakeProvider, Bench) {
    let (fake, bench) = gateway(|_settings| ()).await;
    client(&bench, EVIL, Some("Web Client"), &[EVIL_REDIRECT]).await;
    (fake, bench)
}

/// A browser in which somebody has allowed the client with the web site, and nobody else.
async fn agreed<'a>(bench: &'a Bench, fake: &FakeProvider) -> Browser<'a> {
    let mut browser = Browser::new(bench);
    let answer = let_in(&mut browser, fake).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    browser
}

/// What a link of the attacker leads to.
async fn lured(browser: &mut Browser<'_>) -> Answer {
    let request = asking(EVIL, EVIL_REDIRECT, &[]);
    let answer = browser.get(&url(&request)).await;
    browser.follow(answer).await
}

fn asks(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("id=\"elsewhere\"")
}

/// With whom somebody has agreed to something: client and host.
async fn agreements(bench: &Bench) -> Vec<(String, String)> {
    sqlx::query_as("SELECT client_id, redirect_host FROM consents")
        .fetch_all(bench.app.store.reader())
        .await
        .unwrap()
}

/// Digests of `state` that somebody may come back with.
async fn trips(bench: &Bench) -> Vec<Vec<u8>> {
    sqlx::query_scalar("SELECT trip FROM interactions WHERE trip IS NOT NULL")
        .fetch_all(bench.app.store.reader())
        .await
        .unwrap()
}

#[tokio::test]
async fn c1_what_one_client_was_allowed_no_other_client_may_and_no_other_user() {
    let (fake, bench) = trusting().await;
    let mut browser = agreed(&bench, &fake).await;
    assert!(asks(&lured(&mut browser).await), "the agreement with another client was taken");
    let again = browser.get(&url(&web(&[("resource", RESOURCE)]))).await;
    let again = browser.follow(again).await;
    assert!(again.header("location").starts_with(&fake.issuer), "{again:?}");
    assert!(asks(&question(&mut Browser::new(&bench), &[]).await));
}

#[tokio::test]
async fn c2_nobody_is_sent_to_the_provider_before_the_answer() {
    let (fake, bench) = trusting().await;
    let mut browser = agreed(&bench, &fake).await;
    let before = fake.shape().asked.clone();
    let page = lured(&mut browser).await;
    assert!(asks(&page), "{page:?}");
    let interaction = hidden(&page, "interaction");
    let link = format!("/oauth/consent?interaction={interaction}&decision=allow");
    assert!(asks(&browser.get(&link).await), "a link is no answer");
    assert!(trips(&bench).await.is_empty());
    assert_eq!(error_of(&browser.decide(&page, "deny").await), "access_denied");
    assert_eq!(fake.shape().asked, before, "the provider heard of it");
}

fn error_of(answer: &Answer) -> String {
    answered(answer, EVIL_REDIRECT)["error"].clone()
}

#[tokio::test]
async fn c3_agreements_are_in_the_database_and_no_cookie_is_one() {
    let (fake, bench) = trusting().await;
    let mut browser = agreed(&bench, &fake).await;
    assert_eq!(agreements(&bench).await, [(WEB.to_owned(), "client.example".to_owned())]);
    for planted in ["consent", "attache_consent", "attache_consent_8080", EVIL] {
        browser.cookies.insert(planted.to_owned(), EVIL.to_owned());
    }
    assert!(asks(&lured(&mut browser).await));
    let mut write = bench.app.store.write().await.unwrap();
    sqlx::query("DELETE FROM consents").execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
    assert!(asks(&question(&mut browser, &[]).await), "the browser remembers by itself");
}

#[tokio::test]
async fn c4_c5_c6_the_question_names_the_client_the_provider_s_scopes_and_the_redirect_uri() {
    let (fake, bench) = trusting().await;
    let page = lured(&mut Browser::new(&bench)).await;
    let host = fake.issuer.strip_prefix("http://").unwrap();
    for text in [
        "<bdi class=\"name\" id=\"client\">Web Client</bdi>",
        "nobody has verified it",
        &format!("id=\"elsewhere\">{host}<"),
        "<code>openid</code>",
        "<code>offline_access</code>",
        "<code>mcp</code>",
        "<strong class=\"host\">evil.example</strong>",
        &format!("id=\"redirect-uri\">{EVIL_REDIRECT}<"),
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
}

#[tokio::test]
async fn c7_an_answer_to_one_question_answers_no_other() {
    let (fake, bench) = trusting().await;
    let mut browser = Browser::new(&bench);
    let (honest, evil) = (question(&mut browser, &[]).await, lured(&mut browser).await);
    let (interaction, csrf) = (hidden(&evil, "interaction"), hidden(&honest, "csrf"));
    let swapped = [("interaction", &*interaction), ("csrf", &*csrf), ("decision", "allow")];
    assert_eq!(browser.post("/oauth/consent", &swapped).await.status, StatusCode::FORBIDDEN);
    let mut stranger = Browser::new(&bench);
    let theirs = lured(&mut stranger).await;
    assert_eq!(browser.decide(&theirs, "allow").await.status, StatusCode::BAD_REQUEST);
    assert!(trips(&bench).await.is_empty() && fake.shape().asked.is_empty());
}

#[tokio::test]
async fn c8_nothing_on_the_way_can_be_framed() {
    let (fake, bench) = trusting().await;
    let mut browser = Browser::new(&bench);
    let begun = browser.get(&url(&web(&[]))).await;
    let page = browser.get(begun.header("location")).await;
    let there = browser.decide(&page, "allow").await;
    let back = path(&fake.agree(there.header("location")));
    let wrong = Browser::new(&bench).get(&back).await;
    let done = browser.get(&back).await;
    let over = browser.get(&back).await;
    for answer in [&begun, &page, &there, &wrong, &done, &over] {
        assert_headers(answer);
    }
}

#[tokio::test]
async fn c9_cookies_are_host_cookies_and_say_nothing_of_an_agreement() {
    const ORIGIN: &str = "https://mcp.example.com";
    let fake = FakeProvider::start().await;
    fake.shape().access = Some(json!({}));
    let bench = Bench::with(|config| {
        config.public_url = Origin::parse(ORIGIN).unwrap();
        let settings = brokered(&fake.issuer, Targets::Any, provider::client());
        config.authorization.mode = Mode::Brokered(Box::new(settings));
    })
    .await;
    register(&bench).await;
    let mut browser = Browser::new(&bench);
    let begun = browser.get(&url(&web(&[]))).await;
    let page = browser.get(begun.header("location")).await;
    let there = browser.decide(&page, "allow").await;
    let back = fake.agree(there.header("location"));
    let done = browser.get(&back.as_str().replacen(ORIGIN, "", 1)).await;
    assert!(done.header("location").starts_with(WEB_REDIRECT), "{done:?}");
    let mut names = BTreeSet::new();
    for answer in [&begun, &page, &there, &done] {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let (value, attributes) = rest.split_once("; ").unwrap();
            assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure", "{line}");
            assert_eq!(value.len(), 43, "256 bits and nothing else: {line}");
            names.insert(name.to_owned());
        }
    }
    let expected = ["__Host-attache_browser", "__Host-attache_session"].map(str::to_owned);
    assert_eq!(names, expected.into());
}

#[tokio::test]
async fn c10_a_redirect_uri_is_the_registered_one_and_the_provider_sees_only_ours() {
    let (fake, bench) = trusting().await;
    let mut browser = agreed(&bench, &fake).await;
    let before = fake.shape().asked.len();
    for uri in [
        EVIL_REDIRECT,
        "https://client.example/callback/",
        "https://client.example/callback?more",
        "https://client.example/callback/../evil",
        "https://client.example/Callback",
        "https://client.example:8443/callback",
        "https://client.example.evil.example/callback",
        "https://evil.example@client.example/callback",
        "http://client.example/callback",
        "https://*.example/callback",
        CALLBACK,
    ] {
        let request = asking(WEB, uri, &[]);
        let page = browser.get(&url(&request)).await;
        assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, ""), "{uri}");
    }
    assert_eq!(fake.shape().asked.len(), before);
    let page = lured(&mut browser).await;
    let there = query(browser.decide(&page, "allow").await.header("location"));
    assert_eq!(there["redirect_uri"], CALLBACK);
}

/// A client that registered one place, was allowed, and then says another.
#[tokio::test]
async fn c10_another_redirect_uri_is_another_question() {
    let (fake, bench) = trusting().await;
    let mut changed = bench.app.store.client(EVIL).await.unwrap().unwrap();
    changed.id = "changed".to_owned();
    changed.redirect_uris = vec![WEB_REDIRECT.to_owned()];
    changed.management = Some(b"token".to_vec());
    bench.app.store.register_client(&changed, Identity::Own).await.unwrap();
    let mut browser = Browser::new(&bench);
    let request = |uri| url(&asking("changed", uri, &[]));
    let page = browser.get(&request(WEB_REDIRECT)).await;
    let page = browser.follow(page).await;
    let there = browser.decide(&page, "allow").await;
    let done = browser.get(&path(&fake.agree(there.header("location")))).await;
    assert!(answered(&done, WEB_REDIRECT).contains_key("code"));

    changed.redirect_uris = vec![EVIL_REDIRECT.to_owned()];
    assert!(bench.app.store.update_client(&changed, b"token", entry(1)).await.unwrap());
    let before = browser.get(&request(WEB_REDIRECT)).await;
    assert_eq!(before.status, StatusCode::BAD_REQUEST, "it is not registered any more");
    let page = browser.get(&request(EVIL_REDIRECT)).await;
    assert!(asks(&browser.follow(page).await), "the agreement was with another host");
}

#[tokio::test]
async fn c11_state_is_drawn_at_the_yes_kept_as_a_digest_and_good_once_for_ten_minutes() {
    let (fake, bench) = trusting().await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    assert!(trips(&bench).await.is_empty(), "there is a state before the answer");
    let cookies = browser.cookies.clone();
    let first = browser.decide(&page, "allow").await;
    let second = browser.decide(&page, "allow").await;
    assert_eq!(browser.cookies, cookies, "state is in no cookie");
    let state = |answer: &Answer| query(answer.header("location"))["state"].clone();
    assert_ne!(state(&first), state(&second));
    assert_eq!(trips(&bench).await, [Trip::digest(&state(&second), "external")]);

    let [first, second] = [first, second].map(|there| path(&fake.agree(there.header("location"))));
    assert_eq!(browser.get(&first).await.status, StatusCode::BAD_REQUEST, "it was replaced");
    let altered = format!("{second}x");
    assert_eq!(browser.get(&altered).await.status, StatusCode::BAD_REQUEST);
    let without = second.split_once("&state=").unwrap().0;
    assert_eq!(browser.get(without).await.status, StatusCode::BAD_REQUEST);
    bench.advance(Duration::from_mins(10));
    let late = browser.get(&second).await;
    assert_eq!((late.status, late.header("location")), (StatusCode::GONE, ""), "{}", late.body);
    assert_eq!(fake.asked("/token"), 0, "a code was redeemed");
}

/// The attacker agrees in his own browser, and has the victim's browser do the rest.
#[tokio::test]
async fn c11_what_the_attacker_began_the_victim_does_not_finish() {
    let (fake, bench) = trusting().await;
    let mut victim = agreed(&bench, &fake).await;
    let mut attacker = Browser::new(&bench);
    let page = lured(&mut attacker).await;
    let there = attacker.decide(&page, "allow").await;
    // The provider knows the victim, asks nothing, and sends their browser back with a code.
    let back = path(&fake.agree(there.header("location")));
    let redeemed = fake.asked("/token");
    let page = victim.get(&back).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert_eq!(fake.asked("/token"), redeemed);
    assert_eq!(agreements(&bench).await, [(WEB.to_owned(), "client.example".to_owned())]);
}
