//! Commands on streams.

use crate::command::Command;
use crate::object::{Data, Object};
use crate::value::Kind;
use crate::wire::{Fault, WireReader};

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[];

/// The value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream;

impl Data for Stream {
    const KIND: Kind = Kind::Stream;

    fn of(object: &Object) -> Option<&Stream> {
        match object {
            Object::Stream(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Stream> {
        match object {
            Object::Stream(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Stream(Box::new(self))
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

    fn decode(_: &mut WireReader<'_>) -> Result<Stream, Fault> {
        Err("of a type that is not there yet")
    }
}
