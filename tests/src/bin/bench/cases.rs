//! The work that is measured.

use std::sync::Arc;

use attache_tests::load::{Shot, Until};
use hyper::body::Bytes;
use tokio::sync::Notify;

use crate::CONNECTIONS;

/// One kind of request.
#[derive(Clone, Debug)]
pub struct Case {
    /// As the table names it.
    pub name: &'static str,
    /// The request.
    pub shot: Shot,
    /// How many send it at once.
    pub connections: usize,
}

impl Case {
    const fn busy(name: &'static str, shot: Shot) -> Self {
        Self { name, shot, connections: CONNECTIONS }
    }
}

/// The cases of whole answers, with this access token.
pub fn all(token: &str) -> Vec<Case> {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    vec![
        Case::busy(
            "`tools/call`, 100 B of arguments, everything on",
            post("/bench/mcp", token, call(&"x".repeat(60))),
        ),
        Case::busy(
            "`tools/call`, 4 KB of arguments, everything on",
            post("/bench/mcp", token, call(&"x".repeat(4000))),
        ),
        Case::busy("another path, filter loaded", elsewhere()),
        Case::busy("`tools/list`, 200 tools, injected", post("/bench/mcp", token, list.to_owned())),
    ]
}

/// A call that is answered by a stream, up to its first event; one at a time, so that nothing queues.
pub fn stream(token: &str, arrived: &Arc<Notify>) -> Case {
    let shot = post("/stream/mcp", token, call(&"x".repeat(60)));
    let shot = Shot { until: Until::First(Arc::clone(arrived)), ..shot };
    Case { name: "first event of a stream, one call at a time", shot, connections: 1 }
}

fn call(text: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}","attache_intent":"Measure what a call costs"}}}}}}"#
    )
}

fn post(path: &str, token: &str, body: String) -> Shot {
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
        ("mcp-protocol-version", "2025-11-25".to_owned()),
        ("mcp-session-id", "0190f0e8-7a6b-7c3d-9e4f-5a6b7c8d9e0f".to_owned()),
        ("user-agent", "bench/1".to_owned()),
    ];
    Shot {
        method: "POST",
        path: path.to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: Bytes::from(body),
        status: 200,
        until: Until::Whole,
    }
}

fn elsewhere() -> Shot {
    Shot {
        method: "GET",
        path: "/oauth/jwks.json".to_owned(),
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        body: Bytes::new(),
        status: 200,
        until: Until::Whole,
    }
}
