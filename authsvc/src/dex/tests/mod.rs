//! With real Dex.

pub(crate) mod running;

use std::{net::TcpListener, path::Path, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use self::running::{Gate, Running, clients, free};
use super::{
    Dex, Trouble, api,
    clients::{Applicant, Needless},
};
use crate::{
    config::{DexIdentity, DexTls},
    testing::{
        NOW_MS, RESOURCE,
        place::{Kind, Place},
    },
};

const OTHER: &str = "http://localhost:8080/other/mcp";

fn resources(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

async fn admit(dex: &Arc<Dex>, of: &[&str]) -> Result<String, Trouble> {
    begin(dex, &dex.random.token(), of).await
}

async fn begin(dex: &Arc<Dex>, login: &str, of: &[&str]) -> Result<String, Trouble> {
    let (name, resources) = (Some("A client"), resources(of));
    let applicant = Applicant { login, client_id: "client", name, resources: &resources };
    dex.admit(applicant).await.map(|client| client.id)
}

#[tokio::test]
async fn a_resource_trusts_whose_users_agreed_to_it_and_nobody_else() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    assert_eq!(dex.api.version().await.unwrap().server, "v2.45.1");
    let one = admit(&dex, &[RESOURCE]).await.unwrap();
    let other = admit(&dex, &[RESOURCE, OTHER]).await.unwrap();
    assert!(one.starts_with("attache-") && one != other, "{one} {other}");
    assert!(running.trusts(&one, RESOURCE).await && running.trusts(&other, RESOURCE).await);
    assert!(!running.trusts(&one, OTHER).await && running.trusts(&other, OTHER).await);
    assert!(!running.trusts("foreign", RESOURCE).await);
    // A resource is no client that could log anybody in.
    assert!(running.asks(RESOURCE, "openid").await.starts_with("400"));

    dex.remove(&other).await.unwrap();
    dex.publish(&resources(&[RESOURCE, OTHER])).await.unwrap();
    assert!(running.trusts(&one, RESOURCE).await);
    assert!(running.asks(&other, "openid").await.starts_with("404"));
    assert!(running.asks(OTHER, "openid").await.starts_with("404"));
    assert!(matches!(dex.renew(&other).await, Err(Trouble::Unknown)));
}

#[tokio::test]
async fn what_nobody_needs_is_removed() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let finished = admit(&dex, &[RESOURCE]).await.unwrap();
    dex.granted(&finished, "a grant that is over").await.unwrap();
    let mut abandoned = Vec::new();
    for _ in 0..5 {
        abandoned.push(admit(&dex, &[RESOURCE, OTHER]).await.unwrap());
    }
    dex.clock.advance(Duration::from_mins(14));
    let recent = admit(&dex, &[RESOURCE]).await.unwrap();
    assert_eq!(dex.sweep(Needless::Ended).await.unwrap(), 0);
    dex.clock.advance(Duration::from_secs(61));
    assert_eq!(
        dex.sweep(Needless::Abandoned).await.unwrap(),
        5,
        "all of them, whatever a batch is"
    );
    for id in &abandoned {
        assert!(running.asks(id, "openid").await.starts_with("404"));
    }
    assert!(running.asks(OTHER, "openid").await.starts_with("404"), "nobody is its peer");
    assert!(running.trusts(&recent, RESOURCE).await && running.trusts(&finished, RESOURCE).await);
    assert_eq!(dex.sweep(Needless::Ended).await.unwrap(), 1);
    assert!(running.asks(&finished, "openid").await.starts_with("404"));
}

#[tokio::test]
async fn s67_a_login_is_one_client_however_often_it_is_begun() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let one = begin(&dex, "a login", &[RESOURCE]).await.unwrap();
    let same = begin(&running.clients(&place).await, "a login", &[RESOURCE]).await.unwrap();
    assert_eq!(one, same);
    let other = begin(&dex, "another", &[RESOURCE]).await.unwrap();
    let peers = dex.store.dex_peers(RESOURCE).await.unwrap();
    assert_eq!(peers.len(), 2, "{peers:?}");
    assert!(peers.contains(&one) && peers.contains(&other) && one != other);
}

#[tokio::test]
async fn s67_of_logins_that_nobody_finishes_the_oldest_go() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let finished = admit(&dex, &[RESOURCE]).await.unwrap();
    dex.granted(&finished, "a grant").await.unwrap();
    let mut unfinished = Vec::new();
    for _ in 0..18 {
        dex.clock.advance(Duration::from_secs(1));
        unfinished.push(admit(&dex, &[RESOURCE]).await.unwrap());
    }
    let (gone, left) = unfinished.split_at(2);
    for id in gone {
        assert!(running.asks(id, "openid").await.starts_with("404"));
    }
    for id in left.iter().chain([&finished]) {
        assert!(running.trusts(id, RESOURCE).await, "{id}");
    }
    assert_eq!(dex.store.dex_peers(RESOURCE).await.unwrap().len(), 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_at_once_forget_nobody() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let mut admitted = JoinSet::new();
    for _ in 0..3 {
        let dex = running.clients(&place).await;
        for _ in 0..4 {
            let dex = dex.clone();
            admitted.spawn(async move { admit(&dex, &[RESOURCE]).await.unwrap() });
        }
    }
    let admitted = admitted.join_all().await;
    for id in admitted {
        assert!(running.trusts(&id, RESOURCE).await, "{id}");
    }
}

#[tokio::test]
async fn s67_who_goes_while_a_resource_is_theirs_keeps_nobody_else_out() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    // A client is made; that its resource trusts it is not answered.
    let gate = Gate::before(running.grpc, 1).await;
    let dex = clients(&place, gate.port, None, "a secret").await;
    let gone = tokio::spawn({
        let dex = Arc::clone(&dex);
        async move { admit(&dex, &[RESOURCE]).await }
    });
    gate.held.notified().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    gate.open();
    // The clock stands: a lease that is not given back is never over.
    let other = running.clients(&place).await;
    let id = admit(&other, &[RESOURCE]).await.unwrap();
    assert!(running.trusts(&id, RESOURCE).await);
}

#[tokio::test]
async fn what_was_begun_at_dex_is_waited_for() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let gate = Gate::before(running.grpc, 0).await;
    let id = admit(&dex, &[RESOURCE]).await.unwrap();
    let slow = clients(&place, gate.port, None, "a secret").await;
    let publishing = {
        let slow = Arc::clone(&slow);
        tokio::spawn(async move { slow.publish(&resources(&[RESOURCE])).await })
    };
    gate.held.notified().await;
    publishing.abort();
    gate.open();
    slow.unfinished.close();
    slow.unfinished.wait().await;
    let lease = dex.store.lease_dex_resource(RESOURCE, NOW_MS, NOW_MS);
    assert!(lease.await.unwrap(), "it was given back");
    assert!(running.trusts(&id, RESOURCE).await);
}

#[tokio::test]
async fn a_dex_that_forgot_us_is_told_again() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let id = admit(&dex, &[RESOURCE]).await.unwrap();
    let running = running.restarted().await;
    assert!(running.asks(&id, "openid").await.starts_with("404"));
    assert_eq!(dex.renew(&id).await.unwrap().id, id);
    assert!(running.trusts(&id, RESOURCE).await);
    let next = admit(&dex, &[RESOURCE]).await.unwrap();
    assert!(running.trusts(&id, RESOURCE).await && running.trusts(&next, RESOURCE).await);
}

#[tokio::test]
async fn a_static_client_of_dex_cannot_stand_for_a_resource() {
    let running = Running::new().await;
    let place = Place::new(Kind::of_this_run()).await;
    let dex = running.clients(&place).await;
    let refused = admit(&dex, &["foreign"]).await.unwrap_err();
    let Trouble::Dex(api::Error::Refused { what: "change a client", said, .. }) = refused else {
        panic!("{refused}")
    };
    assert!(said.contains("read-only"), "{said}");
}

#[tokio::test]
async fn s67_nobody_there_or_nobody_who_answers_is_said_within_the_deadline() {
    let place = Place::new(Kind::of_this_run()).await;
    let closed = free();
    // It accepts, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for port in [closed, silent.local_addr().unwrap().port()] {
        let dex = clients(&place, port, None, "a secret").await;
        let error = admit(&dex, &[RESOURCE]).await.unwrap_err();
        let Trouble::Dex(error @ api::Error::Unreachable { .. }) = &error else {
            panic!("{error}")
        };
        assert!(error.is_passing() && error.to_string().contains(&port.to_string()), "{error}");
    }
}

#[tokio::test]
async fn s67_a_file_that_is_not_there_is_named() {
    let place = Place::new(Kind::of_this_run()).await;
    let missing = Path::new("/nowhere/dex.pem").to_owned();
    let identity = DexIdentity { certificate: missing.clone(), private_key: missing.clone() };
    for tls in [
        DexTls { ca: Some(missing), identity: None },
        DexTls { ca: None, identity: Some(identity) },
    ] {
        let dex = clients(&place, free(), Some(tls), "a secret").await;
        let error = admit(&dex, &[RESOURCE]).await.unwrap_err().to_string();
        assert!(error.contains("`/nowhere/dex.pem`") && error.contains("gRPC"), "{error}");
    }
}
