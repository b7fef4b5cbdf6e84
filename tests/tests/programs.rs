//! Programs that people connect with, as they come from the registries, go the whole way from the URL.

use std::path::Path;

use anyhow::Result;
use attache_tests::{
    servers,
    stack::{Setup, parts},
    whole_way::Tool,
};
use serde_json::json;

/// A program of `tests/clients`, run by an interpreter, in front of the reference server.
async fn reaches_a_server(interpreter: &Path, program: &str) -> Result<()> {
    let logs = tempfile::tempdir()?;
    let server = servers::server_everything(logs.path()).await?;
    let stack = Setup::new().server("everything", &server.url).start().await?;
    let tool = Tool { name: "echo", arguments: json!({"message": "hello"}) };
    tool.reached_by(interpreter, program, &stack).await?;
    stack.stop().await
}

#[tokio::test]
async fn the_typescript_sdk_of_the_first_generation() -> Result<()> {
    reaches_a_server(Path::new("node"), "legacy_sdk.mjs").await
}

#[tokio::test]
async fn mcp_remote() -> Result<()> {
    reaches_a_server(Path::new("node"), "mcp_remote.mjs").await
}

#[tokio::test]
async fn mcp_inspector_on_the_command_line() -> Result<()> {
    reaches_a_server(&parts::node_22()?, "inspector_cli.mjs").await
}

#[tokio::test]
async fn oauth4webapi_as_a_confidential_client() -> Result<()> {
    reaches_a_server(Path::new("node"), "oauth4webapi.mjs").await
}

#[tokio::test]
async fn openid_client_as_a_public_client() -> Result<()> {
    reaches_a_server(Path::new("node"), "openid_client.mjs").await
}

#[tokio::test]
async fn authlib_as_a_confidential_client() -> Result<()> {
    reaches_a_server(&parts::python()?, "authlib_client.py").await
}

#[tokio::test]
async fn a_web_page_of_another_origin_in_a_browser() -> Result<()> {
    parts::chromium()?;
    reaches_a_server(Path::new("node"), "web_page.mjs").await
}
