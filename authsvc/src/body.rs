//! Takes a request's body in whole before it is answered.
//!
//! An answer to a body that is still on its way would close the connection, and the proxy in front might see
//! that before it sees the answer.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::BodyExt as _;
use tokio::time;

use crate::refusal::Refusal;

/// Beyond what a handler reads, this much is read and forgotten, bytes.
const FORGOTTEN: usize = 1 << 20;

/// The rest of the body will not be read, so nothing else can come on this connection.
const CLOSE: [(HeaderName, HeaderValue); 1] =
    [(header::CONNECTION, HeaderValue::from_static("close"))];

/// How much of a body is taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Most that a handler reads, bytes.
    pub bytes: usize,
    /// How long it may take to come.
    pub time: Duration,
}

/// What is left of a body.
enum Taken {
    /// Its beginning, and no more than was asked for.
    Kept(Vec<u8>),
    /// It was cut off on its way.
    CutOff,
}

/// Gives the handler the body, cut one byte behind what is allowed: enough for it to see that it is too large.
pub(crate) async fn take(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match time::timeout(allowed.time, read(body, allowed.bytes)).await {
        Ok(Taken::Kept(kept)) => {
            next.run(Request::from_parts(head, Body::from(Bytes::from(kept)))).await
        }
        // Nobody reads an answer, and half a body is none.
        Ok(Taken::CutOff) => StatusCode::BAD_REQUEST.into_response(),
        Err(_) => (CLOSE, Refusal::TooSlow).into_response(),
    }
}

/// Reads what comes of a body that nobody is to have, so that the answer arrives: not much, and not for long.
pub(crate) async fn forget(most: Duration, request: Request) {
    drop(time::timeout(most, read(request.into_body(), 0)).await);
}

async fn read(mut body: Body, most: usize) -> Taken {
    let mut kept: Vec<u8> = Vec::new();
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Taken::CutOff };
        let Ok(data) = frame.into_data() else { continue };
        read = read.saturating_add(data.len());
        let room = (most + 1).saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..room).unwrap_or_default());
        if read > most.saturating_add(FORGOTTEN) {
            break;
        }
    }
    Taken::Kept(kept)
}

#[cfg(test)]
mod tests {
    use std::{task::Poll, time::Duration};

    use axum::{
        Router,
        body::Body,
        http::{Request, StatusCode},
        middleware,
        routing::post,
    };

    use super::{Allowed, take};
    use crate::testing::{answer, body::endless};

    #[tokio::test]
    async fn a_body_that_does_not_come_to_its_end_is_refused_and_its_connection_closed() {
        let allowed = Allowed { bytes: 10, time: Duration::ZERO };
        let router = Router::new()
            .route("/", post(async || "handled"))
            .layer(middleware::from_fn_with_state(allowed, take));
        let stalled = Request::post("/").body(endless(|| Poll::Pending)).unwrap();
        let refused = answer(router.clone(), stalled).await;
        assert_eq!(refused.status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(refused.header("connection"), "close");
        assert_eq!(refused.json()["error"], "invalid_request");
        let whole = answer(router, Request::post("/").body(Body::from("whole")).unwrap()).await;
        assert_eq!((whole.status, whole.body.as_str()), (StatusCode::OK, "handled"));
    }
}
