//! One authsvc without Envoy, and a person whom it knows.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    oauth::VERIFIER,
    person::Person,
    stack::{Process, Setup, launch, ports},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// A web site: what users agreed to with one is remembered, so that codes come without a page.
pub(crate) const REDIRECT_URI: &str = "https://client.example.com/callback";

/// It, and how it is reached.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) origin: String,
    pub(crate) client_id: String,
}

impl Service {
    pub(crate) async fn start(folder: &Path, database: &str) -> Result<Self> {
        let [public, internal] = [ports::free(), ports::free()];
        let origin = format!("http://localhost:{}", public.port());
        let mut setup = Setup::new().server("everything", "http://127.0.0.1:9/mcp");
        setup.config["public_url"] = json!(origin);
        setup.config["service"]["listen"] = json!(public);
        setup.config["service"]["internal"] = json!(internal);
        setup.config["service"]["log_level"] = json!("warn");
        setup.config["database"] = json!(database);
        let file = folder.join("attache.yaml");
        fs::write(&file, serde_json::to_vec_pretty(&setup.config)?)?;
        let mut process = launch::authsvc(&file, &folder.join("authsvc.log"))?;
        let ready = format!("http://{internal}/ready");
        launch::ready(&mut process, &ready).await?;

        let registration = json!({
            "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none",
        });
        let request = http::client().post(format!("{origin}/oauth/register")).json(&registration);
        let answer = request.send().await?;
        ensure!(answer.status() == 201, "registration: {}", answer.status());
        let registered: Value = answer.json().await?;
        let client_id = registered["client_id"].as_str().context("no client_id")?.to_owned();
        Ok(Self { process, public, internal, origin, client_id })
    }

    /// Where a browser is sent.
    pub(crate) fn authorization(&self) -> Result<Url> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut url = Url::parse(&format!("{}/oauth/authorize", self.origin))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", REDIRECT_URI)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("scope", "mcp offline_access");
        Ok(url)
    }

    /// Sends somebody through login and consent, or past them; the code.
    pub(crate) async fn code(&self, person: &mut Person) -> Result<String> {
        let redirected = person.authorize(&self.authorization()?).await?;
        let code = redirected.query_pairs().find(|(name, _)| name == "code");
        Ok(code.with_context(|| format!("no code: {redirected}"))?.1.into_owned())
    }
}
