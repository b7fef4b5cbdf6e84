//! Addresses: where Envoy and authsvc listen, and how one reaches the other.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use attache_protocol::secret::Secret;
use tracing::Level;

use super::{
    super::{HostPort, Log, LogFormat, Service, document::Path, file},
    report::{Checked, Report},
};
use crate::address::on_this_machine;

/// Longer than any probe takes to notice.
const MOST_DRAIN_DELAY: Duration = Duration::from_secs(300);

/// The section `service`.
pub(super) fn service(file: &file::Service, report: &mut Report<'_>) -> Checked<Service> {
    let at = Path::default().key("service");
    let listen = socket(report, &at.key("listen"), file.listen.as_deref(), 8081);
    let internal = socket(report, &at.key("internal"), file.internal.as_deref(), 8082);
    if let Ok(internal) = internal
        && file.internal.is_some()
        && !is_private(internal.ip())
    {
        report.warn(&at.key("internal"), "events and probes should not be reachable from outside: bind a loopback or private address, or make sure that a firewall does");
    }
    let address = file.address.as_deref();
    let address =
        address.map(|text| report.needed(&at.key("address"), Some(text), "host:port", host_port));
    let internal_address = file.internal_address.as_deref();
    let internal_address = internal_address
        .map(|text| report.needed(&at.key("internal_address"), Some(text), "host:port", host_port));
    let secret = secret(report, &at.key("secret"), file.secret.as_ref());
    let metrics_secret = metrics_secret(report, &at.key("metrics_secret"), file);
    let log = log(report, &at, file);
    let trusted_proxies = match &file.trusted_proxies {
        Some(texts) => report.list(&at.key("trusted_proxies"), texts, |text| {
            text.parse::<IpAddr>().map_err(|error| format!("not an IP address ({error})"))
        }),
        None => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]),
    };
    let drain_delay = report.duration(
        &at.key("drain_delay"),
        file.drain_delay.as_deref(),
        Duration::ZERO,
        Duration::ZERO..=MOST_DRAIN_DELAY,
    );
    let (listen, internal) = (listen?, internal?);
    Ok(Service {
        listen,
        internal,
        address: address.unwrap_or_else(|| Ok(reach(listen)))?,
        internal_address: internal_address.unwrap_or_else(|| Ok(reach(internal)))?,
        secret: secret?,
        metrics_secret: metrics_secret?,
        log: log?,
        trusted_proxies: trusted_proxies?,
        drain_delay: drain_delay?,
    })
}

/// `address:port`; by default on 127.0.0.1.
pub(super) fn socket(
    report: &mut Report<'_>,
    path: &Path,
    text: Option<&str>,
    default_port: u16,
) -> Checked<SocketAddr> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, default_port));
    report.optional(path, text, default, |text| match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(address),
        Ok(_) => Err("port 0 cannot be reached: choose one".to_owned()),
        Err(_) => Err(
            "an address to listen on is IP:port, like 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
                .to_owned(),
        ),
    })
}

/// Two listeners must not want the same port of the same address.
pub(super) fn distinct(report: &mut Report<'_>, listeners: &[(Path, Checked<SocketAddr>)]) {
    let known = listeners.iter().filter_map(|(path, address)| Some((path, address.ok()?)));
    let known: Vec<(&Path, SocketAddr)> = known.collect();
    for (at, (path, address)) in known.iter().enumerate() {
        let earlier = known.iter().take(at).find(|(_, other)| collide(*address, *other));
        if let Some((other, _)) = earlier {
            report.wrong(path, format_args!("{address} is taken by `{other}`"));
        }
    }
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// How to reach a listener on this machine.
fn reach(listen: SocketAddr) -> HostPort {
    let host = on_this_machine(listen).ip().to_string();
    HostPort { host, port: listen.port() }
}

pub(super) fn host_port(text: &str) -> Result<HostPort, String> {
    const FORM: &str = "must be host:port, like authsvc:8081, 10.0.0.2:8081 or [fd00::2]:8081";
    let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(FORM)?;
    let host = match url::Host::parse(host).map_err(|_not_a_host| FORM)? {
        url::Host::Domain(name) => name,
        url::Host::Ipv4(ip) => ip.to_string(),
        url::Host::Ipv6(ip) => ip.to_string(),
    };
    Ok(HostPort { host, port })
}

fn secret(report: &mut Report<'_>, path: &Path, secret: Option<&Secret>) -> Checked<Secret> {
    let what = "a secret that authsvc and the filter share, at least 32 random characters (openssl rand -hex 32)";
    let secret = report.given(path, secret, what)?;
    bearer(report, path, secret)
}

/// How a line of the log looks, and what is worth one.
fn log(report: &mut Report<'_>, at: &Path, file: &file::Service) -> Checked<Log> {
    let text = LogFormat::Text;
    let format = report.optional(&at.key("log"), file.log.as_deref(), text, |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("the log is text or json".to_owned()),
    });
    let (path, level) = (at.key("log_level"), file.log_level.as_deref());
    let level = report.optional(&path, level, Level::INFO, |text| match text {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err("a level is error, warn, info, debug or trace".to_owned()),
    });
    Ok(Log { format: format?, level: level? })
}

/// One of its own: what may be told to a scraper opens nothing else.
fn metrics_secret(
    report: &mut Report<'_>,
    path: &Path,
    file: &file::Service,
) -> Checked<Option<Secret>> {
    let Some(own) = &file.metrics_secret else { return Ok(None) };
    if file.secret.as_ref() == Some(own) {
        return Err(report.wrong_secret(path, "must be another one than `service.secret`"));
    }
    bearer(report, path, own).map(Some)
}

/// A secret that is sent in a header.
fn bearer(report: &mut Report<'_>, path: &Path, secret: &Secret) -> Checked<Secret> {
    let secret = report.long_secret(path, secret)?;
    if !secret.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(report
            .wrong_secret(path, "must be visible ASCII without spaces: it is sent in a header"));
    }
    Ok(secret)
}

/// Loopback, private (RFC 1918), unique local or link-local.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
