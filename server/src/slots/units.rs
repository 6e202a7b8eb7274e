//! The slots' part of a checkpoint: one unit for what the group knows, and one for every slot that
//! is coming.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::migration::{GroupSlots, MoveId};
use keyspace::{Keyspace, Pin};
use raft::UnitId;

use super::staging::Staging;
use super::{Inner, Ordering, Slots};

/// The unit of what the group knows; above every unit of the keyspace, which has 16,385 for each
/// of at most 256 databases.
pub const SLOTS_UNIT: UnitId = 1 << 24;

/// Units of one keyspace aside: those of one database, rounded up.
const STAGING_UNITS: UnitId = 1 << 15;

/// The layout's version; readers refuse any other.
const VERSION: u8 = 1;

/// The first unit of the keyspace in a place.
fn first_unit(place: u32) -> UnitId {
    SLOTS_UNIT + (place + 1) * STAGING_UNITS
}

/// The slots' state at one moment, read unit by unit.
pub struct PinnedSlots {
    /// Units that are known already, the last first.
    ready: Vec<(UnitId, Vec<u8>)>,
    pins: Vec<(u32, Pin)>,
}

impl PinnedSlots {
    /// The next unit; empty bytes: there is no such unit any more; `None`: the end.
    pub fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        if let Some(unit) = self.ready.pop() {
            return Some(unit);
        }
        while let Some((place, pin)) = self.pins.last_mut() {
            if let Some((unit, bytes)) = pin.next_unit() {
                return Some((first_unit(*place) + unit, bytes));
            }
            self.pins.pop();
        }
        None
    }
}

/// What a restore has read so far.
#[derive(Default)]
pub struct Restoring {
    group: Option<Vec<u8>>,
    /// By place.
    keyspaces: BTreeMap<u32, Arc<Keyspace>>,
}

impl Slots {
    /// Pins the state between two entries. Every unit is given each time: what is coming is small
    /// beside what is there.
    pub fn pin(&self) -> PinnedSlots {
        let mut pinned = PinnedSlots { ready: Vec::new(), pins: Vec::new() };
        if self.alone {
            return pinned;
        }
        let inner = self.inner.lock();
        // Whatever an earlier checkpoint had is gone, unless it is given anew.
        for (place, slots) in &inner.places {
            let units = std::iter::once(0).chain(slots.iter().map(|slot| UnitId::from(slot) + 1));
            let now = inner.staging.values().find(|staging| staging.place() == *place);
            let has = |unit: UnitId| {
                now.is_some_and(|staging| match unit.checked_sub(1) {
                    None => true,
                    Some(slot) => staging.keyspace().slot_len(slot as u16) > 0,
                })
            };
            let gone = units.filter(|unit| !has(*unit));
            pinned.ready.extend(gone.map(|unit| (first_unit(*place) + unit, Vec::new())));
        }
        for staging in inner.staging.values() {
            pinned.pins.push((staging.place(), staging.keyspace().pin(None)));
        }
        pinned.ready.push((SLOTS_UNIT, encode(&inner)));
        pinned
    }

    /// Takes a unit from [`SLOTS_UNIT`] on into a restore.
    pub fn restore_unit(
        &self,
        restoring: &mut Restoring,
        unit: UnitId,
        bytes: Vec<u8>,
        databases: u8,
    ) -> Result<(), String> {
        if bytes.is_empty() {
            return Ok(());
        }
        if unit == SLOTS_UNIT {
            restoring.group = Some(bytes);
            return Ok(());
        }
        let behind = unit - SLOTS_UNIT;
        let place = (behind / STAGING_UNITS).checked_sub(1).ok_or("a unit of nothing")?;
        let keyspace =
            restoring.keyspaces.entry(place).or_insert_with(|| Arc::new(Keyspace::new(databases)));
        let loaded = keyspace.load_unit(behind % STAGING_UNITS, &bytes);
        loaded.map_err(|corrupt| corrupt.to_string())
    }

    /// Puts what was restored in place of everything.
    pub fn restored(&self, restoring: Restoring) -> Result<(), String> {
        if self.alone {
            return Ok(());
        }
        let Restoring { group, mut keyspaces } = restoring;
        let mut new = Inner::default();
        if let Some(bytes) = group {
            decode(&bytes, &mut new, &mut keyspaces)?;
        }
        for export in self.exports.lock().drain(..).filter_map(|export| export.upgrade()) {
            export.lose();
        }
        let mut inner = self.inner.lock();
        *inner = new;
        self.states.set_all(&inner.group);
        self.moving.store(inner.group.is_moving(), Ordering::Relaxed);
        Ok(())
    }
}

/// Version, the group's state, then for each move that is coming: its id, place, partial unit.
fn encode(inner: &Inner) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, &inner.group.encode());
    out.extend_from_slice(&(inner.staging.len() as u32).to_le_bytes());
    for (id, staging) in &inner.staging {
        out.extend_from_slice(&id.migration.to_le_bytes());
        for number in [id.number, id.attempt, staging.place()] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put(&mut out, staging.partial());
    }
    out
}

fn decode(
    bytes: &[u8],
    inner: &mut Inner,
    keyspaces: &mut BTreeMap<u32, Arc<Keyspace>>,
) -> Result<(), String> {
    let mut rest = bytes;
    if take::<1>(&mut rest)? != [VERSION] {
        return Err("the slots' unit is of an unknown version".into());
    }
    let group = GroupSlots::decode(take_bytes(&mut rest)?);
    inner.group = group.map_err(|bad| format!("the slots' unit: {bad}"))?;
    for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
        let migration = u64::from_le_bytes(take(&mut rest)?);
        let mut number = || take(&mut rest).map(u32::from_le_bytes);
        let (number, attempt, place) = (number()?, number()?, number()?);
        let id = MoveId { migration, number, attempt };
        let partial = take_bytes(&mut rest)?.to_vec();
        let keyspace = keyspaces.remove(&place).ok_or("a move's data are missing")?;
        let slots = inner.group.incoming().get(&id).ok_or("a move is not known")?.slots.clone();
        inner.places.insert(place, slots);
        inner.staging.insert(id, Staging::restored(place, keyspace, partial));
    }
    if !rest.is_empty() || inner.staging.len() != inner.group.incoming().len() {
        return Err("the slots' unit is not what it says".into());
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, behind) = rest.split_first_chunk().ok_or("the slots' unit is cut short")?;
    *rest = behind;
    Ok(*bytes)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let len = usize::try_from(u64::from_le_bytes(take(rest)?)).unwrap_or(usize::MAX);
    let (bytes, behind) = rest.split_at_checked(len).ok_or("the slots' unit is cut short")?;
    *rest = behind;
    Ok(bytes)
}
