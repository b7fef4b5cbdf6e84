//! Step 2: a bearer token becomes a [`Caller`], and nothing else does.
//!
//! The signature is checked once per token and worker; what depends on the endpoint or on the time is checked on
//! every request. Tokens without a signature are asked about: [`crate::introspection`].

use std::{net::IpAddr, rc::Rc};

use attache_protocol::{
    bearer::{self, Authorization},
    claims::Claims,
    jwk::{Extensions, Found},
    personal_token::{self, Form},
    plugin::{Authentication, CallerToken, Opaque, Tokens},
};
use jwt_compact::UntrustedToken;

use crate::{
    config::{Endpoint, Gateway},
    introspection::{self, Introspection},
    keys::{Adopted, Hope, JwksError, Keys},
    refusal::{Refusal, TokenFlaw},
    request::headers::{Field, Headers},
};

mod check;
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
    /// Who looked whom it is for.
    looked: Looked,
}

/// Who looked whom a token is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Looked {
    /// Nobody yet: it says so in `aud`.
    Nobody,
    /// Whoever said what it is worth at this endpoint.
    Issuer,
}

/// What a worker needs to believe a token: the issuer's name, its keys, the tokens seen before, and whom to ask about
/// those that say nothing themselves.
#[derive(Debug)]
pub struct Trust {
    issuer: String,
    tokens: Tokens,
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
    /// It can, and comes from there, as far as that was asked: see [`Trust::counts`].
    Waits(Option<IpAddr>),
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
        let tokens = gateway.tokens.clone();
        Self { issuer, tokens, key, keys, verified: Memory::new(), introspection }
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

    /// Whether a request may have to be asked about, so that it matters where it comes from.
    #[must_use]
    pub fn counts(&self, headers: &Headers) -> bool {
        let Some(introspection) = &self.introspection else { return false };
        headers.all("authorization").any(|value| introspection.may_ask_about(value))
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
            Sight::Verified(identity) => match identity.suits(endpoint, &self.tokens, now_ms) {
                Ok(()) => Verdict::Caller(Caller(Some(identity))),
                Err(refusal) => Verdict::Refused(refusal),
            },
            Sight::Undecided => Verdict::Undecided,
            Sight::Refused(refusal) => Verdict::Refused(refusal),
        }
    }

    fn look(&mut self, token: &str, endpoint: &Endpoint, patience: Patience, now_ms: u64) -> Sight {
        if let Some(introspection) = &mut self.introspection {
            match (introspection.takes(), personal_token::form(token)) {
                (Opaque::Personal, Form::Whole) => {
                    return introspection.look(token, endpoint, patience, now_ms);
                }
                (Opaque::Personal, Form::Broken) => return flawed(TokenFlaw::Checksum),
                (Opaque::Personal, Form::Other) | (Opaque::Any, _) => {}
            }
        }
        let mark = self.key.mark(&[token]);
        if let Some(identity) = self.verified.recall(mark) {
            return Sight::Verified(identity);
        }
        if let Some(introspection) =
            self.introspection.as_mut().filter(|one| one.takes_opaque(token))
        {
            return introspection.look(token, endpoint, patience, now_ms);
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
            (None, Authentication::None) => {
                forwarded || !(self.is_ours(value) || self.may_be_ours(value))
            }
        }
    }

    /// Whether a credential of any scheme is a token of ours or carries one, as far as it says so itself.
    fn is_ours(&self, value: &[u8]) -> bool {
        introspection::carries_token(value)
            || bearer::unverified_issuers(value).contains(&self.issuer)
    }

    /// Whether a bearer token could be one of ours that says nothing: then a server that nobody meant gets none.
    fn may_be_ours(&self, value: &[u8]) -> bool {
        let Authorization::Bearer(token) = bearer::parse(value) else { return false };
        self.introspection.as_ref().is_some_and(|introspection| introspection.takes_opaque(token))
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
        if let Err(flaw) = check::header(&token, &self.tokens) {
            return flawed(flaw);
        }
        let Some(set) = self.keys.usable(now_ms) else {
            return match patience {
                Patience::Waits(_) => Sight::Undecided,
                Patience::Over => Sight::Refused(Refusal::NoKeys),
            };
        };
        match set.find(token.header().key_id.as_deref()) {
            Found::Key(key) => {
                match check::content(key, &token, (&self.issuer, &self.tokens), now_ms) {
                    Ok(identity) => Sight::Verified(Rc::new(identity)),
                    Err(flaw) => flawed(flaw),
                }
            }
            Found::Ambiguous => flawed(TokenFlaw::MissingKeyId),
            Found::Unknown => match (self.keys.unknown_kid(now_ms), patience) {
                (Hope::Soon, Patience::Waits(_)) => Sight::Undecided,
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

impl Identity {
    /// Of a token that was verified; from `dead` on, Unix seconds, it is refused.
    pub(crate) const fn new(claims: Claims, dead: i64, looked: Looked) -> Self {
        Self { claims, dead, looked }
    }

    /// From when on it is refused, Unix milliseconds.
    pub(crate) fn dead_ms(&self) -> u64 {
        u64::try_from(self.dead).unwrap_or(0).saturating_mul(1000)
    }

    /// What is checked on every request: the time, and what the endpoint asks for.
    fn suits(&self, endpoint: &Endpoint, tokens: &Tokens, now_ms: u64) -> Result<(), Refusal> {
        if self.has_expired(now_ms) {
            return Err(Refusal::InvalidToken(TokenFlaw::Expired));
        }
        if self.looked == Looked::Nobody && !self.is_for(endpoint, tokens) {
            return Err(Refusal::InvalidToken(TokenFlaw::Audience));
        }
        if matches!(tokens, Tokens::Foreign(tokens) if tokens.claims.scope.is_empty()) {
            return Ok(());
        }
        let granted = self.claims.scope.as_deref().unwrap_or_default();
        let has = |scope: &String| granted.split(' ').any(|granted| granted == scope);
        if endpoint.scopes.iter().all(has) { Ok(()) } else { Err(Refusal::InsufficientScope) }
    }

    fn is_for(&self, endpoint: &Endpoint, tokens: &Tokens) -> bool {
        match tokens {
            Tokens::Foreign(tokens) if !tokens.audiences.is_empty() => {
                tokens.audiences.iter().any(|audience| self.claims.aud.contains(audience))
            }
            Tokens::Own | Tokens::Foreign(_) => self.claims.aud.contains(&endpoint.resource),
        }
    }

    fn has_expired(&self, now_ms: u64) -> bool {
        seconds(now_ms) >= self.dead
    }
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod foreign_tests;
#[cfg(test)]
mod tests;
