//! Each kind of token that must not open anything, by name; and those that must.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{LONGEST, Patience, Trust, Verdict};
use crate::{
    config::Gateway,
    refusal::{Refusal, TokenFlaw},
    request::headers::Field,
    testing::{
        NOW, NOW_MS, configuration, configured, gateway, good_claims, good_header, headers, jwk,
        jwks, merge, seed, signed, token, token_with, unsigned,
    },
    vectors,
};

fn trusting(keys: &Value) -> Trust {
    let gateway = gateway(configuration());
    let mut trust = Trust::new(&gateway, seed().mark_key);
    trust.adopt(keys.to_string().as_bytes(), NOW_MS).expect("the keys can be used");
    trust
}

fn decide_at(trust: &mut Trust, authorization: &str, now_ms: u64) -> Verdict {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let field = Field::Once(authorization.as_bytes());
    trust.authorize(endpoint, field, Patience::Over, now_ms)
}

/// The subject that a token stands for, or the refusal.
fn outcome(verdict: Verdict) -> Result<Option<String>, Refusal> {
    match verdict {
        Verdict::Caller(caller) => {
            Ok(caller.identity().map(|identity| identity.claims.sub.clone()))
        }
        Verdict::Refused(refusal) => Err(refusal),
        Verdict::Undecided => panic!("nobody waits here"),
    }
}

fn judge(keys: &Value, token: &str) -> Result<Option<String>, Refusal> {
    outcome(decide_at(&mut trusting(keys), &format!("Bearer {token}"), NOW_MS))
}

fn is_good(token: &str) {
    assert_eq!(judge(&jwks(&["k1", "k2"]), token), Ok(Some("alice".to_owned())));
}

fn is_flawed(token: &str, flaw: TokenFlaw) {
    assert_eq!(judge(&jwks(&["k1", "k2"]), token), Err(Refusal::InvalidToken(flaw)));
}

fn with_header(header: Value) -> String {
    let mut all = good_header();
    merge(&mut all, header);
    signed(&all, &good_claims(), "k1")
}

#[test]
fn a_good_token_names_its_subject() {
    is_good(&token());
    is_good(&with_header(json!({"typ": "AT+JWT"})));
    is_good(&with_header(json!({"typ": "application/at+jwt"})));
    is_good(&with_header(json!({"typ": "Application/AT+jwt"})));
    is_good(&with_header(json!({"alg": "Ed25519"})));
    is_good(&token_with(json!({"aud": ["https://other.example", "https://gateway.example/mcp"]})));
}

#[test]
fn the_scheme_is_case_insensitive() {
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let verdict =
            decide_at(&mut trusting(&jwks(&["k1"])), &format!("{scheme} {}", token()), NOW_MS);
        assert_eq!(outcome(verdict), Ok(Some("alice".to_owned())));
    }
}

#[test]
fn a_token_without_algorithm_is_refused() {
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": none, "typ": "at+jwt", "kid": "k1"});
        is_flawed(&format!("{}.", unsigned(&header, &good_claims())), TokenFlaw::Algorithm);
        is_flawed(&with_header(json!({"alg": none})), TokenFlaw::Algorithm);
    }
}

#[test]
fn a_token_that_uses_the_public_key_as_a_secret_is_refused() {
    for symmetric in ["HS256", "HS384", "HS512"] {
        is_flawed(&with_header(json!({"alg": symmetric})), TokenFlaw::Algorithm);
    }
}

#[test]
fn a_token_cannot_choose_another_algorithm_than_its_key_s() {
    for other in ["RS256", "ES256", "PS256", "eddsa", "", "EdDSA "] {
        is_flawed(&with_header(json!({"alg": other})), TokenFlaw::Algorithm);
    }
    let mut only = json!({"kty": "RSA", "kid": "rsa", "alg": "RS256", "e": "AQAB"});
    only["n"] = vectors::RSA_N.into();
    let keys = json!({"keys": [only]});
    assert_eq!(judge(&keys, vectors::RS256), Ok(Some("alice".to_owned())));
    for other in [vectors::RS384, vectors::PS256] {
        let refused = Err(Refusal::InvalidToken(TokenFlaw::Algorithm));
        assert_eq!(judge(&keys, other), refused);
    }
}

#[test]
fn tokens_of_every_supported_algorithm_made_elsewhere_are_good() {
    let p256: Value = serde_json::from_str(vectors::P256).expect("a key is JSON");
    let rsa = json!({"kty": "RSA", "kid": "rsa", "n": vectors::RSA_N, "e": "AQAB"});
    let keys = json!({"keys": [rsa, p256]});
    for token in [
        vectors::RS256,
        vectors::RS384,
        vectors::RS512,
        vectors::PS256,
        vectors::PS384,
        vectors::PS512,
        vectors::ES256,
    ] {
        assert_eq!(judge(&keys, token), Ok(Some("alice".to_owned())), "{token}");
        let mut forged = token.to_owned();
        let last = if forged.pop() == Some('A') { 'Q' } else { 'A' };
        forged.push(last);
        let refused = judge(&keys, &forged);
        assert!(refused.is_err(), "{forged}");
    }
}

#[test]
fn a_token_with_critical_extensions_is_refused() {
    is_flawed(&with_header(json!({"crit": ["exp"]})), TokenFlaw::Critical);
    is_flawed(&with_header(json!({"crit": []})), TokenFlaw::Critical);
    let text = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1","crit":null}"#;
    let header: Value = serde_json::from_str(text).expect("JSON");
    is_flawed(&signed(&header, &good_claims(), "k1"), TokenFlaw::Critical);
}

#[test]
fn an_id_token_is_no_access_token() {
    is_flawed(&with_header(json!({"typ": "JWT"})), TokenFlaw::Type);
    is_flawed(&with_header(json!({"typ": null})), TokenFlaw::Type);
    is_flawed(&with_header(json!({"typ": "application/jwt"})), TokenFlaw::Type);
    is_flawed(&with_header(json!({"typ": "at+jwt+x"})), TokenFlaw::Type);
}

#[test]
fn a_tampered_token_is_refused() {
    let good = token();
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("3 parts") };
    let mut claims = good_claims();
    claims["sub"] = "mallory".into();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    is_flawed(&format!("{header}.{claims}.{signature}"), TokenFlaw::Signature);
    is_flawed(&format!("{header}.{claims}.AAAA"), TokenFlaw::Signature);
    is_flawed(&format!("{header}.{claims}."), TokenFlaw::Signature);
}

#[test]
fn a_token_signed_with_a_foreign_key_is_refused() {
    is_flawed(&signed(&good_header(), &good_claims(), "mallory"), TokenFlaw::Signature);
}

#[test]
fn a_token_of_an_unknown_key_is_refused() {
    is_flawed(&with_header(json!({"kid": "k9"})), TokenFlaw::UnknownKey);
    is_flawed(&with_header(json!({"kid": "K1"})), TokenFlaw::UnknownKey);
    is_flawed(&with_header(json!({"kid": ""})), TokenFlaw::UnknownKey);
}

#[test]
fn a_token_that_names_no_key_needs_a_set_of_one() {
    let nameless = with_header(json!({"kid": null}));
    is_flawed(&nameless, TokenFlaw::MissingKeyId);
    assert_eq!(judge(&jwks(&["k1"]), &nameless), Ok(Some("alice".to_owned())));
}

#[test]
fn a_token_that_brings_its_own_key_is_checked_with_ours() {
    let brought = json!({
        "jwk": jwk("mallory"), "jku": "https://evil.example/jwks", "x5u": "https://evil.example",
    });
    let mut header = good_header();
    merge(&mut header, brought);
    is_flawed(&signed(&header, &good_claims(), "mallory"), TokenFlaw::Signature);
}

#[test]
fn a_token_of_another_issuer_is_refused() {
    for issuer in ["https://gateway.example/", "https://Gateway.example", "https://evil.example"] {
        is_flawed(&token_with(json!({"iss": issuer})), TokenFlaw::Issuer);
    }
}

#[test]
fn a_token_for_another_resource_is_refused() {
    for audience in [
        json!("https://gateway.example/other"),
        json!("https://gateway.example/mcp/"),
        json!("https://gateway.example"),
        json!("mcp"),
        json!([]),
        json!(["https://gateway.example/mcp "]),
    ] {
        is_flawed(&token_with(json!({"aud": audience})), TokenFlaw::Audience);
    }
}

#[test]
fn a_token_must_end_and_must_not_have_ended() {
    is_flawed(&token_with(json!({"exp": null})), TokenFlaw::NoExpiry);
    is_flawed(&token_with(json!({"exp": NOW - 60})), TokenFlaw::Expired);
    is_flawed(&token_with(json!({"exp": 0})), TokenFlaw::Expired);
    is_flawed(&token_with(json!({"exp": -1})), TokenFlaw::Expired);
    is_good(&token_with(json!({"exp": NOW - 59})));
}

#[test]
fn a_token_that_begins_later_is_refused() {
    is_flawed(&token_with(json!({"nbf": NOW + 61})), TokenFlaw::NotYetValid);
    is_flawed(&token_with(json!({"iat": NOW + 61})), TokenFlaw::NotYetValid);
    is_good(&token_with(json!({"nbf": NOW + 60, "iat": NOW + 60})));
    is_good(&token_with(json!({"iat": null})));
}

#[test]
fn claims_of_the_wrong_type_are_refused() {
    for claims in [
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"aud": null}),
        json!({"aud": 7}),
        json!({"iss": null}),
        json!({"exp": "tomorrow"}),
        json!({"exp": u64::MAX}),
        json!({"scope": ["mcp"]}),
    ] {
        is_flawed(&token_with(claims), TokenFlaw::Claims);
    }
    is_flawed(&token_with(json!({"nbf": i64::MAX})), TokenFlaw::Claims);
}

#[test]
fn scopes_are_compared_whole() {
    for scope in [json!("mcpx"), json!(""), json!(null), json!("MCP"), json!("openid,mcp")] {
        let token = token_with(json!({"scope": scope}));
        assert_eq!(judge(&jwks(&["k1"]), &token), Err(Refusal::InsufficientScope), "{scope}");
    }
    is_good(&token_with(json!({"scope": "mcp"})));
}

#[test]
fn text_that_is_no_token_is_refused() {
    let parts = [".", "..", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "abc"];
    for text in parts {
        is_flawed(text, TokenFlaw::Malformed);
    }
    is_flawed(&"a".repeat(LONGEST + 1), TokenFlaw::TooLong);
    let deep = URL_SAFE_NO_PAD.encode("[".repeat(8000));
    is_flawed(&format!("{deep}.e30.e30"), TokenFlaw::Malformed);
}

#[test]
fn a_header_that_is_no_bearer_token_is_refused() {
    let mut trust = trusting(&jwks(&["k1"]));
    let flawed = Err(Refusal::InvalidToken(TokenFlaw::Malformed));
    for header in ["Bearer", "Bearer ", "Bearer a b", "bearer \"x\"", "Bearer a,Bearer b"] {
        assert_eq!(outcome(decide_at(&mut trust, header, NOW_MS)), flawed, "{header}");
    }
    for header in ["Basic YTpi", "", "DPoP x", "Bearerx"] {
        let missing = Err(Refusal::MissingToken);
        assert_eq!(outcome(decide_at(&mut trust, header, NOW_MS)), missing, "{header}");
    }
}

fn gateway_with(authentication: &str) -> std::rc::Rc<Gateway> {
    gateway(configured("/endpoints/0/authentication", json!(authentication)))
}

fn decide_as(authentication: &str, field: Field<'_>) -> Result<Option<String>, Refusal> {
    let gateway = gateway_with(authentication);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    outcome(trusting(&jwks(&["k1"])).authorize(endpoint, field, Patience::Over, NOW_MS))
}

#[test]
fn who_needs_a_token_is_configured() {
    let good = format!("Bearer {}", token());
    let bad = Field::Once(b"Bearer x.y.z");
    assert_eq!(decide_as("required", Field::Absent), Err(Refusal::MissingToken));
    assert_eq!(decide_as("optional", Field::Absent), Ok(None));
    assert_eq!(decide_as("none", Field::Absent), Ok(None));
    assert!(decide_as("required", bad).is_err());
    assert!(decide_as("optional", bad).is_err());
    assert_eq!(decide_as("none", bad), Ok(None));
    let good = Field::Once(good.as_bytes());
    assert_eq!(decide_as("optional", good), Ok(Some("alice".to_owned())));
    assert_eq!(decide_as("none", good), Ok(None), "nobody looked at it");
    assert!(decide_as("required", Field::Several).is_err());
    assert!(decide_as("optional", Field::Several).is_err());
}

#[test]
fn a_remembered_token_still_expires() {
    let mut trust = trusting(&jwks(&["k1"]));
    let bearer = format!("Bearer {}", token());
    assert!(outcome(decide_at(&mut trust, &bearer, NOW_MS)).is_ok());
    let end = NOW_MS + 3600 * 1000;
    assert!(outcome(decide_at(&mut trust, &bearer, end + 59_000)).is_ok());
    let expired = Err(Refusal::InvalidToken(TokenFlaw::Expired));
    assert_eq!(outcome(decide_at(&mut trust, &bearer, end + 60_000)), expired);
}

#[test]
fn a_remembered_token_outlives_the_keys_but_not_their_replacement() {
    let mut trust = trusting(&jwks(&["k1"]));
    let bearer = format!("Bearer {}", token_with(json!({"exp": NOW + 100_000})));
    assert!(outcome(decide_at(&mut trust, &bearer, NOW_MS)).is_ok());
    let stale = NOW_MS + 4_000_000;
    assert!(outcome(decide_at(&mut trust, &bearer, stale)).is_ok(), "the issuer is down");
    let other = Err(Refusal::NoKeys);
    let unseen = format!("Bearer {}", token_with(json!({"exp": NOW + 100_001})));
    assert_eq!(outcome(decide_at(&mut trust, &unseen, stale)), other);
    let keys = jwks(&["k2"]).to_string();
    trust.adopt(keys.as_bytes(), stale).expect("the keys can be used");
    let unknown = Err(Refusal::InvalidToken(TokenFlaw::UnknownKey));
    assert_eq!(outcome(decide_at(&mut trust, &bearer, stale)), unknown, "its key was revoked");
}

#[test]
fn a_token_before_the_first_keys_waits_and_then_fails() {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut trust = Trust::new(&gateway, seed().mark_key);
    let bearer = format!("Bearer {}", token());
    let field = Field::Once(bearer.as_bytes());
    let waits = trust.authorize(endpoint, field, Patience::Waits(None), NOW_MS);
    assert!(matches!(waits, Verdict::Undecided));
    let over = trust.authorize(endpoint, field, Patience::Over, NOW_MS);
    assert_eq!(outcome(over), Err(Refusal::NoKeys));
    let flawed = Field::Once(b"Bearer nonsense");
    let at_once = trust.authorize(endpoint, flawed, Patience::Waits(None), NOW_MS);
    assert_eq!(outcome(at_once), Err(Refusal::InvalidToken(TokenFlaw::Malformed)));
}

#[test]
fn an_unknown_key_waits_for_one_refresh_only() {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut trust = trusting(&jwks(&["k1"]));
    let bearer = format!(
        "Bearer {}",
        signed(&json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k2"}), &good_claims(), "k2")
    );
    let field = Field::Once(bearer.as_bytes());
    let unknown = Err(Refusal::InvalidToken(TokenFlaw::UnknownKey));
    let soon = trust.authorize(endpoint, field, Patience::Waits(None), NOW_MS + 1000);
    assert_eq!(outcome(soon), unknown, "the keys were fetched a moment ago");
    let later = NOW_MS + 31_000;
    let waits = trust.authorize(endpoint, field, Patience::Waits(None), later);
    assert!(matches!(waits, Verdict::Undecided));
    assert!(trust.keys.is_due(later));
    let keys = jwks(&["k1", "k2"]).to_string();
    trust.adopt(keys.as_bytes(), later).expect("the keys can be used");
    let good = trust.authorize(endpoint, field, Patience::Waits(None), later);
    assert_eq!(outcome(good), Ok(Some("alice".to_owned())));
}

fn foreign(authentication: &str, caller_token: &str, schemes: &[&str]) -> Value {
    let mut configuration = configuration();
    let endpoint = &mut configuration["endpoints"][0];
    endpoint["authentication"] = json!(authentication);
    endpoint["caller_token"] = json!(caller_token);
    endpoint["foreign"] = json!({"schemes": schemes, "challenges": "ours"});
    configuration
}

/// What is decided, and whether the server gets the header.
fn judge_foreign(configuration: Value, value: &str) -> (Result<Option<String>, Refusal>, bool) {
    let gateway = gateway(configuration);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut trust = trusting(&jwks(&["k1"]));
    let field = Field::Once(value.as_bytes());
    let verdict = outcome(trust.authorize(endpoint, field, Patience::Over, NOW_MS));
    (verdict, !trust.withholds(endpoint, &headers(&[("authorization", value)])))
}

#[test]
fn a_server_checks_the_schemes_that_are_listed_for_it_and_no_others() {
    let listed = ["AccessToken", "basic"];
    for authentication in ["required", "optional"] {
        let judge = |value: &str| judge_foreign(foreign(authentication, "removed", &listed), value);
        for value in ["AccessToken x", "accesstoken  x", "BASIC YTpi", "Basic"] {
            assert_eq!(judge(value), (Ok(None), true), "{value}");
        }
        for value in ["DPoP x", "AccessTokenx", "Access Token x", ""] {
            assert_eq!(judge(value), (Err(Refusal::MissingToken), false), "{value}");
        }
        let bearer = format!("Bearer {}", token());
        assert_eq!(judge(&bearer), (Ok(Some("alice".to_owned())), false), "ours stays here");
        let malformed = Err(Refusal::InvalidToken(TokenFlaw::Malformed));
        assert_eq!(judge("Bearer x"), (malformed, false));
    }
    let none = foreign("required", "removed", &listed);
    let gateway = gateway(none);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut trust = trusting(&jwks(&["k1"]));
    for field in [Field::Absent, Field::Several] {
        assert!(outcome(trust.authorize(endpoint, field, Patience::Over, NOW_MS)).is_err());
    }
}

#[test]
fn a_token_of_ours_does_not_get_in_in_the_clothes_of_another_scheme() {
    let expired = token_with(json!({"exp": 0}));
    let personal = attache_protocol::personal_token::write(&[7; 32]);
    for ours in [&token(), &expired, personal.reveal()] {
        for value in [
            format!("AccessToken {ours}"),
            format!("AccessToken {ours},"),
            format!("AccessToken token=\"{ours}\""),
            format!("AccessToken x, token={ours}; y=z"),
            format!("AccessToken x.{ours}"),
            format!("Basic {}", STANDARD.encode(format!("x:{ours}"))),
            format!("basic  {}", STANDARD_NO_PAD.encode(format!("{ours}:"))),
        ] {
            let schemes = ["AccessToken", "Basic", "Bearer"];
            let judged = judge_foreign(foreign("required", "removed", &schemes[..2]), &value);
            assert_eq!(judged, (Err(Refusal::MissingToken), false), "{value}");
            let judged = judge_foreign(foreign("none", "removed", &schemes), &value);
            assert_eq!(judged, (Ok(None), false), "{value}");
        }
    }
}

#[test]
fn a_server_with_oauth_of_its_own_gets_its_own_bearers() {
    let judge = |value: &str| judge_foreign(foreign("none", "removed", &["Bearer"]), value);
    let theirs = token_with(json!({"iss": "https://id.example.com"}));
    assert_eq!(judge(&format!("Bearer {theirs}")), (Ok(None), true));
    assert_eq!(judge("Bearer opaque"), (Ok(None), true));
    assert_eq!(judge(&format!("Bearer {}", token())), (Ok(None), false));
    assert_eq!(judge("Basic YTpi"), (Ok(None), false), "not listed");
}

#[test]
fn a_server_that_is_the_audience_gets_our_bearers_beside_its_own_schemes() {
    let judge = |value: &str| judge_foreign(foreign("optional", "forwarded", &["Basic"]), value);
    let ours = format!("Bearer {}", token());
    assert_eq!(judge(&ours), (Ok(Some("alice".to_owned())), true));
    assert_eq!(judge("Basic YTpi"), (Ok(None), true));
    assert_eq!(judge("DPoP x"), (Err(Refusal::MissingToken), false));
}
