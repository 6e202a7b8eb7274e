//! The shard's state machine: committed entries into the keyspace, replies to who waits.
//!
//! Invariants: every replica runs the same records in the same order with the same clock; only
//! replies and leader-only reads differ, and they change nothing. An entry that cannot be
//! understood stops the node, since skipping it would make this replica differ from the others.

use std::collections::HashSet;
use std::sync::Arc;

use keyspace::entry::{EntryReader, Record, RecordReader};
use keyspace::{Call, Clock, Command, Keyspace, Observer, Run};
use raft::{Committed, Machine, Pinned, UnitId};
use resp::{ArgVec, Reply, encode_array_header};
use smallvec::SmallVec;

use crate::batch::Batcher;
use crate::exchange::Deliveries;
use crate::node::{Stats, count};
use crate::segment::{OpKind, Outcome, Segment};
use crate::watch::Watches;

/// See the module's documentation.
pub struct ShardMachine {
    /// The data.
    pub keyspace: Arc<Keyspace>,
    /// Who waits for what.
    pub batcher: Arc<Batcher>,
    /// Who watches what.
    pub watches: Arc<Watches>,
    /// Counters.
    pub stats: Arc<Stats>,
}

impl Machine for ShardMachine {
    fn apply(&self, entry: Committed<'_>) -> Result<(), String> {
        let reader = EntryReader::new(entry.payload).map_err(|bad| bad.to_string())?;
        let origin = reader.origin();
        let changes =
            Changes { watches: &self.watches, in_entry: reader.has_watched().then(HashSet::new) };
        let mut applying = Applying {
            machine: self,
            clock: reader.clock(),
            term: entry.term,
            records: reader.records(),
            changes,
            commands: 0,
        };
        count(&self.stats.entries, 1);
        match self.batcher.take(origin) {
            None => applying.follow()?,
            Some(segments) => {
                let mut deliveries = Deliveries::default();
                for mut segment in segments {
                    applying.lead(&mut segment)?;
                    segment.index = entry.index;
                    segment.outcome = Outcome::Done;
                    deliveries.deliver(segment);
                }
                deliveries.flush();
            }
        }
        count(&self.stats.writes, applying.commands);
        match applying.records.next_record() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("the entry has more records than its batch".into()),
            Err(bad) => Err(bad.to_string()),
        }
    }

    fn pin(&self, since: Option<u64>) -> Box<dyn Pinned> {
        Box::new(PinnedKeyspace(self.keyspace.pin(since)))
    }

    fn restore(
        &self,
        units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
    ) -> Result<(), String> {
        self.watches.break_all();
        self.keyspace.clear();
        for unit in units {
            let (unit, bytes) = unit?;
            self.keyspace.load_unit(unit, &bytes).map_err(|corrupt| corrupt.to_string())?;
        }
        Ok(())
    }
}

struct PinnedKeyspace(keyspace::Pin);

impl Pinned for PinnedKeyspace {
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        self.0.next_unit()
    }
}

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

/// Tells the watchers, and remembers the keys while the entry has watched transactions.
struct Changes<'a> {
    watches: &'a Watches,
    in_entry: Option<HashSet<(u8, Vec<u8>)>>,
}

impl Observer for Changes<'_> {
    fn touched(&mut self, db: u8, _slot: u16, key: &[u8]) {
        self.watches.touched(db, key);
        if let Some(keys) = &mut self.in_entry {
            keys.insert((db, key.to_vec()));
        }
    }
}

impl Changes<'_> {
    fn any_of(&self, watched: &[(u8, &[u8])]) -> bool {
        let Some(keys) = &self.in_entry else { return false };
        watched.iter().any(|(db, key)| keys.contains(&(*db, key.to_vec())))
    }
}

/// One entry being applied.
struct Applying<'a> {
    machine: &'a ShardMachine,
    clock: Clock,
    term: u64,
    records: RecordReader<'a>,
    changes: Changes<'a>,
    /// Commands run so far.
    commands: u64,
}

impl Applying<'_> {
    /// Runs every record; nobody here waits for replies.
    fn follow(&mut self) -> Result<(), String> {
        while let Some(record) = self.records.next_record().map_err(|bad| bad.to_string())? {
            self.write(&record, None)?;
        }
        Ok(())
    }

    /// Runs one segment's share of the records, with its leader-only reads in between.
    fn lead(&mut self, segment: &mut Segment) -> Result<(), String> {
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
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>, output: Option<Output<'_>>) -> Result<(), String> {
        match record {
            Record::Command { db, args } => self.write_command(*db, args, output),
            Record::Transaction { term, watched, commands } => {
                let broken =
                    !watched.is_empty() && (*term != self.term || self.changes.any_of(watched));
                self.write_transaction(broken, commands, output)
            }
        }
    }

    fn write_command(
        &mut self,
        db: u8,
        args: &ArgVec<'_>,
        mut output: Option<Output<'_>>,
    ) -> Result<(), String> {
        let call = Call { command: known(args)?, args, db };
        self.commands += 1;
        self.machine.keyspace.write(&[call], self.clock, &mut self.changes, &mut |reply| {
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
        self.machine.keyspace.write(&calls, self.clock, &mut self.changes, &mut |reply| {
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

#[cfg(test)]
mod tests;
