//! What Envoy itself answers, in the words of the protocol and without inner addresses.

use super::{
    routes,
    tree::{Tree, list, section},
};

const EXPRESSION: &str = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";
/// Response flags of a server that did not answer; SI is a stream that stalled, on that side once the client's is known.
const UNANSWERED: [&str; 10] = ["UF", "UH", "UO", "UC", "UR", "UT", "LR", "UPE", "DF", "SI"];
/// More than a buffer takes. The status alone would also mean what the filter refuses, in its own words.
const TOO_LARGE: &str = "response.code_details == 'request_payload_too_large'";
/// The overload manager takes no requests.
const TOO_BUSY: &str = "response.code_details == 'overload'";
/// A client that stalled, or dripped.
const TOO_SLOW: &str = "response.code == 408 && response.code_details in ['stream_idle_timeout', 'request_overall_timeout']";

/// Paths of pages, and of all that authsvc serves, with their queries.
const PAGES: &str = "/(oauth/(authorize|login|consent)|account)?(\\?.*)?";
const OAUTH: &str = "/(oauth|\\.well-known)/.*";

/// An answer for authsvc's paths, and one for those of MCP servers.
struct Words {
    error: &'static str,
    description: &'static str,
    message: &'static str,
}

/// The first that fits is taken.
pub(super) fn mappers() -> Tree {
    let unanswered = || section! { "response_flag_filter" => section! { "flags" => UNANSWERED.map(Tree::from).to_vec() } };
    let too_large = Words {
        error: "invalid_request",
        description: "the body is larger than 64 KiB",
        message: "the body is larger than this gateway takes",
    };
    let too_slow = Words {
        error: "invalid_request",
        description: "the request took too long to come",
        message: "the request took too long to come",
    };
    let too_busy = Words {
        error: "temporarily_unavailable",
        description: "this gateway has no memory left, try again in a few seconds",
        message: "this gateway has no memory left, try again in a few seconds",
    };
    let no_answer = Words {
        error: "temporarily_unavailable",
        description: "the authorization server does not answer, try again in a few seconds",
        message: "the MCP server does not answer, try again in a few seconds",
    };
    let fixed = || vec![routes::header("cache-control", "no-store")];
    let passing =
        || vec![routes::header("cache-control", "no-store"), routes::header("retry-after", "5")];
    let mappers = [
        each(|| expression(TOO_LARGE), &fixed, &too_large),
        each(|| expression(TOO_SLOW), &fixed, &too_slow),
        each(|| expression(TOO_BUSY), &passing, &too_busy),
        each(unanswered, &passing, &no_answer),
    ];
    Tree::List(mappers.into_iter().flatten().collect())
}

/// On pages, for people; at authsvc's other paths, and at those of MCP servers, for programs.
fn each(filter: impl Fn() -> Tree, headers: &impl Fn() -> Vec<Tree>, words: &Words) -> [Tree; 3] {
    let at = |regex: &str| {
        let path = section! { "safe_regex" => section! { "regex" => regex } };
        let path = section! { "header_filter" => section! { "header" => section! { "name" => ":path", "string_match" => path } } };
        section! { "and_filter" => section! { "filters" => list![path, filter()] } }
    };
    let oauth = section! { "error" => words.error, "error_description" => words.description };
    let error = section! { "code" => "%RESPONSE_CODE%", "message" => words.message };
    let rpc = section! { "jsonrpc" => "2.0", "error" => error };
    [
        page(at(PAGES), headers(), words.description),
        mapper(at(OAUTH), headers(), oauth),
        mapper(filter(), headers(), rpc),
    ]
}

/// A page that needs nothing else: authsvc, which has the better ones, does not answer.
fn page(filter: Tree, mut headers: Vec<Tree>, text: &str) -> Tree {
    headers.extend([
        routes::header("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        routes::header("x-content-type-options", "nosniff"),
    ]);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Sign-in</title><h1>This did not work</h1>\
         <p>Sorry: {text}.</p><p>Then go back to where you came from, and begin again.</p></html>"
    );
    let body = section! { "inline_string" => html };
    section! {
        "filter" => filter,
        "headers_to_add" => Tree::List(headers),
        "body_format_override" => section! { "text_format_source" => body, "content_type" => "text/html; charset=utf-8" },
    }
}

fn expression(text: &str) -> Tree {
    let typed = Tree::typed(EXPRESSION, section! { "expression" => text });
    let filter = section! { "name" => "envoy.access_loggers.extension_filters.cel", "typed_config" => typed };
    section! { "extension_filter" => filter }
}

fn mapper(filter: Tree, headers: Vec<Tree>, body: Tree) -> Tree {
    section! {
        "filter" => filter,
        "headers_to_add" => Tree::List(headers),
        "body_format_override" => section! { "json_format" => body, "content_type" => "application/json" },
    }
}
