//! Commands on geographic positions, which are the scores of sorted sets.

mod add;
mod argument;
mod cell;
mod look;
mod nearest;
mod options;
mod search;
mod shape;
mod trigonometry;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    add::GEOADD,
    look::GEODIST,
    look::GEOHASH,
    look::GEOPOS,
    search::GEOSEARCH,
    search::GEOSEARCHSTORE,
    search::GEORADIUS,
    search::GEORADIUS_RO,
    search::GEORADIUSBYMEMBER,
    search::GEORADIUSBYMEMBER_RO,
];
