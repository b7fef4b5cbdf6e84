//! A provider as it should be, and as it may be.

use std::time::Duration;

use attache_protocol::secret::Secret;
use serde_json::{Value, json};

use super::{
    Error, Provider, Wanted,
    exchange::{Code, Tokens},
    id_token::Refused,
    identity::Identity,
    request::{self, Prompt, Request},
    trip::Trip,
};
use crate::{
    clock::Clock,
    config::{Client, IdentityClaims, Issuer, Targets, Tenants},
    random::Random,
    testing::{
        NOW_MS,
        provider::{CLIENT_ID, FakeProvider, Fault, client},
    },
};

mod callback;
mod discovery;
mod id_token;
mod identity;
mod ssrf;

const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback/example";

/// A provider, and us before it.
struct Ours {
    fake: FakeProvider,
    provider: Provider,
    clock: Clock,
}

impl Ours {
    async fn new() -> Self {
        let fake = FakeProvider::start().await;
        let clock = Clock::stopped(NOW_MS);
        let provider = provider(&fake.issuer, &clock);
        Self { fake, provider, clock }
    }

    /// Sends somebody there, who agrees; the code that they come back with.
    async fn code(&self, trip: &Trip) -> String {
        let metadata = self.provider.metadata().await.unwrap();
        let request = Request {
            client_id: CLIENT_ID,
            redirect_uri: REDIRECT_URI,
            scope: "openid email",
            trip,
            prompt: Prompt::Unsaid,
            more: &[],
        };
        let url = request::url(&metadata, request);
        let back = self.fake.agree(url.as_str());
        back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    async fn redeem(&self, client: &Client, trip: &Trip) -> Result<Tokens, Error> {
        let code = self.code(trip).await;
        let code = Code { code: &code, verifier: &trip.verifier, redirect_uri: REDIRECT_URI };
        self.provider.redeem(client, code, &[]).await
    }

    /// The whole way.
    async fn identify(&self) -> Result<Identity, Error> {
        let trip = trip();
        let tokens = self.redeem(&client(), &trip).await?;
        let claims = IdentityClaims::default();
        let wanted = Wanted {
            client_id: CLIENT_ID,
            nonce: &trip.nonce,
            hosted_domain: None,
            claims: &claims,
        };
        self.provider.identify(&tokens, wanted).await
    }
}

fn provider(issuer: &str, clock: &Clock) -> Provider {
    let issuer = Issuer::parse(issuer, Targets::Any).unwrap();
    Provider::new(&issuer, &Tenants::Single, Targets::Any, clock.clone()).unwrap()
}

fn trip() -> Trip {
    Trip::begin(&Random::seeded(1), "interaction", "cookie")
}

#[tokio::test]
async fn somebody_is_sent_there_and_comes_back_with_an_identity() {
    let ours = Ours::new().await;
    ours.fake.shape().userinfo = Some(json!({
        "sub": "somebody", "email": "Some.Body@Example.com", "email_verified": true,
        "groups": ["staff", "staff", 7, ""], "name": " Some\u{7} Body ",
    }));
    let identity = ours.identify().await.unwrap();
    assert_eq!(identity.issuer, ours.fake.issuer);
    assert_eq!(identity.subject, "somebody");
    assert_eq!(identity.email.unwrap().as_str(), "some.body@example.com");
    assert_eq!(identity.name.as_deref(), Some("Some Body"));
    assert_eq!(identity.groups, ["staff"]);
    // Once for each thing that is kept.
    ours.identify().await.unwrap();
    let asked = ours.fake.shape().asked.join(" ");
    assert_eq!(asked, "/.well-known/openid-configuration /token /keys /userinfo /token /userinfo");
}

#[tokio::test]
async fn a_client_shows_who_it_is_in_a_way_that_the_provider_takes() {
    let ours = Ours::new().await;
    ours.redeem(&client(), &trip()).await.unwrap();
    ours.fake.shape().metadata["token_endpoint_auth_methods_supported"] =
        json!(["client_secret_post", "private_key_jwt"]);
    ours.clock.advance(Duration::from_hours(2));
    ours.redeem(&client(), &trip()).await.unwrap();
    let wrong = Client { secret: Some(Secret::new("wrong".to_owned())), ..client() };
    let refused = ours.redeem(&wrong, &trip()).await.unwrap_err();
    assert!(matches!(refused, Error::Client(ref code) if code == "invalid_client"), "{refused}");
    assert!(refused.to_string().contains("look at client_id and client_secret"));
    let public = Client { secret: None, ..client() };
    assert!(matches!(ours.redeem(&public, &trip()).await, Err(Error::Client(_))));
}

#[tokio::test]
async fn s47_a_code_is_redeemed_with_the_verifier_of_its_browser_only() {
    let ours = Ours::new().await;
    let trip = trip();
    let code = ours.code(&trip).await;
    let elsewhere = Trip::of(trip.state.clone(), "another cookie");
    assert_ne!(elsewhere.nonce, trip.nonce);
    let stolen = Code { code: &code, verifier: &elsewhere.verifier, redirect_uri: REDIRECT_URI };
    let refused = ours.provider.redeem(&client(), stolen, &[]).await.unwrap_err();
    assert!(matches!(refused, Error::Grant(_)), "{refused}");
    let back = Trip::of(trip.state.clone(), "cookie");
    assert_eq!((back.nonce, back.verifier), (trip.nonce, trip.verifier));
    assert_eq!(Trip::interaction(&trip.state), Some("interaction"));
    assert_ne!(Trip::digest(&trip.state, "one"), Trip::digest(&trip.state, "other"));
}

#[tokio::test]
async fn a_provider_that_is_not_well_is_told_from_one_that_refuses() {
    type Is = fn(&Error) -> bool;
    let unreachable: Is = |error| matches!(error, Error::Unreachable { .. });
    let unusable: Is = |error| matches!(error, Error::Unusable { .. });
    for (path, fault, is) in [
        ("/.well-known/openid-configuration", Fault::Status(503), unreachable),
        ("/.well-known/openid-configuration", Fault::Status(404), unusable),
        ("/.well-known/openid-configuration", Fault::Html, unusable),
        ("/.well-known/openid-configuration", Fault::Endless, unusable),
        ("/.well-known/openid-configuration", Fault::Redirect, unusable),
        ("/token", Fault::Status(500), unreachable),
        ("/token", Fault::Status(429), unreachable),
        ("/token", Fault::Status(404), unusable),
        ("/token", Fault::Html, unusable),
        ("/token", Fault::Broken, unusable),
        ("/keys", Fault::Status(502), unreachable),
        ("/keys", Fault::Broken, unusable),
        ("/keys", Fault::Html, unusable),
        ("/userinfo", Fault::Status(503), unreachable),
        ("/userinfo", Fault::Html, unusable),
        ("/userinfo", Fault::Status(401), unusable),
    ] {
        let ours = Ours::new().await;
        let mended = |ours: &Ours| ours.fake.shape().faults.remove(path);
        if path.starts_with("/.well") {
            ours.fake.shape().faults.insert(path, fault);
            let error = ours.provider.metadata().await.map(|_| ()).unwrap_err();
            assert!(is(&error), "{path} {fault:?}: {error:?}");
            mended(&ours);
            assert!(ours.provider.metadata().await.is_err(), "it is asked again at once");
            ours.clock.advance(Duration::from_secs(2));
            ours.provider.metadata().await.unwrap();
            continue;
        }
        ours.fake.shape().userinfo = Some(json!({ "sub": "somebody" }));
        ours.fake.shape().faults.insert(path, fault);
        let error = ours.identify().await.unwrap_err();
        assert!(is(&error), "{path} {fault:?}: {error:?}");
        mended(&ours);
        ours.clock.advance(Duration::from_secs(2));
        ours.identify().await.unwrap();
    }
    let nobody = provider("http://127.0.0.1:9", &Clock::stopped(NOW_MS));
    let error = nobody.metadata().await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn what_the_token_endpoint_refuses_has_its_reason() {
    let ours = Ours::new().await;
    for (said, text) in [
        ("invalid_grant", "it does not accept the code or refresh token (invalid_grant)"),
        ("unauthorized_client", "it does not accept the configured client"),
        ("temporarily<script>", "it refuses: temporarilyscript"),
    ] {
        ours.fake.shape().error = Some(said);
        let error = ours.redeem(&client(), &trip()).await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[tokio::test]
async fn s47_an_unknown_key_is_looked_for_once_and_not_again_at_once() {
    let ours = Ours::new().await;
    ours.identify().await.unwrap();
    ours.fake.shape().keys.push(("two", 2));
    ours.clock.advance(Duration::from_secs(10));
    ours.identify().await.unwrap();
    assert_eq!(ours.fake.asked("/keys"), 2);
    // The provider signs with a key that it does not publish.
    ours.fake.shape().keys.push(("three", 3));
    ours.fake.shape().faults.insert("/keys", Fault::Status(503));
    let refused = ours.identify().await.unwrap_err();
    assert!(matches!(refused, Error::IdToken(Refused::UnknownKey)), "{refused}");
    assert_eq!(ours.fake.asked("/keys"), 2, "asked again within 10 s");
    ours.clock.advance(Duration::from_secs(10));
    let refused = ours.identify().await.unwrap_err();
    assert!(matches!(refused, Error::IdToken(Refused::UnknownKey)), "{refused}");
    assert_eq!(ours.fake.asked("/keys"), 3);
    // The keys from before are still good.
    ours.fake.shape().keys.pop();
    ours.clock.advance(Duration::from_secs(10));
    ours.identify().await.unwrap();
}

#[tokio::test]
async fn many_who_come_at_the_same_time_cause_one_question() {
    let ours = Ours::new().await;
    let all: Vec<_> = (0..20).map(|_| ours.provider.keys()).collect();
    for keys in all {
        keys.await.unwrap();
    }
    let (one, other) = tokio::join!(ours.provider.keys(), ours.provider.keys());
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(
        (ours.fake.asked("/keys"), ours.fake.asked("/.well-known/openid-configuration")),
        (1, 1)
    );
}

#[tokio::test]
async fn what_was_known_goes_on_for_a_day_while_the_provider_is_down() {
    let ours = Ours::new().await;
    ours.provider.keys().await.unwrap();
    ours.fake.shape().faults.insert("/keys", Fault::Status(503));
    ours.clock.advance(Duration::from_hours(24));
    assert!(ours.provider.keys().await.is_ok());
    ours.clock.advance(Duration::from_hours(2));
    assert!(ours.provider.keys().await.is_err());
}

#[tokio::test]
async fn nothing_that_is_secret_is_in_what_is_shown() {
    let ours = Ours::new().await;
    let trip = trip();
    let tokens = ours.redeem(&client(), &trip).await.unwrap();
    assert_eq!(tokens.expires_in, Some(3600));
    let shown = format!("{tokens:?} {:?} {:?}", trip, client());
    for secret in ["access-of", "refresh-of", "a secret", trip.verifier.reveal()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// JSON, changed.
fn with(mut json: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        json[name] = value.clone();
    }
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json
}

#[tokio::test]
async fn metadata_that_is_nowhere_is_said_to_be_missed_where() {
    let ours = Ours::new().await;
    let base = &ours.fake.issuer;
    let places = ["openid-configuration", "oauth-authorization-server"];
    let paths = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
    for path in paths {
        ours.fake.shape().faults.insert(path, Fault::Status(404));
    }
    let error = ours.provider.metadata().await.map(drop).unwrap_err().to_string();
    let [first, second] = places.map(|name| format!("{base}/.well-known/{name}"));
    assert_eq!(error, format!("its metadata cannot be used: there is none at {first} or {second}"));
}
