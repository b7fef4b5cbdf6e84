//! What is derived from `attache.yaml`: Envoy's configuration, whole or in pieces.
//!
//! The configuration is built as a tree and serialized, so no value can leave its place; the same input gives
//! the same bytes.

mod clusters;
mod listener;
mod overload;
mod plugin;
mod replies;
mod routes;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use thiserror::Error;

pub use self::plugin::plugin;
use self::tree::{Tree, list, section};
use crate::config::Config;

const HEADER: &str = "\
# Envoy's configuration, rendered from attache.yaml by `authsvc render envoy`.
# Change attache.yaml and render again. This file holds secrets: keep it private.
#
# admin              Envoy's own interface, not for the public
# static_resources   listeners: what clients reach, with cors, the filter, buffer and the router
#                    clusters: authsvc, and every MCP server as mcp_<name>
# overload_manager   bounds connections and memory
";
const FILTERS_HEADER: &str = "\
# The http_filters of your http_connection_manager: cors, then the filter, then buffer, then the router.
# Also needed: on the listener `per_connection_buffer_limit_bytes` above the filter's `max_body`,
# on the http_connection_manager `use_remote_address: true` and `stream_idle_timeout: 0s`; envoy/README.md of Attaché says why.
";
const CLUSTERS_HEADER: &str = "\
# The clusters through which the filter and the public endpoints reach authsvc, and those of the MCP servers.
";
const ROUTES_HEADER: &str = "\
# Routes for the virtual host of your public_url, before your own. Each carries its CORS policy: your own keep theirs.
";

/// A configuration that cannot be rendered.
#[derive(Debug, Error)]
pub enum Error {
    /// The filter's configuration is not JSON.
    #[error("the filter's configuration cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// `envoy.wasm` is not UTF-8.
    #[error("envoy.wasm is not UTF-8")]
    Path,
    /// The tree is not YAML.
    #[error("a value cannot be written as YAML: {0}")]
    Yaml(String),
}

/// The pieces for an Envoy of one's own.
#[derive(Clone, Debug)]
pub struct Snippets {
    /// `http_filters`.
    pub filters: String,
    /// `clusters`.
    pub clusters: String,
    /// `routes`.
    pub routes: String,
}

impl Snippets {
    /// Each with the name of its file.
    #[must_use]
    pub fn files(&self) -> [(&'static str, &str); 3] {
        [
            ("listener-filter.yaml", &self.filters),
            ("clusters.yaml", &self.clusters),
            ("routes.yaml", &self.routes),
        ]
    }
}

/// A whole bootstrap file. `ca` is the file with the certificate authorities that https servers are checked
/// against, as Envoy's file system knows it.
///
/// # Errors
/// When a value cannot be written.
pub fn envoy(config: &Config, ca: &Path) -> Result<String, Error> {
    let mut clusters = clusters::authsvc(config);
    clusters.extend(clusters::servers(config, ca));
    let bootstrap = section! {
        "admin" => section! { "address" => listener::address(config.envoy.admin) },
        "static_resources" => section! {
            "listeners" => list![listener::listener(config)?],
            "clusters" => clusters,
        },
        "overload_manager" => overload::manager(config),
    };
    write(HEADER, &bootstrap)
}

/// The pieces of [`envoy`] that an Envoy of one's own needs.
///
/// # Errors
/// When a value cannot be written.
pub fn snippets(config: &Config, ca: &Path) -> Result<Snippets, Error> {
    let mut clusters = clusters::authsvc(config);
    clusters.extend(clusters::servers(config, ca));
    let routes = section! { "routes" => routes::public(config) };
    Ok(Snippets {
        filters: write(FILTERS_HEADER, &section! { "http_filters" => listener::filters(config)? })?,
        clusters: write(CLUSTERS_HEADER, &section! { "clusters" => clusters })?,
        routes: write(ROUTES_HEADER, &routes)?,
    })
}

fn write(header: &str, tree: &Tree) -> Result<String, Error> {
    // Folding would make long texts hard to compare and to search.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let yaml = serde_saphyr::to_string_with_options(tree, options)
        .map_err(|error| Error::Yaml(error.to_string()))?;
    Ok(format!("{header}{yaml}"))
}
