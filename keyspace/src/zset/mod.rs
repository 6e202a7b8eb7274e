//! Commands on sorted sets.

#[allow(dead_code, reason = "the commands come next")]
mod ranks;

use crate::command::Command;
use crate::object::{Data, Object};
use crate::value::Kind;
use crate::wire::{Fault, WireReader};

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];

/// The value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zset;

impl Data for Zset {
    const KIND: Kind = Kind::Zset;

    fn of(object: &Object) -> Option<&Zset> {
        match object {
            Object::Zset(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Zset> {
        match object {
            Object::Zset(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Zset(self)
    }

    fn encoding(&self) -> &'static str {
        "listpack"
    }

    fn heap_bytes(&self) -> usize {
        0
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut WireReader<'_>) -> Result<Zset, Fault> {
        Err("of a type that is not there yet")
    }
}
