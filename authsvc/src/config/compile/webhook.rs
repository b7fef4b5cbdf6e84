//! The section `analytics`: where events go.

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::{Host, Url};

use super::{
    super::{Targets, Webhook, document::Path, file},
    origin,
    report::{Checked, Report},
    units,
};

/// Bytes of a signing key (Standard Webhooks).
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// The webhook, if there is one.
pub(super) fn webhook(
    file: Option<&file::Analytics>,
    report: &mut Report<'_>,
) -> Checked<Option<Webhook>> {
    let Some(file) = file.and_then(|analytics| analytics.webhook.as_ref()) else { return Ok(None) };
    let at = Path::default().key("analytics").key("webhook");
    let private = report.optional(
        &at.key("allow_private"),
        file.allow_private.as_deref(),
        false,
        units::flag,
    );
    let targets = private.map(|any| if any { Targets::Any } else { Targets::Public });
    let url = report.needed(
        &at.key("url"),
        file.url.as_deref(),
        "the URL that events are posted to",
        |text| url(text, targets.unwrap_or(Targets::Public)),
    );
    let what = "a signing secret: `whsec_` and the base64 of 24 to 64 random bytes (printf whsec_; openssl rand -base64 32)";
    let secret = report.given(&at.key("secret"), file.secret.as_ref(), what);
    let secret = secret.and_then(|secret| signing_secret(secret, &at.key("secret"), what, report));
    let previous = file.previous_secret.as_ref();
    let previous = previous
        .map(|secret| signing_secret(secret, &at.key("previous_secret"), what, report))
        .transpose();
    Ok(Some(Webhook { url: url?, secret: secret?, previous_secret: previous?, targets: targets? }))
}

fn signing_secret(
    secret: &Secret,
    at: &Path,
    what: &str,
    report: &mut Report<'_>,
) -> Checked<Secret> {
    let key = secret.reveal().strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    if key.is_none_or(|key| !KEY.contains(&key.len())) {
        return Err(report.wrong_secret(at, format_args!("must be {what}")));
    }
    Ok(secret.clone())
}

fn url(text: &str, targets: Targets) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
    if !origin::is_plain(text) {
        return Err("must not contain spaces, line breaks or characters outside ASCII".to_owned());
    }
    match (url.scheme(), targets) {
        ("https", _) | ("http", Targets::Any) => {}
        ("http", Targets::Public) => {
            return Err("events must not travel in clear: use https (or say `allow_private: true` for a receiver in your own network)".to_owned());
        }
        _ => return Err("must be an https URL".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(
            "must not contain a user, password or fragment: receivers verify the signature"
                .to_owned(),
        );
    }
    let private = match url.host() {
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip == Ipv4Addr::UNSPECIFIED
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip == Ipv6Addr::UNSPECIFIED
        }
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    };
    if private && targets == Targets::Public {
        return Err("is a private address: say `allow_private: true` if that is meant".to_owned());
    }
    Ok(url)
}
