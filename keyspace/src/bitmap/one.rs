//! Single bits: GETBIT, SETBIT.

use resp::Reply;

use super::{bit_offset, bits, byte_of};
use crate::access::{Txn, View};
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;

pub(super) const GETBIT: Command = Command {
    spec: Spec {
        name: "getbit",
        group: Group::Bitmap,
        since: "2.2.0",
        complexity: "O(1)",
        summary: "Returns a bit of the string at a key.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("bit-offset", ArgKind::Integer)],
    },
    run: Run::Read(|view, args| settle(getbit(view, args))),
};

fn getbit<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let offset = bit_offset(args[2])?;
    let Some(value) = view.string(args[1])? else { return Ok(Reply::Integer(0)) };
    let mut digits = itoa::Buffer::new();
    Ok(Reply::Integer(bits::field(value.as_bytes(&mut digits), offset, 1) as i64))
}

pub(super) const SETBIT: Command = Command {
    spec: Spec {
        name: "setbit",
        group: Group::Bitmap,
        since: "2.2.0",
        complexity: "O(1), and O(N) for N bytes of padding",
        summary: "Sets or clears a bit of the string at a key, padded with zero bytes up to there.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new("bit-offset", ArgKind::Integer),
            Arg::new("value", ArgKind::Integer),
        ],
    },
    run: Run::Write(|txn, args| settle(setbit(txn, args))),
};

fn setbit(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let offset = bit_offset(args[2])?;
    let value = parse_i64(args[3]).and_then(|value| u64::try_from(value).ok());
    let value = value.filter(|value| *value <= 1);
    let value = value.ok_or(Reply::error("ERR bit is not an integer or out of range"))?;
    let before = txn.edit_string(args[1], byte_of(offset) + 1, |bytes, len_before| {
        let before = bits::field(bytes, offset, 1);
        bits::set_field(bytes, offset, 1, value);
        (before, bytes.len() > len_before || before != value)
    })?;
    Ok(Reply::Integer(before as i64))
}
