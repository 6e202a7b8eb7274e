//! The waiters that an entry names: which of them are attempted when, alike on every replica.
//!
//! As in Redis: directly behind a record (a command, or a whole transaction) the keys that it
//! changed are looked at in the order of the changes, and those who wait for a key in the order of
//! their arrival; what serving them changes is looked at after that.

use std::collections::{BTreeMap, VecDeque};

use keyspace::{Block, Command, Kind, Run};
use resp::{ArgVec, Reply};

use crate::blocked::{Keys, Queues, Wanted};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Serving<'a> {
    waiters: BTreeMap<u64, Waiter<'a>>,
    queues: Queues,
    /// Keys that were changed and not looked at since.
    changed: VecDeque<(u8, Vec<u8>)>,
    /// The key whose waiters are served now. Those behind see what was done for those before, so
    /// its changes need no second look.
    current: Option<(u8, Vec<u8>)>,
}

/// One who waits.
pub(super) struct Waiter<'a> {
    /// Its command's database.
    pub(super) db: u8,
    /// Its command.
    pub(super) args: ArgVec<'a>,
    /// The command's row.
    pub(super) command: &'static Command,
    block: &'static Block,
    wanted: Wanted,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is an answer.
    Answered,
    /// There is nothing: it waits on.
    Nothing,
    /// A key holds something else: it waits on, if that is a key that it waits for.
    OtherType,
}

impl<'a> Serving<'a> {
    /// Adds one who waits.
    pub(super) fn add(
        &mut self,
        waiter: u64,
        db: u8,
        args: ArgVec<'a>,
        command: &'static Command,
    ) -> Result<(), String> {
        let Run::Block(block) = command.run else {
            return Err(format!("'{}' does not wait", command.spec.name));
        };
        let wanted = Wanted::by(command);
        for key in Keys::of(command, &args).waited {
            self.queues.add(db, key, wanted, waiter);
        }
        self.waiters.insert(waiter, Waiter { db, args, command, block, wanted });
        Ok(())
    }

    /// A key was changed, or is said to be ready.
    pub(super) fn touched(&mut self, db: u8, key: &[u8]) {
        let is = |place: &(u8, Vec<u8>)| place.0 == db && place.1 == key;
        let awaited = self.queues.get(db, key).is_some();
        if awaited && !self.current.as_ref().is_some_and(is) && !self.changed.iter().any(is) {
            self.changed.push_back((db, key.to_vec()));
        }
    }

    /// The next key to look at, until there is none.
    pub(super) fn next_changed(&mut self) -> Option<(u8, Vec<u8>)> {
        self.current = self.changed.pop_front();
        self.current.clone()
    }

    /// Those who wait for a key and may want it, now that it holds `kind`.
    pub(super) fn who_may_want(&self, db: u8, key: &[u8], kind: Option<Kind>) -> Vec<u64> {
        let queue = self.queues.get(db, key);
        queue.map_or_else(Vec::new, |queue| queue.who_may_want(kind).collect())
    }

    /// Takes one out to attempt its command, if it may want a key that holds `kind`.
    pub(super) fn take(&mut self, waiter: u64, kind: Option<Kind>) -> Option<Waiter<'a>> {
        let wanted = self.waiters.get(&waiter)?.wanted;
        if wanted.may_want(kind) { self.waiters.remove(&waiter) } else { None }
    }

    /// One was served.
    pub(super) fn served(&mut self, id: u64, waiter: &Waiter<'a>) {
        for key in Keys::of(waiter.command, &waiter.args).waited {
            self.queues.remove(waiter.db, key, waiter.wanted, id);
        }
    }

    /// One waits on. What its attempt says that it changed is forgotten from `changes` on: an
    /// attempt in vain feeds nobody.
    pub(super) fn waits_on(&mut self, id: u64, waiter: Waiter<'a>, changes: usize) {
        self.changed.truncate(changes);
        self.waiters.insert(id, waiter);
    }

    /// How many changes wait to be looked at.
    pub(super) fn changes(&self) -> usize {
        self.changed.len()
    }
}

impl Waiter<'_> {
    /// What an attempt's reply means.
    pub(super) fn judge(&self, reply: &Reply<'_>) -> Verdict {
        match reply {
            Reply::Error(text) if self.block.waits_out_types && text.starts_with("WRONGTYPE") => {
                Verdict::OtherType
            }
            reply if reply.is_null() => Verdict::Nothing,
            _ => Verdict::Answered,
        }
    }

    /// The key to take from, if the command names one to give to as well: when the first holds
    /// what it waits for, it was the second that is of another type, and that is an answer.
    pub(super) fn source(&self) -> Option<&[u8]> {
        let keys = Keys::of(self.command, &self.args);
        keys.fed.and(keys.waited.first().copied())
    }

    /// Whether a key that holds `kind` is what it waits for.
    pub(super) fn may_want(&self, kind: Option<Kind>) -> bool {
        self.wanted.may_want(kind)
    }
}
