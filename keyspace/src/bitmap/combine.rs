//! Whole bitmaps combined: BITOP.

use resp::Reply;

use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::{StringValue, Ttl};

pub(super) const BITOP: Command = Command {
    spec: Spec {
        name: "bitop",
        group: Group::Bitmap,
        since: "2.6.0",
        complexity: "O(N) for N bytes in all strings together",
        summary: "Combines the strings at some keys bit by bit into one at another key.",
        arity: -4,
        keys: Keys::Range { first: 2, last: -1, step: 1 },
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::new("bit-operation", ArgKind::String),
            Arg::key("destkey"),
            Arg::key("key").multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(bitop(txn, args))),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
}

impl Operation {
    fn named(argument: &[u8]) -> Option<Operation> {
        let names = [
            ("AND", Operation::And),
            ("OR", Operation::Or),
            ("XOR", Operation::Xor),
            ("NOT", Operation::Not),
        ];
        names.into_iter().find(|(name, _)| is(argument, name)).map(|(_, operation)| operation)
    }
}

fn bitop(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let operation = Operation::named(args[1]).ok_or(SYNTAX)?;
    let (destination, keys) = (args[2], &args[3..]);
    if operation == Operation::Not && keys.len() != 1 {
        return Err(Reply::error("ERR BITOP NOT must be called with a single source key."));
    }
    let mut sources = Vec::with_capacity(keys.len());
    for key in keys {
        sources.push(txn.string(key)?.unwrap_or(StringValue::Bytes(b"")));
    }
    let result = combined(operation, &sources);
    let length = result.len();
    if result.is_empty() {
        txn.remove(destination);
    } else {
        txn.set_raw(destination, result, Ttl::Clear);
    }
    Ok(Reply::Integer(length as i64))
}

/// As long as the longest of the sources, of which there is at least one.
fn combined(operation: Operation, sources: &[StringValue<'_>]) -> Vec<u8> {
    let longest = sources.iter().map(StringValue::len).max().unwrap_or(0);
    let mut digits = itoa::Buffer::new();
    let mut result = Vec::with_capacity(longest);
    result.extend_from_slice(sources[0].as_bytes(&mut digits));
    result.resize(longest, 0);
    // The loops are plain, so that the compiler makes them of its widest words.
    if operation == Operation::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    for source in &sources[1..] {
        let mut digits = itoa::Buffer::new();
        let source = source.as_bytes(&mut digits);
        let (common, past) = result.split_at_mut(source.len());
        let pairs = common.iter_mut().zip(source);
        match operation {
            Operation::And => {
                pairs.for_each(|(byte, other)| *byte &= other);
                past.fill(0);
            }
            Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
            Operation::Xor => pairs.for_each(|(byte, other)| *byte ^= other),
            Operation::Not => unreachable!("it has one source"),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_byte_is_combined_with_zeros_past_the_ends(
            strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..5),
        ) {
            let sources: Vec<StringValue<'_>> =
                strings.iter().map(|bytes| StringValue::Bytes(bytes)).collect();
            let longest = strings.iter().map(Vec::len).max().unwrap();
            let byte = |string: &Vec<u8>, at: usize| string.get(at).copied().unwrap_or(0);
            for operation in [Operation::And, Operation::Or, Operation::Xor] {
                let combine = |one: u8, other: u8| match operation {
                    Operation::And => one & other,
                    Operation::Or => one | other,
                    Operation::Xor | Operation::Not => one ^ other,
                };
                let expected: Vec<u8> = (0..longest)
                    .map(|at| strings.iter().map(|it| byte(it, at)).reduce(combine).unwrap())
                    .collect();
                prop_assert_eq!(combined(operation, &sources), expected);
            }
            let inverse: Vec<u8> = strings[0].iter().map(|byte| !byte).collect();
            prop_assert_eq!(combined(Operation::Not, &sources[..1]), inverse);
        }
    }
}
