//! A client shows who it is by a JWT that it signed (RFC 7523 sections 2.2 and 3, RFC 7521 section 4.2).
//!
//! Says whether a text is such a JWT, and good now; that it is used once is the store's to say.

use attache_protocol::{
    claims::Audience,
    jwk::{Extensions, Found, KeySet, Unverified},
};
use jwt_compact::UntrustedToken;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far clocks may be apart, seconds.
const LEEWAY: i64 = 60;
/// An assertion lives this long at most, seconds: one that is found later opens nothing. Libraries make them for an hour,
/// where nobody says otherwise.
const LONGEST: i64 = 3600;
/// Longest `jti`, bytes.
const MAX_ID: usize = 256;

/// What is expected of an assertion.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Whom it must be of, and about.
    pub client_id: &'a str,
    /// What it may be meant for: the issuer, or an endpoint of it. It must not be meant for anybody else as well.
    pub audiences: &'a [&'a str],
    /// Unix seconds.
    pub now: i64,
}

/// An assertion that is good, and may be used once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assertion {
    /// SHA-256 of client and `jti`.
    pub digest: Vec<u8>,
    /// When it is certainly dead, Unix seconds.
    pub expires_at: i64,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    jti: String,
}

/// Whom an assertion claims to be of; nothing is checked.
#[must_use]
pub fn client_id(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        sub: String,
    }
    let token = UntrustedToken::new(text).ok()?;
    let claims = token.deserialize_claims_unchecked::<Claimed>().ok()?;
    Some(claims.custom.sub)
}

/// The key that an assertion claims to be signed with; nothing is checked.
#[must_use]
pub fn key_id(text: &str) -> Option<String> {
    UntrustedToken::new(text).ok()?.header().key_id.clone()
}

/// Checks an assertion.
///
/// # Errors
/// What is wrong with it.
pub fn verify(
    text: &str,
    keys: &KeySet,
    expected: Expected<'_>,
) -> Result<Assertion, &'static str> {
    let Ok(token) = UntrustedToken::<'_, Extensions>::try_from(text) else {
        return Err("client_assertion is not a JWT");
    };
    let header = token.header();
    if header.other_fields.critical {
        return Err("client_assertion has critical extensions");
    }
    if !header.token_type.as_deref().is_none_or(is_type) {
        return Err("client_assertion has the typ of another kind of JWT");
    }
    let Found::Key(key) = keys.find(header.key_id.as_deref()) else {
        return Err("client_assertion names no key of this client");
    };
    let claims = key.verify::<Claims, _>(&token).map_err(|unverified| match unverified {
        Unverified::Algorithm => "the alg of client_assertion is not that of the key",
        Unverified::Signature => "the signature of client_assertion is wrong",
        Unverified::Claims => "client_assertion must have iss, sub, aud, exp and jti",
    })?;
    let expires_at = claims.expiration.map(|time| time.timestamp());
    let begins =
        [claims.not_before, claims.issued_at].map(|time| time.map(|time| time.timestamp()));
    let expires_at = lifetime(expires_at, &begins, expected.now)?;
    claims.custom.check(&expected)?;
    let digest = Sha256::digest(format!("{}\n{}", expected.client_id, claims.custom.jti)).to_vec();
    Ok(Assertion { digest, expires_at })
}

/// When it ends, if it is good now.
fn lifetime(
    expires_at: Option<i64>,
    begins: &[Option<i64>],
    now: i64,
) -> Result<i64, &'static str> {
    let expires_at = expires_at.ok_or("client_assertion must have exp")?;
    let latest = now.saturating_add(LEEWAY);
    if expires_at.saturating_add(LEEWAY) <= now {
        return Err("client_assertion has expired");
    }
    if expires_at > latest.saturating_add(LONGEST) {
        return Err("exp of client_assertion is more than an hour away");
    }
    if begins.iter().flatten().any(|time| *time > latest) {
        return Err("client_assertion begins in the future, look at the clock");
    }
    Ok(expires_at.saturating_add(LEEWAY))
}

impl Claims {
    fn check(&self, expected: &Expected<'_>) -> Result<(), &'static str> {
        if self.iss != expected.client_id || self.sub != expected.client_id {
            return Err("iss and sub of client_assertion must be the client_id");
        }
        let ours = |audience: &String| expected.audiences.contains(&audience.as_str());
        let meant = match &self.aud {
            Audience::One(one) => ours(one),
            Audience::Many(many) => !many.is_empty() && many.iter().all(ours),
        };
        if !meant {
            return Err("aud of client_assertion must be the issuer, and nothing else");
        }
        if self.jti.is_empty() || self.jti.len() > MAX_ID {
            return Err("jti of client_assertion must have 1 to 256 bytes");
        }
        Ok(())
    }
}

/// `client-authentication+jwt` is what newer drafts ask for, `JWT` and none what clients send.
fn is_type(typ: &str) -> bool {
    ["JWT", "client-authentication+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}
