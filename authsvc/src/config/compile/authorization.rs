//! The section `authorization`: exactly one way to be authorized, and what all of them share.

use std::{ops::RangeInclusive, path::Path as FilePath, time::Duration};

use attache_protocol::secret::Secret;
use url::Url;

use super::{
    super::{Authorization, ClientPolicy, Mode, RefreshPolicy, document::Path, file},
    brokered, clients, documents, embedded,
    report::{Checked, Report},
};

/// The one private-use redirect URI that is known to need an exception: Cursor registers no other.
const CURSOR: &str = "cursor://anysphere.cursor-mcp/oauth/callback";
/// Schemes that run code, read files, or have rules of their own.
const FORBIDDEN_SCHEMES: [&str; 11] = [
    "http",
    "https",
    "javascript",
    "data",
    "file",
    "vbscript",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
];

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What every way to be authorized says of clients and of what they were granted.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) private_redirect_uris: Option<&'a [Option<String>]>,
    pub(super) initial_access_token: Option<&'a Secret>,
    pub(super) metadata_documents: Option<&'a file::MetadataDocuments>,
    pub(super) static_clients: Option<&'a [Option<file::StaticClient>]>,
    pub(super) refresh_token_idle: Option<&'a str>,
    pub(super) refresh_token_absolute: Option<&'a str>,
    pub(super) refresh_grace: Option<&'a str>,
    pub(super) key_encryption_secret: Option<&'a Secret>,
}

/// What they share of a section of the file.
macro_rules! common {
    ($file:expr) => {
        Common {
            private_redirect_uris: $file.private_redirect_uris.as_deref(),
            initial_access_token: $file.initial_access_token.as_ref(),
            metadata_documents: $file.client_id_metadata_documents.as_ref(),
            static_clients: $file.static_clients.as_deref(),
            refresh_token_idle: $file.refresh_token_idle.as_deref(),
            refresh_token_absolute: $file.refresh_token_absolute.as_deref(),
            refresh_grace: $file.refresh_grace.as_deref(),
            key_encryption_secret: $file.key_encryption_secret.as_ref(),
        }
    };
}

/// Exactly one way to be authorized. Relative paths begin at `base`.
pub(super) fn authorization(
    file: Option<&file::Authorization>,
    base: &FilePath,
    report: &mut Report<'_>,
) -> Checked<Authorization> {
    let at = Path::default().key("authorization");
    let what = "`embedded:`, with the users who may log in, or `external:` or `dex:`, with who logs them in";
    let file = report.given(&at, file, what)?;
    let sections = [
        ("embedded", file.embedded.is_some()),
        ("external", file.external.is_some()),
        ("dex", file.dex.is_some()),
    ];
    let given: Vec<&str> =
        sections.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if let [first, second, ..] = given.as_slice() {
        let reason = format!(
            "there is `{first}` already: exactly one of embedded, external and dex says who issues the tokens"
        );
        return Err(report.wrong_secret(&at.key(second), reason));
    }
    let (embedded, external, dex) = (at.key("embedded"), at.key("external"), at.key("dex"));
    if let Some(file) = &file.external {
        let mode = brokered::external(file, &external, report);
        return finish(common!(file), mode, &external, report);
    }
    if let Some(file) = &file.dex {
        let mode = brokered::dex(file, base, &dex, report);
        return finish(common!(file), mode, &dex, report);
    }
    let what = "`users:`, who may log in, or `{}` where all are in the database";
    let file = report.given(&embedded, file.embedded.as_ref(), what)?;
    let mode = embedded::embedded(file, &embedded, report).map(|own| Mode::Embedded(Box::new(own)));
    finish(common!(file), mode, &embedded, report)
}

fn finish(
    common: Common<'_>,
    mode: Checked<Mode>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Authorization> {
    let uris = match common.private_redirect_uris {
        Some(texts) => report.list(&at.key("private_redirect_uris"), texts, private_redirect_uri),
        None => Ok(vec![CURSOR.to_owned()]),
    };
    let key = "client_id_metadata_documents";
    let documents = documents::documents(common.metadata_documents, &at.key(key), report);
    let path = at.key("static_clients");
    let configured = clients::clients(common.static_clients, &path, report);
    if let (Ok(configured), Ok(Mode::Embedded(embedded))) = (&configured, &mode) {
        clients::apart(configured, embedded, &path, report);
    }
    let refresh = refresh(&common, at, report);
    let mut secret = |key: &str, secret: Option<&Secret>| {
        secret.map(|secret| report.long_secret(&at.key(key), secret)).transpose()
    };
    let token = secret("initial_access_token", common.initial_access_token);
    let secret = secret("key_encryption_secret", common.key_encryption_secret);
    Ok(Authorization {
        clients: ClientPolicy {
            private_redirect_uris: uris?,
            initial_access_token: token?,
            metadata_documents: documents?,
            configured: configured?,
        },
        refresh: refresh?,
        key_encryption_secret: secret?,
        mode: mode?,
    })
}

fn refresh(common: &Common<'_>, at: &Path, report: &mut Report<'_>) -> Checked<RefreshPolicy> {
    let mut duration = |key: &str, text, default, allowed: RangeInclusive<Duration>| {
        report.duration(&at.key(key), text, default, allowed)
    };
    let idle = common.refresh_token_idle;
    let idle = duration("refresh_token_idle", idle, DAY * 30, MINUTE * 5..=DAY * 365);
    let absolute = common.refresh_token_absolute;
    let absolute = duration("refresh_token_absolute", absolute, DAY * 90, MINUTE * 5..=DAY * 730);
    let grace = common.refresh_grace;
    let grace = duration("refresh_grace", grace, MINUTE, Duration::ZERO..=MINUTE * 10);
    let policy = RefreshPolicy { idle: idle?, absolute: absolute?, grace: grace? };
    if policy.idle > policy.absolute {
        let reason = "an unused refresh token cannot outlive its family: must not be above `refresh_token_absolute`";
        return Err(report.wrong(&at.key("refresh_token_idle"), reason));
    }
    Ok(policy)
}

/// A redirect URI with a private-use scheme (RFC 8252 section 7.1), compared byte for byte.
pub(super) fn private_redirect_uri(text: &str) -> Result<String, String> {
    const FORM: &str = "a private-use redirect URI is one exact URI like myapp://callback";
    let url = Url::parse(text).map_err(|error| format!("not a URI ({error}): {FORM}"))?;
    if FORBIDDEN_SCHEMES.contains(&url.scheme()) {
        let scheme = url.scheme();
        return Err(format!(
            "the scheme {scheme} cannot be listed here (https and loopback http need no listing): {FORM}"
        ));
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
    if !plain || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some()
    {
        return Err(format!("must not contain a fragment, a user, a wildcard or spaces: {FORM}"));
    }
    Ok(text.to_owned())
}
