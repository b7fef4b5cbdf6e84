//! Real clients that know only the URL connect, list, call and refresh, in front of real servers.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use attache_tests::{
    http,
    person::Person,
    servers,
    stack::{Setup, Stack, eventually, parts},
    whole_way::Tool,
};
use rmcp::{
    ServiceExt as _,
    model::CallToolRequestParams,
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::json;
use url::Url;

/// A real MCP server, and a tool of it.
struct Server {
    running: servers::Server,
    tool: Tool,
}

/// The official Rust SDK goes the whole way, in this process.
async fn check_rust(server: &Server, stack: &Stack) -> Result<()> {
    let url = stack.url("everything");
    // Its HTTP client takes the process's TLS provider, which ours installs.
    drop(http::client());
    let mut oauth = OAuthState::new(&url, None).await?;
    let asked =
        AuthorizationRequest::new("http://localhost:3032/callback").with_client_name("Rust SDK");
    oauth.start_authorization(asked).await?;
    let authorize = Url::parse(&oauth.get_authorization_url().await?)?;
    let back = Person::admin().authorize(&authorize).await?;
    oauth.handle_callback_url(back.as_str()).await?;
    oauth.refresh_token().await.context("refresh")?;

    let OAuthState::Authorized(manager) = oauth else { bail!("not authorized") };
    let client = AuthClient::new(reqwest::Client::new(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let service = ().serve(transport).await?;
    let tools = service.list_all_tools().await?;
    let tool = tools.iter().find(|tool| tool.name == server.tool.name).context("the tool")?;
    let schema = serde_json::to_value(&tool.input_schema)?;
    ensure!(schema["properties"]["attache_intent"].is_object(), "no injected argument: {schema}");
    let mut arguments = server.tool.arguments.clone();
    arguments["attache_intent"] = json!("Check rmcp");
    let asked = CallToolRequestParams::new(server.tool.name);
    let asked = asked.with_arguments(arguments.as_object().cloned().context("arguments")?);
    let result = service.call_tool(asked).await?;
    ensure!(result.is_error != Some(true), "{result:?}");
    stack.event(|event| event["intent"]["text"] == "Check rmcp").await?;
    service.cancel().await?;
    Ok(())
}

async fn each_client(server: &Server) -> Result<()> {
    let stack = Setup::new().server("everything", &server.running.url).start().await?;
    let (python, node) = (parts::python()?, Path::new("node"));
    let tool = &server.tool;
    tool.reached_by(&python, "sdk_client.py", &stack).await.context("the Python SDK")?;
    tool.reached_by(node, "sdk_client.mjs", &stack).await.context("the TypeScript SDK")?;
    check_rust(server, &stack).await.context("the Rust SDK")?;
    stack.stop().await
}

#[tokio::test]
async fn the_sdks_use_server_everything() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let running = servers::server_everything(logs.path()).await?;
    let tool = Tool { name: "echo", arguments: json!({"message": "hello"}) };
    each_client(&Server { running, tool }).await
}

#[tokio::test]
async fn the_sdks_use_the_python_everything_server() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let running = servers::python(logs.path()).await?;
    let tool = Tool { name: "test_simple_text", arguments: json!({}) };
    each_client(&Server { running, tool }).await
}

#[tokio::test]
async fn the_sdks_use_a_server_of_the_rust_sdk() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let running = servers::demo(logs.path()).await?;
    let server = Server { running, tool: Tool { name: "list_cities", arguments: json!({}) } };
    each_client(&server).await?;
    let seen = server.running.url.replace("/mcp", "/seen");
    let bodies = eventually(Duration::from_secs(5), async || {
        Ok(http::client().get(&seen).send().await?.text().await?)
    })
    .await?;
    ensure!(bodies.contains("tools/call"), "no call reached the server");
    ensure!(!bodies.contains("attache_intent"), "the argument reached the server: {bodies}");
    Ok(())
}
