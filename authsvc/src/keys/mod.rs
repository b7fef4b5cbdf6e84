//! Keys: the only file that signs, and the only one that knows the library which does.
//!
//! A key is made at the first start and kept in the database. Its `kid` is its RFC 7638 thumbprint; what is
//! published (RFC 7517) is every key that has signed a token which may still live, and the next one to sign.
//!
//! The private part is in the database in clear: whoever reads that file can sign. The file is made readable for
//! its owner only; encryption at rest, as rotation, comes later.

use attache_protocol::{
    claims::{ACCESS_TOKEN_TYPE, Claims},
    secret::Secret,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::{
    Algorithm, AlgorithmExt as _, Header,
    alg::{Ed25519, Es256, SigningKey as _},
    jwk::JsonWebKey,
};
use serde::Serialize;
use sha2::Sha256;
use thiserror::Error;

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
    signer: Signer,
    kid: String,
    jwks: JwkSet,
}

/// RFC 7517 section 5, public parts only.
#[derive(Clone, Debug, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// RFC 7517 section 4, RFC 7518 section 6.2.1, RFC 8037 section 2.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
}

/// When a token is good, Unix seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// `iat`.
    pub issued_at: i64,
    /// `exp`.
    pub expires_at: i64,
}

#[derive(Clone)]
enum Signer {
    EdDsa(<Ed25519 as Algorithm>::SigningKey),
    Es256(<Es256 as Algorithm>::SigningKey),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.algorithm())
    }
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
        let mut current = None;
        for key in &stored {
            let signer = Signer::load(key)?;
            keys.push(signer.public_key()?);
            if signs(key, algorithm) {
                current = Some((signer, key.kid.clone()));
            }
        }
        let (signer, kid) = current.ok_or(KeyError::Missing(algorithm))?;
        Ok(Self { signer, kid, jwks: JwkSet { keys } })
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
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(flatten)]
            claims: &'a Claims,
            iat: i64,
            exp: i64,
        }
        let body = Body { claims, iat: validity.issued_at, exp: validity.expires_at };
        let claims = jwt_compact::Claims::new(body);
        let header =
            Header::empty().with_token_type(ACCESS_TOKEN_TYPE).with_key_id(self.kid.as_str());
        let token = match &self.signer {
            Signer::EdDsa(key) => Ed25519.token(&header, &claims, key)?,
            Signer::Es256(key) => Es256.token(&header, &claims, key)?,
        };
        Ok(Secret::new(token))
    }
}

impl Signer {
    fn new(signing: Signing, bytes: &[u8]) -> Option<Self> {
        match signing {
            Signing::EdDsa => {
                <Ed25519 as Algorithm>::SigningKey::from_slice(bytes).ok().map(Self::EdDsa)
            }
            Signing::Es256 => {
                <<Es256 as Algorithm>::SigningKey>::from_slice(bytes).ok().map(Self::Es256)
            }
        }
    }

    fn load(key: &SigningKey) -> Result<Self, KeyError> {
        let signing = [Signing::EdDsa, Signing::Es256];
        let signing = signing.into_iter().find(|signing| name(*signing) == key.algorithm);
        let signer = signing.and_then(|signing| Self::new(signing, key.private_key.reveal()));
        signer.ok_or_else(|| KeyError::Broken(key.kid.clone()))
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::EdDsa(_) => "EdDSA",
            Self::Es256(_) => "ES256",
        }
    }

    fn public_key(&self) -> Result<PublicKey, KeyError> {
        match self {
            Self::EdDsa(key) => {
                describe(&JsonWebKey::from(&key.to_verifying_key()), self.algorithm())
            }
            Self::Es256(key) => {
                describe(&JsonWebKey::from(&key.to_verifying_key()), self.algorithm())
            }
        }
    }
}

fn describe(jwk: &JsonWebKey<'_>, alg: &'static str) -> Result<PublicKey, KeyError> {
    let kid = URL_SAFE_NO_PAD.encode(jwk.thumbprint::<Sha256>());
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (kty, crv, x, y) = match jwk {
        JsonWebKey::KeyPair { x, .. } => ("OKP", "Ed25519", encode(x), None),
        JsonWebKey::EllipticCurve { x, y, .. } => ("EC", "P-256", encode(x), Some(encode(y))),
        JsonWebKey::Rsa { .. } | JsonWebKey::Symmetric { .. } | _ => {
            return Err(KeyError::Broken(kid));
        }
    };
    Ok(PublicKey { kty, crv, x, y, kid, alg, usage: "sig" })
}

fn generate(signing: Signing, random: &Random) -> Result<SigningKey, KeyError> {
    // Of all numbers of 256 bits, one in 2^32 is no scalar of P-256: then the dice are thrown again.
    let drawn = (0..8).find_map(|_| {
        let seed = random.bytes::<32>();
        Signer::new(signing, &seed).map(|signer| (seed, signer))
    });
    let (seed, signer) = drawn.ok_or(KeyError::Missing(name(signing)))?;
    Ok(SigningKey {
        kid: signer.public_key()?.kid,
        algorithm: name(signing).to_owned(),
        private_key: Secret::new(seed.to_vec()),
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
