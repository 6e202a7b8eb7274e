//! A segment: consecutive commands of one connection on their way to the leader and back.
//!
//! A connection decodes everything that one read brought, answers at once what it can, and puts
//! the rest into one segment. The replies come back in the segment, encoded and in order, so a
//! pipeline costs one round whatever it mixes. The same segment serves the leader's own clients
//! (`batch`) and those of followers (`forward`).
//!
//! A command that may wait (BLPOP) travels alone, in a segment that is marked so.
//!
//! Invariant: replying to a segment's operations in order replies to its commands in order; a
//! connection has at most one segment under way.

use std::sync::Arc;

use bytes::BytesMut;
use keyspace::Args;
use keyspace::entry::EntryWriter;
use resp::{Protocol, Reply};

use crate::blocked::{Blocking, Ending};
use crate::exchange::Waiter;
use crate::watch::{Home, Watch, WatchFlag};

/// What one operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// The next record of `writes`: replicated.
    Write,
    /// The next record of `reads`: run on the leader only, at this place in the order.
    Read,
    /// The next `count` bytes of `literals`: a reply that is known already.
    Literal,
}

/// Consecutive operations of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// What they do.
    pub kind: OpKind,
    /// How many records; for literals, how many bytes.
    pub count: u32,
    /// The replies are dropped (CLIENT REPLY OFF or SKIP).
    pub silent: bool,
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It is under way.
    #[default]
    Pending,
    /// Everything was executed; `out` has the replies.
    Done,
    /// Certainly nothing was executed: whoever got it does not lead.
    NotLeader,
    /// The writes may or may not have been executed.
    Unknown,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Segment {
    /// The operations in order.
    pub ops: Vec<Op>,
    /// Records for the log.
    pub writes: EntryWriter,
    /// Records for the leader only.
    pub reads: EntryWriter,
    /// Replies known before.
    pub literals: BytesMut,
    /// The encoding of the replies.
    pub protocol: Protocol,
    /// The replies.
    pub out: BytesMut,
    /// Where in `out` each command's reply of the last transaction ends, for a transaction that
    /// also holds commands which its connection answers.
    pub ends: Vec<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// The index of the entry that carried the writes.
    pub index: u64,
    /// The watch of the EXEC that is this segment's only operation.
    pub watch: Option<Arc<WatchFlag>>,
    /// The session at the forwarding node whose watch, kept by the leader, applies.
    pub watch_session: Option<u64>,
    /// Its only operation is a command that may wait.
    pub blocking: Option<Blocking>,
    /// Who waits for it.
    pub waiter: Option<Waiter>,
}

impl Segment {
    /// Ready for the next use; buffers stay.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.writes.clear();
        self.reads.clear();
        self.literals.clear();
        self.out.clear();
        self.ends.clear();
        self.outcome = Outcome::Pending;
        self.index = 0;
        self.watch = None;
        self.watch_session = None;
        self.blocking = None;
        self.waiter = None;
    }

    /// Whether nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether it must go through the log.
    pub fn has_writes(&self) -> bool {
        self.writes.records() > 0
    }

    /// Whether it may be sent again, whatever became of it: it only looks.
    pub fn is_repeatable(&self) -> bool {
        !self.has_writes() || self.blocking.as_ref().is_some_and(|blocking| !blocking.writes())
    }

    /// Whether its client wants no replies; of a segment with one operation.
    pub fn is_silent(&self) -> bool {
        self.ops.first().is_some_and(|op| op.silent)
    }

    /// Ends it without an answer from the keyspace; of a segment that may wait.
    pub fn end_wait(&mut self, ending: Ending) {
        self.out.clear();
        match ending.reply() {
            Some(reply) if !self.is_silent() => reply.encode(self.protocol, &mut self.out),
            _ => {}
        }
        self.outcome = Outcome::Done;
    }

    /// Bytes of requests and known replies held.
    pub fn bytes(&self) -> usize {
        self.writes.bytes() + self.reads.bytes() + self.literals.len()
    }

    /// Adds a write.
    pub fn write(&mut self, db: u8, args: Args<'_>, silent: bool) {
        self.writes.command(db, args);
        self.push(OpKind::Write, 1, silent);
    }

    /// Adds a read.
    pub fn read(&mut self, db: u8, args: Args<'_>, silent: bool) {
        self.reads.command(db, args);
        self.push(OpKind::Read, 1, silent);
    }

    /// Adds a transaction, through the log if it writes or is watched.
    pub fn transaction(
        &mut self,
        writes: bool,
        watch: Option<&Watch>,
        commands: &[(u8, Vec<&[u8]>)],
        silent: bool,
    ) {
        let (records, kind) = match writes {
            true => (&mut self.writes, OpKind::Write),
            false => (&mut self.reads, OpKind::Read),
        };
        let watched = watch.map_or(&[][..], |watch| &watch.keys[..]);
        records.transaction(
            watch.map_or(0, |watch| watch.term),
            watched.iter().map(|(db, key)| (*db, &key[..])),
            commands.iter().map(|(db, args)| (*db, &args[..])),
        );
        self.push(kind, 1, silent);
        if let Some(watch) = watch {
            self.watched_by(watch);
        }
    }

    /// Ties the segment, whose only operation is an EXEC, to its watch.
    fn watched_by(&mut self, watch: &Watch) {
        match watch.home {
            Home::Here => self.watch = Some(watch.flag.clone()),
            Home::At(_) => self.watch_session = Some(watch.session),
        }
    }

    /// Adds a reply that is known already.
    pub fn literal(&mut self, reply: &Reply<'_>, protocol: Protocol) {
        let before = self.literals.len();
        reply.encode(protocol, &mut self.literals);
        let bytes = u32::try_from(self.literals.len() - before)
            .expect("known replies are a few bytes to a few megabytes");
        self.push(OpKind::Literal, bytes, false);
    }

    /// Adds operations of one kind, joined to the previous ones where they are alike.
    pub fn push(&mut self, kind: OpKind, count: u32, silent: bool) {
        match self.ops.last_mut() {
            // Literals stay apart, so that each counts as one reply.
            Some(last) if last.kind == kind && last.silent == silent && kind != OpKind::Literal => {
                last.count += count;
            }
            _ => self.ops.push(Op { kind, count, silent }),
        }
    }

    /// Answers every command with `error`, known replies with themselves.
    pub fn refuse(&mut self, error: &Reply<'_>) {
        self.out.clear();
        self.ends.clear();
        let mut literals = &self.literals[..];
        for op in &self.ops {
            if op.kind == OpKind::Literal {
                let (reply, rest) = literals.split_at(op.count as usize);
                self.out.extend_from_slice(reply);
                literals = rest;
            } else if !op.silent {
                for _ in 0..op.count {
                    error.encode(self.protocol, &mut self.out);
                }
            }
        }
    }
}
