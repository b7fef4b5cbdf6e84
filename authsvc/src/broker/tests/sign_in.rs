//! Logging in at the provider for one's own page.

use axum::http::StatusCode;
use serde_json::json;

use super::{Browser, FakeProvider, Fault, gateway, path, query, redeem, url, web};
use crate::{
    authorization::tests::browser::hidden,
    config::{Brokered, Registrar, Registration},
    store::accounts::Fate,
    testing::{Answer, RESOURCE, entry},
};

/// The login page, for somebody who wants to see their own.
async fn login_page(browser: &mut Browser<'_>) -> Answer {
    let answer = browser.get("/account").await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"providers\""), "{page:?}");
    assert!(!page.body.contains("name=\"password\""), "{page:?}");
    page
}

/// Its button.
async fn press(browser: &mut Browser<'_>, page: &Answer) -> Answer {
    let fields = [
        ("interaction", hidden(page, "interaction")),
        ("csrf", hidden(page, "csrf")),
        ("provider", "external".to_owned()),
    ];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.post("/oauth/login", &fields).await
}

/// There and back: the page that follows.
async fn sign_in(browser: &mut Browser<'_>, fake: &FakeProvider) -> Answer {
    let page = login_page(browser).await;
    let there = press(browser, &page).await;
    let back = fake.agree(there.header("location"));
    let answer = browser.get(&path(&back)).await;
    browser.follow(answer).await
}

#[tokio::test]
async fn one_sees_what_one_has_let_in_and_ends_it() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let tokens = {
        let mut browser = Browser::new(&bench);
        let answer = super::let_in(&mut browser, &fake).await;
        redeem(&bench, &answer).await
    };
    // Another browser, later.
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = query(press(&mut browser, &page).await.header("location"));
    assert_eq!(there["scope"], "openid", "what is needed to know who it is");
    assert!(!there.contains_key("resource") && there["nonce"].len() > 20, "{there:?}");
    let page = sign_in(&mut browser, &fake).await;
    assert!(page.body.contains("Web Client"), "{}", page.body);
    let token = hidden(&page, "csrf");
    let ended = browser.post("/account", &[("csrf", &token), ("order", "end_all")]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{ended:?}");
    let refused = super::refresh(&bench, &super::text(&tokens, "refresh_token")).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn what_one_login_says_of_somebody_is_not_forgotten_by_the_next() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let claims = json!({ "email": "jane@example.com", "email_verified": true, "name": "Jane" });
    fake.shape().claims = claims;
    let page = sign_in(&mut Browser::new(&bench), &fake).await;
    assert!(page.body.contains("jane@example.com"), "{}", page.body);
    fake.shape().claims = json!({});
    super::let_in(&mut Browser::new(&bench), &fake).await;
    let account = bench.app.store.accounts().await.unwrap().swap_remove(0);
    assert_eq!(account.email.as_deref(), Some("jane@example.com"));
    assert_eq!(account.name.as_deref(), Some("Jane"));
}

#[tokio::test]
async fn without_a_client_of_ours_there_one_is_made_for_all_who_sign_in() {
    let (fake, bench) = gateway(|settings: &mut Brokered| {
        settings.registrar = Registrar::Registration(Registration { initial_access_token: None });
    })
    .await;
    for _twice in 0..2 {
        let page = sign_in(&mut Browser::new(&bench), &fake).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
    }
    assert_eq!(fake.asked("/register"), 1);
    let broker = bench.app.broker().unwrap();
    assert_eq!(broker.end_orphans(&bench.app).await.unwrap(), 0, "it stays");
}

#[tokio::test]
async fn whatever_goes_wrong_is_said_on_the_login_page() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = query(press(&mut browser, &page).await.header("location"));
    let no = format!("/oauth/callback/external?error=access_denied&state={}", there["state"]);
    let page = browser.get(&no).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    assert!(page.body.contains("You are not signed in: you cancelled"), "{}", page.body);
    let again = browser.get(&no).await;
    assert!(again.body.contains("is over, or another one was begun"), "{}", again.body);

    let there = press(&mut browser, &page).await;
    let back = fake.agree(there.header("location"));
    fake.shape().faults.insert("/token", Fault::Status(503));
    let page = browser.get(&path(&back)).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:?}");

    fake.shape().faults.clear();
    fake.shape().says_who = false;
    let there = press(&mut browser, &page).await;
    let back = fake.agree(there.header("location"));
    let page = browser.get(&path(&back)).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{page:?}");
}

#[tokio::test]
async fn somebody_who_was_switched_off_does_not_see_their_page() {
    let (fake, bench) = gateway(|_settings| ()).await;
    sign_in(&mut Browser::new(&bench), &fake).await;
    let id = bench.app.store.accounts().await.unwrap().swap_remove(0).id;
    bench.app.store.change_account(&id, Fate::Disabled, entry(1)).await.unwrap();
    let page = sign_in(&mut Browser::new(&bench), &fake).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    assert!(page.body.contains("has switched it off"), "{}", page.body);
}

#[tokio::test]
async fn c2_the_login_page_sends_nobody_to_the_provider_for_an_application() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get(&url(&web(&[("resource", RESOURCE)]))).await;
    let interaction = answer.header("location").split_once("interaction=").unwrap().1.to_owned();
    let login = format!("/oauth/login?interaction={interaction}");
    let answer = browser.get(&login).await;
    assert!(answer.header("location").starts_with("/oauth/consent"), "{answer:?}");
    // With the token of the form of another interaction of this browser, which is not its own.
    let page = login_page(&mut browser).await;
    let fields = [
        ("interaction", interaction.as_str()),
        ("csrf", &hidden(&page, "csrf")),
        ("provider", "external"),
    ];
    let answer = browser.post("/oauth/login", &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(fake.shape().asked.is_empty());
}
