//! A client whose id is the URL of a document about it connects without a registration, with the official SDK.

use anyhow::{Result, ensure};
use attache_tests::{
    documents::Site,
    http,
    person::Person,
    script::Script,
    servers,
    stack::{Setup, parts},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_with_a_document_needs_no_registration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = servers::demo(folder.path()).await?;
    let metadata = json!({
        "client_name": "Documented", "redirect_uris": ["http://localhost/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let site = Site::start(folder.path(), &metadata).await?;
    let mut setup = Setup::new().server("everything", &server.url);
    site.trusted_by(&mut setup, "embedded");
    let stack = setup.start().await?;

    let arguments = json!({"attache_intent": "Say what I am"}).to_string();
    let program = parts::root().join("tests/clients/sdk_client.py");
    let url = stack.url("everything");
    let mut client =
        Script::start(&parts::python()?, &program, &[&url, "list_cities", &arguments, &site.id])?;
    let mut person = Person::admin();
    client.said("result", &mut person).await?;
    ensure!(client.said("rotated", &mut person).await? == true, "the refresh token is the same");
    ensure!(client.said("done", &mut person).await? == true, "not done");
    let event = stack.event(|event| event["intent"]["text"] == "Say what I am").await?;
    ensure!(event["client_id"] == site.id.as_str(), "{event}");

    let metadata = format!("{}/.well-known/oauth-authorization-server", stack.public_url());
    let metadata: Value = http::client().get(metadata).send().await?.json().await?;
    ensure!(metadata["client_id_metadata_document_supported"] == true, "{metadata}");
    stack.stop().await
}
