//! What a server checks itself.

use attache_protocol::plugin::{Authentication, Challenges, Foreign};

use super::{
    super::{document::Path, file},
    origin,
    report::{Checked, Report},
};

/// Most schemes of a server.
const MOST: usize = 8;
const MAX_SCHEME: usize = 32;

/// Schemes that reach a server unchanged and unchecked, and where its challenges may lead.
pub(super) fn foreign(
    file: &file::Server,
    authentication: Option<Authentication>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Option<Foreign>> {
    let path = at.key("foreign_schemes");
    let origins = at.key("metadata_origins");
    let Some(texts) = &file.foreign_schemes else {
        return match &file.metadata_origins {
            Some(_) => Err(report.wrong(&origins, "has no effect without `foreign_schemes`")),
            None => Ok(None),
        };
    };
    if !(1..=MOST).contains(&texts.len()) {
        return Err(report.wrong(&path, format!("has 1 to {MOST} schemes, like AccessToken")));
    }
    let schemes = report.list(&path, texts, |text| scheme(text, authentication))?;
    if file.credentials.is_some() {
        let reason = "callers whom nobody checked would come with the gateway's `credentials`: a server has one or the other";
        return Err(report.wrong(&path, reason));
    }
    let challenges = match (&file.metadata_origins, authentication) {
        (Some(_), Some(Authentication::Required | Authentication::Optional)) => {
            let reason = "clients of this server are sent to this gateway: only with `authentication: none` does a server send them elsewhere";
            return Err(report.wrong(&origins, reason));
        }
        (Some(texts), _) => Challenges::Listed(report.list(&origins, texts, origin::browser)?),
        (None, Some(Authentication::None)) => Challenges::Public,
        (None, _) => Challenges::Ours,
    };
    Ok(Some(Foreign { schemes, challenges }))
}

/// RFC 9110 section 11.1.
fn scheme(text: &str, authentication: Option<Authentication>) -> Result<String, String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.is_empty() || text.len() > MAX_SCHEME || !text.bytes().all(letter) {
        return Err("must be the name of an authentication scheme, like AccessToken".to_owned());
    }
    if text.eq_ignore_ascii_case("bearer") && authentication != Some(Authentication::None) {
        return Err("bearer tokens are checked here: a server checks them itself only with `authentication: none`".to_owned());
    }
    Ok(text.to_owned())
}
