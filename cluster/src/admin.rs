//! The admin protocol's client: what `ringfort admin` and the operator ask of a node.
//!
//! Every call has a time limit. Leaves out: finding the leader, and what to do about an answer.

use std::error::Error;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::Address;
use proto::admin_client::AdminClient;

/// What `cargo xtask gen` makes of `proto/admin.proto`: messages, client and server.
#[allow(missing_docs, clippy::all, reason = "generated; the words are in the proto file")]
#[path = "gen/ringfort.admin.v1.rs"]
pub mod proto;

/// A node that takes longer to accept a connection is as good as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A status is made from memory; the rest is patience with a busy machine.
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);
/// An election and its repetition.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(15);
/// A digest reads every key.
const DIGEST_TIMEOUT: Duration = Duration::from_secs(120);
/// A first checkpoint writes every key.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(600);

/// A connection to one node.
#[derive(Clone, Debug)]
pub struct Admin {
    client: AdminClient<Channel>,
    address: Address,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// The node cannot be reached, or did not answer in time: what was asked of it may or may not
    /// have been done.
    #[error("{address} is unreachable: {why}")]
    Unreachable {
        /// The node's peer address.
        address: Address,
        /// In a few words.
        why: String,
    },
    /// The node answered that it will not.
    #[error("{address}: {why}")]
    Refused {
        /// The node's peer address.
        address: Address,
        /// In its words.
        why: String,
    },
}

impl Admin {
    /// Connects to a node's peer address.
    pub async fn connect(address: &Address) -> Result<Admin, AdminError> {
        let unreachable = |error: tonic::transport::Error| AdminError::Unreachable {
            address: address.clone(),
            why: innermost(&error),
        };
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(unreachable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(unreachable)?;
        let client = AdminClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Admin { client, address: address.clone() })
    }

    /// The node, its group as it sees it, and the topology.
    pub async fn status(&mut self) -> Result<proto::StatusResponse, AdminError> {
        let asked = self.client.status(timed(proto::StatusRequest {}, STATUS_TIMEOUT)).await;
        self.answer(asked)
    }

    /// Asks a shard's leader to let another voter lead; `None`: the one that lags least. Returns
    /// the new leader.
    pub async fn transfer_leader(
        &mut self,
        shard: u32,
        to: Option<u64>,
    ) -> Result<u64, AdminError> {
        let request = proto::TransferLeaderRequest { shard, to };
        let asked = self.client.transfer_leader(timed(request, TRANSFER_TIMEOUT)).await;
        self.answer(asked).map(|answer| answer.leader)
    }

    /// A digest of the node's data, once it has applied entry `applied_min`.
    pub async fn digest(
        &mut self,
        per_slot: bool,
        applied_min: u64,
    ) -> Result<proto::DigestResponse, AdminError> {
        let request = proto::DigestRequest { per_slot, applied_min };
        let asked = self.client.digest(timed(request, DIGEST_TIMEOUT)).await;
        self.answer(asked)
    }

    /// Makes a checkpoint and waits until it is on disk; returns the last entry's index in it.
    pub async fn checkpoint(&mut self) -> Result<u64, AdminError> {
        let request = timed(proto::CheckpointRequest {}, CHECKPOINT_TIMEOUT);
        let asked = self.client.checkpoint(request).await;
        self.answer(asked).map(|answer| answer.index)
    }

    fn answer<T>(&self, asked: Result<tonic::Response<T>, Status>) -> Result<T, AdminError> {
        let status = match asked {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        let address = self.address.clone();
        let why = match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => "no answer in time".into(),
            Code::Unavailable => status.source().map_or(status.message().into(), innermost),
            _ => return Err(AdminError::Refused { address, why: status.message().into() }),
        };
        Err(AdminError::Unreachable { address, why })
    }
}

/// The digests of all slots of 16 databases are 2 MiB, and the largest answer.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The limit travels with the request, so that the node stops working for us too.
fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// tonic says "transport error" and keeps the reason inside.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
