//! Private keys at rest: XChaCha20-Poly1305 under a key that HKDF derives from a configured secret, bound to the
//! `kid`, so that what is sealed for one key opens no other.
//!
//! Whoever has the database, or a backup of it, but not the configuration, cannot sign.

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::Config;

/// Says what the derived bytes are for; a new number is a new form.
const KEY: &[u8] = b"attache signing keys 1";
/// The same for the name.
const NAME: &[u8] = b"attache signing keys 1, name";
/// Characters of a name: nine bytes in base64url.
const NAMED: usize = 12;
/// Bytes of a nonce: long enough to be drawn at random.
const NONCE: usize = 24;

/// The secrets that open keys; the first one seals.
#[derive(Clone, Debug)]
pub struct Vault {
    seals: Wrapping,
    earlier: Vec<Wrapping>,
}

/// What is derived from one secret.
#[derive(Clone)]
struct Wrapping {
    /// Tells which secret sealed a key, and nothing about the secret.
    name: String,
    key: Zeroizing<[u8; 32]>,
}

/// A private key that is sealed.
#[derive(Debug)]
pub(super) struct Sealed {
    /// Which secret opens it.
    pub(super) by: String,
    /// Nonce, ciphertext and tag.
    pub(super) bytes: Vec<u8>,
}

/// Why a private key cannot be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Locked {
    /// It was sealed with a secret that we do not have.
    OtherSecret,
    /// It was changed since.
    Broken,
}

impl std::fmt::Debug for Wrapping {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Vault {
    /// Seals with the first secret, opens what any of them sealed.
    #[must_use]
    pub fn new(secret: &Secret, earlier: &[&Secret]) -> Self {
        let earlier = earlier.iter().map(|secret| Wrapping::of(secret)).collect();
        Self { seals: Wrapping::of(secret), earlier }
    }

    /// With the secrets of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let (secret, shared) = (config.key_encryption_secret(), &config.service.secret);
        if secret == shared { Self::new(shared, &[]) } else { Self::new(secret, &[shared]) }
    }

    /// Seals something else than a key for what `label` says, which no `kid` is; with the name of the secret in front.
    #[must_use]
    pub(crate) fn enclose(&self, label: &[u8], text: &[u8], nonce: [u8; NONCE]) -> Option<Vec<u8>> {
        let sealed = self.seal(label, text, nonce)?;
        Some([sealed.by.into_bytes(), sealed.bytes].concat())
    }

    /// Opens what [`Self::enclose`] sealed for the same.
    #[must_use]
    pub(crate) fn disclose(&self, label: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (by, bytes) = sealed.split_at_checked(NAMED)?;
        self.open(label, str::from_utf8(by).ok()?, bytes).ok()
    }

    /// Whether a key is sealed as it would be now.
    pub(super) fn is_sealed(&self, sealed_by: Option<&str>) -> bool {
        sealed_by == Some(&self.seals.name)
    }

    /// Seals; nothing when the library refuses, which it has no reason to.
    pub(super) fn seal(
        &self,
        kid: impl AsRef<[u8]>,
        private: &[u8],
        nonce: [u8; NONCE],
    ) -> Option<Sealed> {
        let payload = Payload { msg: private, aad: kid.as_ref() };
        let ciphertext = self.seals.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        let bytes = nonce.into_iter().chain(ciphertext).collect();
        Some(Sealed { by: self.seals.name.clone(), bytes })
    }

    /// Opens what was sealed under this name.
    pub(super) fn open(
        &self,
        kid: impl AsRef<[u8]>,
        sealed_by: &str,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Locked> {
        let mut known = std::iter::once(&self.seals).chain(&self.earlier);
        let wrapping = known.find(|wrapping| wrapping.name == sealed_by);
        let wrapping = wrapping.ok_or(Locked::OtherSecret)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE>().ok_or(Locked::Broken)?;
        let payload = Payload { msg: ciphertext, aad: kid.as_ref() };
        let opened = wrapping.cipher().decrypt(&XNonce::from(*nonce), payload);
        opened.map(Zeroizing::new).map_err(|_forged| Locked::Broken)
    }
}

impl Wrapping {
    fn of(secret: &Secret) -> Self {
        let derived = Hkdf::<Sha256>::new(None, secret.reveal().as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        let mut name = [0; 9];
        // Both are far below the limit of 255 hashes, the only reason to fail.
        let done = derived.expand(KEY, key.as_mut_slice()).and(derived.expand(NAME, &mut name));
        debug_assert!(done.is_ok(), "HKDF gives more than 41 bytes");
        Self { name: URL_SAFE_NO_PAD.encode(name), key }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.key).into())
    }
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::{Locked, Vault};

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn s31_what_one_secret_sealed_no_other_opens() {
        let (one, other) = (secret("one"), secret("other"));
        let vault = Vault::new(&one, &[]);
        let sealed = vault.seal("kid", b"private", [7; 24]).unwrap();
        assert!(!sealed.bytes.windows(7).any(|window| window == b"private"));
        assert_eq!(vault.open("kid", &sealed.by, &sealed.bytes).unwrap().as_slice(), b"private");
        let open = |vault: &Vault, kid: &str, bytes: &[u8]| vault.open(kid, &sealed.by, bytes);
        let stranger = Vault::new(&other, &[]);
        assert_eq!(open(&stranger, "kid", &sealed.bytes), Err(Locked::OtherSecret));
        // A new secret takes over from an old one.
        let heir = Vault::new(&other, &[&one]);
        assert_eq!(open(&heir, "kid", &sealed.bytes).unwrap().as_slice(), b"private");
        assert!(!heir.is_sealed(Some(&sealed.by)) && vault.is_sealed(Some(&sealed.by)));
    }

    #[test]
    fn s31_what_is_sealed_for_one_key_opens_no_other_and_cannot_be_changed() {
        let vault = Vault::new(&secret("one"), &[]);
        let sealed = vault.seal("kid", b"private", [7; 24]).unwrap();
        let open = |kid: &str, bytes: &[u8]| vault.open(kid, &sealed.by, bytes);
        assert_eq!(open("another", &sealed.bytes), Err(Locked::Broken));
        for at in 0..sealed.bytes.len() {
            let mut forged = sealed.bytes.clone();
            forged[at] ^= 1;
            assert_eq!(open("kid", &forged), Err(Locked::Broken), "{at}");
            assert_eq!(open("kid", &sealed.bytes[..at]), Err(Locked::Broken), "{at}");
        }
    }
}
