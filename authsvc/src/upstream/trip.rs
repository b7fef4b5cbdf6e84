//! One way of a browser to a provider and back: `state`, PKCE and nonce.
//!
//! Nothing of it that is secret is kept. `state` is drawn, and only its digest is in the database, with the interaction
//! that it belongs to; verifier and nonce are derived from it and from the cookie of the browser. So whoever sees the
//! URL of a callback cannot redeem the code in it, and neither can whoever reads the database; and what one browser
//! began, no other can finish. The provider sees the name of the interaction in `state`, and can do nothing with it
//! either.

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::random::Random;

/// Stands between the name of the interaction and what is drawn.
const SEPARATOR: char = '.';

/// The way.
#[derive(Clone, Debug)]
pub struct Trip {
    /// `state`.
    pub state: String,
    /// `nonce`, which the ID token must repeat.
    pub nonce: String,
    /// `code_verifier` (RFC 7636).
    pub verifier: Secret,
}

impl Trip {
    /// Sets out, from an interaction of this name, in the browser with this cookie.
    #[must_use]
    pub fn begin(random: &Random, interaction: &str, browser: &str) -> Self {
        Self::of(format!("{interaction}{SEPARATOR}{}", random.token()), browser)
    }

    /// Comes back with this `state` to the browser with this cookie.
    #[must_use]
    pub fn of(state: String, browser: &str) -> Self {
        let nonce = derive(browser, "nonce", &state);
        let verifier = Secret::new(derive(browser, "code_verifier", &state));
        Self { state, nonce, verifier }
    }

    /// `code_challenge`, S256.
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.reveal()))
    }

    /// How it is kept: the digest of `state`, and of the provider that was set out for, so that what comes back from
    /// another one is not taken for it.
    #[must_use]
    pub fn digest(state: &str, provider: &str) -> Vec<u8> {
        Sha256::digest(format!("{provider}\n{state}")).to_vec()
    }

    /// The name of the interaction that a `state` belongs to.
    #[must_use]
    pub fn interaction(state: &str) -> Option<&str> {
        state.split_once(SEPARATOR).map(|(name, _)| name)
    }
}

/// 256 bits for one purpose. HMAC takes keys of any length.
fn derive(browser: &str, purpose: &str, state: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(browser.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("attache {purpose} 1\n{state}").as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
