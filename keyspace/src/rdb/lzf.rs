//! LZF, as Redis compresses strings with: runs of literal bytes, and copies of what is up to 8 KiB
//! back.
//!
//! Leaves out compressing, which readers never insist on.

use crate::wire::Fault;

/// Below this a control byte begins a run of literal bytes, one more than it says.
const LITERALS: u8 = 1 << 5;

/// The longest copy, of three bytes in the input.
const COPY_BYTES_MAX: usize = 264;
const COPY_INPUT_BYTES: usize = 3;

const BROKEN: Fault = "a compressed string that is broken";

/// The `len` bytes that were compressed. Nothing is allocated for a length that the input cannot
/// have.
pub(super) fn decompress(mut input: &[u8], len: usize) -> Result<Vec<u8>, Fault> {
    if len / COPY_BYTES_MAX > input.len() / COPY_INPUT_BYTES + 1 {
        return Err(BROKEN);
    }
    let mut out = Vec::with_capacity(len);
    while let [control, rest @ ..] = input {
        if *control < LITERALS {
            let (literals, rest) =
                rest.split_at_checked(usize::from(*control) + 1).ok_or(BROKEN)?;
            out.extend_from_slice(literals);
            input = rest;
        } else {
            input = copy_back(*control, rest, &mut out, len)?;
        }
        if out.len() > len {
            return Err(BROKEN);
        }
    }
    if out.len() == len { Ok(out) } else { Err(BROKEN) }
}

/// Appends a copy of what was written before; says what is left of the input.
fn copy_back<'i>(
    control: u8,
    mut rest: &'i [u8],
    out: &mut Vec<u8>,
    len: usize,
) -> Result<&'i [u8], Fault> {
    let mut next = || {
        let (first, tail) = rest.split_first().ok_or(BROKEN)?;
        rest = tail;
        Ok::<usize, Fault>(usize::from(*first))
    };
    let mut count = usize::from(control >> 5) + 2;
    if control >> 5 == 7 {
        count += next()?;
    }
    let back = (usize::from(control & 0x1F) << 8 | next()?) + 1;
    let start = out.len().checked_sub(back).ok_or(BROKEN)?;
    if out.len() + count > len {
        return Err(BROKEN);
    }
    if back >= count {
        out.extend_from_within(start..start + count);
    } else {
        // What is copied may itself be part of the copy.
        for at in start..start + count {
            out.push(out[at]);
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_and_copies() {
        assert_eq!(decompress(b"\x02abc", 3).unwrap(), b"abc");
        // A copy of six from one back, then of three from nine back.
        assert_eq!(decompress(b"\x01ab\x80\x00\x20\x07", 11).unwrap(), b"abbbbbbbabb");
        // A long copy says its length in a byte of its own.
        assert_eq!(decompress(b"\x00a\xe0\xff\x00", 265).unwrap(), vec![b'a'; 265]);
        assert_eq!(decompress(b"", 0).unwrap(), b"");
    }

    #[test]
    fn what_is_broken_is_refused() {
        let table: [(&[u8], usize); 8] = [
            (b"\x02ab", 3),
            (b"\x02abc", 2),
            (b"\x02abc", 4),
            (b"\x20\x00", 3),
            (b"\x00a\x20", 4),
            (b"\x00a\xe0", 4),
            (b"\x00a\x20\x01", 4),
            (b"\x00a", usize::MAX),
        ];
        for (input, len) in table {
            assert_eq!(decompress(input, len), Err(BROKEN), "{input:?} {len}");
        }
    }

    proptest! {
        #[test]
        fn any_input(input: Vec<u8>, len in 0..10_000_usize) {
            if let Ok(out) = decompress(&input, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
