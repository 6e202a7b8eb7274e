//! Ranges of bits: BITCOUNT, BITPOS.
//!
//! As in Redis, a missing key answers before anything behind it is looked at.

use std::ops::Range;

use resp::Reply;

use super::bits;
use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const UNIT: Arg =
    Arg::new("unit", ArgKind::OneOf(&[Arg::keyword("byte", "BYTE"), Arg::keyword("bit", "BIT")]))
        .optional();

pub(super) const BITCOUNT: Command = Command {
    spec: Spec {
        name: "bitcount",
        group: Group::Bitmap,
        since: "2.6.0",
        complexity: "O(N) for N bytes",
        summary: "Counts the bits that are set in the string at a key, or in a part of it.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new(
                "range",
                ArgKind::Block(&[
                    Arg::new("start", ArgKind::Integer),
                    Arg::new("end", ArgKind::Integer),
                    UNIT,
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(bitcount(view, args))),
};

fn bitcount<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let Some(value) = view.string(args[1])? else { return Ok(Reply::Integer(0)) };
    let mut digits = itoa::Buffer::new();
    let bytes = value.as_bytes(&mut digits);
    let range = match args[2..] {
        [] => 0..bytes.len() as u64 * 8,
        [start, end, ref unit @ ..] if unit.len() <= 1 => {
            let (start, end) = (integer(start)?, integer(end)?);
            if start < 0 && end < 0 && start > end {
                return Ok(Reply::Integer(0));
            }
            Unit::of(unit.first().copied())?.range(start, end, bytes.len())
        }
        _ => return Err(SYNTAX),
    };
    Ok(Reply::Integer(bits::count(bytes, range) as i64))
}

pub(super) const BITPOS: Command = Command {
    spec: Spec {
        name: "bitpos",
        group: Group::Bitmap,
        since: "2.8.7",
        complexity: "O(N) for N bytes",
        summary: "Finds the first bit that is set, or clear, in the string at a key.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("bit", ArgKind::Integer),
            Arg::new(
                "range",
                ArgKind::Block(&[
                    Arg::new("start", ArgKind::Integer),
                    Arg::new(
                        "end-range",
                        ArgKind::Block(&[Arg::new("end", ArgKind::Integer), UNIT]),
                    )
                    .optional(),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(bitpos(view, args))),
};

fn bitpos<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let set = match integer(args[2])? {
        0 => false,
        1 => true,
        _ => return Err(Reply::error("ERR The bit argument must be 1 or 0.")),
    };
    let Some(value) = view.string(args[1])? else {
        return Ok(Reply::Integer(if set { -1 } else { 0 }));
    };
    let mut digits = itoa::Buffer::new();
    let bytes = value.as_bytes(&mut digits);
    let rest = &args[3..];
    let range = match *rest {
        [] => 0..bytes.len() as u64 * 8,
        [start] => Unit::Byte.range(integer(start)?, i64::MAX, bytes.len()),
        [start, end, ref unit @ ..] if unit.len() <= 1 => {
            let start = integer(start)?;
            let unit = Unit::of(unit.first().copied())?;
            unit.range(start, integer(end)?, bytes.len())
        }
        _ => return Err(SYNTAX),
    };
    let (is_empty, behind) = (range.is_empty(), range.end);
    Ok(Reply::Integer(match bits::find(bytes, set, range) {
        Some(at) => at as i64,
        // Without an end the string goes on with zeros for ever.
        None if !set && rest.len() < 2 && !is_empty => behind as i64,
        None => -1,
    }))
}

/// What a range counts.
#[derive(Clone, Copy)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn of(argument: Option<&[u8]>) -> Result<Unit, Reply<'static>> {
        match argument {
            None => Ok(Unit::Byte),
            Some(unit) if is(unit, "BYTE") => Ok(Unit::Byte),
            Some(unit) if is(unit, "BIT") => Ok(Unit::Bit),
            Some(_) => Err(SYNTAX),
        }
    }

    /// The bits from `start` to `end`, both included, negative from the end; either may lie before
    /// the first and then means that.
    fn range(self, start: i64, end: i64, bytes: usize) -> Range<u64> {
        let bits_each: i64 = match self {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        let count = bytes as i64 * 8 / bits_each;
        let place = |at: i64| if at < 0 { (count + at).max(0) } else { at };
        let (start, end) = (place(start), place(end).min(count - 1));
        if start > end {
            return 0..0;
        }
        (start * bits_each) as u64..((end + 1) * bits_each) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_from_both_ends() {
        let table = [
            (Unit::Byte, 0, -1, 0..24),
            (Unit::Byte, 1, 1, 8..16),
            (Unit::Byte, -2, -2, 8..16),
            (Unit::Byte, 2, 1, 0..0),
            (Unit::Byte, -100, -50, 0..8),
            (Unit::Byte, i64::MIN, i64::MAX, 0..24),
            (Unit::Byte, i64::MAX, i64::MAX, 0..0),
            (Unit::Bit, 0, -1, 0..24),
            (Unit::Bit, 5, 9, 5..10),
            (Unit::Bit, -100, -50, 0..1),
            (Unit::Bit, i64::MIN, i64::MIN, 0..1),
        ];
        for (unit, start, end, expected) in table {
            assert_eq!(unit.range(start, end, 3), expected, "{start} {end}");
            assert_eq!(unit.range(start, end, 0), 0..0, "{start} {end}");
        }
    }
}
