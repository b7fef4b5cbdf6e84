//! Headers that mirror the body.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{METHOD, Mirrored, Mismatch, NAME, PROTOCOL_VERSION, Said, decode};

const SAID: Said<'_> =
    Said { version: Some("2026-07-28"), method: "tools/call", name: Some("grüße") };

fn agree(version: &str, method: &str, name: Option<&str>) -> Result<(), Mismatch> {
    Mirrored {
        version: Some(version.as_bytes()),
        method: Some(method.as_bytes()),
        name: name.map(str::as_bytes),
    }
    .agree(&SAID)
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
