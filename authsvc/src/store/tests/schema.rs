//! Both databases have the same tables, and keep them.

use std::collections::BTreeSet;

use super::{Kind, Place, on_both};
use crate::{
    store::{
        Store, StoreError,
        dialect::Dialect::{Postgres, Sqlite},
        migrations::migrator,
    },
    testing::log::Log,
};

/// A released step that changes would keep every database that has taken it from opening.
#[test]
fn steps_are_never_changed() {
    let hex =
        |bytes: &[u8]| bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let steps: Vec<String> = migrator(Sqlite)
        .iter()
        .zip(migrator(Postgres).iter())
        .map(|(sqlite, postgres)| {
            let (version, description) = (sqlite.version, &sqlite.description);
            format!(
                "{version} {description}: sqlite {}, postgres {}",
                hex(&sqlite.checksum),
                hex(&postgres.checksum)
            )
        })
        .collect();
    insta::assert_snapshot!(steps.join("\n"));
}

#[tokio::test]
async fn both_have_the_same_columns_and_indexes() {
    let sqlite = shape(Kind::Sqlite, [
        "SELECT m.name || '.' || c.name || ' ' || lower(c.type) FROM sqlite_master m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%'",
        "SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%'",
    ]);
    let postgres = shape(Kind::Postgres, [
        "SELECT table_name::text || '.' || column_name::text || ' ' || data_type::text
         FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'",
        "SELECT indexname::text FROM pg_indexes
         WHERE schemaname = current_schema() AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'",
    ]);
    let as_postgres =
        |line: &String| line.replace(" blob", " bytea").replace(" integer", " bigint");
    let sqlite: BTreeSet<String> = sqlite.await.iter().map(as_postgres).collect();
    let postgres: BTreeSet<String> = postgres.await.into_iter().collect();
    assert_eq!(sqlite, postgres);
    assert!(sqlite.contains("events.cursor bigint") && sqlite.contains("deliveries_open"));
}

#[tokio::test]
async fn what_is_there_already_is_no_news() {
    let log = Log::start();
    let place = Place::new(Kind::Postgres).await;
    place.open().await;
    place.open().await;
    assert_eq!(log.with("already exists, skipping"), [] as [serde_json::Value; 0]);
}

on_both!(a_database_of_a_newer_version_is_called_so, what_a_database_says_is_said_once);

async fn a_database_of_a_newer_version_is_called_so(place: Place) {
    let mut writing = place.open().await.write().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         SELECT version + 98, description, installed_on, success, checksum, execution_time
         FROM _sqlx_migrations WHERE version IN (1, 0)",
    )
    .execute(&mut *writing)
    .await
    .unwrap();
    writing.commit().await.unwrap();
    let error = Store::open(&place.database).await.unwrap_err();
    let newest = Store::SCHEMA;
    let said = format!(
        "this database was written by a newer authsvc (schema 99, this one knows {newest}): start that version, or restore the backup from before the upgrade"
    );
    assert_eq!(format!("{:#}", anyhow::Error::from(error)), said);
}

async fn what_a_database_says_is_said_once(place: Place) {
    let store = place.open().await;
    let refused = sqlx::query("SELECT 1 FROM nowhere").execute(store.reader()).await.unwrap_err();
    let error = StoreError::from(refused);
    assert!(!error.is_passing(), "{error}");
    let said = format!("{:#}", anyhow::Error::from(error));
    assert_eq!(said.matches("nowhere").count(), 1, "{said}");
    assert_eq!(store.silence().await, None);
    store.close().await;
    assert!(store.silence().await.is_some() && store.ping().await.unwrap_err().is_passing());
}

async fn shape(kind: Kind, queries: [&'static str; 2]) -> Vec<String> {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let mut lines = Vec::new();
    for query in queries {
        let found: Vec<String> = sqlx::query_scalar(query).fetch_all(store.reader()).await.unwrap();
        lines.extend(found);
    }
    lines
}
