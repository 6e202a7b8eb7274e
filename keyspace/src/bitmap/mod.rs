//! Commands on bitmaps: SETBIT and its like, BITFIELD.

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];
