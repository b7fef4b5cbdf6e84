//! Which bytes change on the way through, to the byte.

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack},
    upstream::{Answer, Seen, Upstream},
};

/// A gateway in front of a scripted server, and a token for it.
struct Bench {
    stack: Stack,
    upstream: Upstream,
    mcp: Mcp,
}

async fn bench<S>(script: S) -> Result<Bench>
where
    S: Fn(&Seen) -> Answer + Send + Sync + 'static,
{
    let upstream = Upstream::start(script).await?;
    let stack = Setup::new().server("scripted", &upstream.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("scripted")).await?;
    let mcp = Mcp::new(&stack.url("scripted"), Some(&tokens.access));
    Ok(Bench { stack, upstream, mcp })
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"n":{"type":"number","maximum":12345678901234567890}}},"icons":[{"src":"é"}]},{"name":"b","inputSchema":{"type":"object"}},{"name":"c"}],"nextCursor":"","_meta":{"x":1.0}}}"#;

/// What is added to the properties of a tool.
const PROPERTY: &str = r#""attache_intent":{"type":"string","description":"Analytics: in one short sentence, the purpose of this call. No names, identifiers, credentials or other personal data."}"#;

/// What must become of [`TOOLS`]: three insertions, and nothing else.
fn injected() -> String {
    TOOLS
        .replace(r#"12345678901234567890}}}"#, &format!("12345678901234567890}},{PROPERTY}}}}}"))
        .replace(
            r#""b","inputSchema":{"type":"object"}"#,
            &format!(r#""b","inputSchema":{{"type":"object","properties":{{{PROPERTY}}}}}"#),
        )
        .replace(
            r#"{"name":"c"}"#,
            &format!(
                r#"{{"name":"c","inputSchema":{{"type":"object","properties":{{{PROPERTY}}}}}}}"#
            ),
        )
}

/// The same as [`TOOLS`] in small, as `gzip` makes it.
const COMPRESSED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x2a\xce\xcf\x2b\x2a\x48\x56\xb2\x52\x32\xd2\x33\x50\xd2\x51\xca\x4c\x51\xb2\x32\xd4\x51\x2a\x4a\x2d\x2e\xcd\x29\x51\xb2\xaa\x56\x2a\xc9\xcf\xcf\x29\x56\xb2\x8a\xae\x56\xca\x4b\xcc\x4d\x05\xaa\x4b\x54\xaa\x8d\xad\xad\x05\x00\x31\x04\xef\x0b\x3a\x00\x00\x00";

async fn text_of(bench: &Bench, body: &str) -> Result<String> {
    let answer = bench.mcp.post(body.to_owned()).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    Ok(answer.text().await?)
}

#[tokio::test]
async fn a_list_with_content_length_arrives_whole_and_rewritten() -> Result<()> {
    let bench = bench(|_| Answer::json(TOOLS)).await?;
    assert_eq!(text_of(&bench, LIST).await?, injected());
    bench.stack.stop().await
}

#[tokio::test]
async fn a_stream_that_the_server_ends_is_rewritten_and_ends() -> Result<()> {
    let long = "x".repeat(100_000);
    let progress = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{long}"}}}}"#
    );
    let stream = format!(
        "id: 1\ndata:\n\n: keep-alive\n\nretry: 5000\n\ndata: {progress}\n\n:\r\n\r\nevent: message\r\nid: 2\r\ndata: {TOOLS}\r\n\r\n: bye\n\n"
    );
    let expected = stream.replace(TOOLS, &injected());
    let bench = bench(move |_| Answer::sse(stream.as_bytes().chunks(1000))).await?;
    assert_eq!(text_of(&bench, LIST).await?, expected);
    bench.stack.stop().await
}

#[tokio::test]
async fn a_call_loses_our_arguments_and_nothing_else() -> Result<()> {
    let bench = bench(|seen| {
        let id = seen.text().split_once("\"id\":").map_or_else(String::new, |(_, rest)| {
            rest.split_once(',').map_or("", |(id, _)| id).trim().to_owned()
        });
        Answer::json(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#))
    })
    .await?;
    for id in ["-1", "9007199254740993", "12345678901234567890123", "\"\\u0061\"", "0"] {
        let sent = format!(
            r#"{{ "jsonrpc":"2.0","id": {id},"method":"tools/call","params":{{"name":"a","arguments":{{ "n": -12345678901234567890.10e-2 ,"attache_intent":"to see", "z":"\u00e9" }},"task":{{}}}},"extra":[1 ,2]}}"#
        );
        let answer = text_of(&bench, &sent).await?;
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#));
        let seen = bench.upstream.take();
        let call = seen.last().context("a call")?;
        assert_eq!(call.text(), sent.replace(r#" ,"attache_intent":"to see""#, ""));
        assert_eq!(call.header("authorization"), None, "the caller's token reached the server");
        assert_eq!(call.header("content-length"), Some(call.body.len().to_string().as_str()));
    }
    let event = bench.stack.event(|event| event["method"] == "tools/call").await?;
    ensure!(
        event["intent"]["text"] == "to see" && event["intent"]["source"] == "argument",
        "{event}"
    );
    bench.stack.stop().await
}

#[tokio::test]
async fn a_message_that_needs_no_change_keeps_every_byte() -> Result<()> {
    let bench =
        bench(|_| Answer::json(" {\"jsonrpc\" : \"2.0\",\"id\":1,\"result\":{ } }\n")).await?;
    for sent in [
        " {\"jsonrpc\":\"2.0\",\t\"id\":1 , \"method\":\"unknown/method\",\"params\":[1.0, 1e5]}\r\n",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}"#,
    ] {
        let answer = text_of(&bench, sent).await?;
        assert_eq!(answer, " {\"jsonrpc\" : \"2.0\",\"id\":1,\"result\":{ } }\n");
        assert_eq!(bench.upstream.take().last().context("a message")?.text(), sent);
    }
    bench.stack.stop().await
}

/// In UTF-7 the text `+ACI-` is a quotation mark: a server that believed it would read another message.
#[tokio::test]
async fn any_charset_is_accepted_and_a_server_hears_of_none_but_that_of_json() -> Result<()> {
    let bench = bench(|_| Answer::json(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await?;
    for (said, heard) in [
        ("application/json", "application/json"),
        ("Application/JSON ; Charset=\"UTF-8\"", "Application/JSON ; Charset=\"UTF-8\""),
        ("application/json; charset=latin1", "application/json"),
        ("application/json;charset=utf-7", "application/json"),
    ] {
        let answer = bench.mcp.post_as(said, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await?;
        assert_eq!(answer.status(), 200, "{said}");
        let seen = bench.upstream.take();
        let seen = seen.last().context("a message")?;
        assert_eq!(seen.header("content-type"), Some(heard));
    }
    bench.stack.stop().await
}

#[tokio::test]
async fn answers_that_are_not_read_may_be_compressed() -> Result<()> {
    let bench = bench(|_| Answer::json(COMPRESSED).header("content-encoding", "gzip")).await?;
    // The answer to a list is rewritten and that to a call is read: no encoding is asked for. A server that encodes
    // it all the same is not understood, and passes.
    for (method, asked) in [
        ("prompts/list", Some("gzip, br")),
        ("resources/read", Some("gzip, br")),
        ("tools/list", None),
        ("tools/call", None),
    ] {
        let request = http::client().post(bench.stack.url("scripted"));
        let answer = request
            .bearer_auth(bench.mcp.token().unwrap_or_default())
            .header("content-type", "application/json")
            .header("accept-encoding", "gzip, br")
            .body(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#))
            .send()
            .await?;
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{method}");
        assert_eq!(answer.bytes().await?, COMPRESSED, "{method}");
        let seen = bench.upstream.take();
        assert_eq!(seen.last().context("a request")?.header("accept-encoding"), asked, "{method}");
    }
    bench.stack.stop().await
}

#[tokio::test]
async fn pages_of_a_list_keep_their_cursor_and_how_long_they_may_be_kept() -> Result<()> {
    const PAGE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","tools":[{"name":"c"}],"nextCursor":"p/2==","ttlMs":3.6e6,"cacheScope":"public","_meta":{"n":-0}}}"#;
    let bench = bench(|_| Answer::json(PAGE)).await?;
    let page = PAGE.replace(
        r#"{"name":"c"}"#,
        &format!(r#"{{"name":"c","inputSchema":{{"type":"object","properties":{{{PROPERTY}}}}}}}"#),
    );
    for cursor in ["", r#""cursor":"caf\u00e9=","#] {
        let sent = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{cursor}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let answer = http::client()
            .post(bench.stack.url("scripted"))
            .bearer_auth(bench.mcp.token().unwrap_or_default())
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
            .body(sent.clone())
            .send()
            .await?;
        // The list does not depend on who asks: what may be shared stays so.
        assert_eq!(answer.text().await?, page);
        assert_eq!(bench.upstream.take().last().context("a request")?.text(), sent);
    }
    bench.stack.stop().await
}
