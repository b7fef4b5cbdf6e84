//! The confused deputy (MCP security best practices), played to its end in each mode: a provider that knows its users
//! and asks them nothing, a gateway that is one client of it, and a client that anybody registered.

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    dex::{self, Connector},
    oauth::OAuth,
    person::Person,
    provider::{CLIENT_ID, CLIENT_SECRET, OidcProvider},
    stack::{Setup, Stack, fresh_folder},
    upstream::{Upstream, mcp},
};
use serde_json::json;
use url::Url;

/// Where the provider of a gateway that is not there yet sends people back.
fn callback(setup: &Setup, name: &str) -> String {
    let public_url = setup.config["public_url"].as_str().unwrap_or_default();
    format!("{public_url}/oauth/callback/{name}")
}

async fn gateway() -> Result<(Upstream, Setup)> {
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    Ok((server, setup))
}

/// What an attacker tries with somebody who is logged in at `issuer`, and has let another client in.
async fn attack(stack: &Stack, issuer: &str, person: Person) -> Result<()> {
    let honest =
        OAuth::register_for(&stack.url("everything"), "https://honest.example/back").await?;
    let evil = OAuth::register_for(&stack.url("everything"), "https://evil.example/back").await?;
    let link = evil.authorization_url("mcp", "s")?;
    let mut victim = person.at(issuer).at(stack.public_url());
    let code = honest.authorize(&mut victim, "mcp").await?;
    honest.exchange(&code).await?;
    victim.pages.clear();
    honest.authorize(&mut victim, "mcp").await?;
    let asks = |page: &String| page.contains("id=\"allow\"");
    ensure!(!victim.pages.iter().any(asks), "asked again, so this shows nothing");

    // A link: it leads to the question, and not to the provider.
    victim.visited.clear();
    let page = victim.open(&link).await?;
    let ours = page.as_str().starts_with(stack.public_url());
    ensure!(ours && page.path() == "/oauth/consent", "a link leads to {page}");
    let there = |url: &Url| url.as_str().starts_with(issuer);
    ensure!(!victim.visited.iter().any(there), "the provider was asked: {:?}", victim.visited);

    // His own yes, and the victim's browser for the rest: the provider knows them and sends them back with a code.
    let mut attacker = Person::new("attacker", "any password");
    let way = attacker.authorize(&link).await?;
    ensure!(there(&way), "no way to the provider: {way}");
    let ended = victim.authorize(&way).await.err().context("the victim finished it")?.to_string();
    ensure!(ended.contains("/oauth/callback/") && ended.contains("400"), "{ended}");

    // Nothing is agreed that was not, and nothing is lost.
    let page = victim.open(&link).await?;
    ensure!(page.path() == "/oauth/consent", "a link leads to {page}");
    let code = honest.authorize(&mut victim, "mcp").await?;
    honest.exchange(&code).await.map(drop)
}

#[tokio::test]
async fn c1_c2_c11_confused_deputy_where_a_provider_logs_people_in() -> Result<()> {
    let (_server, mut setup) = gateway().await?;
    let dex = dex::Setup::new(&[Connector::Mock]).client(json!({
        "id": CLIENT_ID, "name": "Gateway", "secret": CLIENT_SECRET,
        "redirectURIs": [callback(&setup, "dex")],
    }));
    setup.config["authorization"] = json!({ "embedded": { "federation": [{
        "name": "dex", "issuer": dex.issuer(), "allow_private": true,
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    }]}});
    let stack = setup.start().await?;
    let dex = dex.start(stack.folder()).await?;
    attack(&stack, dex.issuer(), dex::admin(dex.issuer())).await?;
    stack.stop().await
}

#[tokio::test]
async fn c1_c2_c11_confused_deputy_before_a_provider_that_issues_the_tokens() -> Result<()> {
    let (_server, mut setup) = gateway().await?;
    let client = json!({
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "redirect_uris": [callback(&setup, "external")],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let provider = OidcProvider::start(&json!({
        "clients": [client], "people": { "jane": {} }, "resources": { "format": "jwt" },
        "scopes": ["openid", "offline_access", "mcp"],
    }))
    .await?;
    setup.config["authorization"] = json!({ "external": {
        "issuer": provider.issuer, "allow_private": true,
        "client": { "id": CLIENT_ID, "secret": CLIENT_SECRET },
    }});
    let stack = setup.start().await?;
    attack(&stack, &provider.issuer, Person::new("jane", "any password")).await?;
    stack.stop().await
}

#[tokio::test]
async fn c1_c2_c11_confused_deputy_before_dex_that_issues_the_tokens() -> Result<()> {
    let dex = dex::Setup::new(&[Connector::Mock]);
    let (_server, mut setup) = gateway().await?;
    setup.config["authorization"] =
        json!({ "dex": { "issuer": dex.issuer(), "grpc": { "address": dex.grpc() } } });
    let dex = dex.start(&fresh_folder(None)?).await?;
    let stack = setup.start().await?;
    attack(&stack, dex.issuer(), dex::admin(dex.issuer())).await?;
    stack.stop().await
}
