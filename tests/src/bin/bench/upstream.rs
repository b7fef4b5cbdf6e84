//! Small MCP-shaped servers: a short result for a call, 200 tools for a list; and one that answers with a stream.

use std::{convert::Infallible, fmt::Write as _, net::SocketAddr, sync::Arc};

use anyhow::Result;
use attache_tests::upstream::{Answer, Step, Upstream};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify};

/// Listens on a free port of loopback for as long as the program runs.
pub async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let list = Bytes::from(list(200));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let list = list.clone();
            let service = service_fn(move |request| answer(request, list.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// Answers with two events, the second only when the first is said to have arrived.
pub async fn streaming() -> Result<(Upstream, Arc<Notify>)> {
    let arrived = Arc::new(Notify::new());
    let said = Arc::clone(&arrived);
    let progress = br#"data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
    let result = br#"data: {"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}"#;
    let upstream = Upstream::start(move |_| {
        Answer::sse_steps(vec![
            Step::Send([progress.as_slice(), b"\n\n"].concat()),
            Step::Until(Arc::clone(&said)),
            Step::Send([result.as_slice(), b"\n\n"].concat()),
        ])
    });
    Ok((upstream.await?, arrived))
}

async fn answer(
    request: Request<Incoming>,
    list: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let called = Bytes::from_static(
        br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}],"isError":false}}"#,
    );
    let listed = body.windows(12).any(|window| window == b"\"tools/list\"");
    let mut response = Response::new(Full::new(if listed { list } else { called }));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

/// A `tools/list` response with tools of an ordinary size.
fn list(count: usize) -> String {
    let mut out = String::from(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#);
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            out,
            r#"{comma}{{"name":"tool_{number}","description":"Looks up the things of kind {number} that belong to a customer, newest first, with their state and the date of the last change.","inputSchema":{{"type":"object","properties":{{"customer":{{"type":"string","description":"Identifier of the customer"}},"limit":{{"type":"integer","minimum":1,"maximum":100,"description":"How many at most"}},"state":{{"type":"string","enum":["open","closed","all"]}}}},"required":["customer"],"additionalProperties":false}}}}"#
        );
    }
    out.push_str("]}}");
    out
}
