//! A key's slot: CRC16 (XMODEM) of the key or its hash tag, modulo 16,384, as in Redis Cluster.

/// Slots on the ring.
pub const SLOTS: u16 = 16_384;

/// The slot of `key`: only the part between the first `{` and the next `}` counts, if not empty.
pub fn slot_of(key: &[u8]) -> u16 {
    let _ = key;
    todo!("slot_of")
}
