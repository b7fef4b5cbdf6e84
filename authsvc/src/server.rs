//! Runs the service: two listeners, our own accept loop, background work, and an orderly end.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    address::Peer, clock::Clock, config::Config, events::delivery::Courier, random::Random, routes,
    state::App, sweep,
};

/// Connections of one listener at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests and background work may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// Pause after a failed accept: out of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Runs until SIGINT or SIGTERM, then lets what has begun finish, for 20 seconds at most.
///
/// # Errors
/// When the database cannot be opened or an address cannot be bound.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let app = App::open(config, Clock::system(), Random::System).await?;
    let public = bind(app.config.service.listen, "service.listen").await?;
    let internal = bind(app.config.service.internal, "service.internal").await?;

    let tasks = TaskTracker::new();
    tasks.spawn(accept(public, routes::public(app.clone()), stop.clone()));
    tasks.spawn(accept(internal, routes::internal(app.clone()), stop.clone()));
    work(&app, &tasks, &stop).await?;
    tasks.close();
    tracing::info!(
        public = %app.config.service.listen,
        internal = %app.config.service.internal,
        "ready"
    );

    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: finishing what has begun"),
        _ = interrupt.recv() => tracing::info!("SIGINT: finishing what has begun"),
    }
    stop.cancel();
    // Readers of events that wait for more have waited enough.
    app.arrivals.announce();
    if time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not finish in time");
    }
    app.store.close().await;
    Ok(())
}

/// Starts what runs beside the listeners; each task ends soon after `stop`.
async fn work(app: &App, tasks: &TaskTracker, stop: &CancellationToken) -> anyhow::Result<()> {
    if let Some(destination) = &app.config.webhook {
        let courier = Courier::open(app.clone(), destination).await?;
        tasks.spawn(courier.run(stop.clone()));
    }
    tasks.spawn(sweep::run(app.clone(), stop.clone()));
    Ok(())
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))
}

/// Accepts connections until `stop`, then waits for those that are open.
async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The slot first: a connection that we cannot serve stays in the kernel's queue.
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve_connection(stream, peer, router.clone(), &graceful);
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT)
        .max_concurrent_streams(256)
        .max_header_list_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
