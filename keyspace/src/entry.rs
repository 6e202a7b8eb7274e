//! A Raft entry's payload: a batch of commands as bytes, versioned, decoded without copies.
//!
//! Layout: a header of `HEADER_BYTES` (version, flags, origin, clock), then records. A record is
//! a command (tag, database, arguments), a transaction (tag, term, watched keys, commands), or about
//! clients that wait: a waiter (tag, number, database, arguments), a key (tag, database, key).
//! Numbers in records are LEB128 varints; counts and lengths are checked against the bytes that
//! are there before anything is taken.
//!
//! Leaves out: checksums, which the log has for whole entries.

use bytes::Bytes;
use resp::ArgVec;

use crate::keyspace::Clock;

/// The layout's version; readers refuse any other.
const VERSION: u8 = 1;

/// Header flag: a transaction with watched keys is among the records.
const FLAG_WATCHED: u8 = 1;

/// Version, flags, boot, batch, time, seed.
const HEADER_BYTES: usize = 2 + 4 * 8;

/// Room is taken at once for at most this many items of a declared count; more grow as they come.
const COUNT_TRUSTED_MAX: usize = 64;

const TAG_COMMAND: u8 = 1;
const TAG_TRANSACTION: u8 = 2;
const TAG_WAITER: u8 = 3;
const TAG_READY: u8 = 4;

/// Which open batch of which process became this entry, so that the leader finds who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Drawn at random when the process started.
    pub boot: u64,
    /// Counts that process' batches.
    pub batch: u64,
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// One command.
    Command {
        /// Its database.
        db: u8,
        /// Its arguments, at least one.
        args: ArgVec<'a>,
    },
    /// MULTI ... EXEC: the commands run as one. If `watched` is not empty, nothing runs and the
    /// reply is null when a key of it was changed by an earlier record of this entry, or when the
    /// entry was proposed in another term than `term`.
    Transaction {
        /// The leader's term when the keys were watched.
        term: u64,
        /// Database and key.
        watched: Vec<(u8, &'a [u8])>,
        /// The queued commands with their databases.
        commands: Vec<(u8, ArgVec<'a>)>,
    },
    /// A client waits (BLPOP): whenever a record behind this one changes a key that the command
    /// waits for, the command is attempted, until it is answered.
    Waiter {
        /// Its place among all that wait, in the order of their arrival; new for every wait.
        waiter: u64,
        /// Its database.
        db: u8,
        /// The command to attempt.
        args: ArgVec<'a>,
    },
    /// An earlier entry changed this key: the commands that wait for it are attempted now.
    Ready {
        /// Its database.
        db: u8,
        /// The key.
        key: &'a [u8],
    },
}

/// A payload that does not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry payload: {0}")]
pub struct BadEntry(pub &'static str);

/// Builds one payload, or a run of records to be appended to one.
#[derive(Debug, Default)]
pub struct EntryWriter {
    /// Nothing yet, or room for the header and then the records.
    buffer: Vec<u8>,
    records: usize,
    watched: bool,
}

impl EntryWriter {
    /// An empty writer with room for `bytes` of records.
    pub fn with_capacity(bytes: usize) -> EntryWriter {
        let buffer = Vec::with_capacity(HEADER_BYTES + bytes);
        EntryWriter { buffer, ..EntryWriter::default() }
    }

    /// A writer holding the records that another writer had as [`EntryWriter::raw`].
    pub fn from_raw(raw: &[u8]) -> Result<EntryWriter, BadEntry> {
        let mut writer = EntryWriter::with_capacity(raw.len());
        let mut reader = RecordReader { rest: raw };
        while let Some(record) = reader.next_record()? {
            writer.records += 1;
            writer.watched |=
                matches!(record, Record::Transaction { watched, .. } if !watched.is_empty());
        }
        if writer.records > 0 {
            writer.open().extend_from_slice(raw);
        }
        Ok(writer)
    }

    /// Appends one command.
    pub fn command(&mut self, db: u8, args: &[&[u8]]) {
        self.records += 1;
        let buffer = self.open();
        buffer.push(TAG_COMMAND);
        put_command(buffer, db, args);
    }

    /// Appends one transaction; see [`Record::Transaction`].
    pub fn transaction<'a>(
        &mut self,
        term: u64,
        watched: impl ExactSizeIterator<Item = (u8, &'a [u8])>,
        commands: impl ExactSizeIterator<Item = (u8, &'a [&'a [u8]])>,
    ) {
        self.records += 1;
        self.watched |= watched.len() > 0;
        let buffer = self.open();
        buffer.push(TAG_TRANSACTION);
        put_number(buffer, term);
        put_number(buffer, watched.len() as u64);
        for (db, key) in watched {
            buffer.push(db);
            put_bytes(buffer, key);
        }
        put_number(buffer, commands.len() as u64);
        for (db, args) in commands {
            put_command(buffer, db, args);
        }
    }

    /// Appends a waiter, whose command is the only record of `command`; see [`Record::Waiter`].
    pub fn waiter(&mut self, waiter: u64, command: &EntryWriter) {
        let (tag, rest) = command.raw().split_first().expect("one record");
        assert!(command.records == 1 && *tag == TAG_COMMAND, "only a lone command waits");
        self.records += 1;
        let buffer = self.open();
        buffer.push(TAG_WAITER);
        put_number(buffer, waiter);
        buffer.extend_from_slice(rest);
    }

    /// Appends a key that is ready; see [`Record::Ready`].
    pub fn ready(&mut self, db: u8, key: &[u8]) {
        self.records += 1;
        let buffer = self.open();
        buffer.extend_from_slice(&[TAG_READY, db]);
        put_bytes(buffer, key);
    }

    /// Appends another writer's records.
    pub fn append(&mut self, other: &EntryWriter) {
        self.records += other.records;
        self.watched |= other.watched;
        self.open().extend_from_slice(other.raw());
    }

    /// The records, without a header.
    pub fn raw(&self) -> &[u8] {
        self.buffer.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Reads the records back.
    pub fn reader(&self) -> RecordReader<'_> {
        RecordReader { rest: self.raw() }
    }

    /// Records appended.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Bytes of the records.
    pub fn bytes(&self) -> usize {
        self.raw().len()
    }

    /// Empties the writer; the buffer keeps its capacity.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.records = 0;
        self.watched = false;
    }

    /// The payload; the writer is empty again.
    pub fn finish(&mut self, origin: Origin, clock: Clock) -> Bytes {
        let flags = if self.watched { FLAG_WATCHED } else { 0 };
        let header = &mut self.open()[..HEADER_BYTES];
        header[..2].copy_from_slice(&[VERSION, flags]);
        let numbers = [origin.boot, origin.batch, clock.now_ms, clock.seed];
        for (place, number) in header[2..].as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.clear();
        buffer.into()
    }

    /// The buffer, with room left for the header.
    fn open(&mut self) -> &mut Vec<u8> {
        if self.buffer.is_empty() {
            self.buffer.resize(HEADER_BYTES, 0);
        }
        &mut self.buffer
    }
}

fn put_command(buffer: &mut Vec<u8>, db: u8, args: &[&[u8]]) {
    let bytes: usize = args.iter().map(|arg| arg.len() + 2).sum();
    buffer.reserve(bytes + 3);
    buffer.push(db);
    put_number(buffer, args.len() as u64);
    for arg in args {
        put_bytes(buffer, arg);
    }
}

fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_number(buffer, bytes.len() as u64);
    buffer.extend_from_slice(bytes);
}

fn put_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// Reads one payload: its header, then its records.
#[derive(Debug)]
pub struct EntryReader<'a> {
    origin: Origin,
    clock: Clock,
    watched: bool,
    records: &'a [u8],
}

impl<'a> EntryReader<'a> {
    /// Checks version and header.
    pub fn new(payload: &'a [u8]) -> Result<EntryReader<'a>, BadEntry> {
        let (header, records) =
            payload.split_at_checked(HEADER_BYTES).ok_or(BadEntry("shorter than its header"))?;
        if header[0] != VERSION {
            return Err(BadEntry("of a version that this program does not know"));
        }
        if header[1] & !FLAG_WATCHED != 0 {
            return Err(BadEntry("with flags that this program does not know"));
        }
        let number = |n: usize| {
            let bytes = header[2 + 8 * n..].first_chunk().expect("the header has four numbers");
            u64::from_le_bytes(*bytes)
        };
        Ok(EntryReader {
            origin: Origin { boot: number(0), batch: number(1) },
            clock: Clock { now_ms: number(2), seed: number(3) },
            watched: header[1] & FLAG_WATCHED != 0,
            records,
        })
    }

    /// Whose batch it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The entry's time and seed.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether a transaction with watched keys is among the records.
    pub fn has_watched(&self) -> bool {
        self.watched
    }

    /// The records.
    pub fn records(&self) -> RecordReader<'a> {
        RecordReader { rest: self.records }
    }
}

/// Reads records one by one.
#[derive(Clone, Debug)]
pub struct RecordReader<'a> {
    rest: &'a [u8],
}

impl<'a> RecordReader<'a> {
    /// Whether the next record is one about clients that wait: [`Record::Waiter`] or
    /// [`Record::Ready`].
    pub fn next_is_about_waiters(&self) -> bool {
        matches!(self.rest, [TAG_WAITER | TAG_READY, ..])
    }

    /// The next record; `None` at the end. After an error nothing more can be read.
    ///
    /// Inlined, as are the readers of its parts: a record is 150 bytes, and to hand it up through
    /// four functions cost more than to read it.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'a>>, BadEntry> {
        let Some((&tag, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        match tag {
            TAG_COMMAND => {
                let (db, count) = self.command_head()?;
                let mut args = ArgVec::new();
                self.args(count, &mut args)?;
                Ok(Some(Record::Command { db, args }))
            }
            TAG_TRANSACTION => self.transaction().map(Some),
            TAG_WAITER => self.waiter().map(Some),
            TAG_READY => Ok(Some(Record::Ready { db: self.byte()?, key: self.bytes()? })),
            _ => Err(BadEntry("with a record of an unknown kind")),
        }
    }

    fn transaction(&mut self) -> Result<Record<'a>, BadEntry> {
        let term = self.number()?;
        let count = self.count()?;
        let mut watched = Vec::with_capacity(count.min(COUNT_TRUSTED_MAX));
        for _ in 0..count {
            watched.push((self.byte()?, self.bytes()?));
        }
        let count = self.count()?;
        let mut commands = Vec::with_capacity(count.min(COUNT_TRUSTED_MAX));
        for _ in 0..count {
            let (db, count) = self.command_head()?;
            let mut args = ArgVec::new();
            self.args(count, &mut args)?;
            commands.push((db, args));
        }
        Ok(Record::Transaction { term, watched, commands })
    }

    fn waiter(&mut self) -> Result<Record<'a>, BadEntry> {
        let waiter = self.number()?;
        let (db, count) = self.command_head()?;
        let mut args = ArgVec::new();
        self.args(count, &mut args)?;
        Ok(Record::Waiter { waiter, db, args })
    }

    #[inline]
    fn command_head(&mut self) -> Result<(u8, usize), BadEntry> {
        let db = self.byte()?;
        match self.count()? {
            0 => Err(BadEntry("with a command without a name")),
            count => Ok((db, count)),
        }
    }

    #[inline]
    fn args(&mut self, count: usize, args: &mut ArgVec<'a>) -> Result<(), BadEntry> {
        args.reserve(count.min(COUNT_TRUSTED_MAX));
        for _ in 0..count {
            args.push(self.bytes()?);
        }
        Ok(())
    }

    /// A count of things that take at least a byte each: never more than bytes are left.
    #[inline]
    fn count(&mut self) -> Result<usize, BadEntry> {
        let count = usize::try_from(self.number()?).map_err(|_| BadEntry("with a huge count"))?;
        if count > self.rest.len() { Err(BadEntry("cut short")) } else { Ok(count) }
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], BadEntry> {
        let count = self.count()?;
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, BadEntry> {
        let (&byte, rest) = self.rest.split_first().ok_or(BadEntry("cut short"))?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, BadEntry> {
        // Nearly all numbers are a byte long.
        if let Some((&byte @ ..0x80, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Ok(byte.into());
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, BadEntry> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            number |= bits << shift;
            if byte & 0x80 == 0 {
                // The tenth byte holds one bit.
                let fits = shift < 63 || bits <= 1;
                return if fits { Ok(number) } else { Err(BadEntry("with a huge number")) };
            }
        }
        Err(BadEntry("with a huge number"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin = Origin { boot: 7, batch: 9 };
    const CLOCK: Clock = Clock { now_ms: 1_700_000_000_000, seed: u64::MAX };

    type Args = Vec<Vec<u8>>;

    fn slices(args: &Args) -> Vec<&[u8]> {
        args.iter().map(Vec::as_slice).collect()
    }

    fn args() -> impl Strategy<Value = Args> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..12)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            commands in prop::collection::vec((0..16_u8, args()), 0..8),
            watched in prop::collection::vec((0..16_u8, prop::collection::vec(any::<u8>(), 0..9)), 0..4),
            term: u64,
        ) {
            let mut first = EntryWriter::default();
            for (db, args) in &commands {
                first.command(*db, &slices(args));
            }
            let mut blocked = EntryWriter::default();
            blocked.command(3, &[b"blpop", b"k", b"0"]);
            let mut writer = EntryWriter::default();
            writer.waiter(term, &blocked);
            writer.ready(3, b"k");
            writer.append(&first);
            let queued: Vec<(u8, Vec<&[u8]>)> =
                commands.iter().map(|(db, args)| (*db, slices(args))).collect();
            writer.transaction(
                term,
                watched.iter().map(|(db, key)| (*db, &key[..])),
                queued.iter().map(|(db, args)| (*db, &args[..])),
            );
            prop_assert_eq!(writer.records(), commands.len() + 3);
            let copy = EntryWriter::from_raw(writer.raw()).unwrap();
            prop_assert_eq!(copy.records(), writer.records());
            let payload = writer.finish(ORIGIN, CLOCK);
            prop_assert_eq!(writer.bytes(), 0);

            let reader = EntryReader::new(&payload).unwrap();
            prop_assert_eq!(reader.origin(), ORIGIN);
            prop_assert_eq!(reader.clock().now_ms, CLOCK.now_ms);
            prop_assert_eq!(reader.clock().seed, CLOCK.seed);
            prop_assert_eq!(reader.has_watched(), !watched.is_empty());
            let mut records = reader.records();
            prop_assert!(records.next_is_about_waiters());
            let args = [&b"blpop"[..], b"k", b"0"][..].into();
            let waiter = records.next_record().unwrap();
            prop_assert_eq!(waiter, Some(Record::Waiter { waiter: term, db: 3, args }));
            prop_assert!(records.next_is_about_waiters());
            let ready = records.next_record().unwrap();
            prop_assert_eq!(ready, Some(Record::Ready { db: 3, key: b"k" }));
            prop_assert!(!records.next_is_about_waiters());
            for (db, args) in &commands {
                let args = slices(args).into();
                let record = records.next_record().unwrap();
                prop_assert_eq!(record, Some(Record::Command { db: *db, args }));
            }
            let transaction = records.next_record().unwrap();
            prop_assert_eq!(transaction, Some(Record::Transaction {
                term,
                watched: watched.iter().map(|(db, key)| (*db, &key[..])).collect(),
                commands: queued.into_iter().map(|(db, args)| (db, args.into())).collect(),
            }));
            prop_assert_eq!(records.next_record().unwrap(), None);
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            tag in 1..5_u8,
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = tag;
            }
            let mut reader = RecordReader { rest: &bytes };
            while let Ok(Some(_)) = reader.next_record() {}
            // The same bytes as a whole payload.
            let _ = EntryReader::new(&bytes);
        }

        #[test]
        fn a_payload_cut_short_is_refused(args in args(), cut in 1..20_usize) {
            let mut writer = EntryWriter::default();
            writer.command(0, &slices(&args));
            let payload = writer.finish(ORIGIN, CLOCK);
            let cut = &payload[..payload.len() - cut.min(payload.len() - HEADER_BYTES - 1)];
            let mut records = EntryReader::new(cut).unwrap().records();
            prop_assert!(records.next_record().is_err());
        }
    }

    #[test]
    fn a_declared_count_takes_no_memory() {
        let bytes = [TAG_COMMAND, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
        let mut reader = RecordReader { rest: &bytes };
        assert_eq!(reader.next_record(), Err(BadEntry("cut short")));
    }
}
