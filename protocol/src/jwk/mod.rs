//! A key set (RFC 7517), and signatures checked with it.
//!
//! The key says which algorithm it is for, by `kty`, `crv` and `alg`; a token can only agree. Symmetric and private
//! keys are never used: whoever can read the set could sign with them. The only file that knows how; what a token
//! must say besides is for whoever asks.

use jwt_compact::{
    Algorithm, AlgorithmExt, UntrustedToken, ValidationError,
    alg::{Ed25519, Es256, Rsa, RsaPublicKey, StrongAlg, StrongKey},
    jwk::JsonWebKey,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::value::RawValue;
use thiserror::Error;

/// Keys that are looked at; the rest of a set is ignored.
const MOST_KEYS: usize = 64;

/// What a signature can be checked with.
const USEFUL: &str = "a public Ed25519, P-256 or RSA (2048, 3072 or 4096 bits) signing key";

/// Why a text is no key set.
#[derive(Debug, Error)]
pub enum Rejected {
    /// Not JSON of the form `{"keys":[…]}`.
    #[error("expected a JSON object with `keys`: {0}")]
    Form(#[from] serde_json::Error),
    /// No key with which a signature could be checked.
    #[error("{}", of_no_use(*.0))]
    Nothing(usize),
}

/// What is wrong with so many keys.
fn of_no_use(keys: usize) -> String {
    let which = match keys {
        0 => return format!("it has no keys, and needs {USEFUL}"),
        1 => "its only key is not",
        _ => "none of its keys is",
    };
    format!("{which} {USEFUL}")
}

/// Keys with which signatures can be checked.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// One of them.
#[derive(Debug)]
pub struct Key {
    kid: Option<String>,
    verifier: Verifier,
}

#[derive(Debug)]
enum Verifier {
    Ed25519(<Ed25519 as Algorithm>::VerifyingKey),
    P256(<Es256 as Algorithm>::VerifyingKey),
    /// With the one algorithm that the key is for, if it says so.
    Rsa(StrongKey<RsaPublicKey>, Option<Rsa>),
}

/// What a set has for a token.
#[derive(Debug)]
pub enum Found<'a> {
    /// This key.
    Key(&'a Key),
    /// None of that name.
    Unknown,
    /// The token names none, and there are several.
    Ambiguous,
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unverified {
    /// The token's algorithm is not the key's.
    Algorithm,
    /// The signature is not of this key over these bytes.
    Signature,
    /// The claims are not those that were expected.
    Claims,
}

/// Header parameters that `jwt-compact` leaves to its users.
#[derive(Clone, Debug, Deserialize)]
pub struct Extensions {
    /// There are parameters that whoever reads the token must understand (RFC 7515 section 4.1.11).
    #[serde(default, rename = "crit", deserialize_with = "present")]
    pub critical: bool,
}

/// Whether a member is there, whatever it says.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|IgnoredAny| true)
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta {
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
}

impl KeySet {
    /// Reads a set; keys that cannot be used are left out, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// When it is no set, or nothing in it can be used.
    pub fn parse(text: &[u8]) -> Result<Self, Rejected> {
        let document: Document<'_> = serde_json::from_slice(text)?;
        let keys: Vec<Key> =
            document.keys.iter().take(MOST_KEYS).filter_map(|raw| Key::parse(raw.get())).collect();
        if keys.is_empty() {
            return Err(Rejected::Nothing(document.keys.len()));
        }
        Ok(Self { keys })
    }

    /// The key that a token names; one that names none gets the only one there is.
    #[must_use]
    pub fn find(&self, kid: Option<&str>) -> Found<'_> {
        match kid {
            Some(kid) => self
                .keys
                .iter()
                .find(|key| key.kid.as_deref() == Some(kid))
                .map_or(Found::Unknown, Found::Key),
            None => match self.keys.as_slice() {
                [only] => Found::Key(only),
                _ => Found::Ambiguous,
            },
        }
    }
}

impl Key {
    fn parse(raw: &str) -> Option<Self> {
        let meta: Meta = serde_json::from_str(raw).ok()?;
        let signs = meta.usage.as_deref().is_none_or(|usage| usage == "sig")
            && meta.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let jwk: JsonWebKey<'_> = serde_json::from_str(raw).ok()?;
        if !signs || jwk.is_signing_key() {
            return None;
        }
        let verifier = Verifier::read(&jwk, meta.alg.as_deref())?;
        Some(Self { kid: meta.kid, verifier })
    }

    /// Checks the signature of a token, and reads its claims.
    ///
    /// # Errors
    /// When the algorithm is not the key's, the signature is wrong, or the claims cannot be read.
    pub fn verify<C: DeserializeOwned, H: Clone>(
        &self,
        token: &UntrustedToken<'_, H>,
    ) -> Result<jwt_compact::Claims<C>, Unverified> {
        let verified = match &self.verifier {
            Verifier::Ed25519(key) if token.algorithm() == "Ed25519" => {
                Ed25519::with_specific_name().validator::<C>(key).validate(token)
            }
            Verifier::Ed25519(key) => Ed25519.validator::<C>(key).validate(token),
            Verifier::P256(key) => Es256.validator::<C>(key).validate(token),
            Verifier::Rsa(key, only) => {
                let asked = token.algorithm().parse::<Rsa>().ok();
                let algorithm = only.or(asked).ok_or(Unverified::Algorithm)?;
                StrongAlg(algorithm).validator::<C>(key).validate(token)
            }
        };
        match verified {
            Ok(token) => Ok(token.into_parts().1),
            Err(ValidationError::AlgorithmMismatch { .. }) => Err(Unverified::Algorithm),
            Err(ValidationError::MalformedClaims(_)) => Err(Unverified::Claims),
            Err(_) => Err(Unverified::Signature),
        }
    }
}

impl Verifier {
    fn read(jwk: &JsonWebKey<'_>, alg: Option<&str>) -> Option<Self> {
        match jwk {
            JsonWebKey::KeyPair { .. } if matches!(alg, None | Some("EdDSA" | "Ed25519")) => {
                <Ed25519 as Algorithm>::VerifyingKey::try_from(jwk).ok().map(Self::Ed25519)
            }
            JsonWebKey::EllipticCurve { .. } if matches!(alg, None | Some("ES256")) => {
                <Es256 as Algorithm>::VerifyingKey::try_from(jwk).ok().map(Self::P256)
            }
            JsonWebKey::Rsa { .. } => {
                let only = match alg {
                    None => None,
                    Some(alg) => Some(alg.parse::<Rsa>().ok()?),
                };
                let key = RsaPublicKey::try_from(jwk).ok()?;
                Some(Self::Rsa(StrongKey::try_from(key).ok()?, only))
            }
            // A symmetric key, a key for another algorithm, or of a kind that is not known yet.
            JsonWebKey::KeyPair { .. }
            | JsonWebKey::EllipticCurve { .. }
            | JsonWebKey::Symmetric { .. }
            | _ => None,
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod wycheproof;
