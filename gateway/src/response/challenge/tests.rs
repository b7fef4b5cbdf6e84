//! Where a server may send clients.

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Rewritten, rewrite};
use crate::testing::{configured, gateway, headers};

fn foreign(challenges: &Value) -> Value {
    let mut endpoint = crate::testing::endpoint("mcp");
    endpoint["foreign"] = json!({"schemes": ["AccessToken"], "challenges": challenges});
    configured("/endpoints/0", endpoint)
}

fn rewritten(configuration: Value, status: u16, challenges: &[&str]) -> Rewritten {
    let gateway = gateway(configuration);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let pairs: Vec<_> = challenges.iter().map(|value| ("www-authenticate", *value)).collect();
    rewrite(endpoint, status, &headers(&pairs))
}

fn replaced(text: &str) -> Rewritten {
    Rewritten::Replaced(text.to_owned())
}

#[test]
fn a_server_that_takes_our_tokens_sends_clients_to_our_metadata() {
    let ours = replaced(
        r#"Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp", scope="mcp""#,
    );
    for challenges in [
        &[][..],
        &[r#"AccessToken realm="x""#],
        &[r#"Bearer resource_metadata="https://evil.example.com/""#],
        &["Basic", "Bearer"],
    ] {
        assert_eq!(rewritten(foreign(&json!("ours")), 401, challenges), ours);
        assert_eq!(rewritten(foreign(&json!("ours")), 403, challenges), Rewritten::Removed);
        assert_eq!(rewritten(foreign(&json!("ours")), 200, challenges), Rewritten::Kept);
    }
}

fn plain(authentication: &str, caller_token: &str) -> Value {
    let mut endpoint = crate::testing::endpoint("mcp");
    endpoint["authentication"] = authentication.into();
    endpoint["caller_token"] = caller_token.into();
    configured("/endpoints/0", endpoint)
}

#[test]
fn a_server_behind_our_own_check_sends_clients_nowhere_else() {
    let evil =
        r#"Bearer resource_metadata="https://evil.com/", error="invalid_token", scope="mcp more""#;
    for authentication in ["required", "optional"] {
        for challenge in [evil, r#"Basic realm="x""#, "Bearer", "Bearer realm="] {
            let server = plain(authentication, "removed");
            let ours = r#"Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp", scope="mcp""#;
            assert_eq!(rewritten(server.clone(), 401, &[challenge]), replaced(ours), "{challenge}");
            assert_eq!(rewritten(server.clone(), 403, &[challenge]), Rewritten::Removed);
            assert_eq!(rewritten(server, 200, &[challenge]), Rewritten::Kept);
        }
        for status in [401, 403] {
            assert_eq!(rewritten(plain(authentication, "removed"), status, &[]), Rewritten::Kept);
            let said = rewritten(plain(authentication, "forwarded"), status, &["Basic", evil]);
            let expected = r#"Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp", scope="mcp more", error="invalid_token""#;
            assert_eq!(
                said,
                replaced(expected),
                "a server that checks the token says what it lacks"
            );
        }
    }
}

#[test]
fn a_server_without_our_check_sends_clients_where_it_wants() {
    let challenges = [r#"Bearer resource_metadata="https://id.example.com/""#];
    for status in [401, 403] {
        assert_eq!(rewritten(plain("none", "removed"), status, &challenges), Rewritten::Kept);
    }
}

#[test]
fn a_server_with_oauth_of_its_own_sends_clients_to_public_names_only() {
    let at = |url: &str| {
        let challenge = format!(r#"Bearer resource_metadata="{url}", error="invalid_token""#);
        rewritten(foreign(&json!("public")), 401, &["Basic realm=\"x\"", &challenge])
    };
    for good in [
        "https://id.example.com/.well-known/oauth-protected-resource/mcp",
        "https://id.example.com",
        "https://id.example.com:8443/a?b=c%20d",
        "https://xn--bcher-kva.example.com/",
        "https://1and1.com/",
    ] {
        let expected = format!(r#"Bearer resource_metadata="{good}", error="invalid_token""#);
        assert_eq!(at(good), replaced(&expected), "{good}");
    }
    for bad in [
        "http://id.example.com/",
        "HTTPS://id.example.com/",
        "https:/id.example.com/",
        "https:\\\\id.example.com",
        "https://id.example.com\\\\@evil.com/",
        "https://user@id.example.com/",
        "https://id.example.com:x/",
        "https://id.example.com:99999/",
        "https://id.example.com:+1/",
        "https://id.example.com/#fragment",
        "https://Id.example.com/",
        "https://b\u{fc}cher.com/",
        "https://127.0.0.1/",
        "https://8.8.8.8/",
        "https://2130706433/",
        "https://0x7f.0x1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[2606:4700::1111]/",
        "https://localhost/",
        "https://a.localhost/",
        "https://gateway/",
        "https://idp.internal/",
        "https://printer.local/",
        "https://router.home.arpa/",
        "https://id.example.com./",
        "https://-id.example.com/",
        "https://.example.com/",
        "https://",
        "https:///id.example.com",
        "javascript:alert(1)",
        "//id.example.com/",
        "",
        &format!("https://id.example.com/{}", "x".repeat(2048)),
    ] {
        assert_eq!(at(bad), replaced("Bearer"), "{bad}");
    }
}

#[test]
fn the_operator_can_say_where_alone_a_server_may_send_clients() {
    let listed = json!({"listed": ["http://127.0.0.1:9000", "https://id.example.com"]});
    let at = |url: &str| {
        let challenge = format!(r#"Bearer resource_metadata="{url}""#);
        rewritten(foreign(&listed), 401, &[&challenge])
    };
    for good in ["http://127.0.0.1:9000/x", "https://id.example.com/x", "https://id.example.com"] {
        assert_eq!(at(good), replaced(&format!(r#"Bearer resource_metadata="{good}""#)));
    }
    for bad in [
        "https://other.example.com/x",
        "http://127.0.0.1:9001/x",
        "http://127.0.0.1/x",
        "http://id.example.com/x",
        "https://id.example.com:8443/x",
        "https://id.example.com.evil.com/x",
        "https://id.example.com@evil.com/x",
    ] {
        assert_eq!(at(bad), replaced("Bearer"), "{bad}");
    }
}

#[test]
fn what_cannot_be_read_is_not_passed_on() {
    for challenge in [
        "Bearer",
        "Bearer resource_metadata",
        r#"Bearer resource_metadata="https://id.example.com/" Basic realm="x""#,
        r#"Basic resource_metadata="https://id.example.com/""#,
        r#"Bearer resource_metadata="https://id.example.com/", resource_metadata="https://evil.com/""#,
        r#"Bearer resource_metadata="https://id.example.com/", Basic realm="x""#,
        r#"Bearer resource_metadata="https://id.example.com/"#,
    ] {
        let public = foreign(&json!("public"));
        assert_eq!(rewritten(public.clone(), 401, &[challenge]), replaced("Bearer"), "{challenge}");
        assert_eq!(rewritten(public, 403, &[challenge]), Rewritten::Removed, "{challenge}");
    }
    // What is passed on is written anew.
    let odd = r#"bEARER  Resource_Metadata = "https:\//id.example.com/",scope=read , error_description="a \"b\"", extra=1"#;
    let expected = r#"Bearer resource_metadata="https://id.example.com/", scope="read", error_description="a \"b\"""#;
    assert_eq!(rewritten(foreign(&json!("public")), 401, &[odd]), replaced(expected));
}
