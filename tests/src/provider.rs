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

    /// The same on this port, for whoever has to know its issuer before.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_at(port: u16, configuration: &Value) -> Result<Self> {
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
        let client = json!({
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        Self::start(&json!({ "clients": [client], "people": people })).await
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
