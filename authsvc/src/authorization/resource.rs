//! Which servers a request is for (RFC 8707), and the names by which they are asked for.

use thiserror::Error;
use url::Url;

use crate::config::{Config, Server};

/// How many `resource` parameters a request may carry.
const MAX_RESOURCES: usize = 10;

/// Why a `resource` is refused: `invalid_target` (RFC 8707 section 2).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InvalidTarget {
    /// It is not one of our servers.
    #[error("resource is not a server of this gateway, use the URL of the MCP server")]
    Unknown,
    /// It is no absolute URI, or it has a fragment.
    #[error("resource must be an absolute URI without a fragment")]
    Malformed,
    /// There are too many.
    #[error("at most {MAX_RESOURCES} resource parameters are accepted")]
    TooMany,
}

/// The URI that clients ask for and that tokens carry as `aud`: the URL of the server at this gateway.
#[must_use]
pub fn uri(config: &Config, server: &Server) -> String {
    config.public_url.url(&server.path)
}

/// The servers that `asked` names, each once, in the order asked; without any, the first configured one.
///
/// # Errors
/// [`InvalidTarget`] when one of them is not ours.
pub fn resolve<'a>(config: &'a Config, asked: &[String]) -> Result<Vec<&'a Server>, InvalidTarget> {
    if asked.len() > MAX_RESOURCES {
        return Err(InvalidTarget::TooMany);
    }
    if asked.is_empty() {
        return config.servers.first().map(|server| vec![server]).ok_or(InvalidTarget::Unknown);
    }
    let mut servers: Vec<&Server> = Vec::new();
    for text in asked {
        let server = find(config, text)?;
        if !servers.iter().any(|known| known.path == server.path) {
            servers.push(server);
        }
    }
    Ok(servers)
}

/// Both sides are read as browsers read URLs, so that an upper-case host, a default port or the slash which
/// `new URL()` adds to a URL without a path make no difference; a slash after a path does.
fn find<'a>(config: &'a Config, text: &str) -> Result<&'a Server, InvalidTarget> {
    let Ok(asked) = Url::parse(text) else { return Err(InvalidTarget::Malformed) };
    if asked.fragment().is_some() || text.contains('#') {
        return Err(InvalidTarget::Malformed);
    }
    config
        .servers
        .iter()
        .find(|server| Url::parse(&uri(config, server)).is_ok_and(|known| known == asked))
        .ok_or(InvalidTarget::Unknown)
}
