//! What we sign, checked by another library.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey, TokenData, Validation,
    jwk::{Jwk, JwkSet},
};
use serde_json::Value;

use super::{Installation, Ring, Signing, VALIDITY, claims, token};
use crate::testing::RESOURCE;

fn of(signing: Signing) -> Installation {
    Installation::with(|embedded| embedded.signing = signing)
}

fn verify(ring: &Ring, token: &str) -> TokenData<Value> {
    let set: JwkSet = serde_json::from_value(serde_json::to_value(ring.jwks()).unwrap()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwk: &Jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[RESOURCE]);
    validation.set_issuer(&["http://localhost:8080"]);
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap()
}

#[tokio::test]
async fn s24_another_library_verifies_what_we_sign() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let ring = of(signing).ring(1, 0).await;
        let TokenData { header, claims, .. } = verify(&ring, &token(&ring));
        let published = serde_json::to_value(ring.jwks()).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(header.kid.as_deref(), published["keys"][0]["kid"].as_str());
        assert_eq!(claims["aud"], RESOURCE);
        assert_eq!(
            (&claims["iat"], &claims["exp"]),
            (&4_000_000_000_i64.into(), &4_000_003_600_i64.into())
        );
        assert!(claims.get("nbf").is_none() && claims.get("email").is_none());
    }
}

#[tokio::test]
async fn s24_only_what_our_keys_signed_as_access_tokens_is_ours() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let ours = of(signing).ring(1, 0).await;
        let token = token(&ours);
        let verified = ours.verify(&token).unwrap();
        assert_eq!((verified.claims, verified.validity), (claims(), VALIDITY));
        assert!(of(signing).ring(2, 0).await.verify(&token).is_none());

        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, body) = signed.split_once('.').unwrap();
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let swapped = URL_SAFE_NO_PAD.encode(text.replace("someone", "another"));
        for forged in [
            format!("{header}.{swapped}.{signature}"),
            format!("{signed}."),
            format!("{header}.{body}"),
            signature.to_owned(),
            String::new(),
        ] {
            assert!(ours.verify(&forged).is_none(), "{forged}");
        }
    }
}

#[tokio::test]
async fn a_key_outlives_a_restart_and_a_change_of_algorithm_adds_two() {
    let mut installation = of(Signing::EdDsa);
    let first = installation.ring(1, 0).await;
    assert_eq!(installation.ring(2, 0).await.jwks(), first.jwks());
    installation.change(|embedded| embedded.signing = Signing::Es256);
    let both = installation.ring(3, 0).await;
    assert_eq!(both.jwks().keys.len(), 4);
    assert!(both.verify(&token(&first)).is_some() && first.verify(&token(&both)).is_none());
}

#[tokio::test]
async fn only_public_parts_are_published() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let ring = of(signing).ring(1, 0).await;
        let text = serde_json::to_string(ring.jwks()).unwrap();
        assert!(!text.contains("\"d\""), "{text}");
        assert!(!format!("{ring:?}").contains("SigningKey"));
    }
}
