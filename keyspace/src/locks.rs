//! Which slots a command locks, and in which order.
//!
//! Every set of locks is taken before the first command runs, in ascending order of units, so that
//! two sets never wait for each other. Only a lone read without keys (SCAN, KEYS) takes one slot
//! after the other while it runs, and holds none but that one.

use parking_lot::MutexGuard;

use crate::access::Place;
use crate::command::{Flags, Keys, Run};
use crate::keyspace::{Call, Keyspace};
use crate::number;
use crate::slot::{SLOTS, slot_of};
use crate::slot_data::SlotData;

/// A slot of a database as it is stored (SWAPDB renames databases): `stored * SLOTS + slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit(pub(crate) u32);

impl Unit {
    pub(crate) fn new(stored: u8, slot: u16) -> Unit {
        Unit(u32::from(stored) * u32::from(SLOTS) + u32::from(slot))
    }

    /// Units of a keyspace; each is below.
    pub(crate) fn count(databases: u8) -> u32 {
        u32::from(databases) * u32::from(SLOTS)
    }

    pub(crate) fn stored(self) -> u8 {
        (self.0 / u32::from(SLOTS)) as u8
    }

    pub(crate) fn slot(self) -> u16 {
        (self.0 % u32::from(SLOTS)) as u16
    }
}

/// A locked slot.
pub(crate) struct Held<'a> {
    pub(crate) unit: Unit,
    pub(crate) data: MutexGuard<'a, SlotData>,
}

/// Which key a lone call names, known again by where its bytes are: its handler asks for that very
/// slice, and its slot need not be computed a second time. The call's arguments outlive the locks.
#[derive(Clone, Copy)]
pub(crate) struct OnlyKey {
    db: u8,
    address: usize,
    bytes: usize,
}

impl OnlyKey {
    fn of(db: u8, key: &[u8]) -> OnlyKey {
        OnlyKey { db, address: key.as_ptr().addr(), bytes: key.len() }
    }

    fn is(self, place: Place<'_>) -> bool {
        let OnlyKey { db, address, bytes } = OnlyKey::of(place.db, place.key);
        (self.db, self.address, self.bytes) == (db, address, bytes)
    }
}

/// The slots that one read or write has locked.
pub(crate) enum Locks<'a> {
    /// The only key's slot; `None` if its database was never written.
    One(Option<Held<'a>>, OnlyKey),
    /// In ascending order. Slots of databases that were never written are not among them.
    Many(Vec<Held<'a>>),
    /// None yet: a lone read visits slot by slot.
    InTurn,
}

impl<'a> Locks<'a> {
    /// Locks what `calls` touch.
    pub(crate) fn take(keyspace: &'a Keyspace, calls: &[Call<'_>]) -> Locks<'a> {
        // SWAPDB changes the map under every lock; so if it is the same after we have ours, it
        // stays so. What was locked by an outdated map is let go.
        loop {
            let version = keyspace.map_version();
            let locks = match calls {
                [call] => Locks::of_one(keyspace, call),
                _ => Locks::of_many(keyspace, calls),
            };
            if version == keyspace.map_version() {
                return locks;
            }
        }
    }

    /// Locks every slot there is.
    pub(crate) fn all(keyspace: &'a Keyspace) -> Locks<'a> {
        let mut held = Vec::new();
        for stored in 0..keyspace.databases() {
            let slots = keyspace.stored(stored).slots().unwrap_or_default();
            held.extend((0..SLOTS).zip(slots).map(|(slot, place)| Held {
                unit: Unit::new(stored, slot),
                data: place.data.lock(),
            }));
        }
        Locks::Many(held)
    }

    fn of_one(keyspace: &'a Keyspace, call: &Call<'_>) -> Locks<'a> {
        if let Some(key) = only_key(call) {
            let unit = Unit::new(keyspace.stored_at(call.db), slot_of(key));
            if call.command.run.writes() {
                keyspace.stored(unit.stored()).slots_or_make();
            }
            return Locks::One(hold(keyspace, unit), OnlyKey::of(call.db, key));
        }
        let lone_read = matches!(call.command.run, Run::Read(_));
        if lone_read && call.command.spec.flags.has(Flags::KEYLESS_DATA) {
            return Locks::InTurn;
        }
        Locks::of_many(keyspace, std::slice::from_ref(call))
    }

    fn of_many(keyspace: &'a Keyspace, calls: &[Call<'_>]) -> Locks<'a> {
        for call in calls.iter().filter(|call| call.command.run.writes()) {
            for db in databases(keyspace, call) {
                keyspace.stored(keyspace.stored_at(db)).slots_or_make();
            }
        }
        if calls.iter().any(touches_any_key) {
            return Locks::all(keyspace);
        }
        let mut units = Vec::new();
        for call in calls {
            for db in databases(keyspace, call) {
                let stored = keyspace.stored_at(db);
                // Malformed key arguments lock nothing: the answer will be an error.
                let _ = call.command.spec.key_indexes(call.args, &mut |index| {
                    units.push(Unit::new(stored, slot_of(call.args[index])));
                });
            }
        }
        units.sort_unstable();
        units.dedup();
        Locks::Many(units.into_iter().filter_map(|unit| hold(keyspace, unit)).collect())
    }

    /// The place's slot, if it is locked.
    pub(crate) fn get(&self, keyspace: &Keyspace, place: Place<'_>) -> Option<&Held<'a>> {
        match self {
            Locks::One(held, only) if only.is(place) => held.as_ref(),
            _ => self.get_unit(keyspace.unit(place)),
        }
    }

    /// The place's slot, to change.
    pub(crate) fn get_mut(
        &mut self,
        keyspace: &Keyspace,
        place: Place<'_>,
    ) -> Option<&mut Held<'a>> {
        match self {
            Locks::One(held, only) => {
                let known = only.is(place);
                held.as_mut().filter(|held| known || held.unit == keyspace.unit(place))
            }
            Locks::Many(held) => {
                let unit = keyspace.unit(place);
                let index = held.binary_search_by_key(&unit, |held| held.unit).ok()?;
                Some(&mut held[index])
            }
            Locks::InTurn => None,
        }
    }

    /// The slot, if it is locked.
    pub(crate) fn get_unit(&self, unit: Unit) -> Option<&Held<'a>> {
        match self {
            Locks::One(held, _) => held.as_ref().filter(|held| held.unit == unit),
            Locks::Many(held) => {
                let index = held.binary_search_by_key(&unit, |held| held.unit).ok()?;
                Some(&held[index])
            }
            Locks::InTurn => None,
        }
    }

    /// All the locked slots.
    pub(crate) fn held_mut(&mut self) -> impl Iterator<Item = &mut Held<'a>> {
        let held: &mut [Held<'a>] = match self {
            Locks::One(held, _) => held.as_mut_slice(),
            Locks::Many(held) => held,
            Locks::InTurn => &mut [],
        };
        held.iter_mut()
    }
}

/// Locks a slot; `None` if its database has none yet.
fn hold(keyspace: &Keyspace, unit: Unit) -> Option<Held<'_>> {
    let slots = keyspace.stored(unit.stored()).slots()?;
    Some(Held { unit, data: slots[usize::from(unit.slot())].data.lock() })
}

/// Whether no argument says which keys a call will touch.
fn touches_any_key(call: &Call<'_>) -> bool {
    let flags = call.command.spec.flags;
    let describes_keys = |arg: &&[u8]| arg.contains(&b'*');
    flags.has(Flags::KEYLESS_DATA)
        || flags.has(Flags::PATTERN_KEYS) && call.args.iter().skip(2).any(describes_keys)
}

/// The only key of a call whose keys are a plain range of one, as almost every call's are.
fn only_key<'a>(call: &Call<'a>) -> Option<&'a [u8]> {
    let spec = &call.command.spec;
    let Keys::Range { first, last, step } = spec.keys else { return None };
    // The last key's index; MSET's last argument is not a key, so a step behind the first is.
    let last = match usize::try_from(last) {
        Ok(last) => last,
        Err(_) => call.args.len().checked_sub(last.unsigned_abs() as usize)?,
    };
    if last >= first + step || spec.flags.has(Flags::OTHER_DB) || touches_any_key(call) {
        return None;
    }
    call.args.get(first).copied()
}

/// The databases that a call may touch its keys in: its own, and with `OTHER_DB` every one that an
/// argument behind the keys could name. A slot locked in vain does no harm.
fn databases(keyspace: &Keyspace, call: &Call<'_>) -> impl Iterator<Item = u8> {
    let spec = &call.command.spec;
    let others = match spec.keys {
        // SWAPDB: behind it, in the same entry, a key may lie in a database never written before.
        Keys::None if spec.flags.has(Flags::OTHER_DB) => call.args.get(1..).unwrap_or_default(),
        Keys::Range { last, .. } if spec.flags.has(Flags::OTHER_DB) => {
            let behind_keys = usize::try_from(last).map_or(0, |last| last + 1);
            call.args.get(behind_keys..).unwrap_or_default()
        }
        _ => &[],
    };
    let databases = keyspace.databases();
    let others = others.iter().filter_map(|arg| u8::try_from(number::parse_i64(arg)?).ok());
    std::iter::once(call.db).chain(others.filter(move |db| *db < databases))
}
