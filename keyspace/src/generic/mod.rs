//! The generic family.

use crate::command::Command;

/// Its rows.
pub static COMMANDS: &[Command] = &[];
