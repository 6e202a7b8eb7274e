//! Segments between nodes: from the one a client is connected to, to the one that leads.
//!
//! One long-lived stream per pair of nodes and direction carries everything. Replies never cross:
//! each request has an id, and a connection has at most one under way.

pub mod link;
/// The messages and the service of `proto/forward.proto`.
#[path = "../gen/ringfort.forward.v1.rs"]
pub mod proto;
pub mod service;

use raft::{Identity, NodeId};
use resp::Protocol;
use tonic::Request;

use crate::segment::{Op, OpKind};

/// Requests under way on one stream; more are refused as not executed and tried again.
pub const REQUESTS_MAX: usize = 4096;

/// Largest message either way: an entry's worth of commands, or one command with the largest
/// arguments (`proto-max-bulk-len`), plus room for the frame.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// A call's message, stamped with who calls whom.
pub fn stamped<T>(identity: &Identity, to: NodeId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    identity.stamp(request.metadata_mut(), to, None);
    request
}

fn resp_version(protocol: Protocol) -> u32 {
    match protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    }
}

fn protocol(resp: u32) -> Option<Protocol> {
    match resp {
        2 => Some(Protocol::Resp2),
        3 => Some(Protocol::Resp3),
        _ => None,
    }
}

/// Operations as numbers: kind in the lowest two bits, silence in the third; then the count.
fn encode_ops(ops: &[Op]) -> Vec<u32> {
    let kind = |kind| match kind {
        OpKind::Write => 0,
        OpKind::Read => 1,
        OpKind::Literal => 2,
    };
    ops.iter().flat_map(|op| [kind(op.kind) | u32::from(op.silent) << 2, op.count]).collect()
}

fn decode_ops(numbers: &[u32]) -> Option<Vec<Op>> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let decode = |&[kind, count]: &[u32; 2]| {
        let silent = kind & 4 != 0;
        let kind = match kind & !4 {
            0 => OpKind::Write,
            1 => OpKind::Read,
            2 => OpKind::Literal,
            _ => return None,
        };
        Some(Op { kind, count, silent })
    };
    pairs.iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_survive_the_wire() {
        let ops = [
            Op { kind: OpKind::Write, count: 3, silent: false },
            Op { kind: OpKind::Literal, count: 5, silent: false },
            Op { kind: OpKind::Read, count: u32::MAX, silent: true },
        ];
        assert_eq!(decode_ops(&encode_ops(&ops)).as_deref(), Some(&ops[..]));
    }

    #[test]
    fn malformed_operations_are_refused() {
        assert_eq!(decode_ops(&[0]), None);
        assert_eq!(decode_ops(&[3, 1]), None);
        assert_eq!(decode_ops(&[8, 1]), None);
    }
}
