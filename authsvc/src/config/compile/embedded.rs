//! The section `authorization.embedded`.

use std::{ops::RangeInclusive, time::Duration};

use argon2::password_hash::phc::PasswordHash;
use attache_protocol::secret::Secret;

use super::{
    super::{Embedded, PersonalTokens, Signing, User, document::Path, file},
    federation, machine,
    report::{Checked, Report},
    units,
};
use crate::users::{self, email::Email};

/// Least memory and passes of a password hash below which a warning is due (OWASP, 2023).
const LEAST_MEMORY_KIB: u32 = 19_456;
/// Most memory of a password hash: each login takes it.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
/// Most passes of a password hash.
const MOST_PASSES: u32 = 32;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// authsvc as the authorization server.
pub(super) fn embedded(
    file: &file::Embedded,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Embedded> {
    let users = users_of(file.users.as_deref(), &at.key("users"), report);
    let mut duration =
        |key: &str, text: &Option<String>, default, allowed: RangeInclusive<Duration>| {
            report.duration(&at.key(key), text.as_deref(), default, allowed)
        };
    let access = duration("access_token_ttl", &file.access_token_ttl, HOUR, MINUTE..=DAY);
    let rotation = duration("key_rotation", &file.key_rotation, DAY * 90, HOUR..=DAY * 730);
    let signing =
        report.optional(&at.key("signing"), file.signing.as_deref(), Signing::EdDsa, signing);
    let machines = file.machine_clients.as_deref();
    let machines = machine::machine_clients(machines, &at.key("machine_clients"), report);
    let tokens = file.personal_access_tokens.as_ref();
    let tokens = personal_tokens(tokens, &at.key("personal_access_tokens"), report);
    let federation = file.federation.as_deref();
    let federation = federation::federation(federation, &at.key("federation"), report);
    Ok(Embedded {
        users: users?,
        access_token_ttl: access?,
        signing: signing?,
        key_rotation: rotation?,
        machine_clients: machines?,
        personal_tokens: tokens?,
        federation: federation?,
    })
}

/// They are there unless they are switched off: without one that the operator made, nothing is different.
fn personal_tokens(
    file: Option<&file::PersonalTokens>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<PersonalTokens> {
    let text = |text: fn(&file::PersonalTokens) -> Option<&String>| {
        file.and_then(text).map(String::as_str)
    };
    let (enabled, cache) = (text(|file| file.enabled.as_ref()), text(|file| file.cache.as_ref()));
    let enabled = report.optional(&at.key("enabled"), enabled, true, units::flag);
    let cache = report.duration(&at.key("cache"), cache, SECOND * 30, SECOND * 5..=SECOND * 300);
    Ok(if enabled? { PersonalTokens::On { cache: cache? } } else { PersonalTokens::Off })
}

fn signing(text: &str) -> Result<Signing, String> {
    let known = || Signing::ALL.map(Signing::as_str).join(" or ");
    Signing::parse(text).ok_or_else(|| format!("must be {}", known()))
}

fn users_of(
    files: Option<&[Option<file::User>]>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<User>> {
    let files = (files.unwrap_or_default(), "email and password_hash");
    report.entries(at, files, user_of, |user, earlier, at, report| {
        if earlier.iter().any(|other| other.email.eq_ignore_ascii_case(&user.email)) {
            report.wrong(&at.key("email"), "given twice");
        }
    })
}

fn user_of(file: &file::User, at: &Path, report: &mut Report<'_>) -> Checked<User> {
    let email = report.needed(
        &at.key("email"),
        file.email.as_deref(),
        "what the user types to log in",
        email,
    );
    let hash = password_hash(file.password_hash.as_ref(), &at.key("password_hash"), report);
    let groups =
        report.list(&at.key("groups"), file.groups.as_deref().unwrap_or_default(), users::group);
    Ok(User { email: email?, password_hash: hash?, groups: groups? })
}

/// Kept as it is written: it is what tokens say.
fn email(text: &str) -> Result<String, String> {
    Email::parse(text).map(|_email| text.trim().to_owned()).map_err(|error| error.to_string())
}

/// An Argon2id hash in PHC string format whose cost is neither forgotten nor ruinous.
fn password_hash(hash: Option<&Secret>, path: &Path, report: &mut Report<'_>) -> Checked<Secret> {
    let given = report.given(path, hash, "what `authsvc user hash` prints")?;
    let cut = "must be an Argon2id hash in PHC format, in quotes where it stands inside {...}: `authsvc user hash` prints one";
    let parsed =
        PasswordHash::new(given.reveal()).map_err(|_not_phc| report.wrong_secret(path, cut))?;
    if parsed.algorithm.as_str() != "argon2id" {
        let reason = format!(
            "must be an argon2id hash, this is {}: `authsvc user hash` prints one",
            parsed.algorithm
        );
        return Err(report.wrong_secret(path, reason));
    }
    let parameters = argon2::Params::try_from(&parsed);
    let Some(parameters) =
        parameters.ok().filter(|_| parsed.salt.is_some() && parsed.hash.is_some())
    else {
        return Err(report.wrong_secret(path, cut));
    };
    if parameters.m_cost() > MOST_MEMORY_KIB || parameters.t_cost() > MOST_PASSES {
        let reason = format!(
            "each login would take {} KiB and {} passes: at most {MOST_MEMORY_KIB} and {MOST_PASSES}",
            parameters.m_cost(),
            parameters.t_cost()
        );
        return Err(report.wrong_secret(path, reason));
    }
    if parameters.m_cost() < LEAST_MEMORY_KIB {
        let reason = format!(
            "a weak hash ({} KiB of memory): `authsvc user hash` makes a stronger one",
            parameters.m_cost()
        );
        report.warn_secret(path, reason);
    }
    Ok(given.clone())
}
