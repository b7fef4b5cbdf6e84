//! What a stranger can make of it that we fetch what he names. Documents and keys of clients, and all that providers
//! are asked, go through [`Guarded`]; that they do is in `cimd/tests/ssrf.rs` and `upstream/tests/ssrf.rs`.

use std::time::Duration;

use reqwest::dns::Resolve as _;
use url::Url;

use super::{
    guarded::{Bounds, Guarded, Reply, Unanswered},
    target::{GuardedResolver, System, TargetError},
};
use crate::{
    config::Targets,
    testing::strangers::{Manner, NOT_GLOBAL, Names, Stranger, address, huge, slow},
};

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 4096 };
/// What is never connected to here.
const PUBLIC: &str = "1.1.1.1:443";

async fn get(http: &Guarded, url: &str) -> Result<Reply, Unanswered> {
    http.get(&Url::parse(url).unwrap(), None).await
}

fn anywhere(bounds: Bounds) -> Guarded {
    Guarded::asking(System, Targets::Any, bounds).unwrap()
}

#[tokio::test]
async fn s55_ssrf_a_name_has_no_address_that_is_not_globally_routable() {
    let public = PUBLIC.parse().unwrap();
    for host in NOT_GLOBAL {
        let ip = address(host);
        let private = (ip, 443).into();
        for answer in [&[private][..], &[private, public], &[public, private]] {
            let (any, names) = (Targets::Any, Names::new(&[answer]));
            let guarded = GuardedResolver::asking(names.clone(), Targets::Public);
            let refused = guarded.resolve("stranger.example".parse().unwrap()).await.err().unwrap();
            assert_eq!(refused.downcast_ref(), Some(&TargetError::Address(ip)), "{answer:?}");
            let allowed = GuardedResolver::asking(names, any);
            let allowed = allowed.resolve("stranger.example".parse().unwrap()).await.unwrap();
            assert_eq!(allowed.collect::<Vec<_>>(), answer);
        }
    }
}

/// Rebinding: what was looked at is what is connected to, and the next connection is looked at anew.
#[tokio::test]
async fn s55_ssrf_a_name_that_changes_its_answer_gains_nothing() {
    let no_content = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let here = Stranger::start(Manner::Says(no_content.to_owned()));
    let port = here.address.port();
    let (loopback, public) = (here.address, PUBLIC.parse().unwrap());

    let names = Names::new(&[&[loopback], &[public]]);
    let seen = Guarded::asking(names.clone(), Targets::Any, BOUNDS).unwrap();
    let reply = get(&seen, &format!("http://stranger.example:{port}/")).await.unwrap();
    assert_eq!((reply.status.as_u16(), names.asked(), here.met()), (204, 1, 1));

    let names = Names::new(&[&[loopback], &[public]]);
    let guarded = Guarded::asking(names.clone(), Targets::Public, BOUNDS).unwrap();
    let refused = get(&guarded, &format!("https://stranger.example:{port}/")).await;
    let expected = TargetError::Address(loopback.ip());
    assert!(matches!(refused, Err(Unanswered::Target(ref error)) if *error == expected));
    assert_eq!((names.asked(), here.met()), (1, 1), "a better answer was asked for");

    let later = GuardedResolver::asking(Names::new(&[&[public], &[loopback]]), Targets::Public);
    let name = || "stranger.example".parse().unwrap();
    assert_eq!(later.resolve(name()).await.unwrap().collect::<Vec<_>>(), [public]);
    assert!(later.resolve(name()).await.is_err(), "only the first answer was looked at");
}

#[tokio::test]
async fn s55_ssrf_nobody_is_followed_elsewhere() {
    let elsewhere = Stranger::forbidden();
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let stranger = Stranger::leading(status, &elsewhere);
        let http = anywhere(BOUNDS);
        let reply = get(&http, &stranger.origin()).await.unwrap();
        assert_eq!(reply.status.as_u16(), status);
        let url = Url::parse(&stranger.origin()).unwrap();
        let reply = http.post(&url, Some(("user", "password")), &[("code", "x")]).await.unwrap();
        assert_eq!(reply.status.as_u16(), status);
    }
    assert_eq!(elsewhere.met(), 0);
}

#[tokio::test]
async fn s55_ssrf_nobody_is_waited_for_without_end() {
    for manner in slow() {
        let stranger = Stranger::start(manner.clone());
        let http = anywhere(Bounds { time: Duration::from_millis(100), ..BOUNDS });
        let given_up = get(&http, &stranger.origin()).await;
        assert!(matches!(given_up, Err(Unanswered::Silent(_))), "{manner:?}: {given_up:?}");
    }
}

#[tokio::test]
async fn s55_ssrf_nobody_is_read_without_end() {
    for manner in huge() {
        let stranger = Stranger::start(manner.clone());
        let given_up = get(&anywhere(BOUNDS), &stranger.origin()).await.unwrap_err();
        let in_the_head =
            matches!(manner, Manner::Endless(first, _) if !first.ends_with("\r\n\r\n"));
        let too_long = matches!(given_up, Unanswered::TooLong(4096));
        assert_ne!(too_long, in_the_head, "{manner:?}: {given_up:?}");
    }
}
