//! Tokens of a provider: what is different from ours, and that nothing else is.

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Patience, Trust, Verdict};
use crate::{
    refusal::{Refusal, TokenFlaw},
    request::headers::Field,
    testing::{
        NOW_MS, configuration, endpoint, gateway, good_claims, good_header, headers, jwks, merge,
        seed, signed,
    },
};

const ISSUER: &str = "https://idp.example.com/realms/mcp";

/// What comes of a token with these members of header and claims replaced, where `foreign` is configured.
fn judge(foreign: &Value, header: Value, claims: Value) -> Result<String, Refusal> {
    let (mut all, mut said) = (good_header(), good_claims());
    merge(&mut all, header);
    merge(&mut said, json!({ "iss": ISSUER }));
    merge(&mut said, claims);
    present(foreign, &signed(&all, &said, "k1"))
}

fn present(foreign: &Value, token: &str) -> Result<String, Refusal> {
    let mut configuration = configuration();
    configuration["issuer"] = ISSUER.into();
    let mut tokens = json!({
        "audiences": [], "scope_map": {}, "id_tokens": "refused",
        "claims": {"groups": "groups", "email": "email", "scope": ["scope", "scp"]},
    });
    merge(&mut tokens, foreign.clone());
    configuration["tokens"] = json!({ "foreign": tokens });
    let gateway = gateway(configuration);
    let mut trust = Trust::new(&gateway, seed().mark_key);
    trust.adopt(jwks(&["k1"]).to_string().as_bytes(), NOW_MS).expect("the keys can be used");
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let bearer = format!("Bearer {token}");
    let field = Field::Once(bearer.as_bytes());
    match trust.authorize(endpoint, field, Patience::Over, NOW_MS) {
        Verdict::Caller(caller) => {
            let claims = &caller.identity().expect("somebody").claims;
            let email = claims.email.clone().unwrap_or_default();
            Ok(format!("{} {email} {}", claims.sub, claims.groups.join(",")))
        }
        Verdict::Refused(refusal) => Err(refusal),
        Verdict::Undecided => panic!("nobody waits here"),
    }
}

fn flawed(flaw: TokenFlaw) -> Result<String, Refusal> {
    Err(Refusal::InvalidToken(flaw))
}

#[test]
fn a_token_of_the_provider_may_call_itself_jwt_or_nothing() {
    let typs =
        [json!("JWT"), json!("jwt"), json!("at+jwt"), json!("application/at+jwt"), Value::Null];
    for typ in typs {
        let outcome = judge(&json!({}), json!({ "typ": typ }), json!({}));
        assert_eq!(outcome.as_deref(), Ok("alice alice@example.com "), "{typ}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "", "JWTs"] {
        let outcome = judge(&json!({}), json!({ "typ": typ }), json!({}));
        assert_eq!(outcome, flawed(TokenFlaw::Type), "{typ}");
    }
}

#[test]
fn s24_an_id_token_is_no_access_token() {
    let marks = [json!({"at_hash": "x"}), json!({"typ": "ID"}), json!({"token_use": "id"})];
    for mark in marks {
        let outcome = judge(&json!({}), json!({"typ": "JWT"}), mark.clone());
        assert_eq!(outcome, flawed(TokenFlaw::Type), "{mark}");
        // Where both look alike, only the audience tells.
        let alike = json!({"id_tokens": "alike"});
        assert!(judge(&alike, json!({"typ": "JWT"}), mark).is_ok());
        let other = judge(&alike, json!({"typ": "JWT"}), json!({"aud": "client"}));
        assert_eq!(other, flawed(TokenFlaw::Audience));
    }
}

#[test]
fn another_issuer_with_the_same_keys_is_another_issuer() {
    for issuer in ["https://gateway.example", "https://idp.example.com/realms/mcp/", ""] {
        let outcome = judge(&json!({}), json!({}), json!({ "iss": issuer }));
        assert_eq!(outcome, flawed(TokenFlaw::Issuer), "{issuer}");
    }
}

#[test]
fn the_audience_is_the_resource_or_what_is_configured() {
    let fixed = json!({"audiences": ["api://attache", "attache"]});
    for (foreign, audience, good) in [
        (&json!({}), json!("https://gateway.example/mcp"), true),
        (&json!({}), json!(["account", "https://gateway.example/mcp"]), true),
        (&json!({}), json!("https://gateway.example/other"), false),
        (&json!({}), json!([]), false),
        (&fixed, json!("api://attache"), true),
        (&fixed, json!(["account", "attache"]), true),
        (&fixed, json!("https://gateway.example/mcp"), false),
        (&fixed, json!("api://attache/mcp"), false),
    ] {
        let outcome = judge(foreign, json!({}), json!({ "aud": audience }));
        let expected = if good { Ok(()) } else { flawed(TokenFlaw::Audience).map(drop) };
        assert_eq!(outcome.map(drop), expected, "{foreign} {audience}");
    }
}

#[test]
fn scopes_are_where_the_provider_says_them() {
    let entra = json!({"scope_map": {"mcp": "api://attache/mcp"}});
    let silent = json!({"claims": {"groups": "groups", "email": "email", "scope": []}});
    for (foreign, claims, good) in [
        (&json!({}), json!({"scope": null, "scp": "mcp"}), true),
        (&json!({}), json!({"scope": null, "scp": ["openid", "mcp"]}), true),
        (&json!({}), json!({"scope": null}), false),
        (&json!({}), json!({"scope": "openid", "scp": "mcp"}), false),
        (&entra, json!({"scope": "api://attache/mcp"}), true),
        (&entra, json!({"scope": "api://attache"}), false),
        (&silent, json!({"scope": null}), true),
    ] {
        let outcome = judge(foreign, json!({}), claims.clone()).map(drop);
        let expected = if good { Ok(()) } else { Err(Refusal::InsufficientScope) };
        assert_eq!(outcome, expected, "{foreign} {claims}");
    }
}

#[test]
fn address_and_groups_are_where_the_provider_has_them() {
    let names =
        json!({"claims": {"groups": "realm_access.roles", "email": "upn", "scope": ["scope"]}});
    let said = json!({"upn": "a@example.com", "realm_access": {"roles": ["x", "y"]}});
    assert_eq!(judge(&names, json!({}), said).as_deref(), Ok("alice a@example.com x,y"));
    let unverified = judge(&json!({}), json!({}), json!({"email_verified": false}));
    assert_eq!(unverified.as_deref(), Ok("alice  "));
}

#[test]
fn what_is_refused_of_ours_is_refused_of_theirs() {
    let none = json!({});
    let cases = [
        (json!({"crit": ["exp"]}), json!({}), TokenFlaw::Critical),
        (json!({"alg": "none"}), json!({}), TokenFlaw::Algorithm),
        (json!({"alg": "HS256"}), json!({}), TokenFlaw::Algorithm),
        (json!({"kid": "k9"}), json!({}), TokenFlaw::UnknownKey),
        (json!({}), json!({"exp": 1}), TokenFlaw::Expired),
        (json!({}), json!({"exp": null}), TokenFlaw::NoExpiry),
        (json!({}), json!({"nbf": 9_999_999_999_i64}), TokenFlaw::NotYetValid),
        (json!({}), json!({"sub": null}), TokenFlaw::Claims),
        (json!({}), json!({"aud": null}), TokenFlaw::Claims),
    ];
    for (header, claims, flaw) in cases {
        let outcome = judge(&none, header.clone(), claims.clone());
        assert_eq!(outcome, flawed(flaw), "{header} {claims}");
    }
    assert_eq!(present(&none, "opaque"), flawed(TokenFlaw::Malformed));
}

/// A gateway where the provider's opaque tokens are asked about.
fn asking() -> Trust {
    let mut configuration = configuration();
    configuration["issuer"] = ISSUER.into();
    configuration["introspection"] = json!({
        "target": {"cluster": "a", "authority": "a", "path": "/internal/introspect", "timeout_ms": 2000},
        "secret": "s".repeat(32), "tokens": "any", "good_seconds": 30, "bad_seconds": 10,
    });
    let mut trust = Trust::new(&gateway(configuration), seed().mark_key);
    trust.adopt(jwks(&["k1"]).to_string().as_bytes(), NOW_MS).expect("the keys can be used");
    trust
}

#[test]
fn what_is_no_jwt_is_asked_about_where_that_is_configured() {
    let gateway = gateway(configuration());
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let mut trust = asking();
    for opaque in ["Zk3-opaque_token", "attache_pat_x", "a.b", "a.b.c.d.e"] {
        let bearer = format!("Bearer {opaque}");
        let field = Field::Once(bearer.as_bytes());
        let verdict = trust.authorize(endpoint, field, Patience::Waits(None), NOW_MS);
        assert!(matches!(verdict, Verdict::Undecided), "{opaque}");
    }
    // A JWT is judged by what it says, never by asking.
    let forged = signed(&json!({"alg": "EdDSA", "kid": "k9"}), &good_claims(), "k9");
    let bearer = format!("Bearer {forged}");
    let field = Field::Once(bearer.as_bytes());
    let verdict = trust.authorize(endpoint, field, Patience::Waits(None), NOW_MS);
    assert!(matches!(verdict, Verdict::Refused(_)));
}

#[test]
fn a_server_that_nobody_meant_gets_no_token_that_could_be_the_provider_s() {
    let mut open = endpoint("open");
    merge(&mut open, json!({"authentication": "none"}));
    let mut listed = open.clone();
    let foreign = json!({"schemes": ["Bearer"], "challenges": "public"});
    merge(&mut listed, json!({"path": "/listed", "foreign": foreign}));
    let mut configuration = configuration();
    configuration["endpoints"] = json!([open, listed]);
    let gateway = gateway(configuration);
    let [open, listed] =
        ["/open", "/listed"].map(|path| gateway.endpoint(path.as_bytes()).expect("it is there"));
    let trust = asking();
    let opaque = headers(&[("authorization", "Bearer Zk3-opaque")]);
    assert!(trust.withholds(open, &opaque));
    assert!(!trust.withholds(listed, &opaque));
    assert!(!trust.withholds(open, &headers(&[("authorization", "Basic dTpw")])));
}
