//! `oidc-provider`, a certified OpenID provider of other people, on a free port of loopback.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    person::Person,
    script::Script,
    stack::{parts, ports},
};

/// Our client there.
pub const CLIENT_ID: &str = "the-gateway";

/// Its secret.
pub const CLIENT_SECRET: &str = "a secret/of the:gateway+at%the-provider";

/// An entry of `federation`: our client at this issuer.
#[must_use]
pub fn federated(name: &str, issuer: &str) -> Value {
    json!({
        "name": name,
        "label": "Example Login",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "email", "profile", "groups"],
        "allow_private": true,
    })
}

fn client(redirect_uri: &str) -> Value {
    json!({
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

/// One client there; opaque tokens are asked about as that.
fn external(issuer: &str) -> Value {
    let known = json!({ "id": CLIENT_ID, "secret": CLIENT_SECRET });
    json!({
        "issuer": issuer,
        "allow_private": true,
        "client": known,
        "introspection": { "cache": "5s", "client": known },
    })
}

/// A provider that does not run yet, and will where it says.
#[derive(Debug)]
pub struct Planned {
    /// Its issuer.
    pub issuer: String,
    /// See `tests/clients/oidc_provider.mjs`.
    pub configuration: Value,
    port: u16,
}

impl Planned {
    /// See [`OidcProvider::for_resources`].
    #[must_use]
    pub fn for_resources(redirect_uri: &str, resources: &Value) -> Self {
        let (port, path) = (ports::free().port(), "/realms/mcp");
        let configuration = json!({
            "clients": [client(redirect_uri)],
            "people": { "jane": { "groups": ["staff"] } },
            "resources": resources,
            "path": path,
            "scopes": ["openid", "offline_access", "mcp"],
        });
        Self { issuer: format!("http://127.0.0.1:{port}{path}"), configuration, port }
    }

    /// See [`OidcProvider::external`].
    #[must_use]
    pub fn external(&self) -> Value {
        external(&self.issuer)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self) -> Result<OidcProvider> {
        OidcProvider::start_at(self.port, &self.configuration).await
    }
}

/// A running provider. Dropping it ends it; it keeps everything in memory.
#[derive(Debug)]
pub struct OidcProvider {
    /// Its issuer.
    pub issuer: String,
    script: Script,
}

impl OidcProvider {
    /// Starts it with this configuration, see `tests/clients/oidc_provider.mjs`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(configuration: &Value) -> Result<Self> {
        Self::start_at(ports::free().port(), configuration).await
    }

    async fn start_at(port: u16, configuration: &Value) -> Result<Self> {
        let script = parts::root().join("tests/clients/oidc_provider.mjs");
        let (port, configuration) = (port.to_string(), configuration.to_string());
        let mut script = Script::start(&parts::node_22()?, &script, &[&port, &configuration])?;
        let issuer = script.said("issuer", &mut Person::admin()).await?;
        let issuer = issuer.as_str().context("an issuer")?.to_owned();
        Ok(Self { issuer, script })
    }

    /// The same, with one client, which is sent back to `redirect_uri`, and these people.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn with_client(redirect_uri: &str, people: Value) -> Result<Self> {
        Self::start(&json!({ "clients": [client(redirect_uri)], "people": people })).await
    }

    /// One that issues access tokens for resources, and whose issuer is below a path; `jane` can log in there.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn for_resources(redirect_uri: &str, resources: Value) -> Result<Self> {
        Planned::for_resources(redirect_uri, &resources).start().await
    }

    /// The section `external` of a gateway before it.
    #[must_use]
    pub fn external(&self) -> Value {
        external(&self.issuer)
    }

    /// Tells it what to be like from now on.
    ///
    /// # Errors
    /// When it does not understand.
    pub async fn tell(&mut self, order: &Value) -> Result<()> {
        self.script.say(&order.to_string()).await?;
        self.script.said("done", &mut Person::admin()).await.map(drop)
    }
}
