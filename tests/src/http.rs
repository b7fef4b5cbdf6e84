//! The HTTP client of the tests: follows no redirect, uses no proxy, knows no cookie.

use std::{net::IpAddr, sync::OnceLock, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// A client with a pool of its own, so that it may be used from any runtime.
///
/// # Panics
/// When TLS cannot be set up.
#[must_use]
pub fn client() -> Client {
    builder().build().expect("an HTTP client")
}

/// The same, at this address of this machine: 127.0.0.2, say, is another than that of [`client`].
///
/// # Panics
/// When TLS cannot be set up.
#[must_use]
pub fn client_at(address: IpAddr) -> Client {
    builder().local_address(address).build().expect("an HTTP client")
}

fn builder() -> ClientBuilder {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Somebody else may have been first: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30))
}
