//! What both databases must do, also when several processes work on them at once: each check runs on each.

mod accounts;
mod audit;
mod clients;
mod dex;
mod events;
mod personal_tokens;
mod registering;
mod schema;
mod tokens;
mod users;

use std::future::Future;

use tokio::task::JoinSet;

use super::Store;
use crate::testing::{
    entry,
    place::{Kind, Place},
};

/// Runs each check on a new SQLite file and on a new PostgreSQL database.
macro_rules! on_both {
    ($($check:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                super::$check($crate::testing::place::Place::new($crate::testing::place::Kind::Sqlite).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                super::$check($crate::testing::place::Place::new($crate::testing::place::Kind::Postgres).await).await;
            })*
        }
    };
}
use on_both;

/// When the tests happen, Unix seconds.
const NOW: i64 = 1_790_000_000;

/// As many processes as there are numbers, each with connections of its own, all at it at the same time.
async fn at_once<T, F>(place: &Place, many: u8, what: impl Fn(u8, Store) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut stores = Vec::new();
    for _ in 0..many {
        stores.push(place.open().await);
    }
    let tasks: JoinSet<T> =
        (0..many).zip(stores).map(|(number, store)| what(number, store)).collect();
    tasks.join_all().await
}

on_both!(it_opens_for_many_at_the_same_time, a_turn_is_had_by_one);

async fn it_opens_for_many_at_the_same_time(place: Place) {
    let opening: JoinSet<()> = (0..4)
        .map(|_| {
            let database = place.database.clone();
            async move { Store::open(&database).await.unwrap().ping().await.unwrap() }
        })
        .collect();
    opening.join_all().await;
}

/// Without the turn, PostgreSQL would let all of them read the same sum.
async fn a_turn_is_had_by_one(place: Place) {
    let added = at_once(&place, 4, |_, store| async move {
        for _ in 0..10 {
            let mut transaction = store.write_in(super::Turn::Events).await.unwrap();
            let sum: i64 = sqlx::query_scalar(
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM event_losses",
            )
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
            sqlx::query(
                "INSERT INTO event_losses (reason, count) VALUES ('test', $1)
                 ON CONFLICT (reason) DO UPDATE SET count = excluded.count",
            )
            .bind(sum + 1)
            .execute(&mut *transaction)
            .await
            .unwrap();
            transaction.commit().await.unwrap();
        }
    })
    .await;
    assert_eq!(added.len(), 4);
    assert_eq!(place.open().await.lost_events().await.unwrap().get("test"), Some(&40));
}
