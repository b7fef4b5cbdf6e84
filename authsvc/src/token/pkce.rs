//! Proof Key for Code Exchange (RFC 7636), S256 only.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether `challenge` was made from `verifier`, which has 43 to 128 unreserved characters (section 4.1).
#[must_use]
pub fn verify(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    bool::from(expected.as_bytes().ct_eq(challenge.as_bytes()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest as _, Sha256};

    use super::verify;

    #[test]
    fn s11_the_example_of_rfc_7636_verifies() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verify("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", verifier));
        assert!(!verify("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN", verifier));
        assert!(!verify(verifier, verifier));
    }

    #[test]
    fn s13_a_verifier_has_43_to_128_unreserved_characters() {
        let check =
            |verifier: &str| verify(&URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), verifier);
        assert!(check(&"a".repeat(43)) && check(&"-._~".repeat(32)));
        assert!(!check(&"a".repeat(42)) && !check(&"a".repeat(129)));
        assert!(!check(&format!("{}+", "a".repeat(43))));
        assert!(!check(&format!("{}\u{e9}", "a".repeat(43))));
    }
}
