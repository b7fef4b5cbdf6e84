//! What a browser comes back with (RFC 6749 section 4.1.2, RFC 9207).

use std::sync::atomic::Ordering;

use thiserror::Error;

use super::{Provider, discovery::Metadata, issuer::Issuers, plain};
use crate::{
    authorization::parameters::{BadParameter, Parameters},
    pages::words::is_deceptive,
};

/// Longest code that is passed on, bytes.
const MAX_CODE: usize = 8 * 1024;
/// Longest other parameter, bytes.
const MAX_VALUE: usize = 2048;
/// Longest description that is looked at, characters.
const MAX_DESCRIPTION: usize = 200;

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Returned {
    /// A code.
    Code(String),
    /// None, and why.
    Error {
        /// Its code: letters, digits, `_`, `.` and `-`.
        code: String,
        /// What the provider says to it, of visible characters.
        description: Option<String>,
    },
}

/// Why an answer is none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BadReturn {
    /// It is not a query as it should be.
    #[error(transparent)]
    Parameter(#[from] BadParameter),
    /// It says whose it is, and it is not this provider's: somebody mixes them up (RFC 9700 section 4.4).
    #[error("iss is of another provider")]
    OtherIssuer,
    /// It does not say whose it is, although this provider always does.
    #[error("iss is missing, which this provider always sends")]
    NoIssuer,
    /// There is neither a code nor an error.
    #[error("there is neither code nor error")]
    Nothing,
}

impl Returned {
    /// Reads the query of a callback; `state` is for whoever sent the browser.
    ///
    /// # Errors
    /// When it is none of this provider's.
    pub fn read(
        parameters: &Parameters,
        issuers: &Issuers,
        metadata: &Metadata,
    ) -> Result<Self, BadReturn> {
        match parameters.text("iss", MAX_VALUE)? {
            Some(iss) if issuers.contain(iss) => {}
            Some(_) => return Err(BadReturn::OtherIssuer),
            None if metadata.says_iss => return Err(BadReturn::NoIssuer),
            None => {}
        }
        if let Some(error) = parameters.text("error", MAX_VALUE)? {
            let description = parameters.text("error_description", MAX_VALUE).ok().flatten();
            return Ok(Self::Error {
                code: plain(error),
                description: description.and_then(shown),
            });
        }
        match parameters.text("code", MAX_CODE)? {
            Some(code) => Ok(Self::Code(code.to_owned())),
            None => Err(BadReturn::Nothing),
        }
    }
}

impl Provider {
    /// Reads the query of a callback.
    ///
    /// # Errors
    /// When what the provider offers is not known; inside, when the query is none of its.
    pub async fn returned(
        &self,
        parameters: &Parameters,
    ) -> Result<Result<Returned, BadReturn>, super::Error> {
        let metadata = self.metadata().await?;
        let returned = Returned::read(parameters, self.issuers(), &metadata);
        if let Ok(Returned::Error { code, description }) = &returned
            && refuses_prompt(code, description.as_deref())
        {
            self.offers_no_choice.store(true, Ordering::Relaxed);
        }
        Ok(returned)
    }
}

/// Whether it does not know a `prompt` that it was sent.
#[must_use]
pub fn refuses_prompt(code: &str, description: Option<&str>) -> bool {
    code == "invalid_request" && description.is_some_and(|text| text.contains("prompt"))
}

/// A description as it may be shown: the provider wrote it, or whoever stands in between.
pub(super) fn shown(text: &str) -> Option<String> {
    let clean: String =
        text.chars().filter(|one| !is_deceptive(*one)).take(MAX_DESCRIPTION).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}
