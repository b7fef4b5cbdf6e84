//! What the sections of a provider may say, and what is said of one that may not.

use std::{fmt::Write as _, path::Path, time::Duration};

use crate::config::{
    Authorization, Brokered, Config, Loaded, Mistakes, OpaqueTokens, Registrar, ResourceParameter,
    Targets, WithoutAudience,
};

const REST: &str = "public_url: https://mcp.example.com
service:
  secret: 0123456789abcdef0123456789abcdef
servers:
  - name: everything
    url: http://127.0.0.1:3001/mcp
";
const LEAST: &str = "issuer: https://idp.example.com/realms/mcp, client: {id: attache}";

fn parse(section: &str) -> Result<Loaded, Mistakes> {
    let text = format!("authorization:\n{section}\n{REST}");
    Config::parse("attache.yaml", &text, Path::new("/srv/attache"), &|_| None)
}

fn external(keys: &str) -> Result<Authorization, Mistakes> {
    parse(&format!("  external: {{{keys}}}")).map(|loaded| loaded.config.authorization)
}

fn brokered(keys: &str) -> Brokered {
    let authorization = external(keys).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    authorization.brokered().unwrap().clone()
}

#[test]
fn the_least_external_section_has_every_default() {
    let authorization = external(LEAST).unwrap();
    assert_eq!(authorization.mode.as_str(), "external");
    assert!(authorization.embedded().is_none());
    assert_eq!(authorization.refresh.grace, Duration::from_secs(60));
    let brokered = brokered(LEAST);
    assert_eq!(brokered.issuer.as_str(), "https://idp.example.com/realms/mcp");
    let Registrar::Static(client) = &brokered.registrar else { panic!("a static client") };
    assert_eq!((client.id.as_str(), client.secret.is_none()), ("attache", true));
    assert_eq!(brokered.request.scopes, ["openid", "offline_access"]);
    assert_eq!(brokered.request.resource, ResourceParameter::Resource);
    assert_eq!(brokered.tokens.audience, None);
    assert_eq!(brokered.tokens.claims.scope, ["scope", "scp"]);
    assert_eq!(brokered.tokens.opaque, OpaqueTokens::Refused);
    assert_eq!(brokered.targets, Targets::Public);
}

#[test]
fn every_key_of_an_external_section_is_read() {
    let keys = "issuer: http://127.0.0.1:9000/idp, allow_private: true,
      registration: {enabled: true, initial_access_token: hunter2},
      audience: api://attache, resource_parameter: none, scopes: [openid],
      scope_map: {mcp: api://attache/mcp}, algorithm: RS256,
      claims: {groups: realm_access.roles, email: upn, scope: scp},
      introspection: {cache: 1m, without_audience: issued_to_us, client: {id: filter, secret: hunter2}},
      refresh_grace: 0s, refresh_token_idle: 1d, refresh_token_absolute: 2d,
      private_redirect_uris: [], static_clients: [{id: app, redirect_uris: [myapp://x]}],
      client_id_metadata_documents: {hosts: []},
      key_encryption_secret: 0123456789abcdef0123456789abcdef";
    let authorization = external(keys).unwrap();
    assert!(authorization.clients.private_redirect_uris.is_empty());
    assert!(authorization.clients.metadata_documents.hosts.is_empty());
    assert_eq!(authorization.clients.configured[0].id, "app");
    assert_eq!(authorization.refresh.absolute, Duration::from_hours(48));
    assert!(!format!("{authorization:?}").contains("hunter2"));
    let brokered = brokered(keys);
    let Registrar::Registration(registration) = &brokered.registrar else { panic!("registration") };
    assert!(registration.initial_access_token.is_some());
    assert_eq!(brokered.request.resource, ResourceParameter::Omitted);
    assert_eq!(brokered.request.scope_map["mcp"], "api://attache/mcp");
    assert_eq!(brokered.tokens.audience.as_deref(), Some("api://attache"));
    let claims = &brokered.tokens.claims;
    assert_eq!(
        (claims.groups.as_str(), &*claims.scope),
        ("realm_access.roles", &["scp".to_owned()][..])
    );
    assert_eq!(brokered.tokens.algorithm, Some("RS256"));
    let OpaqueTokens::Introspected { cache, without_audience, client } = brokered.tokens.opaque
    else {
        panic!("opaque tokens")
    };
    let said = (cache, without_audience);
    assert_eq!(said, (Duration::from_secs(60), WithoutAudience::IssuedToUs));
    assert_eq!(client.unwrap().id, "filter");
}

#[test]
fn where_only_scopes_tell_tokens_apart_every_server_has_one() {
    let with = |scopes: &str| {
        let text = format!(
            "authorization: {{external: {{{LEAST}, audience: attache}}}}\n{REST}    scopes: [{scopes}]\n"
        );
        Config::parse("attache.yaml", &text, Path::new("/srv/attache"), &|_| None)
    };
    assert!(with("mcp").is_ok());
    let mistakes = with("").unwrap_err().to_string();
    assert!(mistakes.contains("servers[0].scopes"), "{mistakes}");
    assert!(mistakes.contains("an ID token would open this server"), "{mistakes}");
}

#[test]
fn dex_is_reached_over_grpc_and_may_be_in_our_own_network() {
    let section = "  dex:
    issuer: http://dex:5556/dex
    grpc: {address: dex:5557, tls: {ca: ca.pem, certificate: /etc/c.pem, private_key: k.pem}}
    static_clients: [{id: app, redirect_uris: [myapp://x]}]";
    let authorization = parse(section).unwrap().config.authorization;
    assert_eq!(authorization.mode.as_str(), "dex");
    assert_eq!(authorization.clients.configured[0].id, "app");
    let brokered = authorization.brokered().unwrap();
    assert_eq!(brokered.targets, Targets::Any);
    assert_eq!(brokered.request.scopes, ["openid", "offline_access", "email", "profile", "groups"]);
    assert!(brokered.tokens.claims.scope.is_empty());
    let Registrar::Dex(dex) = &brokered.registrar else { panic!("Dex") };
    assert_eq!((dex.address.host.as_str(), dex.address.port), ("dex", 5557));
    let tls = dex.tls.as_ref().unwrap();
    assert_eq!(tls.ca.as_deref(), Some(Path::new("/srv/attache/ca.pem")));
    let identity = tls.identity.as_ref().unwrap();
    assert_eq!(identity.certificate, Path::new("/etc/c.pem"));
    assert_eq!(identity.private_key, Path::new("/srv/attache/k.pem"));
}

#[test]
fn a_mistake_of_a_provider_says_where_it_is_and_what_is_allowed() {
    let sections = [
        "  embedded: {}\n  external: {}".to_owned(),
        "  external: {}\n  dex: {}".to_owned(),
        "  {}".to_owned(),
        "  external: {}".to_owned(),
        "  dex: {issuer: https://dex.example.com}".to_owned(),
        "  dex: {issuer: https://dex.example.com, grpc: {}}".to_owned(),
        "  dex: {issuer: https://dex.example.com, grpc: {address: dex}}".to_owned(),
        "  dex: {issuer: https://dex.example.com, grpc: {address: dex:5557, tls: {certificate: c}}}"
            .to_owned(),
    ];
    let of_external = [
        "issuer: http://idp.example.com, client: {id: a}",
        "issuer: https://user:hunter2@idp.example.com, client: {id: a}",
        "issuer: https://idp.example.com/?tenant=a, client: {id: a}",
        "issuer: ftp://idp.example.com, client: {id: a}",
        "issuer: https://idp.example.com/.well-known/openid-configuration, client: {id: a}",
        "issuer: https://idp.example.com, client: {secret: hunter2}",
        "issuer: https://idp.example.com, client: {id: a, secret: \"hunter2\\n\"}",
        "issuer: https://idp.example.com, registration: {enabled: false}",
        "issuer: https://idp.example.com, client: {id: a}, registration: {}",
        &format!("{LEAST}, resource_parameter: aud"),
        &format!("{LEAST}, algorithm: HS256"),
        &format!("{LEAST}, algorithm: ES256"),
        &format!("{LEAST}, scopes: ['a b']"),
        &format!("{LEAST}, scope_map: {{mcp: 'a b'}}"),
        &format!("{LEAST}, audience: ''"),
        &format!("{LEAST}, claims: {{group: roles}}"),
        &format!("{LEAST}, introspection: {{}}"),
        &format!("{LEAST}, introspection: {{cache: 1h, client: {{id: a, secret: hunter2}}}}"),
        &format!("{LEAST}, introspection: {{without_audience: any, client: {{id: a, secret: b}}}}"),
        &format!("{LEAST}, users: []"),
        &format!("{LEAST}, refresh_token_idle: 100d"),
    ];
    let of_external = of_external.map(|keys| format!("  external: {{{keys}}}"));
    let mut said = String::new();
    for section in sections.into_iter().chain(of_external) {
        let found = match parse(&section) {
            Ok(_) => panic!("no mistake: {section}"),
            Err(mistakes) => mistakes.to_string(),
        };
        assert!(!found.contains("hunter2"), "a secret is shown: {found}");
        writeln!(said, "{found}").unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn commands_of_the_embedded_server_say_where_to_go_instead() {
    let said = external(LEAST).unwrap().own().unwrap_err().to_string();
    assert!(said.contains("authorization.external") && said.contains("https://idp.example.com"));
}
