//! Before a provider, as browsers and clients meet it.

mod clients;
mod deputy;
mod dex;
mod opaque;
mod refreshing;
mod sign_in;

use std::{collections::BTreeMap, sync::Arc};

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::{
    authorization::tests::browser::{
        Browser, WEB, WEB_REDIRECT, answered, error, register, url, web,
    },
    config::{Brokered, Config, Mode, Targets},
    testing::{
        Answer, Bench, PUBLIC_URL, RESOURCE, brokered, entry, form,
        provider::{self, FakeProvider, Fault},
        server,
    },
};

const CALLBACK: &str = "http://localhost:8080/oauth/callback/external";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A gateway before a provider that issues JWTs.
async fn gateway(change: impl FnOnce(&mut Brokered)) -> (FakeProvider, Bench) {
    let fake = FakeProvider::start().await;
    {
        let mut shape = fake.shape();
        shape.access = Some(json!({}));
        for (name, path) in [
            ("introspection_endpoint", "introspect"),
            ("revocation_endpoint", "revoke"),
            ("registration_endpoint", "register"),
        ] {
            shape.metadata[name] = json!(format!("{}/{path}", fake.issuer));
        }
    }
    let mut settings = brokered(&fake.issuer, Targets::Any, provider::client());
    change(&mut settings);
    let bench = Bench::with(|config| {
        config.authorization.mode = Mode::Brokered(Box::new(settings));
        config.servers.push(server("weather"));
    })
    .await;
    register(&bench).await;
    (fake, bench)
}

/// The path and query of a URL on our origin.
fn path(url: &Url) -> String {
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    url.as_str().replacen(PUBLIC_URL, "", 1)
}

/// The page that asks, of a new request.
async fn question(browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> Answer {
    let answer = browser.get(&url(&web(changes))).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"elsewhere\""), "{page:?}");
    page
}

/// From the request to where the browser goes after the provider.
async fn let_in(browser: &mut Browser<'_>, fake: &FakeProvider) -> Answer {
    let page = question(browser, &[("resource", RESOURCE)]).await;
    let answer = browser.decide(&page, "allow").await;
    let back = fake.agree(answer.header("location"));
    browser.get(&path(&back)).await
}

/// What the token endpoint answers for the code of a redirect.
async fn redeem(bench: &Bench, answer: &Answer) -> Answer {
    let code = answered(answer, WEB_REDIRECT)["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", WEB_REDIRECT),
        ("client_id", WEB),
        ("code_verifier", VERIFIER),
    ];
    bench.public(form("/oauth/token", &fields)).await
}

async fn refresh(bench: &Bench, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", WEB)];
    bench.public(form("/oauth/token", &fields)).await
}

fn text(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer.body)).to_owned()
}

fn query(url: &str) -> BTreeMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

async fn introspect(bench: &Bench, token: &str, resource: &str) -> Value {
    let mut request = form("/internal/introspect", &[("token", token), ("resource", resource)]);
    let bearer = format!("Bearer {}", crate::testing::SERVICE_SECRET).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    bench.internal(request).await.json()
}

#[tokio::test]
async fn a_client_gets_the_token_of_the_provider_by_a_code_of_ours() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[("resource", RESOURCE)]).await;
    let host = fake.issuer.strip_prefix("http://").unwrap();
    for text in [host, "Web Client", "client.example", RESOURCE, "<code>openid</code>"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(fake.shape().asked.is_empty(), "C2: nothing before the answer");
    let answer = browser.decide(&page, "allow").await;
    let there = query(answer.header("location"));
    assert_eq!(there["redirect_uri"], CALLBACK);
    assert_eq!(there["scope"], "openid offline_access mcp");
    assert_eq!(there["resource"], RESOURCE);
    assert_ne!(there["state"], "xyz");
    let back = fake.agree(answer.header("location"));
    let answer = browser.get(&path(&back)).await;
    let tokens = redeem(&bench, &answer).await;
    let access = text(&tokens, "access_token");
    let said = introspect(&bench, &access, RESOURCE).await;
    assert_eq!(
        (said["sub"].as_str(), said["iss"].as_str()),
        (Some("somebody"), Some(&*fake.issuer))
    );
    let document = tokens.json();
    assert_eq!(
        (document["expires_in"].as_i64(), document["scope"].as_str()),
        (Some(3600), Some("mcp"))
    );
    assert!(document.get("id_token").is_none(), "{document}");
    let ours = text(&tokens, "refresh_token");
    assert!(!fake.shape().refreshes.contains(&ours), "theirs stays here");
}

#[tokio::test]
async fn who_cancels_comes_back_to_the_client_with_access_denied() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    assert_eq!(error(&browser.decide(&page, "deny").await), "access_denied");
    assert!(fake.shape().asked.is_empty());
    for (said, told) in [("access_denied", "access_denied"), ("login_required", "login_required")] {
        let page = question(&mut browser, &[]).await;
        let answer = browser.decide(&page, "allow").await;
        let state = query(answer.header("location"))["state"].clone();
        let back = format!("/oauth/callback/external?error={said}&state={state}");
        assert_eq!(error(&browser.get(&back).await), told);
    }
}

#[tokio::test]
async fn c11_nobody_comes_back_who_was_not_sent_or_a_second_time() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    let interaction = crate::authorization::tests::browser::hidden(&page, "interaction");
    let early = format!("/oauth/callback/external?code=x&state={interaction}.made-up");
    let answer = browser.get(&early).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    let answer = browser.decide(&page, "allow").await;
    let back = path(&fake.agree(answer.header("location")));
    let mut other = Browser::new(&bench);
    assert_eq!(other.get(&back).await.status, StatusCode::BAD_REQUEST);
    let wrong = back.replace("/external?", "/dex?");
    assert_eq!(browser.get(&wrong).await.status, StatusCode::NOT_FOUND);
    assert!(browser.get(&back).await.header("location").starts_with(WEB_REDIRECT));
    assert_eq!(browser.get(&back).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn c7_the_question_takes_no_answer_from_elsewhere() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    browser.fetch_site = Some("cross-site");
    assert_eq!(browser.decide(&page, "allow").await.status, StatusCode::FORBIDDEN);
    browser.fetch_site = Some("same-origin");
    let interaction = crate::authorization::tests::browser::hidden(&page, "interaction");
    let forged = [("interaction", interaction.as_str()), ("csrf", "x"), ("decision", "allow")];
    assert_eq!(browser.post("/oauth/consent", &forged).await.status, StatusCode::FORBIDDEN);
    assert!(fake.shape().asked.is_empty());
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "C8");
}

#[tokio::test]
async fn c1_who_agreed_before_is_not_asked_and_somebody_else_is() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let answer = let_in(&mut browser, &fake).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    let straight = async |browser: &mut Browser<'_>| {
        let answer = browser.get(&url(&web(&[("resource", RESOURCE)]))).await;
        let answer = browser.follow(answer).await;
        browser.get(&path(&fake.agree(answer.header("location")))).await
    };
    let answer = straight(&mut browser).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    // At the provider, somebody else is logged in by now, who never agreed to anything.
    fake.shape().claims = json!({ "sub": "another" });
    let answer = straight(&mut browser).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"elsewhere\""), "{page:?}");
    let answer = browser.decide(&page, "allow").await;
    let answer = browser.get(&path(&fake.agree(answer.header("location")))).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_costs_nothing_but_time() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    let metadata = "/.well-known/openid-configuration";
    for (fault, status) in [
        (Fault::Status(503), StatusCode::SERVICE_UNAVAILABLE),
        (Fault::Html, StatusCode::BAD_GATEWAY),
    ] {
        fake.shape().faults.insert(metadata, fault);
        bench.advance(std::time::Duration::from_secs(3));
        let answer = browser.decide(&page, "allow").await;
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.body.contains("id=\"allow\""), "{}", answer.body);
    }
    fake.shape().faults.clear();
    bench.advance(std::time::Duration::from_secs(3));
    let answer = browser.decide(&page, "allow").await;
    let back = path(&fake.agree(answer.header("location")));
    fake.shape().faults.insert("/token", Fault::Status(503));
    let page = browser.get(&back).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    fake.shape().faults.clear();
    let answer = browser.decide(&page, "allow").await;
    let answer = browser.get(&path(&fake.agree(answer.header("location")))).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
}

#[tokio::test]
async fn prompt_none_shows_no_page() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let none = [("prompt", "none"), ("resource", RESOURCE)];
    let answer = browser.get(&url(&web(&none))).await;
    assert!(answer.body.contains("login_required"), "{answer:?}");
    let_in(&mut browser, &fake).await;
    let answer = browser.get(&url(&web(&none))).await;
    let answer = browser.follow(answer).await;
    let there = query(answer.header("location"));
    assert_eq!(there["prompt"], "none");
    let back =
        format!("/oauth/callback/external?error=interaction_required&state={}", there["state"]);
    assert_eq!(error(&browser.get(&back).await), "consent_required");
}

#[tokio::test]
async fn s46_a_network_can_be_sent_to_the_provider_few_times_a_second() {
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let_in(&mut browser, &fake).await;
    let agreed = browser.get(&url(&web(&[("resource", RESOURCE)]))).await;
    let mut other = Browser::new(&bench);
    let page = question(&mut other, &[]).await;
    // Three requests began, and one of them went to the provider.
    for _ in 0..100 - 4 {
        let answer = other.decide(&page, "allow").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    }
    let refused = other.decide(&page, "allow").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "10");
    let refused = browser.follow(agreed).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "who agreed before as well");
    bench.advance(std::time::Duration::from_millis(200));
    assert_eq!(other.decide(&page, "allow").await.status, StatusCode::SEE_OTHER);
    assert_eq!(error(&other.decide(&page, "deny").await), "access_denied", "it costs nothing");
}

#[tokio::test]
async fn one_resource_at_a_time() {
    let (_fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let other = format!("{PUBLIC_URL}/weather/mcp");
    let request = web(&[("resource", RESOURCE), ("resource", &other)]);
    let answer = browser.get(&url(&request)).await;
    assert!(answer.body.contains("invalid_target"), "{answer:?}");
}

#[tokio::test]
async fn what_the_filter_would_refuse_is_not_handed_out() {
    for claims in [
        json!({ "aud": "https://elsewhere.example" }),
        json!({ "aud": format!("{PUBLIC_URL}/weather/mcp") }),
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "at_hash": "x" }),
        json!({ "exp": 1 }),
        json!({ "sub": null }),
    ] {
        let (fake, bench) = gateway(|_settings| ()).await;
        fake.shape().access = Some(claims.clone());
        let mut browser = Browser::new(&bench);
        let answer = let_in(&mut browser, &fake).await;
        let refused = redeem(&bench, &answer).await;
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{claims}: {}", refused.body);
        assert_eq!(refused.json()["error"], "server_error", "{claims}");
    }
}

#[tokio::test]
async fn c2_c5_a_token_that_opens_more_than_the_user_agreed_to_is_not_handed_out() {
    let both = json!([RESOURCE, format!("{PUBLIC_URL}/weather/mcp")]);
    // The scopes of the other server; what the token says; whether it is handed out.
    for (fixed, weather, claims, good) in [
        (None, "mcp", json!({ "aud": both }), false),
        (None, "weather", json!({ "aud": both }), true),
        (None, "weather", json!({ "aud": both, "scope": "mcp weather" }), false),
        (None, "weather", json!({ "scope": "mcp weather" }), true),
        (Some("api"), "mcp", json!({ "aud": "api" }), true),
        (Some("api"), "weather", json!({ "aud": "api", "scope": "mcp" }), true),
        (Some("api"), "weather", json!({ "aud": "api", "scope": "mcp weather" }), false),
    ] {
        let (fake, mut bench) =
            gateway(|settings| settings.tokens.audience = fixed.map(str::to_owned)).await;
        let mut config = Config::clone(&bench.app.config);
        config.servers.last_mut().unwrap().scopes = vec![weather.to_owned()];
        bench.app.config = Arc::new(config);
        fake.shape().access = Some(claims.clone());
        let mut browser = Browser::new(&bench);
        let page = question(&mut browser, &[("resource", RESOURCE), ("scope", "mcp")]).await;
        let answer = browser.decide(&page, "allow").await;
        let back = fake.agree(answer.header("location"));
        let answer = browser.get(&path(&back)).await;
        let status = redeem(&bench, &answer).await.status;
        let expected = if good { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        assert_eq!(status, expected, "{fixed:?} {weather} {claims}");
    }
}

#[tokio::test]
async fn s47_where_an_id_token_was_asked_for_nothing_else_says_who_it_is() {
    let (fake, bench) = gateway(|_settings| ()).await;
    fake.shape().says_who = false;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
    assert!(bench.app.store.accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fixed_audience_and_other_names_are_as_configured() {
    let (fake, bench) = gateway(|settings| {
        settings.tokens.audience = Some("api://attache".to_owned());
        settings.request.resource = crate::config::ResourceParameter::Audience;
        settings.request.scope_map = [("mcp".to_owned(), "api://attache/mcp".to_owned())].into();
    })
    .await;
    fake.shape().access = Some(json!({ "aud": "api://attache", "scope": null, "scp": "mcp" }));
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    let answer = browser.decide(&page, "allow").await;
    let there = query(answer.header("location"));
    assert_eq!(there["audience"], "api://attache");
    assert_eq!(there["scope"], "openid offline_access api://attache/mcp");
    assert!(!there.contains_key("resource"));
    let answer = browser.get(&path(&fake.agree(answer.header("location")))).await;
    assert_eq!(text(&redeem(&bench, &answer).await, "scope"), "mcp");
}

#[tokio::test]
async fn somebody_who_was_switched_off_does_not_come_in() {
    use crate::store::accounts::Fate;
    let (fake, bench) = gateway(|_settings| ()).await;
    let mut browser = Browser::new(&bench);
    let answer = let_in(&mut browser, &fake).await;
    let token = text(&redeem(&bench, &answer).await, "refresh_token");
    let account = bench.app.store.accounts().await.unwrap().swap_remove(0);
    bench.app.store.change_account(&account.id, Fate::Disabled, entry(1)).await.unwrap().unwrap();
    assert_eq!(refresh(&bench, &token).await.json()["error"], "invalid_grant");
    let mut browser = Browser::new(&bench);
    let page = question(&mut browser, &[]).await;
    let answer = browser.decide(&page, "allow").await;
    let answer = browser.get(&path(&fake.agree(answer.header("location")))).await;
    let said = answered(&answer, WEB_REDIRECT);
    assert_eq!(said["error"], "access_denied");
    assert!(said["error_description"].contains("has switched this account off"), "{said:?}");
}

#[tokio::test]
async fn without_an_id_token_the_access_token_says_who_it_is() {
    let (fake, bench) =
        gateway(|settings| settings.request.scopes = vec!["profile".to_owned()]).await;
    fake.shape().says_who = false;
    let mut browser = Browser::new(&bench);
    let answer = let_in(&mut browser, &fake).await;
    text(&redeem(&bench, &answer).await, "access_token");
    let account = bench.app.store.accounts().await.unwrap().swap_remove(0);
    assert_eq!((account.issuer, account.subject.as_str()), (fake.issuer, "somebody"));
}
