//! The list `federation`: providers whose users may log in.

use std::{ops::RangeInclusive, time::Duration};

use attache_protocol::secret::Secret;
use url::Host;

use super::{
    super::{
        Admission, Client, Federated, IdentityClaims, Issuer, Targets, Tenants, document::Path,
        file,
    },
    origin,
    report::{Checked, Report},
    units,
};
use crate::upstream::issuer::{self, Issuers};

const MAX_NAME: usize = 32;
const MAX_LABEL: usize = 64;
const MAX_TEXT: usize = 512;
/// What is asked for when nothing is said.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// How long a login is good when nothing is said.
const SESSION: Duration = Duration::from_hours(30 * 24);
/// Shortest and longest.
const SESSIONS: RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(730 * 24);
/// Every tenant.
const ANY: &str = "*";

/// Every provider, with a name and an issuer of its own.
pub(super) fn federation(
    files: Option<&[Option<file::Federated>]>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<Federated>> {
    let files = (files.unwrap_or_default(), "name, issuer and client_id");
    report.entries(at, files, provider_of, unique)
}

fn unique(provider: &Federated, others: &[&Federated], at: &Path, report: &mut Report<'_>) {
    if others.iter().any(|other| other.name == provider.name) {
        report.wrong(&at.key("name"), "given twice: every provider needs a name of its own");
    }
    let issuers = |of: &Federated| Issuers::new(&of.issuer, &of.tenants);
    let theirs = issuers(provider);
    if others.iter().any(|other| other.issuer == provider.issuer || theirs.overlap(&issuers(other)))
    {
        let reason =
            "given twice: whoever logs in there is the same account, whichever button they take";
        report.wrong(&at.key("issuer"), reason);
    }
}

fn provider_of(file: &file::Federated, at: &Path, report: &mut Report<'_>) -> Checked<Federated> {
    let what = "the last part of its callback URL, like `okta`";
    let name = report.needed(&at.key("name"), file.name.as_deref(), what, name);
    let default = name.as_ref().map_or_else(|_| String::new(), |name| capitalized(name));
    let label = report.optional(&at.key("label"), file.label.as_deref(), default, label);
    let private = file.allow_private.as_deref();
    let private = report.optional(&at.key("allow_private"), private, false, units::flag);
    let targets = if private.is_ok_and(|private| private) { Targets::Any } else { Targets::Public };
    let what = "its `issuer`, byte for byte as its /.well-known/openid-configuration says";
    let issuer = report.needed(&at.key("issuer"), file.issuer.as_deref(), what, |text| {
        Issuer::parse(text, targets)
    });
    let tenants = tenants(file, issuer.as_ref().ok(), at, report);
    let client = client(file, at, report);
    let scopes = scopes(file.scopes.as_deref(), &at.key("scopes"), report);
    let claims = claims(file.claims.as_ref(), &at.key("claims"), report);
    let domain = file.hosted_domain.as_deref();
    let domain = domain.map(|text| {
        domain_of(text).map_err(|reason| report.wrong(&at.key("hosted_domain"), reason))
    });
    let admission = admission(file, at, report);
    let session = file.max_session.as_deref();
    let session = report.duration(&at.key("max_session"), session, SESSION, SESSIONS);
    private?;
    Ok(Federated {
        name: name?,
        label: label?,
        issuer: issuer?,
        tenants: tenants?,
        client: client?,
        scopes: scopes?,
        claims: claims?,
        hosted_domain: domain.transpose()?,
        targets,
        admission: admission?,
        max_session: session?,
    })
}

/// It is a segment of a path.
fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(plain) {
        return Err(format!("a name has 1 to {MAX_NAME} lower-case letters, digits or hyphens"));
    }
    Ok(text.to_owned())
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}

fn label(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_LABEL || text.contains(char::is_control) {
        return Err(format!("a label has 1 to {MAX_LABEL} characters"));
    }
    Ok(text.to_owned())
}

fn client(file: &file::Federated, at: &Path, report: &mut Report<'_>) -> Checked<Client> {
    let what = "what the provider calls this gateway";
    let id = report.needed(&at.key("client_id"), file.client_id.as_deref(), what, plain);
    let secret = file.client_secret.as_ref().map(|secret| {
        let length = secret.reveal().len();
        if (1..=MAX_TEXT).contains(&length) && !secret.reveal().contains(char::is_control) {
            return Ok(secret.clone());
        }
        let reason = "must be what the provider made; leave it out for a public client";
        Err(report.wrong_secret(&at.key("client_secret"), reason))
    });
    let secret: Option<Secret> = secret.transpose()?;
    Ok(Client { id: id?, secret })
}

/// Visible, and without spaces.
fn plain(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_TEXT || !origin::is_plain(text) {
        return Err(format!("has 1 to {MAX_TEXT} visible characters, without spaces"));
    }
    Ok(text.to_owned())
}

/// With `openid`, without which nobody says who logged in.
fn scopes(
    texts: Option<&[Option<String>]>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<String>> {
    let Some(texts) = texts else { return Ok(SCOPES.map(str::to_owned).to_vec()) };
    let scopes = report.list(at, texts, plain)?;
    if scopes.iter().any(|scope| scope == "openid") {
        return Ok(scopes);
    }
    Err(report
        .wrong(at, "openid must be among them: without it the provider does not say who logged in"))
}

fn claims(
    file: Option<&file::IdentityClaims>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<IdentityClaims> {
    let default = file::IdentityClaims::default();
    let file = file.unwrap_or(&default);
    let names = IdentityClaims::default();
    let mut claim = |key: &str, text: &Option<String>, default| {
        report.optional(&at.key(key), text.as_deref(), default, plain)
    };
    let email = claim("email", &file.email, names.email);
    let verified = claim("email_verified", &file.email_verified, names.email_verified);
    let groups = claim("groups", &file.groups, names.groups);
    let name = claim("name", &file.name, names.name);
    Ok(IdentityClaims { email: email?, email_verified: verified?, groups: groups?, name: name? })
}

/// Where one address speaks for many tenants, it must be said which of them may come in.
fn tenants(
    file: &file::Federated,
    issuer: Option<&Issuer>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Tenants> {
    let key = at.key("tenants");
    let shared = issuer.is_some_and(|issuer| issuer::template(issuer).is_some());
    match (&file.tenants, shared) {
        (None, false) => Ok(Tenants::Single),
        (Some(_), false) if issuer.is_some() => {
            let reason = "is for an issuer that speaks for many, like https://login.microsoftonline.com/organizations/v2.0";
            Err(report.wrong(&key, reason))
        }
        (None, true) => {
            let what = "the ids of the tenants that may come in, or [\"*\"] for anybody with an account at Microsoft";
            report.given(&key, None, what)
        }
        (Some(texts), _) => match texts.as_slice() {
            [Some(any)] if any == ANY => Ok(Tenants::Any),
            texts => {
                let listed = report.list(&key, texts, tenant)?;
                report
                    .given(&key, (!listed.is_empty()).then_some(listed), "at least one tenant")
                    .map(Tenants::Listed)
            }
        },
    }
}

fn tenant(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if issuer::is_tenant(&text) {
        return Ok(text);
    }
    Err("a tenant is given by its id (a GUID), as `tid` of its tokens says".to_owned())
}

fn admission(file: &file::Federated, at: &Path, report: &mut Report<'_>) -> Checked<Admission> {
    let domains = file.email_domains.as_deref();
    let domains = report.list(&at.key("email_domains"), domains.unwrap_or_default(), domain_of);
    if file.email_domains.as_ref().is_some_and(Vec::is_empty) {
        let reason = "an empty list lets nobody in: leave it out for any domain";
        return Err(report.wrong(&at.key("email_domains"), reason));
    }
    let verified = file.require_verified_email.as_deref();
    let verified = report.optional(&at.key("require_verified_email"), verified, false, units::flag);
    Ok(Admission { email_domains: domains?, require_verified_email: verified? })
}

/// As it stands behind the `@`, in lower case.
fn domain_of(text: &str) -> Result<String, String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) if name == text && name.contains('.') => Ok(name),
        _ => Err("a domain is a name in lower case, like example.com".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::super::super::{Config, Federated, Loaded, Mistakes, Targets, Tenants};

    const TENANT: &str = "8c9a1c2d-0000-4000-8000-00000000000a";
    const ONE: &str = "https://login.microsoftonline.com/8c9a1c2d-0000-4000-8000-00000000000a/v2.0";

    fn parse(providers: &str) -> Result<Vec<Federated>, Mistakes> {
        let text = format!(
            "public_url: http://localhost:8080
authorization: {{embedded: {{federation: [{providers}]}}}}
service: {{secret: 0123456789abcdef0123456789abcdef}}
servers: [{{name: everything, url: http://127.0.0.1:3001/mcp}}]
"
        );
        let Loaded { config, .. } =
            Config::parse("attache.yaml", &text, Path::new("/srv"), &|_| None)?;
        Ok(config.authorization.embedded().unwrap().federation.clone())
    }

    #[test]
    fn a_provider_needs_a_name_an_issuer_and_a_client() {
        let parsed = parse("{name: okta, issuer: 'https://a.okta.com', client_id: x}").unwrap();
        let [one] = parsed.as_slice() else { panic!("one provider") };
        assert_eq!((one.name.as_str(), one.label.as_str()), ("okta", "Okta"));
        assert_eq!(one.scopes, ["openid", "email", "profile"]);
        assert_eq!((&one.tenants, one.targets), (&Tenants::Single, Targets::Public));
        assert_eq!(one.claims.groups, "groups");
        assert!(one.client.secret.is_none() && one.hosted_domain.is_none());
        assert_eq!(one.max_session, Duration::from_hours(30 * 24));
    }

    #[test]
    fn every_key_of_a_provider_is_read() {
        let parsed = parse(&format!(
            "{{name: entra, label: 'Contoso login', issuer: 'https://login.microsoftonline.com/organizations/v2.0',
               client_id: x, client_secret: hunter2, scopes: [openid, email, roles],
               claims: {{groups: roles, email: upn, email_verified: xms_edov, name: given_name}}, hosted_domain: example.com,
               tenants: [{TENANT}], email_domains: [example.com, a.example], require_verified_email: true, max_session: 12h}},
              {{name: dex, issuer: 'http://127.0.0.1:5556/dex', client_id: y, allow_private: true}}"
        ));
        let parsed = parsed.unwrap();
        let [entra, dex] = parsed.as_slice() else { panic!("two providers") };
        assert_eq!(entra.label, "Contoso login");
        assert_eq!(entra.tenants, Tenants::Listed(vec![TENANT.to_owned()]));
        assert_eq!(entra.client.secret.as_ref().unwrap().reveal(), "hunter2");
        assert_eq!((entra.claims.groups.as_str(), entra.claims.email.as_str()), ("roles", "upn"));
        assert_eq!(entra.hosted_domain.as_deref(), Some("example.com"));
        assert_eq!(entra.admission.email_domains, ["example.com", "a.example"]);
        assert!(entra.admission.require_verified_email);
        assert_eq!(entra.max_session, Duration::from_hours(12));
        assert_eq!(dex.targets, Targets::Any);
    }

    #[test]
    fn a_mistake_of_a_provider_says_what_is_allowed() {
        const LEAST: &str = "name: a, issuer: 'https://a.example', client_id: x";
        let entra =
            "name: a, issuer: 'https://login.microsoftonline.com/common/v2.0', client_id: x";
        let many =
            "name: b, issuer: 'https://login.microsoftonline.com/organizations/v2.0', client_id: x";
        for (provider, said) in [
            (format!("{{{LEAST}}}, {{{LEAST}}}"), "every provider needs a name of its own"),
            (format!("{{{LEAST}}}, {{{LEAST}}}"), "is the same account, whichever button"),
            (
                format!("{{{entra}, tenants: ['*']}}, {{name: b, issuer: '{ONE}', client_id: x}}"),
                "is the same account, whichever button",
            ),
            (
                format!("{{{entra}, tenants: ['*']}}, {{{many}, tenants: ['{TENANT}']}}"),
                "is the same account, whichever button",
            ),
            ("{name: A, issuer: 'https://a', client_id: x}".to_owned(), "lower-case letters"),
            ("{name: a, issuer: 'http://a', client_id: x}".to_owned(), "must not travel in clear"),
            ("{name: a, issuer: 'https://a?b', client_id: x}".to_owned(), "without user, query"),
            ("{name: a, issuer: 'https://a'}".to_owned(), "missing: give what the provider calls"),
            (format!("{{{LEAST}, scopes: [email]}}"), "openid must be among them"),
            (format!("{{{LEAST}, tenants: ['*']}}"), "is for an issuer that speaks for many"),
            (format!("{{{entra}}}"), "missing: give the ids of the tenants"),
            (format!("{{{entra}, tenants: []}}"), "missing: give at least one tenant"),
            (format!("{{{entra}, tenants: [contoso]}}"), "given by its id (a GUID)"),
            (format!("{{{LEAST}, email_domains: []}}"), "an empty list lets nobody in"),
            (format!("{{{LEAST}, email_domains: ['@a.b']}}"), "like example.com"),
            (format!("{{{LEAST}, hosted_domain: Example}}"), "like example.com"),
            (format!("{{{LEAST}, max_session: 1s}}"), "must be between 5m and 730d"),
            (format!("{{{LEAST}, client_secret: ''}}"), "leave it out for a public client"),
            (format!("{{{LEAST}, secret: hunter2}}"), "unknown key"),
            (format!("{{{LEAST}, client_secret: \"hunter2\\n\"}}"), "what the provider made"),
        ] {
            let found = parse(&provider).unwrap_err().to_string();
            assert!(found.contains(said), "{provider}: {found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
    }
}
