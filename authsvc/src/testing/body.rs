//! Bodies as no well-behaved client sends them.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame};

/// A body without an end: each time it is asked for more, this says what comes.
pub(crate) fn endless(more: impl FnMut() -> Poll<Bytes> + Send + Unpin + 'static) -> Body {
    Body::new(Endless(more))
}

struct Endless<F>(F);

impl<F: FnMut() -> Poll<Bytes> + Unpin> HttpBody for Endless<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        (self.0)().map(|bytes| Some(Ok(Frame::data(bytes))))
    }
}
