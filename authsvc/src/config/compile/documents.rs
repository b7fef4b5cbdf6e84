//! `client_id_metadata_documents`: whose documents are trusted.

use url::Host;

use super::{
    super::{HostPattern, MetadataDocuments, Targets, document::Path, file},
    report::{Checked, Report},
    units,
};

/// Any host, at a globally routable address, unless the file says otherwise.
pub(super) fn documents(
    file: Option<&file::MetadataDocuments>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<MetadataDocuments> {
    let default = file::MetadataDocuments::default();
    let file = file.unwrap_or(&default);
    let hosts = match &file.hosts {
        Some(texts) => report.list(&at.key("hosts"), texts, pattern),
        None => Ok(vec![HostPattern::Any]),
    };
    let at = at.key("allow_private");
    let private = report.optional(&at, file.allow_private.as_deref(), false, units::flag);
    let targets = private.map(|any| if any { Targets::Any } else { Targets::Public });
    Ok(MetadataDocuments { hosts: hosts?, targets: targets? })
}

fn pattern(text: &str) -> Result<HostPattern, String> {
    const FORM: &str =
        "a host is a name like claude.ai, *.example.com for every name below, or * for any";
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
    match Host::parse(name) {
        // As URLs have it: lower case, punycode.
        Ok(Host::Domain(known)) if known == name => {
            Ok(if below { HostPattern::Below(known) } else { HostPattern::Exactly(known) })
        }
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) if !below => Ok(HostPattern::Exactly(name.to_owned())),
        _ => Err(FORM.to_owned()),
    }
}
