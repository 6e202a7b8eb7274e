//! The expiry family.

use crate::command::Command;

/// Its rows.
pub static COMMANDS: &[Command] = &[];
