//! Credentials and challenges.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Authorization, Challenge, parse, read_challenge};

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

#[test]
fn a_challenge_is_read_strictly_or_not_at_all() {
    let read = read_challenge(br#"bearer  A = "x\"y" ,b=c, scope="""#).expect("it is well-formed");
    assert_eq!((read.get("a"), read.get("b")), (Some("x\"y"), Some("c")));
    assert_eq!((read.get("scope"), read.get("error")), (Some(""), None));
    for odd in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer abc==",
        "Bearer a",
        "Bearer a=",
        "Bearer a=\"b",
        "Bearer a=\"b\\",
        "Bearer a=b c=d",
        "Bearer a=b,",
        "Bearer a=b,,c=d",
        "Bearer a=b, A=c",
        "Bearer a=b, Basic c=d",
        "Bearer a=\"\u{e9}\"",
        "Bearer a=\"\u{0}\"",
        "Basic a=b",
        "Bearera=b",
    ] {
        assert_eq!(read_challenge(odd.as_bytes()), None, "{odd}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{any, proptest};

    use super::{Authorization, Challenge, parse, read_challenge};

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
        fn a_challenge_that_we_write_is_read_back(url in "[!-~]{1,40}", scope in "[ -~]{1,40}") {
            let challenge =
                Challenge { resource_metadata: &url, scope: &scope, ..Challenge::default() };
            let read = read_challenge(challenge.header().as_bytes()).expect("it is well-formed");
            assert_eq!(read.get("resource_metadata"), Some(url.as_str()));
            assert_eq!(read.get("scope"), Some(scope.as_str()));
        }

        #[test]
        fn no_challenge_is_too_odd_to_be_read_or_not(bytes in any::<Vec<u8>>(), text in "[ -~\t]{0,60}") {
            assert_eq!(read_challenge(&bytes), None);
            if let Some(read) = read_challenge(format!("Bearer {text}").as_bytes()) {
                assert!(text.contains('=') && read.get("").is_none());
            }
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
