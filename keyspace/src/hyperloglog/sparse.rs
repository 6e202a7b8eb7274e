//! Registers as runs: `00nnnnnn` is n + 1 zeros, `01nnnnnn nnnnnnnn` the same of more,
//! `1vvvvvnn` n + 1 registers of value v + 1.

use super::estimate::Histogram;
use super::hash::Mark;
use super::sketch::{Corrupt, HEADER_BYTES, REGISTERS, Registers};

/// The largest value of a run.
const VALUE_MAX: u8 = 32;
/// The most registers of a run with a value.
const VALUES_MAX: usize = 4;
/// The most registers of a run of zeros in one byte.
const ZEROS_MAX: usize = 64;

const LONG: u8 = 0x40;
const VALUE: u8 = 0x80;

/// After a change so many runs are looked at for neighbours of one value, as in Redis: more than
/// a change can leave behind it.
const MERGE_RUNS_MAX: usize = 5;

/// Registers next to each other with the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) registers: usize,
    /// Its length in the string.
    bytes: usize,
}

impl Run {
    /// Whether it takes two bytes.
    pub(super) fn is_long(&self) -> bool {
        self.bytes > 1
    }

    /// The run at the start of `bytes`, if it is whole.
    fn at_start(bytes: &[u8]) -> Option<Run> {
        Some(match *bytes {
            [byte, ..] if byte & VALUE != 0 => {
                let registers = usize::from(byte & 3) + 1;
                Run { value: (byte >> 2 & 0x1F) + 1, registers, bytes: 1 }
            }
            [high, low, ..] if high & LONG != 0 => {
                let registers = usize::from(u16::from_be_bytes([high & 0x3F, low])) + 1;
                Run { value: 0, registers, bytes: 2 }
            }
            [byte, ..] if byte & LONG == 0 => {
                Run { value: 0, registers: usize::from(byte) + 1, bytes: 1 }
            }
            _ => return None,
        })
    }
}

/// The runs in order; ends with an error where one is cut short.
pub(super) fn runs(mut rest: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let run = Run::at_start(rest).ok_or(Corrupt);
        rest = run.map_or(&[], |run| &rest[run.bytes..]);
        Some(run)
    })
}

/// One register.
pub(super) fn get(bytes: &[u8], register: usize) -> Result<u8, Corrupt> {
    let mut behind = 0;
    for run in runs(bytes) {
        let run = run?;
        behind += run.registers;
        if register < behind {
            return Ok(run.value);
        }
    }
    Err(Corrupt)
}

/// How many registers have which value.
pub(super) fn histogram(bytes: &[u8]) -> Result<Histogram, Corrupt> {
    let mut histogram = Histogram::default();
    for_each(bytes, |_, run| histogram.count(run.value, run.registers as u32))?;
    Ok(histogram)
}

/// Raises each of `all` to at least what it is here.
pub(super) fn merge_into(bytes: &[u8], all: &mut Registers) -> Result<(), Corrupt> {
    for_each(bytes, |first, run| {
        if run.value > 0 {
            for value in &mut all[first..first + run.registers] {
                *value = run.value.max(*value);
            }
        }
    })
}

/// Calls with each run and its first register; an error unless they cover exactly all registers.
fn for_each(bytes: &[u8], mut see: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let mut first = 0;
    for run in runs(bytes) {
        let run = run?;
        if first + run.registers > REGISTERS {
            return Err(Corrupt);
        }
        see(first, run);
        first += run.registers;
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Appends the runs of all registers to a header; `None` if a value is too large for a run or the
/// string would be longer than `bytes_max`.
pub(super) fn append(all: &Registers, bytes_max: usize, out: &mut Vec<u8>) -> Option<()> {
    for run in all.chunk_by(|one, next| one == next) {
        if run[0] > VALUE_MAX || out.len() > bytes_max {
            return None;
        }
        push(run[0], run.len(), out);
    }
    (out.len() <= bytes_max).then_some(())
}

/// Appends registers of one value, which is no larger than [`VALUE_MAX`].
fn push(value: u8, mut registers: usize, out: &mut Vec<u8>) {
    if value > 0 {
        while registers > 0 {
            let taken = registers.min(VALUES_MAX);
            out.push(VALUE | (value - 1) << 2 | (taken - 1) as u8);
            registers -= taken;
        }
    } else if registers > ZEROS_MAX {
        let [high, low] = (registers as u16 - 1).to_be_bytes();
        out.extend_from_slice(&[high | LONG, low]);
    } else if registers > 0 {
        out.push(registers as u8 - 1);
    }
}

/// Raises a register in a string with a header; whether it was lower. `None` if runs cannot say it
/// in `bytes_max` bytes: then nothing is changed.
pub(super) fn raise(
    string: &mut Vec<u8>,
    mark: Mark,
    bytes_max: usize,
) -> Result<Option<bool>, Corrupt> {
    let Located { at, previous, first, run } = locate(string, mark.register)?;
    if run.value >= mark.run {
        return Ok(Some(false));
    }
    if mark.run > VALUE_MAX {
        return Ok(None);
    }
    // At most five bytes: zeros, the register, zeros.
    let mut parts = Vec::with_capacity(5);
    push(run.value, mark.register - first, &mut parts);
    push(mark.run, 1, &mut parts);
    push(run.value, first + run.registers - 1 - mark.register, &mut parts);
    if parts.len() > run.bytes && string.len() + parts.len() - run.bytes > bytes_max {
        return Ok(None);
    }
    string.splice(at..at + run.bytes, parts);
    merge_neighbours(string, previous);
    Ok(Some(true))
}

/// The run that holds a register.
struct Located {
    at: usize,
    /// Where the run before it starts, or it itself if it is the first.
    previous: usize,
    /// Its first register.
    first: usize,
    run: Run,
}

fn locate(string: &[u8], register: usize) -> Result<Located, Corrupt> {
    let (mut at, mut previous, mut first) = (HEADER_BYTES, HEADER_BYTES, 0);
    for run in runs(&string[HEADER_BYTES..]) {
        let run = run?;
        if register < first + run.registers {
            return Ok(Located { at, previous, first, run });
        }
        previous = at;
        at += run.bytes;
        first += run.registers;
    }
    Err(Corrupt)
}

fn merge_neighbours(string: &mut Vec<u8>, mut at: usize) {
    for _ in 0..MERGE_RUNS_MAX {
        let Some(run) = Run::at_start(&string[at..]) else { return };
        let next = Run::at_start(&string[at + run.bytes..]);
        match next.filter(|next| run.value > 0 && next.value == run.value) {
            Some(next) if run.registers + next.registers <= VALUES_MAX => {
                string.remove(at);
                string[at] =
                    VALUE | (run.value - 1) << 2 | (run.registers + next.registers - 1) as u8;
            }
            _ => at += run.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sketch::{Sketch, build, new_header, raise};
    use super::*;

    /// Few registers, so that runs meet and merge.
    fn marks() -> impl Strategy<Value = Vec<(usize, u8)>> {
        let register = prop_oneof![0..70_usize, REGISTERS - 70..REGISTERS, 0..REGISTERS];
        let run = prop_oneof![20 => 1..4_u8, 3 => 4..33_u8, 1 => 33..52_u8];
        prop::collection::vec((register, run), 1..300)
    }

    proptest! {
        #[test]
        fn runs_follow_plain_registers(marks in marks(), bytes_max in 20..300_usize) {
            let mut plain = [0; REGISTERS];
            let mut string = build(&new_header(), &plain, Some(bytes_max));
            for (register, run) in marks {
                let mark = Mark { register, run };
                let was_sparse = matches!(Sketch::of(&string), Some(Sketch::Sparse(_)));
                let raised = raise(&mut string, mark, bytes_max).unwrap();
                prop_assert_eq!(raised, plain[register] < run);
                plain[register] = run.max(plain[register]);
                let sketch = Sketch::of(&string).unwrap();
                prop_assert!(!sketch.is_raised_by(mark).unwrap());
                let is_sparse = matches!(sketch, Sketch::Sparse(_));
                prop_assert!(!is_sparse || string.len() <= bytes_max);
                prop_assert!(was_sparse || !is_sparse, "never back");
            }
            let sketch = Sketch::of(&string).unwrap();
            let mut merged = [0; REGISTERS];
            sketch.merge_into(&mut merged).unwrap();
            prop_assert_eq!(merged, plain);
            let built = build(&new_header(), &plain, Some(bytes_max));
            let built = Sketch::of(&built).unwrap();
            prop_assert_eq!(sketch.histogram(), built.histogram());
        }

        #[test]
        fn any_runs_are_read_or_refused(
            runs: Vec<u8>,
            register in 0..REGISTERS,
            run in 1..52_u8,
        ) {
            let mut string = new_header().to_vec();
            string[4] = 1;
            string.extend(runs);
            let sketch = Sketch::of(&string).unwrap();
            let mut registers = [0; REGISTERS];
            prop_assert_eq!(sketch.histogram().is_ok(), sketch.merge_into(&mut registers).is_ok());
            let _ = raise(&mut string, Mark { register, run }, 3000);
        }
    }
}
