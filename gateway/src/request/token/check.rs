//! Header and content of a token that was not seen before.

use attache_protocol::{
    claims::Claims,
    foreign::{self, Raw},
    jwk::{Extensions, Key, Unverified},
    plugin::{ForeignTokens, IdTokens, Tokens},
};
use jwt_compact::UntrustedToken;

use super::{Identity, LEEWAY, Looked, seconds};
use crate::refusal::TokenFlaw;

/// What a token says of itself before its key is known.
pub(super) fn header(
    token: &UntrustedToken<'_, Extensions>,
    tokens: &Tokens,
) -> Result<(), TokenFlaw> {
    if token.header().other_fields.critical {
        return Err(TokenFlaw::Critical);
    }
    // Before the key is looked up: no key set, and no fetch of one, makes these acceptable.
    let algorithm = token.algorithm();
    if algorithm.eq_ignore_ascii_case("none") || algorithm.starts_with("HS") {
        return Err(TokenFlaw::Algorithm);
    }
    let typ = token.header().token_type.as_deref();
    let good = match tokens {
        Tokens::Own => typ.is_some_and(foreign::is_our_type),
        Tokens::Foreign(_) => foreign::is_access_type(typ),
    };
    if !good {
        return Err(TokenFlaw::Type);
    }
    Ok(())
}

/// What a token says, if this key signed it: everything that depends neither on endpoint nor on expiry.
pub(super) fn content(
    key: &Key,
    token: &UntrustedToken<'_, Extensions>,
    (issuer, tokens): (&str, &Tokens),
    now_ms: u64,
) -> Result<Identity, TokenFlaw> {
    let claims = match tokens {
        Tokens::Own => key.verify::<Claims, _>(token).map_err(flaw_of)?,
        Tokens::Foreign(tokens) => foreign_claims(key, token, tokens)?,
    };
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
    Ok(Identity::new(claims.custom, expires.saturating_add(LEEWAY), Looked::Nobody))
}

/// What a token of a provider says, in our words.
fn foreign_claims(
    key: &Key,
    token: &UntrustedToken<'_, Extensions>,
    tokens: &ForeignTokens,
) -> Result<jwt_compact::Claims<Claims>, TokenFlaw> {
    let claims = key.verify::<Raw, _>(token).map_err(flaw_of)?;
    if tokens.id_tokens == IdTokens::Refused && foreign::is_other_kind(&claims.custom) {
        return Err(TokenFlaw::Type);
    }
    let read = foreign::read(&claims.custom, tokens).ok_or(TokenFlaw::Claims)?;
    let mut ours = jwt_compact::Claims::new(read);
    ours.expiration = claims.expiration;
    ours.not_before = claims.not_before;
    ours.issued_at = claims.issued_at;
    Ok(ours)
}

const fn flaw_of(unverified: Unverified) -> TokenFlaw {
    match unverified {
        Unverified::Algorithm => TokenFlaw::Algorithm,
        Unverified::Signature => TokenFlaw::Signature,
        Unverified::Claims => TokenFlaw::Claims,
    }
}
