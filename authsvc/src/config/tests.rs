//! What a configuration may say, and what is said of one that may not.

use std::{fmt::Write as _, path::Path, time::Duration};

use attache_protocol::plugin::{
    Argument, Authentication, CallerToken, Capture, Challenges, Foreign,
};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{
    Config, Database, HttpVersion, Loaded, Log, LogFormat, Mistakes, PersonalTokens, Proof,
    Retention, Signing, Targets,
};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI";

const LEAST: &str = "public_url: http://localhost:8080
authorization:
  embedded:
    users:
      - email: admin@example.com
        password_hash: $argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI
service:
  secret: 0123456789abcdef0123456789abcdef
servers:
  - name: everything
    url: http://127.0.0.1:3001/mcp
";

const FULL: &str = r#"
public_url: https://mcp.example.com
listen: 0.0.0.0:8443
authorization:
  embedded:
    users:
      - {email: admin@example.com, password_hash: "${HASH}", groups: [dev, "ops, too"]}
    access_token_ttl: 30m
    refresh_token_idle: 10d
    refresh_token_absolute: ${ABSOLUTE:-20d}
    refresh_grace: 0s
    private_redirect_uris: [myapp://callback]
    signing: ES256
    key_rotation: 30d
    key_encryption_secret: ${SECRET}
    personal_access_tokens: {enabled: true, cache: 2m}
database: sqlite://../state/attache.db
service: {listen: "[::1]:7001", internal: 10.0.0.5:7002, secret: "${SECRET}", address: authsvc:7001, internal_address: "[fd00::2]:7002", trusted_proxies: [10.0.0.1], metrics_secret: "of-the-scraper-${SECRET}", log: json, log_level: warn}
envoy: {wasm: /opt/attache.wasm, admin: 127.0.0.1:9000, max_body: 64KiB, max_list: 1MiB, max_heap: 2GiB}
servers:
  - name: one
    url: https://one.example.com/mcp
    path: /mcp
    authentication: optional
    scopes: [read, write]
    credentials: {header: X-Api-Key, value: ${KEY}}
    allowed_origins: [https://app.example.com]
    timeout: 10s
    analytics: {arguments: [history, intent, intent], capture: intent, exempt: [ping]}
  - name: two-2
    url: http://10.0.0.9/
    authentication: none
    forward_token: ${FORWARD}
    foreign_schemes: [AccessToken, bearer]
    metadata_origins: [https://id.example.com]
    http_version: 2
    analytics: {capture: off}
audit: {keep: 30d}
analytics:
  keep: 7d
  max_size: 64MiB
  webhook: {url: http://127.0.0.1:9999/hook, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=, allow_private: true}
"#;

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "HASH" => HASH,
        "SECRET" => "a: \"b\", {c}: [d]#e,f|g&h*i!j%k@l`m'n",
        "KEY" => "it's \"100%\": {really}",
        "FORWARD" => "true",
        "MULTILINE" => "one\ntwo: three",
        _ => return None,
    };
    Some(value.replace(' ', if name == "SECRET" { "_" } else { " " }))
}

fn parse(text: &str) -> Result<Loaded, Mistakes> {
    Config::parse("attache.yaml", text, Path::new("/srv/attache"), &environment)
}

/// [`LEAST`] with a text replaced or, where it is empty, put in front.
fn with(old: &str, new: &str) -> String {
    if old.is_empty() {
        return format!("{new}\n{LEAST}");
    }
    assert!(LEAST.contains(old), "{old}");
    LEAST.replace(old, new)
}

/// Every mistake, one per line, in the order of the file.
fn mistakes(text: &str) -> String {
    parse(text).map_or_else(|mistakes| mistakes.to_string(), |_| "no mistake".to_owned())
}

fn server(line: &str) -> String {
    format!("{LEAST}    {line}\n")
}

#[test]
fn the_least_configuration_has_every_default() {
    let Loaded { config, warnings } = parse(LEAST).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(config.public_url.as_str(), "http://localhost:8080");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.to_string(), "sqlite:///srv/attache/data/attache.db");
    assert_eq!(config.service.address.host, "127.0.0.1");
    assert_eq!(config.service.address.port, 8081);
    assert_eq!(config.service.metrics_secret, None);
    assert_eq!(config.service.log, Log { format: LogFormat::Text, level: tracing::Level::INFO });
    assert_eq!(config.service.internal.to_string(), "127.0.0.1:8082");
    assert_eq!(config.envoy.wasm, Path::new("/srv/attache/target/attache.wasm"));
    assert_eq!((config.envoy.max_body, config.envoy.max_list), (4 << 20, 8 << 20));
    assert_eq!(config.envoy.max_heap, 1 << 30);
}

#[test]
fn the_least_authorization_has_every_default() {
    let Loaded { config, .. } = parse(LEAST).unwrap();
    let embedded = config.authorization.embedded().unwrap();
    assert_eq!(embedded.access_token_ttl, Duration::from_secs(3600));
    assert_eq!(embedded.signing, Signing::EdDsa);
    assert_eq!(embedded.key_rotation, Duration::from_secs(90 * 86400));
    assert_eq!(config.authorization.key_encryption_secret, None);
    assert_eq!(
        config.authorization.clients.private_redirect_uris,
        ["cursor://anysphere.cursor-mcp/oauth/callback"]
    );
}

#[test]
fn the_least_server_and_analytics_have_every_default() {
    let Loaded { config, .. } = parse(LEAST).unwrap();
    let [server] = config.servers.as_slice() else { panic!("one server") };
    assert_eq!(server.path, "/everything/mcp");
    assert_eq!(server.authentication, Authentication::Required);
    assert_eq!(server.scopes, ["mcp"]);
    assert_eq!(server.caller_token, CallerToken::Removed);
    assert_eq!(server.timeout, Duration::from_secs(300));
    assert_eq!(server.http, HttpVersion::Http1);
    assert_eq!(server.analytics.capture, Capture::Intent);
    assert_eq!(server.analytics.arguments, [Argument::Intent]);
    assert!(config.webhook.is_none());
    let ninety_days = Duration::from_hours(90 * 24);
    assert_eq!(config.retention, Retention { keep: ninety_days, max_size: 4 << 30 });
    assert_eq!(config.audit.keep, Duration::from_hours(365 * 24));
}

#[test]
fn a_postgresql_database_is_shown_without_its_password() {
    let url = "postgresql://me:hunter2@db.example.com:5433/attache?sslmode=verify-full&sslrootcert=ca.pem";
    let Loaded { config, warnings } = parse(&with("", &format!("database: {url}"))).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(config.database.to_string(), "postgres://me@db.example.com:5433/attache");
    assert!(!format!("{config:?}").contains("hunter2"));
    let Database::Postgres(full) = config.database else { panic!("PostgreSQL") };
    let absolute = url.replace("=ca.pem", "=%2Fsrv%2Fattache%2Fca.pem");
    assert_eq!(full.reveal(), &absolute);
}

#[test]
fn a_postgresql_server_elsewhere_should_show_who_it_is() {
    let warnings = |url: &str| parse(&with("", &format!("database: {url}"))).unwrap().warnings;
    for fine in [
        "postgres://localhost/x",
        "postgres://me:x@127.0.0.1:5432/x",
        "postgres://[::1]/x?sslmode=disable",
        "postgres://me@%2Frun%2Fpostgresql/x?application_name=attache",
        "postgres://db/x?sslmode=verify-ca",
    ] {
        assert!(warnings(fine).is_empty(), "{fine}: {}", warnings(fine));
    }
    for exposed in ["postgres://me:hunter2@db/x", "postgres://10.0.0.1/x?sslmode=require"] {
        let said = warnings(exposed).to_string();
        assert!(said.contains("sslmode=verify-full") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn every_key_is_read() {
    let Loaded { config, .. } = parse(FULL).unwrap();
    assert_eq!(config.database.to_string(), "sqlite:///srv/state/attache.db");
    assert_eq!(config.service.secret.reveal(), "a:_\"b\",_{c}:_[d]#e,f|g&h*i!j%k@l`m'n");
    assert_eq!(config.service.internal_address.host, "fd00::2");
    let own = config.service.metrics_secret.as_ref().unwrap();
    assert!(own.reveal().starts_with("of-the-scraper-a:"));
    assert_eq!(config.service.log, Log { format: LogFormat::Json, level: tracing::Level::WARN });
    assert_eq!(config.envoy.wasm, Path::new("/opt/attache.wasm"));
    assert_eq!(config.envoy.max_heap, 2 << 30);
    let week = Duration::from_hours(7 * 24);
    assert_eq!(config.retention, Retention { keep: week, max_size: 64 << 20 });
    assert_eq!(config.audit.keep, Duration::from_hours(30 * 24));
    assert_eq!(config.webhook.unwrap().targets, Targets::Any);
}

#[test]
fn every_key_of_users_and_servers_is_read() {
    let Loaded { config, .. } = parse(FULL).unwrap();
    let embedded = config.authorization.embedded().unwrap();
    assert_eq!(embedded.users[0].groups, ["dev", "ops, too"]);
    assert_eq!(embedded.users[0].password_hash.reveal(), HASH);
    assert_eq!(config.authorization.refresh.absolute, Duration::from_secs(20 * 86400));
    assert_eq!(embedded.signing, Signing::Es256);
    assert_eq!(embedded.key_rotation, Duration::from_secs(30 * 86400));
    assert_eq!(config.authorization.key_encryption_secret, Some(config.service.secret.clone()));
    let credentials = config.servers[0].credentials.as_ref().unwrap();
    assert_eq!(credentials.header, "x-api-key");
    assert_eq!(credentials.value.reveal(), "it's \"100%\": {really}");
    assert_eq!(config.servers[0].analytics.arguments, [Argument::Intent, Argument::History]);
    let cache = Duration::from_secs(120);
    assert_eq!(embedded.personal_tokens, PersonalTokens::On { cache });
    assert_eq!(config.servers[1].caller_token, CallerToken::Forwarded);
    let foreign = Foreign {
        schemes: vec!["AccessToken".to_owned(), "bearer".to_owned()],
        challenges: Challenges::Listed(vec!["https://id.example.com".to_owned()]),
    };
    assert_eq!(config.servers[1].foreign, Some(foreign));
    assert_eq!(config.servers[1].analytics.capture, Capture::Off);
    assert!(config.servers[1].analytics.arguments.is_empty());
}

#[test]
fn all_mistakes_come_at_once() {
    let text = "publik_url: http://localhost:8080
listen: localhost:8080
authorization:
  embedded:
    users: admin@example.com
    access_token_ttl: ${TTL}
database: mysql://localhost/x
service: {secret: too-short, listen: 127.0.0.1:9901}
servers:
  - {name: Weather, ulr: http://127.0.0.1:3001/mcp, forward_token: maybe}
  - name: two
    url: ftp://127.0.0.1/mcp
    scopes: [mcp, 'a b', [x]]
    unexpected: {}
analytics: off
";
    let said = mistakes(text);
    insta::assert_snapshot!(said);
}

/// What is said of these files, one mistake each.
const SECRET: &str = "secret: 0123456789abcdef0123456789abcdef";

/// [`LEAST`] with a program that has `rest`.
fn program(rest: &str) -> String {
    let line = format!("    machine_clients: [{{id: report, servers: [everything], {rest}}}]");
    with("    users:", &format!("{line}\n    users:"))
}

#[test]
fn a_program_has_a_secret_or_keys() {
    let keys = r#"jwks: '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'"#;
    for rest in [keys, SECRET, &format!("{SECRET}, scopes: [mcp], groups: [robots]")] {
        let Loaded { config, .. } = parse(&program(rest)).unwrap();
        let embedded = config.authorization.embedded().unwrap();
        assert_eq!(embedded.machine_clients[0].servers, ["everything"], "{rest}");
    }
}

/// [`LEAST`] with a client that has `rest`.
fn client(rest: &str) -> String {
    let line = format!("    static_clients: [{{id: app, {rest}}}]");
    with("    users:", &format!("{line}\n    users:"))
}

#[test]
fn a_client_may_have_a_name_and_a_secret_or_keys() {
    let keys = r#"jwks: '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'"#;
    let uris =
        "redirect_uris: [https://app.example.com/callback, http://localhost/, myapp://callback]";
    let named = format!("{uris}, name: My App, {SECRET}");
    for (rest, name) in [(uris, "app"), (named.as_str(), "My App")] {
        let Loaded { config, .. } = parse(&client(rest)).unwrap();
        let [client] = config.authorization.clients.configured.as_slice() else { panic!("one") };
        assert_eq!((client.name.as_str(), client.redirect_uris.len()), (name, 3));
        assert_eq!(client.proof.is_some(), rest.contains("secret"), "{rest}");
    }
    let Loaded { config, .. } = parse(&client(&format!("{uris}, {keys}"))).unwrap();
    assert!(matches!(config.authorization.clients.configured[0].proof, Some(Proof::Keys(_))));
}

fn said_of(files: &[String]) -> String {
    let mut said = String::new();
    for file in files {
        let found = mistakes(file);
        assert!(!found.contains("hunter2"), "a secret is shown: {found}");
        writeln!(said, "{found}").unwrap();
    }
    said
}

#[test]
fn a_mistake_of_the_gateway_says_where_it_is_and_what_is_allowed() {
    let said = said_of(&[
        with("public_url: http", "public_url: https").replace("8080", "8080/"),
        with("public_url: http://localhost:8080", ""),
        with("http://localhost:8080", "http://gateway.example.com"),
        with("", "listen: 0.0.0.0:8080"),
        with("", "listen: 127.0.0.1:8082"),
        with("", "listen: 127.0.0.1:0"),
        with("admin@example.com", "admin"),
        with("$argon2id$v=19$", "$argon2i$v=19$"),
        with("m=19456", "m=99999999"),
        with(
            "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI",
            "hunter2",
        ),
        with("    users:", "    access_token_ttl: 5s\n    users:"),
        with("    users:", "    refresh_token_idle: 100d\n    users:"),
        with("    users:", "    private_redirect_uris: ['javascript://alert(1)']\n    users:"),
        with("    users:", "    private_redirect_uris: ['myapp://*']\n    users:"),
        with("    users:", "    signing: HS256\n    users:"),
        with("    users:", "    key_rotation: 5m\n    users:"),
        with("    users:", "    key_encryption_secret: hunter2\n    users:"),
        program("secret: hunter2"),
        program(&format!("{SECRET}, jwks: '{{}}'")),
        program("jwks: 'hunter2'"),
        program(r#"jwks: '{"keys": [{"kty": "oct", "k": "hunter2"}]}'"#),
        program("groups: [staff]"),
        program(SECRET).replace("servers: [everything]", "servers: [weather]"),
        program(SECRET).replace("servers: [everything]", "servers: []"),
        program(&format!("{SECRET}, scopes: [write]")),
        program(SECRET).replace("id: report", "id: nightly report"),
        program(&format!("{SECRET}}}, {{id: report, servers: [everything], {SECRET}")),
        with("service:", "service:\n  log: xml"),
        with("service:", "service:\n  log_level: loud"),
        with("service:", "service:\n  metrics_secret: hunter2"),
        with("service:", "service:\n  metrics_secret: 0123456789abcdef0123456789abcdef"),
        with("", "envoy: {max_body: 4MB}"),
        with("", "envoy: {max_body: 1GiB}"),
        with("", "envoy: {max_heap: 64MiB}"),
        with("", "database: sqlite://a?mode=ro"),
        with("", "analytics: {keep: 1h}"),
        with("", "analytics: {keep: for ever}"),
        with("", "audit: {keep: 1h}"),
        with("", "analytics: {max_size: 1MiB}"),
        with("", "database: mysql://me:hunter2@db/x"),
        with("", "database: postgres://me:hunter2/@db/x"),
        with("", "database: postgres://me:hunter%zz@db/x"),
        with("", "database: postgres://me:hunter%ff@db/x"),
        with("", "database: postgres:///x"),
        with("", "database: postgres://me:hunter2@db"),
        with("", "database: postgres://me:x@db/x#hunter2"),
        with("", "database: postgres://db/x?sslmode=on"),
        with("", "database: postgres://db/x?passwort=hunter2"),
        with("", "database: postgres://db/x?sslkey=a&sslkey=b"),
        with("", "analytics: {webhook: {url: http://hooks.example.com, secret: whsec_x}}"),
        with(
            "",
            "analytics: {webhook: {url: https://127.0.0.1/x, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}}",
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_mistake_of_a_static_client_says_where_it_is_and_what_is_allowed() {
    let said = said_of(&[
        client("name: App"),
        client("redirect_uris: []"),
        client("redirect_uris: ['http://app.example.com/']"),
        client("redirect_uris: ['https:app.example.com/', 'https://*.example.com/']"),
        client("redirect_uris: ['javascript:alert(1)', 'https://example.com/#x']"),
        client("redirect_uris: [https://app.example.com/], name: \"My\\u202eApp\""),
        client("redirect_uris: [https://app.example.com/], secret: hunter2"),
        client("redirect_uris: [https://app.example.com/]").replace("id: app", "id: 'https://a'"),
        client("redirect_uris: [myapp://x]}, {id: app, redirect_uris: [myapp://x]"),
        program(SECRET).replace(
            "    users:",
            "    static_clients: [{id: report, redirect_uris: [myapp://x]}]\n    users:",
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_mistake_of_a_server_says_where_it_is_and_what_is_allowed() {
    let said = said_of(&[
        with("name: everything", "name: -x"),
        with("http://127.0.0.1:3001/mcp", "http://user:hunter2@127.0.0.1/mcp"),
        with("http://127.0.0.1:3001/mcp", "http://127.0.0.1/mcp?key=hunter2"),
        with("http://127.0.0.1:3001/mcp", "http://localhost:8080/mcp"),
        server("path: /.well-known/mcp"),
        server("path: /oauth"),
        server("path: /live"),
        server("path: /a/../b"),
        server("path: /mcp/"),
        server("path: /a%2fb"),
        server("authentication: maybe"),
        server("scopes: [offline_access]"),
        server("credentials: {header: Host, value: x}"),
        server("credentials: {header: 'x y', value: x}"),
        server("credentials: {header: x-key, value: \"x\\r\\ny: z\"}"),
        server("credentials: {header: x-key, value: x}\n    forward_token: true"),
        server("allowed_origins: ['*']"),
        server("timeout: 300"),
        server("http_version: 3"),
        LEAST.replace("http://127.0.0.1:3001/mcp", "https://example.com/mcp\n    http_version: 2"),
        server("analytics: {capture: full}"),
        server("analytics: {capture: metadata, arguments: [intent]}"),
        format!("{LEAST}  - {{name: everything, url: http://127.0.0.1:3002/mcp, path: /x}}\n"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn what_a_server_checks_itself_says_where_it_is_wrong() {
    let said = said_of(&[
        server("foreign_schemes: []"),
        server("foreign_schemes: ['Access Token']"),
        server("foreign_schemes: [Bearer]"),
        server("foreign_schemes: [AccessToken]\n    credentials: {header: x-key, value: x}"),
        server("foreign_schemes: [AccessToken]\n    metadata_origins: [https://id.example.com]"),
        server("metadata_origins: [https://id.example.com]"),
        server("authentication: none\n    foreign_schemes: [Bearer]\n    metadata_origins: ['*']"),
    ]);
    insta::assert_snapshot!(said);
    for (authentication, challenges) in [
        ("required", Challenges::Ours),
        ("optional", Challenges::Ours),
        ("none", Challenges::Public),
    ] {
        let lines = format!("authentication: {authentication}\n    foreign_schemes: [AccessToken]");
        let config = parse(&server(&lines)).unwrap().config;
        assert_eq!(config.servers[0].foreign.as_ref().unwrap().challenges, challenges);
    }
}

#[test]
fn text_that_cannot_be_read_says_where() {
    let said = said_of(&[
        server("timeout: ${NOT_THERE}"),
        server("timeout: ${NOT THERE}"),
        server("timeout: &a 3s"),
        server("name: twice"),
        format!(
            "{LEAST}  - {{name: other, url: http://127.0.0.1:3002/mcp, path: /everything/mcp}}\n"
        ),
        with("0123456789abcdef0123456789abcdef", "${MULTILINE}-0123456789abcdef0123456789abcdef"),
        with("name: everything", "name: ${MULTILINE}"),
        with("name: everything", "name: [everything]"),
        "a: b: c\n".to_owned(),
        "- a\n".to_owned(),
        String::new(),
        format!("{LEAST}---\n{LEAST}"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn what_is_allowed_but_strange_is_a_warning() {
    let cases = [
        with("", "listen: 127.0.0.1:9090"),
        with("service:", "service:\n  internal: 0.0.0.0:8082"),
        with("", "envoy: {admin: 0.0.0.0:9901}"),
        with("m=19456", "m=4096"),
        server("allowed_origins: [https://app.example.com]"),
    ];
    let mut said = String::new();
    for case in cases {
        writeln!(said, "{}", parse(&case).unwrap().warnings).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_variable_in_a_comment_is_nothing() {
    parse(&with("", "# secret: ${NOT_THERE} ${")).unwrap();
}

#[test]
fn a_debug_print_shows_no_secret() {
    let shown = format!("{:?}", parse(FULL).unwrap());
    for secret in ["MDEyMz", "argon2id", "really", "{c}"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

proptest! {
    #[test]
    fn a_value_cannot_change_the_structure_of_the_file(value in "[ -~\n\t]{0,40}") {
        let text = server("analytics: {exempt: [a, ${VALUE}, b]}");
        let lookup = |_: &str| Some(value.clone());
        match Config::parse("attache.yaml", &text, Path::new("/"), &lookup) {
            Ok(loaded) => prop_assert_eq!(&loaded.config.servers[0].analytics.exempt, &["a", value.as_str(), "b"]),
            Err(_) => prop_assert!(value.is_empty() || value.contains(['\n', '\t'])),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z:\\- \n\\[\\]{},&*!|>'\"%@`#$]{0,80}") {
        prop_assert!(parse(&text).is_err());
    }
}
