//! Commands on sets.

use crate::command::Command;
use crate::object::{Data, Object};
use crate::value::Kind;
use crate::wire::{Fault, WireReader};

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];

/// The value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set;

impl Data for Set {
    const KIND: Kind = Kind::Set;

    fn of(object: &Object) -> Option<&Set> {
        match object {
            Object::Set(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Set> {
        match object {
            Object::Set(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Set(self)
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

    fn decode(_: &mut WireReader<'_>) -> Result<Set, Fault> {
        Err("of a type that is not there yet")
    }
}
