//! What we sign, checked by another library.

use attache_protocol::claims::{Audience, Claims};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, TokenData, Validation, jwk::Jwk};
use serde_json::Value;

use super::{Keys, Validity};
use crate::{
    config::{Authorization, Signing},
    random::Random,
    store::Store,
    testing::{Bench, RESOURCE},
};

async fn bench(signing: Signing) -> Bench {
    Bench::with(|config| {
        let Authorization::Embedded(embedded) = &mut config.authorization;
        embedded.signing = signing;
    })
    .await
}

fn claims() -> Claims {
    Claims {
        iss: "http://localhost:8080".to_owned(),
        sub: "someone".to_owned(),
        aud: Audience::One(RESOURCE.to_owned()),
        client_id: Some("client".to_owned()),
        scope: Some("mcp".to_owned()),
        jti: Some("id".to_owned()),
        grant_id: None,
        email: None,
        groups: Vec::new(),
    }
}

const VALIDITY: Validity = Validity { issued_at: 4_000_000_000, expires_at: 4_000_003_600 };

fn verify(keys: &Keys, token: &str) -> TokenData<Value> {
    let jwk: Jwk =
        serde_json::from_value(serde_json::to_value(keys.jwks().keys.last()).unwrap()).unwrap();
    let algorithm = jsonwebtoken::decode_header(token).unwrap().alg;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[RESOURCE]);
    validation.set_issuer(&["http://localhost:8080"]);
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap()
}

#[tokio::test]
async fn s24_another_library_verifies_what_we_sign() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let bench = bench(signing).await;
        let token = bench.app.keys.sign(&claims(), VALIDITY).unwrap();
        let TokenData { header, claims, .. } = verify(&bench.app.keys, token.reveal());
        let published = serde_json::to_value(bench.app.keys.jwks()).unwrap();
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
async fn a_key_outlives_a_restart_and_a_change_of_algorithm_adds_one() {
    let bench = bench(Signing::EdDsa).await;
    let open =
        async |signing| Keys::open(&bench.app.store, signing, &bench.app.random, 0).await.unwrap();
    assert_eq!(open(Signing::EdDsa).await.jwks().keys, bench.app.keys.jwks().keys);
    let keys = open(Signing::Es256).await;
    assert_eq!(keys.jwks().keys.len(), 2);
    assert_eq!(open(Signing::EdDsa).await.jwks().keys.len(), 2);
}

#[tokio::test]
async fn only_public_parts_are_published() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let bench = bench(signing).await;
        let text = serde_json::to_string(bench.app.keys.jwks()).unwrap();
        assert!(!text.contains("\"d\""), "{text}");
        assert!(!format!("{:?}", bench.app.keys).contains("SigningKey"));
    }
}

#[tokio::test]
async fn s24_only_what_our_keys_signed_as_access_tokens_is_ours() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let ours = bench(signing).await;
        let token = ours.app.keys.sign(&claims(), VALIDITY).unwrap();
        let token = token.reveal();
        let verified = ours.app.keys.verify(token).unwrap();
        assert_eq!((verified.claims, verified.validity), (claims(), VALIDITY));

        let folder = tempfile::tempdir().unwrap();
        let elsewhere = format!("sqlite://{}/other.db", folder.path().display());
        let elsewhere = Store::open(&elsewhere).await.unwrap();
        let theirs = Keys::open(&elsewhere, signing, &Random::seeded(2), 0).await.unwrap();
        assert!(theirs.verify(token).is_none());

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
            assert!(ours.app.keys.verify(&forged).is_none(), "{forged}");
        }
    }
}
