//! With real Dex, on a free port of loopback.

use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use attache_protocol::secret::Secret;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io,
    net::{TcpListener as Listener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{self, Instant},
};
use tokio_util::task::TaskTracker;
use url::Url;

use super::{
    Dex, Setting, Trouble,
    api::{self, Api},
    audience,
    clients::Applicant,
};
use crate::{
    clock::Clock,
    config::{self, DexIdentity, DexTls, HostPort},
    outgoing,
    random::Random,
    testing::{
        NOW_MS, RESOURCE,
        place::{Kind, Place},
    },
};

const CALLBACK: &str = "http://localhost:8080/oauth/callback/dex";
const OTHER: &str = "http://localhost:8080/other/mcp";

/// A running Dex; its standard input is ours, and it ends when we do.
struct Running {
    _process: Child,
    folder: TempDir,
    http: u16,
    grpc: u16,
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn loopback(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

impl Running {
    async fn new() -> Self {
        Self::at(TempDir::new().unwrap(), free(), free()).await
    }

    async fn at(folder: TempDir, http: u16, grpc: u16) -> Self {
        let config = json!({
            "issuer": format!("http://127.0.0.1:{http}/dex"),
            "storage": {"type": "memory"},
            "web": {"http": format!("127.0.0.1:{http}")},
            "grpc": {"addr": format!("127.0.0.1:{grpc}")},
            "oauth2": {"skipApprovalScreen": true},
            "connectors": [{"type": "mockCallback", "id": "mock", "name": "Mock"}],
            "staticClients": [{"id": "foreign", "secret": "secret", "name": "Foreign", "redirectURIs": [CALLBACK]}],
        });
        let path = folder.path().join("dex.yaml");
        std::fs::File::create(&path).unwrap().write_all(config.to_string().as_bytes()).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/dex-v2.45.1");
        assert!(program.exists(), "{} is missing: run scripts/dex.sh", program.display());
        let process = Command::new("sh")
            .args(["-c", "\"$0\" serve \"$1\" & read -r _end; kill -9 $!; wait"])
            .args([&program, &path])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { _process: process, folder, http, grpc };
        let api = Api::new(config::Dex { address: loopback(grpc), tls: None });
        let deadline = Instant::now() + Duration::from_secs(60);
        while api.version().await.is_err() || running.asks("nobody", "openid").await.is_empty() {
            assert!(Instant::now() < deadline, "Dex does not come up");
            time::sleep(Duration::from_millis(50)).await;
        }
        running
    }

    /// Another one, at the same place, that has forgotten everything.
    async fn restarted(self) -> Self {
        let Self { mut _process, folder, http, grpc } = self;
        drop(_process.stdin.take());
        _process.wait().unwrap();
        Self::at(folder, http, grpc).await
    }

    async fn clients(&self, place: &Place) -> Arc<Dex> {
        clients(place, self.grpc, None, "a secret").await
    }

    /// What Dex says when a browser comes with an authorization request: where it sends it, or why it does not.
    async fn asks(&self, client_id: &str, scope: &str) -> String {
        let mut url = Url::parse(&format!("http://127.0.0.1:{}/dex/auth/mock", self.http)).unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", CALLBACK)
            .append_pair("scope", scope);
        let client = outgoing::builder("http").build().unwrap();
        let Ok(answer) = client.get(url).send().await else { return String::new() };
        let location =
            answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        location.unwrap_or_else(|| format!("{}", answer.status()))
    }

    async fn trusts(&self, client_id: &str, resource: &str) -> bool {
        let asked = self.asks(client_id, &format!("openid {}", audience::scope(resource))).await;
        match asked {
            text if text.contains("/dex/callback?") => true,
            text if text.contains("error=invalid_scope") => false,
            text => panic!("{text}"),
        }
    }
}

/// A way to Dex on which a few come through, and the next wait until it is opened.
struct Gate {
    port: u16,
    permits: Arc<Semaphore>,
    held: Arc<Notify>,
}

impl Gate {
    async fn before(port: u16, through: usize) -> Self {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            permits: Arc::new(Semaphore::new(through)),
            held: Arc::default(),
        };
        let (permits, held) = (Arc::clone(&gate.permits), Arc::clone(&gate.held));
        tokio::spawn(async move {
            while let Ok((mut one, _)) = listener.accept().await {
                if permits.available_permits() == 0 {
                    held.notify_one();
                }
                permits.acquire().await.unwrap().forget();
                tokio::spawn(async move {
                    let mut dex = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    io::copy_bidirectional(&mut one, &mut dex).await
                });
            }
        });
        gate
    }

    fn open(&self) {
        self.permits.add_permits(1000);
    }
}

async fn clients(place: &Place, grpc: u16, tls: Option<DexTls>, secret: &str) -> Arc<Dex> {
    let dex = config::Dex { address: loopback(grpc), tls };
    let secret = Secret::new(secret.to_owned());
    let (callback, unfinished) = (CALLBACK.to_owned(), TaskTracker::new());
    let setting = Setting { dex: &dex, secret: &secret, callback, unfinished };
    Arc::new(Dex::new(setting, place.open().await, Clock::stopped(NOW_MS), Random::System))
}

fn resources(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

async fn admit(dex: &Arc<Dex>, of: &[&str]) -> Result<String, Trouble> {
    let resources = resources(of);
    let (login, name) = (dex.random.token(), Some("A client"));
    let applicant = Applicant { login: &login, client_id: "client", name, resources: &resources };
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
    let abandoned = admit(&dex, &[RESOURCE, OTHER]).await.unwrap();
    dex.clock.advance(Duration::from_hours(1));
    let recent = admit(&dex, &[RESOURCE]).await.unwrap();
    assert_eq!(dex.sweep().await.unwrap(), 0);
    dex.clock.advance(Duration::from_mins(61));
    assert_eq!(dex.sweep().await.unwrap(), 1);
    assert!(running.asks(&abandoned, "openid").await.starts_with("404"));
    assert!(running.asks(OTHER, "openid").await.starts_with("404"), "nobody is its peer");
    assert!(running.trusts(&recent, RESOURCE).await);
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
