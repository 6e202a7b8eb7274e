//! One element of a listpack as bytes: a head that says what it is, the string's body, and the
//! length of both again, to be read backwards.
//!
//! | first byte | what it is |
//! |---|---|
//! | `0xxxxxxx` | an integer from 0 to 127 |
//! | `10xxxxxx` | a string of up to 63 bytes |
//! | `110xxxxx` | an integer of 13 bits, its upper five here |
//! | `1110xxxx` | a string of up to 4095 bytes, its length's upper four bits here |
//! | `F0` | a string behind its length as a `u32` |
//! | `F1` to `F4` | an integer of 16, 24, 32 or 64 bits |
//! | `FF` | the end of the listpack |
//!
//! What has more than a byte is little-endian, but the second and the fourth kind of number are
//! big-endian, and so is the length at the end: seven bits in each byte, the highest bit set in
//! all but the first.

use crate::number::parse_i64;
use crate::value::StringValue;

/// Stands where another element's head would.
pub(super) const TERMINATOR: u8 = 0xFF;

/// The longest head: an integer of 64 bits.
const HEAD_BYTES_MAX: usize = 9;

/// The longest length at an element's end.
const BACKLEN_BYTES_MAX: usize = 5;

/// An element to store or to look for: an integer exactly if its text is the canonical form of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'e>(StringValue<'e>);

impl<'e, T: AsRef<[u8]> + ?Sized> From<&'e T> for Element<'e> {
    fn from(bytes: &'e T) -> Element<'e> {
        Element(StringValue::encode(bytes.as_ref()))
    }
}

impl<'e> From<StringValue<'e>> for Element<'e> {
    /// Bytes are looked at again, since those of a string that was changed in place may well be
    /// an integer's.
    fn from(value: StringValue<'e>) -> Element<'e> {
        match value {
            StringValue::Int(_) => Element(value),
            StringValue::Bytes(bytes) => Element(StringValue::encode(bytes)),
        }
    }
}

impl From<i64> for Element<'_> {
    fn from(number: i64) -> Self {
        Element(StringValue::Int(number))
    }
}

impl<'e> Element<'e> {
    /// Its shortest encoding.
    pub(super) fn encode(self) -> Encoded<'e> {
        match self.0 {
            StringValue::Int(number) => Encoded::integer(number),
            StringValue::Bytes(bytes) => Encoded::string(bytes),
        }
    }

    /// Whether an element that was read says the same. What came with RESTORE may hold integers
    /// as text, so a string's bytes have the last word.
    pub(super) fn is(self, other: StringValue<'_>) -> bool {
        match (self.0, other) {
            (StringValue::Int(left), StringValue::Int(right)) => left == right,
            (StringValue::Bytes(left), StringValue::Bytes(right)) => left == right,
            (StringValue::Int(number), StringValue::Bytes(bytes)) => {
                parse_i64(bytes) == Some(number)
            }
            (StringValue::Bytes(_), StringValue::Int(_)) => false,
        }
    }
}

/// An element ready to be written.
pub(super) struct Encoded<'e> {
    head: [u8; HEAD_BYTES_MAX],
    head_len: u8,
    body: &'e [u8],
}

impl<'e> Encoded<'e> {
    fn new<const N: usize>(bytes: [u8; N], body: &'e [u8]) -> Encoded<'e> {
        const { assert!(N <= HEAD_BYTES_MAX) };
        let mut head = [0; HEAD_BYTES_MAX];
        head[..N].copy_from_slice(&bytes);
        Encoded { head, head_len: N as u8, body }
    }

    fn integer(number: i64) -> Encoded<'static> {
        match number {
            0..=127 => Encoded::new([number as u8], &[]),
            -4096..=4095 => {
                let [high, low] = (number as u16 & 0x1FFF | 0xC000).to_be_bytes();
                Encoded::new([high, low], &[])
            }
            -0x8000..=0x7FFF => {
                let [a, b] = (number as i16).to_le_bytes();
                Encoded::new([0xF1, a, b], &[])
            }
            -0x80_0000..=0x7F_FFFF => {
                let [a, b, c, _] = (number as i32).to_le_bytes();
                Encoded::new([0xF2, a, b, c], &[])
            }
            -0x8000_0000..=0x7FFF_FFFF => {
                let [a, b, c, d] = (number as i32).to_le_bytes();
                Encoded::new([0xF3, a, b, c, d], &[])
            }
            _ => {
                let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
                Encoded::new([0xF4, a, b, c, d, e, f, g, h], &[])
            }
        }
    }

    fn string(body: &'e [u8]) -> Encoded<'e> {
        match body.len() {
            len @ 0..=63 => Encoded::new([0x80 | len as u8], body),
            len @ 64..=4095 => {
                let [high, low] = (len as u16 | 0xE000).to_be_bytes();
                Encoded::new([high, low], body)
            }
            len => {
                let len = u32::try_from(len).expect("callers asked whether it fits");
                let [a, b, c, d] = len.to_le_bytes();
                Encoded::new([0xF0, a, b, c, d], body)
            }
        }
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// Head and body.
    fn content_bytes(&self) -> usize {
        usize::from(self.head_len) + self.body.len()
    }

    /// All that it takes in a listpack.
    pub(super) fn bytes(&self) -> usize {
        whole_bytes(self.content_bytes())
    }

    /// Appends it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        // Almost all heads and lengths are one byte, for which a copy of n bytes is a detour.
        match self.head() {
            [byte] => out.push(*byte),
            bytes => out.extend_from_slice(bytes),
        }
        out.extend_from_slice(self.body);
        match self.content_bytes() {
            short @ 0..=127 => out.push(short as u8),
            content => {
                let (bytes, len) = backlen(content);
                out.extend_from_slice(&bytes[..len]);
            }
        }
    }

    /// Writes it over `place`, which is as long as it.
    pub(super) fn write(&self, place: &mut [u8]) {
        let (head, rest) = place.split_at_mut(self.head().len());
        let (body, end) = rest.split_at_mut(self.body.len());
        head.copy_from_slice(self.head());
        body.copy_from_slice(self.body);
        let (bytes, len) = backlen(self.content_bytes());
        end.copy_from_slice(&bytes[..len]);
    }
}

/// The bytes of `content`, which are an element's head and body, with the length behind them.
fn whole_bytes(content: usize) -> usize {
    content + backlen_bytes(content)
}

/// The bytes that the length of so many bytes takes. The limits are Redis': three of them are one
/// below what would fit.
fn backlen_bytes(content: usize) -> usize {
    match content {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// The length behind an element, and how many bytes it is.
fn backlen(content: usize) -> ([u8; BACKLEN_BYTES_MAX], usize) {
    let len = backlen_bytes(content);
    let mut bytes = [0; BACKLEN_BYTES_MAX];
    let mut rest = content;
    for byte in bytes[..len].iter_mut().rev() {
        *byte = rest as u8 & 0x7F | 0x80;
        rest >>= 7;
    }
    bytes[0] &= 0x7F;
    (bytes, len)
}

/// The lengths of head and body of the element at the start of `bytes`; `None` if its head is cut
/// short or is none. The body may still be cut short.
fn head_and_body(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    Some(match first {
        0x00..=0x7F => (1, 0),
        0x80..=0xBF => (1, usize::from(first & 0x3F)),
        0xC0..=0xDF => (2, 0),
        0xE0..=0xEF => (2, usize::from(first & 0x0F) << 8 | usize::from(*bytes.get(1)?)),
        0xF0 => (5, u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize),
        0xF1 => (3, 0),
        0xF2 => (4, 0),
        0xF3 => (5, 0),
        0xF4 => (9, 0),
        _ => return None,
    })
}

/// All the bytes of the element at the start of `bytes`; `None` if its head is broken.
pub(super) fn element_bytes(bytes: &[u8]) -> Option<usize> {
    let (head, body) = head_and_body(bytes)?;
    Some(whole_bytes(head.checked_add(body)?))
}

/// The element at the start of `bytes` and all the bytes it takes; `None` if it is broken. The
/// length behind it is not looked at.
pub(super) fn decode(bytes: &[u8]) -> Option<(StringValue<'_>, usize)> {
    let (head_len, body_len) = head_and_body(bytes)?;
    let content = head_len.checked_add(body_len)?;
    let (head, body) = bytes.get(..content)?.split_at(head_len);
    let value = match *head {
        [a @ 0x00..=0x7F] => StringValue::Int(a.into()),
        [0x80..=0xBF] | [0xE0..=0xEF, _] | [0xF0, ..] => StringValue::Bytes(body),
        // Shifted up and down again, the highest bit becomes the sign.
        [a @ 0xC0..=0xDF, b] => StringValue::Int((i16::from_be_bytes([a, b]) << 3 >> 3).into()),
        [0xF1, a, b] => StringValue::Int(i16::from_le_bytes([a, b]).into()),
        [0xF2, a, b, c] => StringValue::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()),
        [0xF3, a, b, c, d] => StringValue::Int(i32::from_le_bytes([a, b, c, d]).into()),
        [0xF4, a, b, c, d, e, f, g, h] => {
            StringValue::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
        _ => return None,
    };
    Some((value, whole_bytes(content)))
}

/// All the bytes of the element at the end of `bytes`, by the length behind it; `None` if that is
/// broken.
pub(super) fn last_element_bytes(bytes: &[u8]) -> Option<usize> {
    let mut content = 0;
    for (place, byte) in bytes.iter().rev().take(BACKLEN_BYTES_MAX).enumerate() {
        content |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(whole_bytes(content));
        }
    }
    None
}

/// Whether an element, given with all its bytes, ends with the length of those before.
pub(super) fn is_closed(whole: &[u8]) -> bool {
    let content = head_and_body(whole).map(|(head, body)| head + body);
    content.is_some_and(|content| {
        let (bytes, len) = backlen(content);
        whole.get(content..) == Some(&bytes[..len])
    })
}
