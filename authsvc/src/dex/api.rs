//! Calls of the gRPC API of Dex: in clear, over TLS, or over TLS with a certificate of ours; each within a deadline,
//! tried again a few times when nobody answers. Every call may be made twice.

use std::{error::Error as _, fs, path::Path, time::Duration};

use axum::http::uri::PathAndQuery;
use prost::Message;
use thiserror::Error;
use tokio::time;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstCodec;

use super::wire::{
    Client, CreateClient, Created, DeleteClient, Done, GetVersion, UpdateClient, Version,
};
use crate::{
    config::{Dex, DexTls},
    outgoing::with_causes,
};

/// Patience with a connection, and with a call.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pauses before it is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Longest thing that Dex says which is repeated, characters.
const MAX_SAID: usize = 200;

/// How HTTP/2 says that what comes is not HTTP/2.
const BROKEN: &str = "connection error detected";
/// How TLS says that what comes is not TLS.
const CLEAR: &str = "InvalidContentType";

/// Longest that one call may take, all its tries together.
pub(super) const LONGEST: Duration = Duration::from_secs(8);

/// Where the API is, and how it is spoken to.
///
/// Connections are not kept: there are few calls, and a certificate that was renewed is used at the next.
#[derive(Clone, Debug)]
pub struct Api {
    config: Dex,
}

/// Why something cannot be done at Dex.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Error {
    /// Nobody answers there, or not in time.
    #[error("the gRPC API of Dex at {address} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why it is not.
        reason: String,
    },
    /// A file of ours is not what it should be.
    #[error("`{path}` cannot be used for the gRPC API of Dex: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Something else answers there.
    #[error("{address} does not speak gRPC: {reason}")]
    NotGrpc {
        /// Where the API should be.
        address: String,
        /// What comes instead.
        reason: String,
    },
    /// It answers, but does not do it.
    #[error("Dex at {address} refuses to {what} ({code:?}): {said}")]
    Refused {
        /// Where it is.
        address: String,
        /// What was asked of it.
        what: &'static str,
        /// As gRPC has it; Dex says `Unknown` of everything.
        code: Code,
        /// What it says to it.
        said: String,
    },
}

impl Error {
    /// Whether it may be otherwise later, with nothing changed.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// What is called, and what the log calls it.
#[derive(Clone, Copy)]
struct Call {
    path: &'static str,
    what: &'static str,
}

impl Api {
    /// Prepares; speaks to nobody.
    #[must_use]
    pub const fn new(config: Dex) -> Self {
        Self { config }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.config.address.to_string()
    }

    /// Which Dex it is.
    ///
    /// # Errors
    /// When it does not say so.
    pub async fn version(&self) -> Result<Version, Error> {
        let call = Call { path: "/api.Dex/GetVersion", what: "say its version" };
        self.call(call, GetVersion {}, "").await
    }

    /// Makes a client; `false` if there is one of this id.
    pub(super) async fn create(&self, client: Client) -> Result<bool, Error> {
        let call = Call { path: "/api.Dex/CreateClient", what: "create a client" };
        let secret = client.secret.clone();
        let created: Created =
            self.call(call, CreateClient { client: Some(client) }, &secret).await?;
        Ok(!created.already_exists)
    }

    /// Changes a client; `false` if there is none.
    pub(super) async fn update(&self, update: UpdateClient) -> Result<bool, Error> {
        let call = Call { path: "/api.Dex/UpdateClient", what: "change a client" };
        let done: Done = self.call(call, update, "").await?;
        Ok(!done.not_found)
    }

    /// Removes a client, if it is there.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Error> {
        let call = Call { path: "/api.Dex/DeleteClient", what: "remove a client" };
        let _done: Done = self.call(call, DeleteClient { id: id.to_owned() }, "").await?;
        Ok(())
    }

    /// `secret` is in the message, and is not to be in an error.
    async fn call<Q, A>(&self, call: Call, message: Q, secret: &str) -> Result<A, Error>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.once(call, message.clone(), secret).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if error.is_passing() => time::sleep(*pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn once<Q, A>(&self, call: Call, message: Q, secret: &str) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let done = time::timeout(PATIENCE, async {
            let mut client = Grpc::new(self.connect().await?);
            let silent = |error: tonic::transport::Error| self.unreachable(with_causes(&error));
            client.ready().await.map_err(silent)?;
            let mut request = Request::new(message);
            request.set_timeout(PATIENCE);
            let path = PathAndQuery::from_static(call.path);
            let answer = client.unary(request, path, ProstCodec::<Q, A>::default()).await;
            answer.map_err(|status| self.failed(call, &status, secret))
        });
        match done.await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_elapsed) => {
                Err(self.unreachable(format!("no answer within {} s", PATIENCE.as_secs())))
            }
        }
    }

    async fn connect(&self) -> Result<Channel, Error> {
        let scheme = if self.config.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", self.config.address);
        let endpoint = Endpoint::from_shared(url)
            .map_err(|error| self.unreachable(error.to_string()))?
            .connect_timeout(PATIENCE)
            .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| self.unreachable(error.to_string()))?;
        let endpoint = match &self.config.tls {
            None => endpoint,
            Some(tls) => endpoint
                .tls_config(tls_of(tls)?)
                .map_err(|error| self.unreachable(with_causes(&error)))?,
        };
        endpoint.connect().await.map_err(|error| self.unreachable(with_causes(&error)))
    }

    fn unreachable(&self, reason: String) -> Error {
        let reason = if self.config.tls.is_some() && reason.contains(CLEAR) {
            format!("{reason}; that port speaks no TLS: leave `tls` out")
        } else {
            reason
        };
        Error::Unreachable { address: self.address(), reason }
    }

    fn failed(&self, call: Call, status: &Status, secret: &str) -> Error {
        if let Some(reason) = status.source().map(with_causes).filter(|why| why.contains(BROKEN)) {
            return Error::NotGrpc { address: self.address(), reason: said(&reason, secret) };
        }
        let said = said(status.message(), secret);
        let code = status.code();
        if matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) {
            return self.unreachable(said);
        }
        Error::Refused { address: self.address(), what: call.what, code, said }
    }
}

fn tls_of(tls: &DexTls) -> Result<ClientTlsConfig, Error> {
    let config = match &tls.ca {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
    };
    Ok(match &tls.identity {
        None => config,
        Some(own) => {
            let (certificate, key) = (read(&own.certificate)?, read(&own.private_key)?);
            config.identity(Identity::from_pem(certificate, key))
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// What Dex says, as it may be shown.
fn said(message: &str, secret: &str) -> String {
    let clean: String = message.chars().filter(|one| !one.is_control()).collect();
    let clean = if secret.is_empty() { clean } else { clean.replace(secret, "…") };
    clean.chars().take(MAX_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn s67_what_dex_says_is_repeated_without_our_secret() {
        let long = format!("create client: duplicate ({}) the-secret\r\n{}", 'x', "y".repeat(500));
        let shown = said(&long, "the-secret");
        assert!(shown.starts_with("create client: duplicate (x) …yyy"), "{shown}");
        assert_eq!(shown.chars().count(), super::MAX_SAID);
    }
}
