//! Commands on HyperLogLogs, which are strings.

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];
