//! Reading a payload: lengths, strings and numbers, as RDB files have them.
//!
//! Nothing is believed: what is declared is checked against the bytes that are left before memory
//! is taken for it.

use std::borrow::Cow;

use super::lzf;
use crate::string::STRING_BYTES_MAX;
use crate::wire::Fault;

/// The upper two bits of the first byte of a length.
const SHORT: u8 = 0;
const MIDDLE: u8 = 1;
const LONG: u8 = 2;

/// Whole first bytes of longer lengths.
pub(super) const LENGTH_32: u8 = 0x80;
pub(super) const LENGTH_64: u8 = 0x81;

/// Whole first bytes of strings that are stored otherwise.
pub(super) const STRING_I8: u8 = 0xC0;
pub(super) const STRING_I16: u8 = 0xC1;
pub(super) const STRING_I32: u8 = 0xC2;
pub(super) const STRING_LZF: u8 = 0xC3;

const CUT_SHORT: Fault = "cut short";

/// What is left to be read.
pub(super) struct Reader<'p> {
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    pub(super) fn new(bytes: &'p [u8]) -> Reader<'p> {
        Reader { rest: bytes }
    }

    /// Whether everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn bytes(&mut self, count: u64) -> Result<&'p [u8], Fault> {
        let count = usize::try_from(count).map_err(|_| CUT_SHORT)?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A length, or another number that is stored as one.
    pub(super) fn length(&mut self) -> Result<u64, Fault> {
        let first = self.byte()?;
        self.length_after(first)
    }

    /// How many things follow, each of at least a byte.
    pub(super) fn count(&mut self) -> Result<u64, Fault> {
        let count = self.length()?;
        if count > self.rest.len() as u64 {
            return Err("more things than bytes");
        }
        Ok(count)
    }

    /// A string, borrowed unless it was stored as a number or compressed.
    pub(super) fn string(&mut self) -> Result<Cow<'p, [u8]>, Fault> {
        let number =
            |number: i64| Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec());
        Ok(match self.byte()? {
            STRING_I8 => number(i8::from_le_bytes(self.array()?).into()),
            STRING_I16 => number(i16::from_le_bytes(self.array()?).into()),
            STRING_I32 => number(i32::from_le_bytes(self.array()?).into()),
            STRING_LZF => Cow::Owned(self.compressed()?),
            first => {
                let length = self.length_after(first)?;
                Cow::Borrowed(self.bytes(length)?)
            }
        })
    }

    fn compressed(&mut self) -> Result<Vec<u8>, Fault> {
        let (compressed, length) = (self.length()?, self.length()?);
        if length > STRING_BYTES_MAX {
            return Err("a string that is too long");
        }
        lzf::decompress(self.bytes(compressed)?, length as usize)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, Fault> {
        let low = first & 0x3F;
        match first >> 6 {
            SHORT => Ok(low.into()),
            MIDDLE => Ok(u16::from_be_bytes([low, self.byte()?]).into()),
            LONG if first == LENGTH_32 => Ok(u32::from_be_bytes(self.array()?).into()),
            LONG if first == LENGTH_64 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err("a length of an unknown form"),
        }
    }
}
