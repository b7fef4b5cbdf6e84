//! What is taken from what a provider says of somebody.

use attache_protocol::foreign::find;
use serde_json::{Map, Value, json};

use super::Ours;
use crate::{
    config::IdentityClaims,
    upstream::{
        Error,
        id_token::Verified,
        identity::{Identity, read},
    },
};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object") };
    object
}

fn known(claims: Value, more: Value, names: &IdentityClaims) -> Identity {
    let verified = Verified {
        issuer: "https://login.example.com".to_owned(),
        subject: "somebody".to_owned(),
        claims: object(claims),
    };
    read(verified, &object(more), names)
}

#[test]
fn s47_an_address_that_is_not_verified_is_none() {
    let names = IdentityClaims::default();
    let email = |claims: Value, more: Value| {
        known(claims, more, &names).email.map(|email| email.as_str().to_owned())
    };
    let a = "a@example.com";
    for verified in [json!(true), json!("true"), json!("1"), json!(1)] {
        let claims = json!({ "email": a, "email_verified": verified });
        assert_eq!(email(claims, json!({})).as_deref(), Some(a), "{verified}");
    }
    for verified in [json!(false), json!("false"), json!(0), json!(null), json!([true]), json!({})]
    {
        let claims = json!({ "email": a, "email_verified": verified });
        assert_eq!(email(claims, json!({})), None, "{verified}");
    }
    assert_eq!(email(json!({ "email": a }), json!({})), None);
    assert_eq!(email(json!({ "email": "none", "email_verified": true }), json!({})), None);
    assert_eq!(email(json!({ "email": [a], "email_verified": true }), json!({})), None);
    let two = json!({ "email": "a@evil.example@example.com", "email_verified": true });
    assert_eq!(email(two, json!({})), None);
    // One source does not vouch for the address of another, unless it is the same.
    let verified = |address: &str| json!({ "email": address, "email_verified": true });
    assert_eq!(email(json!({ "email": a }), verified("b@example.com")), None);
    assert_eq!(email(json!({ "email": a }), verified(a)).as_deref(), Some(a));
    assert_eq!(email(json!({ "email": a, "email_verified": false }), verified(a)), None);
    assert_eq!(email(json!({ "email_verified": true }), json!({ "email": a })), None);
    assert_eq!(email(json!({}), verified(a)).as_deref(), Some(a));
}

#[test]
fn claims_are_found_by_name_and_then_by_path() {
    let claims = object(json!({
        "https://example.com/groups": ["a"],
        "realm_access": { "roles": ["b"], "deep.er": { "x": 1 } },
        "a.b": "literal",
        "a": { "b": "nested" },
        "text": "x",
    }));
    for (name, value) in [
        ("https://example.com/groups", Some(json!(["a"]))),
        ("realm_access.roles", Some(json!(["b"]))),
        ("realm_access.deep.er.x", Some(json!(1))),
        ("a.b", Some(json!("literal"))),
        ("text.x", None),
        ("realm_access.", None),
        (".", None),
        ("missing", None),
    ] {
        assert_eq!(find(&claims, name), value.as_ref(), "{name}");
    }
}

#[test]
fn groups_are_texts_and_a_bounded_number_of_them() {
    let names =
        IdentityClaims { groups: "realm_access.roles".to_owned(), ..IdentityClaims::default() };
    let groups = |roles: Value| {
        known(json!({ "realm_access": { "roles": roles } }), json!({}), &names).groups
    };
    assert_eq!(groups(json!(["b", "a", "b"])), ["b", "a"]);
    assert_eq!(groups(json!("one")), ["one"]);
    assert_eq!(groups(json!({ "a": 1 })), Vec::<String>::new());
    assert_eq!(groups(json!(["", "x\u{0}", 1, null, "good"])), ["good"]);
    let many: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    assert_eq!(groups(json!(many)).len(), 100);
}

#[test]
fn a_name_never_looks_like_an_address() {
    let name =
        |name: &str| known(json!({ "name": name }), json!({}), &IdentityClaims::default()).name;
    assert_eq!(name(" Some Body ").as_deref(), Some("Some Body"));
    assert_eq!(name("ceo@example.com"), None);
    assert_eq!(name("\n"), None);
    assert_eq!(name("Jane\u{202e}enaJ").as_deref(), Some("JaneenaJ"));
}

#[tokio::test]
async fn s47_userinfo_is_of_the_same_subject() {
    let ours = Ours::new().await;
    ours.fake.shape().userinfo =
        Some(json!({ "sub": "another", "email": "a@example.com", "email_verified": true }));
    let error = ours.identify().await.unwrap_err();
    assert!(matches!(error, Error::Unusable { what: "UserInfo", .. }), "{error}");
    ours.fake.shape().userinfo = Some(json!({ "email": "a@example.com", "email_verified": true }));
    assert!(ours.identify().await.is_err(), "without sub it is of nobody");
}
