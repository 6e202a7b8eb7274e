//! Ziplists, which Redis had before listpacks: small collections in payloads of up to version 9.
//!
//! A header (all the bytes and the last entry's offset as `u32`, the number of entries as a
//! `u16`), the entries, a terminator. An entry is the length of the one before it, what it is, and
//! its bytes.

use super::reader::Reader;
use crate::value::StringValue;
use crate::wire::Fault;

const HEADER_BYTES: usize = 10;
const TERMINATOR: u8 = 0xFF;

/// The header's number of entries when they are too many for it.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Before a length of the entry before of this many bytes or more, as a `u32`.
const PREVIOUS_LONG: u8 = 254;

/// The entries of a ziplist that is checked as it is read.
pub(super) struct Ziplist<'z> {
    entries: Reader<'z>,
    /// Where the next entry begins.
    offset: usize,
    previous_bytes: usize,
    last_offset: usize,
    left: Option<usize>,
}

impl<'z> Ziplist<'z> {
    pub(super) fn new(bytes: &'z [u8]) -> Result<Ziplist<'z>, Fault> {
        let mut header = Reader::new(bytes);
        let total = u32::from_le_bytes(header.array()?) as usize;
        let last_offset = u32::from_le_bytes(header.array()?) as usize;
        let count = u16::from_le_bytes(header.array()?);
        if total != bytes.len() || bytes.last() != Some(&TERMINATOR) || total <= HEADER_BYTES {
            return Err("a ziplist of another length than it says");
        }
        let left = (count != COUNT_UNKNOWN).then_some(count.into());
        let entries = Reader::new(&bytes[HEADER_BYTES..total - 1]);
        Ok(Ziplist { entries, offset: HEADER_BYTES, previous_bytes: 0, last_offset, left })
    }

    /// The next entry; at the end `None`, if the header told the truth.
    pub(super) fn next(&mut self) -> Result<Option<StringValue<'z>>, Fault> {
        if self.entries.is_done() {
            return match self.left {
                None | Some(0) if self.last_offset == self.offset - self.previous_bytes => Ok(None),
                _ => Err("a ziplist of other entries than it says"),
            };
        }
        let left_before = self.entries.left();
        let previous = match self.entries.byte()? {
            PREVIOUS_LONG => u32::from_le_bytes(self.entries.array()?) as usize,
            TERMINATOR => return Err("a ziplist that ends before its end"),
            short => usize::from(short),
        };
        if previous != self.previous_bytes {
            return Err("a ziplist's entry of another length than is behind it");
        }
        let value = value(&mut self.entries)?;
        self.previous_bytes = left_before - self.entries.left();
        self.offset += self.previous_bytes;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or("a ziplist of more entries than it says")?;
        }
        Ok(Some(value))
    }
}

fn value<'z>(entries: &mut Reader<'z>) -> Result<StringValue<'z>, Fault> {
    let first = entries.byte()?;
    let length: u64 = match first {
        0x00..0x40 => first.into(),
        0x40..0x80 => u16::from_be_bytes([first & 0x3F, entries.byte()?]).into(),
        0x80..0xC0 => u32::from_be_bytes(entries.array()?).into(),
        _ => return integer(first, entries).map(StringValue::Int),
    };
    entries.bytes(length).map(StringValue::Bytes)
}

fn integer(first: u8, entries: &mut Reader<'_>) -> Result<i64, Fault> {
    Ok(match first {
        0xC0 => i16::from_le_bytes(entries.array()?).into(),
        0xD0 => i32::from_le_bytes(entries.array()?).into(),
        0xE0 => i64::from_le_bytes(entries.array()?),
        0xF0 => {
            let [low, middle, high] = entries.array()?;
            i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
        }
        0xFE => i8::from_le_bytes(entries.array()?).into(),
        0xF1..=0xFD => i64::from(first & 0x0F) - 1,
        _ => return Err("a ziplist's entry of an unknown form"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let mut ziplist = Ziplist::new(bytes)?;
        let mut values = Vec::new();
        while let Some(value) = ziplist.next()? {
            values.push(String::from_utf8_lossy(&value.to_bytes()).into_owned());
        }
        Ok(values)
    }

    /// A ziplist of entries that are given without the length of the one before.
    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        let (mut previous, mut last) = (0, 0);
        for entry in entries {
            last = body.len();
            match u8::try_from(previous) {
                Ok(short) if short < PREVIOUS_LONG => body.push(short),
                _ => {
                    body.push(PREVIOUS_LONG);
                    body.extend_from_slice(&(previous as u32).to_le_bytes());
                }
            }
            body.extend_from_slice(entry);
            previous = body.len() - last;
        }
        let total = (HEADER_BYTES + body.len() + 1) as u32;
        let last = (HEADER_BYTES + last) as u32;
        let mut bytes = [total.to_le_bytes(), last.to_le_bytes()].concat();
        bytes.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(TERMINATOR);
        bytes
    }

    #[test]
    fn every_kind_of_entry() {
        let long = [&[0x80, 0, 0, 0x01, 0x2C][..], &[b'x'; 300]].concat();
        let entries: [&[u8]; 12] = [
            b"\x02hi",
            b"\x40\x03abc",
            &long,
            b"\xC0\xFE\xFF",
            b"\xD0\x00\x00\x01\x00",
            b"\xE0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F",
            b"\xF0\x00\x00\x80",
            b"\xFE\x80",
            b"\xF1",
            b"\xFD",
            b"\x00",
            b"\x01z",
        ];
        let values = read(&ziplist(&entries)).unwrap();
        let expected = [
            "hi",
            "abc",
            &"x".repeat(300),
            "-2",
            "65536",
            "9223372036854775807",
            "-8388608",
            "-128",
            "0",
            "12",
            "",
            "z",
        ];
        assert_eq!(values, expected);
        assert_eq!(read(&ziplist(&[])), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_found_out_or_changes_a_value(at: prop::sample::Index, to: u8) {
            let good = ziplist(&[b"\x02hi", b"\xF1", b"\x03abc", b"\xC0\x01\x02"]);
            let mut bytes = good.clone();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(values) = read(&bytes) {
                prop_assert_eq!(values.len(), 4);
            }
            prop_assert!(read(&bytes[..at]).is_err());
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
