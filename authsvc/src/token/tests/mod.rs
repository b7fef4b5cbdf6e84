//! The token endpoint, driven through the router.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    store::{
        self,
        codes::{Code, Granted},
    },
    testing::{self, Answer, Bench, PUBLIC_URL, RESOURCE, form, server},
    users,
};

mod configured;
mod grants;
mod holders;
mod introspection;
mod machine;
mod personal;
mod requests;
mod revocation;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT_URI: &str = "http://localhost:53412/callback";

/// A gateway with two servers, of which a client was granted both.
struct Flow {
    bench: Bench,
    client: String,
    secret: Option<String>,
}

impl Flow {
    async fn public() -> Self {
        Self::with("none").await
    }

    async fn with(method: &str) -> Self {
        let bench = Bench::with(|config| config.servers.push(server("weather"))).await;
        let (client, secret) = register(&bench, method, "Client").await;
        Self { bench, client, secret }
    }

    /// A code as the authorization endpoint makes it.
    async fn code(&self, change: impl FnOnce(&mut Code)) -> String {
        let now = self.bench.app.clock.now_unix();
        let member = users::members(&self.bench.app.config).next().unwrap();
        let login = member.login(now);
        let mut code = Code {
            granted: Granted {
                client_id: self.client.clone(),
                resources: vec![RESOURCE.to_owned(), format!("{PUBLIC_URL}/weather/mcp")],
                scope: "mcp offline_access".to_owned(),
                sub: login.sub,
                email: login.email,
                groups: login.groups,
                auth_time: now,
                credential: login.credential,
            },
            redirect_uri: REDIRECT_URI.to_owned(),
            redirect_uri_sent: true,
            code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
            provider_tokens: None,
            expires_at: now + 60,
        };
        change(&mut code);
        let secret = self.bench.app.random.token();
        self.bench.app.store.create_code(&store::digest(&secret), &code, now).await.unwrap();
        secret
    }

    async fn post(&self, fields: &[(&str, &str)]) -> Answer {
        self.bench.public(form("/oauth/token", fields)).await
    }

    /// Redeems a code with everything right, but for the fields that are replaced or, when empty, left out.
    async fn redeem(&self, code: &str, replaced: &[(&str, &str)]) -> Answer {
        let right = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &self.client),
            ("code_verifier", VERIFIER),
        ];
        self.post(&replace(&right, replaced)).await
    }

    async fn refresh(&self, token: &str, replaced: &[(&str, &str)]) -> Answer {
        let right = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &self.client),
        ];
        self.post(&replace(&right, replaced)).await
    }

    /// A first refresh token.
    async fn begin(&self) -> String {
        let code = self.code(|_code| ()).await;
        refresh_token(&self.redeem(&code, &[]).await)
    }

    async fn refresh_is_dead(&self, token: &str) {
        invalid(&self.refresh(token, &[]).await, StatusCode::BAD_REQUEST, "invalid_grant");
    }
}

async fn register(bench: &Bench, method: &str, name: &str) -> (String, Option<String>) {
    let body = json!({
        "redirect_uris": ["http://localhost/callback"],
        "token_endpoint_auth_method": method,
        "client_name": name,
    });
    let document = bench.public(testing::json("/oauth/register", &body)).await.json();
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    (text("client_id").unwrap(), text("client_secret"))
}

fn replace<'a>(
    right: &[(&'a str, &'a str)],
    replaced: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let is_replaced = |name: &str| replaced.iter().any(|(other, _)| *other == name);
    let kept = right.iter().filter(|(name, _)| !is_replaced(name));
    kept.chain(replaced.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

/// Claims of the access token, unverified: `keys` has the tests that verify.
fn claims(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// S60: every refusal has the same form.
fn invalid(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (status, Some(code)),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let description = answer.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.bytes().all(|b| (0x20..0x7f).contains(&b) && !b"\"\\".contains(&b)));
}

fn basic(mut request: Request<Body>, id: &str, secret: &str) -> Request<Body> {
    let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::try_from(value).unwrap());
    request
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
const GRACE: Duration = Duration::from_secs(60);
