//! Commands on lists.

use crate::command::Command;
use crate::object::{Data, Object};
use crate::value::Kind;
use crate::wire::{Fault, WireReader};

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];

/// The value.
#[derive(Clone, Debug, Default)]
pub(crate) struct List;

impl Data for List {
    const KIND: Kind = Kind::List;

    fn of(object: &Object) -> Option<&List> {
        match object {
            Object::List(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut List> {
        match object {
            Object::List(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
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

    fn decode(_: &mut WireReader<'_>) -> Result<List, Fault> {
        Err("of a type that is not there yet")
    }
}
