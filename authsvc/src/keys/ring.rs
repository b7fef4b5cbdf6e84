//! Keys as they are used: one signs, all verify and are published.

use std::sync::Arc;

use attache_protocol::{claims::Claims, secret::Secret};
use jwt_compact::UntrustedToken;
use zeroize::Zeroizing;

use super::{
    JwkSet, KeyError, PublicKey, Settings,
    signer::{Signer, Validity, Verified},
    vault::Locked,
};
use crate::{
    config::Signing,
    store::keys::{SigningKey, State},
};

/// The keys at one moment.
#[derive(Clone, Debug)]
pub struct Ring {
    keys: Vec<Arc<Key>>,
    states: Vec<State>,
    current: Arc<Key>,
    jwks: JwkSet,
}

/// One of them. Its `kid` is its thumbprint, so that the same `kid` is always the same key.
#[derive(Debug)]
struct Key {
    signer: Signer,
    public: PublicKey,
}

impl Ring {
    /// From the database; keys that `earlier` has are not opened again.
    pub(super) fn new(
        stored: &[SigningKey],
        settings: &Settings,
        earlier: Option<&Self>,
    ) -> Result<Self, KeyError> {
        let known = |kid: &str| earlier.and_then(|ring| ring.key(kid)).map(Arc::clone);
        let open = |key: &SigningKey| {
            known(&key.kid).map_or_else(|| Key::open(key, settings).map(Arc::new), Ok)
        };
        let keys = stored.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let kid = current(stored, settings).map(|key| key.kid.as_str());
        let current = keys.iter().find(|key| Some(key.public.kid.as_str()) == kid);
        let current = Arc::clone(current.ok_or(KeyError::Missing(settings.policy.algorithm))?);
        let jwks = JwkSet { keys: keys.iter().map(|key| key.public.clone()).collect() };
        Ok(Self { states: stored.iter().map(|key| key.state).collect(), keys, current, jwks })
    }

    /// Whether these are still the keys.
    pub(super) fn is(&self, stored: &[SigningKey]) -> bool {
        let ours = self.keys.iter().map(|key| key.public.kid.as_str()).zip(self.states.iter());
        ours.eq(stored.iter().map(|key| (key.kid.as_str(), &key.state)))
    }

    /// What is published.
    #[must_use]
    pub const fn jwks(&self) -> &JwkSet {
        &self.jwks
    }

    /// `kid` of the key that signs.
    pub(super) fn signs(&self) -> &str {
        &self.current.public.kid
    }

    /// Signs an access token (RFC 9068).
    ///
    /// # Errors
    /// When the library refuses, which it has no reason to.
    pub fn sign(&self, claims: &Claims, validity: Validity) -> Result<Secret, KeyError> {
        let Key { signer, public } = &*self.current;
        Ok(Secret::new(signer.sign(&public.kid, claims, validity)?))
    }

    /// What an access token says, if it is one of ours, expired or not.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Verified> {
        let token = UntrustedToken::new(token).ok()?;
        self.key(token.header().key_id.as_deref()?)?.signer.verify(&token)
    }

    fn key(&self, kid: &str) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.public.kid == kid)
    }
}

/// The key that signs.
#[must_use]
pub fn current<'a>(stored: &'a [SigningKey], settings: &Settings) -> Option<&'a SigningKey> {
    let algorithm = settings.policy.algorithm;
    stored.iter().find(|key| key.state == State::Current && key.algorithm == algorithm)
}

impl Key {
    fn open(stored: &SigningKey, settings: &Settings) -> Result<Self, KeyError> {
        let broken = || KeyError::Broken(stored.kid.clone());
        let private = private(stored, settings)?;
        let signing = Signing::parse(&stored.algorithm).ok_or_else(broken)?;
        let signer = Signer::new(signing, &private).ok_or_else(broken)?;
        let public = signer.public_key().filter(|key| key.kid == stored.kid);
        Ok(Self { public: public.ok_or_else(broken)?, signer })
    }
}

/// The private part of a stored key.
pub(super) fn private(
    stored: &SigningKey,
    settings: &Settings,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let SigningKey { kid, private_key, sealed_by, .. } = stored;
    let bytes = private_key.reveal();
    let Some(name) = sealed_by else { return Ok(Zeroizing::new(bytes.clone())) };
    settings.vault.open(kid, name, bytes).map_err(|locked| match locked {
        Locked::OtherSecret => KeyError::OtherSecret(kid.clone()),
        Locked::Broken => KeyError::Broken(kid.clone()),
    })
}
