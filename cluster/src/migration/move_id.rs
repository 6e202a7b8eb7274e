//! What names one attempt at one move.

use super::wire::{Malformed, Reader, put_varint};

/// One attempt at one move of one migration. An attempt that fails is thrown away whole, and the
/// next has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MoveId {
    /// The migration's number; never used again.
    pub migration: u64,
    /// The move's number within the migration.
    pub number: u32,
    /// Counts the attempts.
    pub attempt: u32,
}

impl MoveId {
    /// The move, whatever the attempt.
    pub fn of_move(self) -> (u64, u32) {
        (self.migration, self.number)
    }

    /// The next attempt at the same move.
    pub fn next_attempt(self) -> MoveId {
        MoveId { attempt: self.attempt.saturating_add(1), ..self }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.migration);
        put_varint(out, self.number.into());
        put_varint(out, self.attempt.into());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<MoveId, Malformed> {
        Ok(MoveId {
            migration: reader.varint()?,
            number: reader.varint_u32()?,
            attempt: reader.varint_u32()?,
        })
    }
}

impl std::fmt::Display for MoveId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.migration, self.number, self.attempt)
    }
}
