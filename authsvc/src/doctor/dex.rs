//! The gRPC API of Dex.

use std::net::IpAddr;

use super::Finding;
use crate::{
    config::{self, Config, Registrar},
    dex::api::{Api, Error},
};

const CHECK: &str = "dex";

/// Whether it answers, as which Dex, and whether others could be heard or let in.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let brokered = config.authorization.brokered();
    match brokered.map(|brokered| &brokered.registrar) {
        Some(Registrar::Dex(dex)) => vec![api(dex).await],
        Some(Registrar::Static(_) | Registrar::Registration(_)) | None => Vec::new(),
    }
}

async fn api(dex: &config::Dex) -> Finding {
    let address = &dex.address;
    let version = match Api::new(dex.clone()).version().await {
        Ok(version) => version,
        Err(error) => return Finding::failed(CHECK, error.to_string(), remedy(&error)),
    };
    let found = format!("{address}: {} (API {})", version.server, version.api);
    match &dex.tls {
        None if !is_here(&address.host) => {
            let found =
                format!("{found} is spoken to in clear, and lets anybody in who reaches it");
            let remedy = "give Dex tlsCert, tlsKey and tlsClientCA, and authorization.dex.grpc.tls the other end of them";
            Finding::warning(CHECK, found, remedy)
        }
        Some(tls) if tls.identity.is_none() => {
            let found = format!("{found} lets anybody in who reaches it");
            let remedy =
                "give Dex tlsClientCA, and authorization.dex.grpc.tls certificate and private_key";
            Finding::warning(CHECK, found, remedy)
        }
        Some(_) => Finding::ok(CHECK, format!("{found}, over TLS with our certificate")),
        None => Finding::ok(CHECK, found),
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

const fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Unreachable { .. } => {
            "see that Dex runs with `grpc.addr`, and that authorization.dex.grpc has its address and, where it speaks TLS, its authority and a certificate that it believes"
        }
        Error::NotGrpc { .. } => {
            "give `grpc.addr` of Dex, not `web.http`; if it has `grpc.tlsCert`, give `tls`, too"
        }
        Error::File { .. } => "mend authorization.dex.grpc.tls",
        Error::Refused { .. } => "see that it is Dex, 2.43 or later",
    }
}
