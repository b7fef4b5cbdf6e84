//! The sections `authorization.external` and `authorization.dex`.

use std::{collections::BTreeMap, path::Path as FilePath, time::Duration};

use attache_protocol::{
    plugin::{Authentication, ClaimNames},
    secret::Secret,
};

use super::{
    super::{
        Authorization, Brokered, Client, Dex, DexIdentity, DexTls, ForeignTokens, Introspector,
        Issuer, Mode, OpaqueTokens, Registrar, Registration, Request, ResourceParameter, Server,
        Targets, WithoutAudience, document::Path, file,
    },
    absolute, network,
    report::{Checked, Report},
    units,
};

/// Longest name of a client, a claim or a scope of the provider, bytes.
const MAX_NAME: usize = 256;
/// RSA signatures (RFC 7518 section 3.1).
const RSA: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
/// Asked for where nothing else is said: who logged in, and to be able to come back.
const SCOPES: [&str; 2] = ["openid", "offline_access"];
/// The same of Dex, which says nothing of a person that was not asked for.
const DEX_SCOPES: [&str; 5] = ["openid", "offline_access", "email", "profile", "groups"];
const SECOND: Duration = Duration::from_secs(1);

/// Any provider.
pub(super) fn external(file: &file::External, at: &Path, report: &mut Report<'_>) -> Checked<Mode> {
    let path = at.key("allow_private");
    let private = report.optional(&path, file.allow_private.as_deref(), false, units::flag);
    let targets = private.map(|any| if any { Targets::Any } else { Targets::Public });
    let issuer = issuer(file.issuer.as_deref(), targets.unwrap_or(Targets::Public), at, report);
    let registrar = registrar(file, at, report);
    let request = request(file, at, report);
    let tokens = tokens(file, registrar.as_ref().ok(), at, report);
    Ok(Mode::Brokered(Box::new(Brokered {
        issuer: issuer?,
        registrar: registrar?,
        request: request?,
        tokens: tokens?,
        targets: targets?,
    })))
}

/// Where the client of authsvc and what tokens are for have the same name, only scopes tell an access token from an ID
/// token.
pub(super) fn told_apart(
    authorization: &Authorization,
    servers: &[Server],
    report: &mut Report<'_>,
) -> Checked<()> {
    let Some(brokered) = authorization.brokered() else { return Ok(()) };
    let Registrar::Static(client) = &brokered.registrar else { return Ok(()) };
    if brokered.tokens.audience.as_ref() != Some(&client.id) {
        return Ok(());
    }
    let mut checked = Ok(());
    for (number, server) in servers.iter().enumerate() {
        if server.scopes.is_empty() && !matches!(server.authentication, Authentication::None) {
            let at = Path::default().key("servers").item(number).key("scopes");
            let reason = "must name one: `audience` is the id of the client here, so that without a scope an ID token would open this server";
            checked = Err(report.wrong(&at, reason));
        }
    }
    checked
}

/// Dex, in the network of authsvc as a rule.
pub(super) fn dex(
    file: &file::Dex,
    base: &FilePath,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Mode> {
    let targets = Targets::Any;
    let issuer = issuer(file.issuer.as_deref(), targets, at, report);
    let what = "`address:`, host and port of the gRPC API of Dex";
    let grpc = report.given(&at.key("grpc"), file.grpc.as_ref(), what);
    let grpc = grpc.and_then(|grpc| dex_api(grpc, base, &at.key("grpc"), report));
    let scopes = scopes(file.scopes.as_deref(), &DEX_SCOPES, at, report);
    Ok(Mode::Brokered(Box::new(Brokered {
        issuer: issuer?,
        registrar: Registrar::Dex(grpc?),
        request: Request {
            scopes: scopes?,
            scope_map: BTreeMap::new(),
            resource: ResourceParameter::Omitted,
        },
        tokens: ForeignTokens {
            audience: None,
            claims: ClaimNames::default().without_scope(),
            algorithm: None,
            opaque: OpaqueTokens::Refused,
        },
        targets,
    })))
}

fn issuer(
    text: Option<&str>,
    targets: Targets,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Issuer> {
    let what = "the issuer, byte for byte as in `issuer` of its metadata";
    report.needed(&at.key("issuer"), text, what, |text| Issuer::parse(text, targets))
}

/// One of the two ways.
fn registrar(file: &file::External, at: &Path, report: &mut Report<'_>) -> Checked<Registrar> {
    let registration = match &file.registration {
        Some(file) => registration(file, &at.key("registration"), report)?,
        None => None,
    };
    match (&file.client, registration) {
        (Some(client), None) => {
            let at = at.key("client");
            let what = "the `client_id` that authsvc has at the provider";
            let id = report.needed(&at.key("id"), client.id.as_deref(), what, name);
            let secret = client.secret.as_ref();
            let secret = secret.map(|secret| visible(&at.key("secret"), secret, report));
            Ok(Registrar::Static(Client { id: id?, secret: secret.transpose()? }))
        }
        (None, Some(registration)) => Ok(Registrar::Registration(registration)),
        (Some(_), Some(_)) => {
            let reason = "there is `client` already: with it nothing is registered at the provider";
            Err(report.wrong_secret(&at.key("registration"), reason))
        }
        (None, None) => {
            let what = "`{id, secret}` of the client that authsvc is at the provider, or `registration: {enabled: true}` for a provider at which clients register themselves";
            report.given::<Registrar>(&at.key("client"), None, what)
        }
    }
}

fn registration(
    file: &file::Registration,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Option<Registration>> {
    let enabled = report.optional(&at.key("enabled"), file.enabled.as_deref(), true, units::flag);
    let token = file.initial_access_token.as_ref();
    let token = token.map(|token| visible(&at.key("initial_access_token"), token, report));
    let registration = Registration { initial_access_token: token.transpose()? };
    Ok(enabled?.then_some(registration))
}

fn request(file: &file::External, at: &Path, report: &mut Report<'_>) -> Checked<Request> {
    let resource = file.resource_parameter.as_deref();
    let resource = report.optional(
        &at.key("resource_parameter"),
        resource,
        ResourceParameter::Resource,
        |text| {
            let named = ResourceParameter::ALL.into_iter().find(|one| one.as_str() == text);
            named.ok_or_else(|| "must be resource (RFC 8707), audience or none".to_owned())
        },
    );
    let scopes = scopes(file.scopes.as_deref(), &SCOPES, at, report);
    let map = scope_map(file.scope_map.as_ref(), &at.key("scope_map"), report);
    Ok(Request { scopes: scopes?, scope_map: map?, resource: resource? })
}

fn scopes(
    texts: Option<&[Option<String>]>,
    default: &[&str],
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<String>> {
    match texts {
        Some(texts) => report.list(&at.key("scopes"), texts, name),
        None => Ok(default.iter().map(|&scope| scope.to_owned()).collect()),
    }
}

fn scope_map(
    file: Option<&BTreeMap<String, Option<String>>>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<BTreeMap<String, String>> {
    let what = "what the provider calls this scope";
    let pairs = file.into_iter().flatten().map(|(ours, theirs)| {
        Ok((ours.clone(), report.needed(&at.key(ours), theirs.as_deref(), what, name)?))
    });
    pairs.collect::<Vec<_>>().into_iter().collect()
}

fn tokens(
    file: &file::External,
    registrar: Option<&Registrar>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<ForeignTokens> {
    let audience = file.audience.as_deref();
    let what = "what `aud` of the access tokens contains";
    let audience =
        audience.map(|text| report.needed(&at.key("audience"), Some(text), what, name)).transpose();
    let claims = claims(file.claims.as_ref(), &at.key("claims"), report);
    let algorithm = file.algorithm.as_deref();
    let algorithm = report.optional(&at.key("algorithm"), algorithm, None, |text| {
        let known = RSA.into_iter().find(|known| *known == text);
        known.map(Some).ok_or_else(|| {
            format!(
                "is for RSA keys without `alg`, of others their type says it: one of {}",
                RSA.join(", ")
            )
        })
    });
    let opaque = opaque(file.introspection.as_ref(), registrar, &at.key("introspection"), report);
    Ok(ForeignTokens {
        audience: audience?,
        claims: claims?,
        algorithm: algorithm?,
        opaque: opaque?,
    })
}

fn claims(
    file: Option<&file::ClaimNames>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<ClaimNames> {
    let default = ClaimNames::default();
    let Some(file) = file else { return Ok(default) };
    let groups = report.optional(&at.key("groups"), file.groups.as_deref(), default.groups, name);
    let email = report.optional(&at.key("email"), file.email.as_deref(), default.email, name);
    let scope = file.scope.as_deref();
    let scope = report
        .optional(&at.key("scope"), scope, default.scope, |text| name(text).map(|name| vec![name]));
    Ok(ClaimNames { groups: groups?, email: email?, scope: scope? })
}

fn opaque(
    file: Option<&file::Introspection>,
    registrar: Option<&Registrar>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<OpaqueTokens> {
    let Some(file) = file else { return Ok(OpaqueTokens::Refused) };
    let enabled = report.optional(&at.key("enabled"), file.enabled.as_deref(), true, units::flag);
    let cache = file.cache.as_deref();
    let cache = report.duration(&at.key("cache"), cache, SECOND * 30, SECOND * 5..=SECOND * 300);
    let refused = WithoutAudience::Refused;
    let rule = file.without_audience.as_deref();
    let rule = report.optional(&at.key("without_audience"), rule, refused, |text| match text {
        "refused" => Ok(WithoutAudience::Refused),
        "issued_to_us" => Ok(WithoutAudience::IssuedToUs),
        _ => Err("must be refused, or issued_to_us: then a token without `aud` is good if its `client_id` is authsvc's".to_owned()),
    });
    let client = file.client.as_ref().map(|file| introspector(file, &at.key("client"), report));
    let client = client.transpose();
    let (enabled, cache, rule, client) = (enabled?, cache?, rule?, client?);
    if !enabled {
        return Ok(OpaqueTokens::Refused);
    }
    let asks = match registrar {
        Some(Registrar::Static(Client { secret: Some(_), .. })) | None => true,
        Some(Registrar::Static(_) | Registrar::Registration(_) | Registrar::Dex(_)) => false,
    };
    if client.is_none() && !asks {
        let what = "`{id, secret}` of a client that may ask the provider about tokens: only the `client` of the configuration could, if it has a secret";
        return Err(report.wrong(&at.key("client"), format_args!("missing: give {what}")));
    }
    Ok(OpaqueTokens::Introspected { cache, without_audience: rule, client: client.map(Box::new) })
}

fn introspector(
    file: &file::ProviderClient,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Introspector> {
    let id = report.needed(&at.key("id"), file.id.as_deref(), "its `client_id`", name);
    let secret = report.given(&at.key("secret"), file.secret.as_ref(), "its `client_secret`");
    let secret = secret.and_then(|secret| visible(&at.key("secret"), secret, report));
    Ok(Introspector { id: id?, secret: secret? })
}

fn dex_api(
    file: &file::DexApi,
    base: &FilePath,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Dex> {
    let what = "host and port of the gRPC API of Dex";
    let address =
        report.needed(&at.key("address"), file.address.as_deref(), what, network::host_port);
    let tls = file.tls.as_ref().map(|file| dex_tls(file, base, &at.key("tls"), report));
    Ok(Dex { address: address?, tls: tls.transpose()? })
}

fn dex_tls(
    file: &file::DexTls,
    base: &FilePath,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<DexTls> {
    let ca = file.ca.as_deref().map(|path| absolute(base, path));
    let identity = match (&file.certificate, &file.private_key) {
        (Some(certificate), Some(private_key)) => Some(DexIdentity {
            certificate: absolute(base, certificate),
            private_key: absolute(base, private_key),
        }),
        (None, None) => None,
        (Some(_), None) => {
            let what = "the private key of the certificate";
            return Err(report.wrong(&at.key("private_key"), format_args!("missing: give {what}")));
        }
        (None, Some(_)) => {
            let what = "the certificate of the private key";
            return Err(report.wrong(&at.key("certificate"), format_args!("missing: give {what}")));
        }
    };
    Ok(DexTls { ca, identity })
}

/// Of a client, a scope, a claim or an audience: visible and without spaces.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(format!("must be 1 to {MAX_NAME} visible ASCII characters without spaces"));
    }
    Ok(text.to_owned())
}

/// A secret that somebody else made up (RFC 6749 appendix A.2).
fn visible(at: &Path, secret: &Secret, report: &mut Report<'_>) -> Checked<Secret> {
    let text = secret.reveal();
    let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if text.is_empty() || text.len() > 4096 || !visible {
        let reason = "must be visible ASCII, as the provider gave it";
        return Err(report.wrong_secret(at, reason));
    }
    Ok(secret.clone())
}
