//! What a scripted server answers: status, headers and a body whose framing the test decides.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Bytes, Frame},
};
use serde_json::Value;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// One piece, with `Content-Length`.
    Whole(Bytes),
    /// Chunked: each step as it comes.
    Steps(Vec<Step>),
}

/// A step of a chunked answer.
#[derive(Debug)]
pub enum Step {
    /// Sends these bytes as one chunk.
    Send(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Waits until the test says so.
    Until(Arc<Notify>),
    /// Cuts the connection in the middle of the body.
    Cut,
    /// Keeps the stream open until the client is gone.
    StayOpen,
}

impl Answer {
    /// No body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), framing: Framing::Whole(Bytes::new()) }
    }

    /// JSON with `Content-Length`.
    #[must_use]
    pub fn json(body: impl AsRef<[u8]>) -> Self {
        let mut answer = Self::status(200).header("content-type", "application/json");
        answer.framing = Framing::Whole(Bytes::copy_from_slice(body.as_ref()));
        answer
    }

    /// The JSON-RPC result of a request, with its `id`.
    #[must_use]
    pub fn result(id: &Value, result: &Value) -> Self {
        Self::json(serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
    }

    /// The same JSON without `Content-Length`, in these chunks.
    #[must_use]
    pub fn chunked_json<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> Self {
        Self::status(200).header("content-type", "application/json").steps(sends(chunks))
    }

    /// An event stream in these chunks, ended by the server.
    #[must_use]
    pub fn sse<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> Self {
        Self::sse_steps(sends(chunks))
    }

    /// An event stream that goes step by step.
    #[must_use]
    pub fn sse_steps(steps: Vec<Step>) -> Self {
        Self::status(200).header("content-type", "text/event-stream").steps(steps)
    }

    /// Sets a header, in place of one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Sets the status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Makes the body chunked.
    #[must_use]
    pub fn steps(mut self, steps: Vec<Step>) -> Self {
        self.framing = Framing::Steps(steps);
        self
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match self.framing {
            Framing::Whole(bytes) => {
                Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
            }
            Framing::Steps(steps) => played(steps),
        };
        response.body(body).expect("a test's headers are well formed")
    }
}

fn sends<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> Vec<Step> {
    chunks.into_iter().map(|chunk| Step::Send(chunk.as_ref().to_vec())).collect()
}

/// Plays the steps as somebody reads.
fn played(steps: Vec<Step>) -> Body {
    let (chunks, arriving) = mpsc::channel::<io::Result<Bytes>>(1);
    tokio::spawn(async move {
        for step in steps {
            let sent = match step {
                Step::Send(bytes) => chunks.send(Ok(Bytes::from(bytes))).await,
                Step::Cut => chunks.send(Err(io::Error::other("cut by the test"))).await,
                Step::Wait(time) => {
                    sleep(time).await;
                    Ok(())
                }
                Step::Until(said) => {
                    said.notified().await;
                    Ok(())
                }
                Step::StayOpen => {
                    chunks.closed().await;
                    Ok(())
                }
            };
            if sent.is_err() {
                return;
            }
        }
    });
    Played(arriving).boxed_unsync()
}

struct Played(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Played {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|bytes| bytes.map(Frame::data)))
    }
}
