//! Credentials and challenges.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Authorization, Challenge, parse};

#[test]
fn the_scheme_is_case_insensitive() {
    for value in ["Bearer a.b-c", "bearer a.b-c", "BEARER  a.b-c ", "\tBearer a.b-c"] {
        assert_eq!(parse(value.as_bytes()), Authorization::Bearer("a.b-c"), "{value}");
    }
}

#[test]
fn what_is_no_bearer_token_is_told_apart() {
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer =", "bearer é"] {
        assert_eq!(parse(value.as_bytes()), Authorization::Malformed, "{value}");
    }
    assert_eq!(parse(b"Bearer \xff\xfe"), Authorization::Malformed);
    for value in ["Basic abc", "AccessToken abc", "Bearerabc", "", "DPoP x"] {
        assert_eq!(parse(value.as_bytes()), Authorization::Foreign, "{value}");
    }
}

#[test]
fn a_challenge_names_what_a_client_needs() {
    let mut challenge = Challenge {
        resource_metadata: "https://a.example/.well-known/oauth-protected-resource/x/mcp",
        scope: "mcp",
        ..Challenge::default()
    };
    assert_eq!(
        challenge.header(),
        r#"Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource/x/mcp", scope="mcp""#
    );
    challenge.scope = "";
    challenge.error = Some("invalid_token");
    challenge.description = Some("the \"token\" has\r\nexpired");
    assert_eq!(
        challenge.header(),
        r#"Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource/x/mcp", error="invalid_token", error_description="the \"token\" has  expired""#
    );
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{any, proptest};

    use super::{Authorization, Challenge, parse};

    proptest! {
        #[test]
        fn a_challenge_is_one_header_of_quoted_strings(
            url in any::<String>(),
            scope in any::<String>(),
            description in any::<String>(),
        ) {
            let challenge = Challenge {
                resource_metadata: &url,
                scope: &scope,
                error: Some("invalid_token"),
                description: Some(&description),
            };
            let header = challenge.header();
            assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let bare = header.replace("\\\\", "").replace("\\\"", "");
            assert_eq!(bare.matches('"').count(), if scope.is_empty() { 6 } else { 8 }, "{header}");
        }

        #[test]
        fn a_token_is_what_was_sent_and_nothing_else(bytes in any::<Vec<u8>>(), token in "[A-Za-z0-9._~+/-]{1,40}={0,2}") {
            if let Authorization::Bearer(token) = parse(&bytes) {
                assert!(bytes.ends_with(token.as_bytes()) || bytes.trim_ascii().ends_with(token.as_bytes()));
            }
            let header = format!("bEaReR {token}");
            assert_eq!(parse(header.as_bytes()), Authorization::Bearer(token.as_str()));
        }
    }
}
