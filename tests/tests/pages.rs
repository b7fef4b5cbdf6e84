//! The login and consent pages work in a real browser, all the way back to the client.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    oauth::OAuth,
    person::Person,
    script::Script,
    stack::{EMAIL, PASSWORD, Setup, parts},
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
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url("mcp", "s")?;
    // An error that only a click takes back to a web site.
    let site = "https://site.example/";
    let unknown = OAuth::register_for(&stack.url("everything"), site).await?;
    let mut returning = Url::parse(&format!("{}/oauth/authorize", stack.public_url()))?;
    returning.query_pairs_mut().append_pair("client_id", &unknown.client_id);
    returning.query_pairs_mut().append_pair("redirect_uri", site);

    let script = parts::root().join("tests/clients/axe.mjs");
    let arguments = [url.as_str(), EMAIL, PASSWORD, returning.as_str()];
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    let pages = browser.said("pages", &mut Person::admin()).await?;
    let pages = pages.as_object().context("pages")?;
    ensure!(pages.len() == 10, "{} pages", pages.len());
    for (page, violations) in pages {
        ensure!(*violations == json!([]), "{page}: {violations:#}");
    }
    stack.stop().await
}
