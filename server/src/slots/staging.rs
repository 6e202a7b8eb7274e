//! Slots that are coming: a keyspace that no client sees, filled chunk by chunk.
//!
//! A chunk's body: a kind, then either a piece of a pinned unit (the unit's number, whether it is
//! the last piece, bytes) or recorded writes.

use std::sync::Arc;

use keyspace::{Keyspace, UnitId};

/// The body is a piece of a unit.
const PIECE: u8 = 1;

/// The body is recorded writes.
const RECORDS: u8 = 2;

/// Bytes of a unit's pieces kept until its last comes: the longest value, twice.
const UNIT_BYTES_MAX: usize = 1 << 30;

/// See the module's documentation.
pub(super) struct Staging {
    /// Tells its units from others' in checkpoints.
    place: u32,
    keyspace: Arc<Keyspace>,
    /// The pieces so far of the unit that is coming.
    partial: Vec<u8>,
}

/// The body of a unit's piece.
pub(super) fn piece_body(unit: UnitId, is_last: bool, piece: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(piece.len() + 6);
    body.push(PIECE);
    body.extend_from_slice(&unit.to_le_bytes());
    body.push(is_last.into());
    body.extend_from_slice(piece);
    body
}

/// The body of recorded writes.
pub(super) fn records_body(records: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(records.len() + 1);
    body.push(RECORDS);
    body.extend_from_slice(records);
    body
}

impl Staging {
    pub(super) fn new(place: u32, databases: u8) -> Staging {
        Staging::restored(place, Arc::new(Keyspace::new(databases)), Vec::new())
    }

    pub(super) fn restored(place: u32, keyspace: Arc<Keyspace>, partial: Vec<u8>) -> Staging {
        Staging { place, keyspace, partial }
    }

    pub(super) fn place(&self) -> u32 {
        self.place
    }

    pub(super) fn keyspace(&self) -> &Arc<Keyspace> {
        &self.keyspace
    }

    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    pub(super) fn bytes(&self) -> usize {
        self.keyspace.memory_bytes() + self.partial.len()
    }

    /// Takes a chunk in. After an error, which is the same on every replica, the move can only be
    /// aborted; what was taken in before stays as it was.
    pub(super) fn import(&mut self, body: &[u8]) -> Result<(), String> {
        match body {
            [PIECE, a, b, c, d, is_last @ (0 | 1), piece @ ..] => {
                let unit = UnitId::from_le_bytes([*a, *b, *c, *d]);
                if self.partial.len() + piece.len() > UNIT_BYTES_MAX {
                    return Err("a unit is too large".into());
                }
                if *is_last == 0 {
                    self.partial.extend_from_slice(piece);
                    return Ok(());
                }
                let whole = if self.partial.is_empty() {
                    piece
                } else {
                    self.partial.extend_from_slice(piece);
                    &self.partial
                };
                let loaded = self.keyspace.load_unit(unit, whole);
                self.partial = Vec::new();
                loaded.map_err(|corrupt| corrupt.to_string())
            }
            [RECORDS, records @ ..] => self.keyspace.replay(records).map_err(|bad| bad.to_string()),
            _ => Err("of an unknown kind".into()),
        }
    }
}
