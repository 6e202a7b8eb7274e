//! Where an element is counted: MurmurHash64A with Redis' seed, cut into a register and a run.

use super::sketch::REGISTERS;

const SEED: u64 = 0xADC8_3B19;
const MULTIPLIER: u64 = 0xC6A4_A793_5BD1_E995;
const ROTATION: u32 = 47;

/// Bits of a hash that name the register.
const INDEX_BITS: u32 = REGISTERS.ilog2();

/// The longest run: all bits left are zeros, and the one that ends it is set for us.
pub(super) const RUN_MAX: u8 = (u64::BITS - INDEX_BITS) as u8 + 1;

/// What an element asks of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The register.
    pub(super) register: usize,
    /// What it is at least from now on, 1 to [`RUN_MAX`]: trailing zeros and the one behind them.
    pub(super) run: u8,
}

/// The mark of an element.
pub(super) fn mark(element: &[u8]) -> Mark {
    let hash = murmur(element);
    let run = (hash >> INDEX_BITS).trailing_zeros() + 1;
    let register = hash % REGISTERS as u64;
    Mark { register: register as usize, run: run.min(u32::from(RUN_MAX)) as u8 }
}

fn murmur(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> ROTATION;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> ROTATION).wrapping_mul(MULTIPLIER);
    hash ^ hash >> ROTATION
}
