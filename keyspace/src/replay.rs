//! Writes recorded in one keyspace and run again in another, with exactly their time and random
//! numbers: what they leave in keys that both hold is the same.
//!
//! A record: time, state of the random numbers, database, arguments. Only commands that write are
//! recorded, each with its own state of the numbers, since a command before it in the same
//! transaction may have drawn by what only the first keyspace holds (RANDOMKEY).

use resp::{ArgVec, Reply};

use crate::command::{Command, Run, lookup};
use crate::keyspace::{Call, Clock, Keyspace, Observer};
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// Records that do not decode, or that no write left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recorded write: {0}")]
pub struct BadRecord(pub &'static str);

/// Room is taken at once for at most this many arguments of a declared count.
const COUNT_TRUSTED_MAX: usize = 64;

struct Record<'a> {
    command: &'static Command,
    now_ms: u64,
    random: u64,
    db: u8,
    args: ArgVec<'a>,
}

/// Appends a record of a call, if it writes.
pub(crate) fn put(out: &mut Vec<u8>, call: &Call<'_>, now_ms: u64, random: u64) {
    if !call.command.run.writes() {
        return;
    }
    put_varint(out, now_ms);
    out.extend_from_slice(&random.to_le_bytes());
    out.push(call.db);
    put_varint(out, call.args.len() as u64);
    call.args.iter().for_each(|arg| put_string(out, arg));
}

impl Keyspace {
    /// Runs what [`Keyspace::write_recorded`] recorded. Nothing is run if any of it is bad.
    pub fn replay(&self, records: &[u8]) -> Result<(), BadRecord> {
        let mut reader = WireReader::new(records);
        let mut all = Vec::new();
        while !reader.is_done() {
            all.push(read(&mut reader, self.databases()).map_err(BadRecord)?);
        }
        let mut writer = self.writer();
        for record in all {
            let Record { command, now_ms, random, db, args } = record;
            writer.random = random;
            let calls = [Call { command, args: &args, db }];
            let clock = Clock { now_ms, seed: random };
            let ignore = &mut |_: Reply<'_>| {};
            self.run(&mut writer, &calls, clock, &mut Nobody, ignore, &mut |_, _| {});
        }
        Ok(())
    }

    /// Whether [`Keyspace::replay`] would run these records.
    pub fn check_records(&self, records: &[u8]) -> Result<(), BadRecord> {
        let mut reader = WireReader::new(records);
        while !reader.is_done() {
            read(&mut reader, self.databases()).map_err(BadRecord)?;
        }
        Ok(())
    }
}

fn read<'a>(reader: &mut WireReader<'a>, databases: u8) -> Result<Record<'a>, Fault> {
    let (now_ms, random, db) = (reader.varint()?, reader.u64()?, reader.byte()?);
    if db >= databases {
        return Err("in an unknown database");
    }
    // An argument takes a byte at least, so a count that lies ends with the bytes.
    let count = reader.varint()?;
    let mut args = ArgVec::new();
    args.reserve(usize::try_from(count).unwrap_or(usize::MAX).min(COUNT_TRUSTED_MAX));
    for _ in 0..count {
        args.push(reader.string()?);
    }
    if args.is_empty() {
        return Err("without a name");
    }
    let command = lookup(&args).ok_or("of an unknown command")?;
    match command.run.attempt() {
        Run::Write(_) if command.spec.accepts(args.len()) => {}
        _ => return Err("of no write"),
    }
    Ok(Record { command, now_ms, random, db, args })
}

struct Nobody;

impl Observer for Nobody {
    fn touched(&mut self, _: u8, _: u16, _: &[u8]) {}
}
