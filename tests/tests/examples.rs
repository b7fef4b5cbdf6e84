//! The examples of `envoy/examples` work, each with real Dex: only ports and folders are others.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    context_forge::ContextForge,
    dex::{self, Dex, NEWEST, OLD, admin},
    http,
    mcp::Mcp,
    oauth::{self, OAuth, REDIRECT_URI, Tokens, VERIFIER},
    servers,
    stack::{self, Stack, eventually, parts, ports},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::{Value, json};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// An example, with its own ports.
struct Example {
    gateway: stack::Setup,
    dex: dex::Setup,
}

fn yaml(example: &str, file: &str, filled: &[(&str, &str)]) -> Result<Value> {
    let path = parts::root().join("envoy/examples").join(example).join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let text = filled.iter().fold(text, |text, (name, value)| text.replace(name, value));
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

fn local(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

impl Example {
    /// Reads one, with these values for its variables.
    fn read(example: &str, version: &'static str, filled: &[(&str, &str)]) -> Result<Self> {
        let mut gateway = stack::Setup::new();
        let mut config = yaml(example, "attache.yaml", filled)?;
        for key in ["public_url", "listen", "service", "envoy"] {
            config[key] = gateway.config[key].clone();
        }
        let (http, grpc) = (ports::free(), ports::free());
        let issuer = format!("http://{}", local(http));
        config["authorization"]["dex"]["issuer"] = json!(issuer);
        config["authorization"]["dex"]["grpc"]["address"] = json!(local(grpc));
        gateway.config = config;

        let mut config = yaml(example, "dex.yaml", &[])?;
        config["issuer"] = json!(issuer);
        config["web"]["http"] = json!(http);
        config["grpc"]["addr"] = json!(grpc);
        Ok(Self { gateway, dex: dex::Setup { version, config } })
    }

    /// Puts a server of the test behind an endpoint, at the path that the example has.
    fn behind(mut self, server: usize, upstream: &Upstream) -> Result<Self> {
        let url = &mut self.gateway.config["servers"][server]["url"];
        let path = url::Url::parse(url.as_str().context("no url")?)?.path().to_owned();
        *url = json!(upstream.url(&path));
        Ok(self)
    }

    async fn start(mut self) -> Result<(Stack, Dex)> {
        let folder = stack::fresh_folder(None)?;
        if self.dex.config["storage"]["config"]["file"].is_string() {
            self.dex.config["storage"]["config"]["file"] = json!(folder.join("dex.db"));
        }
        let dex = self.dex.start(&folder).await?;
        Ok((self.gateway.start().await?, dex))
    }
}

async fn connect(url: &str, dex: &Dex) -> Result<Tokens> {
    let client = OAuth::register(url).await?;
    let code = client.authorize(&mut admin(dex.issuer()), "mcp offline_access").await?;
    client.exchange(&code).await
}

#[tokio::test]
async fn who_am_i() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let (stack, dex) = Example::read("who-am-i", NEWEST, &[])?.behind(0, &server)?.start().await?;
    let url = format!("{}/who-am-i/mcp", stack.public_url());
    let tokens = connect(&url, &dex).await?;
    let answer = Mcp::new(&url, Some(&tokens.access)).post(LIST).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    let seen = server.seen();
    let seen = seen.iter().find(|seen| seen.path == "/mcp/").context("nothing reached it")?;
    let bearer = format!("Bearer {}", tokens.access);
    ensure!(seen.header("authorization") == Some(&bearer), "it cannot tell who calls");
    stack.stop().await
}

#[tokio::test]
async fn a_webhook() -> Result<()> {
    let [private, public] = [Upstream::start(mcp::echo).await?, Upstream::start(mcp::echo).await?];
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let mut example =
        Example::read("webhook", NEWEST, &[])?.behind(0, &private)?.behind(1, &public)?;
    example.gateway.config["analytics"]["webhook"]["url"] = json!(receiver.url("/webhook"));
    let (stack, dex) = example.start().await?;

    let url = format!("{}/public/mcp", stack.public_url());
    let answer = Mcp::new(&url, None).post(LIST).await?.text().await?;
    ensure!(answer.contains("attache_intent"), "{answer}");
    let url = format!("{}/private/mcp", stack.public_url());
    ensure!(Mcp::new(&url, None).post(LIST).await?.status() == 401, "anybody comes in");
    let tokens = connect(&url, &dex).await?;
    let answer = Mcp::new(&url, Some(&tokens.access)).post(LIST).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    eventually(Duration::from_secs(20), async || {
        let heard = receiver.seen();
        let mine = heard.iter().any(|seen| seen.text().contains(dex::EMAIL));
        ensure!(mine && heard.iter().all(|seen| seen.path == "/webhook"), "{heard:?}");
        Ok(())
    })
    .await?;
    stack.stop().await
}

#[tokio::test]
async fn context_forge() -> Result<()> {
    let folder = stack::fresh_folder(None)?;
    let server = servers::demo(&folder).await?;
    let forge = ContextForge::start(&folder).await?;
    let id = forge.serve(&server.url).await?;
    let filled = [("${CONTEXT_FORGE_SERVER}", &*id), ("${CONTEXT_FORGE_TOKEN}", &*forge.token)];
    let mut example = Example::read("context-forge", OLD, &filled)?;
    let url = &mut example.gateway.config["servers"][0]["url"];
    *url = json!(url.as_str().context("no url")?.replace("http://localhost:4444", &forge.origin));
    let (stack, dex) = example.start().await?;

    let url = format!("{}/context-forge/mcp", stack.public_url());
    let tokens = connect(&url, &dex).await?;
    let mcp = Mcp::initialized(&url, &tokens.access).await?;
    let tools = mcp.tools().await?;
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    let tool = tools.iter().map(name).find(|name| name.ends_with("list-cities"));
    let tool = tool.with_context(|| format!("{tools:?}"))?;
    let answer = mcp.call(&tool, json!({"attache_intent": "See what there is"})).await?;
    ensure!(answer.to_string().contains("Lisbon"), "{answer}");
    let event = stack.event(|event| event["intent"]["text"] == "See what there is").await?;
    ensure!(event["email"] == dex::EMAIL, "{event}");
    stack.stop().await
}

/// A client as HyprMCP has them: no scope, and no word of how it authenticates, or a secret.
#[tokio::test]
async fn what_clients_of_hyprmcp_do_works() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let (stack, dex) = Example::read("who-am-i", NEWEST, &[])?.behind(0, &server)?.start().await?;
    let url = format!("{}/who-am-i/mcp", stack.public_url());
    let http = http::client();
    let origin = stack.public_url();
    let refused = http.post(&url).body("{}").send().await?;
    let challenge = refused.headers()["www-authenticate"].to_str()?.to_owned();
    let expected = format!("{origin}/.well-known/oauth-protected-resource/who-am-i/mcp");
    ensure!(oauth::parameter(&challenge, "resource_metadata") == Some(&expected), "{challenge}");
    let resource: Value = http.get(&expected).send().await?.json().await?;
    ensure!(resource["resource"] == url.as_str(), "{resource}");
    ensure!(resource["authorization_servers"] == json!([origin]), "{resource}");
    ensure!(http.post(&expected).send().await?.status() == 405, "POST of metadata");
    let metadata = format!("{origin}/.well-known/oauth-authorization-server");
    let metadata: Value = http.get(metadata).send().await?.json().await?;
    ensure!(metadata["issuer"] == origin, "{metadata}");
    ensure!(metadata["code_challenge_methods_supported"] == json!(["S256"]), "{metadata}");

    for method in [None, Some("client_secret_basic")] {
        let token = inspector(&url, &dex, (&metadata, method)).await?;
        let answer = Mcp::new(&url, Some(&token)).post(LIST).await?;
        ensure!(answer.status() == 200, "{method:?}: {}", answer.status());
    }
    stack.stop().await
}

async fn inspector(
    url: &str,
    dex: &Dex,
    (metadata, method): (&Value, Option<&str>),
) -> Result<String> {
    let http = http::client();
    let mut registration = json!({"client_name": "Inspector", "redirect_uris": [REDIRECT_URI]});
    if let Some(method) = method {
        registration["token_endpoint_auth_method"] = json!(method);
    }
    let endpoint = metadata["registration_endpoint"].as_str().context("no registration")?;
    let registered = http.post(endpoint).json(&registration).send().await?;
    ensure!(registered.status() == 201, "{}", registered.status());
    ensure!(registered.headers()["content-type"] == "application/json", "not JSON");
    let client: Value = registered.json().await?;
    let id = client["client_id"].as_str().context("no id")?;
    let secret = client["client_secret"].as_str();
    ensure!(secret.is_some() == method.is_some(), "{client}");
    ensure!(secret.is_none() || client["client_secret_expires_at"] == 0, "{client}");

    let discovered = OAuth::register(url).await?;
    let mut url = discovered.authorization_url("", "state")?;
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "scope" && name != "client_id")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("client_id", id);
    let back = admin(dex.issuer()).authorize(&url).await?;
    let (_, code) =
        back.query_pairs().find(|(name, _)| name == "code").with_context(|| format!("{back}"))?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let endpoint = metadata["token_endpoint"].as_str().context("no token endpoint")?;
    let asked = match secret {
        Some(_) => http.post(endpoint).basic_auth(id, secret).form(&form),
        None => http.post(endpoint).form(&[&form[..], &[("client_id", id)]].concat()),
    };
    let answer: Value = asked.send().await?.json().await?;
    Ok(answer["access_token"].as_str().with_context(|| format!("{answer}"))?.to_owned())
}
