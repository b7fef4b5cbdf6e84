//! Where a provider may lead us: where its metadata is said to be, and all the endpoints that it names there.

use std::time::Duration;

use attache_protocol::secret::Secret;
use serde_json::json;
use url::Url;

use super::{Code, Error, Provider, REDIRECT_URI, client, trip};
use crate::{
    clock::Clock,
    config::{Issuer, Targets, Tenants},
    outgoing::{
        guarded::{Bounds, Guarded},
        target::System,
    },
    testing::{
        NOW_MS,
        strangers::{NOT_GLOBAL, Names, Stranger, huge, slow},
    },
    upstream::{
        discovery, identity,
        registration::{Management, Order},
    },
};

const ISSUER: &str = "https://login.example.com";
const IN_TIME: Duration = Duration::from_secs(5);

fn guarded(time: Duration, targets: Targets) -> Guarded {
    Guarded::asking(System, targets, Bounds { time, bytes: 64 * 1024 }).unwrap()
}

/// A provider that nobody has asked anything yet.
fn unknown(issuer: &str, http: Guarded) -> Provider {
    let targets = http.targets();
    let issuer = Issuer::parse(issuer, targets).unwrap();
    let provider = Provider::new(&issuer, &Tenants::Single, targets, Clock::stopped(NOW_MS));
    Provider { http, ..provider.unwrap() }
}

/// A provider with all of its endpoints here.
async fn known(base: &str, http: Guarded) -> Provider {
    let provider = unknown(ISSUER, http);
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "registration_endpoint": format!("{base}/register"),
        "introspection_endpoint": format!("{base}/introspect"),
        "revocation_endpoint": format!("{base}/revoke"),
    });
    let body = document.to_string();
    let read = discovery::read(body.as_bytes(), &provider.issuers, provider.http.targets());
    provider.metadata.get(|| async { Ok((read?, Duration::from_hours(1))) }).await.unwrap();
    provider
}

/// What comes of each question to a provider that is not what it should be.
async fn refused(provider: &Provider, base: &str) -> Vec<(&'static str, Error)> {
    let (client, token, trip) = (client(), Secret::new("a token".to_owned()), trip());
    let code = Code { code: "x", verifier: &trip.verifier, redirect_uri: REDIRECT_URI };
    let order = Order {
        name: "Gateway",
        redirect_uri: REDIRECT_URI,
        scope: "openid",
        initial_access_token: Some(&token),
    };
    let uri = Url::parse(&format!("{base}/register/x")).unwrap();
    let management = Management { uri, token: token.clone() };
    let userinfo = Url::parse(&format!("{base}/userinfo")).unwrap();
    let outcomes = [
        ("keys", provider.keys().await.map(drop)),
        ("a code", provider.redeem(&client, code, &[]).await.map(drop)),
        ("a refresh token", provider.refresh(&client, &token, &[]).await.map(drop)),
        ("introspection", provider.introspect(&client, "a token").await.map(drop)),
        ("revocation", provider.revoke(&client, &token).await),
        ("registration", provider.register(order).await.map(drop)),
        ("the end of a registration", provider.unregister(&management).await),
        ("userinfo", identity::ask(&provider.http, &userinfo, &token, "x").await.map(drop)),
    ];
    outcomes.map(|(what, outcome)| (what, outcome.expect_err(what))).into()
}

fn is_address(error: &Error) -> bool {
    matches!(error, Error::Unusable { reason, .. } if reason.contains("not globally routable"))
}

#[tokio::test]
async fn s55_ssrf_no_provider_is_asked_at_an_address_that_is_not_globally_routable() {
    for host in NOT_GLOBAL {
        let base = format!("https://{host}");
        let http = guarded(IN_TIME, Targets::Public);
        let error = unknown(&base, http.clone()).metadata().await.map(drop).unwrap_err();
        assert!(is_address(&error), "{host}: {error}");
        for (what, error) in refused(&known(&base, http).await, &base).await {
            assert!(is_address(&error), "{host}, {what}: {error}");
        }
    }
}

#[tokio::test]
async fn s55_ssrf_no_provider_is_asked_at_a_name_of_such_an_address() {
    let forbidden = Stranger::forbidden();
    let base = format!("https://stranger.example:{}", forbidden.address.port());
    let names = Names::new(&[&["1.1.1.1:443".parse().unwrap(), forbidden.address]]);
    let bounds = Bounds { time: IN_TIME, bytes: 64 * 1024 };
    let http = Guarded::asking(names.clone(), Targets::Public, bounds).unwrap();
    let error = unknown(&base, http.clone()).metadata().await.map(drop).unwrap_err();
    assert!(is_address(&error), "{error}");
    let discovery = names.asked();
    let questions = refused(&known(&base, http).await, &base).await;
    for (what, error) in &questions {
        assert!(is_address(error), "{what}: {error}");
    }
    assert_eq!(names.asked(), discovery + questions.len(), "once for each connection");
    assert_eq!(forbidden.met(), 0);
}

/// Codes, refresh tokens and secrets would go along.
#[tokio::test]
async fn s55_ssrf_no_provider_leads_anywhere_else() {
    let elsewhere = Stranger::forbidden();
    for status in [301, 302, 303, 307, 308] {
        let stranger = Stranger::leading(status, &elsewhere);
        let (base, http) = (stranger.origin(), guarded(IN_TIME, Targets::Any));
        assert!(unknown(&base, http.clone()).metadata().await.is_err(), "{status}");
        for (what, error) in refused(&known(&base, http).await, &base).await {
            assert!(matches!(error, Error::Unusable { .. }), "{status}, {what}: {error:?}");
        }
    }
    assert_eq!(elsewhere.met(), 0);
}

#[tokio::test]
async fn s55_ssrf_a_provider_answers_in_time_or_not_at_all() {
    for manner in slow() {
        let stranger = Stranger::start(manner.clone());
        let http = guarded(Duration::from_millis(100), Targets::Any);
        let base = stranger.origin();
        let error = unknown(&base, http.clone()).metadata().await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{manner:?}: {error:?}");
        for (what, error) in refused(&known(&base, http).await, &base).await {
            assert!(matches!(error, Error::Unreachable { .. }), "{manner:?}, {what}: {error:?}");
        }
    }
}

#[tokio::test]
async fn s55_ssrf_what_a_provider_answers_has_an_end() {
    for manner in huge() {
        let stranger = Stranger::start(manner.clone());
        let (base, http) = (stranger.origin(), guarded(IN_TIME, Targets::Any));
        let error = unknown(&base, http.clone()).metadata().await.map(drop).unwrap_err();
        assert!(!matches!(error, Error::Refused(_)), "{manner:?}: {error:?}");
        let questions = refused(&known(&base, http).await, &base).await;
        assert_eq!(questions.len(), 8, "{manner:?}");
    }
}
