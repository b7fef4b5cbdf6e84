//! From the mirror of the file to a configuration that cannot be wrong.
//!
//! Every section is looked at, whatever the others are like, so that all mistakes come at once.

mod authorization;
mod brokered;
mod clients;
mod database;
mod documents;
mod embedded;
mod federation;
mod foreign;
mod machine;
mod network;
mod origin;
mod report;
mod retention;
mod server;
mod units;
mod webhook;

use std::{
    net::SocketAddr,
    path::{Path as FilePath, PathBuf},
};

use super::{
    Config, Envoy, Origin,
    document::{Node, Path},
    file,
    mistake::Mistakes,
};
use report::{Checked, Report};
pub use units::duration;

const MIB: usize = 1024 * 1024;
/// Least and most of what may be held, bytes.
const LIMITS: SizeRange = 1024..=64 * MIB;
/// Least and most of Envoy's memory, bytes: with less than that it does not even begin.
const HEAPS: SizeRange = 128 * MIB..=1024 * 1024 * MIB;

type SizeRange = std::ops::RangeInclusive<usize>;

/// What came of a file.
pub(super) struct Outcome {
    /// There unless a mistake was reported.
    pub(super) config: Option<Config>,
    /// What is allowed, but probably not meant.
    pub(super) warnings: Mistakes,
}

/// Compiles the mirror. `base` is the directory of the file: relative paths begin there.
pub(super) fn compile(
    file: &file::File,
    root: &Node,
    base: &FilePath,
    mistakes: &mut Mistakes,
) -> Outcome {
    let mut warnings = Mistakes::default();
    let mut report = Report { root, mistakes, warnings: &mut warnings };
    let config = config(file, base, &mut report).ok();
    Outcome { config, warnings }
}

fn config(file: &file::File, base: &FilePath, report: &mut Report<'_>) -> Checked<Config> {
    let at = |key: &str| Path::default().key(key);
    let what = "the origin that clients use, like http://localhost:8080 or https://mcp.example.com";
    let public_url =
        report.needed(&at("public_url"), file.public_url.as_deref(), what, Origin::parse);
    let listen = network::socket(report, &at("listen"), file.listen.as_deref(), 8080);
    if let (Ok(public_url), Ok(listen)) = (&public_url, listen) {
        exposure(public_url, listen, report);
    }
    let authorization = authorization::authorization(file.authorization.as_ref(), base, report);
    let database = database::database(file.database.as_deref(), base, report);
    let service =
        network::service(file.service.as_ref().unwrap_or(&file::Service::default()), report);
    let envoy = envoy(file.envoy.as_ref().unwrap_or(&file::Envoy::default()), base, report);
    let listeners = [
        (at("listen"), listen),
        (
            at("service").key("listen"),
            service.as_ref().map(|service| service.listen).map_err(|reported| *reported),
        ),
        (
            at("service").key("internal"),
            service.as_ref().map(|service| service.internal).map_err(|reported| *reported),
        ),
        (
            at("envoy").key("admin"),
            envoy.as_ref().map(|envoy| envoy.admin).map_err(|reported| *reported),
        ),
    ];
    network::distinct(report, &listeners);
    let servers = server::servers(file.servers.as_deref(), public_url.as_ref().ok(), report);
    if let (Ok(authorization), Ok(servers)) = (&authorization, &servers) {
        machine::servers_of(authorization, servers, report)?;
        brokered::told_apart(authorization, servers, report)?;
    }
    let retention = retention::retention(file.analytics.as_ref(), report);
    let webhook = webhook::webhook(file.analytics.as_ref(), report);
    let audit = retention::audit(file.audit.as_ref(), report);
    Ok(Config {
        public_url: public_url?,
        listen: listen?,
        authorization: authorization?,
        database: database?,
        service: service?,
        envoy: envoy?,
        servers: servers?,
        retention: retention?,
        webhook: webhook?,
        audit: audit?,
    })
}

/// Tokens in clear must stay on this machine.
fn exposure(public_url: &Origin, listen: SocketAddr, report: &mut Report<'_>) {
    let path = Path::default().key("listen");
    if !public_url.is_loopback() || public_url.as_str().starts_with("https:") {
        return;
    }
    if !listen.ip().is_loopback() {
        let reason = format!(
            "{listen} can be reached from other machines, but public_url is http: listen on 127.0.0.1, or use an https public_url"
        );
        report.wrong(&path, reason);
    } else if public_url.port() != Some(listen.port()) {
        let reason = format!(
            "{listen} is not the port of public_url ({public_url}): clients will not get here unless something forwards them"
        );
        report.warn(&path, reason);
    }
}

fn envoy(file: &file::Envoy, base: &FilePath, report: &mut Report<'_>) -> Checked<Envoy> {
    let at = Path::default().key("envoy");
    let admin = network::socket(report, &at.key("admin"), file.admin.as_deref(), 9901);
    if let Ok(admin) = admin
        && !admin.ip().is_loopback()
    {
        report.warn(&at.key("admin"), "whoever reaches Envoy's admin interface can stop it and read its configuration, secrets included");
    }
    let mut size = |key: &str, text: Option<&str>, default: usize, allowed: &SizeRange| {
        report.size(&at.key(key), text, default, allowed)
    };
    let max_body = size("max_body", file.max_body.as_deref(), 4 * MIB, &LIMITS);
    let max_list = size("max_list", file.max_list.as_deref(), 8 * MIB, &LIMITS);
    let max_heap = size("max_heap", file.max_heap.as_deref(), 1024 * MIB, &HEAPS);
    Ok(Envoy {
        wasm: absolute(base, file.wasm.as_deref().unwrap_or("target/attache.wasm")),
        admin: admin?,
        max_body: max_body?,
        max_list: max_list?,
        max_heap: max_heap?,
    })
}

/// `path`, which begins at `base` unless it is absolute, without `.` and `..`.
fn absolute(base: &FilePath, path: &str) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                clean.push(component)
            }
        }
    }
    clean
}
