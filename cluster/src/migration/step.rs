//! One change to a group's slots, as it stands in the group's log.

use super::wire::{Malformed, Reader, put_varint};
use super::{MoveId, SlotSet};

/// The first byte of every step in a log, where an entry of commands has its version.
pub const STEP_BYTE: u8 = 0x80;

/// The layout's version; readers refuse any other.
const VERSION: u8 = 1;

const TAG_CLAIM: u8 = 1;
const TAG_EXPORT: u8 = 2;
const TAG_FREEZE: u8 = 3;
const TAG_RELEASE: u8 = 4;
const TAG_CANCEL: u8 = 5;
const TAG_OPEN: u8 = 6;
const TAG_IMPORT: u8 = 7;
const TAG_ACTIVATE: u8 = 8;
const TAG_ABORT: u8 = 9;
const TAG_FORGET: u8 = 10;

/// One change to a group's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The slots that the group was formed with; only the first claim counts.
    Claim {
        /// None for a group that joined later.
        slots: SlotSet,
    },
    /// Source: the slots' state is pinned here, and changes behind it are captured.
    Export {
        /// The attempt.
        id: MoveId,
        /// What moves: not empty, all owned, none in another move.
        slots: SlotSet,
        /// The shard that gets them.
        to: u32,
    },
    /// Source: the slots are served no more; nothing that writes to them follows.
    Freeze {
        /// The attempt.
        id: MoveId,
    },
    /// Source: the slots are the target's. Only once `Activate` is known to be committed there.
    Release {
        /// The attempt.
        id: MoveId,
    },
    /// Source: the slots stay. Only once `Abort` is known to be committed at the target.
    Cancel {
        /// The attempt.
        id: MoveId,
    },
    /// Target: room is made for the slots.
    Open {
        /// The attempt.
        id: MoveId,
        /// What will come.
        slots: SlotSet,
        /// The shard that it comes from.
        from: u32,
    },
    /// Target: a piece of the slots' state, or changes to it.
    Import {
        /// The attempt.
        id: MoveId,
        /// Counts from 0, without gaps.
        chunk: u64,
        /// For those who keep the data; nothing here looks into it.
        body: Vec<u8>,
    },
    /// Target: the slots are owned from here on, if every chunk came and no `Abort` did.
    Activate {
        /// The attempt.
        id: MoveId,
        /// How many chunks there are.
        chunks: u64,
    },
    /// Target: the attempt comes to nothing, even if it never began here, if no `Activate` was
    /// first.
    Abort {
        /// The attempt.
        id: MoveId,
    },
    /// Both: nobody will ask about migrations up to this one any more.
    Forget {
        /// A migration's number.
        upto: u64,
    },
}

impl Step {
    /// Whether a log entry is a step and not a batch of commands.
    pub fn is_step(payload: &[u8]) -> bool {
        payload.first() == Some(&STEP_BYTE)
    }

    /// The log entry's payload.
    pub fn encode(&self) -> Vec<u8> {
        let room = if let Step::Import { body, .. } = self { body.len() + 40 } else { 64 };
        let mut out = Vec::with_capacity(room);
        out.extend_from_slice(&[STEP_BYTE, VERSION, self.tag()]);
        match self {
            Step::Claim { slots } => slots.put(&mut out),
            Step::Export { id, slots, to: shard } | Step::Open { id, slots, from: shard } => {
                id.put(&mut out);
                put_varint(&mut out, (*shard).into());
                slots.put(&mut out);
            }
            Step::Freeze { id }
            | Step::Release { id }
            | Step::Cancel { id }
            | Step::Abort { id } => id.put(&mut out),
            Step::Import { id, chunk, body } => {
                id.put(&mut out);
                put_varint(&mut out, *chunk);
                out.extend_from_slice(body);
            }
            Step::Activate { id, chunks } => {
                id.put(&mut out);
                put_varint(&mut out, *chunks);
            }
            Step::Forget { upto } => put_varint(&mut out, *upto),
        }
        out
    }

    /// Reads a payload for which [`Step::is_step`] holds.
    pub fn decode(payload: &[u8]) -> Result<Step, Malformed> {
        let mut reader = Reader::new(payload);
        if reader.byte()? != STEP_BYTE {
            return Err(Malformed("no step"));
        }
        if reader.byte()? != VERSION {
            return Err(Malformed("of a version that this program does not know"));
        }
        let tag = reader.byte()?;
        let step = Step::read(tag, &mut reader)?;
        reader.end()?;
        Ok(step)
    }

    fn read(tag: u8, reader: &mut Reader<'_>) -> Result<Step, Malformed> {
        match tag {
            TAG_CLAIM => return Ok(Step::Claim { slots: SlotSet::read(reader)? }),
            TAG_FORGET => return Ok(Step::Forget { upto: reader.varint()? }),
            _ => {}
        }
        let id = MoveId::read(reader)?;
        Ok(match tag {
            TAG_EXPORT => {
                let to = reader.varint_u32()?;
                Step::Export { id, slots: SlotSet::read(reader)?, to }
            }
            TAG_OPEN => {
                let from = reader.varint_u32()?;
                Step::Open { id, slots: SlotSet::read(reader)?, from }
            }
            TAG_FREEZE => Step::Freeze { id },
            TAG_RELEASE => Step::Release { id },
            TAG_CANCEL => Step::Cancel { id },
            TAG_IMPORT => {
                let chunk = reader.varint()?;
                Step::Import { id, chunk, body: reader.rest().to_vec() }
            }
            TAG_ACTIVATE => Step::Activate { id, chunks: reader.varint()? },
            TAG_ABORT => Step::Abort { id },
            _ => return Err(Malformed("of an unknown kind")),
        })
    }

    fn tag(&self) -> u8 {
        match self {
            Step::Claim { .. } => TAG_CLAIM,
            Step::Export { .. } => TAG_EXPORT,
            Step::Freeze { .. } => TAG_FREEZE,
            Step::Release { .. } => TAG_RELEASE,
            Step::Cancel { .. } => TAG_CANCEL,
            Step::Open { .. } => TAG_OPEN,
            Step::Import { .. } => TAG_IMPORT,
            Step::Activate { .. } => TAG_ACTIVATE,
            Step::Abort { .. } => TAG_ABORT,
            Step::Forget { .. } => TAG_FORGET,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step() -> impl Strategy<Value = Step> {
        let id = (any::<u64>(), any::<u32>(), any::<u32>())
            .prop_map(|(migration, number, attempt)| MoveId { migration, number, attempt });
        let slots = prop::collection::vec(0..16_384_u16, 0..9)
            .prop_map(|slots| slots.into_iter().collect::<SlotSet>());
        (0..10, id, slots, any::<u32>(), any::<u64>(), any::<Vec<u8>>()).prop_map(
            |(kind, id, slots, shard, number, body)| match kind {
                0 => Step::Claim { slots },
                1 => Step::Export { id, slots, to: shard },
                2 => Step::Freeze { id },
                3 => Step::Release { id },
                4 => Step::Cancel { id },
                5 => Step::Open { id, slots, from: shard },
                6 => Step::Import { id, chunk: number, body },
                7 => Step::Activate { id, chunks: number },
                8 => Step::Abort { id },
                _ => Step::Forget { upto: number },
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(step in step(), cut in 1..9_usize) {
            let bytes = step.encode();
            prop_assert!(Step::is_step(&bytes));
            prop_assert_eq!(Step::decode(&bytes).unwrap(), step.clone());
            if !matches!(step, Step::Import { .. }) {
                prop_assert!(Step::decode(&bytes[..bytes.len().saturating_sub(cut)]).is_err());
            }
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(tag in 0..12_u8, rest: Vec<u8>) {
            let bytes = [&[STEP_BYTE, VERSION, tag], &rest[..]].concat();
            let _ = Step::decode(&bytes);
            let _ = Step::decode(&rest);
        }
    }
}
