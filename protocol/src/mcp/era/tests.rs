//! Eras.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Era;

#[test]
fn the_era_is_told_by_the_body_or_else_by_the_header() {
    assert_eq!(Era::of(None, None), Era::Legacy);
    assert_eq!(Era::of(Some("2025-11-25"), None), Era::Legacy);
    assert_eq!(Era::of(Some("2026-07-28"), None), Era::Modern);
    assert_eq!(Era::of(Some("2027-01-01"), None), Era::Modern);
    assert_eq!(Era::of(Some("2025-11-25"), Some("2026-07-28")), Era::Modern);
    assert_eq!(Era::of(Some("zzzz"), None), Era::Legacy);
    assert_eq!(Era::of(Some("9999-99-9x"), None), Era::Legacy);
}
