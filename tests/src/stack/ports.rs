//! Ports of loopback that nobody listens on.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback address that could be bound a moment ago, and is handed out once.
///
/// Below the range from which the kernel takes ports of outgoing connections, so that none of those takes it
/// before its part starts.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn free() -> SocketAddr {
    const FIRST: u32 = 16_000;
    const COUNT: u32 = 16_000;
    for _ in 0..COUNT {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (process::id().wrapping_mul(97).wrapping_add(turn)) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or(0)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port on loopback")
}
