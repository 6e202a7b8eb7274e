//! A HyperLogLog's string: its header, and which of the two forms its registers have.
//!
//! Header, 16 bytes: `HYLL`, the form, three bytes unused, and the last estimate in little endian,
//! whose highest bit says that the registers have risen since.

use resp::Reply;

use super::dense::{self, DENSE_BYTES};
use super::estimate::Histogram;
use super::hash::Mark;
use super::sparse;
use crate::value::StringValue;

/// How many registers there are.
pub(super) const REGISTERS: usize = 1 << 14;

/// All registers, unpacked.
pub(super) type Registers = [u8; REGISTERS];

/// The header's length.
pub(super) const HEADER_BYTES: usize = 16;
/// Without registers: the header, and one run of all of them.
pub(super) const EMPTY_BYTES: usize = HEADER_BYTES + 2;

const MAGIC: &[u8; 4] = b"HYLL";
const FORM: usize = 4;
const FORM_DENSE: u8 = 0;
const FORM_SPARSE: u8 = 1;
const ESTIMATE: std::ops::Range<usize> = 8..16;
const ESTIMATE_IS_OLD: u8 = 0x80;

/// Runs that do not cover the registers exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

impl From<Corrupt> for Reply<'static> {
    fn from(_: Corrupt) -> Reply<'static> {
        Reply::error("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The registers of a HyperLogLog.
#[derive(Clone, Copy)]
pub(super) enum Sketch<'s> {
    /// Packed.
    Dense(&'s [u8; DENSE_BYTES]),
    /// As runs, which may be corrupt.
    Sparse(&'s [u8]),
}

/// The bytes of a HyperLogLog; an error if the string is none.
pub(super) fn bytes_of<'s>(value: StringValue<'s>) -> Result<&'s [u8], Reply<'static>> {
    let none = Reply::error("WRONGTYPE Key is not a valid HyperLogLog string value.");
    match value {
        StringValue::Bytes(bytes) if Sketch::of(bytes).is_some() => Ok(bytes),
        _ => Err(none),
    }
}

impl<'s> Sketch<'s> {
    /// The registers in a string, if it is a HyperLogLog.
    pub(super) fn of(bytes: &'s [u8]) -> Option<Sketch<'s>> {
        let (header, registers) = bytes.split_at_checked(HEADER_BYTES)?;
        if !header.starts_with(MAGIC) {
            return None;
        }
        match header[FORM] {
            FORM_DENSE => registers.try_into().ok().map(Sketch::Dense),
            FORM_SPARSE => Some(Sketch::Sparse(registers)),
            _ => None,
        }
    }

    /// Whether an element would raise its register.
    pub(super) fn is_raised_by(self, mark: Mark) -> Result<bool, Corrupt> {
        Ok(mark.run
            > match self {
                Sketch::Dense(registers) => dense::get(registers, mark.register),
                Sketch::Sparse(runs) => sparse::get(runs, mark.register)?,
            })
    }

    /// How many registers have which value.
    pub(super) fn histogram(self) -> Result<Histogram, Corrupt> {
        match self {
            Sketch::Dense(registers) => Ok(dense::histogram(registers)),
            Sketch::Sparse(runs) => sparse::histogram(runs),
        }
    }

    /// Raises each of `all` to at least what it is here.
    pub(super) fn merge_into(self, all: &mut Registers) -> Result<(), Corrupt> {
        match self {
            Sketch::Dense(registers) => {
                dense::merge_into(registers, all);
                Ok(())
            }
            Sketch::Sparse(runs) => sparse::merge_into(runs, all),
        }
    }
}

/// The estimate in the header, unless registers have risen since.
pub(super) fn last_estimate(bytes: &[u8]) -> Option<i64> {
    let estimate: [u8; 8] = bytes[ESTIMATE].try_into().expect("as long as a number");
    i64::try_from(u64::from_le_bytes(estimate)).ok()
}

/// Says that registers have risen.
pub(super) fn outdate(bytes: &mut [u8]) {
    bytes[ESTIMATE.end - 1] |= ESTIMATE_IS_OLD;
}

/// The header of a new HyperLogLog.
pub(super) fn new_header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header
}

/// A HyperLogLog with these registers: as runs if those take no more than `sparse_bytes_max` with
/// the header, else packed.
pub(super) fn build(
    header: &[u8; HEADER_BYTES],
    registers: &Registers,
    sparse_bytes_max: Option<usize>,
) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes[FORM] = FORM_SPARSE;
    if let Some(max) = sparse_bytes_max
        && sparse::append(registers, max, &mut bytes).is_some()
    {
        return bytes;
    }
    bytes.truncate(HEADER_BYTES);
    bytes[FORM] = FORM_DENSE;
    bytes.resize(HEADER_BYTES + DENSE_BYTES, 0);
    let packed = dense_mut(&mut bytes).expect("just as long");
    for (register, value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
        dense::set(packed, register, *value);
    }
    bytes
}

/// The packed registers of a HyperLogLog, to change.
pub(super) fn dense_mut(bytes: &mut [u8]) -> Option<&mut [u8; DENSE_BYTES]> {
    if bytes.get(FORM) != Some(&FORM_DENSE) {
        return None;
    }
    (&mut bytes[HEADER_BYTES..]).try_into().ok()
}

/// The same HyperLogLog packed.
pub(super) fn to_dense(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let header = bytes.first_chunk().ok_or(Corrupt)?;
    let mut registers = [0; REGISTERS];
    Sketch::of(bytes).ok_or(Corrupt)?.merge_into(&mut registers)?;
    Ok(build(header, &registers, None))
}

/// Raises a register of a HyperLogLog that grows as it has to; whether it was lower. Does not say
/// so in the header.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    mark: Mark,
    sparse_bytes_max: usize,
) -> Result<bool, Corrupt> {
    if dense_mut(bytes).is_none() {
        if let Some(raised) = sparse::raise(bytes, mark, sparse_bytes_max)? {
            return Ok(raised);
        }
        *bytes = to_dense(bytes)?;
    }
    let packed = dense_mut(bytes).expect("dense from here on");
    Ok(dense::raise(packed, mark.register, mark.run))
}
