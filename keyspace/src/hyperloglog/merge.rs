//! PFMERGE.

use resp::Reply;

use super::sketch::{EMPTY_BYTES, REGISTERS, Sketch, build, bytes_of, new_header, outdate};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits::Limit;
use crate::value::Ttl;

pub(super) const PFMERGE: Command = Command {
    spec: Spec {
        name: "pfmerge",
        group: Group::HyperLogLog,
        since: "2.8.9",
        complexity: "O(N) for N keys, of some 10 µs each",
        summary: "Adds what was added to some HyperLogLogs to another one, created if missing.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[Arg::key("destkey"), Arg::key("sourcekey").optional().multiple()],
    },
    run: Run::Write(|txn, args| settle(pfmerge(txn, args))),
};

fn pfmerge(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let destination = args[1];
    let mut registers = [0; REGISTERS];
    let mut header = new_header();
    // Once dense never sparse again, and dense sources make a dense destination.
    let mut sparse_bytes_max = Some(txn.limits().size(Limit::HllSparse).max(EMPTY_BYTES));
    for (at, key) in args[1..].iter().enumerate() {
        let Some(value) = txn.string(key)? else { continue };
        let bytes = bytes_of(value)?;
        let sketch = Sketch::of(bytes).expect("checked just now");
        if let Sketch::Dense(_) = sketch {
            sparse_bytes_max = None;
        }
        sketch.merge_into(&mut registers)?;
        if at == 0 {
            // Only what grows becomes dense, whatever the limit is by now.
            sparse_bytes_max = sparse_bytes_max.map(|max| max.max(bytes.len()));
            header = *bytes.first_chunk().expect("every HyperLogLog has a header");
        }
    }
    let mut merged = build(&header, &registers, sparse_bytes_max);
    outdate(&mut merged);
    merged.shrink_to_fit();
    txn.set_raw(destination, merged, Ttl::Keep);
    Ok(Reply::OK)
}
