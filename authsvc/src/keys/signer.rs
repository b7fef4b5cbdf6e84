//! One key: signs, verifies, and shows its public part.

use attache_protocol::claims::{ACCESS_TOKEN_TYPE, Claims};
use jwt_compact::{
    Algorithm, AlgorithmExt as _, Header, UntrustedToken,
    alg::{Ed25519, Es256, SigningKey as _},
    jwk::JsonWebKey,
};
use serde::Serialize;

use super::jwk::{self, PublicKey};
use crate::{config::Signing, random::Random};

/// When a token is good, Unix seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// `iat`.
    pub issued_at: i64,
    /// `exp`.
    pub expires_at: i64,
}

/// A token that one of our keys signed; it may have expired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// When it is good.
    pub validity: Validity,
}

/// A private key, ready for use.
#[derive(Clone)]
pub(super) enum Signer {
    EdDsa(<Ed25519 as Algorithm>::SigningKey),
    Es256(<Es256 as Algorithm>::SigningKey),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.algorithm())
    }
}

impl Signer {
    /// From the seed or the scalar, 32 bytes.
    pub(super) fn new(signing: Signing, bytes: &[u8]) -> Option<Self> {
        match signing {
            Signing::EdDsa => {
                <Ed25519 as Algorithm>::SigningKey::from_slice(bytes).ok().map(Self::EdDsa)
            }
            Signing::Es256 => {
                <<Es256 as Algorithm>::SigningKey>::from_slice(bytes).ok().map(Self::Es256)
            }
        }
    }

    /// A new one, and its bytes.
    pub(super) fn generate(signing: Signing, random: &Random) -> Option<(Self, [u8; 32])> {
        // Of all numbers of 256 bits, one in 2^32 is no scalar of P-256: then the dice are thrown again.
        (0..8).find_map(|_| {
            let bytes = random.bytes::<32>();
            Self::new(signing, &bytes).map(|signer| (signer, bytes))
        })
    }

    /// Signs an access token (RFC 9068).
    pub(super) fn sign(
        &self,
        kid: &str,
        claims: &Claims,
        validity: Validity,
    ) -> Result<String, jwt_compact::CreationError> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(flatten)]
            claims: &'a Claims,
            iat: i64,
            exp: i64,
        }
        let body = Body { claims, iat: validity.issued_at, exp: validity.expires_at };
        let claims = jwt_compact::Claims::new(body);
        let header = Header::empty().with_token_type(ACCESS_TOKEN_TYPE).with_key_id(kid);
        match self {
            Self::EdDsa(key) => Ed25519.token(&header, &claims, key),
            Self::Es256(key) => Es256.token(&header, &claims, key),
        }
    }

    /// What an access token says, if this key signed it.
    pub(super) fn verify(&self, token: &UntrustedToken<'_>) -> Option<Verified> {
        if token.header().token_type.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return None;
        }
        let verified = match self {
            Self::EdDsa(key) => {
                Ed25519.validator::<Claims>(&key.to_verifying_key()).validate(token)
            }
            Self::Es256(key) => Es256.validator::<Claims>(&key.to_verifying_key()).validate(token),
        };
        let (_header, claims) = verified.ok()?.into_parts();
        let validity = Validity {
            issued_at: claims.issued_at?.timestamp(),
            expires_at: claims.expiration?.timestamp(),
        };
        Some(Verified { claims: claims.custom, validity })
    }

    /// `alg`.
    const fn algorithm(&self) -> &'static str {
        let signing = match self {
            Self::EdDsa(_) => Signing::EdDsa,
            Self::Es256(_) => Signing::Es256,
        };
        signing.as_str()
    }

    /// What is published of it.
    pub(super) fn public_key(&self) -> Option<PublicKey> {
        let algorithm = self.algorithm();
        match self {
            Self::EdDsa(key) => {
                jwk::describe(&JsonWebKey::from(&key.to_verifying_key()), algorithm)
            }
            Self::Es256(key) => {
                jwk::describe(&JsonWebKey::from(&key.to_verifying_key()), algorithm)
            }
        }
    }
}
