//! Whatever comes, the worst is a clean refusal of that one request.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack, eventually},
    upstream::{Answer, Upstream},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;

/// Sends these bytes on a connection of their own; the status line of the answer.
async fn raw(to: SocketAddr, bytes: &[u8]) -> Result<u16> {
    let mut stream = TcpStream::connect(to).await?;
    // A server that has already refused may close while we write.
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while !answer.contains(&b'\n') {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
            }
        }
    };
    timeout(Duration::from_secs(20), read).await.context("no answer to a hostile request")?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.with_context(|| format!("no status in {text:?}"))
}

/// A whole request: its head, from these lines, and its body.
fn request(line: &str, headers: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{line}\r\n").into_bytes();
    for header in headers {
        out.extend_from_slice(header);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}

/// Bodies that are no message that may pass.
fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "", " ", "{", "}", "[", "[]", "null", "1", "\"x\"", "{}", "[1]", "{\"jsonrpc\":\"2.0\"}", "nul", "{\"a\":",
        r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","meth\u006fd":"b"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a"} trailing"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a"}{"jsonrpc":"2.0","id":1,"method":"b"}"#,
        r#"{'jsonrpc':'2.0'}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\u{0}\"}",
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}",
        r#"{"jsonrpc":"2.0","id":01,"method":"a"}"#,
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .collect();
    bodies.push(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec());
    bodies.push(b"\xfe\xff\x00{".to_vec());
    bodies.push("[".repeat(100_000).into_bytes());
    bodies.push(format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes());
    bodies.push(vec![0; 1000]);
    bodies
}

/// Every hostile request, with the statuses that refuse it.
fn hostile(host: &str, token: &str) -> Vec<(Vec<u8>, &'static [u16])> {
    let host = format!("host: {host}").into_bytes();
    let auth = format!("authorization: Bearer {token}").into_bytes();
    let json: &[u8] = b"content-type: application/json";
    let line = "POST /a/mcp HTTP/1.1";
    let mut all: Vec<(Vec<u8>, &'static [u16])> = Vec::new();
    for body in bodies() {
        for extra in [&b"x-a: 1"[..], b"mcp-protocol-version: 2026-07-28"] {
            all.push((request(line, &[&host, &auth, json, extra], &body), &[400]));
        }
        all.push((request(line, &[&host, json], &body), &[401]));
    }
    for method in ["PUT", "PATCH", "TRACE", "FOO", "HEAD"] {
        let line = format!("{method} /a/mcp HTTP/1.1");
        all.push((request(&line, &[&host, &auth, json], b""), &[405, 400, 501]));
    }
    for kind in ["text/plain", "application/xml", "", "application/jsonp", "multipart/form-data"] {
        let kind = format!("content-type: {kind}").into_bytes();
        all.push((request(line, &[&host, &auth, &kind], CALL.as_bytes()), &[415]));
    }
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let encoding = format!("content-encoding: {encoding}").into_bytes();
        all.push((request(line, &[&host, &auth, json, &encoding], CALL.as_bytes()), &[415]));
    }
    for token in tokens(token) {
        let mut header = b"authorization: ".to_vec();
        header.extend_from_slice(&token);
        all.push((request(line, &[&host, &header, json], CALL.as_bytes()), &[400, 401, 431]));
    }
    let twice = request(line, &[&host, &auth, b"authorization: Bearer x", json], CALL.as_bytes());
    all.push((twice, &[400, 401]));
    let large = vec![b' '; 5 << 20];
    all.push((request(line, &[&host, &auth, json], &large), &[413]));
    for name in [
        "mcp-session-id",
        "mcp-protocol-version",
        "mcp-method",
        "origin",
        "user-agent",
        "traceparent",
    ] {
        let mut header = format!("{name}: ").into_bytes();
        header.extend_from_slice(b"\xff\xfe\x80");
        all.push((
            request(line, &[&host, &auth, json, &header], CALL.as_bytes()),
            &[200, 400, 403],
        ));
    }
    for target in [
        "/a/mcp/../mcp/%00",
        "/a/mcp%2f",
        "/a//mcp",
        "/A/mcp",
        "/a/mcp/",
        "/internal/events",
        "/live",
    ] {
        let line = format!("POST {target} HTTP/1.1");
        all.push((request(&line, &[&host, &auth, json], CALL.as_bytes()), &[400, 404, 405]));
    }
    all.push((request(line, &[b"host: evil.example", &auth, json], CALL.as_bytes()), &[404, 421]));
    all.push((request("POST /a/mcp HTTP/1.1", &[&auth, json], CALL.as_bytes()), &[400]));
    all
}

/// Values of `Authorization` that must not open anything.
fn tokens(good: &str) -> Vec<Vec<u8>> {
    let mut parts = good.split('.');
    let (header, claims, signature) =
        (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    // {"alg":"none","typ":"at+jwt"} and {"alg":"HS256","typ":"at+jwt"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let hmac = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
    let mut all: Vec<Vec<u8>> = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer ..".to_owned(),
        "Basic YTpi".to_owned(),
        "AccessToken x".to_owned(),
        format!("Bearer {header}.{claims}."),
        format!("Bearer {header}.{claims}.{}", "A".repeat(86)),
        format!("Bearer {header}.{claims}.{signature}.x"),
        format!("Bearer {none}.{claims}."),
        format!("Bearer {none}.{claims}.{signature}"),
        format!("Bearer {hmac}.{claims}.{signature}"),
        format!("Bearer {claims}.{header}.{signature}"),
        format!("Bearer {good} {good}"),
        format!("Bearer {}", "a".repeat(30_000)),
        format!("Bearer {}", ".".repeat(10_000)),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    all.push(b"Bearer \xff\xfe\xfd".to_vec());
    all
}

async fn refuses_all_and_serves_the_next(stack: &Stack, token: &str) -> Result<()> {
    let host = format!("localhost:{}", stack.listen().port());
    let all = hostile(&host, token);
    ensure!(all.len() >= 150, "only {} hostile requests", all.len());
    let mut wrong = Vec::new();
    for round in 0..2 {
        for (number, (bytes, expected)) in all.iter().enumerate() {
            let status = raw(stack.listen(), bytes).await.with_context(|| shown(bytes))?;
            if !expected.contains(&status) && round == 0 {
                wrong.push(format!("{number}: {status} not in {expected:?}: {}", shown(bytes)));
            }
        }
        let good = Mcp::new(&stack.url("a"), Some(token)).post(CALL).await?;
        ensure!(good.status() == 200, "after hostile requests a good one got {}", good.status());
        ensure!(good.text().await? == RESULT, "another answer");
    }
    if !wrong.is_empty() {
        bail!("{} were not refused as they should be:\n{}", wrong.len(), wrong.join("\n"));
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).escape_debug().to_string();
    text.chars().take(400).collect()
}

/// Statistics of Envoy that say that the filter's VM had trouble.
async fn trapped(stack: &Stack) -> Result<Vec<String>> {
    let url =
        format!("{}/stats?filter=vm_reload|remote_load|crash|attache_panics", stack.admin_url());
    let stats = http::client().get(url).send().await?.text().await?;
    Ok(stats.lines().filter(|line| !line.ends_with(": 0")).map(str::to_owned).collect())
}

#[tokio::test]
async fn hundreds_of_hostile_requests_are_refused_and_the_next_good_one_is_served() -> Result<()> {
    let upstream = Upstream::start(|_| Answer::json(RESULT)).await?;
    let stack = Setup::new().server("a", &upstream.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("a")).await?;
    refuses_all_and_serves_the_next(&stack, &tokens.access).await?;
    let trouble = trapped(&stack).await?;
    ensure!(trouble.is_empty(), "the filter was in trouble: {trouble:?}");
    for seen in upstream.seen() {
        let body: Value = seen.json();
        ensure!(
            body["method"] == "tools/call",
            "a hostile request reached the server: {}",
            seen.text()
        );
    }
    stack.stop().await
}

#[tokio::test]
async fn hostile_requests_do_not_stop_authsvc() -> Result<()> {
    let upstream = Upstream::start(|_| Answer::json(RESULT)).await?;
    let stack = Setup::new().server("a", &upstream.url("/mcp")).start().await?;
    let host = format!("host: localhost:{}", stack.listen().port()).into_bytes();
    let mut bytes: Vec<Vec<u8>> = bodies();
    bytes.push(b"grant_type=authorization_code&code=%ff&client_id=%00&code_verifier=a".to_vec());
    bytes.push(b"%".repeat(5_000));
    bytes.push(b"a=1&".repeat(20_000));
    bytes.push(br#"{"redirect_uris":["javascript:alert(1)"],"client_name":"<script>"}"#.to_vec());
    bytes.push(br#"{"redirect_uris":[["x"]],"client_name":{}}"#.to_vec());
    bytes.push(vec![b'a'; 200_000]);
    for path in [
        "/oauth/register",
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/authorize",
        "/oauth/login",
        "/oauth/consent",
        "/account",
    ] {
        for kind in ["application/json", "application/x-www-form-urlencoded"] {
            let line = format!("POST {path} HTTP/1.1");
            let kind = format!("content-type: {kind}").into_bytes();
            for body in &bytes {
                let status = raw(stack.listen(), &request(&line, &[&host, &kind], body)).await?;
                // Whose session is over is sent to log in, whatever they ask for.
                let is_told = (400..500).contains(&status) || (path, status) == ("/account", 303);
                ensure!(is_told, "{path}: {status} for {}", shown(body));
            }
        }
    }
    // The registrations among them have used up this address's burst; one per second comes back.
    let (_, tokens) = eventually(Duration::from_secs(20), async || {
        oauth::connect(&stack.url("a")).await.context("after hostile requests")
    })
    .await?;
    let good = Mcp::new(&stack.url("a"), Some(&tokens.access)).post(CALL).await?;
    ensure!(good.status() == 200, "{}", good.status());
    stack.stop().await
}
