//! The work that is measured.

use attache_tests::load::Shot;
use hyper::body::Bytes;

/// One kind of request.
#[derive(Clone, Debug)]
pub struct Case {
    /// As the table names it.
    pub name: &'static str,
    /// The request.
    pub shot: Shot,
}

/// Every case, with this access token.
pub fn all(token: &str) -> Vec<Case> {
    vec![
        Case {
            name: "`tools/call`, 100 B of arguments, everything on",
            shot: post(token, call(&"x".repeat(60))),
        },
        Case {
            name: "`tools/call`, 4 KB of arguments, everything on",
            shot: post(token, call(&"x".repeat(4000))),
        },
        Case { name: "another path, filter loaded", shot: elsewhere() },
        Case {
            name: "`tools/list`, 200 tools, injected",
            shot: post(token, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned()),
        },
    ]
}

fn call(text: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}","attache_intent":"Measure what a call costs"}}}}}}"#
    )
}

fn post(token: &str, body: String) -> Shot {
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
        path: "/bench/mcp".to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: Bytes::from(body),
        status: 200,
    }
}

fn elsewhere() -> Shot {
    Shot {
        method: "GET",
        path: "/oauth/jwks.json".to_owned(),
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        body: Bytes::new(),
        status: 200,
    }
}
