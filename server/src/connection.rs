//! One client's connection: reads, hands every complete request to `dispatch`, keeps the replies
//! in order, and writes once per turn.
//!
//! A turn is everything that one read brought; a command that may wait (BLPOP) divides it. Memory is bounded: a connection holds what one read
//! brought (or one larger request), at most [`OUTPUT_HIGH_BYTES`] of replies plus the last one,
//! and one segment. Idle connections hold no buffers.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use resp::{Limits, Parser, Reply};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::blocked::{Ending, Ticket};
use crate::commands::Scope;
use crate::dispatch::{Dispatch, Exec, Reads, Step};
use crate::exchange::Exchange;
use crate::node::{Node, count, unix_ms};
use crate::pubsub::Mailbox;
use crate::router::{self, ConnectionDesk};
use crate::segment::Segment;
use crate::session::{Client, Session};
use crate::settings::OutputClass;
use crate::transaction::QueuedRun;
use crate::watch::Watch;

/// Room for one read: several hundred small commands, and what `redis-benchmark -P 64` sends.
const READ_BYTES: usize = 64 * 1024;

/// Replies past this are written before the next command runs, so that a pipeline of large reads
/// needs no more memory than its largest reply.
const OUTPUT_HIGH_BYTES: usize = 256 * 1024;

/// A segment past this is sent before the next command is added: an entry's worth.
const SEGMENT_HIGH_BYTES: usize = 1024 * 1024;

/// A buffer that grew past this is given back to the allocator rather than kept.
const BUFFER_KEEP_BYTES: usize = 256 * 1024;

/// Buffers kept by an I/O thread for its connections' next turns.
const BUFFERS_KEPT: usize = 64;

thread_local! {
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer of this thread.
fn take_buffer() -> BytesMut {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(READ_BYTES))
}

/// Gives an empty buffer back.
fn keep_buffer(buffer: BytesMut) {
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.len() < BUFFERS_KEPT
            && (READ_BYTES..BUFFER_KEEP_BYTES).contains(&buffer.capacity())
        {
            buffers.push(buffer);
        }
    });
}

/// Between two looks whether a client left that sent more than we read while it waits, and between
/// two attempts to end the wait of one that did.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why the work on what was read stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// There is no whole request left.
    Read,
    /// The pending segment may wait.
    Block,
}

/// Why a connection ends.
enum End {
    /// The client closed it, asked for it, or broke the protocol and was told.
    Closed,
    /// The socket failed.
    Socket,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Socket
    }
}

/// See the module's documentation.
pub struct Connection {
    stream: Arc<TcpStream>,
    input: BytesMut,
    parser: Parser,
    desk: ConnectionDesk,
    dispatch: Dispatch,
}

/// Serves a client until it leaves.
pub async fn serve(
    node: Arc<Node>,
    exchange: Rc<Exchange>,
    stream: Arc<TcpStream>,
    client: Arc<Client>,
) {
    let place = exchange.enter();
    let authenticated = !node.config.settings.requires_password();
    let shard = node.shard;
    let mut connection = Connection {
        stream,
        input: BytesMut::new(),
        parser: Parser::new(),
        desk: ConnectionDesk(exchange.clone(), place),
        dispatch: Dispatch {
            node,
            session: Session::new(client, authenticated),
            segment: Box::default(),
            shard,
            out: BytesMut::new(),
            reads: Reads::Leader,
            now_ms: 0,
            last: None,
            commands: 0,
        },
    };
    // Either way the client is gone; there is nobody to tell and nothing to repair.
    let (Ok(()) | Err(End::Closed | End::Socket)) = connection.run().await;
    connection.dispatch.unwatch();
    connection.dispatch.node.clients.remove(connection.dispatch.session.client.id);
    exchange.leave(place);
}

impl Connection {
    async fn run(&mut self) -> Result<(), End> {
        while !self.dispatch.session.closing {
            self.read().await?;
            self.turn().await?;
            self.rest();
        }
        Ok(())
    }

    /// Waits for bytes; what arrives for a subscriber meanwhile is written.
    async fn read(&mut self) -> Result<(), End> {
        loop {
            if let Some(mailbox) = self.dispatch.session.mailbox() {
                tokio::select! {
                    readable = self.stream.readable() => readable?,
                    () = mailbox.arrived() => {
                        let Dispatch { out, session, node, .. } = &mut self.dispatch;
                        deliver(&mailbox, &self.stream, out, session, node).await?;
                        continue;
                    }
                }
            } else {
                self.stream.readable().await?;
            }
            if self.input.capacity() == 0 {
                self.input = take_buffer();
            }
            self.input.reserve(self.parser.wanted(READ_BYTES).max(READ_BYTES / 4));
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return Err(End::Closed),
                Ok(_) if self.input.len() as u64 > self.query_bytes_max() => {
                    tracing::warn!("closed a client: its query buffer passed the limit");
                    return Err(End::Closed);
                }
                Ok(bytes) => {
                    let client = &self.dispatch.session.client;
                    client.note_read(bytes as u64);
                    count(&self.dispatch.node.stats.input_bytes, bytes as u64);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.rest(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives buffers back while there is nothing in them.
    fn rest(&mut self) {
        if self.input.is_empty() {
            keep_buffer(std::mem::take(&mut self.input));
        }
        if self.dispatch.out.is_empty() {
            keep_buffer(std::mem::take(&mut self.dispatch.out));
        }
    }

    /// Works through everything that was read.
    async fn turn(&mut self) -> Result<(), End> {
        while self.work().await? == Pause::Block {
            self.block().await?;
        }
        self.flush(None).await;
        self.write().await
    }

    /// Works through what was read, up to a command that may wait.
    async fn work(&mut self) -> Result<Pause, End> {
        let now_ms = unix_ms();
        self.dispatch.begin_turn(now_ms);
        if self.dispatch.out.capacity() == 0 {
            self.dispatch.out = take_buffer();
        }
        // The parser borrows the input for as long as a request is looked at.
        let input = std::mem::take(&mut self.input);
        let mut parser = std::mem::take(&mut self.parser);
        let worked = self.requests(&mut parser, &input).await;
        (self.input, self.parser) = (input, parser);
        let consumed = self.parser.consume();
        self.input.advance(consumed);
        let session = &self.dispatch.session;
        session.client.note_turn(now_ms, self.dispatch.commands, self.dispatch.last);
        count(&self.dispatch.node.stats.commands, self.dispatch.commands);
        worked
    }

    async fn requests(&mut self, parser: &mut Parser, input: &BytesMut) -> Result<Pause, End> {
        while !self.dispatch.session.closing {
            match parser.next(input, &self.limits()) {
                Ok(Some(args)) => {
                    if self.request(&args).await? == Pause::Block {
                        return Ok(Pause::Block);
                    }
                }
                Ok(None) => break,
                Err(broken) => {
                    self.flush(None).await;
                    self.dispatch.reply(&Reply::Error(broken.to_string().into()));
                    self.write().await?;
                    return Err(End::Closed);
                }
            }
        }
        Ok(Pause::Read)
    }

    fn query_bytes_max(&self) -> u64 {
        self.dispatch.node.config.settings.query_buffer_bytes_max()
    }

    fn limits(&self) -> Limits {
        if self.dispatch.session.authenticated {
            let bytes = self.dispatch.node.config.settings.bulk_bytes_max();
            Limits::authenticated(usize::try_from(bytes).unwrap_or(usize::MAX))
        } else {
            Limits::unauthenticated()
        }
    }

    /// Carries out one request.
    async fn request(&mut self, args: &[&[u8]]) -> Result<Pause, End> {
        loop {
            match self.dispatch.request(args) {
                Step::Done => {}
                Step::Flush => {
                    self.flush(None).await;
                    continue;
                }
                Step::Wait(answer) => {
                    let reply = answer.await;
                    self.dispatch.reply(&reply);
                    self.dispatch.look_at_lease();
                }
                Step::Watch(shard, keys) => {
                    let reply = self.watch(shard, keys).await;
                    self.dispatch.reply(&reply);
                }
                Step::Exec(exec) => self.exec(exec).await,
                Step::Block => {
                    self.dispatch.end_request();
                    return Ok(Pause::Block);
                }
                Step::Close => return Err(End::Closed),
            }
            break;
        }
        self.dispatch.end_request();
        if self.dispatch.segment.bytes() > SEGMENT_HIGH_BYTES {
            self.flush(None).await;
        }
        if self.dispatch.out.len() > OUTPUT_HIGH_BYTES {
            self.flush(None).await;
            self.write().await?;
            self.dispatch.look_at_lease();
        }
        Ok(Pause::Read)
    }

    /// Finishes the pending segment, which may wait, and watches meanwhile whether its client is
    /// still there.
    async fn block(&mut self) -> Result<(), End> {
        // Earlier replies do not wait with it.
        self.write().await?;
        self.rest();
        let segment = std::mem::take(&mut self.dispatch.segment);
        let blocking = segment.blocking.as_ref().expect("dispatch marked it");
        let ticket = blocking.ticket.clone();
        let client = self.dispatch.session.client.clone();
        client.set_ticket(Some(ticket.clone()));
        let (segment, gone) = self.wait(segment, &ticket).await;
        client.set_ticket(None);
        if gone {
            return Err(End::Closed);
        }
        self.finished(segment, None);
        Ok(())
    }

    /// Executes a segment that may wait; also says whether its client is gone.
    async fn wait(&mut self, segment: Box<Segment>, ticket: &Ticket) -> (Box<Segment>, bool) {
        let Connection { stream, input, desk, dispatch, .. } = self;
        let Dispatch { node, shard, out, session, .. } = dispatch;
        let mailbox = session.mailbox();
        let mut executing = std::pin::pin!(router::execute(node, desk, *shard, segment));
        let mut gone = false;
        loop {
            let watching = async {
                match gone {
                    false => left(stream, input).await,
                    true => tokio::time::sleep(LOOK_AGAIN).await,
                }
            };
            let arriving = async {
                match &mailbox {
                    Some(mailbox) => mailbox.arrived().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                segment = &mut executing => return (segment, gone),
                () = arriving => {
                    let mailbox = mailbox.as_ref().expect("it was waited for");
                    // One whose socket fails is seen to be gone.
                    let _ = deliver(mailbox, stream, out, session, node).await;
                }
                () = watching => {
                    gone = true;
                    node.end_wait(ticket, Ending::Gone);
                }
            }
        }
    }

    /// Finishes the pending segment; its replies follow those that are ready.
    async fn flush(&mut self, merge: Option<&Exec>) {
        let dispatch = &mut self.dispatch;
        if dispatch.segment.is_empty() {
            return;
        }
        let segment = std::mem::take(&mut dispatch.segment);
        let segment = router::execute(&dispatch.node, &self.desk, dispatch.shard, segment).await;
        self.finished(segment, merge);
    }

    /// Takes a finished segment's replies.
    fn finished(&mut self, mut segment: Box<Segment>, merge: Option<&Exec>) {
        let dispatch = &mut self.dispatch;
        if dispatch.shard == dispatch.node.shard {
            let session = &mut dispatch.session;
            session.last_write_index = session.last_write_index.max(segment.index);
        }
        match merge {
            Some(exec) if !exec.merge.is_empty() => self.merge(exec, &segment),
            _ if dispatch.out.is_empty() => std::mem::swap(&mut dispatch.out, &mut segment.out),
            _ => dispatch.out.extend_from_slice(&segment.out),
        }
        segment.clear();
        self.dispatch.segment = segment;
        self.dispatch.look_at_lease();
    }

    /// Finishes a transaction, which is all of the segment if it is watched or to be merged.
    async fn exec(&mut self, exec: Exec) {
        if exec.watch.is_some() || !exec.merge.is_empty() {
            if self.dispatch.segment.is_empty() {
                self.merge(&exec, &Segment::default());
            }
            self.flush(Some(&exec)).await;
        }
        if let Some(watch) = &exec.watch {
            self.dispatch.node.forget_watch(watch);
            self.dispatch.session.client.note_watched(0);
        }
    }

    /// Joins the replies of a transaction's data commands with those of the commands that the
    /// connection itself answers.
    fn merge(&mut self, exec: &Exec, segment: &Segment) {
        let Dispatch { session, node, out, now_ms, .. } = &mut self.dispatch;
        let data = exec.merge.iter().filter(|queued| queued.is_data()).count();
        if segment.ends.len() != data
            || segment.out.starts_with(b"_")
            || segment.out.starts_with(b"*-")
        {
            // Aborted or refused: the one reply stands for all.
            out.extend_from_slice(&segment.out);
            return;
        }
        resp::encode_array_header(exec.merge.len(), session.protocol, out);
        let header = segment.out.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut start = header;
        let mut ends = segment.ends.iter();
        for queued in &exec.merge {
            match queued.run {
                QueuedRun::Data(_) => {
                    let end = *ends.next().expect("as many ends as data commands") as usize;
                    out.extend_from_slice(&segment.out[start..end]);
                    start = end;
                }
                QueuedRun::Server(command) => {
                    let args: Vec<&[u8]> = queued.args.iter().map(Vec::as_slice).collect();
                    let mut scope = Scope { session: &mut *session, node: &*node, now_ms: *now_ms };
                    let reply = command.answer(&mut scope, &args);
                    reply.encode(session.protocol, out);
                }
            }
        }
    }

    /// Starts to watch keys, here or at the leader.
    async fn watch(&mut self, shard: u32, keys: Vec<(u8, Vec<u8>)>) -> Reply<'static> {
        let Dispatch { node, session, .. } = &mut self.dispatch;
        let client = session.client.clone();
        let watch = session.watch.take().unwrap_or_else(|| Watch::new(client.id, shard));
        match node.watch(watch, keys).await {
            Ok(watch) => {
                client.note_watched(watch.keys.len());
                session.watch = Some(watch);
                self.dispatch.look_at_lease();
                Reply::OK
            }
            Err(error) => error,
        }
    }

    /// Writes all replies.
    async fn write(&mut self) -> Result<(), End> {
        let Dispatch { out, session, node, .. } = &mut self.dispatch;
        write(&self.stream, out, session, node).await
    }
}

/// Writes the messages that wait for a subscriber.
async fn deliver(
    mailbox: &Mailbox,
    stream: &TcpStream,
    out: &mut BytesMut,
    session: &Session,
    node: &Node,
) -> Result<(), End> {
    loop {
        let more = mailbox.take(out, OUTPUT_HIGH_BYTES);
        write(stream, out, session, node).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Writes all of `out`. A client that does not read holds us here, which is its back pressure,
/// until its output limit's time is over.
async fn write(
    stream: &TcpStream,
    out: &mut BytesMut,
    session: &Session,
    node: &Node,
) -> Result<(), End> {
    let written = out.len() as u64;
    let mut patience: Option<Duration> = None;
    while !out.is_empty() {
        match stream.try_write(out) {
            Ok(bytes) => {
                out.advance(bytes);
                patience = None;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let limit = node.config.settings.output_limit(OutputClass::Normal);
                let seconds = Duration::from_secs(limit.soft_seconds.max(1));
                let patience = *patience.get_or_insert(seconds);
                let writable = tokio::time::timeout(patience, stream.writable()).await;
                writable.map_err(|_| End::Closed)??;
            }
            Err(error) => return Err(error.into()),
        }
    }
    out.clear();
    session.client.note_written(written);
    count(&node.stats.output_bytes, written);
    Ok(())
}

/// Completes when the client is gone. What it sends meanwhile is kept for later, up to a read's
/// worth: it is in front of the end of the stream.
async fn left(stream: &TcpStream, input: &mut BytesMut) {
    loop {
        if input.len() >= READ_BYTES {
            tokio::time::sleep(LOOK_AGAIN).await;
            match stream.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => continue,
                _ => return,
            }
        }
        if stream.readable().await.is_err() {
            return;
        }
        input.reserve(READ_BYTES / 4);
        match stream.try_read_buf(input) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
