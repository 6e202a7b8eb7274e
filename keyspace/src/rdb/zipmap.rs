//! Zipmaps, which Redis had for small hashes before version 2.6.
//!
//! The number of fields in a byte, then each field and its value behind their lengths, then a
//! terminator. Behind a value's length is a byte that says how much room follows the value.

use super::reader::Reader;
use crate::wire::Fault;

/// Before a length of this many bytes or more, as a `u32`; as the number of fields: unknown.
const LONG: u8 = 254;
const TERMINATOR: u8 = 0xFF;

/// A field and its value.
type Pair<'z> = (&'z [u8], &'z [u8]);

/// The fields of a zipmap that is checked as it is read.
pub(super) struct Zipmap<'z> {
    rest: Reader<'z>,
    left: Option<u8>,
}

impl<'z> Zipmap<'z> {
    pub(super) fn new(bytes: &'z [u8]) -> Result<Zipmap<'z>, Fault> {
        let mut rest = Reader::new(bytes);
        let count = rest.byte()?;
        Ok(Zipmap { rest, left: (count < LONG).then_some(count) })
    }

    /// The next field and its value; at the end `None`, if the count was right.
    pub(super) fn next(&mut self) -> Result<Option<Pair<'z>>, Fault> {
        let first = self.rest.byte()?;
        if first == TERMINATOR {
            return match self.left {
                None | Some(0) if self.rest.is_done() => Ok(None),
                _ => Err("a zipmap of other fields than it says"),
            };
        }
        let length = self.length(first)?;
        let field = self.rest.bytes(length)?;
        let first = self.rest.byte()?;
        let length = self.length(first)?;
        let room = self.rest.byte()?;
        let value = self.rest.bytes(length)?;
        self.rest.bytes(room.into())?;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or("a zipmap of more fields than it says")?;
        }
        Ok(Some((field, value)))
    }

    fn length(&mut self, first: u8) -> Result<u64, Fault> {
        match first {
            TERMINATOR => Err("a zipmap with a field without a value"),
            LONG => Ok(u32::from_le_bytes(self.rest.array()?).into()),
            short => Ok(short.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Pair<'_>>, Fault> {
        let mut zipmap = Zipmap::new(bytes)?;
        let mut pairs = Vec::new();
        while let Some(pair) = zipmap.next()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }

    #[test]
    fn fields_values_and_the_room_between_them() {
        let bytes = b"\x02\x03foo\x03\x00bar\x05hello\xfe\x05\x00\x00\x00\x02world..\xff";
        let pairs = read(bytes).unwrap();
        assert_eq!(pairs, [(&b"foo"[..], &b"bar"[..]), (b"hello", b"world")]);
        assert_eq!(read(b"\x00\xff"), Ok(vec![]));
        assert_eq!(read(b"\xfe\x00\x00\x00\xff"), Ok(vec![(&b""[..], &b""[..])]));
        let broken: [&[u8]; 6] =
            [b"", b"\x00", b"\x01\xff", b"\x00\x00\x00\x00\xff", b"\x01\x00\xff", b"\x00\xff\xff"];
        for bytes in broken {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
