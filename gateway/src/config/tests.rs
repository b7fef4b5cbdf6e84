//! Mistakes are found, and named.

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Gateway;
use crate::testing::{configuration, configured, endpoint, gateway};

fn mistake(configuration: &Value) -> String {
    Gateway::parse(configuration.to_string().as_bytes()).expect_err("a mistake").to_string()
}

/// Where, what, and what is said of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "/public_url",
        r#""https://gateway.example/""#,
        "public_url: `https://gateway.example/` ends in a slash; write the origin alone",
    ),
    ("/issuer", r#""gateway""#, "issuer: `gateway` must be an absolute http or https URL in ASCII"),
    ("/jwks/target/cluster", r#""""#, "jwks.target.cluster: `` is empty; name an Envoy cluster"),
    ("/jwks/target/path", r#""jwks""#, "jwks.target.path: `jwks` must begin with `/`"),
    (
        "/jwks/stale_seconds",
        r#"1"#,
        "jwks.stale_seconds: `1` is less than `jwks.refresh_seconds`; keys must outlive their refresh",
    ),
    ("/events/batch", r#"0"#, "events.batch: `0` must be at least 1"),
    (
        "/events/secret",
        r#""a\nb""#,
        "events.secret: `[redacted]` must be one or more visible ASCII characters",
    ),
    (
        "/limits/max_depth",
        r#"1000"#,
        "limits.max_depth: `1000` is deeper than any message needs; use 128 or less",
    ),
    ("/endpoints", r#"[]"#, "endpoints: `[]` is empty; configure a server"),
    (
        "/endpoints/0/path",
        r#""mcp""#,
        "endpoints[0].path: `mcp` must begin with `/` and have no query, fragment or space",
    ),
    (
        "/endpoints/0/path",
        r#""/mcp?x""#,
        "endpoints[0].path: `/mcp?x` must begin with `/` and have no query, fragment or space",
    ),
    (
        "/endpoints/0/resource",
        r#""/mcp""#,
        "endpoints[0].resource: `/mcp` must be an absolute http or https URL in ASCII",
    ),
    (
        "/endpoints/0/scopes",
        r#"["a", "b c"]"#,
        "endpoints[0].scopes[1]: `b c` must be visible ASCII without spaces, quotes or backslashes",
    ),
    (
        "/endpoints/0/analytics/arguments",
        r#"["intent", "intent"]"#,
        "endpoints[0].analytics.arguments[1]: `attache_intent` is listed twice; list it once",
    ),
];

#[test]
fn a_mistake_is_named_with_its_path_its_value_and_what_to_do() {
    for (pointer, value, expected) in MISTAKES {
        assert_eq!(
            mistake(&configured(pointer, serde_json::from_str(value).expect("JSON"))),
            *expected
        );
    }
}

#[test]
fn two_endpoints_cannot_have_one_path() {
    let twice = configured("/endpoints", json!([endpoint("mcp"), endpoint("mcp")]));
    assert_eq!(
        mistake(&twice),
        "endpoints[1].path: `/mcp` is the path of another endpoint; give each its own"
    );
}

#[test]
fn unknown_keys_are_refused() {
    let mut configuration = configuration();
    configuration["limits"]["max_bodies"] = json!(1);
    let text = mistake(&configuration);
    assert!(text.contains("unknown field `max_bodies`"), "{text}");
    assert!(mistake(&json!({})).contains("missing field"), "an empty object");
}

#[test]
fn a_path_is_found_exactly_and_without_its_query() {
    let gateway = gateway(configuration());
    for path in ["/mcp", "/mcp?a=/x", "/mcp?", "/mcp#x"] {
        assert!(gateway.endpoint(path.as_bytes()).is_some(), "{path}");
    }
    for path in ["/mcp/", "/MCP", "/mc", "/mcp2", "", "/", "/x/mcp", "/mcp;x", "/mcp%20"] {
        assert!(gateway.endpoint(path.as_bytes()).is_none(), "{path}");
    }
    assert!(gateway.endpoint(b"/mcp\xff").is_none());
}

#[test]
fn challenges_and_schemas_are_computed_once() {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    assert_eq!(
        endpoint.challenge,
        r#"Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp", scope="mcp""#
    );
    let [intent] = endpoint.injected.as_slice() else { panic!("one argument") };
    assert_eq!(intent.name, "attache_intent");
    let schema: Value = serde_json::from_str(&intent.schema).expect("a schema is JSON");
    assert_eq!(schema["type"], "string");
}

#[test]
fn the_secret_is_not_shown() {
    let shown = format!("{:?}", gateway(configuration()));
    assert!(!shown.contains("ssss"), "{shown}");
}
