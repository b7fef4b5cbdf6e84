//! HTTP/1.1 as bytes, for what no client library would send.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends these bytes on a connection of their own; everything that comes back until it is closed or quiet.
///
/// # Errors
/// When nothing can be sent, or neither an answer nor the end of the connection comes.
pub async fn exchange(to: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await.with_context(|| format!("connecting to {to}"))?;
    // The other side may close before it has read all: its answer is there nevertheless.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let patience = if answer.is_empty() { PATIENCE } else { Duration::from_millis(100) };
        match timeout(patience, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Ok(answer),
            Ok(Ok(count)) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(_) if answer.is_empty() => {
                anyhow::bail!("no answer within {} s", PATIENCE.as_secs())
            }
            Err(_) => return Ok(answer),
        }
    }
}

/// The status of an answer; nothing when the connection was closed without one.
#[must_use]
pub fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.split(' ').nth(1)?.parse().ok()
}
