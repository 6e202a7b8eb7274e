//! See the parent: the state of one group about slots, and what each step does to it.

use std::collections::BTreeMap;

use super::wire::{Malformed, Reader, put_varint};
use super::{MoveId, SlotSet, Step};

/// Moves that a group gives away at once. Each holds copies of what is changed meanwhile, and more
/// in flight than two or three only share the same network and disks.
pub const OUTGOING_MAX: usize = 64;

/// Moves that a group gets at once; one for every other shard that may be giving.
pub const INCOMING_MAX: usize = 64;

/// The layout of the state in a checkpoint; readers refuse any other.
const VERSION: u8 = 1;

/// The state of one group about slots. See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSlots {
    claimed: bool,
    owned: SlotSet,
    outgoing: BTreeMap<MoveId, Outgoing>,
    incoming: BTreeMap<MoveId, Incoming>,
    /// The last attempt of each move, if it ended; by [`MoveId::of_move`].
    ended: BTreeMap<(u64, u32), Ended>,
    /// Migrations up to this number are over.
    forgotten: u64,
}

/// Slots being given away; still among the owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Which; not empty, and in no other move.
    pub slots: SlotSet,
    /// Who gets them.
    pub to: u32,
    /// How far it is.
    pub phase: Phase,
}

/// How far slots are given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They are served, and what changes is captured.
    Exporting,
    /// They are not served.
    Frozen,
}

/// Slots being received; not among the owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Which; not empty, and in no other move.
    pub slots: SlotSet,
    /// Who gives them.
    pub from: u32,
    /// Chunks that came.
    pub next_chunk: u64,
}

/// How the last attempt at a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which attempt.
    pub attempt: u32,
    /// How.
    pub end: End,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Target: the slots are its own.
    Activated,
    /// Target: it came to nothing.
    Aborted,
    /// Source: the slots are the target's.
    Released,
    /// Source: it came to nothing.
    Cancelled,
}

/// Where an attempt stands in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was heard of it.
    Unknown,
    /// It is a source, which still serves the slots.
    Exporting,
    /// It is a source, which does not serve them.
    Frozen,
    /// It is a target.
    Open {
        /// Chunks that came.
        next_chunk: u64,
    },
    /// It is over.
    Ended(End),
    /// A later attempt was heard of: it came to nothing.
    Superseded,
    /// Its migration is over.
    Forgotten,
}

/// What a step calls for in those who keep the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the step came before, or was only to be remembered.
    Nothing,
    /// The slots are owned, and hold whatever they hold.
    Claimed(SlotSet),
    /// The slots' state is to be pinned and changes captured, by who leads.
    Exporting(MoveId, SlotSet),
    /// The slots are to be served no more.
    Frozen(MoveId, SlotSet),
    /// The slots' data are to be dropped.
    Released(MoveId, SlotSet),
    /// The slots are to be served again; whatever was captured is of no use.
    Cancelled(MoveId, SlotSet),
    /// Room is to be made aside.
    Opened(MoveId, SlotSet),
    /// The chunk belongs into it.
    Imported(MoveId),
    /// What was gathered aside is the slots' state, which are to be served.
    Activated(MoveId, SlotSet),
    /// What was gathered aside is to be dropped.
    Aborted(MoveId),
}

/// Why a step was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The group has not claimed its first slots.
    #[error("the shard has not claimed its slots yet")]
    Unclaimed,
    /// The step is one for a move that is not under way here, or not that far.
    #[error("move {id} is {standing:?} here")]
    Standing {
        /// The attempt.
        id: MoveId,
        /// Where it stands.
        standing: Standing,
    },
    /// Another attempt at the same move is under way.
    #[error("attempt {0} of the same move has not ended")]
    Attempt(MoveId),
    /// The slots cannot move: they are not owned, or owned already, or in another move, or none.
    #[error("move {0} is about slots that it cannot be about")]
    Slots(MoveId),
    /// A chunk is missing.
    #[error("move {id} has {next_chunk} chunks here")]
    Chunk {
        /// The attempt.
        id: MoveId,
        /// Chunks that came.
        next_chunk: u64,
    },
    /// Too many moves at once.
    #[error("too many moves are under way")]
    TooMany,
}

impl GroupSlots {
    /// The slots that the group answers for, frozen ones included.
    pub fn owned(&self) -> &SlotSet {
        &self.owned
    }

    /// Whether the first claim was made.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// What is being given away.
    pub fn outgoing(&self) -> &BTreeMap<MoveId, Outgoing> {
        &self.outgoing
    }

    /// What is being received.
    pub fn incoming(&self) -> &BTreeMap<MoveId, Incoming> {
        &self.incoming
    }

    /// The last attempts that ended, by migration and move, until the migration is forgotten.
    pub fn ended(&self) -> &BTreeMap<(u64, u32), Ended> {
        &self.ended
    }

    /// Whether slots may have changed owners lately: something moves, or moved and is not
    /// forgotten.
    pub fn is_moving(&self) -> bool {
        !(self.outgoing.is_empty() && self.incoming.is_empty() && self.ended.is_empty())
    }

    /// Where an attempt stands.
    pub fn standing(&self, id: MoveId) -> Standing {
        if id.migration <= self.forgotten {
            return Standing::Forgotten;
        }
        if let Some(outgoing) = self.outgoing.get(&id) {
            return match outgoing.phase {
                Phase::Exporting => Standing::Exporting,
                Phase::Frozen => Standing::Frozen,
            };
        }
        if let Some(incoming) = self.incoming.get(&id) {
            return Standing::Open { next_chunk: incoming.next_chunk };
        }
        match self.ended.get(&id.of_move()) {
            Some(last) if last.attempt == id.attempt => return Standing::Ended(last.end),
            Some(last) if last.attempt > id.attempt => return Standing::Superseded,
            _ => {}
        }
        match self.under_way(id) {
            Some(other) if other.attempt > id.attempt => Standing::Superseded,
            _ => Standing::Unknown,
        }
    }

    /// Applies a step; the same on every replica.
    pub fn apply(&mut self, step: &Step) -> Result<Effect, Refused> {
        if let Step::Claim { slots } = step {
            return Ok(self.claim(slots));
        }
        if !self.claimed {
            return Err(Refused::Unclaimed);
        }
        match step {
            Step::Claim { .. } => unreachable!("dealt with above"),
            Step::Export { id, slots, to } => self.export(*id, slots, *to),
            Step::Freeze { id } => self.freeze(*id),
            Step::Release { id } => self.release(*id),
            Step::Cancel { id } => self.cancel(*id),
            Step::Open { id, slots, from } => self.open(*id, slots, *from),
            Step::Import { id, chunk, .. } => self.import(*id, *chunk),
            Step::Activate { id, chunks } => self.activate(*id, *chunks),
            Step::Abort { id } => self.abort(*id),
            Step::Forget { upto } => Ok(self.forget(*upto)),
        }
    }

    fn claim(&mut self, slots: &SlotSet) -> Effect {
        if self.claimed {
            return Effect::Nothing;
        }
        self.claimed = true;
        self.owned = slots.clone();
        Effect::Claimed(slots.clone())
    }

    fn export(&mut self, id: MoveId, slots: &SlotSet, to: u32) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Exporting | Standing::Frozen => return Ok(Effect::Nothing),
            Standing::Unknown => self.check_new(id, End::Cancelled)?,
            standing => return Err(Refused::Standing { id, standing }),
        }
        let moving = self.outgoing.values().any(|other| other.slots.overlaps(slots));
        if slots.is_empty() || moving || !self.owned.contains_all(slots) {
            return Err(Refused::Slots(id));
        }
        if self.outgoing.len() >= OUTGOING_MAX {
            return Err(Refused::TooMany);
        }
        let outgoing = Outgoing { slots: slots.clone(), to, phase: Phase::Exporting };
        self.outgoing.insert(id, outgoing);
        Ok(Effect::Exporting(id, slots.clone()))
    }

    fn freeze(&mut self, id: MoveId) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Frozen => Ok(Effect::Nothing),
            Standing::Exporting => {
                let outgoing = self.outgoing.get_mut(&id).expect("it stands there");
                outgoing.phase = Phase::Frozen;
                Ok(Effect::Frozen(id, outgoing.slots.clone()))
            }
            standing => Err(Refused::Standing { id, standing }),
        }
    }

    fn release(&mut self, id: MoveId) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Ended(End::Released) => Ok(Effect::Nothing),
            // Nothing is activated that was not frozen, so this is no release.
            Standing::Frozen => {
                let outgoing = self.outgoing.remove(&id).expect("it stands there");
                self.owned.remove(&outgoing.slots);
                self.end(id, End::Released);
                Ok(Effect::Released(id, outgoing.slots))
            }
            standing => Err(Refused::Standing { id, standing }),
        }
    }

    fn cancel(&mut self, id: MoveId) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Ended(End::Cancelled) => Ok(Effect::Nothing),
            Standing::Exporting | Standing::Frozen => {
                let outgoing = self.outgoing.remove(&id).expect("it stands there");
                self.end(id, End::Cancelled);
                Ok(Effect::Cancelled(id, outgoing.slots))
            }
            standing => Err(Refused::Standing { id, standing }),
        }
    }

    fn open(&mut self, id: MoveId, slots: &SlotSet, from: u32) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Open { .. } => return Ok(Effect::Nothing),
            Standing::Unknown => self.check_new(id, End::Aborted)?,
            standing => return Err(Refused::Standing { id, standing }),
        }
        let coming = self.incoming.values().any(|other| other.slots.overlaps(slots));
        if slots.is_empty() || coming || self.owned.overlaps(slots) {
            return Err(Refused::Slots(id));
        }
        if self.incoming.len() >= INCOMING_MAX {
            return Err(Refused::TooMany);
        }
        self.incoming.insert(id, Incoming { slots: slots.clone(), from, next_chunk: 0 });
        Ok(Effect::Opened(id, slots.clone()))
    }

    fn import(&mut self, id: MoveId, chunk: u64) -> Result<Effect, Refused> {
        let standing = self.standing(id);
        let Some(incoming) = self.incoming.get_mut(&id) else {
            return Err(Refused::Standing { id, standing });
        };
        if chunk > incoming.next_chunk {
            return Err(Refused::Chunk { id, next_chunk: incoming.next_chunk });
        }
        if chunk < incoming.next_chunk {
            return Ok(Effect::Nothing);
        }
        incoming.next_chunk += 1;
        Ok(Effect::Imported(id))
    }

    fn activate(&mut self, id: MoveId, chunks: u64) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Ended(End::Activated) => Ok(Effect::Nothing),
            Standing::Open { next_chunk } if next_chunk != chunks => {
                Err(Refused::Chunk { id, next_chunk })
            }
            Standing::Open { .. } => {
                let incoming = self.incoming.remove(&id).expect("it stands there");
                self.owned.add(&incoming.slots);
                self.end(id, End::Activated);
                Ok(Effect::Activated(id, incoming.slots))
            }
            standing => Err(Refused::Standing { id, standing }),
        }
    }

    fn abort(&mut self, id: MoveId) -> Result<Effect, Refused> {
        match self.standing(id) {
            Standing::Ended(End::Aborted) | Standing::Superseded => Ok(Effect::Nothing),
            Standing::Open { .. } => {
                self.incoming.remove(&id);
                self.end(id, End::Aborted);
                Ok(Effect::Aborted(id))
            }
            Standing::Unknown => {
                self.check_new(id, End::Aborted)?;
                self.end(id, End::Aborted);
                Ok(Effect::Nothing)
            }
            standing => Err(Refused::Standing { id, standing }),
        }
    }

    /// Moves of these migrations that are under way stay until they end, but are known no more:
    /// whoever forgets has seen them end.
    fn forget(&mut self, upto: u64) -> Effect {
        let under_way = self.outgoing.keys().chain(self.incoming.keys());
        // A migration that has not ended here cannot be over.
        let upto = match under_way.map(|id| id.migration).min() {
            Some(first) => upto.min(first.saturating_sub(1)),
            None => upto,
        };
        self.forgotten = self.forgotten.max(upto);
        self.ended.retain(|(migration, _), _| *migration > upto);
        Effect::Nothing
    }

    /// Whether a first step of an attempt may be: the one before has come to nothing.
    fn check_new(&self, id: MoveId, nothing: End) -> Result<(), Refused> {
        if let Some(other) = self.under_way(id) {
            return Err(Refused::Attempt(other));
        }
        match self.ended.get(&id.of_move()) {
            Some(last) if last.end != nothing => {
                let before = MoveId { attempt: last.attempt, ..id };
                Err(Refused::Standing { id: before, standing: Standing::Ended(last.end) })
            }
            _ => Ok(()),
        }
    }

    /// An attempt at the same move that is under way here.
    fn under_way(&self, id: MoveId) -> Option<MoveId> {
        let of_move = |other: &&MoveId| other.of_move() == id.of_move();
        self.outgoing.keys().chain(self.incoming.keys()).find(of_move).copied()
    }

    fn end(&mut self, id: MoveId, end: End) {
        self.ended.insert(id.of_move(), Ended { attempt: id.attempt, end });
    }

    /// The state's bytes for a checkpoint.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.claimed.into()];
        self.owned.put(&mut out);
        put_varint(&mut out, self.outgoing.len() as u64);
        for (id, Outgoing { slots, to, phase }) in &self.outgoing {
            id.put(&mut out);
            put_varint(&mut out, (*to).into());
            out.push(u8::from(*phase == Phase::Frozen));
            slots.put(&mut out);
        }
        put_varint(&mut out, self.incoming.len() as u64);
        for (id, Incoming { slots, from, next_chunk }) in &self.incoming {
            id.put(&mut out);
            put_varint(&mut out, (*from).into());
            put_varint(&mut out, *next_chunk);
            slots.put(&mut out);
        }
        put_varint(&mut out, self.ended.len() as u64);
        for (&(migration, number), Ended { attempt, end }) in &self.ended {
            MoveId { migration, number, attempt: *attempt }.put(&mut out);
            out.push(end_byte(*end));
        }
        put_varint(&mut out, self.forgotten);
        out
    }

    /// The state from its bytes.
    pub fn decode(bytes: &[u8]) -> Result<GroupSlots, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(Malformed("of a version that this program does not know"));
        }
        let mut state = GroupSlots { claimed: flag(&mut reader)?, ..GroupSlots::default() };
        state.owned = SlotSet::read(&mut reader)?;
        for _ in 0..reader.varint()? {
            let (id, to) = (MoveId::read(&mut reader)?, reader.varint_u32()?);
            let phase = if flag(&mut reader)? { Phase::Frozen } else { Phase::Exporting };
            let outgoing = Outgoing { slots: SlotSet::read(&mut reader)?, to, phase };
            state.outgoing.insert(id, outgoing);
        }
        for _ in 0..reader.varint()? {
            let (id, from) = (MoveId::read(&mut reader)?, reader.varint_u32()?);
            let next_chunk = reader.varint()?;
            let incoming = Incoming { slots: SlotSet::read(&mut reader)?, from, next_chunk };
            state.incoming.insert(id, incoming);
        }
        for _ in 0..reader.varint()? {
            let id = MoveId::read(&mut reader)?;
            let end = end_of(reader.byte()?)?;
            state.ended.insert(id.of_move(), Ended { attempt: id.attempt, end });
        }
        state.forgotten = reader.varint()?;
        reader.end()?;
        state.check().map(|()| state)
    }

    /// The invariants, after reading.
    fn check(&self) -> Result<(), Malformed> {
        let mut seen = SlotSet::new();
        for outgoing in self.outgoing.values() {
            if seen.overlaps(&outgoing.slots) || !self.owned.contains_all(&outgoing.slots) {
                return Err(Malformed("with slots in two moves, or given and not owned"));
            }
            seen.add(&outgoing.slots);
        }
        let mut seen = self.owned.clone();
        for incoming in self.incoming.values() {
            if seen.overlaps(&incoming.slots) {
                return Err(Malformed("with slots in two moves, or received and owned"));
            }
            seen.add(&incoming.slots);
        }
        Ok(())
    }
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed("with a flag that is neither set nor clear")),
    }
}

fn end_byte(end: End) -> u8 {
    match end {
        End::Activated => 0,
        End::Aborted => 1,
        End::Released => 2,
        End::Cancelled => 3,
    }
}

fn end_of(byte: u8) -> Result<End, Malformed> {
    Ok(match byte {
        0 => End::Activated,
        1 => End::Aborted,
        2 => End::Released,
        3 => End::Cancelled,
        _ => return Err(Malformed("with an end of an unknown kind")),
    })
}

#[cfg(test)]
mod tests;
