//! A webhook receiver on a port of its own: keeps what it gets, answers what it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::WEBHOOK_SECRET;

/// What a receiver answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) after: Duration,
}

/// What a receiver got.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Stops listening, and closes its connections, when dropped.
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    answer: Mutex<Answer>,
    received: watch::Sender<Vec<Received>>,
}

impl From<u16> for Answer {
    fn from(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), after: Duration::ZERO }
    }
}

impl Received {
    pub(super) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Checks the signature with another implementation than ours.
    pub(super) fn assert_signed(&self) {
        let timestamp = self.header("webhook-timestamp").parse().unwrap();
        let expected = standardwebhooks::Webhook::new(WEBHOOK_SECRET)
            .unwrap()
            .sign(self.id(), timestamp, &self.body)
            .unwrap();
        assert_eq!(self.header("webhook-signature"), expected);
    }
}

impl Receiver {
    pub(super) async fn start(answer: impl Into<Answer>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(super) async fn start_at(address: SocketAddr, answer: impl Into<Answer>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer.into()),
            received: watch::Sender::default(),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let server = tokio::spawn(serve(listener, router));
        Self { address, shared, server }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn answer(&self, answer: impl Into<Answer>) {
        *self.shared.answer.lock().unwrap() = answer.into();
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// Waits until so many requests have come.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let enough = received.wait_for(|received| received.len() >= count);
        tokio::time::timeout(Duration::from_secs(10), enough).await.unwrap().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, router: Router) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            builder.serve_connection(TokioIo::new(stream), service).await.is_ok()
        });
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    shared.received.send_modify(|received| received.push(Received { headers, body }));
    let answer = shared.answer.lock().unwrap().clone();
    tokio::time::sleep(answer.after).await;
    let headers: HeaderMap = answer
        .headers
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    (StatusCode::from_u16(answer.status).unwrap(), headers, answer.body)
}
