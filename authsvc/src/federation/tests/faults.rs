//! What goes wrong on the way there and back, and what people are told.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{BROWSER, Browser, SESSION, bench, depart, log_in, login_page, one, path};
use crate::{
    authorization::tests::browser::{WEB_REDIRECT, answered},
    config::{Admission, Federated, Issuer, Targets},
    testing::{
        Answer, Bench, PASSWORD,
        provider::{FakeProvider, Fault},
    },
};

/// The page says so, nobody is logged in, and a password still opens the way.
async fn told(browser: &mut Browser<'_>, page: &Answer, status: StatusCode, text: &str) {
    assert_eq!(page.status, status, "{}", page.body);
    assert!(page.body.contains(text), "{text}: {}", page.body);
    assert!(page.body.contains("Continue with Example Login"), "{}", page.body);
    assert!(!browser.cookies.contains_key(SESSION) && browser.cookies.contains_key(BROWSER));
    let answer = browser.log_in(page, PASSWORD).await;
    let consent = browser.follow(answer).await;
    assert!(consent.body.contains("id=\"allow\""), "{}", consent.body);
}

#[tokio::test]
async fn s47_an_id_token_that_is_not_good_logs_nobody_in() {
    let (fake, bench) = one().await;
    let now = bench.app.clock.now_unix();
    for claims in [
        json!({ "iss": "https://evil.example" }),
        json!({ "aud": "another" }),
        json!({ "aud": ["gateway", "another"] }),
        json!({ "azp": "another" }),
        json!({ "exp": now - 61 }),
        json!({ "iat": now + 61 }),
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "at_hash": "another" }),
        json!({ "sub": "" }),
    ] {
        fake.shape().claims = claims.clone();
        let mut browser = Browser::new(&bench);
        let page = log_in(&mut browser, &fake).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{claims}");
        told(&mut browser, &page, StatusCode::BAD_GATEWAY, "do not understand each other").await;
    }
    assert!(bench.app.store.accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_well_keeps_nobody_from_trying_again_or_another_way() {
    for (path, fault, status, text) in [
        (
            "/token",
            Fault::Status(503),
            StatusCode::SERVICE_UNAVAILABLE,
            "Example Login does not answer just now",
        ),
        ("/token", Fault::Html, StatusCode::BAD_GATEWAY, "do not understand each other"),
        ("/token", Fault::Endless, StatusCode::BAD_GATEWAY, "do not understand each other"),
        ("/userinfo", Fault::Status(500), StatusCode::SERVICE_UNAVAILABLE, "Nothing is lost"),
        ("/keys", Fault::Broken, StatusCode::BAD_GATEWAY, "the reason is in its log"),
    ] {
        let (fake, bench) = one().await;
        fake.shape().faults.insert(path, fault);
        let mut browser = Browser::new(&bench);
        let page = log_in(&mut browser, &fake).await;
        told(&mut browser, &page, status, text).await;
        fake.shape().faults.clear();
        // When the provider is well again.
        bench.advance(Duration::from_secs(2));
        let page = log_in(&mut Browser::new(&bench), &fake).await;
        assert!(page.body.contains("id=\"allow\""), "{}", page.body);
    }
}

#[tokio::test]
async fn a_provider_that_was_never_reached_is_named_before_anybody_is_sent_there() {
    let nobody = FakeProvider::start().await;
    let issuer = Issuer::parse("http://127.0.0.1:9", Targets::Any).unwrap();
    let down = Federated { issuer, ..nobody.federated("example") };
    let up = FakeProvider::start().await;
    let other = Federated { label: "Other Login".to_owned(), ..up.federated("other") };
    let bench = bench(vec![down, other]).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let page = browser.submit(&page, "/oauth/login", &[("provider", "example")]).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("Example Login does not answer just now"), "{}", page.body);
    let there = depart(&mut browser, &page, "other").await;
    assert!(there.starts_with(&up.issuer), "{there}");
}

#[tokio::test]
async fn a_provider_that_says_no_leads_back_to_the_login_page_and_from_there_to_the_client() {
    let (_fake, bench) = one().await;
    for (said, status, text) in [
        ("error=access_denied", StatusCode::FORBIDDEN, "you cancelled at Example Login"),
        (
            "error=access_denied&error_description=not%20%3Cassigned%3E",
            StatusCode::FORBIDDEN,
            "Example Login says: “not &#60;assigned&#62;”",
        ),
        ("error=temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE, "does not answer"),
        ("error=server_error", StatusCode::SERVICE_UNAVAILABLE, "does not answer"),
        ("error=invalid_scope", StatusCode::BAD_GATEWAY, "do not understand each other"),
        ("nothing=at_all", StatusCode::BAD_GATEWAY, "do not understand each other"),
        (
            "code=x&iss=https://evil.example",
            StatusCode::BAD_GATEWAY,
            "do not understand each other",
        ),
        ("code=made-up", StatusCode::BAD_REQUEST, "does not know that sign-in any more"),
    ] {
        let mut browser = Browser::new(&bench);
        let page = login_page(&mut browser).await;
        let there = depart(&mut browser, &page, "example").await;
        let state = url::Url::parse(&there).unwrap();
        let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let page = browser.get(&format!("/oauth/callback/example?{said}&state={state}")).await;
        assert_eq!(page.status, status, "{said}: {}", page.body);
        assert!(page.body.contains(text), "{said}: {}", page.body);
        let answer = browser.submit(&page, "/oauth/login", &[("decision", "deny")]).await;
        assert_eq!(answered(&answer, WEB_REDIRECT)["error"], "access_denied", "{said}");
    }
}

#[tokio::test]
async fn s47_iss_must_be_there_where_the_provider_promises_it() {
    let (fake, bench) = one().await;
    fake.shape().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let mut browser = Browser::new(&bench);
    let page = log_in(&mut browser, &fake).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert_eq!(fake.asked("/token"), 0);
    let there = depart(&mut browser, &page, "example").await;
    let mut back = fake.agree(&there);
    back.query_pairs_mut().append_pair("iss", &fake.issuer);
    assert_eq!(browser.get(&path(&back)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_way_there_is_good_for_ten_minutes() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = depart(&mut browser, &page, "example").await;
    bench.advance(Duration::from_mins(10));
    let late = browser.get(&path(&fake.agree(&there))).await;
    assert_eq!(late.status, StatusCode::GONE, "{}", late.body);
}

/// The page after a login with these claims, where only some may come in.
async fn admission(change: impl FnOnce(&mut Federated), claims: &Value) -> Answer {
    let fake = FakeProvider::start().await;
    let mut federated = fake.federated("example");
    change(&mut federated);
    let bench: Bench = bench(vec![federated]).await;
    fake.shape().claims = claims.clone();
    log_in(&mut Browser::new(&bench), &fake).await
}

#[tokio::test]
async fn s47_only_those_come_in_who_may() {
    let domains = |federated: &mut Federated| {
        federated.admission = Admission {
            email_domains: vec!["example.com".to_owned()],
            require_verified_email: false,
        };
    };
    let verified = |federated: &mut Federated| federated.admission.require_verified_email = true;
    let hosted =
        |federated: &mut Federated| federated.hosted_domain = Some("example.com".to_owned());
    let good = json!({ "email": "a@example.com", "email_verified": true, "hd": "example.com" });
    for claims in [&good] {
        for page in [
            admission(domains, claims).await,
            admission(verified, claims).await,
            admission(hosted, claims).await,
        ] {
            assert!(page.body.contains("id=\"allow\""), "{}", page.body);
        }
    }
    let unverified = json!({ "email": "a@example.com", "email_verified": false });
    let other = json!({ "email": "a@example.com.evil.example", "email_verified": true });
    for (page, text) in [
        (admission(domains, &unverified).await, "it has no verified e-mail address there"),
        (admission(domains, &other).await, "its e-mail address is of another domain"),
        (admission(domains, &json!({})).await, "it has no verified e-mail address there"),
        (admission(verified, &unverified).await, "it has no verified e-mail address there"),
        (admission(hosted, &unverified).await, "it does not belong to the organization"),
    ] {
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        assert!(page.body.contains(text), "{text}: {}", page.body);
        assert!(page.body.contains("name=\"another\" value=\"1\""), "{}", page.body);
    }
}
