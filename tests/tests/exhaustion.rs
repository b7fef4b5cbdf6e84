//! Who holds on to much takes nothing from the others.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack, eventually},
    upstream::{Answer, Step, Upstream, mcp},
};
use hyper::{
    Request,
    body::{Body, Bytes, Frame},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet};

/// Connections, and streams on each: more together than authsvc takes connections.
const CONNECTIONS: usize = 12;
const STREAMS: usize = 100;

/// One byte, and then nothing: neither more nor an end.
struct Unfinished(Option<Bytes>);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |byte| Poll::Ready(Some(Ok(Frame::data(byte)))))
    }
}

async fn http2(to: SocketAddr) -> Result<SendRequest<Unfinished>> {
    let stream = TokioIo::new(TcpStream::connect(to).await?);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn unfinished(stack: &Stack) -> Result<Request<Unfinished>> {
    let request = Request::post(format!("{}/oauth/token", stack.public_url()))
        .header("content-type", "application/x-www-form-urlencoded");
    Ok(request.body(Unfinished(Some(Bytes::from_static(b"g"))))?)
}

/// A number that Envoy keeps.
async fn statistic(stack: &Stack, name: &str) -> Result<usize> {
    let url = format!("{}/stats?filter=^{name}$", stack.admin_url());
    let text = http::client().get(url).send().await?.text().await?;
    let number = text.trim().rsplit(": ").next().unwrap_or_default();
    number.parse().with_context(|| format!("no {name} in {text:?}"))
}

#[tokio::test]
async fn requests_that_never_end_keep_nobody_from_logging_in() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let sent_before = statistic(&stack, "cluster.authsvc.upstream_rq_total").await?;

    let mut held = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut sender = http2(stack.listen()).await?;
        for _ in 0..STREAMS {
            sender.ready().await?;
            held.spawn(sender.send_request(unfinished(&stack)?));
        }
    }
    eventually(Duration::from_secs(20), async || {
        let open = statistic(&stack, "http.attache.downstream_rq_active").await?;
        ensure!(open >= CONNECTIONS * STREAMS, "only {open} requests are open");
        Ok(())
    })
    .await?;

    let sent = statistic(&stack, "cluster.authsvc.upstream_rq_total").await?;
    assert_eq!(sent, sent_before, "requests reached authsvc before they were whole");
    let keys = http::client().get(format!("{}/oauth/jwks.json", stack.public_url())).send().await?;
    assert_eq!(keys.status(), 200);
    // Metadata, registration, login, consent and token.
    oauth::connect(&stack.url("everything")).await?;
    drop(held);
    stack.stop().await
}

#[tokio::test]
async fn lists_that_are_only_announced_leave_the_filter_its_memory() -> Result<()> {
    const LISTS: usize = 160;
    let server = Upstream::start(|seen| match seen.json()["method"].as_str() {
        // As much as is held of one list; together more than a module has.
        Some("tools/list") => Answer::json("")
            .header("content-length", "8388608")
            .steps(vec![Step::Send(b"{".to_vec()), Step::StayOpen]),
        _ => mcp::echo(seen),
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
    let mcp = Mcp::new(&stack.url("everything"), Some(&tokens.access));

    let mut held = Vec::new();
    for number in 0..LISTS {
        let answer = mcp.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await?;
        ensure!(answer.status() == 200, "list {number}: {}", answer.status());
        held.push(answer);
    }
    let ping = mcp.post(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await?;
    assert_eq!(ping.status(), 200);
    assert_eq!(stack.statistic("wasm.attache.vm_reload_success").await?, 0, "the filter trapped");
    drop(held);
    stack.stop().await
}
