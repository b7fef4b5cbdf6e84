//! Where a client may lead us: what it calls its document, and where that says its keys are.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{Bench, FetchError, Fetcher, NoClient, SOMEBODY, resolve};
use crate::{
    cimd::look_again,
    config::{HostPattern, MetadataDocuments, Targets},
    outgoing::{
        guarded::{Bounds, Guarded},
        target::{System, TargetError},
    },
    testing::strangers::{NOT_GLOBAL, Names, Stranger, address, huge, slow, url},
};

/// Of the fetcher.
const BYTES: usize = 64 * 1024;

/// What fetches through this client, whoever asks.
fn through(client: Guarded) -> Arc<Fetcher> {
    let policy = MetadataDocuments { hosts: vec![HostPattern::Any], targets: client.targets() };
    Arc::new(Fetcher::through(client, policy))
}

async fn bench(client: Guarded) -> Bench {
    let mut bench = Bench::new().await;
    bench.app.documents = through(client);
    bench
}

fn anywhere(time: Duration) -> Guarded {
    let bounds = Bounds { time, bytes: BYTES };
    Guarded::asking(System, Targets::Any, bounds).unwrap()
}

/// Why neither a document nor keys are had from this URL.
async fn refused(bench: &Bench, url: &Url) -> [FetchError; 2] {
    let document = resolve(&bench.app, SOMEBODY, url.as_str()).await.map(drop);
    let client = "https://client.example/client.json";
    let keys = look_again(&bench.app, SOMEBODY, client, Some(url.as_str())).await.map(drop);
    [document, keys].map(|outcome| match outcome {
        Err(NoClient::Fetch(error)) => error,
        other => panic!("{url}: {other:?}"),
    })
}

fn is_address(error: &FetchError, host: &str) -> bool {
    matches!(error, FetchError::Target(TargetError::Address(found)) if *found == address(host))
}

#[tokio::test]
async fn s55_ssrf_neither_documents_nor_keys_are_at_an_address_that_is_not_globally_routable() {
    let bench = Bench::new().await;
    for host in NOT_GLOBAL {
        for error in refused(&bench, &url(host, "/client.json")).await {
            assert!(is_address(&error, host), "{host}: {error:?}");
        }
    }
}

#[tokio::test]
async fn s55_ssrf_neither_documents_nor_keys_are_at_a_name_of_such_an_address() {
    let forbidden = Stranger::forbidden();
    let (port, public) = (forbidden.address.port(), "1.1.1.1:443".parse().unwrap());
    let (mut bench, url) = (Bench::new().await, url("stranger.example", "/client.json"));
    for host in NOT_GLOBAL {
        let names = Names::new(&[&[public, (address(host), port).into()]]);
        let bounds = Bounds { time: Duration::from_secs(5), bytes: BYTES };
        let client = Guarded::asking(names.clone(), Targets::Public, bounds).unwrap();
        bench.app.documents = through(client);
        for error in refused(&bench, &url).await {
            assert!(is_address(&error, host), "{host}: {error:?}");
        }
        assert_eq!(names.asked(), 2);
    }
    assert_eq!(forbidden.met(), 0);
}

#[tokio::test]
async fn s55_ssrf_documents_and_keys_lead_nowhere_else() {
    let elsewhere = Stranger::forbidden();
    let bench = bench(anywhere(Duration::from_secs(5))).await;
    for status in [301, 302, 303, 307, 308] {
        let stranger = Stranger::leading(status, &elsewhere);
        let url = Url::parse(&format!("{}/client.json", stranger.origin())).unwrap();
        for error in refused(&bench, &url).await {
            assert!(matches!(error, FetchError::Wrong(_)), "{status}: {error:?}");
        }
    }
    assert_eq!(elsewhere.met(), 0);
}

#[tokio::test]
async fn s55_ssrf_documents_and_keys_come_in_time_or_not_at_all() {
    let bench = bench(anywhere(Duration::from_millis(100))).await;
    for manner in slow() {
        let stranger = Stranger::start(manner.clone());
        let url = Url::parse(&format!("{}/client.json", stranger.origin())).unwrap();
        for error in refused(&bench, &url).await {
            assert!(matches!(error, FetchError::Silent(_)), "{manner:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn s55_ssrf_documents_and_keys_have_an_end() {
    let bench = bench(anywhere(Duration::from_secs(5))).await;
    for manner in huge() {
        let stranger = Stranger::start(manner.clone());
        let url = Url::parse(&format!("{}/client.json", stranger.origin())).unwrap();
        for error in refused(&bench, &url).await {
            assert!(
                matches!(error, FetchError::Wrong(_) | FetchError::Silent(_)),
                "{manner:?}: {error:?}"
            );
        }
    }
}
