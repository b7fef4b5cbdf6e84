//! An OAuth client that knows only the URL of an MCP server: discovery, registration, PKCE, tokens.
//!
//! Written from the specifications (MCP authorization, RFC 9728, 8414, 7591, 7636, 8707), not from authsvc's code.

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{http, person::Person};

/// Where a native client waits for its code; nobody needs to listen, the last redirect is not followed.
pub const REDIRECT_URI: &str = "http://127.0.0.1:33418/callback";

/// PKCE verifier of every flow (RFC 7636 section 4.1).
pub const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-rfc-7636-and-then-some";

/// What discovery found.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The challenge of the 401.
    pub challenge: String,
    /// Protected Resource Metadata (RFC 9728).
    pub resource: Value,
    /// Authorization Server Metadata (RFC 8414).
    pub server: Value,
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Access token.
    pub access: String,
    /// Refresh token.
    pub refresh: Option<String>,
    /// The whole answer.
    pub answer: Value,
}

/// A registered client of one MCP server.
#[derive(Clone, Debug)]
pub struct OAuth {
    http: Client,
    /// What discovery found.
    pub discovered: Discovered,
    /// As registered.
    pub client_id: String,
    /// Where it waits for its code.
    pub redirect_uri: String,
}

impl OAuth {
    /// Discovers everything from the URL and registers a public client.
    ///
    /// # Errors
    /// When a step is not as the specifications say.
    pub async fn register(url: &str) -> Result<Self> {
        Self::register_for(url, REDIRECT_URI).await
    }

    /// The same for a client that waits for its code elsewhere.
    ///
    /// # Errors
    /// When a step is not as the specifications say.
    pub async fn register_for(url: &str, redirect_uri: &str) -> Result<Self> {
        let http = http::client();
        let discovered = discover(&http, url).await?;
        let registered = http
            .post(text(&discovered.server, "registration_endpoint")?)
            .json(&json!({
                "client_name": "Plain HTTP",
                "redirect_uris": [redirect_uri],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            }))
            .send()
            .await?;
        ensure!(registered.status() == 201, "registration: {}", said(registered).await);
        let registered: Value = registered.json().await?;
        let client_id = text(&registered, "client_id")?.to_owned();
        Ok(Self { http, discovered, client_id, redirect_uri: redirect_uri.to_owned() })
    }

    /// The authorization request.
    ///
    /// # Errors
    /// When the metadata names no endpoint.
    pub fn authorization_url(&self, scope: &str, state: &str) -> Result<Url> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut url = Url::parse(text(&self.discovered.server, "authorization_endpoint")?)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", state)
            .append_pair("scope", scope)
            .append_pair("resource", text(&self.discovered.resource, "resource")?);
        Ok(url)
    }

    /// Has a person log in and consent; the code.
    ///
    /// # Errors
    /// When no code comes back, or the answer is not for this request (`state`, RFC 9207 `iss`).
    pub async fn authorize(&self, person: &mut Person, scope: &str) -> Result<String> {
        let state = "a state of ours, & its = signs";
        let redirected = person.authorize(&self.authorization_url(scope, state)?).await?;
        ensure!(redirected.as_str().starts_with(&self.redirect_uri), "redirected to {redirected}");
        let query = |name| {
            redirected.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value)
        };
        ensure!(
            query("state").as_deref() == Some(state),
            "`state` did not come back: {redirected}"
        );
        let issuer = text(&self.discovered.server, "issuer")?;
        ensure!(query("iss").as_deref() == Some(issuer), "`iss` is not {issuer}: {redirected}");
        Ok(query("code").with_context(|| format!("no code: {redirected}"))?.into_owned())
    }

    /// Code for tokens.
    ///
    /// # Errors
    /// When the token endpoint refuses.
    pub async fn exchange(&self, code: &str) -> Result<Tokens> {
        let resource = text(&self.discovered.resource, "resource")?;
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", VERIFIER),
            ("resource", resource),
        ])
        .await
    }

    /// New tokens for a refresh token.
    ///
    /// # Errors
    /// When the token endpoint refuses.
    pub async fn refresh(&self, refresh: &str) -> Result<Tokens> {
        let resource = text(&self.discovered.resource, "resource")?;
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", &self.client_id),
            ("resource", resource),
        ])
        .await
    }

    /// Asks the token endpoint, whatever it answers.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&self, form: &[(&str, &str)]) -> Result<Response> {
        let endpoint = text(&self.discovered.server, "token_endpoint")?;
        Ok(self.http.post(endpoint).form(form).send().await?)
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Tokens> {
        let answer = self.ask(form).await?;
        ensure!(answer.status() == 200, "token endpoint: {}", said(answer).await);
        ensure!(answer.headers()["cache-control"] == "no-store", "tokens may be cached");
        let answer: Value = answer.json().await?;
        let access = text(&answer, "access_token")?.to_owned();
        let refresh = answer["refresh_token"].as_str().map(str::to_owned);
        Ok(Tokens { access, refresh, answer })
    }
}

/// The whole way, from nothing but the URL to tokens, as the user of the tests.
///
/// # Errors
/// Where it ended.
pub async fn connect(url: &str) -> Result<(OAuth, Tokens)> {
    let client = OAuth::register(url).await?;
    let code = client.authorize(&mut Person::admin(), "mcp offline_access").await?;
    let tokens = client.exchange(&code).await?;
    Ok((client, tokens))
}

async fn discover(http: &Client, url: &str) -> Result<Discovered> {
    let refused =
        http.post(url).json(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).send().await?;
    ensure!(refused.status() == 401, "a request without a token: {}", said(refused).await);
    let challenge = refused.headers().get("www-authenticate").context("401 without a challenge")?;
    let challenge = challenge.to_str()?.to_owned();
    let metadata_url =
        parameter(&challenge, "resource_metadata").context("no resource_metadata")?;
    let resource: Value = document(http, metadata_url).await?;
    ensure!(resource["resource"] == url, "metadata of {} for {url}", resource["resource"]);
    let issuer = text(&resource, "/authorization_servers/0")?;
    let server =
        document(http, &format!("{issuer}/.well-known/oauth-authorization-server")).await?;
    ensure!(server["issuer"] == issuer, "issuer is {} and not {issuer}", server["issuer"]);
    Ok(Discovered { challenge, resource, server })
}

async fn document(http: &Client, url: &str) -> Result<Value> {
    let answer = http.get(url).send().await?;
    ensure!(answer.status() == 200, "GET {url}: {}", said(answer).await);
    Ok(answer.json().await?)
}

/// A quoted parameter of a challenge (RFC 9110 section 11.2).
#[must_use]
pub fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// The claims of a JWT, unverified.
///
/// # Errors
/// When it is none.
pub fn claims(token: &str) -> Result<(Value, Value)> {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part));
    let (Some(header), Some(claims)) = (parts.next(), parts.next()) else {
        bail!("not a JWT: {token}")
    };
    Ok((serde_json::from_slice(&header?)?, serde_json::from_slice(&claims?)?))
}

fn text<'a>(document: &'a Value, name: &str) -> Result<&'a str> {
    let found = if name.starts_with('/') { document.pointer(name) } else { document.get(name) };
    found.and_then(Value::as_str).with_context(|| format!("no {name} in {document}"))
}

async fn said(answer: Response) -> String {
    let status = answer.status();
    format!("{status} {}", answer.text().await.unwrap_or_default())
}
