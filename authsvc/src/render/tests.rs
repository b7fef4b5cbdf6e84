//! What is rendered, and that no value leaves its place.

use std::{fs, path::Path};

use attache_protocol::plugin::{Origins, Plugin};
use serde_json::Value;

use super::{envoy, plugin, snippets};
use crate::config::Config;

const CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Everything that changes the rendering.
const FULL: &str = r#"
public_url: https://mcp.example.com
listen: "[::]:8443"
authorization:
  embedded:
    users: [{email: admin@example.com, password_hash: "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI"}]
service: {internal_address: "[fd00::2]:8082", address: authsvc.internal:8081, secret: 0123456789abcdef0123456789abcdef}
envoy: {wasm: /etc/envoy/attache.wasm, max_body: 64KiB}
servers:
  - name: hosted
    url: https://hosted.example.com:8443/v1/mcp
    path: /mcp
    scopes: [read, write]
    credentials: {header: X-Api-Key, value: ${KEY}}
    timeout: 1500ms
  - name: local
    url: http://[fd00::9]:3001
    authentication: optional
    forward_token: true
    http_version: 2
    allowed_origins: [https://app.example.com]
    analytics: {capture: metadata}
"#;

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("100% \"quoted\": {a} # b".to_owned()),
        "ADMIN_PASSWORD_HASH" => Some("$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI".to_owned()),
        "ATTACHE_SECRET" => Some("REPLACE-ME-with-openssl-rand-hex-32".to_owned()),
        _ => None,
    }
}

fn config(text: &str) -> Config {
    Config::parse("attache.yaml", text, Path::new("/etc/attache"), &environment).unwrap().config
}

/// As another YAML reader understands it.
fn read(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn everything_is_rendered() {
    let rendered = envoy(&config(FULL), Path::new(CA)).unwrap();
    insta::assert_snapshot!(rendered);
}

#[test]
fn the_same_file_renders_to_the_same_bytes() {
    let render = || envoy(&config(FULL), Path::new(CA)).unwrap();
    assert_eq!(render(), render());
}

#[test]
fn what_is_rendered_for_the_filter_is_what_the_filter_reads() {
    let config = config(FULL);
    let rendered = read(&envoy(&config, Path::new(CA)).unwrap());
    let manager = &rendered["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let text = &manager["http_filters"][1]["typed_config"]["config"]["configuration"]["value"];
    let parsed: Plugin = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(parsed, plugin(&config));
    assert_eq!(
        parsed.endpoints[0].resource_metadata,
        "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
    );
    let listed = ["https://mcp.example.com", "https://app.example.com"].map(str::to_owned).to_vec();
    assert_eq!(parsed.endpoints[1].origins, Origins::Listed(listed));
}

#[test]
fn a_hostile_credential_stays_one_header_value() {
    for value in [
        "%REQ(authorization)%",
        "a: b\u{7f}".trim_end_matches('\u{7f}'),
        "'\"\\{}[]#&*!|>%@`",
        "null",
        "~",
        "0x10",
        "yes",
        "- a",
    ] {
        let lookup =
            |name: &str| if name == "KEY" { Some(value.to_owned()) } else { environment(name) };
        let config = Config::parse("attache.yaml", FULL, Path::new("/"), &lookup).unwrap().config;
        let rendered = read(&envoy(&config, Path::new(CA)).unwrap());
        let manager = &rendered["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
            [0]["typed_config"];
        let route = &manager["route_config"]["virtual_hosts"][0]["routes"][0];
        let header = &route["request_headers_to_add"][0]["header"];
        assert_eq!(header["key"], "x-api-key");
        assert_eq!(header["value"].as_str().unwrap().replace("%%", "%"), value);
    }
}

/// The shipped files are what the shipped example renders to; `UPDATE_SHIPPED=1` writes them.
#[test]
fn shipped_files_are_what_is_rendered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy");
    let config = config(&fs::read_to_string(folder.join("attache.yaml")).unwrap());
    let snippets = snippets(&config, Path::new(CA)).unwrap();
    let pieces = snippets.files().map(|(name, text)| (format!("snippets/{name}"), text.to_owned()));
    let whole = ("envoy.yaml".to_owned(), envoy(&config, Path::new(CA)).unwrap());
    for (name, expected) in pieces.into_iter().chain([whole]) {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_SHIPPED").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &expected).unwrap();
        }
        let shipped = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            shipped == expected,
            "envoy/{name} is not what is rendered: UPDATE_SHIPPED=1 writes it"
        );
    }
}
