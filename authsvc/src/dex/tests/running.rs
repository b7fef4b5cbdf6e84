//! Real Dex, on free ports of loopback.

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
    time::{self, Instant},
};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::{
    clock::Clock,
    config::{self, DexTls, HostPort},
    dex::{Dex, Setting, api::Api, audience},
    outgoing,
    random::Random,
    testing::{NOW_MS, place::Place},
};

const CALLBACK: &str = "http://localhost:8080/oauth/callback/dex";

/// A running Dex; its standard input is ours, and it ends when we do.
pub(crate) struct Running {
    _process: Child,
    folder: TempDir,
    http: u16,
    pub(crate) grpc: u16,
}

pub(super) fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn loopback(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

impl Running {
    pub(crate) async fn new() -> Self {
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
    pub(super) async fn restarted(self) -> Self {
        let Self { mut _process, folder, http, grpc } = self;
        drop(_process.stdin.take());
        _process.wait().unwrap();
        Self::at(folder, http, grpc).await
    }

    pub(super) async fn clients(&self, place: &Place) -> Arc<Dex> {
        clients(place, self.grpc, None, "a secret").await
    }

    /// What Dex says when a browser comes with an authorization request: where it sends it, or why it does not.
    pub(super) async fn asks(&self, client_id: &str, scope: &str) -> String {
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

    pub(super) async fn trusts(&self, client_id: &str, resource: &str) -> bool {
        let asked = self.asks(client_id, &format!("openid {}", audience::scope(resource))).await;
        match asked {
            text if text.contains("/dex/callback?") => true,
            text if text.contains("error=invalid_scope") => false,
            text => panic!("{text}"),
        }
    }
}

/// A way to Dex on which a few come through, and the next wait until it is opened.
pub(super) struct Gate {
    pub(super) port: u16,
    permits: Arc<Semaphore>,
    pub(super) held: Arc<Notify>,
}

impl Gate {
    pub(super) async fn before(port: u16, through: usize) -> Self {
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

    pub(super) fn open(&self) {
        self.permits.add_permits(1000);
    }
}

pub(super) async fn clients(
    place: &Place,
    grpc: u16,
    tls: Option<DexTls>,
    secret: &str,
) -> Arc<Dex> {
    let dex = config::Dex { address: loopback(grpc), tls };
    let secret = Secret::new(secret.to_owned());
    let (callback, unfinished) = (CALLBACK.to_owned(), TaskTracker::new());
    let setting = Setting { dex: &dex, secret: &secret, callback, unfinished };
    Arc::new(Dex::new(setting, place.open().await, Clock::stopped(NOW_MS), Random::System))
}
