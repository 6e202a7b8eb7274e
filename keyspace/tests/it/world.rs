//! A keyspace with a clock that only tests move, and a note of every key that was touched.

use std::sync::Arc;

use keyspace::{Call, Clock, Keyspace, Observer, Run, lookup};
use resp::Reply;

/// When every test begins: 2023-11-14, so that no time is near zero.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// One replica.
pub(crate) struct World {
    pub(crate) keyspace: Arc<Keyspace>,
    pub(crate) now_ms: u64,
    pub(crate) db: u8,
    /// What the last write touched, in order.
    pub(crate) touched: Touched,
    entries: u64,
}

/// Databases and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched(pub(crate) Vec<(u8, Vec<u8>)>);

impl Observer for Touched {
    fn touched(&mut self, db: u8, slot: u16, key: &[u8]) {
        assert_eq!(slot, keyspace::slot::slot_of(key));
        self.0.push((db, key.to_vec()));
    }
}

impl World {
    pub(crate) fn new(databases: u8) -> World {
        let keyspace = Arc::new(Keyspace::new(databases));
        World { keyspace, now_ms: START_MS, db: 0, touched: Touched::default(), entries: 0 }
    }

    /// Runs one request as the server would: reads beside the log, writes as an entry.
    pub(crate) fn run(&mut self, args: &[&[u8]]) -> Reply<'static> {
        let name = String::from_utf8_lossy(args[0]).into_owned();
        let Some(command) = lookup(args) else {
            return Reply::Error(format!("ERR unknown command '{name}'").into());
        };
        let spec = &command.spec;
        if !spec.accepts(args.len()) || matches!(command.run, Run::Container(_)) {
            let text = format!("ERR wrong number of arguments for '{}' command", spec.name);
            return Reply::Error(text.into());
        }
        let calls = [Call { command, args, db: self.db }];
        self.touched.0.clear();
        let mut answer = None;
        let mut reply = |reply: Reply<'_>| answer = Some(reply.into_owned());
        match command.run {
            Run::Read(_) => self.keyspace.read(&calls, self.now_ms, &mut reply),
            _ => {
                self.entries += 1;
                let clock = Clock { now_ms: self.now_ms, seed: self.entries };
                self.keyspace.write(&calls, clock, &mut self.touched, &mut reply);
            }
        }
        answer.expect("every call is answered")
    }

    /// Runs one request given as words.
    pub(crate) fn words(&mut self, words: &str) -> Reply<'static> {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        self.run(&args)
    }

    /// What the leader does from time to time: finds keys whose time is over, and deletes them.
    pub(crate) fn sweep(&mut self, limit: usize) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        let mut cursor = 0;
        loop {
            let mut note = |db: u8, key: &[u8]| found.push((db, key.to_vec()));
            cursor = self.keyspace.expired(self.now_ms, cursor, limit, &mut note);
            if cursor == 0 {
                break;
            }
        }
        let before = self.db;
        for (db, key) in &found {
            self.db = *db;
            self.run(&[b"ringfort.expire", key]);
        }
        self.db = before;
        found
    }

    /// Every slot's digest.
    pub(crate) fn digests(&self) -> Vec<u64> {
        let slots = 0..keyspace::slot::SLOTS;
        (0..self.keyspace.databases())
            .flat_map(|db| slots.clone().map(move |slot| (db, slot)))
            .map(|(db, slot)| self.keyspace.digest(db, slot))
            .collect()
    }
}
