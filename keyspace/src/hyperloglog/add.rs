//! PFADD.

use resp::Reply;

use super::dense;
use super::hash::mark;
use super::sketch::{
    Corrupt, REGISTERS, Sketch, build, bytes_of, dense_mut, new_header, outdate, raise,
};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits::Limit;
use crate::value::Ttl;

pub(super) const PFADD: Command = Command {
    spec: Spec {
        name: "pfadd",
        group: Group::HyperLogLog,
        since: "2.8.9",
        complexity: "O(N) for N elements",
        summary: "Adds elements to a HyperLogLog; answers whether its estimate may have risen.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("element", ArgKind::String).optional().multiple()],
    },
    run: Run::Write(|txn, args| settle(pfadd(txn, args))),
};

fn pfadd(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (key, mut elements) = (args[1], &args[2..]);
    let sparse_bytes_max = txn.limits().size(Limit::HllSparse);
    let mut grown = match txn.string(key)? {
        // Only what grows becomes dense.
        None => build(&new_header(), &[0; REGISTERS], Some(usize::MAX)),
        Some(value) => {
            let bytes = bytes_of(value)?;
            let sketch = Sketch::of(bytes).expect("checked just now");
            // Mostly nothing is new, and then the string is neither copied nor touched.
            elements = &elements[known(sketch, elements)?..];
            if elements.is_empty() {
                return Ok(Reply::Integer(0));
            }
            if let Sketch::Dense(_) = sketch {
                add_in_place(txn, key, elements)?;
                return Ok(Reply::Integer(1));
            }
            bytes.to_vec()
        }
    };
    for element in elements {
        raise(&mut grown, mark(element), sparse_bytes_max)?;
    }
    outdate(&mut grown);
    grown.shrink_to_fit();
    txn.set_raw(key, grown, Ttl::Keep);
    Ok(Reply::Integer(1))
}

/// How many of the elements, from the first on, raise nothing.
fn known(sketch: Sketch<'_>, elements: &[&[u8]]) -> Result<usize, Corrupt> {
    for (count, element) in elements.iter().enumerate() {
        if sketch.is_raised_by(mark(element))? {
            return Ok(count);
        }
    }
    Ok(elements.len())
}

/// Adds to a dense HyperLogLog, whose length never changes.
fn add_in_place(txn: &mut Txn<'_>, key: &[u8], elements: &[&[u8]]) -> Result<(), Reply<'static>> {
    txn.edit_string(key, 0, |bytes, _| {
        let registers = dense_mut(bytes).expect("looked at by the caller");
        for element in elements {
            let mark = mark(element);
            dense::raise(registers, mark.register, mark.run);
        }
        outdate(bytes);
        ((), true)
    })?;
    Ok(())
}
