//! The same bytes to Ringfort and to redis-server 7.0.15: the same bytes must come back.
//!
//! What differs on purpose stands in `differences.txt`, each with a reason; one that no longer
//! occurs fails, so that the list stays true.

mod agreement;
mod bad_input;
mod differences;
mod generator;
mod random;
mod stories;
mod tables;

use compat_tests::client::Client;
use compat_tests::redis::Redis;
use compat_tests::standalone::Standalone;

/// A command: its name and its arguments.
type Words = Vec<Vec<u8>>;

/// Both servers, empty and without durability: what is compared is replies.
struct Servers {
    ours: Standalone,
    redis: Redis,
}

impl Servers {
    fn start() -> Servers {
        Servers { ours: Standalone::start(&["fsync=no"]), redis: Redis::start(&[]) }
    }

    /// A connection to each, ours first.
    fn connect(&self, protocol: u8) -> [Client; 2] {
        [self.ours.port, self.redis.port].map(|port| {
            Client::connect_speaking(port, protocol).expect("a running server accepts connections")
        })
    }
}
