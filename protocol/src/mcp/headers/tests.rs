//! Headers that mirror the body.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{METHOD, Mirrored, Mismatch, NAME, PROTOCOL_VERSION, Said, decode};

const SAID: Said<'_> = Said { method: "tools/call", name: Some("grüße") };

fn agree(version: &str, method: &str, name: Option<&str>) -> Result<(), Mismatch> {
    let mirrored = Mirrored {
        version: Some(version.as_bytes()),
        method: Some(method.as_bytes()),
        name: name.map(str::as_bytes),
    };
    mirrored.agree_on_version("2026-07-28").and_then(|()| mirrored.agree(&SAID))
}

#[test]
fn headers_that_say_what_the_body_says_agree() {
    assert_eq!(agree("2026-07-28", " tools/call ", Some("=?base64?Z3LDvMOfZQ==?=")), Ok(()));
}

#[test]
fn a_header_that_is_missing_or_says_something_else_is_named() {
    let name = Some("=?base64?Z3LDvMOfZQ==?=");
    assert_eq!(agree("2025-11-25", "tools/call", name), Err(Mismatch::Differs(PROTOCOL_VERSION)));
    assert_eq!(agree("2026-07-28", "TOOLS/CALL", name), Err(Mismatch::Differs(METHOD)));
    assert_eq!(agree("2026-07-28", "tools/call", None), Err(Mismatch::Missing(NAME)));
    assert_eq!(agree("2026-07-28", "tools/call", Some("x")), Err(Mismatch::Differs(NAME)));
    assert_eq!(agree("2026-07-28", "tools/call", Some("grüße")), Err(Mismatch::Malformed(NAME)));
    assert_eq!(
        agree("2026-07-28", "tools/call", Some("=?base64?!?=")),
        Err(Mismatch::Malformed(NAME))
    );
}

#[test]
fn only_a_whole_sentinel_is_decoded() {
    assert_eq!(decode(b"=?base64?YQ==?=").as_deref(), Some("a"));
    assert_eq!(decode(b"=?BASE64?YQ==?=").as_deref(), Some("=?BASE64?YQ==?="));
    assert_eq!(decode(b"=?base64?YQ==").as_deref(), Some("=?base64?YQ=="));
    assert_eq!(decode(b"=?base64?YQ?="), None);
}

#[test]
fn a_method_that_is_gone_mirrors_nothing() {
    let agree = |method: &'static str| {
        let header = Mirrored { version: None, method: Some(method.as_bytes()), name: None };
        header.agree(&Said { method, name: Some("a-task") })
    };
    assert_eq!(agree("tasks/result"), Ok(()));
    assert_eq!(agree("tasks/get"), Err(Mismatch::Missing(NAME)));
}

#[test]
fn a_name_that_a_method_of_an_extension_mirrors_is_the_servers_to_judge() {
    let agree = |method: &'static str| {
        let header = Mirrored {
            version: Some(b"2026-07-28"),
            method: Some(method.as_bytes()),
            name: Some(b"x"),
        };
        header.agree(&Said { method, name: None })
    };
    assert_eq!(agree("com.example/get"), Ok(()));
    assert_eq!(agree("tools/call"), Err(Mismatch::Differs(NAME)));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::{any, proptest};

    use super::decode;

    proptest! {
        #[test]
        fn every_text_comes_out_of_its_sentinel(text in any::<String>()) {
            let header = format!("=?base64?{}?=", STANDARD.encode(&text));
            assert_eq!(decode(header.as_bytes()).as_deref(), Some(text.as_str()));
        }

        #[test]
        fn no_bytes_decode_to_more_than_they_say(bytes in any::<Vec<u8>>()) {
            if let Some(text) = decode(&bytes) {
                assert!(bytes.is_ascii() && text.len() <= bytes.len());
            }
        }
    }
}
