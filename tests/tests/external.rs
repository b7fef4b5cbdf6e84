//! Before a certified provider that issues the tokens: clients meet the gateway's registration, documents, consent, codes
//! and refresh tokens, and Envoy takes the provider's access tokens, signed or opaque.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    documents::Site,
    mcp::Mcp,
    oauth::{self, OAuth, REDIRECT_URI, Tokens},
    person::Person,
    provider::{OidcProvider, Planned},
    stack::{Setup, Stack, eventually},
    upstream::{Upstream, mcp},
};
use serde_json::{Value, json};

const SCOPE: &str = "mcp offline_access";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// With what is looked for again a few seconds later.
const PATIENCE: Duration = Duration::from_secs(40);

/// How authsvc becomes a client of the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Registrar {
    Static,
    Registration,
}

struct Gateway {
    stack: Stack,
    provider: OidcProvider,
    _server: Upstream,
}

impl Gateway {
    async fn start(registrar: Registrar, resources: Value) -> Result<Self> {
        Self::with(registrar, resources, |_external| ()).await
    }

    async fn with(
        registrar: Registrar,
        resources: Value,
        change: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        Self::from(Setup::new(), registrar, resources, change).await
    }

    async fn from(
        setup: Setup,
        registrar: Registrar,
        resources: Value,
        change: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let mut setup = setup.server("everything", &server.url("/mcp"));
        let planned = Planned::for_resources(&setup.callback("external"), &resources);
        let mut external = planned.external();
        if registrar == Registrar::Registration {
            external["registration"] = json!({ "enabled": "true" });
            external.as_object_mut().context("an object")?.remove("client");
        }
        change(&mut external);
        setup.config["authorization"] = json!({ "external": external });
        let provider = planned.start().await?;
        let stack = setup.start().await?;
        Ok(Self { stack, provider, _server: server })
    }

    fn person(&self) -> Person {
        Person::new("jane", "any password").at(&self.provider.issuer)
    }

    async fn connect(&self) -> Result<(OAuth, Tokens)> {
        let client = OAuth::register(&self.stack.url("everything")).await?;
        let code = client.authorize(&mut self.person(), SCOPE).await?;
        let tokens = client.exchange(&code).await?;
        Ok((client, tokens))
    }

    async fn list(&self, token: &str) -> Result<u16> {
        let mcp = Mcp::new(&self.stack.url("everything"), Some(token));
        Ok(mcp.post(LIST).await?.status().as_u16())
    }
}

/// The whole way, and new tokens, and the end.
async fn works(registrar: Registrar, format: &str) -> Result<()> {
    let gateway = Gateway::start(registrar, json!({ "format": format })).await?;
    let mut person = gateway.person();
    let client = OAuth::register(&gateway.stack.url("everything")).await?;
    let code = client.authorize(&mut person, SCOPE).await?;
    let question = person.pages.first().context("no page")?;
    ensure!(question.contains("id=\"elsewhere\""), "the first page is no question: {question}");
    let tokens = client.exchange(&code).await?;
    ensure!(tokens.answer.get("id_token").is_none(), "an ID token was handed out");
    let life = tokens.answer["expires_in"].as_i64().context("no expires_in")?;
    ensure!((500..=600).contains(&life), "expires in {life}");
    if format == "jwt" {
        let (_, claims) = oauth::claims(&tokens.access)?;
        ensure!(claims["iss"] == gateway.provider.issuer, "{claims}");
        ensure!(claims["aud"] == gateway.stack.url("everything"), "{claims}");
    } else {
        ensure!(!tokens.access.contains('.'), "not opaque: {}", tokens.access);
    }
    ensure!(gateway.list(&tokens.access).await? == 200, "the token opens nothing");
    let event = gateway.stack.event(|event| event["method"] == "tools/list").await?;
    ensure!(event["subject"] == "jane" && event["outcome"] == "ok", "{event}");

    let mut refresh = tokens.refresh.context("no refresh token")?;
    for _ in 0..2 {
        let next = client.refresh(&refresh).await?;
        ensure!(gateway.list(&next.access).await? == 200, "a new token opens nothing");
        refresh = next.refresh.context("no refresh token")?;
    }
    let form = [("token", refresh.as_str()), ("client_id", &client.client_id)];
    let endpoint = format!("{}/oauth/revoke", gateway.stack.public_url());
    let ended = attache_tests::http::client().post(endpoint).form(&form).send().await?;
    ensure!(ended.status() == 200, "{}", ended.status());
    let refused = client.refresh(&refresh).await.err().context("a revoked grant goes on")?;
    ensure!(refused.to_string().contains("invalid_grant"), "{refused}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn one_client_at_the_provider_and_signed_tokens() -> Result<()> {
    works(Registrar::Static, "jwt").await
}

#[tokio::test]
async fn one_client_at_the_provider_and_opaque_tokens() -> Result<()> {
    works(Registrar::Static, "opaque").await
}

#[tokio::test]
async fn clients_registered_at_the_provider_and_signed_tokens() -> Result<()> {
    works(Registrar::Registration, "jwt").await
}

#[tokio::test]
async fn clients_registered_at_the_provider_and_opaque_tokens() -> Result<()> {
    works(Registrar::Registration, "opaque").await
}

#[tokio::test]
async fn a_client_with_a_document_needs_no_registration_at_either() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let metadata = json!({
        "client_name": "Documented", "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
    });
    let site = Site::start(folder.path(), &metadata).await?;
    let mut setup = Setup::new();
    site.known_to(&mut setup);
    let trust = |external: &mut Value| external["client_id_metadata_documents"] = Site::trust();
    let signed = json!({ "format": "jwt" });
    let gateway = Gateway::from(setup, Registrar::Registration, signed, trust).await?;
    let mut client = OAuth::register(&gateway.stack.url("everything")).await?;
    client.client_id.clone_from(&site.id);
    let code = client.authorize(&mut gateway.person(), SCOPE).await?;
    let tokens = client.exchange(&code).await?;
    ensure!(gateway.list(&tokens.access).await? == 200, "the token opens nothing");
    let refresh = tokens.refresh.context("no refresh token")?;
    client.refresh(&refresh).await?;
    gateway.stack.stop().await
}

#[tokio::test]
async fn while_the_provider_is_down_nothing_is_lost() -> Result<()> {
    let mut gateway = Gateway::start(Registrar::Static, json!({ "format": "jwt" })).await?;
    let (client, tokens) = gateway.connect().await?;
    let refresh = tokens.refresh.context("no refresh token")?;
    gateway.provider.tell(&json!({ "fail": { "path": "/token", "status": 503 } })).await?;
    let refused = client.refresh(&refresh).await.err().context("tokens out of nothing")?;
    ensure!(refused.to_string().contains("temporarily_unavailable"), "{refused}");
    ensure!(gateway.list(&tokens.access).await? == 200, "a good token is refused meanwhile");
    gateway.provider.tell(&json!({ "mend": true })).await?;
    let next = client.refresh(&refresh).await?;
    ensure!(gateway.list(&next.access).await? == 200, "a new token opens nothing");
    // Cancel there is a no to the client.
    gateway.provider.tell(&json!({ "deny": true })).await?;
    let refused = client.authorize(&mut gateway.person(), SCOPE).await;
    let refused = refused.err().context("let in without a login")?.to_string();
    ensure!(refused.contains("access_denied"), "{refused}");
    gateway.stack.stop().await
}

/// Why somebody is not let in: what the page says.
async fn told(client: &OAuth, mut person: Person) -> Result<String> {
    let failed = client.authorize(&mut person, SCOPE).await;
    Ok(failed.err().context("somebody was let in")?.to_string())
}

#[tokio::test]
async fn a_provider_that_is_slow_or_answers_garbage_costs_nothing_but_time() -> Result<()> {
    let mut gateway = Gateway::start(Registrar::Static, json!({ "format": "jwt" })).await?;
    let (client, tokens) = gateway.connect().await?;
    let mut refresh = tokens.refresh.context("no refresh token")?;
    let (slow, garbage) = (("503", "does not answer just now"), ("502", "do not understand"));
    for (failure, (status, text), error) in [
        (json!({ "hang": true }), slow, "temporarily_unavailable"),
        (json!({ "body": "<html>", "type": "text/html" }), garbage, "server_error"),
        (json!({ "body": "{\"access_token\":" }), garbage, "server_error"),
        (json!({ "body": "{\"access_token\":\"x\"}" }), garbage, "server_error"),
        (json!({ "body": "[]", "status": 400 }), garbage, "server_error"),
    ] {
        let mut order = failure.clone();
        order["path"] = json!("/token");
        gateway.provider.tell(&json!({ "fail": order })).await?;
        let page = told(&client, gateway.person()).await?;
        ensure!(page.contains(status) && page.contains(text), "{failure}: {page}");
        ensure!(page.contains("id=\"allow\""), "{failure}: no way to try again: {page}");
        let refused = client.refresh(&refresh).await.err().context("tokens out of nothing")?;
        let refused = refused.to_string();
        ensure!(refused.contains(status) && refused.contains(error), "{failure}: {refused}");
        ensure!(gateway.list(&tokens.access).await? == 200, "{failure}: a good token is refused");
        gateway.provider.tell(&json!({ "mend": true })).await?;
        let next = client.refresh(&refresh).await.with_context(|| format!("after {failure}"))?;
        refresh = next.refresh.context("no refresh token")?;
        gateway.connect().await.with_context(|| format!("after {failure}"))?;
    }
    gateway.stack.stop().await
}

/// Down when the gateway starts, then up and out of its mind, then well: nobody has to start anything again.
#[tokio::test]
async fn a_gateway_that_starts_before_its_provider_finds_it_when_it_comes() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    let signed = json!({ "format": "jwt" });
    let mut planned = Planned::for_resources(&setup.callback("external"), &signed);
    setup.config["authorization"] = json!({ "external": planned.external() });
    let stack = setup.start().await?;
    let person = || Person::new("jane", "any password").at(&planned.issuer);
    // Discovery and registration need no provider.
    let client = OAuth::register(&stack.url("everything")).await?;
    let page = told(&client, person()).await?;
    ensure!(page.contains("503") && page.contains("does not answer just now"), "{page}");
    let keys = format!("{}/oauth/jwks.json", stack.public_url());
    let status = attache_tests::http::client().get(&keys).send().await?.status();
    ensure!(status == 503, "keys out of nothing: {status}");

    let (metadata, jwks) = ("/.well-known/openid-configuration", "/jwks");
    planned.configuration["failures"] = json!([
        { "path": metadata, "body": "<html>", "type": "text/html" },
        { "path": jwks, "body": "{\"keys\":{}}" },
    ]);
    let mut provider = planned.start().await?;
    // What failed a moment ago is not asked at once again.
    let garbage = async || {
        let page = told(&client, person()).await?;
        ensure!(page.contains("502") && page.contains("do not understand"), "{page}");
        Ok(())
    };
    eventually(PATIENCE, garbage).await.context("metadata that is none")?;
    provider.tell(&json!({ "mend": metadata })).await?;
    let arrived = async || {
        let mut person = person();
        let page = client.authorize(&mut person, SCOPE).await.err().context("let in")?.to_string();
        let sent = person.visited.iter().any(|url| url.as_str().starts_with(&planned.issuer));
        ensure!(sent && page.contains("502"), "{page}");
        Ok(())
    };
    eventually(PATIENCE, arrived).await.context("keys that are none")?;
    provider.tell(&json!({ "mend": jwks })).await?;
    let well = async || {
        let code = client.authorize(&mut person(), SCOPE).await?;
        let tokens = client.exchange(&code).await?;
        let mcp = Mcp::new(&stack.url("everything"), Some(&tokens.access));
        let status = mcp.post(LIST).await?.status();
        ensure!(status == 200, "{status}");
        Ok(())
    };
    eventually(PATIENCE, well).await.context("when all is well")?;
    stack.stop().await
}

/// Their own page, in a browser that no application has sent.
#[tokio::test]
async fn people_sign_in_to_their_own_page_at_the_provider() -> Result<()> {
    for registrar in [Registrar::Static, Registrar::Registration] {
        let gateway = Gateway::start(registrar, json!({ "format": "jwt" })).await?;
        let client = OAuth::register(&gateway.stack.url("everything")).await?;
        client.exchange(&client.authorize(&mut gateway.person(), SCOPE).await?).await?;
        let page = format!("{}/account", gateway.stack.public_url()).parse()?;
        let page = gateway.person().reach(&page, "id=\"account\"").await?;
        ensure!(page.contains("<strong class=\"name\""), "{page}");
        ensure!(page.contains("name=\"client\""), "what was let in is not listed: {page}");
        gateway.stack.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tries_the_client() -> Result<()> {
    let signed = || json!({ "format": "jwt" });
    let gateway = Gateway::start(Registrar::Static, signed()).await?;
    let said = gateway.stack.operate(&["doctor"], "")?;
    ensure!(said.contains("it takes the client; it must know"), "{said}");
    gateway.stack.stop().await?;
    let wrong = |external: &mut Value| external["client"]["secret"] = json!("not this one");
    let gateway = Gateway::from(Setup::new(), Registrar::Static, signed(), wrong).await?;
    let said = gateway.stack.operate(&["doctor"], "").err().context("content")?.to_string();
    ensure!(said.contains("does not accept the configured client"), "{said}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn keys_that_the_provider_changes_are_found() -> Result<()> {
    let mut gateway = Gateway::start(Registrar::Static, json!({ "format": "jwt" })).await?;
    let (_, tokens) = gateway.connect().await?;
    ensure!(gateway.list(&tokens.access).await? == 200, "the token opens nothing");
    gateway.provider.tell(&json!({ "rotate": true })).await?;
    // Nobody asks the provider again for ten seconds.
    let good = eventually(PATIENCE, async || {
        let (_, tokens) = gateway.connect().await?;
        let status = gateway.list(&tokens.access).await?;
        ensure!(status == 200, "{status}");
        Ok(())
    });
    good.await?;
    gateway.stack.stop().await
}

#[tokio::test]
async fn a_token_for_something_else_is_not_handed_out() -> Result<()> {
    let other = json!({ "format": "jwt", "audience": "https://elsewhere.example" });
    let gateway = Gateway::start(Registrar::Static, other.clone()).await?;
    let refused = gateway.connect().await.err().context("a useless token")?.to_string();
    ensure!(refused.contains("502") && refused.contains("would refuse"), "{refused}");
    let log = std::fs::read_to_string(gateway.stack.folder().join("authsvc.log"))?;
    ensure!(log.contains("https://elsewhere.example") && log.contains("set `audience`"), "{log}");
    gateway.stack.stop().await?;
    let fixed = |external: &mut Value| external["audience"] = json!("https://elsewhere.example");
    let gateway = Gateway::with(Registrar::Static, other, fixed).await?;
    let (_, tokens) = gateway.connect().await?;
    ensure!(gateway.list(&tokens.access).await? == 200, "the token opens nothing");
    gateway.stack.stop().await
}
