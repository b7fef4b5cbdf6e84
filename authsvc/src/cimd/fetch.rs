//! Fetches what strangers name: over TLS from globally routable addresses, without redirects, not too long and not
//! too much.

use std::{net::IpAddr, time::Duration};

use thiserror::Error;
use url::Url;

use super::turns::{Turn, Turns};
use crate::{
    config::MetadataDocuments,
    outgoing::{
        guarded::{Bounds, Guarded, NotJson, Unanswered},
        target::TargetError,
    },
};

/// What an answer may cost.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 64 * 1024 };

/// Fetches documents and keys of clients.
#[derive(Debug)]
pub struct Fetcher {
    client: Guarded,
    policy: MetadataDocuments,
    turns: Turns,
}

/// What was fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// JSON, as it says.
    pub body: Vec<u8>,
    /// How long it is good.
    pub age: Duration,
}

/// Why nothing was.
#[derive(Debug, Error)]
pub enum FetchError {
    /// We do not speak to that.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody answered, or not in time; later it may be otherwise.
    #[error("it cannot be fetched: {0}")]
    Silent(String),
    /// It is not there, or not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// Too many others are being fetched.
    #[error("too many documents are being fetched at the same time")]
    Busy,
}

impl FetchError {
    /// Whether what was known before is as good as it was.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Busy)
    }
}

impl Fetcher {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(policy: MetadataDocuments) -> Result<Self, reqwest::Error> {
        Ok(Self::through(Guarded::new(policy.targets, BOUNDS)?, policy))
    }

    /// Fetches through this client.
    pub(super) fn through(client: Guarded, policy: MetadataDocuments) -> Self {
        Self { client, policy, turns: Turns::default() }
    }

    /// Whose documents are trusted.
    #[must_use]
    pub const fn policy(&self) -> &MetadataDocuments {
        &self.policy
    }

    /// A turn for whoever asks from this address.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn turn(&self, address: IpAddr) -> Result<Turn<'_>, FetchError> {
        self.turns.take(address).ok_or(FetchError::Busy)
    }

    /// Fetches JSON for whoever asks from this address.
    ///
    /// # Errors
    /// When it is not to be had, or is none.
    pub async fn json(&self, address: IpAddr, url: &Url) -> Result<Fetched, FetchError> {
        let _turn = self.turn(address)?;
        let reply = self.client.get(url, None).await?.json()?;
        Ok(Fetched { body: reply.body, age: reply.age })
    }
}

impl From<NotJson> for FetchError {
    fn from(not: NotJson) -> Self {
        match not {
            NotJson::Passing(reason) => Self::Silent(reason),
            NotJson::Wrong(reason) => Self::Wrong(reason),
        }
    }
}

impl From<Unanswered> for FetchError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Target(error) => Self::Target(error),
            Unanswered::Silent(reason) => Self::Silent(reason),
            Unanswered::TooLong(_) => Self::Wrong(unanswered.to_string()),
        }
    }
}
