//! The list `servers`.

use std::time::Duration;

use attache_protocol::plugin::{Analytics, Argument, Authentication, CallerToken, Capture};
use url::Url;

use super::{
    super::{Credentials, HttpVersion, Origin, Server, document::Path, file},
    foreign, origin,
    report::{Checked, Report},
    units,
};

/// The scope that a server needs when it does not say.
pub(super) const DEFAULT_SCOPE: &str = "mcp";
const MAX_NAME: usize = 32;
const MAX_PATH: usize = 200;
const SECOND: Duration = Duration::from_secs(1);
/// Headers that frame the message, that belong to one connection, or that carry the protocol itself.
const FORBIDDEN_HEADERS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const FORBIDDEN_PREFIXES: [&str; 3] = ["mcp-", "x-envoy-", "x-forwarded-"];

/// Every server, with a name and a path of its own.
pub(super) fn servers(
    files: Option<&[Option<file::Server>]>,
    public_url: Option<&Origin>,
    report: &mut Report<'_>,
) -> Checked<Vec<Server>> {
    let at = Path::default().key("servers");
    let files = report.given(
        &at,
        files.filter(|files| !files.is_empty()),
        "at least one server, with name and url",
    )?;
    report.entries(&at, (files, "name and url"), server_of, |server, earlier, at, report| {
        unique(server, earlier, at, report);
        let origin = server.url.origin().ascii_serialization();
        if public_url.is_some_and(|public| public.as_str() == origin) {
            report.wrong(&at.key("url"), "is this gateway itself: give the server behind it");
        }
    })
}

fn unique(server: &Server, earlier: &[&Server], at: &Path, report: &mut Report<'_>) {
    if earlier.iter().any(|other| other.name == server.name) {
        report.wrong(&at.key("name"), "given twice: every server needs a name of its own");
    } else if let Some(other) = earlier.iter().find(|other| other.path == server.path) {
        let reason = format!(
            "{} is the path of `{}`: every server needs a path of its own",
            server.path, other.name
        );
        report.wrong(&at.key("path"), reason);
    }
}

fn server_of(file: &file::Server, at: &Path, report: &mut Report<'_>) -> Checked<Server> {
    let name = report.needed(&at.key("name"), file.name.as_deref(), "a name, like `weather`", name);
    let url =
        report.needed(&at.key("url"), file.url.as_deref(), "the URL of its MCP endpoint", url);
    let path = match (&file.path, &name) {
        (None, Ok(name)) => {
            path(&format!("/{name}/mcp")).map_err(|reason| report.wrong(&at.key("name"), reason))
        }
        (text, _) => report.optional(&at.key("path"), text.as_deref(), String::new(), path),
    };
    let authentication = report.optional(
        &at.key("authentication"),
        file.authentication.as_deref(),
        Authentication::Required,
        authentication,
    );
    let scopes = match &file.scopes {
        Some(texts) => report.list(&at.key("scopes"), texts, scope),
        None => Ok(vec![DEFAULT_SCOPE.to_owned()]),
    };
    let credentials =
        file.credentials.as_ref().map(|file| credentials(file, &at.key("credentials"), report));
    let caller_token = caller_token(file, at, report);
    let foreign = foreign::foreign(file, authentication.as_ref().ok().copied(), at, report);
    let origins = file.allowed_origins.as_deref().unwrap_or_default();
    let allowed_origins = report.list(&at.key("allowed_origins"), origins, origin::browser);
    let token_only = file.foreign_schemes.is_none();
    if !origins.is_empty() && token_only && matches!(authentication, Ok(Authentication::Required)) {
        report.warn(
            &at.key("allowed_origins"),
            "has no effect where every request needs a token: any origin may call then",
        );
    }
    let timeout = report.duration(
        &at.key("timeout"),
        file.timeout.as_deref(),
        SECOND * 300,
        SECOND..=SECOND * 3600,
    );
    let http = http_version(file.http_version.as_deref(), url.as_ref().ok(), at, report);
    let analytics = analytics(file.analytics.as_ref(), &at.key("analytics"), report);
    Ok(Server {
        name: name?,
        url: url?,
        path: path?,
        authentication: authentication?,
        scopes: scopes?,
        credentials: credentials.transpose()?,
        caller_token: caller_token?,
        foreign: foreign?,
        allowed_origins: allowed_origins?,
        timeout: timeout?,
        http: http?,
        analytics: analytics?,
    })
}

fn name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends =
        text.bytes().next().is_some_and(inner) && text.bytes().next_back().is_some_and(inner);
    if ends && text.len() <= MAX_NAME && text.bytes().all(|byte| inner(byte) || byte == b'-') {
        return Ok(text.to_owned());
    }
    Err(format!("a name has 1 to {MAX_NAME} of a-z, 0-9 and -, and neither begins nor ends with -"))
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("not a URL ({error}): write http://host:port/path or https://host/path")
    })?;
    if !origin::is_plain(text) {
        return Err("must not contain spaces, line breaks or characters outside ASCII".to_owned());
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password: use `credentials`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "must not contain a query or fragment; a key for the server belongs in `credentials`"
                .to_owned(),
        );
    }
    if url.port() == Some(0) {
        return Err("port 0 cannot be reached".to_owned());
    }
    Ok(url)
}

/// A path that Envoy matches exactly, as clients send it, and that hides none of our own.
fn path(text: &str) -> Result<String, String> {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte))
    };
    let segments = text.strip_prefix('/').filter(|_| text.len() <= MAX_PATH);
    if !segments.is_some_and(|segments| segments.split('/').all(segment)) {
        return Err(format!(
            "a path begins with / and has up to {MAX_PATH} letters, digits and -._~:@!$&'()*+,;= in segments that are not empty, . or .."
        ));
    }
    let first = text.split('/').nth(1).unwrap_or_default();
    if matches!(first, ".well-known" | "oauth" | "connect")
        || matches!(text, "/live" | "/ready" | "/account" | "/health" | "/status" | "/analytics")
    {
        return Err(format!("{text} is ours: choose another path"));
    }
    Ok(text.to_owned())
}

fn authentication(text: &str) -> Result<Authentication, String> {
    match text {
        "required" => Ok(Authentication::Required),
        "optional" => Ok(Authentication::Optional),
        "none" => Ok(Authentication::None),
        _ => Err("must be required, optional or none".to_owned()),
    }
}

fn http_version(
    text: Option<&str>,
    url: Option<&Url>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<HttpVersion> {
    let path = at.key("http_version");
    if url.is_some_and(|url| url.scheme() == "https") {
        if text.is_some() {
            let reason = "is negotiated where the server's URL is https: leave it out";
            return Err(report.wrong(&path, reason));
        }
        return Ok(HttpVersion::Negotiated);
    }
    report.optional(&path, text, HttpVersion::Http1, |text| match text {
        "1.1" => Ok(HttpVersion::Http1),
        "2" => Ok(HttpVersion::Http2),
        _ => Err("must be 1.1 or 2".to_owned()),
    })
}

/// A scope token (RFC 6749 section 3.3).
pub(super) fn scope(text: &str) -> Result<String, String> {
    if text == "offline_access" {
        return Err("concerns refresh tokens, not servers: leave it out".to_owned());
    }
    let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(token) {
        return Err(
            "a scope has 1 to 128 visible ASCII characters without quotes, backslashes or spaces"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

fn credentials(
    file: &file::Credentials,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Credentials> {
    let header =
        report.needed(&at.key("header"), file.header.as_deref(), "the name of a header", header);
    let value = report.given(&at.key("value"), file.value.as_ref(), "the value of the header");
    let value = value.and_then(|value| {
        let text = value.reveal();
        let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if text.is_empty() || !visible || text.trim() != text {
            let reason = "must be visible ASCII, without spaces at its ends or line breaks";
            return Err(report.wrong_secret(&at.key("value"), reason));
        }
        Ok(value.clone())
    });
    Ok(Credentials { header: header?, value: value? })
}

/// A field name (RFC 9110 section 5.1) that a credential may have.
fn header(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err("must be the name of a header, like x-api-key or authorization".to_owned());
    }
    if FORBIDDEN_HEADERS.contains(&name.as_str())
        || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    {
        return Err(
            "belongs to the protocol or the connection: use authorization or a header of your own"
                .to_owned(),
        );
    }
    Ok(name)
}

fn caller_token(file: &file::Server, at: &Path, report: &mut Report<'_>) -> Checked<CallerToken> {
    let path = at.key("forward_token");
    let forwarded = report.optional(&path, file.forward_token.as_deref(), false, units::flag)?;
    if !forwarded {
        return Ok(CallerToken::Removed);
    }
    if file.credentials.is_some() {
        return Err(
            report.wrong(&path, "a server gets `credentials` or the caller's token, not both")
        );
    }
    Ok(CallerToken::Forwarded)
}

fn analytics(
    file: Option<&file::ServerAnalytics>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Analytics> {
    let default = file::ServerAnalytics::default();
    let file = file.unwrap_or(&default);
    let capture =
        report.optional(&at.key("capture"), file.capture.as_deref(), Capture::Intent, capture)?;
    let arguments = match &file.arguments {
        Some(texts) => report.list(&at.key("arguments"), texts, argument),
        None if capture < Capture::Intent => Ok(Vec::new()),
        None => Ok(vec![Argument::Intent]),
    };
    let exempt = report.list(&at.key("exempt"), file.exempt.as_deref().unwrap_or_default(), tool);
    let mut arguments = arguments?;
    if capture < Capture::Intent && !arguments.is_empty() {
        return Err(report.wrong(
            &at.key("arguments"),
            "tools are given arguments only where `capture: intent` keeps what they say",
        ));
    }
    arguments.sort_by_key(|argument| Argument::ALL.iter().position(|known| known == argument));
    arguments.dedup();
    Ok(Analytics { capture, arguments, exempt: exempt? })
}

fn capture(text: &str) -> Result<Capture, String> {
    match text {
        // YAML 1.1 habits: an unquoted off is a boolean to some editors.
        "off" | "false" => Ok(Capture::Off),
        "metadata" => Ok(Capture::Metadata),
        "intent" => Ok(Capture::Intent),
        _ => Err("must be off, metadata or intent".to_owned()),
    }
}

fn argument(text: &str) -> Result<Argument, String> {
    match text {
        "intent" => Ok(Argument::Intent),
        "prompt" => Ok(Argument::Prompt),
        "history" => Ok(Argument::History),
        _ => Err("must be intent, prompt or history".to_owned()),
    }
}

fn tool(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 128 || text.contains(char::is_control) {
        return Err("must be the name of a tool".to_owned());
    }
    Ok(text.to_owned())
}
