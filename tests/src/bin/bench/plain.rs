//! The same Envoy, the same routes, without the filter.

use std::{fs, net::SocketAddr};

use anyhow::{Context as _, Result, ensure};
use attache_tests::stack::{Process, Stack, launch, ports};
use serde_json::{Value, json};

/// A running Envoy without the filter.
#[derive(Debug)]
pub struct Plain {
    /// Where it listens.
    pub address: SocketAddr,
    /// The proxy; dropping it ends it.
    pub process: Process,
}

/// Starts Envoy from the configuration of `stack`, less the filter.
pub async fn start(stack: &Stack) -> Result<Plain> {
    let rendered = fs::read_to_string(stack.folder().join("envoy.yaml"))?;
    let mut config: Value =
        serde_saphyr::from_str(&rendered).context("the rendered configuration")?;
    let (address, admin) = (ports::free(), ports::free());
    let listener = config.pointer_mut("/static_resources/listeners/0").context("a listener")?;
    *listener.pointer_mut("/address/socket_address/port_value").context("its port")? =
        json!(address.port());
    let filters = listener
        .pointer_mut("/filter_chains/0/filters/0/typed_config/http_filters")
        .and_then(Value::as_array_mut)
        .context("its HTTP filters")?;
    let before = filters.len();
    filters.retain(|filter| filter["name"] != "attache");
    ensure!(filters.len() + 1 == before, "the rendered configuration has one filter `attache`");
    *config.pointer_mut("/admin/address/socket_address/port_value").context("the admin port")? =
        json!(admin.port());
    let path = stack.folder().join("plain.json");
    fs::write(&path, serde_json::to_vec(&config)?)?;

    let mut process = launch::envoy(&path, 1, &stack.folder().join("plain.log"))?;
    let ready = format!("http://{admin}/ready");
    launch::ready(&mut process, &ready).await?;
    Ok(Plain { address, process })
}
