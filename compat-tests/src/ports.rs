//! Free ports on the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// `ringfort up` takes its client port, and those 10,000 and 20,000 further. From here all three
/// stay below 32,768, where Linux begins to take ports for outgoing connections.
const FIRST: u16 = 10_500;
const LAST: u16 = 12_700;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port nobody listens on.
pub fn free() -> u16 {
    free_block(1)
}

/// The first of `count` neighbouring ports that are free, also 10,000 and 20,000 further.
pub fn free_block(count: u16) -> u16 {
    // Several test processes begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(LAST - FIRST)).expect("below u16");
    let _ = NEXT.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed);
    for _ in 0..u32::from(LAST - FIRST) {
        let at = FIRST + NEXT.fetch_add(count, Ordering::Relaxed) % (LAST - FIRST);
        if (at..at + count).all(|port| [0, 10_000, 20_000].iter().all(|far| is_free(port + far))) {
            return at;
        }
    }
    panic!("no {count} neighbouring free ports from {FIRST} to {LAST}");
}

/// Whether nobody listens on it.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
