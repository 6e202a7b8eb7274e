//! PFCOUNT.

use resp::Reply;

use super::estimate::Histogram;
use super::sketch::{REGISTERS, Sketch, bytes_of, last_estimate};
use crate::access::View;
use crate::argument::{Answer, settle};
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};

/// Redis notes a new estimate in the string, which makes this read a write: the key is touched and
/// the change replicated. Here it stays a read, which any replica may answer, and the estimate is
/// worked out each time registers have risen since somebody noted one (some 10 µs).
pub(super) const PFCOUNT: Command = Command {
    spec: Spec {
        name: "pfcount",
        group: Group::HyperLogLog,
        since: "2.8.9",
        complexity: "O(N) for N keys, of some 10 µs each",
        summary: "Estimates how many different elements were added to HyperLogLogs in all.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY,
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Read(|view, args| settle(pfcount(view, args))),
};

fn pfcount<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    if let [_, key] = args {
        let Some(value) = view.string(key)? else { return Ok(Reply::Integer(0)) };
        let bytes = bytes_of(value)?;
        if let Some(estimate) = last_estimate(bytes) {
            return Ok(Reply::Integer(estimate));
        }
        let sketch = Sketch::of(bytes).expect("checked just now");
        return Ok(Reply::Integer(sketch.histogram()?.estimate()));
    }
    let mut registers = [0; REGISTERS];
    for key in &args[1..] {
        if let Some(value) = view.string(key)? {
            let sketch = Sketch::of(bytes_of(value)?).expect("checked just now");
            sketch.merge_into(&mut registers)?;
        }
    }
    let mut histogram = Histogram::default();
    registers.iter().for_each(|value| histogram.count(*value, 1));
    Ok(Reply::Integer(histogram.estimate()))
}
