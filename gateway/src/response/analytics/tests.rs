//! What may stand in an event.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::text;

#[test]
fn texts_are_cut_on_a_character_and_freed_of_control_characters() {
    assert_eq!(text("plain", 10), "plain");
    assert_eq!(text("a\u{0}b\u{1b}[31mc\u{7f}\u{85}d", 100), "ab[31mcd");
    assert_eq!(text("a\r\nb\tc", 100), "a  b c");
    assert_eq!(text("ééééé", 3), "ééé");
    assert_eq!(text("\u{1f600}\u{1f600}", 1), "\u{1f600}");
    assert_eq!(text(&"x".repeat(3000), 2048).len(), 2048);
    assert_eq!(text("", 5), "");
}
