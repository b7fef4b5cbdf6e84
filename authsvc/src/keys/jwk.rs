//! The public part of a key, as it is published.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::jwk::JsonWebKey;
use serde::Serialize;
use sha2::Sha256;

/// RFC 7517 section 5, public parts only.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
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
    /// RFC 7638 thumbprint.
    pub kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
}

/// Describes a key of one of our two kinds.
pub(super) fn describe(jwk: &JsonWebKey<'_>, alg: &'static str) -> Option<PublicKey> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (kty, crv, x, y) = match jwk {
        JsonWebKey::KeyPair { x, .. } => ("OKP", "Ed25519", encode(x), None),
        JsonWebKey::EllipticCurve { x, y, .. } => ("EC", "P-256", encode(x), Some(encode(y))),
        JsonWebKey::Rsa { .. } | JsonWebKey::Symmetric { .. } | _ => return None,
    };
    let kid = encode(&jwk.thumbprint::<Sha256>());
    Some(PublicKey { kty, crv, x, y, kid, alg, usage: "sig" })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jwt_compact::jwk::JsonWebKey;

    use super::describe;

    #[test]
    fn a_kid_is_the_thumbprint_of_rfc_7638() {
        // RFC 8037 appendix A.3.
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let jwk = JsonWebKey::KeyPair { curve: "Ed25519".into(), x: x.into(), secret: None };
        let key = describe(&jwk, "EdDSA").unwrap();
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
