//! Before Dex: over HTTP it is like any other, over gRPC it is Dex itself.

use super::{Browser, gateway, query, question};
use crate::{
    config::{self, Registrar},
    dex::tests::running::{Running, loopback},
    testing::RESOURCE,
};

#[tokio::test]
async fn s67_a_request_is_one_client_at_dex_however_often_it_is_allowed() {
    let dex = Running::new().await;
    let at = config::Dex { address: loopback(dex.grpc), tls: None };
    let (_fake, bench) = gateway(|settings| settings.registrar = Registrar::Dex(at)).await;
    let mut ids = Vec::new();
    for times in [3, 1] {
        let mut browser = Browser::new(&bench);
        let page = question(&mut browser, &[("resource", RESOURCE)]).await;
        for _ in 0..times {
            let answer = browser.decide(&page, "allow").await;
            ids.push(query(answer.header("location"))["client_id"].clone());
        }
    }
    assert!(ids[0].starts_with("attache-"), "{ids:?}");
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert_eq!(bench.app.store.dex_peers(RESOURCE).await.unwrap().len(), 2);
}
