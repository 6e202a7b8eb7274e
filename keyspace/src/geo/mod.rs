//! Commands on geographic positions, which are sorted sets.

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];
