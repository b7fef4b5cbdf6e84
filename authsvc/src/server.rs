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
    signal::unix::{Signal, SignalKind, signal},
    sync::Semaphore,
    task::JoinHandle,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    address::Peer,
    check, clients,
    clock::Clock,
    config::Config,
    events::delivery::Courier,
    keys,
    random::Random,
    routes,
    state::App,
    store::{self, Store},
    sweep,
};

/// Connections of one listener at a time; more wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests and background work may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// Pause after a failed accept: out of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Runs until SIGINT or SIGTERM, then lets what has begun finish, for 20 seconds at most; a second signal ends that.
///
/// # Errors
/// When the database cannot be opened or an address cannot be bound.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let app = App::open(config, Clock::system(), Random::System).await?;
    clients::end_removed(&app).await?;
    warn_of_no_users(&app).await?;
    let running = Running::start(&app).await?;

    signals.next().await;
    // Whoever sends requests here has to hear of it first, from `/ready`.
    app.draining.cancel();
    tokio::select! {
        () = time::sleep(app.config.service.drain_delay) => {}
        () = signals.next() => {}
    }
    app.stopping.cancel();
    let end = async {
        running.end(&app).await;
        app.store.close().await;
        tracing::info!("everything is finished");
    };
    tokio::select! {
        () = end => Ok(()),
        () = time::sleep(DRAIN) => too_late("time was up"),
        () = signals.next() => too_late("a second signal came"),
    }
}

async fn warn_of_no_users(app: &App) -> Result<(), store::Error> {
    // Before a provider, its users can.
    if app.broker().is_none() && !app.users().has_anybody().await? {
        tracing::warn!("{}", check::NOBODY);
    }
    Ok(())
}

fn too_late(reason: &str) -> anyhow::Result<()> {
    tracing::warn!(reason, "stopping although something is not finished");
    anyhow::bail!("stopped before everything was finished: {reason}")
}

/// The two signals that ask us to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let wait = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            terminate: wait(SignalKind::terminate())?,
            interrupt: wait(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal, "asked to stop");
    }
}

/// What runs.
struct Running {
    /// The public listener and the background work: they end by themselves when the process is asked to.
    tasks: TaskTracker,
    /// The internal listener: the last to go, since it is where one sees that the others are ending.
    internal: JoinHandle<()>,
}

impl Running {
    async fn start(app: &App) -> anyhow::Result<Self> {
        let service = &app.config.service;
        let public = bind(service.listen, "service.listen").await?;
        let internal = bind(service.internal, "service.internal").await?;
        let tasks = TaskTracker::new();
        tasks.spawn(accept(public, routes::public(app.clone()), app.stopping.clone()));
        let router = routes::internal(app.clone());
        let internal = tokio::spawn(accept(internal, router, app.closing.clone()));
        work(app, &tasks).await?;
        tasks.close();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            schema = Store::SCHEMA,
            public = %service.listen,
            internal = %service.internal,
            "ready"
        );
        Ok(Self { tasks, internal })
    }

    /// Waits for all of it, after the process was asked to end.
    async fn end(self, app: &App) {
        self.tasks.wait().await;
        if let Some(broker) = app.broker() {
            broker.finish().await;
        }
        app.closing.cancel();
        if let Err(error) = self.internal.await {
            tracing::error!(%error, "the internal listener broke");
        }
    }
}

/// Starts what runs beside the listeners; each task ends soon after the process was asked to.
async fn work(app: &App, tasks: &TaskTracker) -> anyhow::Result<()> {
    let stop = &app.stopping;
    if let Some(destination) = &app.config.webhook {
        let courier = Courier::open(app.clone(), destination).await?;
        tasks.spawn(courier.run(stop.clone()));
    }
    tasks.spawn(store::watch(app.store.clone(), stop.clone()));
    tasks.spawn(sweep::run(app.clone(), stop.clone()));
    tasks.spawn(keys::run(app.clone(), stop.clone()));
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
        let Some((stream, peer)) = or_pause(accepted).await else { continue };
        let connection = serve_connection(stream, peer, router.clone(), &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn or_pause(
    accepted: std::io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(connection) => Some(connection),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use axum::{Router, extract::Extension, routing::get};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::Notify,
        time,
    };
    use tokio_util::sync::CancellationToken;

    use super::accept;
    use crate::address::Peer;

    #[tokio::test]
    async fn what_has_begun_is_finished_and_idle_connections_are_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let steps = (Arc::clone(&begun), Arc::clone(&release));
        let slow = async move |Extension(Peer(peer)): Extension<Peer>| {
            steps.0.notify_one();
            steps.1.notified().await;
            peer.to_string()
        };
        let router = Router::new().route("/slow", get(slow));
        let accepting = tokio::spawn(accept(listener, router, stop.clone()));

        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        begun.notified().await;
        stop.cancel();

        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        release.notify_one();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        time::timeout(Duration::from_secs(5), accepting).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn s66_what_is_not_http_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let _accepting = tokio::spawn(accept(listener, Router::new(), stop.clone()));
        let smuggled =
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx";
        let huge = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
        for bytes in ["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", smuggled, &huge] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The server may close before it has read all of it.
            drop(stream.write_all(bytes.as_bytes()).await);
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        stop.cancel();
    }
}
