//! One entry being applied: its records run in order, on the leader with the reads of the waiting
//! segments in between.

use std::collections::HashSet;

use bytes::BytesMut;
use keyspace::entry::{EntryReader, Record, RecordReader};
use keyspace::{Call, Clock, Command, Keyspace, Observer, Run};
use resp::{ArgVec, Reply, encode_array_header};
use smallvec::SmallVec;

use super::ShardMachine;
use super::serving::{Serving, Verdict, Waiter};
use crate::blocked::Blocked;
use crate::exchange::Deliveries;
use crate::segment::{OpKind, Outcome, Segment};
use crate::watch::Watches;

/// Runs one segment's reads on this thread, after a read barrier: it has no writes.
pub fn run_reads(keyspace: &Keyspace, segment: &mut Segment, now_ms: u64) -> Result<(), String> {
    let Segment { ops, reads, literals, protocol, out, ends, .. } = segment;
    let mut reads = reads.reader();
    let mut literals = &literals[..];
    for op in ops.iter() {
        let before = out.len();
        match op.kind {
            OpKind::Write => return Err("a segment with writes needs the log".into()),
            OpKind::Read => {
                for _ in 0..op.count {
                    let record = next(&mut reads)?;
                    let mut output = Output { protocol: *protocol, out, ends };
                    run_read(keyspace, &record, now_ms, &mut output)?;
                }
            }
            OpKind::Literal => {
                let (reply, rest) = literals.split_at(op.count as usize);
                out.extend_from_slice(reply);
                literals = rest;
            }
        }
        if op.silent {
            out.truncate(before);
        }
    }
    Ok(())
}

/// Where replies go.
struct Output<'a> {
    protocol: resp::Protocol,
    out: &'a mut bytes::BytesMut,
    ends: &'a mut Vec<u32>,
}

impl Output<'_> {
    fn put(&mut self, reply: &Reply<'_>) {
        reply.encode(self.protocol, self.out);
    }

    /// Starts a transaction's array of `count` replies.
    fn open_array(&mut self, count: usize) {
        encode_array_header(count, self.protocol, self.out);
        self.ends.clear();
    }

    /// Adds one of its replies.
    fn put_inside(&mut self, reply: &Reply<'_>) {
        self.put(reply);
        self.ends.push(u32::try_from(self.out.len()).unwrap_or(u32::MAX));
    }
}

/// Tells the watchers and those who wait, and remembers the keys while the entry has watched
/// transactions.
struct Changes<'a> {
    watches: &'a Watches,
    in_entry: Option<HashSet<(u8, Vec<u8>)>>,
    /// The waiters that the entry names; most name none.
    serving: Option<Box<Serving<'a>>>,
    blocked: &'a Blocked,
    /// Keys that anybody parked here waits for, in the order of their changes.
    fed: Vec<(u8, Vec<u8>)>,
}

impl Observer for Changes<'_> {
    fn touched(&mut self, db: u8, _slot: u16, key: &[u8]) {
        self.watches.touched(db, key);
        if let Some(keys) = &mut self.in_entry {
            keys.insert((db, key.to_vec()));
        }
        if let Some(serving) = &mut self.serving {
            serving.touched(db, key);
        }
        if self.blocked.waits_for(db, key) {
            self.fed.push((db, key.to_vec()));
        }
    }
}

impl Changes<'_> {
    fn any_of(&self, watched: &[(u8, &[u8])]) -> bool {
        let Some(keys) = &self.in_entry else { return false };
        watched.iter().any(|(db, key)| keys.contains(&(*db, key.to_vec())))
    }
}

/// What is to be done with a segment that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It has all its replies.
    Deliver,
    /// There is nothing for it yet. `is_other`: it now holds another command than its first.
    Park { is_other: bool },
}

/// What an applied entry leaves behind.
pub(super) struct Applied {
    /// Commands run.
    pub(super) commands: u64,
    /// Keys that were changed and that anybody parked here waits for.
    pub(super) fed: Vec<(u8, Vec<u8>)>,
}

/// One entry being applied.
pub(super) struct Applying<'a> {
    machine: &'a ShardMachine,
    clock: Clock,
    term: u64,
    records: RecordReader<'a>,
    changes: Changes<'a>,
    /// The segments of the entry, and those of the waiters that it names, are here.
    leads: bool,
    /// Segments that have their replies.
    pub(super) deliveries: Deliveries,
    /// Commands run so far.
    commands: u64,
}

impl<'a> Applying<'a> {
    /// An entry of `term`; `leads`: it is this process' own, and its segments wait here.
    pub(super) fn new(
        machine: &'a ShardMachine,
        reader: &EntryReader<'a>,
        term: u64,
        leads: bool,
    ) -> Applying<'a> {
        let changes = Changes {
            watches: &machine.watches,
            in_entry: reader.has_watched().then(HashSet::new),
            serving: None,
            blocked: &machine.blocked,
            fed: Vec::new(),
        };
        Applying {
            machine,
            clock: reader.clock(),
            term,
            records: reader.records(),
            changes,
            leads,
            deliveries: Deliveries::default(),
            commands: 0,
        }
    }

    /// Ends the entry, all of whose records must have been run.
    pub(super) fn end(mut self) -> Result<(Applied, Deliveries), String> {
        match self.records.next_record() {
            Ok(None) => {
                let applied = Applied { commands: self.commands, fed: self.changes.fed };
                Ok((applied, self.deliveries))
            }
            Ok(Some(_)) => Err("the entry has more records than its batch".into()),
            Err(bad) => Err(bad.to_string()),
        }
    }

    /// Runs every record; nobody here waits for replies.
    pub(super) fn follow(&mut self) -> Result<(), String> {
        while let Some(record) = self.records.next_record().map_err(|bad| bad.to_string())? {
            self.write(&record, None)?;
        }
        Ok(())
    }

    /// Runs the records before those of the first segment.
    pub(super) fn opening(&mut self) -> Result<(), String> {
        while self.records.next_is_about_waiters() {
            let record = next(&mut self.records)?;
            self.write(&record, None)?;
        }
        Ok(())
    }

    /// Runs one segment's share of the records, with its leader-only reads in between.
    pub(super) fn lead(&mut self, segment: &mut Segment) -> Result<Then, String> {
        if segment.blocking.is_some() {
            return self.lead_blocking(segment);
        }
        let Segment { ops, reads, literals, protocol, out, ends, .. } = segment;
        let mut reads = reads.reader();
        let mut literals = &literals[..];
        for op in ops.iter() {
            let before = out.len();
            match op.kind {
                OpKind::Write => {
                    for _ in 0..op.count {
                        let record = next(&mut self.records)?;
                        let output = Output { protocol: *protocol, out, ends };
                        self.write(&record, Some(output))?;
                    }
                }
                OpKind::Read => {
                    for _ in 0..op.count {
                        let record = next(&mut reads)?;
                        let mut output = Output { protocol: *protocol, out, ends };
                        let keyspace = &self.machine.keyspace;
                        run_read(keyspace, &record, self.clock.now_ms, &mut output)?;
                    }
                }
                OpKind::Literal => {
                    let (reply, rest) = literals.split_at(op.count as usize);
                    out.extend_from_slice(reply);
                    literals = rest;
                }
            }
            if op.silent {
                out.truncate(before);
            }
        }
        Ok(Then::Deliver)
    }

    /// Runs the one command of a segment that may wait.
    fn lead_blocking(&mut self, segment: &mut Segment) -> Result<Then, String> {
        let Record::Command { db, args } = next(&mut self.records)? else {
            return Err("a segment that may wait has one command".into());
        };
        let call = Call { command: known(&args)?, args: &args, db };
        let (protocol, out) = (segment.protocol, &mut segment.out);
        let mut is_null = false;
        self.commands += 1;
        self.machine.write(self.term, &[call], self.clock, &mut self.changes, &mut |reply| {
            is_null = reply.is_null();
            reply.encode(protocol, out);
        });
        if !is_null {
            if segment.is_silent() {
                segment.out.clear();
            }
            self.serve()?;
            return Ok(Then::Deliver);
        }
        out.clear();
        let later = self.machine.keyspace.later(&call);
        if let Some(later) = &later {
            let later: ArgVec<'_> = later.iter().map(Vec::as_slice).collect();
            segment.writes.clear();
            segment.writes.command(db, &later);
        }
        self.serve()?;
        Ok(Then::Park { is_other: later.is_some() })
    }

    fn write(&mut self, record: &Record<'a>, output: Option<Output<'_>>) -> Result<(), String> {
        match record {
            Record::Command { db, args } => self.write_command(*db, args, output)?,
            Record::Transaction { term, watched, commands } => {
                let broken =
                    !watched.is_empty() && (*term != self.term || self.changes.any_of(watched));
                self.write_transaction(broken, commands, output)?;
            }
            Record::Waiter { waiter, db, args } => {
                let serving = self.changes.serving.get_or_insert_default();
                return serving.add(*waiter, *db, args.clone(), known(args)?);
            }
            Record::Ready { db, key } => {
                let serving = self.changes.serving.get_or_insert_default();
                serving.touched(*db, key);
            }
        }
        self.serve()
    }

    /// Serves those who wait for what the last record changed.
    fn serve(&mut self) -> Result<(), String> {
        while let Some(serving) = &mut self.changes.serving
            && let Some((db, key)) = serving.next_changed()
        {
            let mut kind = self.machine.keyspace.kind(db, &key);
            for id in serving.who_may_want(db, &key, kind) {
                let serving = self.changes.serving.as_mut().expect("it was there just now");
                let Some(waiter) = serving.take(id, kind) else { continue };
                if self.attempt(id, waiter)? {
                    kind = self.machine.keyspace.kind(db, &key);
                }
            }
        }
        Ok(())
    }

    /// Attempts a waiter's command; whether it was answered.
    fn attempt(&mut self, id: u64, waiter: Waiter<'a>) -> Result<bool, String> {
        let Applying { machine, changes, .. } = self;
        let (changed, fed) =
            (changes.serving.as_ref().map_or(0, |s| s.changes()), changes.fed.len());
        let protocol = self.leads.then(|| machine.blocked.encoding(id)).flatten();
        let mut out = BytesMut::new();
        let mut verdict = Verdict::Nothing;
        let call = Call { command: waiter.command, args: &waiter.args, db: waiter.db };
        self.commands += 1;
        let ran = machine.write(self.term, &[call], self.clock, changes, &mut |reply| {
            verdict = waiter.judge(&reply);
            if let Some(protocol) = protocol {
                reply.encode(protocol, &mut out);
            }
        });
        if !ran {
            // Its slot is moving: it waits on until that is settled.
            verdict = Verdict::Nothing;
        }
        if verdict == Verdict::OtherType {
            let kind = |key| machine.keyspace.kind(waiter.db, key);
            if waiter.source().is_some_and(|key| waiter.may_want(kind(key))) {
                verdict = Verdict::Answered;
            }
        }
        let serving = changes.serving.as_mut().expect("the waiter was taken from there");
        if verdict != Verdict::Answered {
            serving.waits_on(id, waiter, changed);
            changes.fed.truncate(fed);
            return Ok(false);
        }
        serving.served(id, &waiter);
        if self.leads
            && let Some(mut segment) = machine.blocked.take(id)
        {
            segment.out = out;
            segment.outcome = Outcome::Done;
            self.deliveries.deliver(segment);
        }
        Ok(true)
    }

    fn write_command(
        &mut self,
        db: u8,
        args: &ArgVec<'_>,
        mut output: Option<Output<'_>>,
    ) -> Result<(), String> {
        let call = Call { command: known(args)?, args, db };
        self.commands += 1;
        self.machine.write(self.term, &[call], self.clock, &mut self.changes, &mut |reply| {
            if let Some(output) = &mut output {
                output.put(&reply);
            }
        });
        Ok(())
    }

    fn write_transaction(
        &mut self,
        broken: bool,
        commands: &[(u8, ArgVec<'_>)],
        mut output: Option<Output<'_>>,
    ) -> Result<(), String> {
        if broken {
            if let Some(output) = &mut output {
                output.put(&Reply::NullArray);
            }
            return Ok(());
        }
        let calls = calls(commands)?;
        self.commands += calls.len() as u64;
        if let Some(output) = &mut output {
            output.open_array(calls.len());
        }
        self.machine.write(self.term, &calls, self.clock, &mut self.changes, &mut |reply| {
            if let Some(output) = &mut output {
                output.put_inside(&reply);
            }
        });
        Ok(())
    }
}

/// Runs one record that only reads.
fn run_read(
    keyspace: &Keyspace,
    record: &Record<'_>,
    now_ms: u64,
    output: &mut Output<'_>,
) -> Result<(), String> {
    match record {
        Record::Command { db, args } => {
            let call = Call { command: reading(known(args)?)?, args, db: *db };
            keyspace.read(&[call], now_ms, &mut |reply| output.put(&reply));
        }
        Record::Transaction { commands, .. } => {
            let calls = calls(commands)?;
            for call in &calls {
                reading(call.command)?;
            }
            output.open_array(calls.len());
            keyspace.read(&calls, now_ms, &mut |reply| output.put_inside(&reply));
        }
        Record::Waiter { .. } | Record::Ready { .. } => {
            return Err("a read is about waiters".into());
        }
    }
    Ok(())
}

fn calls<'a>(commands: &'a [(u8, ArgVec<'_>)]) -> Result<SmallVec<[Call<'a>; 4]>, String> {
    commands.iter().map(|(db, args)| Ok(Call { command: known(args)?, args, db: *db })).collect()
}

fn known(args: &ArgVec<'_>) -> Result<&'static Command, String> {
    let command = keyspace::lookup(args)
        .ok_or_else(|| "the log holds a command that this version does not know".to_string())?;
    match command.run.attempt() {
        Run::Read(_) | Run::Write(_) if command.spec.accepts(args.len()) => Ok(command),
        _ => Err(format!("the log holds a malformed '{}'", command.spec.name)),
    }
}

fn reading(command: &'static Command) -> Result<&'static Command, String> {
    match command.run.attempt() {
        Run::Read(_) => Ok(command),
        _ => Err(format!("'{}' is not a read", command.spec.name)),
    }
}

fn next<'a>(records: &mut RecordReader<'a>) -> Result<Record<'a>, String> {
    let record = records.next_record().map_err(|bad| bad.to_string())?;
    record.ok_or_else(|| "the batch has fewer records than its segments".to_string())
}
