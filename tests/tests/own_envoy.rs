//! The pieces of `authsvc render snippets` in an Envoy that already serves something else, as envoy/README.md says.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack, launch, parts},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::{Value, json};

const ORIGIN: &str = "https://elsewhere.example";
const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// One list of a piece.
fn piece(folder: &Path, file: &str, key: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(folder.join(file)).with_context(|| file.to_owned())?;
    let document: Value = serde_saphyr::from_str(&text).with_context(|| file.to_owned())?;
    assert_eq!(
        document.as_object().map(serde_json::Map::len),
        Some(1),
        "more than {key} in {file}"
    );
    document[key].as_array().cloned().with_context(|| format!("no {key} in {file}"))
}

/// An ingress with one route of its own, and the three pieces beside it.
fn bootstrap(stack: &Stack, admin: &Value, own: SocketAddr) -> Result<Value> {
    let folder = stack.folder().join("snippets");
    let mut render = Command::new(parts::authsvc()?);
    render.args(["render", "snippets", "-c"]).arg(stack.folder().join("attache.yaml"));
    launch::run("authsvc render snippets", {
        render.arg("-o").arg(&folder);
        render
    })?;
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
    let mut clusters = piece(&folder, "clusters.yaml", "clusters")?;
    let endpoint = json!({"endpoint": {"address": socket(own)}});
    clusters.push(json!({
        "name": "own", "type": "STATIC",
        "load_assignment": {"cluster_name": "own", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }));
    let mut routes = piece(&folder, "routes.yaml", "routes")?;
    routes.push(json!({"match": {"prefix": "/"}, "route": {"cluster": "own"}}));
    let manager = json!({
        "@type": MANAGER,
        "stat_prefix": "ingress",
        "use_remote_address": true,
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": piece(&folder, "listener-filter.yaml", "http_filters")?,
    });
    let admin: SocketAddr = admin.as_str().context("envoy.admin")?.parse()?;
    Ok(json!({
        "admin": {"address": socket(admin)},
        "static_resources": {
            "listeners": [{
                "name": "ingress",
                "address": socket(stack.listen()),
                "per_connection_buffer_limit_bytes": 5 << 20,
                "filter_chains": [{"filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]}],
            }],
            "clusters": clusters,
        },
    }))
}

#[tokio::test]
async fn clients_get_in_and_what_was_there_before_stays_as_it_was() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let own = Upstream::start(|_| Answer::status(204)).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let admin = setup.config["envoy"]["admin"].clone();
    let mut stack = setup.start().await?;
    let bootstrap = bootstrap(&stack, &admin, own.address())?;
    stack.envoy.stop(Duration::from_secs(20)).await?;
    fs::write(stack.folder().join("envoy.yaml"), bootstrap.to_string())?;
    stack.restart_envoy().await?;

    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    let arguments = json!({"text": "hello", "attache_intent": "to say hello"});
    let answer = session.call("echo", arguments).await?;
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"text":"hello"}"#);
    let event = stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["intent"]["text"], "to say hello");
    let refused = http::client().post(&url).header("origin", ORIGIN).send().await?;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN);

    let elsewhere = format!("{}/orders", stack.public_url());
    let answer = http::client().get(&elsewhere).header("origin", ORIGIN).send().await?;
    assert_eq!(answer.status(), 204);
    let shared = answer.headers().get("access-control-allow-origin");
    assert_eq!(shared, None, "pages of other origins may read what is not ours to give");
    let preflight = http::client().request(reqwest::Method::OPTIONS, &elsewhere);
    let preflight =
        preflight.header("origin", ORIGIN).header("access-control-request-method", "POST");
    assert_eq!(preflight.send().await?.headers().get("access-control-allow-origin"), None);
    let seen = own.seen();
    let methods: Vec<&str> = seen.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["GET", "OPTIONS"], "a preflight is the service's own to answer");
    Ok(())
}
