//! Each reason for which an ID token is refused, by its name.

use attache_protocol::{jwk::KeySet, secret::Secret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use jwt_compact::Header;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::with;
use crate::{
    config::{Issuer, Targets, Tenants},
    testing::provider::{CLIENT_ID, jwk, private_key, signed},
    upstream::{
        id_token::{Expected, Refused, Verified, verify},
        issuer::Issuers,
    },
};

const ISSUER: &str = "https://login.example.com";
const NOW: i64 = 1_790_000_000;
const NONCE: &str = "nonce-of-the-request";
const ACCESS_TOKEN: &str = "access-token";

fn keys() -> KeySet {
    KeySet::parse(json!({ "keys": [jwk("one", 1), jwk("two", 2)] }).to_string().as_bytes()).unwrap()
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "somebody", "aud": CLIENT_ID, "nonce": NONCE, "iat": NOW, "exp": NOW + 300,
        "email": "a@example.com",
    })
}

fn check(token: String) -> Result<Verified, Refused> {
    let access_token = Secret::new(ACCESS_TOKEN.to_owned());
    let expected = Expected {
        client_id: CLIENT_ID,
        nonce: NONCE,
        hosted_domain: None,
        access_token: Some(&access_token),
    };
    look(token, expected)
}

fn look(token: String, expected: Expected<'_>) -> Result<Verified, Refused> {
    let issuer = Issuer::parse(ISSUER, Targets::Public).unwrap();
    let issuers = Issuers::new(&issuer, &Tenants::Single);
    verify(&Secret::new(token), &keys(), &issuers, expected, NOW)
}

fn one() -> Header {
    Header::empty().with_key_id("one")
}

/// What comes of a token whose claims are changed.
fn changed(changes: &Value) -> Option<Refused> {
    check(signed(&one(), 1, &with(good(), changes))).err()
}

/// A token with this header and these claims, and that signature.
fn raw(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn s47_a_good_id_token_says_who_it_is() {
    let verified = check(signed(&one(), 1, &good())).unwrap();
    assert_eq!((verified.issuer.as_str(), verified.subject.as_str()), (ISSUER, "somebody"));
    assert_eq!(verified.claims["email"], "a@example.com");
    let typed = one().with_token_type("JWT");
    assert!(check(signed(&typed, 1, &good())).is_ok());
}

#[test]
fn s47_an_id_token_is_signed_with_a_key_of_the_provider() {
    assert_eq!(check("x".to_owned()).err(), Some(Refused::Form));
    assert_eq!(check(signed(&one(), 2, &good())).err(), Some(Refused::Signature));
    let three = Header::empty().with_key_id("three");
    assert_eq!(check(signed(&three, 1, &good())).err(), Some(Refused::UnknownKey));
    assert_eq!(check(signed(&Header::empty(), 1, &good())).err(), Some(Refused::NoKey));
}

#[test]
fn s47_an_id_token_without_algorithm_or_with_the_public_key_as_a_secret_is_refused() {
    let none = raw(&json!({ "alg": "none", "kid": "one" }), &good(), |_| Vec::new());
    assert!(matches!(check(none).err(), Some(Refused::Algorithm | Refused::Form)));
    let public = private_key(1).verifying_key();
    let public = public.as_bytes();
    let hmac = raw(&json!({ "alg": "HS256", "kid": "one" }), &good(), |bytes| {
        let mut mac = Hmac::<Sha256>::new_from_slice(public).unwrap();
        mac.update(bytes);
        mac.finalize().into_bytes().to_vec()
    });
    assert_eq!(check(hmac).err(), Some(Refused::Algorithm));
    let other = raw(&json!({ "alg": "RS256", "kid": "one" }), &good(), |_| vec![0; 256]);
    assert_eq!(check(other).err(), Some(Refused::Algorithm));
}

#[test]
fn s47_an_id_token_with_critical_extensions_or_of_another_kind_is_refused() {
    let critical = json!({ "alg": "EdDSA", "kid": "one", "crit": ["b64"], "b64": true });
    assert_eq!(check(raw(&critical, &good(), |_| vec![0; 64])).err(), Some(Refused::Critical));
    for typ in ["at+jwt", "logout+jwt"] {
        let header = one().with_token_type(typ);
        assert_eq!(check(signed(&header, 1, &good())).err(), Some(Refused::Type));
    }
}

#[test]
fn s47_an_id_token_is_of_the_issuer_byte_for_byte() {
    for issuer in ["https://login.example.com/", "https://login.example.org", ""] {
        assert_eq!(changed(&json!({ "iss": issuer })), Some(Refused::Issuer), "{issuer}");
    }
}

#[test]
fn s47_an_id_token_is_for_us() {
    for (audience, azp, refused) in [
        (json!(CLIENT_ID), json!(null), None),
        (json!([CLIENT_ID]), json!(null), None),
        (json!([CLIENT_ID, "other"]), json!(CLIENT_ID), None),
        (json!(CLIENT_ID), json!(CLIENT_ID), None),
        (json!("other"), json!(null), Some(Refused::Audience)),
        (json!([]), json!(null), Some(Refused::Audience)),
        (json!(["other"]), json!(CLIENT_ID), Some(Refused::Audience)),
        (json!([CLIENT_ID, "other"]), json!(null), Some(Refused::AuthorizedParty)),
        (json!([CLIENT_ID, "other"]), json!("other"), Some(Refused::AuthorizedParty)),
        (json!(CLIENT_ID), json!("other"), Some(Refused::AuthorizedParty)),
    ] {
        assert_eq!(changed(&json!({ "aud": audience, "azp": azp })), refused, "{audience} {azp}");
    }
}

#[test]
fn s47_an_id_token_is_good_now_within_60_seconds() {
    for (changes, refused) in [
        (json!({ "exp": NOW - 59 }), None),
        (json!({ "exp": NOW - 60 }), Some(Refused::Expired)),
        (json!({ "iat": NOW + 60 }), None),
        (json!({ "iat": NOW + 61 }), Some(Refused::Future)),
        (json!({ "nbf": NOW + 60 }), None),
        (json!({ "nbf": NOW + 61 }), Some(Refused::Future)),
        (json!({ "exp": null }), Some(Refused::Claims)),
        (json!({ "iat": null }), Some(Refused::Claims)),
    ] {
        assert_eq!(changed(&changes), refused, "{changes}");
    }
}

#[test]
fn s47_an_id_token_is_of_this_request() {
    for nonce in [json!("another"), json!(""), json!(null)] {
        assert_eq!(changed(&json!({ "nonce": nonce })), Some(Refused::Nonce), "{nonce}");
    }
}

#[test]
fn s47_an_id_token_is_of_the_access_token_that_it_comes_with() {
    let half = |digest: &[u8]| URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2]);
    let right = half(&Sha512::digest(ACCESS_TOKEN));
    assert_eq!(changed(&json!({ "at_hash": right })), None);
    let of_another_algorithm = half(&Sha256::digest(ACCESS_TOKEN));
    let of_another_token = half(&Sha512::digest("another"));
    for wrong in [of_another_algorithm, of_another_token, String::new()] {
        assert_eq!(changed(&json!({ "at_hash": wrong })), Some(Refused::AccessToken), "{wrong}");
    }
}

#[test]
fn s47_an_id_token_names_somebody() {
    for subject in ["", "a\nb", &"x".repeat(256)] {
        assert_eq!(changed(&json!({ "sub": subject })), Some(Refused::Subject), "{subject:?}");
    }
    assert_eq!(changed(&json!({ "sub": null })), Some(Refused::Claims));
}

#[test]
fn s47_an_account_of_google_is_of_the_hosted_domain() {
    let wanted = Expected {
        client_id: CLIENT_ID,
        nonce: NONCE,
        hosted_domain: Some("example.com"),
        access_token: None,
    };
    for (domain, good_one) in [
        (json!("example.com"), true),
        (json!("Example.com"), true),
        (json!("example.com.evil.example"), false),
        (json!(""), false),
        (json!(null), false),
    ] {
        let token = signed(&one(), 1, &with(good(), &json!({ "hd": domain })));
        let refused = look(token, wanted).err();
        assert_eq!(refused, (!good_one).then_some(Refused::HostedDomain), "{domain}");
    }
}
