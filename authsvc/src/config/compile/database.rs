//! `database`: what sqlx would take in its own way, taken in one.

use std::{collections::BTreeSet, net::IpAddr, path::Path as FilePath};

use attache_protocol::secret::Secret;
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    super::{Database, document::Path},
    absolute,
    report::{Checked, Report},
};

const FORMS: &str = "must be sqlite:// and the path of a file, like sqlite://data/attache.db, or postgres:// and user, host and database, like postgres://attache@db.example.com/attache";
/// `sslmode`, from none to all.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// Modes in which a server is who it says it is.
const SURE: [&str; 2] = ["verify-ca", "verify-full"];
/// Parameters that name files.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// What the file says, or a SQLite file beside it.
pub(super) fn database(
    text: Option<&str>,
    base: &FilePath,
    report: &mut Report<'_>,
) -> Checked<Database> {
    let path = Path::default().key("database");
    let Some(text) = text else { return Ok(Database::Sqlite(base.join("data/attache.db"))) };
    let parsed = match text.split_once("://") {
        Some(("sqlite", path)) => sqlite(path, base),
        Some(("postgres" | "postgresql", _)) => postgres(text, base),
        _ => Err(FORMS.to_owned()),
    };
    let database = parsed.map_err(|reason| {
        // Wherever a password may be, however the text came to look like this.
        if text.contains(['@', '?', '#']) {
            report.wrong_secret(&path, reason)
        } else {
            report.wrong(&path, reason)
        }
    })?;
    if let Database::Postgres(url) = &database
        && Url::parse(url.reveal()).is_ok_and(|url| is_exposed(&url))
    {
        report.warn_secret(&path, "is on another machine, and whoever is between can read and change what goes there: add ?sslmode=verify-full, and &sslrootcert=FILE if its certificate is from an authority of your own");
    }
    Ok(database)
}

fn sqlite(path: &str, base: &FilePath) -> Result<Database, String> {
    if path.is_empty()
        || path.starts_with(':')
        || path.contains(['?', '#', '%'])
        || path.contains(char::is_control)
    {
        return Err(format!("{FORMS}; the characters ?, # and % cannot be used in a path"));
    }
    Ok(Database::Sqlite(absolute(base, path)))
}

fn postgres(text: &str, base: &FilePath) -> Result<Database, String> {
    let mut url = Url::parse(text).map_err(|_it_may_show_the_password| {
        format!(
            "{FORMS}; in user and password, what is neither letter nor digit is percent-encoded"
        )
    })?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("names no host; the folder of a Unix socket is percent-encoded: postgres://attache@%2Frun%2Fpostgresql/attache".to_owned());
    }
    if !is_percent_encoded(text) {
        return Err(
            "has a % that does not begin the code of a byte of UTF-8: a % itself is %25".to_owned()
        );
    }
    if url.fragment().is_some() {
        return Err("has a #, which is %23 in a password".to_owned());
    }
    let name = url.path().trim_start_matches('/');
    if name.is_empty() || name.contains('/') {
        return Err(
            "must name one database after the host: postgres://attache@db.example.com/attache"
                .to_owned(),
        );
    }
    let parameters = parameters(&url, base)?;
    if !parameters.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(parameters);
    }
    Ok(Database::Postgres(Secret::new(url.into())))
}

/// Two hexadecimal digits after each %, and UTF-8 when they are decoded: what is not would reach the server as it is.
fn is_percent_encoded(text: &str) -> bool {
    let is_code = |rest: &str| {
        let code = rest.as_bytes().get(..2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    };
    text.split('%').skip(1).all(is_code) && percent_decode_str(text).decode_utf8().is_ok()
}

/// Those that we know, each once, with absolute paths.
fn parameters(url: &Url, base: &FilePath) -> Result<Vec<(String, String)>, String> {
    let mut seen = BTreeSet::new();
    let mut parameters = Vec::new();
    for (name, value) in url.query_pairs() {
        let (name, value) = (name.into_owned(), value.into_owned());
        if !seen.insert(name.clone()) {
            return Err("has a parameter twice".to_owned());
        }
        let value = match name.as_str() {
            "sslmode" if MODES.contains(&value.as_str()) => value,
            "sslmode" => return Err(format!("sslmode must be one of {}", MODES.join(", "))),
            file if FILES.contains(&file) => absolute(base, &value).display().to_string(),
            "application_name" | "options" => value,
            _ => {
                let files = FILES.join(", ");
                return Err(format!(
                    "has a parameter that is none of sslmode, {files}, application_name, options"
                ));
            }
        };
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Whether the way to the server is a network on which nobody is sure of anything.
fn is_exposed(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost"
        || host.to_ascii_lowercase().starts_with("%2f")
        || address.is_ok_and(|address| address.is_loopback());
    !is_here && !url.query_pairs().any(|(name, value)| name == "sslmode" && SURE.contains(&&*value))
}
