//! What must not pass is refused clearly, costs nobody else anything, and never reaches the server.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack},
    upstream::{Upstream, mcp},
};
use hyper::body::{Body, Bytes, Frame};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

struct Gateway {
    server: Upstream,
    stack: Stack,
    http: Client,
    url: String,
    token: String,
}

impl Gateway {
    async fn start() -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let mut setup = Setup::new().server("everything", &server.url("/mcp"));
        setup.config["envoy"]["max_body"] = json!("64KiB");
        let stack = setup.start().await?;
        let url = stack.url("everything");
        let (_, tokens) = oauth::connect(&url).await?;
        drop(server.take());
        Ok(Self { server, stack, http: http::client(), url, token: tokens.access })
    }

    /// A good request, to be spoilt.
    fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.http
            .post(&self.url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body)
    }
}

/// Status, JSON-RPC code and `id` of a refusal, which must be a JSON-RPC error.
async fn refusal(answer: Response) -> Result<(u16, i64, Option<Value>)> {
    let status = answer.status().as_u16();
    let kind =
        answer.headers().get("content-type").context("no content type")?.to_str()?.to_owned();
    assert!(kind.starts_with("application/json"), "{status} {kind}");
    let body: Value = answer.json().await?;
    assert_eq!(body["jsonrpc"], "2.0", "{body}");
    let message = body["error"]["message"].as_str().context("no message")?;
    assert!(!message.is_empty());
    let id = body.as_object().and_then(|members| members.get("id")).cloned();
    assert_ne!(id, Some(Value::Null), "an id that is null: {body}");
    Ok((status, body["error"]["code"].as_i64().context("no code")?, id))
}

#[tokio::test]
async fn every_refusal_says_what_was_wrong_as_status_and_as_json_rpc() -> Result<()> {
    let gateway = Gateway::start().await?;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let bodies: [(&str, Vec<u8>, (u16, i64)); 9] = [
        ("no JSON", b"{\"jsonrpc\":".to_vec(), (400, -32700)),
        ("empty", Vec::new(), (400, -32700)),
        ("two values", format!("{PING}{PING}").into_bytes(), (400, -32700)),
        (
            "invalid UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(),
            (400, -32700),
        ),
        ("a batch where the era has none", format!("[{PING}]").into_bytes(), (400, -32600)),
        ("a scalar", b"7".to_vec(), (400, -32600)),
        (
            "method twice",
            br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_vec(),
            (400, -32600),
        ),
        ("too deep", deep.into_bytes(), (400, -32700)),
        ("too large", vec![b' '; 65 * 1024], (413, 413)),
    ];
    for (what, body, expected) in bodies {
        let answer = gateway.post(body).header("mcp-protocol-version", "2025-11-25").send().await?;
        let (status, code, _) = refusal(answer).await.context(what)?;
        assert_eq!((status, code), expected, "{what}");
    }

    let spoilt: [(&str, RequestBuilder, u16); 4] = [
        ("text", gateway.post(PING).header("content-type", "text/plain"), 415),
        ("compressed", gateway.post(PING).header("content-encoding", "gzip"), 415),
        (
            "no token",
            gateway.http.post(&gateway.url).header("content-type", "application/json").body(PING),
            401,
        ),
        (
            "a password",
            gateway
                .http
                .post(&gateway.url)
                .basic_auth("admin", Some("secret"))
                .header("content-type", "application/json")
                .body(PING),
            401,
        ),
    ];
    for (what, request, expected) in spoilt {
        // A content type that is set twice is refused as well.
        let (status, code, _) = refusal(request.send().await?).await.context(what)?;
        assert_eq!((status, code), (expected, i64::from(expected)), "{what}");
    }
    for method in ["PUT", "PATCH", "HEAD"] {
        let request =
            gateway.http.request(method.parse()?, &gateway.url).bearer_auth(&gateway.token);
        let answer = request.send().await?;
        assert_eq!(answer.status(), 405, "{method}");
        assert!(answer.headers().contains_key("allow"), "{method}: 405 without Allow");
    }
    assert_eq!(gateway.server.seen(), [], "a refused request reached the server");
    let denied = gateway.stack.event(|event| event["outcome"] == "unauthenticated").await?;
    assert_eq!((&denied["status"], &denied["fault"]), (&json!(401), &json!("client")), "{denied}");
    Ok(())
}

#[tokio::test]
async fn tokens_that_are_not_ours_open_nothing() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("one", &server.url("/mcp")).server("two", &server.url("/mcp"));
    let stack = setup.start().await?;
    let elsewhere = Setup::new().server("one", &server.url("/mcp")).start().await?;
    let (_, ours) = oauth::connect(&stack.url("one")).await?;
    let (_, foreign) = oauth::connect(&elsewhere.url("one")).await?;
    drop(server.take());

    let mut parts: Vec<String> = ours.access.split('.').map(str::to_owned).collect();
    let [header, claims, signature] = parts.as_mut_slice() else { panic!("not a JWT") };
    // {"alg":"none"} and {"alg":"HS256"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
    let symmetric = format!("eyJhbGciOiJIUzI1NiJ9.{claims}.{signature}");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let tampered = format!("{header}.{claims}.{first}{}", &signature[1..]);
    let extended = format!("{header}.{claims}A.{signature}");
    let tokens = [
        ("another server's", stack.url("two"), ours.access.clone()),
        ("another issuer's", stack.url("one"), foreign.access),
        ("unsigned", stack.url("one"), unsigned),
        ("symmetric", stack.url("one"), symmetric),
        ("tampered signature", stack.url("one"), tampered),
        ("tampered claims", stack.url("one"), extended),
        ("opaque", stack.url("one"), "an-opaque-token".to_owned()),
        ("empty", stack.url("one"), String::new()),
    ];
    for (what, url, token) in tokens {
        let answer = Mcp::new(&url, Some(&token)).post(PING).await?;
        assert_eq!(answer.status(), 401, "{what}");
        let challenge = answer.headers()["www-authenticate"].to_str()?.to_owned();
        let error = oauth::parameter(&challenge, "error");
        assert!(error == Some("invalid_token") || what == "empty", "{what}: {challenge}");
        assert!(!challenge.contains(&token) || token.is_empty(), "the token is in its own refusal");
    }
    assert_eq!(server.seen(), []);
    let answer = Mcp::new(&stack.url("one"), Some(&ours.access)).post(PING).await?;
    assert_eq!(answer.status(), 200, "the token is good where it belongs");
    Ok(())
}

#[tokio::test]
async fn other_hosts_and_other_paths_are_not_ours() -> Result<()> {
    let gateway = Gateway::start().await?;
    let foreign = gateway.post(PING).header("host", "evil.example").send().await?;
    assert_eq!(foreign.status(), 404, "DNS rebinding");
    for path in [
        "/everything/mcp/",
        "/everything/mcp/x",
        "/everything/MCP",
        "//everything/mcp",
        "/",
        "/internal/events",
    ] {
        let answer =
            gateway.http.get(format!("{}{path}", gateway.stack.public_url())).send().await?;
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert_eq!(gateway.server.seen(), []);
    Ok(())
}

#[tokio::test]
async fn a_browser_is_told_what_this_is_and_a_client_where_mcp_is() -> Result<()> {
    let gateway = Gateway::start().await?;
    let url = format!("{}/?from=somewhere", gateway.stack.public_url());
    let asked = |accept: &'static str| gateway.http.get(&url).header("accept", accept).send();
    let page = asked("text/html,application/xhtml+xml;q=0.9").await?;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str()?.to_owned();
    ensure!(policy.contains("frame-ancestors 'none'"), "{policy}");
    ensure!(!page.headers().contains_key("access-control-allow-origin"), "{:?}", page.headers());
    let page = page.text().await?;
    ensure!(page.contains(&gateway.stack.url("everything")) && page.contains("/account"), "{page}");
    for accept in ["*/*", "application/json, text/event-stream"] {
        let answer = asked(accept).await?;
        assert_eq!(answer.status(), 404, "{accept}");
        let told = answer.text().await?;
        ensure!(told.contains(&gateway.stack.url("everything")), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_foreign_page_cannot_use_an_endpoint_without_tokens() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none", "allowed_origins": ["https://app.example"]});
    let stack = Setup::new().server_with(open).start().await?;
    let post = |origin: &str| {
        let request = http::client()
            .post(stack.url("open"))
            .header("content-type", "application/json")
            .body(PING);
        request.header("origin", origin.to_owned()).send()
    };
    for origin in
        ["https://evil.example", "null", "http://localhost.evil.example", "https://app.example:444"]
    {
        assert_eq!(refusal(post(origin).await?).await?.0, 403, "{origin}");
    }
    for origin in ["https://app.example", "http://localhost:6274", "http://127.0.0.1:1"] {
        assert_eq!(post(origin).await?.status(), 200, "{origin}");
    }
    Ok(())
}

/// So many kibibytes of spaces, one after the other, in a body that does not say how long it is.
struct Spaces(usize);

impl Body for Spaces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_refused_in_json() -> Result<()> {
    let gateway = Gateway::start().await?;
    for kibibytes in [80, 2000] {
        let answer = gateway.post(reqwest::Body::wrap(Spaces(kibibytes))).send().await?;
        let (status, code, _) = refusal(answer).await?;
        assert_eq!((status, code), (413, 413), "{kibibytes} KiB");
    }
    let origin = gateway.stack.public_url();
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/register"] {
        let request = gateway.http.post(format!("{origin}{path}"));
        let request = request.header("origin", "https://inspector.example");
        let answer = request.body(reqwest::Body::wrap(Spaces(80))).send().await?;
        assert_eq!(answer.status(), 413, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers().contains_key("access-control-allow-origin"), "{path}");
        let body: Value = answer.json().await.context(path)?;
        assert_eq!(body["error"], "invalid_request", "{body}");
    }
    assert!(gateway.server.take().is_empty(), "the server saw something");
    Ok(())
}
