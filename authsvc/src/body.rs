//! Takes a request's body in whole before it is answered.
//!
//! An answer to a body that is still on its way would close the connection, and the proxy in front might see
//! that before it sees the answer.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::BodyExt as _;

/// Beyond what a handler reads, this much is read and forgotten, bytes.
const FORGOTTEN: usize = 1 << 20;

/// Gives the handler the body, cut one byte behind `most`: enough for it to see that it is too large.
pub(crate) async fn take(State(most): State<usize>, request: Request, next: Next) -> Response {
    let (head, mut body) = request.into_parts();
    let mut kept: Vec<u8> = Vec::new();
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        // Cut off on its way: nobody reads an answer, and half a body is none.
        let Ok(frame) = frame else { return StatusCode::BAD_REQUEST.into_response() };
        let Ok(data) = frame.into_data() else { continue };
        read = read.saturating_add(data.len());
        let room = (most + 1).saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..room).unwrap_or_default());
        if read > most.saturating_add(FORGOTTEN) {
            break;
        }
    }
    next.run(Request::from_parts(head, Body::from(Bytes::from(kept)))).await
}
