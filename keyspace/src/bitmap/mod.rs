//! Commands on bitmaps, which are strings: SETBIT and its like, BITFIELD.
//!
//! Bit 0 is the highest of the first byte. Past a string's end every bit is 0.

mod bits;
mod combine;
mod field;
mod one;
mod range;

use resp::Reply;

use crate::command::Command;
use crate::number::parse_i64;
use crate::string::STRING_BYTES_MAX;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    range::BITCOUNT,
    field::BITFIELD,
    field::BITFIELD_RO,
    combine::BITOP,
    range::BITPOS,
    one::GETBIT,
    one::SETBIT,
];

const BIT_OFFSET: Reply<'static> = Reply::error("ERR bit offset is not an integer or out of range");

/// Where a bit is: its byte must lie within the longest string.
fn bit_offset(argument: &[u8]) -> Result<u64, Reply<'static>> {
    checked_offset(parse_i64(argument))
}

/// The same, where `#n` is the n-th field of so many bits.
fn field_offset(argument: &[u8], bits: u32) -> Result<u64, Reply<'static>> {
    checked_offset(match argument {
        [b'#', index @ ..] => parse_i64(index).and_then(|index| index.checked_mul(i64::from(bits))),
        offset => parse_i64(offset),
    })
}

fn checked_offset(offset: Option<i64>) -> Result<u64, Reply<'static>> {
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < STRING_BYTES_MAX).ok_or(BIT_OFFSET)
}

/// The byte of a bit whose offset was checked.
fn byte_of(offset: u64) -> usize {
    usize::try_from(offset / 8).expect("the length limit is far below 32 bits")
}
