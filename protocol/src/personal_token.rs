//! The form of a personal access token: `attache_pat_`, 256 random bits, and a CRC-32 of all that stands before it.
//!
//! It says nothing of what it opens; whoever is shown one asks authsvc. The prefix tells it from any other text, and
//! the checksum a whole one from a part or a mistyped one, without asking anybody: so do scanners for leaked secrets,
//! by `attache_pat_[0-9a-f]{72}`.

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::secret::Secret;

/// What each begins with.
pub const PREFIX: &str = "attache_pat_";
/// Random bytes.
const BITS: usize = 32;
/// Digits of the checksum.
const CHECK: usize = 8;
static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What a text is, by its form alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// Something else.
    Other,
    /// What begins as a personal access token, and is none.
    Broken,
    /// A personal access token, perhaps a made-up one.
    Whole,
}

/// A token with these bits, which must be random.
#[must_use]
pub fn write(bits: &[u8; BITS]) -> Secret {
    let mut token = String::from(PREFIX);
    hex(&mut token, bits);
    let check = CHECKSUM.checksum(token.as_bytes());
    hex(&mut token, &check.to_be_bytes());
    Secret::new(token)
}

/// What a text is; one bit has one spelling.
#[must_use]
pub fn form(text: &str) -> Form {
    let Some(digits) = text.strip_prefix(PREFIX) else {
        return Form::Other;
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != 2 * BITS + CHECK || !digits.bytes().all(is_digit) {
        return Form::Broken;
    }
    let parts = text.split_at_checked(text.len().saturating_sub(CHECK));
    let whole = parts.is_some_and(|(token, check)| {
        u32::from_str_radix(check, 16) == Ok(CHECKSUM.checksum(token.as_bytes()))
    });
    if whole { Form::Whole } else { Form::Broken }
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            out.extend(char::from_digit(u32::from(half), 16));
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{Form, PREFIX, form, write};

    #[test]
    fn a_token_is_written_in_one_way() {
        let token = write(&[0xa5; 32]);
        let digits = "a5".repeat(32);
        assert_eq!(token.reveal(), &format!("{PREFIX}{digits}36081020"));
        assert_eq!(form(token.reveal()), Form::Whole);
        assert_eq!(form(&token.reveal().replacen('a', "A", 3)), Form::Other);
        assert_eq!(form(&token.reveal().replace("a5a5", "A5A5")), Form::Broken);
        for other in ["", "a.b.c", "attache", "attache_patx", "Attache_pat_00"] {
            assert_eq!(form(other), Form::Other, "{other}");
        }
        for broken in [PREFIX.to_owned(), format!("{PREFIX}{digits}"), format!("{PREFIX}é{digits}")]
        {
            assert_eq!(form(&broken), Form::Broken, "{broken}");
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use proptest::prelude::{any, prop_assert_eq, proptest};

        use super::{Form, PREFIX, form, write};

        proptest! {
            #[test]
            fn what_is_written_is_whole(bits in any::<[u8; 32]>()) {
                prop_assert_eq!(form(write(&bits).reveal()), Form::Whole);
            }

            #[test]
            fn a_token_with_one_other_character_is_broken(
                bits in any::<[u8; 32]>(),
                at in PREFIX.len()..PREFIX.len() + 72,
                other in "[ -~]",
            ) {
                let mut token = write(&bits).reveal().clone();
                let before = token.get(at..=at).map(str::to_owned);
                token.replace_range(at..=at, &other);
                let expected = if before == Some(other) { Form::Whole } else { Form::Broken };
                prop_assert_eq!(form(&token), expected);
            }

            #[test]
            fn a_part_of_a_token_is_broken(bits in any::<[u8; 32]>(), length in PREFIX.len()..84) {
                let token = write(&bits).reveal().clone();
                prop_assert_eq!(form(token.get(..length).unwrap_or_default()), Form::Broken);
            }

            #[test]
            fn no_text_is_too_odd(text in any::<String>()) {
                prop_assert_eq!(form(&text), Form::Other);
                prop_assert_eq!(form(&format!("{PREFIX}{text}")), Form::Broken);
            }
        }
    }
}
