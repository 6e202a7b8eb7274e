//! Fields whose values are numbers: HINCRBY, HINCRBYFLOAT.

use resp::Reply;

use super::Hash;
use crate::access::Txn;
use crate::argument::{Answer, integer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::{Extended, parse_i64};
use crate::value::StringValue;

const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

pub(super) const HINCRBY: Command = Command {
    spec: Spec {
        name: "hincrby",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Adds to the integer in a field of a hash; a missing field counts as 0.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("field", ArgKind::String),
            Arg::new("increment", ArgKind::Integer),
        ],
    },
    run: Run::Write(|txn, args| settle(hincrby(txn, args))),
};

fn hincrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let increment = integer(args[3])?;
    let sum = |before: Option<StringValue<'_>>| {
        let before = match before {
            None => 0,
            Some(StringValue::Int(number)) => number,
            Some(StringValue::Bytes(bytes)) => {
                parse_i64(bytes).ok_or(Reply::error("ERR hash value is not an integer"))?
            }
        };
        let sum = before.checked_add(increment);
        sum.ok_or(Reply::error("ERR increment or decrement would overflow"))
    };
    let after = replace(txn, args, sum, |sum| StringValue::Int(*sum))?;
    Ok(Reply::Integer(after))
}

pub(super) const HINCRBYFLOAT: Command = Command {
    spec: Spec {
        name: "hincrbyfloat",
        group: Group::Hash,
        since: "2.6.0",
        complexity: "O(1)",
        summary: "Adds to the floating point number in a field of a hash; a missing field \
                  counts as 0.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("field", ArgKind::String),
            Arg::new("increment", ArgKind::Double),
        ],
    },
    run: Run::Write(|txn, args| settle(hincrbyfloat(txn, args))),
};

fn hincrbyfloat(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let increment = Extended::parse(args[3]);
    let increment = increment.ok_or(Reply::error("ERR value is not a valid float"))?;
    if increment.is_infinite() {
        return Err(Reply::error("ERR value is NaN or Infinity"));
    }
    let sum = |before: Option<StringValue<'_>>| {
        let before = match before {
            None => Extended::parse(b"0"),
            Some(value) => Extended::parse(value.as_bytes(&mut itoa::Buffer::new())),
        };
        let before = before.ok_or(Reply::error("ERR hash value is not a float"))?;
        let sum = before.add(increment);
        let sum = sum.ok_or(Reply::error("ERR increment would produce NaN or Infinity"))?;
        Ok(sum.to_text().into_bytes())
    };
    let text = replace(txn, args, sum, |text| StringValue::Bytes(text))?;
    Ok(Reply::Bulk(text.into()))
}

/// Sets a field to what `change` makes of its value, unless that answers an error.
fn replace<T>(
    txn: &mut Txn<'_>,
    args: Args<'_>,
    change: impl FnOnce(Option<StringValue<'_>>) -> Result<T, Reply<'static>>,
    value: impl FnOnce(&T) -> StringValue<'_>,
) -> Result<T, Reply<'static>> {
    let (field, limits) = (args[2], txn.limits());
    txn.edit_or_create::<Hash, _>(args[1], |hash| {
        let changed = change(hash.get(field));
        match &changed {
            Ok(after) => {
                hash.set(field, value(after), &limits);
            }
            Err(_) => hash.unchanged(),
        }
        changed
    })?
}
