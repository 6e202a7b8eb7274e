//! What a group replicates into.

use bytes::Bytes;

/// A separately stored part of the machine's state.
pub type UnitId = u32;

/// A committed entry.
#[derive(Debug)]
pub struct Committed<'a> {
    /// Its log index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What was proposed; never empty.
    pub payload: &'a Bytes,
}

/// The state machine. Calls come one at a time, in log order, from one task.
pub trait Machine: Send + Sync + 'static {
    /// Applies one entry. An `Err` stops the node: a payload that cannot be understood is never
    /// skipped.
    fn apply(&self, entry: Committed<'_>) -> Result<(), String>;

    /// Pins the state as of the last applied entry; only units changed after the pin `since`.
    fn pin(&self, since: Option<u64>) -> Box<dyn Pinned>;

    /// Replaces the whole state by these units.
    fn restore(
        &self,
        units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
    ) -> Result<(), String>;
}

/// A pinned state, read unit by unit while entries go on being applied.
pub trait Pinned: Send {
    /// Names the pinned moment.
    fn epoch(&self) -> u64;

    /// The next unit; empty bytes: the unit became empty; `None`: the end.
    fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A machine that keeps nothing.
    pub(crate) struct NoMachine;

    impl Machine for NoMachine {
        fn apply(&self, _: Committed<'_>) -> Result<(), String> {
            Ok(())
        }

        fn pin(&self, _: Option<u64>) -> Box<dyn Pinned> {
            Box::new(NoMachine)
        }

        fn restore(
            &self,
            units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
        ) -> Result<(), String> {
            for unit in units {
                unit?;
            }
            Ok(())
        }
    }

    impl Pinned for NoMachine {
        fn epoch(&self) -> u64 {
            0
        }

        fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
            None
        }
    }
}
