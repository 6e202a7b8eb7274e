//! Client connections: accepted in one place, spread over the I/O threads, served there.
//!
//! Each I/O thread has a single-threaded runtime, and a connection stays on its thread: a read
//! touches no other thread, and replies need no lock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::connection;
use crate::exchange::Exchange;
use crate::node::{Node, count, unix_ms};

/// The kernel's queue of connections not yet accepted: Redis' `tcp-backlog`.
const BACKLOG: i32 = 511;

/// Accepted connections on their way to an I/O thread.
const HANDOVER_MAX: usize = 128;

/// After a failed accept (no descriptors left), before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The addresses a node listens on, with the ports that were really taken.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// RESP.
    pub client: SocketAddr,
    /// gRPC between nodes and for `ringfort admin`.
    pub peer: Option<SocketAddr>,
    /// HTTP.
    pub http: Option<SocketAddr>,
}

/// A listening socket.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted node must get its port back at once. Not on Windows, where the option means
    // that a port may be taken over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One I/O thread as the acceptor sees it.
struct IoThread {
    connections: mpsc::Sender<std::net::TcpStream>,
    count: Arc<AtomicUsize>,
}

/// Accepts clients and serves them, for as long as the process lives.
pub async fn run(node: Arc<Node>, listener: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let threads = match node.config.settings.io_threads() {
        // The other half is for Raft, apply and the network between replicas; and a thread is the
        // cheaper for a command, the more connections it finds ready at once.
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
        threads => threads,
    };
    let threads: Vec<IoThread> =
        (0..threads).map(|n| start_thread(n, &node)).collect::<io::Result<_>>()?;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept a client: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        count(&node.stats.connections, 1);
        if node.clients.len() as u64 >= node.config.settings.maxclients() {
            count(&node.stats.connections_refused, 1);
            // It is told if its socket takes the line at once; it is closed anyway.
            let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
            continue;
        }
        let idlest = threads.iter().min_by_key(|thread| thread.count.load(Ordering::Relaxed));
        let thread = idlest.expect("there is at least one I/O thread");
        thread.count.fetch_add(1, Ordering::Relaxed);
        let handed = thread.connections.send(stream.into_std()?).await;
        handed.map_err(|_| io::Error::other("an I/O thread ended"))?;
    }
}

fn start_thread(number: usize, node: &Arc<Node>) -> io::Result<IoThread> {
    let (sender, mut connections) = mpsc::channel::<std::net::TcpStream>(HANDOVER_MAX);
    let connected = Arc::new(AtomicUsize::new(0));
    let (node, counter) = (node.clone(), connected.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("io-{number}")).spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, async move {
            let exchange = Exchange::new();
            tokio::task::spawn_local(exchange.clone().run());
            tokio::task::spawn_local(exchange.clone().depart(node.batcher.clone()));
            while let Some(stream) = connections.recv().await {
                let (node, exchange, counter) = (node.clone(), exchange.clone(), counter.clone());
                tokio::task::spawn_local(async move {
                    // A client that is gone before it is served is nobody's trouble.
                    if let Ok((stream, addr, laddr)) = prepare(stream, &node) {
                        let client = node.clients.add(stream.clone(), addr, laddr, unix_ms());
                        connection::serve(node, exchange, stream, client).await;
                    }
                    counter.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    })?;
    Ok(IoThread { connections: sender, count: connected })
}

type Prepared = (Arc<TcpStream>, SocketAddr, SocketAddr);

fn prepare(stream: std::net::TcpStream, node: &Node) -> io::Result<Prepared> {
    let (addr, laddr) = (stream.peer_addr()?, stream.local_addr()?);
    stream.set_nodelay(true)?;
    let idle = node.config.settings.tcp_keepalive_seconds();
    if idle > 0 {
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(idle));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok((Arc::new(TcpStream::from_std(stream)?), addr, laddr))
}

/// Closes clients that were silent for longer than `timeout`, for as long as the node lives.
pub async fn close_idle(node: std::sync::Weak<Node>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let Some(node) = node.upgrade() else { return };
        let seconds = node.config.settings.timeout_seconds();
        if seconds == 0 {
            continue;
        }
        let now_ms = unix_ms();
        for client in node.clients.all() {
            let silent_ms = now_ms.saturating_sub(client.last_active_ms.load(Ordering::Relaxed));
            // One that waits or listens is silent on purpose.
            let on_purpose = client.is_blocked() || client.listens();
            if silent_ms > seconds.saturating_mul(1000) && !on_purpose {
                client.kill();
            }
        }
    }
}
