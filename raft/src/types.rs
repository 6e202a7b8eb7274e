//! The types openraft is filled with, and short names for those the crate uses.
//!
//! At most one leader per term, as in the Raft paper (`leader_id_std`): an entry is named by term
//! and index alone, and the leader lease need not think about two leaders of one term.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std;
use openraft::type_config::alias;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// What was proposed: bytes that only the machine understands, copied nowhere on their way.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Bytes);

openraft::declare_raft_types!(
    /// openraft's parameters.
    pub(crate) TypeConfig:
        D = Payload,
        R = (),
        NodeId = u64,
        Node = openraft::BasicNode,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        Vote = openraft::impls::Vote<Self::LeaderId>,
        Payload = openraft::EntryPayload<Self::D, Self::NodeId, Self::Node>,
        Entry = openraft::Entry<
            <Self::LeaderId as openraft::vote::RaftLeaderId>::Committed,
            Self::Payload,
        >,
        AsyncRuntime = openraft::TokioRuntime,
);

/// Names an entry: term and index.
pub(crate) type LogId = alias::LogIdOf<TypeConfig>;
/// An entry of the log: blank, membership or payload.
pub(crate) type Entry = alias::EntryOf<TypeConfig>;
/// A vote, given or (committed) won.
pub(crate) type Vote = alias::VoteOf<TypeConfig>;
/// A membership and the entry that set it.
pub(crate) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
/// A candidate or leader: term and node.
pub(crate) type LeaderId = alias::LeaderIdOf<TypeConfig>;
/// The term of an elected leader.
pub(crate) type CommittedLeaderId = alias::CommittedLeaderIdOf<TypeConfig>;

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values never appear in logs; the length is all that helps in one.
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

// openraft asks for serde on every payload; neither the log nor the network goes through it.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(PayloadVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Payload, E> {
        Ok(Payload(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Payload, E> {
        Ok(Payload(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Payload, A::Error> {
        let mut all = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            all.push(byte);
        }
        Ok(Payload(all.into()))
    }
}
