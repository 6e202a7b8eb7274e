//! Integers of any width within strings: BITFIELD, BITFIELD_RO.
//!
//! All operations are read before the first is run, so a mistake in the last changes nothing.

use resp::Reply;

use super::{bits, byte_of, field_offset};
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;

const ENCODING: Arg = Arg::new("field-encoding", ArgKind::String);
const OFFSET: Arg = Arg::new("bit-offset", ArgKind::Integer);
const GET: Arg = Arg::new("get", ArgKind::Block(&[ENCODING, OFFSET])).after("GET");

const OVERFLOW: Arg = Arg::new(
    "overflow",
    ArgKind::OneOf(&[
        Arg::keyword("wrap", "WRAP"),
        Arg::keyword("sat", "SAT"),
        Arg::keyword("fail", "FAIL"),
    ]),
)
.after("OVERFLOW")
.optional();

const WRITE: Arg = Arg::new(
    "write-operation",
    ArgKind::OneOf(&[
        Arg::new("set", ArgKind::Block(&[ENCODING, OFFSET, Arg::new("value", ArgKind::Integer)]))
            .after("SET"),
        Arg::new(
            "incrby",
            ArgKind::Block(&[ENCODING, OFFSET, Arg::new("increment", ArgKind::Integer)]),
        )
        .after("INCRBY"),
    ]),
);

pub(super) const BITFIELD: Command = Command {
    spec: Spec {
        name: "bitfield",
        group: Group::Bitmap,
        since: "3.2.0",
        complexity: "O(1) for each operation",
        summary: "Reads and changes integers of any width within the string at a key.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new(
                "operation",
                ArgKind::OneOf(&[GET, Arg::new("write", ArgKind::Block(&[OVERFLOW, WRITE]))]),
            )
            .optional()
            .multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(bitfield(txn, args))),
};

fn bitfield(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let operations = Operation::read_all(&args[2..])?;
    let Some(last) = last_written(&operations) else {
        return values(txn, args[1], &operations);
    };
    let replies = txn.edit_string(args[1], byte_of(last) + 1, |bytes, len_before| {
        let mut changed = false;
        let grown = bytes.len() > len_before;
        let run = |operation: &Operation| operation.run(bytes, grown, &mut changed);
        let replies = operations.iter().map(run).collect();
        (replies, changed)
    })?;
    Ok(Reply::Array(replies))
}

pub(super) const BITFIELD_RO: Command = Command {
    spec: Spec {
        name: "bitfield_ro",
        group: Group::Bitmap,
        since: "6.0.0",
        complexity: "O(1) for each operation",
        summary: "Reads integers of any width within the string at a key.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key"), GET.optional().multiple()],
    },
    run: Run::Read(|view, args| settle(bitfield_ro(view, args))),
};

fn bitfield_ro<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let operations = Operation::read_all(&args[2..])?;
    if last_written(&operations).is_some() {
        return Err(Reply::error("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    values(view, args[1], &operations)
}

/// Runs operations that all read.
fn values(view: &View<'_>, key: &[u8], operations: &[Operation]) -> Answer<'static> {
    let value = view.string(key)?;
    let mut digits = itoa::Buffer::new();
    let bytes = value.as_ref().map_or(&b""[..], |value| value.as_bytes(&mut digits));
    let reply = |operation: &Operation| Reply::Integer(operation.field.get(bytes));
    Ok(Reply::Array(operations.iter().map(reply).collect()))
}

/// The highest bit that is written.
fn last_written(operations: &[Operation]) -> Option<u64> {
    let writes = operations.iter().filter(|operation| !matches!(operation.action, Action::Get));
    writes.map(|operation| operation.field.last_bit()).max()
}

struct Operation {
    field: Field,
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increase(i64, Overflow),
}

/// What happens to a number that its field cannot hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

impl Operation {
    fn read_all(mut rest: &[&[u8]]) -> Result<Vec<Operation>, Reply<'static>> {
        let mut operations = Vec::new();
        let mut overflow = Overflow::Wrap;
        while let [name, tail @ ..] = rest {
            (operations, rest) = match *tail {
                [how, ref tail @ ..] if is(name, "OVERFLOW") => {
                    overflow = Overflow::named(how)?;
                    (operations, tail)
                }
                [encoding, offset, ref tail @ ..] if is(name, "GET") => {
                    let field = Field::read(encoding, offset)?;
                    operations.push(Operation { field, action: Action::Get });
                    (operations, tail)
                }
                [encoding, offset, number, ref tail @ ..]
                    if is(name, "SET") || is(name, "INCRBY") =>
                {
                    let field = Field::read(encoding, offset)?;
                    let number = integer(number)?;
                    let action = match is(name, "SET") {
                        true => Action::Set(number, overflow),
                        false => Action::Increase(number, overflow),
                    };
                    operations.push(Operation { field, action });
                    (operations, tail)
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(operations)
    }

    /// Runs on a string that holds the whole field if it is written. In a string that has just
    /// `grown` any write is a change, as in Redis.
    fn run(&self, bytes: &mut [u8], grown: bool, changed: &mut bool) -> Reply<'static> {
        let field = &self.field;
        let before = field.get(bytes);
        let (number, overflow) = match self.action {
            Action::Get => return Reply::Integer(before),
            Action::Set(number, overflow) => (field.widened(number), overflow),
            Action::Increase(by, overflow) => (i128::from(before) + i128::from(by), overflow),
        };
        let Some(after) = field.fitted(number, overflow) else { return Reply::Null };
        bits::set_field(bytes, field.offset, field.bits, after as u64);
        *changed |= grown || after != before;
        Reply::Integer(if let Action::Set(..) = self.action { before } else { after })
    }
}

impl Overflow {
    fn named(argument: &[u8]) -> Result<Overflow, Reply<'static>> {
        let names =
            [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
        let found = names.into_iter().find(|(name, _)| is(argument, name));
        let (_, overflow) = found.ok_or(Reply::error("ERR Invalid OVERFLOW type specified"))?;
        Ok(overflow)
    }
}

/// Where an integer lies and how wide it is.
#[derive(Clone, Copy)]
struct Field {
    offset: u64,
    /// 1 to 64; unsigned up to 63.
    bits: u32,
    signed: bool,
}

impl Field {
    fn read(encoding: &[u8], offset: &[u8]) -> Result<Field, Reply<'static>> {
        let width = |digits: &[u8], max: i64| {
            parse_i64(digits).filter(|bits| (1..=max).contains(bits)).map(|bits| bits as u32)
        };
        let (bits, signed) = match encoding {
            [b'i', digits @ ..] => (width(digits, 64), true),
            [b'u', digits @ ..] => (width(digits, 63), false),
            _ => (None, false),
        };
        let bits = bits.ok_or(Reply::error(
            "ERR Invalid bitfield type. Use something like i16 u8. \
             Note that u64 is not supported but i64 is.",
        ))?;
        Ok(Field { offset: field_offset(offset, bits)?, bits, signed })
    }

    fn last_bit(&self) -> u64 {
        self.offset + u64::from(self.bits) - 1
    }

    fn get(&self, bytes: &[u8]) -> i64 {
        self.extended(bits::field(bytes, self.offset, self.bits))
    }

    /// The lowest bits of a number as the field means them.
    fn extended(&self, low: u64) -> i64 {
        let above = 64 - self.bits;
        if self.signed { (low << above) as i64 >> above } else { (low << above >> above) as i64 }
    }

    /// A number before it is fitted: to an unsigned field a negative one is huge, as in Redis.
    fn widened(&self, number: i64) -> i128 {
        if self.signed { i128::from(number) } else { i128::from(number as u64) }
    }

    /// What is stored for a number; `None` if nothing is.
    fn fitted(&self, number: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = match self.signed {
            true => (-1_i128 << (self.bits - 1), (1 << (self.bits - 1)) - 1),
            false => (0, (1 << self.bits) - 1),
        };
        if (min..=max).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.extended(number as u64)),
            Overflow::Saturate => Some(number.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(bits: u32, signed: bool) -> Field {
        Field { offset: 0, bits, signed }
    }

    #[test]
    fn numbers_that_do_not_fit() {
        let table = [
            (field(8, false), 256, 0, 255),
            (field(8, false), -1, 255, 0),
            (field(8, true), 128, -128, 127),
            (field(8, true), -129, 127, -128),
            (field(63, false), 1 << 63, 0, i64::MAX),
            (field(64, true), 1 << 63, i64::MIN, i64::MAX),
            (field(1, true), 1, -1, 0),
            (field(1, false), 2, 0, 1),
        ];
        for (field, number, wrapped, saturated) in table {
            assert_eq!(field.fitted(number, Overflow::Wrap), Some(wrapped), "{number}");
            assert_eq!(field.fitted(number, Overflow::Saturate), Some(saturated), "{number}");
            assert_eq!(field.fitted(number, Overflow::Fail), None, "{number}");
        }
    }
}
