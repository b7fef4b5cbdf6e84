//! The provider's keys, as we publish them: Envoy needs to reach nobody but us.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time;

use super::Broker;
use crate::upstream;

/// How long somebody waits for newer keys while there are others; the filter waits for 2 s.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// What was published last.
#[derive(Debug, Default)]
pub(super) struct Published(Mutex<Option<Arc<upstream::keys::Keys>>>);

/// A key set (RFC 7517 section 5), public parts of signing keys only.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Key {
    kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl Broker {
    /// The keys of the provider, for somebody whose own are old or not enough: fetched, unless that was just done. While
    /// the provider is slow or does not answer, those that it had a day ago at most.
    ///
    /// # Errors
    /// When it was never reached, or not for a day.
    pub async fn jwks(&self) -> Result<KeySet, upstream::Error> {
        let provider = Arc::clone(&self.provider);
        // It goes on when nobody waits for it any more, so that the next one finds what came of it.
        let newer = tokio::spawn(async move { provider.newer_keys().await });
        let held = self.published.get();
        let newer = match (&held, time::timeout(PATIENCE, newer).await) {
            (_, Ok(Ok(newer))) => newer.map(Some),
            (Some(_), Err(_late)) => Ok(None),
            (None, Err(_late)) => Err(upstream::Error::late("key set")),
            (_, Ok(Err(_panicked))) => Ok(None),
        };
        let keys = newer?.or(held).ok_or_else(|| upstream::Error::late("key set"))?;
        self.published.set(&keys);
        Ok(KeySet::of(&keys.text, self.settings.tokens.algorithm))
    }
}

impl Published {
    fn get(&self) -> Option<Arc<upstream::keys::Keys>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, keys: &Arc<upstream::keys::Keys>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(keys));
    }
}

impl KeySet {
    /// Of a set that was read before. `algorithm` is that of RSA keys that do not say theirs.
    fn of(text: &[u8], algorithm: Option<&str>) -> Self {
        #[derive(Deserialize)]
        struct Raw {
            keys: Vec<serde_json::Value>,
        }
        let raw = serde_json::from_slice(text).unwrap_or(Raw { keys: Vec::new() });
        let keys = raw.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let signs =
            |key: &Key| key.kty != "oct" && key.usage.as_deref().is_none_or(|usage| usage == "sig");
        Self { keys: keys.filter(signs).map(|key: Key| key.with_algorithm(algorithm)).collect() }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Key {
    /// With `alg`: there are libraries that want it, and where it is missing, the type says it or the configuration.
    fn with_algorithm(self, rsa: Option<&str>) -> Self {
        let by_type = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Some("ES256"),
            ("EC", Some("P-384")) => Some("ES384"),
            ("EC", Some("P-521")) => Some("ES512"),
            ("OKP", Some("Ed25519")) => Some("EdDSA"),
            ("RSA", _) => rsa,
            _ => None,
        };
        let alg = self.alg.or_else(|| by_type.map(str::to_owned));
        Self { alg, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::StatusCode;
    use serde_json::{Value, json};

    use super::KeySet;
    use crate::{
        config::{Client, Config, Mode, Targets},
        testing::{
            Bench, brokered, get,
            provider::{FakeProvider, Fault},
        },
    };

    fn published(text: &Value, rsa: Option<&str>) -> Value {
        serde_json::to_value(KeySet::of(text.to_string().as_bytes(), rsa)).unwrap()
    }

    #[test]
    fn a_missing_algorithm_is_filled_in_from_type_or_configuration() {
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"},
            {"kty": "OKP", "crv": "Ed25519", "x": "x", "kid": "ed"},
            {"kty": "RSA", "n": "n", "e": "AQAB"},
            {"kty": "RSA", "n": "n", "e": "AQAB", "alg": "PS256"},
        ]});
        let algorithms = |rsa| {
            let set = published(&keys, rsa);
            let keys = set["keys"].as_array().unwrap().clone();
            keys.iter().map(|key| key["alg"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(algorithms(Some("RS256")), ["ES256", "EdDSA", "RS256", "PS256"]);
        assert_eq!(algorithms(None), ["ES256", "EdDSA", "-", "PS256"]);
    }

    #[test]
    fn what_is_private_symmetric_or_for_encryption_is_not_published() {
        let keys = json!({"keys": [
            {"kty": "oct", "k": "hunter2"},
            {"kty": "RSA", "n": "n", "e": "AQAB", "d": "hunter2", "x5c": ["long"], "kid": "one"},
            {"kty": "RSA", "n": "n", "e": "AQAB", "use": "enc"},
            "hunter2",
        ]});
        let expected = json!({"keys": [{"kty": "RSA", "n": "n", "e": "AQAB", "kid": "one"}]});
        assert_eq!(published(&keys, None), expected);
    }

    async fn bench(provider: &FakeProvider) -> Bench {
        let issuer = provider.issuer.clone();
        Bench::with(move |config| stand_before(config, &issuer)).await
    }

    fn stand_before(config: &mut Config, issuer: &str) {
        let client = Client { id: "attache".to_owned(), secret: None };
        let settings = brokered(issuer, Targets::Any, client);
        config.authorization.mode = Mode::Brokered(Box::new(settings));
    }

    async fn kids(bench: &Bench) -> Vec<String> {
        let answer = bench.public(get("/oauth/jwks.json")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn the_keys_of_the_provider_are_published_and_fetched_no_more_often_than_every_ten_seconds()
     {
        let provider = FakeProvider::start().await;
        let bench = bench(&provider).await;
        assert_eq!(provider.asked("/keys"), 0);
        assert_eq!(kids(&bench).await, ["one"]);
        provider.shape().keys.push(("two", 2));
        bench.advance(Duration::from_secs(9));
        assert_eq!(kids(&bench).await, ["one"]);
        assert_eq!(provider.asked("/keys"), 1);
        bench.advance(Duration::from_secs(1));
        assert_eq!(kids(&bench).await, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_provider_that_was_never_reached_is_503_and_everything_else_is_up() {
        let provider = FakeProvider::start().await;
        provider.shape().faults.insert("/keys", Fault::Status(500));
        let bench = bench(&provider).await;
        let answer = bench.public(get("/oauth/jwks.json")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), "10");
        for path in ["/ready", "/.well-known/oauth-authorization-server"] {
            assert_eq!(bench.public(get(path)).await.status, StatusCode::OK, "{path}");
        }
        provider.shape().faults.clear();
        bench.advance(Duration::from_secs(10));
        assert_eq!(kids(&bench).await, ["one"]);
    }

    #[tokio::test]
    async fn the_last_good_keys_go_on_for_a_day() {
        let provider = FakeProvider::start().await;
        let bench = bench(&provider).await;
        assert_eq!(kids(&bench).await, ["one"]);
        for fault in
            [Fault::Status(503), Fault::Html, Fault::Broken, Fault::Endless, Fault::Redirect]
        {
            provider.shape().faults.insert("/keys", fault);
            bench.advance(Duration::from_mins(10));
            assert_eq!(kids(&bench).await, ["one"], "{fault:?}");
        }
        bench.advance(Duration::from_hours(49));
        let answer = bench.public(get("/oauth/jwks.json")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn metadata_is_ours_and_offers_what_there_is() {
        let provider = FakeProvider::start().await;
        let bench = bench(&provider).await;
        let metadata = bench.public(get("/.well-known/openid-configuration")).await.json();
        assert_eq!(metadata["issuer"], "http://localhost:8080");
        assert_eq!(metadata["jwks_uri"], "http://localhost:8080/oauth/jwks.json");
        assert_eq!(metadata["registration_endpoint"], "http://localhost:8080/oauth/register");
        assert_eq!(
            metadata["grant_types_supported"],
            json!(["authorization_code", "refresh_token"])
        );
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
        assert!(provider.shape().asked.is_empty(), "nobody is asked before it is needed");
    }
}
