//! Every limit of the network between replicas, in one place.

use std::time::Duration;

/// Room for one largest payload with its neighbours; the log hands out batches far below it
/// unless a single entry is larger. Applies after the caller was admitted.
pub(super) const APPEND_BYTES_MAX: usize = crate::group::PAYLOAD_BYTES_MAX + 16 * 1024 * 1024;
/// Votes, heartbeats and all replies: a few numbers, or the addresses of some members.
pub(super) const SMALL_BYTES_MAX: usize = 64 * 1024;
/// A chunk is 64 KiB; a manifest has some 30 bytes for each unit, so that this is room for half a
/// million of them.
pub(super) const SNAPSHOT_PART_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Chunks read ahead while the network is slower than the disk, or the other way round.
pub(super) const SNAPSHOT_PARTS_IN_FLIGHT: usize = 8;

/// A peer in the same datacenter answers a SYN within a millisecond; one that is gone never does.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Ping a silent connection this often...
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// ...and give it up when no answer came for this long. Generous, since a machine whose
/// processors are saturated answers late, and a new connection would not be faster.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes a stream may send before the receiver has taken them: many batches of 10 KB, so that
/// appends are never stop-and-wait, yet a bound on what a stuck follower costs.
pub(super) const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// All streams of a connection; more than two streams' worth, so that one stuck stream does not
/// hold up the others.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// Streams on one connection: a few for each group, and unary calls.
pub(super) const STREAMS_MAX: u32 = 1024;
/// Calls that their callers gave up before the receiver saw them. Each late heartbeat is one, so a
/// replica that was starved of processor time finds many; hyper's usual 20 would end the
/// connection, and with it the streams of entries, when it is needed most.
pub(super) const PENDING_RESETS_MAX: usize = 1024;
