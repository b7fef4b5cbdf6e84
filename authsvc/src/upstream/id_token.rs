//! ID tokens (OpenID Connect Core sections 2 and 3.1.3.7): who logged in, for whom, and for which request.

use attache_protocol::{
    claims::Audience,
    jwk::{Extensions, Found, KeySet, Unverified},
    secret::Secret,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::UntrustedToken;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::issuer::Issuers;

/// How far clocks may be apart, seconds.
const LEEWAY: i64 = 60;
/// Longest subject, bytes (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;

/// What is expected of an ID token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Whom it must be for.
    pub client_id: &'a str,
    /// What was sent with the request.
    pub nonce: &'a str,
    /// Google: the organization that it must name.
    pub hosted_domain: Option<&'a str>,
    /// The access token that came with it.
    pub access_token: Option<&'a Secret>,
}

/// An ID token that is good.
#[derive(Clone, Debug)]
pub struct Verified {
    /// `iss`.
    pub issuer: String,
    /// `sub`: never reassigned within its issuer.
    pub subject: String,
    /// Everything else that it says.
    pub claims: Map<String, Value>,
}

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refused {
    /// There is none.
    #[error("there is none: the scope must have openid")]
    Missing,
    /// It is no signed JWT.
    #[error("it is no signed JWT")]
    Form,
    /// It says what must be understood, and is not (RFC 7515 section 4.1.11).
    #[error("it has critical extensions")]
    Critical,
    /// It is another kind of JWT.
    #[error("its typ is of another kind of JWT")]
    Type,
    /// No key of the provider has its `kid`.
    #[error("it is signed with a key that the provider does not publish")]
    UnknownKey,
    /// It names no key, and there are several.
    #[error("it names no key, and the provider has several")]
    NoKey,
    /// Its algorithm is not that of the key; `none` and HMAC are never.
    #[error("its alg is not that of the key")]
    Algorithm,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// Claims that must be there are not.
    #[error("it lacks iss, sub, aud, exp or iat, or they are malformed")]
    Claims,
    /// Of another issuer, or a tenant that may not come in.
    #[error("its iss is of another issuer, or of a tenant that is not listed")]
    Issuer,
    /// `tid` is not the tenant of `iss`.
    #[error("its tid is not the tenant of its iss")]
    Tenant,
    /// For another client.
    #[error("it is for another client (aud)")]
    Audience,
    /// For several, and issued to another one.
    #[error("it was issued to another client (azp)")]
    AuthorizedParty,
    /// It is over.
    #[error("it has expired: look at the clocks")]
    Expired,
    /// It is not yet good.
    #[error("it begins in the future: look at the clocks")]
    Future,
    /// Not of this request.
    #[error("its nonce is not that of the request")]
    Nonce,
    /// Not of this access token.
    #[error("its at_hash is not of the access token")]
    AccessToken,
    /// Not of the organization.
    #[error("its hd is not the hosted domain")]
    HostedDomain,
    /// Nobody can be called so.
    #[error("its sub has not 1 to 255 visible characters")]
    Subject,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    nonce: Option<String>,
    at_hash: Option<String>,
    tid: Option<String>,
    hd: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Checks an ID token; `now` in Unix seconds.
///
/// # Errors
/// What is wrong with it.
pub fn verify(
    token: &Secret,
    keys: &KeySet,
    issuers: &Issuers,
    expected: Expected<'_>,
    now: i64,
) -> Result<Verified, Refused> {
    let token = UntrustedToken::<'_, Extensions>::try_from(token.reveal().as_str())
        .map_err(|_error| Refused::Form)?;
    let header = token.header();
    if header.other_fields.critical {
        return Err(Refused::Critical);
    }
    if !header.token_type.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT")) {
        return Err(Refused::Type);
    }
    let key = match keys.find(header.key_id.as_deref()) {
        Found::Key(key) => key,
        Found::Unknown => return Err(Refused::UnknownKey),
        Found::Ambiguous => return Err(Refused::NoKey),
    };
    let claims = key.verify::<Claims, _>(&token).map_err(|unverified| match unverified {
        Unverified::Algorithm => Refused::Algorithm,
        Unverified::Signature => Refused::Signature,
        Unverified::Claims => Refused::Claims,
    })?;
    let seconds = [claims.expiration, claims.issued_at, claims.not_before]
        .map(|time| time.map(|time| time.timestamp()));
    lifetime(seconds, now)?;
    let claims = claims.custom;
    claims.origin(issuers)?;
    claims.receiver(expected.client_id)?;
    claims.request(expected, token.algorithm())?;
    let Claims { iss, sub, more, .. } = claims;
    if sub.is_empty() || sub.len() > MAX_SUBJECT || sub.contains(char::is_control) {
        return Err(Refused::Subject);
    }
    Ok(Verified { issuer: iss, subject: sub, claims: more })
}

/// Whether it is good now: `exp`, `iat`, `nbf`.
fn lifetime(
    [expires_at, issued_at, not_before]: [Option<i64>; 3],
    now: i64,
) -> Result<(), Refused> {
    let (Some(expires_at), Some(issued_at)) = (expires_at, issued_at) else {
        return Err(Refused::Claims);
    };
    if expires_at.saturating_add(LEEWAY) <= now {
        return Err(Refused::Expired);
    }
    let latest = now.saturating_add(LEEWAY);
    if issued_at > latest || not_before.is_some_and(|time| time > latest) {
        return Err(Refused::Future);
    }
    Ok(())
}

impl Claims {
    fn origin(&self, issuers: &Issuers) -> Result<(), Refused> {
        if !issuers.contain(&self.iss) {
            return Err(Refused::Issuer);
        }
        if !issuers.agree(&self.iss, self.tid.as_deref()) {
            return Err(Refused::Tenant);
        }
        Ok(())
    }

    /// For us, and where others could use it as well, issued to us.
    fn receiver(&self, client_id: &str) -> Result<(), Refused> {
        if !self.aud.contains(client_id) {
            return Err(Refused::Audience);
        }
        let several = matches!(&self.aud, Audience::Many(many) if many.len() > 1);
        match &self.azp {
            Some(azp) if azp == client_id => Ok(()),
            None if !several => Ok(()),
            Some(_) | None => Err(Refused::AuthorizedParty),
        }
    }

    /// Of this request, and of these tokens.
    fn request(&self, expected: Expected<'_>, algorithm: &str) -> Result<(), Refused> {
        let nonce = self.nonce.as_deref().unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(Refused::Nonce);
        }
        if let (Some(hash), Some(token)) = (&self.at_hash, expected.access_token)
            && !bool::from(hash.as_bytes().ct_eq(half_hash(token, algorithm).as_bytes()))
        {
            return Err(Refused::AccessToken);
        }
        let domain = self.hd.as_deref().unwrap_or_default();
        if expected.hosted_domain.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(domain)) {
            return Err(Refused::HostedDomain);
        }
        Ok(())
    }
}

/// The left half of the digest that an algorithm uses, in base64url (OpenID Connect Core section 3.1.3.6).
fn half_hash(token: &Secret, algorithm: &str) -> String {
    let token = token.reveal().as_bytes();
    let digest = match algorithm {
        "RS384" | "PS384" | "ES384" => Sha384::digest(token).to_vec(),
        // Ed25519 hashes with SHA-512.
        "RS512" | "PS512" | "EdDSA" | "Ed25519" => Sha512::digest(token).to_vec(),
        _ => Sha256::digest(token).to_vec(),
    };
    let half = digest.get(..digest.len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}
