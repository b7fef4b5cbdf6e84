//! What access tokens of a provider say, who does not say it as we do: read into the same [`Claims`].

use serde_json::{Map, Value};

use crate::{
    claims::{ACCESS_TOKEN_TYPE, Audience, Claims},
    plugin::ForeignTokens,
};

/// Where providers say which client a token was issued to; the first counts.
const CLIENT_IDS: [&str; 4] = ["client_id", "azp", "cid", "appid"];
/// What ID tokens have and access tokens do not (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11).
const HASHES: [&str; 3] = ["at_hash", "c_hash", "s_hash"];
/// Groups of a token that are looked at.
pub const MOST_GROUPS: usize = 100;

/// Claims as they come.
pub type Raw = Map<String, Value>;

/// A claim by its name; where there is none of this name, its dots lead into nested objects.
#[must_use]
pub fn find<'a>(claims: &'a Raw, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| Some((name.get(..at)?, name.get(at + 1..)?))).find_map(|(first, rest)| {
        claims.get(first).and_then(Value::as_object).and_then(|inner| find(inner, rest))
    })
}

/// Reads claims; nothing if `iss`, `sub` or `aud` is missing or malformed.
#[must_use]
pub fn read(raw: &Raw, tokens: &ForeignTokens) -> Option<Claims> {
    let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Claims {
        iss: text("iss")?,
        sub: text("sub").filter(|sub| !sub.is_empty())?,
        aud: audience(raw.get("aud")?)?,
        client_id: CLIENT_IDS.into_iter().find_map(text),
        scope: scope(raw, tokens),
        jti: text("jti"),
        grant_id: None,
        email: email(raw, &tokens.claims.email),
        groups: find(raw, &tokens.claims.groups).map(groups).unwrap_or_default(),
    })
}

/// Whether `typ` is one that access tokens of providers have: `at+jwt` (RFC 9068 section 4), as media types are compared;
/// or `JWT`, or none, since most providers call all that they sign so, or not at all.
#[must_use]
pub fn is_access_type(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT") || is_our_type(typ))
}

/// Whether `typ` is that of our own access tokens.
#[must_use]
pub fn is_our_type(typ: &str) -> bool {
    let typ = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE)
}

/// Whether claims are those of another kind of token than an access token, as far as they say so. ID tokens are for a
/// client to read; whoever gets one from there must not get in with it.
#[must_use]
pub fn is_other_kind(raw: &Raw) -> bool {
    let says = |name: &str, others: &[&str]| {
        let value = raw.get(name).and_then(Value::as_str);
        value.is_some_and(|value| others.iter().any(|other| value.eq_ignore_ascii_case(other)))
    };
    HASHES.iter().any(|name| raw.contains_key(*name))
        // Keycloak, Amazon Cognito, logout tokens and security events.
        || says("typ", &["ID", "Refresh", "Offline", "Logout"])
        || says("token_use", &["id"])
        || raw.contains_key("events")
}

/// `aud`: one text, or several.
fn audience(value: &Value) -> Option<Audience> {
    match value {
        Value::String(one) => Some(Audience::One(one.clone())),
        Value::Array(many) => {
            let many = many.iter().map(|one| one.as_str().map(str::to_owned));
            many.collect::<Option<Vec<_>>>().map(Audience::Many)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Scopes as we call them, beside those that we do not know.
fn scope(raw: &Raw, tokens: &ForeignTokens) -> Option<String> {
    let said = tokens.claims.scope.iter().find_map(|name| find(raw, name))?;
    let mut scopes: Vec<&str> = match said {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let ours = tokens.scope_map.iter().filter(|(_, theirs)| scopes.contains(&theirs.as_str()));
    let ours: Vec<&str> = ours.map(|(ours, _)| ours.as_str()).collect();
    scopes.extend(ours);
    Some(scopes.join(" "))
}

/// An address, unless the token says that nobody has shown that it is theirs.
fn email(raw: &Raw, name: &str) -> Option<String> {
    let refuted = match raw.get("email_verified") {
        Some(Value::Bool(verified)) => !verified,
        Some(Value::String(text)) => text != "true",
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    };
    if refuted && name == "email" {
        return None;
    }
    let address = find(raw, name).and_then(Value::as_str);
    address.filter(|address| !address.is_empty()).map(str::to_owned)
}

/// The texts of a claim of which some providers make a list, and others one text.
#[must_use]
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

fn groups(value: &Value) -> Vec<String> {
    texts(value).into_iter().take(MOST_GROUPS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Raw, find, is_other_kind, read};
    use crate::{
        claims::{Audience, Claims},
        plugin::{ClaimNames, ForeignTokens},
    };

    fn raw(value: Value) -> Raw {
        serde_json::from_value(value).unwrap()
    }

    fn least(more: Value) -> Raw {
        let mut claims = raw(json!({ "iss": "i", "sub": "s", "aud": "a" }));
        claims.extend(raw(more));
        claims
    }

    fn claims(more: Value, tokens: &ForeignTokens) -> Claims {
        read(&least(more), tokens).unwrap()
    }

    fn named(groups: &str, email: &str, scope: &str) -> ForeignTokens {
        let claims = ClaimNames {
            groups: groups.to_owned(),
            email: email.to_owned(),
            scope: vec![scope.to_owned()],
        };
        ForeignTokens { claims, ..ForeignTokens::default() }
    }

    #[test]
    fn a_name_with_dots_is_tried_as_it_is_and_then_as_a_path() {
        let claims =
            raw(json!({ "https://x.example/groups": 1, "a": {"b.c": {"d": 2}}, "e.f": 3 }));
        assert_eq!(find(&claims, "https://x.example/groups"), Some(&json!(1)));
        assert_eq!(find(&claims, "a.b.c.d"), Some(&json!(2)));
        assert_eq!(find(&claims, "e.f"), Some(&json!(3)));
        for absent in ["", ".", "a.", "a.b", "e", "a.b.c.d.e"] {
            assert_eq!(find(&claims, absent), None, "{absent}");
        }
    }

    #[test]
    fn scopes_come_as_text_or_array_under_either_name() {
        let tokens = ForeignTokens::default();
        for said in [json!({"scope": "a b"}), json!({"scp": "a b"}), json!({"scp": ["a", "b"]})] {
            assert_eq!(claims(said.clone(), &tokens).scope.as_deref(), Some("a b"), "{said}");
        }
        assert_eq!(claims(json!({}), &tokens).scope, None);
        assert_eq!(claims(json!({"scope": 7}), &tokens).scope, None);
        let unsaid = ClaimNames::default().without_scope();
        let tokens = ForeignTokens { claims: unsaid, ..ForeignTokens::default() };
        assert_eq!(claims(json!({"scope": "a b"}), &tokens).scope, None);
    }

    #[test]
    fn a_scope_that_the_provider_calls_otherwise_is_ours_as_well() {
        let scope_map = [("mcp".to_owned(), "api://x/mcp".to_owned())].into();
        let tokens = ForeignTokens { scope_map, ..ForeignTokens::default() };
        let said = claims(json!({"scope": "openid api://x/mcp"}), &tokens).scope;
        assert_eq!(said.as_deref(), Some("openid api://x/mcp mcp"));
        assert_eq!(claims(json!({"scp": "mcp"}), &tokens).scope.as_deref(), Some("mcp"));
        assert_eq!(claims(json!({"scp": "api://x"}), &tokens).scope.as_deref(), Some("api://x"));
    }

    #[test]
    fn groups_and_address_are_where_the_provider_has_them() {
        let tokens = named("realm_access.roles", "upn", "scope");
        let said = json!({"realm_access": {"roles": ["a", 1, "b"]}, "upn": "x@example.com"});
        let read = claims(said, &tokens);
        assert_eq!(
            (read.groups, read.email.as_deref()),
            (vec!["a".to_owned(), "b".to_owned()], Some("x@example.com"))
        );
        assert_eq!(claims(json!({"realm_access": {"roles": "one"}}), &tokens).groups, ["one"]);
        assert!(claims(json!({"realm_access": "roles"}), &tokens).groups.is_empty());
    }

    #[test]
    fn an_address_that_is_not_verified_is_none() {
        let tokens = ForeignTokens::default();
        let email = |verified: Value| {
            claims(json!({"email": "x@example.com", "email_verified": verified}), &tokens).email
        };
        for refuted in [json!(false), json!("false"), json!("")] {
            assert_eq!(email(refuted.clone()), None, "{refuted}");
        }
        assert!(email(json!(true)).is_some() && email(json!("true")).is_some());
        assert!(claims(json!({"email": "x@example.com"}), &tokens).email.is_some());
    }

    #[test]
    fn whom_a_token_was_issued_to_has_many_names() {
        let tokens = ForeignTokens::default();
        for name in ["client_id", "azp", "cid", "appid"] {
            let read = claims(json!({ name: "c" }), &tokens);
            assert_eq!(read.client_id.as_deref(), Some("c"), "{name}");
        }
    }

    #[test]
    fn without_issuer_subject_or_audience_there_is_nobody() {
        let tokens = ForeignTokens::default();
        for broken in [
            json!({"iss": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"aud": 7}),
            json!({"aud": ["a", 7]}),
            json!({"aud": {}}),
        ] {
            assert!(read(&least(broken.clone()), &tokens).is_none(), "{broken}");
        }
        let several = claims(json!({"aud": ["a", "b"]}), &tokens).aud;
        assert_eq!(several, Audience::Many(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn s24_other_kinds_of_tokens_say_so() {
        for other in [
            json!({"at_hash": "x"}),
            json!({"c_hash": "x"}),
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"token_use": "id"}),
            json!({"events": {}}),
        ] {
            assert!(is_other_kind(&least(other.clone())), "{other}");
        }
        for access in [json!({}), json!({"typ": "Bearer"}), json!({"token_use": "access"})] {
            assert!(!is_other_kind(&least(access.clone())), "{access}");
        }
    }
}
