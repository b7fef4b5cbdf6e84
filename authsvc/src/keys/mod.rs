//! Keys: the only folder that signs, and the only one that knows the library which does.
//!
//! A key is made at the first start and kept in the database. Its `kid` is its RFC 7638 thumbprint; what is
//! published (RFC 7517) is every key that has signed a token which may still live, and the next one to sign.
//!
//! The private part is in the database in clear: whoever reads that file can sign. The file is made readable for
//! its owner only; encryption at rest, as rotation, comes later.

mod jwk;
mod signer;

use attache_protocol::{claims::Claims, secret::Secret};
use jwt_compact::UntrustedToken;
use thiserror::Error;

use self::signer::Signer;
pub use self::{
    jwk::{JwkSet, PublicKey},
    signer::{Validity, Verified},
};
use crate::{
    config::Signing,
    random::Random,
    store::{self, Store, keys::SigningKey},
};

/// Keys are not there or not usable.
#[derive(Debug, Error)]
pub enum KeyError {
    /// They cannot be read or kept.
    #[error("signing keys cannot be loaded")]
    Store(#[from] store::Error),
    /// A stored one is broken.
    #[error("signing key {0} in the database is not a valid key of its algorithm")]
    Broken(String),
    /// There is none although one was made.
    #[error("no signing key for {0}")]
    Missing(&'static str),
    /// The library refused.
    #[error("a token cannot be signed: {0}")]
    Sign(#[from] jwt_compact::CreationError),
}

/// The key that signs, and the document that publishes it.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Key,
    all: Vec<Key>,
    jwks: JwkSet,
}

#[derive(Clone, Debug)]
struct Key {
    kid: String,
    signer: Signer,
}

impl Keys {
    /// Loads the keys; makes one when there is none for this algorithm.
    ///
    /// # Errors
    /// When the database fails or holds a broken key.
    pub async fn open(
        store: &Store,
        signing: Signing,
        random: &Random,
        now: i64,
    ) -> Result<Self, KeyError> {
        let algorithm = name(signing);
        let mut stored = store.signing_keys().await?;
        if !stored.iter().any(|key| signs(key, algorithm)) {
            store.add_first_signing_key(&generate(signing, random)?, now).await?;
            stored = store.signing_keys().await?;
        }
        let mut keys = Vec::new();
        let mut all = Vec::new();
        let mut current = None;
        for key in &stored {
            let signer = load(key)?;
            keys.push(signer.public_key().ok_or_else(|| KeyError::Broken(key.kid.clone()))?);
            all.push(Key { kid: key.kid.clone(), signer });
            if signs(key, algorithm) {
                current = all.last().cloned();
            }
        }
        let current = current.ok_or(KeyError::Missing(algorithm))?;
        Ok(Self { current, all, jwks: JwkSet { keys } })
    }

    /// What is published.
    #[must_use]
    pub const fn jwks(&self) -> &JwkSet {
        &self.jwks
    }

    /// Signs an access token (RFC 9068).
    ///
    /// # Errors
    /// When the library refuses, which it has no reason to.
    pub fn sign(&self, claims: &Claims, validity: Validity) -> Result<Secret, KeyError> {
        let Key { kid, signer } = &self.current;
        Ok(Secret::new(signer.sign(kid, claims, validity)?))
    }

    /// What an access token says, if it is one of ours, expired or not.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Verified> {
        let token = UntrustedToken::new(token).ok()?;
        let kid = token.header().key_id.as_deref()?;
        self.all.iter().find(|key| key.kid == kid)?.signer.verify(&token)
    }
}

fn load(key: &SigningKey) -> Result<Signer, KeyError> {
    let signing = [Signing::EdDsa, Signing::Es256];
    let signing = signing.into_iter().find(|signing| name(*signing) == key.algorithm);
    let signer = signing.and_then(|signing| Signer::new(signing, key.private_key.reveal()));
    signer.ok_or_else(|| KeyError::Broken(key.kid.clone()))
}

fn generate(signing: Signing, random: &Random) -> Result<SigningKey, KeyError> {
    let missing = || KeyError::Missing(name(signing));
    let (signer, bytes) = Signer::generate(signing, random).ok_or_else(missing)?;
    Ok(SigningKey {
        kid: signer.public_key().ok_or_else(missing)?.kid,
        algorithm: name(signing).to_owned(),
        private_key: Secret::new(bytes.to_vec()),
        state: "current".to_owned(),
    })
}

fn signs(key: &SigningKey, algorithm: &str) -> bool {
    key.algorithm == algorithm && key.state == "current"
}

const fn name(signing: Signing) -> &'static str {
    match signing {
        Signing::EdDsa => "EdDSA",
        Signing::Es256 => "ES256",
    }
}

#[cfg(test)]
mod tests;
