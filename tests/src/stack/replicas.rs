//! Several authsvc on one PostgreSQL, as a load balancer shows them: each request goes to the next.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Process, Setup, launch, ports};
use crate::http;

/// Most of a body that is passed on, bytes.
const MOST: usize = 16 << 20;

/// Where requests go in turn.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Targets {
    http: Client,
    all: Vec<SocketAddr>,
    turn: AtomicUsize,
}

impl Balancer {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(all: Vec<SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a balancer")?;
        let address = listener.local_addr()?;
        let targets = Arc::new(Targets { http: http::client(), all, turn: AtomicUsize::new(0) });
        let router = Router::new().fallback(pass_on).with_state(targets);
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, serving })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// To the next that can be reached.
async fn pass_on(State(targets): State<Arc<Targets>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    for _ in &targets.all {
        let turn = targets.turn.fetch_add(1, Ordering::Relaxed) % targets.all.len();
        let url = format!("http://{}{}", targets.all[turn], parts.uri);
        let mut headers = parts.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let request = targets.http.request(parts.method.clone(), url).headers(headers);
        if let Ok(answer) = request.body(body.clone()).send().await {
            return answered(answer).await;
        }
    }
    StatusCode::BAD_GATEWAY.into_response()
}

async fn answered(answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    let body: Bytes = answer.bytes().await.unwrap_or_default();
    (status, headers, Body::from(body)).into_response()
}

/// One authsvc of several.
#[derive(Debug)]
pub struct Replica {
    /// It.
    pub process: Process,
    /// Its public listener.
    pub public: SocketAddr,
    /// Its internal listener.
    pub internal: SocketAddr,
}

impl Replica {
    /// Starts one like that of `setup`, on ports of its own, with this database URL.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(setup: &Setup, database: &str, folder: &Path, name: &str) -> Result<Self> {
        let [public, internal] = [ports::free(), ports::free()];
        let mut config = setup.config.clone();
        config["database"] = json!(database);
        config["service"]["listen"] = json!(public);
        config["service"]["internal"] = json!(internal);
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        let process = launch::authsvc(&file, &folder.join(format!("{name}.log")))?;
        Ok(Self { process, public, internal })
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("http://{}/ready", self.internal);
        launch::ready(&mut self.process, &url).await
    }

    /// Asks its internal listener for the events after a cursor.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn listing(&self, after: i64) -> Result<Value> {
        let url = format!("http://{}/internal/events?after={after}&limit=1000", self.internal);
        let answer = http::client().get(url).bearer_auth(super::SERVICE_SECRET).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
