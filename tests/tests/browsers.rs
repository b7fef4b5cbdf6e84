//! Web clients on any origin can connect, and pages of other origins cannot act for the person.

use anyhow::Result;
use attache_tests::{
    http,
    stack::{Setup, Stack},
    upstream::{Upstream, mcp},
};
use reqwest::{Method, Response};

const ORIGIN: &str = "https://inspector.example";

async fn gateway() -> Result<(Upstream, Stack)> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    Ok((server, stack))
}

async fn preflight(url: String, method: &str) -> Result<Response> {
    let request = http::client().request(Method::OPTIONS, url).header("origin", ORIGIN);
    let request = request.header("access-control-request-method", method);
    let headers = "authorization,content-type,mcp-protocol-version,mcp-session-id";
    Ok(request.header("access-control-request-headers", headers).send().await?)
}

#[tokio::test]
async fn every_endpoint_that_a_web_client_calls_answers_its_preflight() -> Result<()> {
    let (_server, stack) = gateway().await?;
    let endpoints = [
        ("/everything/mcp", "POST"),
        ("/everything/mcp", "DELETE"),
        ("/.well-known/oauth-protected-resource/everything/mcp", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/openid-configuration", "GET"),
        ("/oauth/jwks.json", "GET"),
        ("/oauth/register", "POST"),
        ("/oauth/token", "POST"),
        ("/oauth/revoke", "POST"),
        ("/oauth/register/0123456789abcdefghij-_", "PUT"),
    ];
    for (path, method) in endpoints {
        let answer = preflight(format!("{}{path}", stack.public_url()), method).await?;
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_ascii_lowercase()
        };
        assert!([ORIGIN, "*"].contains(&header("access-control-allow-origin").as_str()), "{path}");
        assert!(
            header("access-control-allow-methods").contains(&method.to_ascii_lowercase()),
            "{path}"
        );
        assert!(header("access-control-allow-headers").contains("authorization"), "{path}");
        assert_eq!(
            header("access-control-allow-credentials"),
            "",
            "{path} takes cookies of strangers"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_web_client_can_read_the_challenge_of_a_refusal() -> Result<()> {
    let (_server, stack) = gateway().await?;
    let request = http::client().post(stack.url("everything")).header("origin", ORIGIN);
    let answer = request.header("content-type", "application/json").body("{}").send().await?;
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("access-control-allow-origin"));
    let exposed = answer.headers()["access-control-expose-headers"].to_str()?.to_ascii_lowercase();
    for name in ["www-authenticate", "mcp-session-id", "mcp-protocol-version"] {
        assert!(exposed.contains(name), "{name} is hidden from scripts: {exposed}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_where_people_decide_are_closed_to_scripts_of_other_origins() -> Result<()> {
    let (_server, stack) = gateway().await?;
    for path in ["/oauth/authorize", "/oauth/login", "/oauth/consent", "/account"] {
        let url = format!("{}{path}", stack.public_url());
        let preflight = preflight(url.clone(), "POST").await?;
        let get = http::client().get(&url).header("origin", ORIGIN).send().await?;
        let post = http::client().post(&url).header("origin", ORIGIN).body("").send().await?;
        for answer in [preflight, get, post] {
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path}");
            assert!(!answer.status().is_server_error(), "{path}: {}", answer.status());
        }
    }
    Ok(())
}
