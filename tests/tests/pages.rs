//! The login and consent pages, and a person's own, work in a real browser, all the way back to the client.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    oauth::{OAuth, VERIFIER},
    person::Person,
    script::Script,
    stack::{EMAIL, PASSWORD, Setup, Stack, parts},
    upstream::{Answer, Upstream},
};
use serde_json::{Value, json};
use url::Url;

/// Screenshots are kept here, for people.
fn artefacts(name: &str) -> PathBuf {
    parts::root().join("target/screenshots").join(name)
}

async fn browse(url: &Url, name: &str, more: &[&str]) -> Result<Value> {
    parts::chromium()?;
    let script = parts::root().join("tests/clients/browser.mjs");
    let folder = artefacts(name);
    let folder = folder.to_str().context("a path in UTF-8")?;
    let mut arguments = vec![url.as_str(), EMAIL, PASSWORD, folder];
    arguments.extend(more);
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    browser.said("seen", &mut Person::admin()).await
}

fn parameter(url: &str, name: &str) -> Result<Option<String>> {
    let url = Url::parse(url)?;
    Ok(url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()))
}

#[tokio::test]
async fn a_person_logs_in_and_allows_in_a_browser() -> Result<()> {
    let upstream = Upstream::start(|_| Answer::json("{}")).await?;
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url("mcp", "state-of-the-browser")?;

    let seen = browse(&url, "allow", &[]).await?;
    let redirect = seen["redirect"].as_str().context("a redirect")?;
    ensure!(parameter(redirect, "state")?.as_deref() == Some("state-of-the-browser"), "{redirect}");
    ensure!(parameter(redirect, "iss")?.as_deref() == Some(stack.public_url()), "{redirect}");
    ensure!(seen["violations"] == json!([]), "the policy of a page was violated: {seen}");

    let consent = seen["consent"].as_str().context("the consent page")?;
    for named in ["admin@example.com", "localhost", "mcp"] {
        ensure!(consent.contains(named), "the consent page does not name {named}: {consent}");
    }
    let code = parameter(redirect, "code")?.context("a code")?;
    client.exchange(&code).await.context("the code of the browser")?;
    for page in ["login.png", "consent.png"] {
        ensure!(artefacts("allow").join(page).metadata()?.len() > 5_000, "{page} is blank");
    }
    stack.stop().await
}

#[tokio::test]
async fn a_person_denies_in_a_browser() -> Result<()> {
    let upstream = Upstream::start(|_| Answer::json("{}")).await?;
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url("mcp", "s")?;

    let seen = browse(&url, "deny", &["--deny"]).await?;
    let redirect = seen["redirect"].as_str().context("a redirect")?;
    ensure!(parameter(redirect, "error")?.as_deref() == Some("access_denied"), "{redirect}");
    ensure!(parameter(redirect, "code")?.is_none(), "{redirect}");
    stack.stop().await
}

#[tokio::test]
async fn nothing_keeps_people_from_reading_a_page() -> Result<()> {
    parts::chromium()?;
    let upstream = Upstream::start(|_| Answer::json("{}")).await?;
    let mut setup = Setup::new().server("everything", &upstream.url("/mcp"));
    // A button for it is on the login page; nobody goes there.
    setup.config["authorization"]["embedded"]["federation"] =
        json!([{"name": "example", "issuer": "https://login.example.com", "client_id": "gateway"}]);
    let stack = setup.start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url("mcp", "s")?;
    // An error that only a click takes back to a web site.
    let site = "https://site.example/";
    let unknown = OAuth::register_for(&stack.url("everything"), site).await?;
    let mut returning = Url::parse(&format!("{}/oauth/authorize", stack.public_url()))?;
    returning.query_pairs_mut().append_pair("client_id", &unknown.client_id);
    returning.query_pairs_mut().append_pair("redirect_uri", site);

    // Somebody who has let something in, and can change their password.
    stack.operate(&["user", "add", SECOND], PASSWORD)?;
    for _connection in 0..2 {
        let mut person = Person::new(SECOND, PASSWORD).without_provider();
        let_in(&stack, &client, &mut person).await?;
    }
    stack.operate(&["token", "create", "--user", SECOND, "--expires", "1d"], "")?;

    let script = parts::root().join("tests/clients/axe.mjs");
    let arguments = [url.as_str(), SECOND, PASSWORD, returning.as_str()];
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    let pages = browser.said("pages", &mut Person::admin()).await?;
    let pages = pages.as_object().context("pages")?;
    ensure!(pages.len() == 18, "{} pages", pages.len());
    for (page, violations) in pages {
        ensure!(*violations == json!([]), "{page}: {violations:#}");
    }
    stack.stop().await
}

const SECOND: &str = "second@example.com";
const NEW_PASSWORD: &str = "another horse battery staple";
const CLAUDE: &str = "https://claude.ai/api/mcp/auth_callback";

/// Lets in another client of theirs, on a web site.
async fn let_in(stack: &Stack, client: &OAuth, person: &mut Person) -> Result<()> {
    let registration = json!({
        "client_name": "Claude",
        "redirect_uris": [CLAUDE],
        "token_endpoint_auth_method": "none",
    });
    let endpoint = format!("{}/oauth/register", stack.public_url());
    let answer = attache_tests::http::client().post(endpoint).json(&registration).send().await?;
    let registered: Value = answer.json().await?;
    let id = registered["client_id"].as_str().context("a client id")?;
    let url = client.authorization_url("mcp offline_access", "s")?.to_string();
    let url = url.replace(&client.client_id, id).replace(
        "http%3A%2F%2F127.0.0.1%3A33418%2Fcallback",
        "https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
    );
    let back = person.authorize(&Url::parse(&url)?).await?;
    let code = parameter(back.as_str(), "code")?.context("a code")?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CLAUDE),
        ("client_id", id),
        ("code_verifier", VERIFIER),
    ];
    let answer = client.ask(&form).await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    Ok(())
}

#[tokio::test]
async fn a_person_ends_access_and_changes_their_password_in_a_browser() -> Result<()> {
    parts::chromium()?;
    let upstream = Upstream::start(|_| Answer::json("{}")).await?;
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    stack.operate(&["user", "add", SECOND, "--group", "guests"], PASSWORD)?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let mut person = Person::new(SECOND, PASSWORD);
    let_in(&stack, &client, &mut person).await?;
    let token = ["token", "create", "--user", SECOND, "--expires", "1d", "--name", "nightly"];
    stack.operate(&token, "")?;

    let url = client.authorization_url("mcp offline_access", "s")?;
    let script = parts::root().join("tests/clients/account.mjs");
    let folder = artefacts("account");
    let folder = folder.to_str().context("a path in UTF-8")?;
    let arguments = [url.as_str(), SECOND, PASSWORD, NEW_PASSWORD, folder];
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    let redirect = browser.said("redirect", &mut person).await?;
    let code = parameter(redirect.as_str().context("a redirect")?, "code")?.context("a code")?;
    let tokens = client.exchange(&code).await?;
    let refresh = tokens.refresh.context("a refresh token")?;
    let refresh = client.refresh(&refresh).await?.refresh.context("a refresh token")?;

    browser.say("go on").await?;
    let ended = browser.said("ended", &mut person).await?;
    let listed = ended["listed"].as_str().context("the page")?;
    for named in
        [SECOND, "Plain HTTP", "nightly", "Claude", "claude.ai", "127.0.0.1", "/everything/mcp"]
    {
        ensure!(listed.contains(named), "the page does not name {named}: {listed}");
    }
    let told = ended["told"].as_str().context("the page after that")?;
    ensure!(told.contains("The access of Plain HTTP has ended."), "{told}");
    ensure!(told.matches("Plain HTTP").count() == 1, "it is listed still: {told}");
    let told = ended["token"].as_str().context("the page after the end of a token")?;
    ensure!(told.contains("The personal access token nightly has ended."), "{told}");
    ensure!(!told.contains("Personal access tokens\n"), "it is listed still: {told}");
    let refused = client.refresh(&refresh).await.err().context("a refresh token that lives on")?;
    ensure!(refused.to_string().contains("invalid_grant"), "{refused}");

    let seen = browser.said("seen", &mut person).await?;
    for (page, text) in [
        ("refused", "The current password is wrong"),
        ("changed", "Your password is changed."),
        ("changed", "No application can act for you"),
        ("out", "You are signed out"),
        ("again", SECOND),
    ] {
        let shown = seen[page].as_str().context("a page")?;
        ensure!(shown.contains(text), "{page} does not say {text}: {shown}");
    }
    ensure!(seen["violations"] == json!([]), "the policy of a page was violated: {seen}");
    stack.stop().await
}
