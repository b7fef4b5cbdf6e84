//! Who people are after they logged in at a provider, and for how long.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::{Browser, bench, let_in, log_in, one};
use crate::{
    authorization::tests::browser::{WEB, WEB_REDIRECT, answered},
    config::Federated,
    operator::Operator,
    state::App,
    testing::{Bench, EMAIL, SERVICE_SECRET, embedded, form, provider::FakeProvider},
    users,
};

/// As another process of the same installation sees it, with another configuration.
fn with(bench: &Bench, change: impl FnOnce(&mut Federated)) -> App {
    let mut config = (*bench.app.config).clone();
    change(&mut embedded(&mut config).federation[0]);
    App { config: std::sync::Arc::new(config), ..bench.app.clone() }
}

async fn operator(bench: &Bench) -> Operator {
    let app = &bench.app;
    Operator::open((*app.config).clone(), app.clock.clone(), app.random.clone()).await.unwrap()
}

#[tokio::test]
async fn s47_an_account_is_issuer_and_subject_and_never_a_user_with_the_same_address() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({ "email": EMAIL, "email_verified": true, "groups": ["x"] });
    let first = let_in(&bench, &fake).await;
    let local = users::sub(&bench.app.config, EMAIL);
    assert_ne!(first.sub, local);
    assert_eq!(
        (first.email.as_deref(), first.groups.as_slice()),
        (Some(EMAIL), &["x".to_owned()][..])
    );
    let still = bench.app.users().by_email(EMAIL).await.unwrap().unwrap();
    assert_eq!(
        (still.sub.as_str(), still.groups.as_slice()),
        (local.as_str(), &["Developers".to_owned()][..])
    );

    // The same person with another address, and another person with the same one.
    fake.shape().claims = json!({ "email": "new@example.com", "email_verified": true });
    let renamed = let_in(&bench, &fake).await;
    assert_eq!(
        (renamed.sub.as_str(), renamed.email.as_deref()),
        (first.sub.as_str(), Some("new@example.com"))
    );
    fake.shape().claims = json!({ "sub": "another", "email": EMAIL, "email_verified": true });
    fake.shape().userinfo = Some(json!({ "sub": "another" }));
    assert_ne!(let_in(&bench, &fake).await.sub, first.sub);
}

#[tokio::test]
async fn s47_an_address_that_is_not_verified_is_neither_shown_nor_in_tokens() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({ "email": EMAIL, "email_verified": false, "name": "Some Body" });
    let mut browser = Browser::new(&bench);
    let page = log_in(&mut browser, &fake).await;
    assert!(page.body.contains("Some Body (Example Login)"), "{}", page.body);
    assert!(!page.body.contains(EMAIL), "{}", page.body);
    let granted = let_in(&bench, &fake).await;
    assert_eq!(granted.email, None);
    fake.shape().claims = json!({ "sub": "another" });
    fake.shape().userinfo = Some(json!({ "sub": "another", "name": EMAIL }));
    let page = log_in(&mut Browser::new(&bench), &fake).await;
    let id = users::sub_of(&bench.app.config, &fake.issuer, "another");
    let named = format!("account {} (Example Login)", id.get(..8).unwrap());
    assert!(page.body.contains(&named), "{}", page.body);
}

#[tokio::test]
async fn a_login_at_a_provider_is_good_for_max_session() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let granted = let_in(&bench, &fake).await;
    log_in(&mut browser, &fake).await;
    let month = 30 * 24 * 3600;
    let still =
        async |at: i64| bench.app.users().still(&granted, granted.auth_time + at).await.unwrap();
    assert!(still(month - 1).await.is_some());
    assert!(still(month).await.is_none());

    let short = with(&bench, |one| one.max_session = Duration::from_mins(5));
    let session = browser.cookies[super::SESSION].clone();
    let cookie = format!("{}={session}", super::SESSION);
    let headers =
        axum::http::HeaderMap::from_iter([(axum::http::header::COOKIE, cookie.parse().unwrap())]);
    assert!(crate::sessions::current(&short, &headers).await.unwrap().is_some());
    bench.advance(Duration::from_mins(5));
    assert!(crate::sessions::current(&bench.app, &headers).await.unwrap().is_some());
    assert!(crate::sessions::current(&short, &headers).await.unwrap().is_none());
}

#[tokio::test]
async fn another_policy_ends_what_was_granted_under_the_old_one() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({ "email": "a@example.com", "email_verified": true });
    let granted = let_in(&bench, &fake).await;
    let now = granted.auth_time;
    type Change = fn(&mut Federated);
    let changes: [(Change, bool); 8] = [
        (|_| (), true),
        (|one| one.label = "Another".to_owned(), true),
        (|one| one.scopes.push("groups".to_owned()), true),
        (|one| one.name = "another".to_owned(), false),
        (|one| one.client.id = "another".to_owned(), false),
        (|one| one.hosted_domain = Some("example.com".to_owned()), false),
        (|one| one.admission.require_verified_email = true, false),
        (|one| one.admission.email_domains = vec!["example.org".to_owned()], false),
    ];
    for (number, (change, good)) in changes.into_iter().enumerate() {
        let app = with(&bench, change);
        assert_eq!(app.users().still(&granted, now).await.unwrap().is_some(), good, "{number}");
    }
}

#[tokio::test]
async fn an_account_is_listed_disabled_enabled_and_removed() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({ "email": EMAIL, "email_verified": true, "groups": ["x"] });
    let granted = let_in(&bench, &fake).await;
    let (operator, id) = (operator(&bench).await, granted.sub.as_str());
    let line = async || {
        let listed = operator.users().await.unwrap();
        listed.lines().find(|line| line.contains(id)).unwrap_or_default().to_owned()
    };
    assert!(
        line().await.starts_with(EMAIL) && line().await.contains("  example        active"),
        "{}",
        line().await
    );

    let said = operator.disable_account(id).await.unwrap();
    assert!(said.contains("(example) is disabled; their sessions have ended"), "{said}");
    assert!(line().await.contains("disabled 2026-"));
    assert!(bench.app.users().still(&granted, granted.auth_time).await.unwrap().is_none());
    let page = log_in(&mut Browser::new(&bench), &fake).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("has switched it off"), "{}", page.body);

    operator.enable_account(id).await.unwrap();
    assert!(bench.app.users().still(&granted, granted.auth_time).await.unwrap().is_none());
    let again = let_in(&bench, &fake).await;
    assert!(bench.app.users().still(&again, again.auth_time).await.unwrap().is_some());

    let said = operator.remove_account(id).await.unwrap();
    assert!(said.contains("disable one to keep somebody out"), "{said}");
    assert!(line().await.is_empty());
    assert!(operator.remove_account(id).await.is_err());
}

#[tokio::test]
async fn an_address_of_accounts_names_them() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({ "email": "a@example.com", "email_verified": true });
    let granted = let_in(&bench, &fake).await;
    let operator = operator(&bench).await;
    let email = users::email::Email::parse("a@example.com").unwrap();
    let said = operator.disable_user(&email).await.unwrap_err().to_string();
    assert!(said.contains(&format!("{} (example)", granted.sub)), "{said}");
}

#[tokio::test]
async fn refresh_tokens_end_with_the_login_that_they_descend_from() {
    let fake = FakeProvider::start().await;
    let max_session = Duration::from_hours(12);
    let bench = bench(vec![Federated { max_session, ..fake.federated("example") }]).await;
    let mut browser = Browser::new(&bench);
    let page = log_in(&mut browser, &fake).await;
    let auth_time = bench.app.clock.now_unix();
    // Whoever lets in something later does not begin anew.
    bench.advance(Duration::from_mins(9));
    let answer = browser.decide(&page, "allow").await;
    let code = answered(&answer, WEB_REDIRECT)["code"].clone();
    let redeemed = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", WEB),
        ("redirect_uri", WEB_REDIRECT),
        // RFC 7636 appendix B.
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let tokens = bench.public(form("/oauth/token", &redeemed)).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut asked = form("/internal/introspect", &[("token", &refresh)]);
    let secret = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
    asked.headers_mut().insert(axum::http::header::AUTHORIZATION, secret);
    let said = bench.internal(asked).await.json();
    assert_eq!(said["exp"], auth_time + 12 * 3600, "{said}");

    bench.advance(Duration::from_hours(11));
    let fields =
        |token| [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", WEB)];
    let tokens = bench.public(form("/oauth/token", &fields(&refresh))).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    bench.advance(Duration::from_hours(1));
    let refused = bench.public(form("/oauth/token", &fields(&refresh))).await;
    assert_eq!(refused.json()["error"], "invalid_grant", "{}", refused.body);
}
