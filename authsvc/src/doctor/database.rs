//! Is the database there, is it ours, and has it room?

use std::path::Path;

use super::Finding;
use crate::{
    config::{Config, Database},
    keys::{self, Settings},
    store::{Schema, Store, StoreError, keys::SigningKey},
};

const CHECK: &str = "database";
const MIB: u64 = 1024 * 1024;
/// Less room on the disk than this, and writing will soon fail; bytes.
const LEAST_ROOM: u64 = 64 * MIB;

/// What was found, and the `kid` of the key that signs.
pub(super) async fn check(config: &Config) -> (Vec<Finding>, Option<String>) {
    let mut findings = Vec::new();
    let database = &config.database;
    if let Database::Sqlite(path) = database
        && !path.exists()
    {
        let remedy =
            "`authsvc serve` makes it; if it has run before, is `database` still the same?";
        findings.push(Finding::warning(CHECK, format!("{database}: there is none yet"), remedy));
        return (findings, None);
    }
    let signing = match inspect(config, &mut findings).await {
        Ok(signing) => signing,
        Err(error) => {
            let found = format!("{:#}", anyhow::Error::from(error));
            let remedy = "look at `database` in the configuration and at the database's own log";
            findings.push(Finding::failed(CHECK, found, remedy));
            None
        }
    };
    (findings, signing)
}

async fn inspect(
    config: &Config,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>, StoreError> {
    let store = Store::look(&config.database).await?;
    let product = store.product().await?;
    let schema = store.schema().await?;
    findings.push(age(&format!("{}: {product}", config.database), schema));
    let signing = match schema {
        Schema::UpToDate(_) | Schema::Newer { .. } => {
            let stored = store.signing_keys().await?;
            let settings = Settings::of(config).ok();
            findings.extend(settings.as_ref().map(|settings| sealed(&stored, settings)));
            settings.and_then(|settings| Some(keys::current(&stored, &settings)?.kid.clone()))
        }
        Schema::None | Schema::Older { .. } => None,
    };
    if let Database::Sqlite(path) = &config.database {
        findings.push(room(path, store.used_bytes().await?, config.retention.max_size));
    }
    store.close().await;
    Ok(signing)
}

/// Whether the configured secret opens the keys, without which authsvc does not start.
fn sealed(stored: &[SigningKey], settings: &Settings) -> Finding {
    const CHECK: &str = "key encryption";
    let found = match keys::can_open(stored, settings) {
        Ok(()) => {
            return Finding::ok(CHECK, "the configured secret opens every signing key");
        }
        Err(error) => error.to_string(),
    };
    let (found, remedy) = found.split_once(": ").unwrap_or((&found, "look at the log of authsvc"));
    Finding::failed(CHECK, found, remedy)
}

fn age(database: &str, schema: Schema) -> Finding {
    match schema {
        Schema::UpToDate(has) => Finding::ok(CHECK, format!("{database}, schema {has}")),
        Schema::None => Finding::warning(
            CHECK,
            format!("{database}, without our tables"),
            "`authsvc serve` makes them when it starts",
        ),
        Schema::Older { has, newest } => Finding::warning(
            CHECK,
            format!("{database}, schema {has} of {newest}"),
            "`authsvc serve` of this version brings it up to date when it starts; make a backup first",
        ),
        Schema::Newer { has, newest } => Finding::failed(
            CHECK,
            format!("{database}, schema {has}, and this authsvc knows {newest}"),
            "run the authsvc that the database belongs to, or one that is newer",
        ),
    }
}

/// The database grows to `most`; the disk must have room for that.
fn room(path: &Path, used: u64, most: u64) -> Finding {
    const CHECK: &str = "disk";
    let folder = path.parent().unwrap_or(path);
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            return Finding::warning(CHECK, found, "see that authsvc may look at this folder");
        }
    };
    let growth = most.saturating_sub(used);
    let found = format!(
        "{} MiB free at {}, the database has {} MiB and may grow by {} MiB",
        free / MIB,
        folder.display(),
        used / MIB,
        growth / MIB
    );
    match free {
        _ if free < LEAST_ROOM => Finding::failed(CHECK, found, "make room"),
        _ if free < growth => {
            Finding::warning(CHECK, found, "make room, or lower analytics.max_size")
        }
        _ => Finding::ok(CHECK, found),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::room;
    use crate::doctor::Verdict;

    #[test]
    fn a_disk_must_have_room_for_what_the_database_may_become() {
        assert_eq!(room(Path::new("/tmp/x.db"), 5, 5).verdict, Verdict::Ok);
        let short = room(Path::new("/tmp/x.db"), 0, u64::MAX);
        assert_eq!(short.verdict, Verdict::Warning);
        assert!(short.remedy.unwrap().contains("analytics.max_size"));
        assert_eq!(room(Path::new("/nowhere/at/all/x.db"), 0, 0).verdict, Verdict::Warning);
    }
}
