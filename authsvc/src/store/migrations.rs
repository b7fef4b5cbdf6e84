//! The schema: each step once for SQLite and once for PostgreSQL. Steps are added, never changed: a database
//! remembers the digest of each that it has taken.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

use super::dialect::Dialect;

struct Step {
    description: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($file:literal, $description:literal) => {
        Step {
            description: $description,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file)),
            postgres: include_str!(concat!("../../migrations/postgres/", $file)),
        }
    };
}

/// In order; the first is version 1.
const STEPS: [Step; 18] = [
    step!("0001_clients_and_tokens.sql", "clients and tokens"),
    step!("0002_authorization.sql", "authorization"),
    step!("0003_events.sql", "events"),
    step!("0004_unused_clients.sql", "unused clients"),
    step!("0005_revocation.sql", "revocation"),
    step!("0006_key_rotation.sql", "key rotation"),
    step!("0007_client_management.sql", "client management"),
    step!("0008_assertions.sql", "assertions"),
    step!("0009_documents.sql", "documents of clients"),
    step!("0010_personal_access_tokens.sql", "personal access tokens"),
    step!("0011_users.sql", "users"),
    step!("0012_accounts.sql", "accounts at providers"),
    step!("0013_broker.sql", "tokens of a provider"),
    step!("0014_dex_clients.sql", "clients at Dex"),
    step!("0015_endings.sql", "grants that the provider is to be told of"),
    step!("0016_audit.sql", "audit trail"),
    step!("0017_unfinished_dex_clients.sql", "logins at Dex that nobody finished"),
    step!("0018_provider_turns.sql", "turns to register at a provider"),
];

/// The version of a database that is up to date.
pub(super) const NEWEST: usize = STEPS.len();

/// Brings a database from any of the steps to the last; one process at a time, where several may start at once.
pub(super) fn migrator(dialect: Dialect) -> Migrator {
    let migration = |(version, step): (i64, &Step)| {
        let text = match dialect {
            Dialect::Sqlite => step.sqlite,
            Dialect::Postgres => step.postgres,
        };
        let text = SqlStr::from_static(text);
        Migration::new(version, step.description.into(), MigrationType::Simple, text, false)
    };
    Migrator::with_migrations((1..).zip(&STEPS).map(migration).collect())
}
