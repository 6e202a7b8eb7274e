//! Parts of strings: APPEND, GETRANGE and SUBSTR, SETRANGE.

use std::borrow::Cow;
use std::ops::Range;

use resp::Reply;

use super::check_length;
use crate::access::{Txn, View};
use crate::argument::{Answer, integer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::StringValue;

pub(super) const APPEND: Command = Command {
    spec: Spec {
        name: "append",
        group: Group::String,
        since: "2.0.0",
        complexity: "O(1), as growth is amortised",
        summary: "Appends to the string at a key, which is created if missing.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    },
    run: Run::Write(|txn, args| settle(append(txn, args))),
};

fn append(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    if let Some(value) = txn.string(args[1])? {
        check_length(value.len() as u64, args[2].len())?;
    }
    let length = txn.append(args[1], args[2])?;
    Ok(Reply::Integer(length as i64))
}

const RANGE: &[Arg] =
    &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)];

pub(super) const GETRANGE: Command = Command {
    spec: Spec {
        name: "getrange",
        group: Group::String,
        since: "2.4.0",
        complexity: "O(N) for N bytes returned",
        summary: "Returns a part of the string at a key.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: RANGE,
    },
    run: Run::Read(|view, args| settle(getrange(view, args))),
};

pub(super) const SUBSTR: Command = Command {
    spec: Spec {
        name: "substr",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(N) for N bytes returned",
        summary: "Returns a part of the string at a key: the old name of GETRANGE.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: RANGE,
    },
    run: Run::Read(|view, args| settle(getrange(view, args))),
};

fn getrange<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let (start, end) = (integer(args[2])?, integer(args[3])?);
    let part = match view.string(args[1])? {
        None => Cow::Borrowed(&b""[..]),
        Some(StringValue::Bytes(bytes)) => Cow::Borrowed(&bytes[inside(start, end, bytes.len())]),
        Some(number @ StringValue::Int(_)) => {
            let digits = number.to_bytes();
            Cow::Owned(digits[inside(start, end, digits.len())].to_vec())
        }
    };
    Ok(Reply::Bulk(part))
}

/// The bytes from `start` to `end`, both included, where negative positions count from the end.
/// As in Redis, an end before the first byte means the first byte, unless the range runs
/// backwards already as it is written.
fn inside(start: i64, end: i64, length: usize) -> Range<usize> {
    let length = length as i64;
    if length == 0 || (start < 0 && end < 0 && start > end) {
        return 0..0;
    }
    let place = |at: i64| if at < 0 { (length + at).max(0) } else { at };
    let (start, end) = (place(start), place(end).min(length - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

pub(super) const SETRANGE: Command = Command {
    spec: Spec {
        name: "setrange",
        group: Group::String,
        since: "2.2.0",
        complexity: "O(N) for N bytes written or padded",
        summary: "Overwrites a part of the string at a key, padded with zero bytes up to there.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new("offset", ArgKind::Integer),
            Arg::new("value", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| settle(setrange(txn, args))),
};

fn setrange(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (key, value) = (args[1], args[3]);
    let Ok(offset) = u64::try_from(integer(args[2])?) else {
        return Err(Reply::error("ERR offset is out of range"));
    };
    let length = txn.string(key)?.map_or(0, |value| value.len());
    if value.is_empty() {
        // Changes nothing, not even a missing key into an empty string.
        return Ok(Reply::Integer(length as i64));
    }
    check_length(offset, value.len())?;
    let offset = usize::try_from(offset).expect("the length limit is far below 32 bits");
    let bytes = txn.string_mut(key, offset + value.len())?;
    bytes[offset..offset + value.len()].copy_from_slice(value);
    Ok(Reply::Integer(bytes.len() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_redis_cuts_them() {
        let table = [
            (0, -1, "hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-100, 100, "hello"),
            (3, 1, ""),
            (-1, -3, ""),
            (5, 9, ""),
            (0, -100, "h"),
            (-100, -50, "h"),
            (i64::MIN, i64::MIN, "h"),
            (i64::MAX, i64::MAX, ""),
            (i64::MIN, i64::MAX, "hello"),
        ];
        for (start, end, expected) in table {
            assert_eq!(&"hello"[inside(start, end, 5)], expected, "{start} {end}");
        }
        assert_eq!(inside(0, -1, 0), 0..0);
    }
}
