//! A program gets a token for itself (RFC 6749 section 4.4; in MCP: `io.modelcontextprotocol/oauth-client-credentials`).
//!
//! Only for programs of the configuration: whoever may register anything must not get a token by it alone.

use axum::response::Response;

use super::{MAX_VALUE, audience, issue};
use crate::{
    authorization::{parameters::Parameters, resource, scope},
    config::{Config, MachineClient, Proof, Server},
    refusal::Refusal,
    state::App,
};

/// Whether there is such a program, and this grant with it.
#[must_use]
pub fn is_offered(config: &Config) -> bool {
    !programs(config).is_empty()
}

/// Whether one of them signs assertions.
#[must_use]
pub fn signs(config: &Config) -> bool {
    programs(config).iter().any(|client| matches!(client.proof, Proof::Keys(_)))
}

/// Whether a subject is one of them.
#[must_use]
pub fn is_known(config: &Config, sub: &str) -> bool {
    programs(config).iter().any(|client| client.id == sub)
}

/// Answers the token request of a program: as much as it may have, or less.
///
/// # Errors
/// The [`Refusal`] that the client gets.
pub async fn answer(
    app: &App,
    client: &MachineClient,
    form: &Parameters,
) -> Result<Response, Refusal> {
    let config = &app.config;
    let asked = form.texts("resource", MAX_VALUE)?;
    let all: Vec<String> =
        servers(config, client).map(|server| resource::uri(config, server)).collect();
    let resources = audience(config, &all, &asked)?;
    let granted: Vec<&Server> = servers(config, client)
        .filter(|server| resources.contains(&resource::uri(config, server)))
        .collect();
    let scope = scope(client, &granted, form.text("scope", MAX_VALUE)?)?;
    issue::issue_to_machine(app, client, issue::Portion { resources, scope }).await
}

/// What it asks for, and without that all that it may have there. There is no user who would have to come back, so
/// there is no `offline_access`.
fn scope(
    client: &MachineClient,
    servers: &[&Server],
    asked: Option<&str>,
) -> Result<String, Refusal> {
    let allowed = |scope: &String| {
        scope != scope::OFFLINE_ACCESS
            && (client.scopes.is_empty() || client.scopes.contains(scope))
    };
    let mut granted = scope::narrow(servers, asked);
    granted.retain(allowed);
    if granted.is_empty() {
        return Err(Refusal::InvalidScope);
    }
    Ok(granted.join(" "))
}

fn servers<'a>(config: &'a Config, client: &'a MachineClient) -> impl Iterator<Item = &'a Server> {
    config.servers.iter().filter(|server| client.servers.contains(&server.name))
}

pub(super) fn programs(config: &Config) -> &[MachineClient] {
    config.authorization.embedded().map_or(&[], |embedded| &embedded.machine_clients)
}
