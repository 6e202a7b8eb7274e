//! The hash of a key within its slot's table, and of entries in a digest.
//!
//! Keyed, so that a client who does not know the key cannot make a table's keys collide; written
//! out here, so that it is the same in every build and on every platform, because SCAN's cursors
//! and RANDOMKEY follow its order and must survive a change of leader. 128-bit products are folded
//! to 64 bits, as in wyhash; both factors of each product carry secret bits, so that no input that
//! is known from outside makes one of them zero.

/// Odd numbers with as many ones as zeros, in no pattern: the digits of the golden ratio and of
/// the square roots of 2 and 3.
const MIX: [u64; 3] = [0x9E37_79B9_7F4A_7C15, 0x6A09_E667_F3BC_C909, 0xBB67_AE85_84CA_A73B];

/// The hash of `bytes` under the key `seed`.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let left = seed ^ MIX[0];
    let mut state = seed.rotate_left(32) ^ MIX[1] ^ bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        let number = u128::from_le_bytes(*chunk);
        state = fold(number as u64 ^ left, (number >> 64) as u64 ^ state);
    }
    if !rest.is_empty() {
        let (first, second) = ends(rest);
        state = fold(first ^ left, second ^ state);
    }
    fold(state ^ MIX[2], left)
}

/// All of 1 to 15 bytes in two numbers, which may overlap: the length is in the hash already.
/// Copied into a buffer of 16 they would have to be waited for.
fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else {
        let middle = bytes[bytes.len() / 2];
        let [first, last] = [bytes[0], bytes[bytes.len() - 1]];
        (u64::from(first) << 8 | u64::from(middle), last.into())
    }
}

/// The next of a series of random numbers.
pub(crate) fn next_random(state: &mut u64) -> u64 {
    // A Weyl sequence behind a mixing function with two products.
    *state = state.wrapping_add(MIX[0]);
    fold(fold(*state ^ MIX[1], MIX[2]) ^ *state, MIX[1])
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_values_do_not_change_between_builds() {
        let hashes = [(1, ""), (1, "key"), (2, "a key of more than sixteen bytes")]
            .map(|(seed, key)| hash(seed, key.as_bytes()));
        assert_eq!(hashes, [591695489703232560, 6303141649545149763, 95456122098388396]);
    }

    #[test]
    fn similar_keys_spread_evenly() {
        // A thousand buckets of a hundred: the chance of one beyond 160 is below 10^-5.
        let mut buckets = [0_u32; 1000];
        for n in 0..100_000 {
            let hash = hash(7, format!("key:{n}").as_bytes());
            buckets[((u128::from(hash) * 1000) >> 64) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (50..160).contains(count)));
    }

    #[test]
    fn zeros_at_the_end_matter() {
        let hashes: HashSet<u64> = (0..64).map(|len| hash(3, &vec![0; len])).collect();
        assert_eq!(hashes.len(), 64);
    }

    #[test]
    fn every_byte_of_any_length_matters() {
        for len in 1..70 {
            let mut bytes = vec![b'x'; len];
            let before = hash(3, &bytes);
            for place in 0..len {
                bytes[place] = b'y';
                assert_ne!(hash(3, &bytes), before, "byte {place} of {len}");
                bytes[place] = b'x';
            }
        }
    }

    #[test]
    fn the_seed_matters() {
        assert_ne!(hash(3, b"key"), hash(4, b"key"));
    }
}
