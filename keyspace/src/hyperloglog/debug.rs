//! PFDEBUG: how a HyperLogLog is stored.

use std::borrow::Cow;
use std::fmt::Write;

use resp::Reply;

use super::sketch::{Corrupt, REGISTERS, Sketch, bytes_of, to_dense};
use super::sparse;
use crate::access::Txn;
use crate::argument::{Answer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::Ttl;

pub(super) const PFDEBUG: Command = Command {
    spec: Spec {
        name: "pfdebug",
        group: Group::HyperLogLog,
        since: "2.8.9",
        complexity: "O(1)",
        summary: "Shows how a HyperLogLog is stored, or packs its registers.",
        arity: 3,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::ADMIN),
        args: &[Arg::new("subcommand", ArgKind::String), Arg::key("key")],
    },
    run: Run::Write(|txn, args| settle(pfdebug(txn, args))),
};

fn pfdebug(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (subcommand, key) = (args[1], args[2]);
    let Some(value) = txn.string(key)? else {
        return Err(Reply::error("ERR The specified key does not exist"));
    };
    let bytes = bytes_of(value)?;
    let sketch = Sketch::of(bytes).expect("checked just now");
    if is(subcommand, "ENCODING") {
        return Ok(Reply::Status(Cow::Borrowed(match sketch {
            Sketch::Dense(_) => "dense",
            Sketch::Sparse(_) => "sparse",
        })));
    }
    if is(subcommand, "DECODE") {
        return match sketch {
            Sketch::Dense(_) => Err(Reply::error("ERR HLL encoding is not sparse")),
            Sketch::Sparse(runs) => Ok(Reply::Bulk(Cow::Owned(decoded(runs)?.into_bytes()))),
        };
    }
    let reply = if is(subcommand, "GETREG") {
        let mut registers = [0; REGISTERS];
        sketch.merge_into(&mut registers)?;
        Reply::Array(registers.iter().map(|value| Reply::Integer((*value).into())).collect())
    } else if is(subcommand, "TODENSE") {
        Reply::Integer(matches!(sketch, Sketch::Sparse(_)).into())
    } else {
        let name = String::from_utf8_lossy(subcommand);
        return Err(Reply::Error(Cow::Owned(format!("ERR Unknown PFDEBUG subcommand '{name}'"))));
    };
    if let Sketch::Sparse(_) = sketch {
        let packed = to_dense(bytes)?;
        txn.set_raw(key, packed, Ttl::Keep);
    }
    Ok(reply)
}

/// The runs as text: `Z:` and `z:` are zeros, `v:` a value and its registers.
fn decoded(runs: &[u8]) -> Result<String, Corrupt> {
    let mut text = String::new();
    for run in sparse::runs(runs) {
        let run = run?;
        let sparse::Run { value, registers, .. } = run;
        let separator = if text.is_empty() { "" } else { " " };
        let written = match (value, run.is_long()) {
            (0, true) => write!(text, "{separator}Z:{registers}"),
            (0, false) => write!(text, "{separator}z:{registers}"),
            _ => write!(text, "{separator}v:{value},{registers}"),
        };
        written.expect("a string takes everything");
    }
    Ok(text)
}
