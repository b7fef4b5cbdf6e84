//! The other parts: authsvc itself where Envoy asks it, the MCP servers, the receiver of the webhook.

use std::{net::SocketAddr, time::Duration};

use attache_protocol::plugin::CallerToken;
use reqwest::{StatusCode, header};
use serde_json::Value;
use tokio::time;
use url::Host;

use super::{Finding, all, fetch};
use crate::{
    address::on_this_machine,
    config::{Config, HttpVersion, Server},
    outgoing::{self, target},
};

/// Patience with the resolver of names.
const RESOLVING: Duration = Duration::from_secs(5);
/// What every MCP server may be asked; one that wants a session first says so, and that is an answer, too.
const PING: &str = r#"{"jsonrpc":"2.0","id":"doctor","method":"ping"}"#;

/// The internal listener.
pub(super) async fn internal(config: &Config) -> Finding {
    const CHECK: &str = "internal";
    let address = on_this_machine(config.service.internal);
    let url = format!("http://{address}/ready");
    let fetched = match fetch::get(&url).await {
        Ok(fetched) => fetched,
        Err(error) => {
            let found = format!("{address} does not answer: {error}");
            return Finding::failed(CHECK, found, "start `authsvc serve`, or look at its log");
        }
    };
    match fetched.status {
        StatusCode::OK => running(CHECK, config, address).await,
        status => Finding::failed(
            CHECK,
            format!("{address} is not ready ({status})"),
            "look at the log of authsvc",
        ),
    }
}

/// Whether what runs there has read this configuration, and is of this version.
async fn running(check: &str, config: &Config, address: SocketAddr) -> Finding {
    const REMEDY: &str = "restart it";
    let url = format!("http://{address}/status");
    let status = match fetch::get_with(&url, &config.service.secret).await {
        Ok(fetched) if fetched.status == StatusCode::UNAUTHORIZED => {
            let found = format!("{address} is ready, but has another service.secret");
            return Finding::failed(
                check,
                found,
                "restart it, and render Envoy's configuration anew",
            );
        }
        Ok(fetched) => fetched,
        Err(error) => {
            let found = format!("{address} is ready, but {url} cannot be read: {error}");
            return Finding::warning(check, found, REMEDY);
        }
    };
    let status: Value = serde_json::from_slice(&status.body).unwrap_or_default();
    match status.get("version").and_then(Value::as_str) {
        Some(version) if version == env!("CARGO_PKG_VERSION") => {
            Finding::ok(check, format!("{address} is ready, version {version}"))
        }
        _ => {
            let found = format!("{address} is ready, but of another version than this one");
            Finding::warning(check, found, REMEDY)
        }
    }
}

/// Each MCP server.
pub(super) async fn servers(config: &Config) -> Vec<Finding> {
    all(config.servers.iter().cloned().map(server)).await
}

async fn server(server: Server) -> Finding {
    let check = format!("server {}", server.name);
    let url = &server.url;
    let status = match ask(&server).await {
        Ok(status) => status,
        Err(error) => {
            let found = format!("{url} does not answer: {error}");
            let remedy = format!("start it, or mend the url of `{}`", server.name);
            return Finding::failed(&check, found, &remedy);
        }
    };
    let found = reachable(url, status);
    let checks_itself = server.foreign.is_some() || server.caller_token != CallerToken::Removed;
    match status {
        StatusCode::NOT_FOUND => {
            Finding::warning(&check, found, "see that the path is its MCP endpoint")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if server.credentials.is_some() => {
            Finding::warning(&check, found, "it does not take the configured credentials")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if checks_itself => {
            Finding::ok(&check, format!("{found}; it checks callers itself"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Finding::warning(&check, found, "it wants `credentials`, and none are configured")
        }
        _ if status.is_server_error() => Finding::warning(&check, found, "look at its log"),
        _ if status.is_redirection() => {
            Finding::warning(&check, found, "give the url that it redirects to")
        }
        _ => Finding::ok(&check, found),
    }
}

fn reachable(url: &url::Url, status: StatusCode) -> String {
    match status {
        _ if status.is_success() => format!("{url} is reachable"),
        StatusCode::BAD_REQUEST => {
            format!("{url} is reachable (400 to a ping without a session)")
        }
        _ => format!("{url} is reachable ({})", status.as_u16()),
    }
}

/// As Envoy would, with the same credentials.
async fn ask(server: &Server) -> Result<StatusCode, String> {
    let builder = outgoing::builder(server.url.scheme());
    let builder = match server.http {
        HttpVersion::Http1 => builder.http1_only(),
        HttpVersion::Http2 => builder.http2_prior_knowledge(),
        HttpVersion::Negotiated => builder,
    };
    let mut request = fetch::client(builder)?
        .post(server.url.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    if let Some(credentials) = &server.credentials {
        request = request.header(&credentials.header, credentials.value.reveal());
    }
    let response = request.body(PING).send().await.map_err(outgoing::explain)?;
    Ok(response.status())
}

/// The receiver of events, which is not spoken to: it would take whatever we say for an event.
pub(super) async fn webhook(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "webhook";
    let Some(webhook) = &config.webhook else { return Vec::new() };
    let origin = webhook.url.origin().ascii_serialization();
    let allowed = async {
        target::check(&webhook.url, webhook.targets).map_err(|error| error.to_string())?;
        let Some(Host::Domain(name)) = webhook.url.host() else { return Ok(1) };
        let resolving = time::timeout(RESOLVING, target::resolve(name, webhook.targets));
        let resolved = resolving.await.map_err(|_late| "no answer from the resolver".to_owned())?;
        resolved.map(|addresses| addresses.len()).map_err(|error| error.to_string())
    };
    vec![match allowed.await {
        Ok(count) => {
            let unit = if count == 1 { "address" } else { "addresses" };
            Finding::ok(CHECK, format!("{origin} has {count} {unit}, all allowed"))
        }
        Err(error) => Finding::failed(
            CHECK,
            format!("{origin} cannot be delivered to: {error}"),
            "mend analytics.webhook.url; events wait meanwhile",
        ),
    }]
}
