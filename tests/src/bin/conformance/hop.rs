//! An Envoy in front of the gateway that adds a token: the suite has no option to send one.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Result;
use attache_tests::stack::{Process, launch, ports};
use serde_json::{Value, json};

/// A running hop. Dropping it ends it.
#[derive(Debug)]
pub struct Hop {
    listen: SocketAddr,
    _envoy: Process,
}

impl Hop {
    /// Starts it before `gateway`, with a token for each path.
    ///
    /// # Errors
    /// When Envoy does not come up.
    pub async fn start(
        gateway: SocketAddr,
        tokens: &[(String, String)],
        folder: &Path,
    ) -> Result<Self> {
        let (listen, admin) = (ports::free(), ports::free());
        let routes: Vec<Value> = tokens.iter().map(|(path, token)| route(path, token)).collect();
        // The gateway answers to its own name only; what a client says of another host is for the gateway to judge.
        let ours: Vec<Value> = routes
            .iter()
            .cloned()
            .map(|mut route| {
                route["route"]["host_rewrite_literal"] =
                    json!(format!("localhost:{}", gateway.port()));
                route
            })
            .collect();
        let hosts = json!([
            {"name": "ours", "domains": [format!("localhost:{}", listen.port())], "routes": ours},
            {"name": "others", "domains": ["*"], "routes": routes},
        ]);
        let bootstrap = json!({
            "admin": {"address": address(admin)},
            "static_resources": {
                "listeners": [{"name": "hop", "address": address(listen), "filter_chains": [{"filters": [manager(&hosts)]}]}],
                "clusters": [cluster(gateway)],
            },
        });
        let config = folder.join("hop.json");
        fs::write(&config, serde_json::to_vec_pretty(&bootstrap)?)?;
        let mut envoy = launch::envoy(&config, 1, &folder.join("hop.log"))?;
        let ready = format!("http://{admin}/ready");
        launch::ready(&mut envoy, &ready).await?;
        Ok(Self { listen, _envoy: envoy })
    }

    /// Where clients find a path of the gateway, with a token.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.listen.port())
    }
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn route(path: &str, token: &str) -> Value {
    json!({
        "match": {"path": path},
        "route": {"cluster": "gateway", "timeout": "0s", "idle_timeout": "0s"},
        "request_headers_to_add": [{
            "header": {"key": "authorization", "value": format!("Bearer {token}")},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
    })
}

fn manager(hosts: &Value) -> Value {
    const V3: &str = "type.googleapis.com/envoy.extensions.filters";
    let router = format!("{V3}.http.router.v3.Router");
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!("{V3}.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "hop",
            "stream_idle_timeout": "0s",
            "route_config": {"virtual_hosts": hosts},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
        },
    })
}

fn cluster(gateway: SocketAddr) -> Value {
    let endpoint = json!({"endpoint": {"address": address(gateway)}});
    json!({
        "name": "gateway",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "gateway", "endpoints": [{"lb_endpoints": [endpoint]}]},
    })
}
