//! The HTTP client with which we go out: to where the configuration says, and nowhere else. [`target`] says where that
//! may be, [`guarded`] asks others for JSON.

pub mod guarded;
pub mod target;
#[cfg(test)]
mod tests;

use reqwest::{Client, ClientBuilder, redirect};
use std::error::Error;

/// A client that follows no redirect and no proxy of the environment. `scheme` is that of what it will be used for.
pub(crate) fn builder(scheme: &str) -> ClientBuilder {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("a TLS provider was installed before");
    }
    let client = Client::builder()
        .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy();
    if scheme == "http" {
        // No certificate will be looked at, so none needs to be on this machine.
        return client.tls_certs_only([]);
    }
    client
}

/// An error with its causes, innermost last, and without the URL, which may carry secrets.
#[must_use]
pub(crate) fn explain(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

/// An error with its causes, innermost last.
#[must_use]
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
