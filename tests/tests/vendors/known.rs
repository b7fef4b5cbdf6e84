//! A gateway as a client knows it that has discovered it, and the way on from there.

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth::{VERIFIER, claims, parameter},
    person::Person,
    stack::{Setup, Stack},
    upstream::{Upstream, mcp},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// A gateway with one server, and what a client knows of it after discovery.
pub(crate) struct Known {
    _server: Upstream,
    pub(crate) stack: Stack,
    http: Client,
    pub(crate) url: String,
    pub(crate) resource: Value,
    pub(crate) metadata: Value,
}

/// Whether a client that asks here goes on to the next place, or is happy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// The document of this issuer.
    Metadata,
    /// 404: anything else ends the search of one client or another.
    Nothing,
}

impl Known {
    /// By the challenge of the 401, as the specification says, with the document where RFC 9728 puts it.
    pub(crate) async fn start() -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
        let (http, url) = (http::client(), stack.url("everything"));
        let refused = http.post(&url).json(&json!({})).send().await?;
        ensure!(refused.status() == 401, "{}", refused.status());
        let challenge = refused.headers()["www-authenticate"].to_str()?.to_owned();
        let at = parameter(&challenge, "resource_metadata").context("no resource_metadata")?;
        let origin = stack.public_url();
        ensure!(at == format!("{origin}/.well-known/oauth-protected-resource/everything/mcp"));
        let resource: Value = http.get(at).send().await?.error_for_status()?.json().await?;
        ensure!(resource["resource"] == url.as_str(), "{resource}");
        ensure!(resource["authorization_servers"] == json!([origin]), "{resource}");
        let at = format!("{origin}/.well-known/oauth-authorization-server");
        let metadata: Value = http.get(at).send().await?.error_for_status()?.json().await?;
        Ok(Self { _server: server, stack, http, url, resource, metadata })
    }

    /// Looks for the metadata where a client does, in its order.
    pub(crate) async fn looks(&self, places: &[(&str, Found)]) -> Result<()> {
        for (place, expected) in places {
            let answer = self.http.get(format!("{}{place}", self.stack.public_url()));
            let answer = answer.header("mcp-protocol-version", "2025-11-25").send().await?;
            let status = answer.status();
            match expected {
                Found::Metadata => {
                    ensure!(status == 200, "{place}: {status}");
                    let document: Value = answer.json().await?;
                    ensure!(document["issuer"] == self.stack.public_url(), "{place}: {document}");
                }
                Found::Nothing => ensure!(status == 404, "{place}: {status}"),
            }
        }
        Ok(())
    }

    /// Registers exactly this; what came back, which must hold what vendors insist on.
    pub(crate) async fn register(&self, body: &Value) -> Result<Value> {
        let at = self.metadata["registration_endpoint"].as_str().context("no registration")?;
        let answer = self.http.post(at).json(body).send().await?;
        let status = answer.status();
        let registered: Value = answer.json().await?;
        ensure!(status == 201, "{status} {registered}");
        ensure!(registered["redirect_uris"] == body["redirect_uris"], "{registered}");
        let grants = json!(["authorization_code", "refresh_token"]);
        ensure!(registered["grant_types"] == grants, "{registered}");
        ensure!(registered["token_endpoint_auth_method"].is_string(), "{registered}");
        let members = registered.as_object().context("an object")?;
        ensure!(members.values().all(|value| !value.is_null()), "a null: {registered}");
        Ok(registered)
    }

    /// The whole of `scopes_supported`, in its order.
    pub(crate) fn every_scope(&self) -> String {
        let all = self.metadata["scopes_supported"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    }

    /// What the resource advertises.
    pub(crate) fn its_scopes(&self) -> String {
        let all = self.resource["scopes_supported"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Where the browser is sent, by a person who agrees.
    pub(crate) async fn back(&self, client: &Asked<'_>) -> Result<Url> {
        let at = self.metadata["authorization_endpoint"].as_str().context("no authorization")?;
        let mut url = Url::parse(at)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client.id()?),
            ("redirect_uri", client.redirect_uri),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", "a-state"),
        ]);
        url.query_pairs_mut().extend_pairs(client.more.iter().copied());
        Person::admin().authorize(&url).await
    }

    /// The same, and the code; every check of a strict client on the way.
    pub(crate) async fn code(&self, client: &Asked<'_>) -> Result<String> {
        let back = self.back(client).await?;
        ensure!(back.as_str().starts_with(client.redirect_uri), "{back}");
        let query = |name: &str| {
            back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        ensure!(query("state").as_deref() == Some("a-state"), "{back}");
        // Advertised, so it must be there: some go no further without it.
        ensure!(self.metadata["authorization_response_iss_parameter_supported"] == true);
        ensure!(query("iss").as_deref() == Some(self.stack.public_url()), "{back}");
        query("code").with_context(|| format!("no code: {back}"))
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Result<Response> {
        let at = self.metadata["token_endpoint"].as_str().context("no token endpoint")?;
        Ok(self.http.post(at).form(form).send().await?)
    }

    /// From the authorization request to a call, and again after a refresh; the first tokens.
    pub(crate) async fn connects(&self, client: &Asked<'_>) -> Result<Value> {
        let code = self.code(client).await?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", client.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        form.extend(client.authentication()?);
        form.extend(client.more.iter().filter(|(name, _)| *name == "resource"));
        let tokens = granted(self.token(&form).await?).await?;
        self.calls(&tokens).await?;

        // No `scope`, as everybody does; what was granted stays.
        let mut form = vec![("grant_type", "refresh_token")];
        form.push(("refresh_token", tokens["refresh_token"].as_str().context("no refresh token")?));
        form.extend(client.authentication()?);
        let again = granted(self.token(&form).await?).await?;
        ensure!(again["scope"] == tokens["scope"], "{again}");
        self.calls(&again).await?;
        Ok(tokens)
    }

    pub(crate) async fn calls(&self, tokens: &Value) -> Result<()> {
        let token = tokens["access_token"].as_str().context("no access token")?;
        let mcp = Mcp::initialized(&self.url, token).await?;
        ensure!(!mcp.tools().await?.is_empty(), "no tools");
        let (_, claims) = claims(token)?;
        ensure!(claims["aud"] == self.url.as_str(), "{claims}");
        Ok(())
    }
}

/// An authorization request, and the client that makes it.
pub(crate) struct Asked<'a> {
    pub(crate) registered: &'a Value,
    pub(crate) redirect_uri: &'a str,
    /// `scope` and `resource`, in the form that this client sends them.
    pub(crate) more: Vec<(&'a str, &'a str)>,
}

impl Asked<'_> {
    fn id(&self) -> Result<&str> {
        self.registered["client_id"].as_str().context("no client_id")
    }

    /// As the registration says, in the form.
    pub(crate) fn authentication(&self) -> Result<Vec<(&str, &str)>> {
        let mut form = vec![("client_id", self.id()?)];
        if let Some(secret) = self.registered["client_secret"].as_str() {
            ensure!(self.registered["client_secret_expires_at"] == 0, "{}", self.registered);
            form.push(("client_secret", secret));
        }
        Ok(form)
    }
}

pub(crate) async fn granted(answer: Response) -> Result<Value> {
    let status = answer.status();
    let tokens: Value = answer.json().await?;
    ensure!(status == 200, "{status} {tokens}");
    // Copied into the header as it is, by some.
    ensure!(tokens["token_type"] == "Bearer", "{tokens}");
    Ok(tokens)
}
