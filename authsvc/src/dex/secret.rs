//! Secrets of our clients at Dex: derived from ours and the id, so that none is kept anywhere but at Dex.

use std::fmt;

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;

/// Says what the derived bytes are for; a new number is a new form.
const PURPOSE: &[u8] = b"attache clients at dex 1";

/// Derives them.
#[derive(Clone)]
pub(super) struct Deriver(Hkdf<Sha256>);

impl Deriver {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(Hkdf::new(None, secret.reveal().as_bytes()))
    }

    /// The secret of the client with this id, 256 bits.
    pub(super) fn of(&self, id: &str) -> Secret {
        let mut bytes = [0; 32];
        let done = self.0.expand_multi_info(&[PURPOSE, b"\0", id.as_bytes()], &mut bytes);
        debug_assert!(done.is_ok(), "HKDF gives more than 32 bytes");
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Deriver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Deriver")
    }
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::Deriver;

    #[test]
    fn s67_each_client_has_a_secret_of_its_own_that_needs_ours() {
        let of = |ours: &str, id: &str| {
            Deriver::new(&Secret::new(ours.to_owned())).of(id).reveal().to_string()
        };
        assert_eq!(of("one", "a"), of("one", "a"));
        assert_ne!(of("one", "a"), of("one", "b"));
        assert_ne!(of("one", "a"), of("other", "a"));
        assert_eq!(of("one", "a").len(), 43);
    }
}
