//! Step 2: a bearer token becomes a [`Caller`], and nothing else does.
//!
//! The signature is checked once per token and worker; what depends on the endpoint or on the time is checked on
//! every request. Tokens without a signature are asked about: [`crate::introspection`].

use std::rc::Rc;

use attache_protocol::{
    bearer::{self, Authorization},
    claims::{ACCESS_TOKEN_TYPE, Claims},
    jwk::{Extensions, Found, Key, Unverified},
    personal_token::{self, Form},
    plugin::{Authentication, CallerToken},
};
use jwt_compact::UntrustedToken;

use crate::{
    config::{Endpoint, Gateway},
    introspection::{self, Introspection},
    keys::{Adopted, Hope, JwksError, Keys},
    refusal::{Refusal, TokenFlaw},
    request::headers::{Field, Headers},
};

mod memory;

pub(crate) use memory::Memory;
pub use memory::{Mark, MarkKey};

/// How far clocks may be apart, seconds.
const LEEWAY: i64 = 60;
/// A longer token is refused, bytes.
const LONGEST: usize = 16 * 1024;

/// Who calls: the proof that a request may go on.
#[derive(Clone, Debug)]
pub struct Caller(Option<Rc<Identity>>);

/// What a verified token says.
#[derive(Debug)]
pub struct Identity {
    /// Its claims.
    pub claims: Claims,
    /// From when on it is refused, Unix seconds.
    dead: i64,
}

/// What a worker needs to believe a token: the issuer's name, its keys, the tokens seen before, and whom to ask about
/// those that say nothing themselves.
#[derive(Debug)]
pub struct Trust {
    issuer: String,
    key: MarkKey,
    /// The issuer's keys.
    pub keys: Keys,
    verified: Memory<Rc<Identity>>,
    /// Opaque tokens; without it there are none.
    pub introspection: Option<Introspection>,
}

/// Whether a request can still wait for keys, or for an answer about its token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patience {
    /// It can.
    Waits,
    /// It has waited long enough.
    Over,
}

/// What came of the `Authorization` header.
#[derive(Debug)]
pub enum Verdict {
    /// Go on.
    Caller(Caller),
    /// What could decide is on its way.
    Undecided,
    /// No.
    Refused(Refusal),
}

impl Caller {
    /// What the token said; none where nobody needs one.
    #[must_use]
    pub const fn identity(&self) -> Option<&Rc<Identity>> {
        self.0.as_ref()
    }
}

impl Trust {
    /// Nothing is known yet but the issuer's name, and whom to ask.
    #[must_use]
    pub fn new(gateway: &Gateway, key: MarkKey) -> Self {
        let issuer = gateway.issuer.clone();
        let introspection = gateway
            .introspection
            .clone()
            .map(|policy| Introspection::new(policy, issuer.clone(), key.clone()));
        let keys = Keys::new(gateway.jwks.clone());
        Self { issuer, key, keys, verified: Memory::new(), introspection }
    }

    /// Takes the issuer's keys; with other keys than before, every token is checked again.
    ///
    /// # Errors
    /// As [`Keys::adopt`].
    pub fn adopt(&mut self, text: &[u8], fetched_ms: u64) -> Result<Adopted, JwksError> {
        let adopted = self.keys.adopt(text, fetched_ms)?;
        if adopted == Adopted::Other {
            self.verified.forget();
        }
        Ok(adopted)
    }

    /// Decides on the `Authorization` header of a request to `endpoint`.
    pub fn authorize(
        &mut self,
        endpoint: &Endpoint,
        authorization: Field<'_>,
        patience: Patience,
        now_ms: u64,
    ) -> Verdict {
        let token = match self.presented(endpoint, authorization) {
            Ok(Some(token)) => token,
            Ok(None) => return Verdict::Caller(Caller(None)),
            Err(refusal) => return Verdict::Refused(refusal),
        };
        match self.look(token, endpoint, patience, now_ms) {
            Sight::Verified(identity) => match identity.suits(endpoint, now_ms) {
                Ok(()) => Verdict::Caller(Caller(Some(identity))),
                Err(refusal) => Verdict::Refused(refusal),
            },
            Sight::Undecided => Verdict::Undecided,
            Sight::Refused(refusal) => Verdict::Refused(refusal),
        }
    }

    fn look(&mut self, token: &str, endpoint: &Endpoint, patience: Patience, now_ms: u64) -> Sight {
        if let Some(introspection) = &mut self.introspection {
            match personal_token::form(token) {
                Form::Whole => return introspection.look(token, endpoint, patience, now_ms),
                Form::Broken => return flawed(TokenFlaw::Checksum),
                Form::Other => {}
            }
        }
        let mark = self.key.mark(&[token]);
        if let Some(identity) = self.verified.recall(mark) {
            return Sight::Verified(identity);
        }
        let sight = self.verify(token, patience, now_ms);
        if let Sight::Verified(identity) = &sight {
            self.verified.remember(mark, Rc::clone(identity));
        }
        sight
    }

    /// Whether `Authorization` stays here when a request goes on.
    #[must_use]
    pub fn withholds(&self, endpoint: &Endpoint, headers: &Headers) -> bool {
        headers.all("authorization").any(|value| !self.passes(endpoint, value))
    }

    /// Whether a server gets this credential. A token of our issuer opens other endpoints, so a server gets one only
    /// where the operator said so, also where no token is asked for; a personal access token, which it could not even
    /// check, never.
    fn passes(&self, endpoint: &Endpoint, value: &[u8]) -> bool {
        if introspection::carries_token(value) {
            return false;
        }
        let forwarded = endpoint.caller_token == CallerToken::Forwarded;
        match (&endpoint.foreign, endpoint.authentication) {
            (Some(foreign), _) => {
                let bearer = bearer::scheme(value).eq_ignore_ascii_case(b"bearer");
                (forwarded && bearer) || (foreign.lists(value) && !self.is_ours(value))
            }
            (None, Authentication::Required | Authentication::Optional) => forwarded,
            (None, Authentication::None) => forwarded || !self.is_ours(value),
        }
    }

    /// Whether a credential of any scheme is a token of ours, as far as it says so itself.
    fn is_ours(&self, value: &[u8]) -> bool {
        introspection::carries_token(value)
            || bearer::unverified_issuer(value).as_ref() == Some(&self.issuer)
    }

    /// The bearer token of a request; `None` where nobody needs one, or the server checks what there is.
    fn presented<'a>(
        &self,
        endpoint: &Endpoint,
        authorization: Field<'a>,
    ) -> Result<Option<&'a str>, Refusal> {
        let malformed = Err(Refusal::InvalidToken(TokenFlaw::Malformed));
        let value = match (endpoint.authentication, authorization) {
            (Authentication::None, _) | (Authentication::Optional, Field::Absent) => {
                return Ok(None);
            }
            (Authentication::Required, Field::Absent) => return Err(Refusal::MissingToken),
            (Authentication::Required | Authentication::Optional, Field::Several) => {
                return malformed;
            }
            (Authentication::Required | Authentication::Optional, Field::Once(value)) => value,
        };
        match bearer::parse(value) {
            Authorization::Bearer(token) if token.len() > LONGEST => {
                Err(Refusal::InvalidToken(TokenFlaw::TooLong))
            }
            Authorization::Bearer(token) => Ok(Some(token)),
            Authorization::Foreign if self.leaves_to_server(endpoint, value) => Ok(None),
            Authorization::Foreign => Err(Refusal::MissingToken),
            Authorization::Malformed => malformed,
        }
    }

    /// Whether the server checks this credential.
    fn leaves_to_server(&self, endpoint: &Endpoint, value: &[u8]) -> bool {
        let listed = endpoint.foreign.as_ref().is_some_and(|foreign| foreign.lists(value));
        // A token of ours in the clothes of another scheme would get in unchecked.
        listed && !self.is_ours(value)
    }

    /// Checks a token that was not seen before: everything that depends neither on endpoint nor on expiry.
    fn verify(&mut self, token: &str, patience: Patience, now_ms: u64) -> Sight {
        let Ok(token) = UntrustedToken::<'_, Extensions>::try_from(token) else {
            return flawed(TokenFlaw::Malformed);
        };
        if let Err(flaw) = check_header(&token) {
            return flawed(flaw);
        }
        let Some(set) = self.keys.usable(now_ms) else {
            return match patience {
                Patience::Waits => Sight::Undecided,
                Patience::Over => Sight::Refused(Refusal::NoKeys),
            };
        };
        match set.find(token.header().key_id.as_deref()) {
            Found::Key(key) => match check_content(key, &token, &self.issuer, now_ms) {
                Ok(identity) => Sight::Verified(Rc::new(identity)),
                Err(flaw) => flawed(flaw),
            },
            Found::Ambiguous => flawed(TokenFlaw::MissingKeyId),
            Found::Unknown => match (self.keys.unknown_kid(now_ms), patience) {
                (Hope::Soon, Patience::Waits) => Sight::Undecided,
                (Hope::Soon, Patience::Over) | (Hope::None, _) => flawed(TokenFlaw::UnknownKey),
            },
        }
    }
}

/// What a token turned out to be, whatever it is used for.
#[derive(Debug)]
pub(crate) enum Sight {
    /// Good.
    Verified(Rc<Identity>),
    /// What could decide is on its way.
    Undecided,
    /// Good for nothing.
    Refused(Refusal),
}

const fn flawed(flaw: TokenFlaw) -> Sight {
    Sight::Refused(Refusal::InvalidToken(flaw))
}

fn check_header(token: &UntrustedToken<'_, Extensions>) -> Result<(), TokenFlaw> {
    if token.header().other_fields.critical {
        return Err(TokenFlaw::Critical);
    }
    // Before the key is looked up: no key set, and no fetch of one, makes these acceptable.
    let algorithm = token.algorithm();
    if algorithm.eq_ignore_ascii_case("none") || algorithm.starts_with("HS") {
        return Err(TokenFlaw::Algorithm);
    }
    // RFC 9068 section 4: `at+jwt` or `application/at+jwt`, as media types are compared.
    let typ = token.header().token_type.as_deref().unwrap_or_default();
    let typ = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    if !typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) {
        return Err(TokenFlaw::Type);
    }
    Ok(())
}

fn check_content(
    key: &Key,
    token: &UntrustedToken<'_, Extensions>,
    issuer: &str,
    now_ms: u64,
) -> Result<Identity, TokenFlaw> {
    let claims = key.verify::<Claims, _>(token).map_err(|unverified| match unverified {
        Unverified::Algorithm => TokenFlaw::Algorithm,
        Unverified::Signature => TokenFlaw::Signature,
        Unverified::Claims => TokenFlaw::Claims,
    })?;
    if claims.custom.iss != issuer {
        return Err(TokenFlaw::Issuer);
    }
    let Some(expires) = claims.expiration.map(|expires| expires.timestamp()) else {
        return Err(TokenFlaw::NoExpiry);
    };
    let latest = seconds(now_ms).saturating_add(LEEWAY);
    let early = |time: i64| time > latest;
    let not_before = claims.not_before.map(|time| time.timestamp());
    let issued_at = claims.issued_at.map(|time| time.timestamp());
    if not_before.is_some_and(early) || issued_at.is_some_and(early) {
        return Err(TokenFlaw::NotYetValid);
    }
    Ok(Identity::new(claims.custom, expires.saturating_add(LEEWAY)))
}

impl Identity {
    /// Of a token that was verified; from `dead` on, Unix seconds, it is refused.
    pub(crate) const fn new(claims: Claims, dead: i64) -> Self {
        Self { claims, dead }
    }

    /// From when on it is refused, Unix milliseconds.
    pub(crate) fn dead_ms(&self) -> u64 {
        u64::try_from(self.dead).unwrap_or(0).saturating_mul(1000)
    }

    /// What is checked on every request: the time, and what the endpoint asks for.
    fn suits(&self, endpoint: &Endpoint, now_ms: u64) -> Result<(), Refusal> {
        if self.has_expired(now_ms) {
            return Err(Refusal::InvalidToken(TokenFlaw::Expired));
        }
        if !self.claims.aud.contains(&endpoint.resource) {
            return Err(Refusal::InvalidToken(TokenFlaw::Audience));
        }
        let granted = self.claims.scope.as_deref().unwrap_or_default();
        let has = |scope: &String| granted.split(' ').any(|granted| granted == scope);
        if endpoint.scopes.iter().all(has) { Ok(()) } else { Err(Refusal::InsufficientScope) }
    }

    fn has_expired(&self, now_ms: u64) -> bool {
        seconds(now_ms) >= self.dead
    }
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
