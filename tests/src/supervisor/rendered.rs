//! What Envoy's rendered configuration says of where everything is: the parts are found where they will be.

use std::{
    fs,
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use attache_protocol::plugin::Plugin;
use serde_json::Value;

/// The server that `make run` itself provides, as long as the configuration has it on this machine.
const DEMO: &str = "demo";

/// Addresses and the filter's configuration.
#[derive(Debug)]
pub(super) struct Rendered {
    /// Envoy's listener.
    pub(super) listen: SocketAddr,
    /// Envoy's admin interface.
    pub(super) admin: SocketAddr,
    /// authsvc's public endpoints, as Envoy reaches them.
    pub(super) service: SocketAddr,
    /// authsvc's internal endpoints, as Envoy reaches them.
    pub(super) internal: SocketAddr,
    /// The demo server, when it is ours to start.
    pub(super) demo: Option<SocketAddr>,
    /// What the filter is told.
    pub(super) plugin: Plugin,
}

impl Rendered {
    /// Reads a rendered bootstrap.
    ///
    /// # Errors
    /// When something is not where `authsvc render envoy` puts it.
    pub(super) fn read(bootstrap: &Path) -> Result<Self> {
        let text = fs::read_to_string(bootstrap)?;
        let document: Value = serde_saphyr::from_str(&text)
            .with_context(|| format!("{} is not YAML", bootstrap.display()))?;
        let plugin =
            plugin_configuration(&document).context("no filter in the rendered configuration")?;
        let plugin = serde_json::from_str(plugin).context("the filter's configuration")?;
        let demo = cluster(&document, &format!("mcp_{DEMO}")).ok();
        Ok(Self {
            listen: address(&document, "/static_resources/listeners/0/address")?,
            admin: address(&document, "/admin/address")?,
            service: cluster(&document, "authsvc")?,
            internal: cluster(&document, "authsvc_internal")?,
            demo: demo.filter(|address| address.ip().is_loopback()),
            plugin,
        })
    }

    /// `Host` that the listener answers to.
    pub(super) fn host(&self) -> &str {
        self.plugin.public_url.split_once("://").map_or("", |(_, host)| host)
    }

    /// That nothing else listens where the parts will.
    ///
    /// # Errors
    /// Every address that is taken, and the key that moves it.
    pub(super) fn addresses_are_free(&self) -> Result<()> {
        let wanted = [
            (Some(self.listen), "listen (and public_url)"),
            (Some(self.service), "service.listen"),
            (Some(self.internal), "service.internal"),
            (Some(self.admin), "envoy.admin"),
            (self.demo, "the url of the server `demo`"),
        ];
        let taken: Vec<String> = wanted
            .into_iter()
            .filter_map(|(address, key)| Some((address?, key)))
            .filter(|(address, _)| TcpListener::bind(address).is_err())
            .map(|(address, key)| format!("  {address}: change {key} in attache.yaml"))
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        bail!(
            "another program, or another make run, listens where a part has to:\n{}",
            taken.join("\n")
        )
    }
}

fn cluster(document: &Value, name: &str) -> Result<SocketAddr> {
    let clusters = document.pointer("/static_resources/clusters").and_then(Value::as_array);
    let found = clusters.into_iter().flatten().find(|cluster| cluster["name"] == name);
    let cluster =
        found.with_context(|| format!("no cluster {name} in the rendered configuration"))?;
    address(cluster, "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address")
}

fn address(document: &Value, pointer: &str) -> Result<SocketAddr> {
    let socket = document.pointer(&format!("{pointer}/socket_address"));
    let socket = socket.with_context(|| format!("no address at {pointer}"))?;
    let host = socket["address"].as_str().context("an address without a host")?;
    let port = socket["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
    let port = port.with_context(|| format!("no port beside {host}"))?;
    let mut found =
        (host, port).to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?;
    found.next().with_context(|| format!("{host} has no address"))
}

/// The JSON of the first `StringValue`: only the filter has one.
fn plugin_configuration(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => {
            let kind = members.get("@type").and_then(Value::as_str);
            if kind == Some("type.googleapis.com/google.protobuf.StringValue") {
                return members.get("value")?.as_str();
            }
            members.values().find_map(plugin_configuration)
        }
        Value::Array(items) => items.iter().find_map(plugin_configuration),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
