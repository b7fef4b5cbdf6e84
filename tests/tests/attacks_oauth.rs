//! Attacks on the authorization server by name, over the wire as an attacker meets it: Envoy, authsvc, SQLite.
//!
//! Each is played to the end: what the attacker hoped for does not happen, and the victim goes on.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth::{self, OAuth, REDIRECT_URI, VERIFIER},
    person::Person,
    stack::{Setup, Stack},
    upstream::{Upstream, mcp},
};
use reqwest::Response;
use serde_json::{Value, json};
use url::Url;

async fn gateway(grace: &str) -> Result<(Upstream, Stack)> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.config["authorization"]["embedded"]["refresh_grace"] = json!(grace);
    Ok((server, setup.start().await?))
}

async fn error(answer: Response) -> Result<(u16, String)> {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await?;
    Ok((status, body["error"].as_str().unwrap_or_default().to_owned()))
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// A code for tokens, with this verifier or none.
async fn redeem(client: &OAuth, code: &str, verifier: Option<&str>) -> Result<Response> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", &client.client_id),
    ];
    form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    client.ask(&form).await
}

/// An authorization request with one parameter as the attacker wants it.
fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept = url.query_pairs().filter(|(key, _)| key != name);
    let mut pairs: Vec<(String, String)> =
        kept.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

#[tokio::test]
async fn open_redirect() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let good = client.authorization_url("mcp", "s")?;
    let uris = [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "http://127.0.0.1:33418/callback/../evil",
        "http://127.0.0.1:33418/callback?more",
        "http://127.0.0.1:33418/callback#fragment",
        "http://127.0.0.1:33418@evil.example/callback",
        "http://127.0.0.1.evil.example:33418/callback",
        "http://localhost:33418/callback",
        "https://127.0.0.1:33418/callback",
        "http://127.0.0.1:33418/callback\r\nLocation: https://evil.example",
        "javascript:alert(1)",
    ];
    for uri in uris {
        // A good request and a bad one: neither leads anywhere.
        for url in [good.clone(), with(&good, "response_type", Some("token"))] {
            let answer = http::client().get(with(&url, "redirect_uri", Some(uri))).send().await?;
            ensure!(answer.status() == 400, "{uri:?}: {}", answer.status());
            ensure!(!answer.headers().contains_key("location"), "{uri:?} leads somewhere");
            ensure!(!answer.headers().contains_key("refresh"), "{uri:?} leads somewhere");
            let page = answer.text().await?;
            ensure!(!page.contains("href="), "a link for {uri:?}: {page}");
        }
    }
    // A request to a web site that nobody let in, wrong on purpose: no more than a link to click.
    let site = OAuth::register_for(&stack.url("everything"), "https://evil.example/").await?;
    let url = with(&good, "client_id", Some(&site.client_id));
    let url = with(&url, "redirect_uri", Some("https://evil.example/"));
    let answer = http::client().get(with(&url, "response_type", Some("token"))).send().await?;
    ensure!(answer.status() == 400, "{}", answer.status());
    ensure!(!answer.headers().contains_key("location"), "to a site unknown to the user");
    stack.stop().await
}

#[tokio::test]
async fn authorization_code_injection() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    // The attacker has the victim's code, and puts it into a session of his own at the same client: there it comes
    // with his verifier.
    let stolen = client.authorize(&mut Person::admin(), "mcp").await?;
    let other = "another-verifier-that-is-long-enough-for-rfc-7636-and-then-some";
    ensure!(error(redeem(&client, &stolen, Some(other)).await?).await? == invalid_grant());
    // And the attempt has burnt it.
    ensure!(error(redeem(&client, &stolen, Some(VERIFIER)).await?).await? == invalid_grant());

    // At a client of the attacker's, where he knows the verifier.
    let stolen = client.authorize(&mut Person::admin(), "mcp").await?;
    let evil = OAuth::register_for(&stack.url("everything"), "http://127.0.0.1/evil").await?;
    ensure!(error(redeem(&evil, &stolen, Some(VERIFIER)).await?).await? == invalid_grant());
    stack.stop().await
}

#[tokio::test]
async fn authorization_code_theft_is_noticed_when_both_use_it() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let url = stack.url("everything");
    let client = OAuth::register(&url).await?;
    let code = client.authorize(&mut Person::admin(), "mcp offline_access").await?;
    let tokens = client.exchange(&code).await?;
    ensure!(error(redeem(&client, &code, Some(VERIFIER)).await?).await? == invalid_grant());
    // What the first had got ends, too: it may be the thief's.
    let refresh = tokens.refresh.context("no refresh token")?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
        ("client_id", &client.client_id),
    ];
    ensure!(error(client.ask(&form).await?).await? == invalid_grant());
    stack.stop().await
}

#[tokio::test]
async fn pkce_downgrade() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let good = client.authorization_url("mcp", "s")?;
    let without = with(&good, "code_challenge", None);
    let downgrades = [
        with(&without, "code_challenge_method", None),
        without,
        with(&good, "code_challenge_method", None),
        with(&good, "code_challenge_method", Some("plain")),
        with(&good, "code_challenge_method", Some("s256")),
        with(&good, "code_challenge", Some("")),
    ];
    for url in downgrades {
        let back = Person::admin().authorize(&url).await?;
        let error = back.query_pairs().find(|(name, _)| name == "error").map(|(_, value)| value);
        ensure!(error.as_deref() == Some("invalid_request"), "{url}: {back}");
    }
    for verifier in [None, Some("")] {
        let code = client.authorize(&mut Person::admin(), "mcp").await?;
        let (status, _) = error(redeem(&client, &code, verifier).await?).await?;
        ensure!(status == 400, "without a verifier: {status}");
    }
    stack.stop().await
}

#[tokio::test]
async fn mix_up() -> Result<()> {
    let ((_one, honest), (_other, evil)) = (gateway("60s").await?, gateway("60s").await?);
    let client = OAuth::register(&honest.url("everything")).await?;
    // The client believes that it talks to the attacker's server, and the browser was sent on to the honest one:
    // the answer says who gave it (`authorize` insists on that), and the code is worth nothing elsewhere.
    let back = Person::admin().authorize(&client.authorization_url("mcp", "s")?).await?;
    let query = |name: &str| {
        back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let issuer = query("iss").context("no iss")?;
    ensure!(issuer == honest.public_url() && issuer != evil.public_url(), "{issuer}");
    let code = query("code").context("no code")?;
    let there = OAuth::register(&evil.url("everything")).await?;
    ensure!(error(redeem(&there, &code, Some(VERIFIER)).await?).await? == invalid_grant());
    client.exchange(&code).await?;
    honest.stop().await?;
    evil.stop().await
}

#[tokio::test]
async fn refresh_token_theft() -> Result<()> {
    let (_server, stack) = gateway("0s").await?;
    let (client, first) = oauth::connect(&stack.url("everything")).await?;
    let stolen = first.refresh.context("no refresh token")?;
    let second = client.refresh(&stolen).await?;
    let second = second.refresh.context("no second refresh token")?;
    let third = client.refresh(&second).await?;
    let third = third.refresh.context("no third refresh token")?;
    // The thief is late; whoever holds the newest one has to ask the user again.
    for token in [&stolen, &third, &second] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &client.client_id),
        ];
        ensure!(error(client.ask(&form).await?).await? == invalid_grant(), "it still works");
    }
    stack.stop().await
}

#[tokio::test]
async fn refresh_race() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let url = stack.url("everything");
    let (client, first) = oauth::connect(&url).await?;
    let refresh = first.refresh.context("no refresh token")?;
    let racers = (0..8).map(|_| {
        let (client, refresh) = (client.clone(), refresh.clone());
        tokio::spawn(async move { client.refresh(&refresh).await })
    });
    let mut seen = BTreeSet::new();
    for racer in racers.collect::<Vec<_>>() {
        let tokens = racer.await??;
        Mcp::initialized(&url, &tokens.access).await?;
        let refresh = tokens.refresh.context("no refresh token")?;
        ensure!(seen.insert(refresh.clone()), "one token for two");
        client.refresh(&refresh).await.context("a token of the race is dead")?;
    }
    stack.stop().await
}

#[tokio::test]
async fn registration_flood() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let url = stack.url("everything");
    let (client, tokens) = oauth::connect(&url).await?;
    let endpoint = format!("{}/oauth/register", stack.public_url());
    let mut refused = None;
    for number in 0..400 {
        let body = json!({
            "client_name": "Claude", "redirect_uris": [format!("https://evil.example/{number}")],
        });
        let answer = http::client().post(&endpoint).json(&body).send().await?;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
        ensure!(answer.status() == 201, "{}", answer.status());
    }
    let refused = refused.context("400 registrations, and no end")?;
    ensure!(refused.headers().contains_key("retry-after"), "no Retry-After");
    ensure!(refused.json::<Value>().await?["error"].is_string(), "not an error of OAuth");
    // Who is connected goes on, and who is registered connects.
    client.refresh(&tokens.refresh.context("no refresh token")?).await?;
    let mut person = Person::admin();
    client.exchange(&client.authorize(&mut person, "mcp").await?).await?;
    stack.stop().await
}

#[tokio::test]
async fn client_impersonation() -> Result<()> {
    let (_server, stack) = gateway("60s").await?;
    let endpoint = format!("{}/oauth/register", stack.public_url());
    let body = json!({
        "client_name": "Claude\u{202e} by Anthropic", "redirect_uris": ["https://evil.example/claude.ai"],
        "logo_uri": "https://claude.ai/logo.png", "client_uri": "https://claude.ai",
    });
    let answer = http::client().post(endpoint).json(&body).send().await?;
    let registered: Value = answer.json().await?;
    let known = OAuth::register(&stack.url("everything")).await?;
    let url = known.authorization_url("mcp", "s")?;
    let id = registered["client_id"].as_str().context("no client_id")?;
    let url = with(&url, "client_id", Some(id));
    let url = with(&url, "redirect_uri", Some("https://evil.example/claude.ai"));
    let mut person = Person::admin();
    person.authorize(&url).await?;
    // The page says where access goes, that nobody vouches for the name, and shows nothing of the vendor's.
    let consent = person.pages.last().context("no page")?;
    for shown in ["<strong class=\"host\">evil.example</strong>", "nobody has verified it"] {
        ensure!(consent.contains(shown), "no {shown} in {consent}");
    }
    for hidden in ["logo.png", "<img", "https://claude.ai", "\u{202e}"] {
        ensure!(!consent.contains(hidden), "{hidden} in {consent}");
    }
    stack.stop().await
}
