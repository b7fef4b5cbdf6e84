//! Metadata of providers, and whose it is.

use serde_json::{Value, json};
use url::Url;

use super::with;
use crate::{
    config::{Issuer, Targets, Tenants},
    upstream::{
        Error,
        discovery::{Metadata, places, read},
        issuer::Issuers,
    },
};

const ISSUER: &str = "https://login.example.com";
const TENANT: &str = "8c9a1c2d-0000-4000-8000-00000000000a";
const OTHER_TENANT: &str = "8c9a1c2d-0000-4000-8000-00000000000b";

fn issuers(issuer: &str, tenants: &Tenants) -> Issuers {
    Issuers::new(&Issuer::parse(issuer, Targets::Public).unwrap(), tenants)
}

/// A good document, changed.
pub(super) fn metadata(changes: &Value) -> Result<Metadata, Error> {
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "jwks_uri": format!("{ISSUER}/keys"),
    });
    let body = with(document, changes).to_string();
    read(body.as_bytes(), &issuers(ISSUER, &Tenants::Single), Targets::Public)
}

#[test]
fn metadata_is_looked_for_where_both_specifications_have_it() {
    let places = |issuer: &str| -> Vec<String> {
        places(&Url::parse(issuer).unwrap()).into_iter().map(String::from).collect()
    };
    for issuer in ["https://a.example", "https://a.example/"] {
        assert_eq!(
            places(issuer),
            [
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ]
        );
    }
    assert_eq!(
        places("https://a.example/realms/mcp"),
        [
            "https://a.example/realms/mcp/.well-known/openid-configuration",
            "https://a.example/.well-known/openid-configuration/realms/mcp",
            "https://a.example/.well-known/oauth-authorization-server/realms/mcp",
        ]
    );
}

#[test]
fn s47_metadata_is_of_the_configured_issuer_byte_for_byte() {
    assert!(metadata(&json!({})).is_ok());
    for other in
        ["https://login.example.com/", "https://login.example.org", "HTTPS://login.example.com"]
    {
        let error = metadata(&json!({ "issuer": other })).unwrap_err().to_string();
        assert!(error.contains("configure it exactly so"), "{error}");
    }
    for (missing, reason) in [
        ("authorization_endpoint", "authorization_endpoint is missing"),
        ("token_endpoint", "token_endpoint is missing"),
        ("jwks_uri", "jwks_uri is missing"),
    ] {
        let error = metadata(&json!({ missing: null })).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn s47_nothing_goes_to_an_endpoint_in_clear() {
    for (endpoint, reason) in [
        ("http://login.example.com/token", "is not https"),
        ("javascript:alert(1)", "is not https"),
        ("https://user@login.example.com/token", "has a user"),
        ("https://login.example.com/token#x", "or a fragment"),
        ("token", "is not a URL"),
    ] {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            let error = metadata(&json!({ name: endpoint })).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} ")) && error.contains(reason), "{error}");
        }
    }
}

#[test]
fn s47_entra_has_an_issuer_for_each_tenant_and_only_those_listed_come_in() {
    let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let listed = issuers(&of("organizations"), &Tenants::Listed(vec![TENANT.to_owned()]));
    assert_eq!(listed.of_metadata(), of("{tenantid}"));
    assert!(listed.contain(&of(TENANT)));
    for other in [
        of(OTHER_TENANT),
        of("organizations"),
        of("{tenantid}"),
        of(""),
        format!("{}/", of(TENANT)),
        format!("https://login.example.com/{TENANT}/v2.0"),
    ] {
        assert!(!listed.contain(&other), "{other}");
    }
    assert!(listed.agree(&of(TENANT), Some(TENANT)) && listed.agree(&of(TENANT), None));
    assert!(!listed.agree(&of(TENANT), Some(OTHER_TENANT)));

    let any = issuers(&of("common"), &Tenants::Any);
    assert!(any.contain(&of(TENANT)) && any.contain(&of(OTHER_TENANT)));
    for other in ["common", "{tenantid}", "", "a/b", &TENANT.to_uppercase()] {
        assert!(!any.contain(&of(other)), "{other}");
    }
    let single = issuers(&of(TENANT), &Tenants::Single);
    assert_eq!(single.of_metadata(), of(TENANT));
    assert!(single.contain(&of(TENANT)) && !single.contain(&of(OTHER_TENANT)));
}
