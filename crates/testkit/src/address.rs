//! Addresses for servers that are killed and come back on the same port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// An address of loopback for a server that goes away and comes back: a port that the system never hands out by itself
/// (those begin at 32768), so that nobody else is given it in between, and one of its own for each process of tests.
///
/// # Panics
/// When none of its ports is free.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 750).unwrap_or(0) * 16;
    let addresses =
        std::iter::repeat_with(|| (Ipv4Addr::LOCALHOST, first + NEXT.fetch_add(1, Ordering::Relaxed) % 16).into());
    let mut free = addresses.take(16).filter(|address| TcpListener::bind(address).is_ok());
    free.next().unwrap_or_else(|| panic!("no free port among the 16 from {first}"))
}
