//! People log in at a provider of identities, a certified one: through Envoy, with a person and with a real browser,
//! while it is well and while it is not.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    dex::{self, Connector},
    http,
    mcp::Mcp,
    oauth::{OAuth, Tokens},
    person::Person,
    provider::{CLIENT_ID, CLIENT_SECRET, OidcProvider, federated},
    script::Script,
    stack::{EMAIL, PASSWORD, Setup, Stack, eventually, parts},
    upstream::{Upstream, mcp},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const SCOPE: &str = "mcp offline_access";

/// A gateway, its provider, and an MCP server.
struct Gateway {
    stack: Stack,
    provider: OidcProvider,
    client: OAuth,
    _server: Upstream,
}

fn people() -> Value {
    json!({
        "jane": {
            "email": "jane@example.com", "email_verified": true, "name": "Jane", "groups": ["staff", "ops"],
        },
        // Somebody who says that they are the local user.
        "mallory": { "email": EMAIL, "email_verified": false, "groups": [] },
    })
}

impl Gateway {
    async fn start() -> Result<Self> {
        Self::with(|_entry| ()).await
    }

    /// With one provider, configured otherwise.
    async fn with(change: impl FnOnce(&mut Value)) -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let mut setup = Setup::new().server("everything", &server.url("/mcp"));
        let provider = OidcProvider::with_client(&setup.callback("example"), people()).await?;
        let mut entry = federated("example", &provider.issuer);
        change(&mut entry);
        setup.config["authorization"]["embedded"]["federation"] = json!([entry]);
        // What is logged is looked through afterwards.
        setup.config["service"]["log_level"] = json!("trace");
        let stack = setup.start().await?;
        let client = OAuth::register(&stack.url("everything")).await?;
        Ok(Self { stack, provider, client, _server: server })
    }

    fn person(&self, login: &str) -> Person {
        Person::new(login, "any password").at(&self.provider.issuer)
    }

    async fn connect(&self, login: &str) -> Result<Tokens> {
        let code = self.client.authorize(&mut self.person(login), SCOPE).await?;
        self.client.exchange(&code).await
    }

    /// What somebody is told who cannot go on.
    async fn told(&self, login: &str) -> Result<String> {
        let failed = self.client.authorize(&mut self.person(login), SCOPE).await;
        Ok(failed.err().context("somebody was let in")?.to_string())
    }
}

fn claims(token: &str) -> Result<Value> {
    let payload = token.split('.').nth(1).context("no JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

#[tokio::test]
async fn people_log_in_at_a_provider_and_call_tools() -> Result<()> {
    let gateway = Gateway::start().await?;
    let (client, tokens) = (&gateway.client, gateway.connect("jane").await?);
    let said = claims(&tokens.access)?;
    ensure!(said["email"] == "jane@example.com", "{said}");
    ensure!(said["groups"] == json!(["staff", "ops"]), "{said}");
    let subject = said["sub"].as_str().context("a subject")?;
    ensure!(subject != "jane" && subject.len() == 43, "{said}");
    ensure!(said["iss"] == gateway.stack.public_url(), "a token of the provider: {said}");

    let mcp = Mcp::new(&gateway.stack.url("everything"), Some(&tokens.access));
    let answer = mcp.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    let event = gateway.stack.event(|event| event["email"] == "jane@example.com").await?;
    ensure!(event["outcome"] == "ok" && event["subject"] == subject, "{event}");

    let refresh = tokens.refresh.context("a refresh token")?;
    let refreshed = client.refresh(&refresh).await?;
    ensure!(claims(&refreshed.access)?["groups"] == json!(["staff", "ops"]), "groups are lost");

    // The operator sees them, and keeps them out.
    let listed = gateway.stack.operate(&["user", "list"], "")?;
    let line = listed.lines().find(|line| line.contains(subject)).context("not listed")?;
    ensure!(line.starts_with("jane@example.com ") && line.contains(" example "), "{line}");
    gateway.stack.operate(&["user", "disable", subject], "")?;
    let refresh = refreshed.refresh.context("a refresh token")?;
    let refused = client.refresh(&refresh).await.err().context("a disabled account goes on")?;
    ensure!(refused.to_string().contains("invalid_grant"), "{refused}");
    let told = gateway.told("jane").await?;
    ensure!(told.contains("403") && told.contains("has switched it off"), "{told}");
    gateway.stack.operate(&["user", "enable", subject], "")?;
    gateway.connect("jane").await?;

    nothing_of_the_provider_is_kept(gateway.stack.folder())?;
    gateway.stack.stop().await
}

/// Its secret, its tokens, nonces and verifiers are in no log; those that log in with it are.
fn nothing_of_the_provider_is_kept(folder: &Path) -> Result<()> {
    let log = fs::read_to_string(folder.join("authsvc.log"))?;
    ensure!(log.contains("TRACE") && log.contains("a code was issued"), "no log: {log}");
    for secret in
        [CLIENT_SECRET, "a%20secret%2Fof", "code_verifier", "id_token", "eyJhbGciOiJSUzI1NiI"]
    {
        ensure!(!log.contains(secret), "{secret} is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn an_address_at_a_provider_is_not_the_local_user() -> Result<()> {
    let gateway = Gateway::start().await?;
    let tokens = gateway.connect("mallory").await?;
    let said = claims(&tokens.access)?;
    ensure!(said.get("email").is_none(), "an address that nobody verified: {said}");
    ensure!(said.get("groups").is_none(), "{said}");

    let client = &gateway.client;
    let admin = Person::admin();
    // The form of the password is not the first.
    let page = client.authorization_url(SCOPE, "s")?;
    let back = admin.without_provider().authorize(&page).await?;
    let code = back.query_pairs().find(|(name, _)| name == "code").context("no code")?.1;
    let local = claims(&client.exchange(&code).await?.access)?;
    ensure!(local["email"] == EMAIL && local["sub"] != said["sub"], "{local}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn a_provider_may_rotate_its_keys_be_down_slow_or_broken_and_say_no() -> Result<()> {
    let mut gateway = Gateway::start().await?;
    gateway.connect("jane").await?;
    for (failure, status, text) in [
        (json!({ "path": "/token", "status": 503 }), "503", "Example Login does not answer"),
        (json!({ "path": "/token", "hang": true }), "503", "Example Login does not answer"),
        (json!({ "path": "/token", "body": "<html>" }), "502", "do not understand each other"),
        (
            json!({ "path": "/token", "body": "{\"access_token\":\"x\"}" }),
            "502",
            "do not understand",
        ),
        (json!({ "path": "/me", "status": 500 }), "503", "Nothing is lost"),
        (json!({ "path": "/me", "body": "{\"sub\":\"another\"}" }), "502", "do not understand"),
    ] {
        gateway.provider.tell(&json!({ "fail": failure })).await?;
        let told = gateway.told("jane").await?;
        ensure!(told.contains(status) && told.contains(text), "{failure}: {told}");
        gateway.provider.tell(&json!({ "mend": true })).await?;
        gateway.connect("jane").await.with_context(|| format!("mended after {failure}"))?;
    }

    gateway.provider.tell(&json!({ "rotate": true })).await?;
    // Its keys were asked for a while ago, or they may be in a moment.
    eventually(Duration::from_secs(15), async || gateway.connect("jane").await.map(drop))
        .await
        .context("with the new key")?;

    gateway.provider.tell(&json!({ "deny": true })).await?;
    let told = gateway.told("jane").await?;
    ensure!(told.contains("403") && told.contains("you cancelled at Example Login"), "{told}");
    ensure!(told.contains("not today"), "{told}");
    gateway.stack.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_providers_authsvc_starts_and_passwords_work() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    let gone = federated("example", "http://127.0.0.1:9/nobody");
    setup.config["authorization"]["embedded"]["federation"] = json!([gone]);
    let stack = setup.start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url(SCOPE, "s")?;
    let told = Person::admin().authorize(&url).await.err().context("let in")?.to_string();
    ensure!(told.contains("503") && told.contains("Example Login does not answer"), "{told}");
    let back = Person::admin().without_provider().authorize(&url).await?;
    ensure!(back.query_pairs().any(|(name, _)| name == "code"), "{back}");
    let doctor = stack.operate(&["doctor"], "").err().context("the doctor is content")?.to_string();
    ensure!(doctor.contains("failed   provider example"), "{doctor}");
    stack.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tries_each_provider() -> Result<()> {
    let gateway = Gateway::start().await?;
    let said = gateway.stack.operate(&["doctor"], "")?;
    let line = said.lines().find(|line| line.contains("provider example")).context("no line")?;
    ensure!(line.starts_with("ok") && line.contains("takes the client"), "{said}");
    ensure!(line.contains("/oauth/callback/example"), "{line}");
    gateway.stack.stop().await?;

    let gateway = Gateway::with(|entry| entry["client_secret"] = json!("another")).await?;
    let said = gateway.stack.operate(&["doctor"], "").err().context("content")?.to_string();
    let line = said.lines().find(|line| line.contains("provider example")).context("no line")?;
    ensure!(
        line.contains("failed") && line.contains("does not accept the configured client"),
        "{line}"
    );
    ensure!(line.contains("give client_id and client_secret"), "{line}");
    let told = gateway.told("jane").await?;
    ensure!(told.contains("502"), "{told}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn a_public_client_and_a_provider_below_a_path() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    let client = json!({
        "client_id": CLIENT_ID,
        "redirect_uris": [setup.callback("realm")],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let configuration = json!({
        "path": "/realms/mcp",
        "clients": [client],
        "people": { "jane": { "email": "jane@example.com", "email_verified": true } },
    });
    let provider = OidcProvider::start(&configuration).await?;
    let mut entry = federated("realm", &provider.issuer);
    entry.as_object_mut().context("an object")?.remove("client_secret");
    entry["email_domains"] = json!(["example.com"]);
    setup.config["authorization"]["embedded"] = json!({ "federation": [entry] });
    let stack = setup.start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let mut person = Person::new("jane", PASSWORD).at(&provider.issuer);
    let code = client.authorize(&mut person, SCOPE).await?;
    let tokens = client.exchange(&code).await?;
    ensure!(claims(&tokens.access)?["email"] == "jane@example.com", "no address");
    let mut stranger = Person::new("nobody", PASSWORD).at(&provider.issuer);
    let told = client.authorize(&mut stranger, SCOPE).await.err().context("let in")?.to_string();
    ensure!(told.contains("no verified e-mail address"), "{told}");
    stack.stop().await
}

#[tokio::test]
async fn a_person_logs_in_at_a_provider_in_a_browser() -> Result<()> {
    parts::chromium()?;
    let gateway = Gateway::start().await?;
    let client = &gateway.client;
    let url = client.authorization_url(SCOPE, "state-of-the-browser")?;
    let script = parts::root().join("tests/clients/federated.mjs");
    let folder = parts::root().join("target/screenshots/federation");
    let folder = folder.to_str().context("a path in UTF-8")?;
    let arguments = [url.as_str(), "Continue with Example Login", "jane", folder];
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    let seen = browser.said("seen", &mut Person::admin()).await?;
    ensure!(seen["violations"] == json!([]), "the policy of a page was violated: {seen}");
    let consent = seen["consent"].as_str().context("the consent page")?;
    ensure!(consent.contains("jane@example.com (Example Login)"), "{consent}");
    let redirect = url::Url::parse(seen["redirect"].as_str().context("a redirect")?)?;
    let code = redirect.query_pairs().find(|(name, _)| name == "code").context("no code")?.1;
    client.exchange(&code).await?;
    gateway.stack.stop().await
}

#[tokio::test]
async fn a_callback_that_nobody_waits_for_is_a_page() -> Result<()> {
    let gateway = Gateway::start().await?;
    for (path, status) in [
        ("/oauth/callback/example", 400),
        ("/oauth/callback/example?state=a.b&code=c", 400),
        ("/oauth/callback/another?state=a.b&code=c", 404),
        ("/oauth/callback/Example", 404),
        ("/oauth/callback/", 404),
    ] {
        let answer =
            http::client().get(format!("{}{path}", gateway.stack.public_url())).send().await?;
        ensure!(answer.status() == status, "{path}: {}", answer.status());
        ensure!(!answer.headers().contains_key("set-cookie"), "{path} sets a cookie");
    }
    gateway.stack.stop().await
}

/// Who Dex logs in, and what it says of them.
async fn through_dex(version: &'static str, connector: Connector) -> Result<Value> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.folder = Some(format!("dex-{version}-{connector:?}"));
    let client = json!({
        "id": CLIENT_ID,
        "name": "Gateway",
        "secret": CLIENT_SECRET,
        "redirectURIs": [setup.callback("dex")],
    });
    let dex = dex::Setup::new(&[connector]).version(version).client(client);
    let folder = tempfile::tempdir()?;
    let dex = dex.start(folder.path()).await?;
    setup.config["authorization"]["embedded"]["federation"] =
        json!([federated("dex", dex.issuer())]);
    let stack = setup.start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let mut person = Person::new(dex::EMAIL, dex::PASSWORD).at(dex.issuer());
    let code = client.authorize(&mut person, SCOPE).await?;
    let tokens = client.exchange(&code).await?;
    client.refresh(&tokens.refresh.context("a refresh token")?).await?;
    stack.stop().await?;
    claims(&tokens.access)
}

#[tokio::test]
async fn dex_logs_people_in() -> Result<()> {
    for version in [dex::NEWEST, dex::OLD] {
        let said = through_dex(version, Connector::Passwords).await.context(version)?;
        ensure!(said["email"] == dex::EMAIL, "{version}: {said}");
        let said = through_dex(version, Connector::Mock).await.context(version)?;
        ensure!(said["groups"] == json!(["authors"]), "{version}: {said}");
        ensure!(said["email"] == "kilgore@kilgore.trout", "{version}: {said}");
    }
    Ok(())
}
