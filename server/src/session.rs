//! What the server knows of one client, and the registry of all of them.
//!
//! A [`Session`] belongs to its connection's task; the part that other threads may see (CLIENT
//! LIST, CLIENT KILL) is its [`Client`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use keyspace::Spec;
use parking_lot::Mutex;
use resp::Protocol;
use tokio::net::TcpStream;

use crate::blocked::Ticket;
use crate::pubsub::{Mailbox, Subscriptions};
use crate::transaction::Multi;
use crate::watch::Watch;

/// Whether replies are sent (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every reply is sent.
    #[default]
    On,
    /// None is.
    Off,
    /// The reply of `CLIENT REPLY SKIP` itself is dropped, and the next command's.
    SkipNext,
    /// This command's reply is dropped, then replies are on again.
    Skip,
}

/// One connection's state.
pub struct Session {
    /// The part that others see.
    pub client: Arc<Client>,
    /// The protocol in use.
    pub protocol: Protocol,
    /// The selected database.
    pub db: u8,
    /// Whether AUTH succeeded, or nothing is required.
    pub authenticated: bool,
    /// READONLY: reads are answered by this replica even if it follows.
    pub readonly: bool,
    /// ASKING was the previous command.
    pub asking: bool,
    /// Whether replies are sent.
    pub reply_mode: ReplyMode,
    /// The queue between MULTI and EXEC.
    pub multi: Option<Multi>,
    /// The keys under WATCH.
    pub watch: Option<Watch>,
    /// Channels listened to.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Log index of this connection's last write, for WAIT; 0: none.
    pub last_write_index: u64,
    /// Close after the replies so far are sent (QUIT, CLIENT KILL of oneself).
    pub closing: bool,
}

impl Session {
    /// A fresh session: RESP2, database 0, nothing queued.
    pub fn new(client: Arc<Client>, authenticated: bool) -> Session {
        Session {
            client,
            protocol: Protocol::Resp2,
            db: 0,
            authenticated,
            readonly: false,
            asking: false,
            reply_mode: ReplyMode::On,
            multi: None,
            watch: None,
            subscriptions: None,
            last_write_index: 0,
            closing: false,
        }
    }

    /// What RESET does: everything but the connection and its id is as new.
    pub fn reset(&mut self, authenticated: bool) {
        self.client.set_name(Vec::new());
        self.client.db.store(0, Ordering::Relaxed);
        self.client.multi_len.store(-1, Ordering::Relaxed);
        self.client.resp.store(2, Ordering::Relaxed);
        *self =
            Session { closing: self.closing, ..Session::new(self.client.clone(), authenticated) };
    }

    /// Where messages arrive, of one that listens or did.
    pub fn mailbox(&self) -> Option<Arc<Mailbox>> {
        self.subscriptions.as_ref().map(|subscriptions| Arc::clone(subscriptions.mailbox()))
    }

    /// Selects a database.
    pub fn select(&mut self, db: u8) {
        self.db = db;
        self.client.db.store(db, Ordering::Relaxed);
    }

    /// Switches the protocol.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
        self.client.resp.store(version, Ordering::Relaxed);
    }
}

/// What clients tell of themselves; changed rarely, hence behind one lock.
#[derive(Clone, Debug, Default)]
pub struct ClientNames {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver.
    pub lib_ver: Vec<u8>,
}

/// The part of a session that other threads see. Counters are statistics: relaxed atomics.
pub struct Client {
    /// Never reused in this process.
    pub id: u64,
    /// The client's address.
    pub addr: SocketAddr,
    /// Our address.
    pub laddr: SocketAddr,
    /// Unix time in milliseconds of the connection's start.
    pub connected_at_ms: u64,
    /// Unix time in milliseconds of the last request.
    pub last_active_ms: AtomicU64,
    /// The selected database.
    pub db: AtomicU8,
    /// RESP version.
    pub resp: AtomicU8,
    /// Commands queued by MULTI; -1 outside.
    pub multi_len: AtomicI32,
    /// Watched keys.
    pub watch_len: AtomicU32,
    /// Names listened to, by [`crate::pubsub::Kind`].
    pub subscriptions: [AtomicU32; 3],
    /// READONLY was given.
    pub readonly: AtomicBool,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// Bytes in the query buffer at the last look.
    pub query_bytes: AtomicU64,
    /// Bytes in the output buffer at the last look.
    pub output_bytes: AtomicU64,
    /// Total bytes read.
    pub read_bytes: AtomicU64,
    /// Total bytes written.
    pub written_bytes: AtomicU64,
    /// Total commands.
    pub commands: AtomicU64,
    names: Mutex<ClientNames>,
    last_command: Mutex<Option<&'static Spec>>,
    /// While its command is under way that may wait.
    ticket: Mutex<Option<Arc<Ticket>>>,
    stream: Arc<TcpStream>,
}

impl Client {
    /// The names it gave.
    pub fn names(&self) -> ClientNames {
        self.names.lock().clone()
    }

    /// CLIENT SETNAME.
    pub fn set_name(&self, name: Vec<u8>) {
        self.names.lock().name = name;
    }

    /// CLIENT SETINFO.
    pub fn set_library(&self, change: impl FnOnce(&mut ClientNames)) {
        change(&mut self.names.lock());
    }

    /// The command it ran last.
    pub fn last_command(&self) -> Option<&'static Spec> {
        *self.last_command.lock()
    }

    /// Notes one turn of the connection: its time, its commands and the last of them.
    pub fn note_turn(&self, now_ms: u64, commands: u64, last: Option<&'static Spec>) {
        self.last_active_ms.store(now_ms, Ordering::Relaxed);
        self.commands.fetch_add(commands, Ordering::Relaxed);
        if last.is_some() {
            *self.last_command.lock() = last;
        }
    }

    /// Notes how many commands MULTI has queued; -1 outside.
    pub fn note_queued(&self, count: i32) {
        self.multi_len.store(count, Ordering::Relaxed);
    }

    /// Notes how many keys are watched.
    pub fn note_watched(&self, count: usize) {
        self.watch_len.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Notes bytes read.
    pub fn note_read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes bytes written.
    pub fn note_written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that a command that may wait is under way, or no longer.
    pub fn set_ticket(&self, ticket: Option<Arc<Ticket>>) {
        *self.ticket.lock() = ticket;
    }

    /// The ticket of the command that it waits for, if it does.
    pub fn blocked_on(&self) -> Option<Arc<Ticket>> {
        self.ticket.lock().clone().filter(|ticket| ticket.is_parked())
    }

    /// Whether it listens to anything: its type is then pubsub.
    pub fn listens(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Whether it waits.
    pub fn is_blocked(&self) -> bool {
        self.ticket.lock().as_ref().is_some_and(|ticket| ticket.is_parked())
    }

    /// The socket's file descriptor number, as CLIENT LIST shows it.
    pub fn fd(&self) -> i64 {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            i64::from(self.stream.as_raw_fd())
        }
        #[cfg(not(unix))]
        {
            -1
        }
    }

    /// Ends the connection from any thread: its task sees the end of the stream.
    pub fn kill(&self) {
        // An error means that the socket is gone already.
        let _ = socket2::SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Both);
    }
}

/// All connected clients, by id.
#[derive(Default)]
pub struct Clients {
    next_id: AtomicU64,
    count: AtomicU64,
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    /// Registers a connection.
    pub fn add(
        &self,
        stream: Arc<TcpStream>,
        addr: SocketAddr,
        laddr: SocketAddr,
        now_ms: u64,
    ) -> Arc<Client> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            addr,
            laddr,
            connected_at_ms: now_ms,
            last_active_ms: AtomicU64::new(now_ms),
            db: AtomicU8::new(0),
            resp: AtomicU8::new(2),
            multi_len: AtomicI32::new(-1),
            watch_len: AtomicU32::new(0),
            subscriptions: Default::default(),
            readonly: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            query_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            names: Mutex::default(),
            last_command: Mutex::new(None),
            ticket: Mutex::new(None),
            stream,
        });
        self.by_id.lock().insert(id, client.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        client
    }

    /// Forgets a connection.
    pub fn remove(&self, id: u64) {
        if self.by_id.lock().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        usize::try_from(self.count.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// Everyone, oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().values().cloned().collect()
    }
}
