//! Finds bytes eight at a time: most of a text is the inside of strings.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes of `text` come before the first that ends or interrupts the inside of a string: a quote,
/// a backslash or a control character.
pub(crate) fn before_stop(text: &[u8]) -> usize {
    let stops = |word: u64| {
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | control
    };
    before(text, stops, |byte| matches!(byte, b'"' | b'\\' | ..0x20))
}

/// How many bytes of `text` come before the first carriage return or line feed.
pub(crate) fn before_line_end(text: &[u8]) -> usize {
    let ends = |word: u64| {
        zeros(word ^ (ONES * u64::from(b'\n'))) | zeros(word ^ (ONES * u64::from(b'\r')))
    };
    before(text, ends, |byte| matches!(byte, b'\n' | b'\r'))
}

/// The high bit of each zero byte; bits above the lowest one that is set may be wrong.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

fn before(text: &[u8], hits: impl Fn(u64) -> u64, is_hit: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = hits(u64::from_le_bytes(*word)) & HIGHS;
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| is_hit(*byte)).unwrap_or(rest.len());
    words.len() * 8 + tail
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{before_line_end, before_stop};

    #[test]
    fn the_first_of_every_byte_is_found_at_every_place() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut text = [b'a'; 24];
                text[at] = byte;
                text[22] = b'"';
                text[23] = b'\n';
                let stops = matches!(byte, b'"' | b'\\' | ..0x20);
                assert_eq!(before_stop(&text), if stops { at } else { 22 }, "{byte} at {at}");
                let ends = matches!(byte, b'\n' | b'\r');
                assert_eq!(before_line_end(&text), if ends { at } else { 23 }, "{byte} at {at}");
            }
        }
        assert_eq!(before_stop(&[0xff; 17]), 17);
        assert_eq!(before_line_end(b""), 0);
    }
}
