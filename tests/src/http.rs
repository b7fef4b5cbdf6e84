//! The HTTP client of the tests: follows no redirect, uses no proxy, knows no cookie.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, redirect::Policy};

/// A client with a pool of its own, so that it may be used from any runtime.
///
/// # Panics
/// When TLS cannot be set up.
#[must_use]
pub fn client() -> Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Somebody else may have been first: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("an HTTP client")
}
