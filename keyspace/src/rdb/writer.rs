//! Writing a payload: lengths and strings, as RDB files have them.

use super::reader::{LENGTH_32, LENGTH_64, STRING_I8, STRING_I16, STRING_I32};
use crate::number::parse_i64;
use crate::value::StringValue;

/// Digits of the longest integer of 32 bits, with its sign.
const SMALL_INTEGER_BYTES_MAX: usize = 11;

/// Appends a length, or another number that is stored as one.
pub(super) fn put_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..=0x3F => out.push(length as u8),
        0x40..=0x3FFF => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xFFFF_FFFF => {
            out.push(LENGTH_32);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(LENGTH_64);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// Appends a string; one that is a small integer takes few bytes. None is compressed.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= SMALL_INTEGER_BYTES_MAX
        && let Some(number) = parse_i64(bytes)
        && put_integer(out, number)
    {
        return;
    }
    put_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The same for a value.
pub(super) fn put_value(out: &mut Vec<u8>, value: StringValue<'_>) {
    match value {
        StringValue::Int(number) if put_integer(out, number) => {}
        value => put_string(out, value.as_bytes(&mut itoa::Buffer::new())),
    }
}

/// Appends the shortest form of a number, if it has no more than 32 bits.
fn put_integer(out: &mut Vec<u8>, number: i64) -> bool {
    if let Ok(number) = i8::try_from(number) {
        out.push(STRING_I8);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(STRING_I16);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(STRING_I32);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reader::Reader;
    use super::*;

    proptest! {
        #[test]
        fn lengths_come_back(length: u64, bits in 0..64_u32) {
            let length = length >> bits;
            let mut out = Vec::new();
            put_length(&mut out, length);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.length(), Ok(length));
            prop_assert!(reader.is_done());
        }

        #[test]
        fn strings_come_back(bytes: Vec<u8>, number: i64, bits in 0..64_u32) {
            let number = number >> bits;
            let mut out = Vec::new();
            put_string(&mut out, &bytes);
            put_value(&mut out, StringValue::Int(number));
            put_string(&mut out, number.to_string().as_bytes());
            let mut reader = Reader::new(&out);
            prop_assert_eq!(&*reader.string().unwrap(), &bytes);
            for _ in 0..2 {
                let text = number.to_string();
                prop_assert_eq!(&*reader.string().unwrap(), text.as_bytes());
            }
            prop_assert!(reader.is_done());
        }
    }
}
