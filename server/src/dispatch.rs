//! Every gate of a request, in Redis' order, in one function: known? complete? allowed? which
//! slot, and whose? queued by MULTI? then it runs.
//!
//! Synchronous: what must wait is returned as a [`Step`] that the connection carries out.
//!
//! Leaves out: reading and writing the socket (`connection`), what happens to commands that need
//! the leader (`segment`, `router`).

use std::sync::Arc;

use bytes::BytesMut;
use futures::future::LocalBoxFuture;
use keyspace::command::Flags;
use keyspace::slot::slot_of;
use keyspace::{Args, Block, Call, Command, Run, Spec};
use resp::Reply;

use crate::blocked::Blocking;
use crate::commands::{self, Row, Scope, ServerCommand, ServerRun, Transaction};
use crate::node::Node;
use crate::segment::Segment;
use crate::session::{ReplyMode, Session};
use crate::settings::{ReadConsistency, Redirect};
use crate::transaction::{Multi, Queued, QueuedRun};
use crate::watch::Watch;

/// Where a read may be answered during this turn of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Here and now: this node leads and its lease holds.
    Here,
    /// By the leader, after a read barrier.
    Leader,
}

/// What is left to do after [`Dispatch::request`].
pub enum Step {
    /// Nothing.
    Done,
    /// Finish the pending segment, then offer the same request again.
    Flush,
    /// Answer with what this comes to.
    Wait(LocalBoxFuture<'static, Reply<'static>>),
    /// Watch these keys of this shard, then answer.
    Watch(u32, Vec<(u8, Vec<u8>)>),
    /// Finish the pending segment, which is this transaction.
    Exec(Exec),
    /// Finish the pending segment, which may wait.
    Block,
    /// Close without an answer.
    Close,
}

/// A transaction on its way.
pub struct Exec {
    /// Its watch, to be given up afterwards.
    pub watch: Option<Watch>,
    /// Commands that the connection answers itself, among those it does not: the replies are to
    /// be merged. Empty: nothing to merge.
    pub merge: Vec<Queued>,
}

/// One connection's state while it works through what it read.
pub struct Dispatch {
    /// The node.
    pub node: Arc<Node>,
    /// The client.
    pub session: Session,
    /// Commands that wait for the leader.
    pub segment: Box<Segment>,
    /// The shard they are for.
    pub shard: u32,
    /// Replies ready to be sent; they come before the segment's.
    pub out: BytesMut,
    /// Where reads may be answered.
    pub reads: Reads,
    /// Unix time in milliseconds at the start of the turn.
    pub now_ms: u64,
    /// The last command, for CLIENT LIST.
    pub last: Option<&'static Spec>,
    /// Commands in this turn.
    pub commands: u64,
}

const NOAUTH: &str = "NOAUTH Authentication required.";
const CROSSSLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";
const QUEUED: Reply<'static> = Reply::Status(std::borrow::Cow::Borrowed("QUEUED"));

impl Dispatch {
    /// Starts a turn: looks at the clock and at the lease, once for all commands of it.
    pub fn begin_turn(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.commands = 0;
        self.last = None;
        self.look_at_lease();
    }

    /// Looks whether reads may be answered here; the look comes before the reads.
    pub fn look_at_lease(&mut self) {
        let lease = self.node.config.settings.read_consistency() == ReadConsistency::Lease;
        let here = lease && self.node.group.lease_valid();
        self.reads = if here { Reads::Here } else { Reads::Leader };
    }

    /// Takes one request through all gates; again after [`Step::Flush`].
    pub fn request(&mut self, args: Args<'_>) -> Step {
        if self.session.reply_mode == ReplyMode::SkipNext {
            self.session.reply_mode = ReplyMode::Skip;
        }
        self.gates(args)
    }

    /// Ends a request: its reply is on its way.
    pub fn end_request(&mut self) {
        self.commands += 1;
        if self.session.reply_mode == ReplyMode::Skip {
            self.session.reply_mode = ReplyMode::On;
        }
    }

    fn gates(&mut self, args: Args<'_>) -> Step {
        let Some(row) = commands::lookup(args) else {
            let name = args[0];
            if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
                return Step::Close;
            }
            return self.refuse(commands::unknown_command(args));
        };
        let spec = row.spec();
        if spec.flags.has(Flags::INTERNAL) {
            return self.refuse(commands::unknown_command(args));
        }
        if !spec.accepts(args.len()) {
            return self.refuse_arity(row, args);
        }
        if row.is_container() {
            return self.refuse(commands::unknown_subcommand(args));
        }
        if !self.session.authenticated && !spec.flags.has(Flags::NO_AUTH) {
            return self.refuse(Reply::error(NOAUTH));
        }
        self.last = Some(spec);
        let shard = match self.shard_of(spec, args) {
            Ok(shard) => shard,
            Err(error) => return self.refuse(error),
        };
        if commands::only_listens(&self.session)
            && let Some(error) = commands::refused_while_listening(spec)
        {
            return self.refuse(error);
        }
        if self.session.multi.is_some() && !runs_inside_multi(row) {
            return self.queue(row, args);
        }
        self.session.asking = false;
        match row {
            Row::Data(command) => self.run_data(command, shard, args),
            Row::Server(command) => self.run_server(command, shard, args),
        }
    }

    /// The shard that a request goes to; an error: its keys are of several slots, or the client
    /// must ask another node.
    fn shard_of(&mut self, spec: &'static Spec, args: Args<'_>) -> Result<u32, Reply<'static>> {
        if !self.node.clustered {
            return Ok(self.node.shard);
        }
        if let Some(refusal) = refused_in_cluster(spec, args) {
            return Err(Reply::error(refusal));
        }
        let mut slot = None;
        let mut crossed = false;
        let found = spec.key_indexes(args, &mut |index| {
            let this = slot_of(args[index]);
            crossed |= *slot.get_or_insert(this) != this;
        });
        // Bad counts get their error from the handler, which knows the text.
        let (Ok(()), Some(slot)) = (found, slot) else { return Ok(self.node.shard) };
        if let Some(multi) = &mut self.session.multi {
            crossed |= *multi.slot.get_or_insert(slot) != slot;
        }
        if crossed {
            return Err(Reply::error(CROSSSLOT));
        }
        let shard = self.node.topology.owner(slot);
        let forwards = self.node.config.settings.redirect() == Redirect::Forward;
        if shard == self.node.shard || forwards {
            return Ok(shard);
        }
        Err(self.node.moved(slot, shard))
    }

    fn queue(&mut self, row: Row, args: Args<'_>) -> Step {
        let run = match row {
            Row::Data(command) => QueuedRun::Data(command),
            Row::Server(command) if command.may_queue() => QueuedRun::Server(command),
            Row::Server(_) => {
                return self.refuse(Reply::error("ERR Command not allowed inside a transaction"));
            }
        };
        let db = self.session.db;
        let multi = self.session.multi.as_mut().expect("the caller looked");
        if !multi.push(run, db, args, self.node.keyspace.databases()) {
            return self.refuse(Reply::error("ERR the transaction is too large"));
        }
        let queued = i32::try_from(multi.queued.len()).unwrap_or(i32::MAX);
        self.session.client.note_queued(queued);
        self.reply(&QUEUED)
    }

    fn run_data(&mut self, command: &'static Command, shard: u32, args: Args<'_>) -> Step {
        if !self.segment.is_empty() && self.shard != shard {
            return Step::Flush;
        }
        let db = self.session.db;
        let silent = self.silent();
        if let Run::Block(block) = command.run
            && let Some(timeout_ms) = (block.timeout_ms)(args)
        {
            return self.run_blocking(command, block, timeout_ms, shard, args);
        }
        match command.run.attempt() {
            Run::Read(_) if self.segment.is_empty() && self.may_read_here(shard) => {
                let Dispatch { node, out, session, now_ms, .. } = self;
                let before = out.len();
                let call = Call { command, args, db };
                node.keyspace.read(&[call], *now_ms, &mut |reply| {
                    reply.encode(session.protocol, out);
                });
                if silent {
                    out.truncate(before);
                }
            }
            Run::Read(_) => {
                self.open_segment(shard);
                self.segment.read(db, args, silent);
            }
            Run::Write(_) => {
                if let Some(refusal) = self.node.refuses_write(command) {
                    return self.reply(&refusal);
                }
                self.open_segment(shard);
                self.segment.write(db, args, silent);
            }
            Run::Container(_) | Run::Block(_) => {
                unreachable!("containers were refused above, and an attempt does not wait")
            }
        }
        Step::Done
    }

    /// A command that may wait goes alone through the log, even if it only looks: what was there
    /// when it looked, and what came after, is then the same on every replica.
    fn run_blocking(
        &mut self,
        command: &'static Command,
        block: &'static Block,
        timeout_ms: u64,
        shard: u32,
        args: Args<'_>,
    ) -> Step {
        if !self.segment.is_empty() {
            return Step::Flush;
        }
        if let Some(refusal) = self.node.refuses_write(command) {
            return self.reply(&refusal);
        }
        self.open_segment(shard);
        self.segment.write(self.session.db, args, self.silent());
        let ticket = self.node.blocked.ticket();
        self.segment.blocking = Some(Blocking::new(ticket, block, timeout_ms));
        Step::Block
    }

    /// Starts a segment for `shard`, unless one is open.
    fn open_segment(&mut self, shard: u32) {
        if self.segment.is_empty() {
            self.shard = shard;
            self.segment.protocol = self.session.protocol;
        }
    }

    /// Reads are answered by this node's own keyspace: as the leader, or, after READONLY, as a
    /// replica that may lag.
    fn may_read_here(&self, shard: u32) -> bool {
        shard == self.node.shard && (self.reads == Reads::Here || self.session.readonly)
    }

    fn run_server(&mut self, command: &'static ServerCommand, shard: u32, args: Args<'_>) -> Step {
        let ordered = !matches!(command.run, ServerRun::Session(_));
        let transaction = matches!(command.run, ServerRun::Transaction(_));
        if ordered && !transaction && !self.segment.is_empty() {
            return Step::Flush;
        }
        let Dispatch { node, session, now_ms, .. } = self;
        let mut scope = Scope { session, node, now_ms: *now_ms };
        match command.run {
            ServerRun::Session(run) | ServerRun::Ordered(run) => {
                let reply = run(&mut scope, args);
                self.reply(&reply)
            }
            ServerRun::Several(run) => {
                // They tell of messages to come, so CLIENT REPLY OFF leaves them out no more than
                // those.
                let replies = run(&mut scope, args);
                replies.iter().for_each(|reply| reply.encode(self.session.protocol, &mut self.out));
                Step::Done
            }
            ServerRun::Deferred(run, _) => Step::Wait(run(&mut scope, args)),
            ServerRun::Transaction(which) => self.run_transaction(which, shard, args),
            ServerRun::Container(_) => unreachable!("containers were refused above"),
        }
    }

    fn run_transaction(&mut self, which: Transaction, shard: u32, args: Args<'_>) -> Step {
        match which {
            Transaction::Multi if self.session.multi.is_some() => {
                self.reply(&Reply::error("ERR MULTI calls can not be nested"))
            }
            Transaction::Multi => {
                self.session.multi = Some(Multi::default());
                self.session.client.note_queued(0);
                self.reply(&Reply::OK)
            }
            Transaction::Discard if self.session.multi.is_none() => {
                self.reply(&Reply::error("ERR DISCARD without MULTI"))
            }
            Transaction::Discard => {
                self.leave_multi();
                self.unwatch();
                self.reply(&Reply::OK)
            }
            Transaction::Watch if self.session.multi.is_some() => {
                self.reply(&Reply::error("ERR WATCH inside MULTI is not allowed"))
            }
            // Own earlier writes must be applied first, or they would break the watch.
            Transaction::Watch if !self.segment.is_empty() => Step::Flush,
            Transaction::Watch => {
                let elsewhere = |watch: &Watch| watch.shard != shard;
                if self.session.watch.as_ref().is_some_and(elsewhere) {
                    return self.reply(&Reply::error(CROSSSLOT));
                }
                let db = self.session.db;
                Step::Watch(shard, args[1..].iter().map(|key| (db, key.to_vec())).collect())
            }
            Transaction::Exec => self.exec(),
        }
    }

    fn exec(&mut self) -> Step {
        let Some(multi) = &self.session.multi else {
            return self.reply(&Reply::error("ERR EXEC without MULTI"));
        };
        let data = multi.queued.iter().filter(|queued| queued.is_data()).count();
        let merged = data < multi.queued.len();
        if !self.segment.is_empty() && (merged || self.session.watch.is_some()) {
            return Step::Flush;
        }
        let home = self.node.shard;
        let shard = multi.slot.map_or(home, |slot| self.node.topology.owner(slot));
        if !self.segment.is_empty() && self.shard != shard {
            return Step::Flush;
        }
        let multi = self.leave_multi().expect("looked at above");
        if multi.refused {
            self.unwatch();
            return self.reply(&Reply::error(
                "EXECABORT Transaction discarded because of previous errors.",
            ));
        }
        let watch = self.session.watch.take();
        if let Some(watch) =
            watch.as_ref().filter(|watch| watch.shard != shard || watch.is_broken(&self.node))
        {
            let crossed = watch.shard != shard && data > 0;
            self.session.watch = None;
            self.node.forget_watch(watch);
            let reply = if crossed { Reply::error(CROSSSLOT) } else { Reply::NullArray };
            return self.reply(&reply);
        }
        self.open_segment(shard);
        self.board(&multi.queued, watch.as_ref(), data > 0);
        Step::Exec(Exec { watch, merge: if merged { multi.queued } else { Vec::new() } })
    }

    /// Puts a transaction into the segment.
    fn board(&mut self, queued: &[Queued], watch: Option<&Watch>, has_data: bool) {
        let silent = self.silent();
        if !has_data && watch.is_none() {
            if queued.is_empty() {
                self.reply(&Reply::Array(Vec::new()));
            }
            return;
        }
        let commands: Vec<(u8, Vec<&[u8]>)> = queued
            .iter()
            .filter(|queued| queued.is_data())
            .map(|queued| (queued.db, queued.args.iter().map(Vec::as_slice).collect()))
            .collect();
        let writes = watch.is_some() || queued.iter().any(Queued::writes);
        self.segment.transaction(writes, watch, &commands, silent);
    }

    /// Leaves MULTI.
    fn leave_multi(&mut self) -> Option<Multi> {
        self.session.client.note_queued(-1);
        self.session.multi.take()
    }

    /// Gives up the watched keys.
    pub fn unwatch(&mut self) {
        if let Some(watch) = self.session.watch.take() {
            self.node.forget_watch(&watch);
            self.session.client.note_watched(0);
        }
    }

    /// Whether this command's reply is dropped.
    fn silent(&self) -> bool {
        self.session.reply_mode != ReplyMode::On
    }

    /// Answers that arguments are missing or too many. An EXEC with such ends its transaction.
    fn refuse_arity(&mut self, row: Row, args: Args<'_>) -> Step {
        let error = commands::wrong_arity(row, args);
        let exec = row.spec().name == "exec";
        match error {
            Reply::Error(text) if exec => {
                self.leave_multi();
                self.unwatch();
                let why = text.trim_start_matches("ERR ");
                let text = format!("EXECABORT Transaction discarded because of: {why}");
                self.reply(&Reply::Error(text.into()))
            }
            error => self.refuse(error),
        }
    }

    /// Answers with an error; inside MULTI the transaction is lost.
    fn refuse(&mut self, error: Reply<'static>) -> Step {
        if let Some(multi) = &mut self.session.multi {
            multi.refused = true;
        }
        self.reply(&error)
    }

    /// Answers, in order.
    pub fn reply(&mut self, reply: &Reply<'_>) -> Step {
        if !self.silent() {
            if self.segment.is_empty() {
                reply.encode(self.session.protocol, &mut self.out);
            } else {
                self.segment.literal(reply, self.session.protocol);
            }
        }
        Step::Done
    }
}

/// Commands that are not queued by MULTI.
fn runs_inside_multi(row: Row) -> bool {
    match row {
        Row::Data(_) => false,
        Row::Server(command) => {
            matches!(command.run, ServerRun::Transaction(_))
                || matches!(command.spec.name, "quit" | "reset")
        }
    }
}

/// Data commands that reach into other databases, which a cluster does not have.
fn refused_in_cluster(spec: &Spec, args: Args<'_>) -> Option<&'static str> {
    match spec.name {
        "move" => Some("ERR MOVE is not allowed in cluster mode"),
        "swapdb" => Some("ERR SWAPDB is not allowed in cluster mode"),
        "copy" if args[3..].iter().any(|arg| arg.eq_ignore_ascii_case(b"db")) => {
            Some("ERR Copying to another database is not allowed in cluster mode")
        }
        "sort" | "sort_ro" => sort_refused_in_cluster(&args[2..]),
        _ => None,
    }
}

/// SORT may not look at keys that no argument names: they may be another shard's. A BY that is the
/// same for every element looks at none.
fn sort_refused_in_cluster(mut options: Args<'_>) -> Option<&'static str> {
    while let [option, rest @ ..] = options {
        let is = |keyword: &str| option.eq_ignore_ascii_case(keyword.as_bytes());
        options = match rest {
            [_, ..] if is("get") => return Some("ERR GET option of SORT denied in cluster mode"),
            [pattern, ..] if is("by") && pattern.contains(&b'*') => {
                return Some("ERR BY option of SORT denied in cluster mode");
            }
            [_, rest @ ..] if is("by") || is("store") => rest,
            [_, _, rest @ ..] if is("limit") => rest,
            rest => rest,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_refuses_what_sort_would_look_at_elsewhere() {
        let refused = |line: &str| {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let row = commands::lookup(&args).expect("a command");
            refused_in_cluster(row.spec(), &args)
        };
        let by = Some("ERR BY option of SORT denied in cluster mode");
        let get = Some("ERR GET option of SORT denied in cluster mode");
        assert_eq!(refused("sort k by w_* get #"), by);
        assert_eq!(refused("sort_ro k limit 0 1 BY *"), by);
        assert_eq!(refused("sort k get #"), get);
        assert_eq!(refused("sort k by nosort GET o_*"), get);
        assert_eq!(refused("sort k by get store by desc limit get by"), None);
        assert_eq!(refused("sort k*"), None);
        assert_eq!(refused("sort k get"), None);
    }
}
