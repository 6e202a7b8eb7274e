//! openraft's types as protobuf messages, and back.
//!
//! Reading checks everything openraft takes for granted: a message that no replica of ours would
//! send is refused whole. Payloads pass through as slices of the received buffer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::entry::EntryPayload;
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use openraft::raft::{VoteRequest, VoteResponse};
use openraft::vote::RaftLeaderId;
use openraft::vote::RaftVote;
use openraft::{BasicNode, Membership};

use crate::pb;
use crate::types::{
    CommittedLeaderId, Entry, LeaderId, LogId, Payload, StoredMembership, TypeConfig, Vote,
};

/// A message that no replica of ours would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn log_id(id: &LogId) -> pb::LogId {
    pb::LogId { term: id.committed_leader_id().term, index: id.index() }
}

pub(crate) fn read_log_id(id: pb::LogId) -> LogId {
    LogId::new(CommittedLeaderId::new(id.term), id.index)
}

pub(crate) fn vote(vote: &Vote) -> pb::Vote {
    let leader = vote.leader_id();
    pb::Vote { term: leader.term(), node: *leader.node_id(), committed: vote.is_committed() }
}

pub(crate) fn read_vote(vote: Option<pb::Vote>) -> Result<Vote, Malformed> {
    let vote = vote.ok_or(Malformed("no vote"))?;
    Ok(Vote::from_leader_id(LeaderId::new(vote.term, vote.node), vote.committed))
}

pub(crate) fn membership(membership: &Membership<u64, BasicNode>) -> pb::Membership {
    let voters = membership.get_joint_config().iter();
    pb::Membership {
        voters: voters.map(|set| pb::Voters { nodes: set.iter().copied().collect() }).collect(),
        members: membership
            .nodes()
            .map(|(node, at)| pb::Member { node: *node, address: at.addr.clone() })
            .collect(),
    }
}

pub(crate) fn read_membership(
    membership: Option<pb::Membership>,
) -> Result<Membership<u64, BasicNode>, Malformed> {
    let membership = membership.ok_or(Malformed("no membership"))?;
    let voters: Vec<BTreeSet<u64>> =
        membership.voters.into_iter().map(|set| set.nodes.into_iter().collect()).collect();
    let members: BTreeMap<u64, BasicNode> = membership
        .members
        .into_iter()
        .map(|member| (member.node, BasicNode::new(member.address)))
        .collect();
    // Before its first entry a replica knows of no members, and says so in its checkpoints.
    if voters.is_empty() && members.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(voters, members).map_err(|_| Malformed("voters that are no members"))
}

pub(crate) fn stored_membership(
    stored: &StoredMembership,
) -> (Option<pb::LogId>, Option<pb::Membership>) {
    (stored.log_id().as_ref().map(log_id), Some(membership(stored.membership())))
}

pub(crate) fn read_stored_membership(
    id: Option<pb::LogId>,
    membership: Option<pb::Membership>,
) -> Result<StoredMembership, Malformed> {
    Ok(StoredMembership::new(id.map(read_log_id), read_membership(membership)?))
}

fn entry(entry: Entry) -> pb::Entry {
    let id = Some(log_id(&entry.log_id));
    match entry.payload {
        EntryPayload::Blank => pb::Entry { id, checksum: 0, body: None },
        EntryPayload::Normal(Payload(bytes)) => pb::Entry {
            id,
            checksum: crc32c::crc32c(&bytes),
            body: Some(pb::entry::Body::Payload(bytes)),
        },
        EntryPayload::Membership(m) => {
            pb::Entry { id, checksum: 0, body: Some(pb::entry::Body::Membership(membership(&m))) }
        }
    }
}

fn read_entry(entry: pb::Entry) -> Result<Entry, Malformed> {
    let log_id = read_log_id(entry.id.ok_or(Malformed("an entry without id"))?);
    let payload = match entry.body {
        None => EntryPayload::Blank,
        Some(pb::entry::Body::Payload(bytes)) => {
            EntryPayload::Normal(read_payload(bytes, entry.checksum)?)
        }
        Some(pb::entry::Body::Membership(m)) => EntryPayload::Membership(read_membership(Some(m))?),
    };
    Ok(Entry { log_id, payload })
}

fn read_payload(bytes: Bytes, checksum: u32) -> Result<Payload, Malformed> {
    if crc32c::crc32c(&bytes) != checksum {
        return Err(Malformed("an entry's checksum does not fit"));
    }
    Ok(Payload(bytes))
}

pub(crate) fn append_request(request: AppendEntriesRequest<TypeConfig>) -> pb::AppendRequest {
    pb::AppendRequest {
        vote: Some(vote(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id),
        committed: request.leader_commit.as_ref().map(log_id),
        entries: request.entries.into_iter().map(entry).collect(),
    }
}

pub(crate) fn read_append_request(
    request: pb::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, Malformed> {
    let request: AppendEntriesRequest<TypeConfig> = AppendEntriesRequest {
        vote: read_vote(request.vote)?,
        prev_log_id: request.previous.map(read_log_id),
        leader_commit: request.committed.map(read_log_id),
        entries: request.entries.into_iter().map(read_entry).collect::<Result<Vec<_>, _>>()?,
    };
    if !request.vote.is_committed() {
        return Err(Malformed("an append by a node that was not elected"));
    }
    let first = request.prev_log_id.map_or(0, |previous| previous.index().saturating_add(1));
    if (first..).zip(&request.entries).any(|(index, entry)| entry.log_id.index() != index) {
        return Err(Malformed("a gap between entries"));
    }
    Ok(request)
}

pub(crate) fn append_reply(result: StreamAppendResult<TypeConfig>) -> pb::AppendReply {
    use pb::append_reply::Outcome;
    let outcome = match result {
        Ok(upto) => Outcome::Matched(pb::Matched { upto: upto.as_ref().map(log_id) }),
        Err(StreamAppendError::Conflict(id)) => Outcome::Conflict(log_id(&id)),
        Err(StreamAppendError::HigherVote(higher)) => Outcome::HigherVote(vote(&higher)),
    };
    pb::AppendReply { outcome: Some(outcome) }
}

pub(crate) fn read_append_reply(
    reply: pb::AppendReply,
) -> Result<StreamAppendResult<TypeConfig>, Malformed> {
    use pb::append_reply::Outcome;
    Ok(match reply.outcome.ok_or(Malformed("an append's reply without outcome"))? {
        Outcome::Matched(matched) => Ok(matched.upto.map(read_log_id)),
        Outcome::Conflict(id) => Err(StreamAppendError::Conflict(read_log_id(id))),
        Outcome::HigherVote(vote) => Err(StreamAppendError::HigherVote(read_vote(Some(vote))?)),
    })
}

pub(crate) fn vote_request(request: &VoteRequest<TypeConfig>) -> pb::VoteRequest {
    pb::VoteRequest {
        vote: Some(vote(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id),
        transfer: request.leadership_transfer,
    }
}

pub(crate) fn read_vote_request(
    request: pb::VoteRequest,
) -> Result<VoteRequest<TypeConfig>, Malformed> {
    let mut read = VoteRequest::new(read_vote(request.vote)?, request.last.map(read_log_id));
    read.leadership_transfer = request.transfer;
    Ok(read)
}

pub(crate) fn vote_reply(reply: &VoteResponse<TypeConfig>) -> pb::VoteReply {
    pb::VoteReply {
        vote: Some(vote(&reply.vote)),
        last: reply.last_log_id.as_ref().map(log_id),
        granted: reply.vote_granted,
    }
}

pub(crate) fn read_vote_reply(reply: pb::VoteReply) -> Result<VoteResponse<TypeConfig>, Malformed> {
    let last = reply.last.map(read_log_id);
    Ok(VoteResponse::new(read_vote(reply.vote)?, last, reply.granted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term), index)
    }

    fn request() -> AppendEntriesRequest<TypeConfig> {
        let members = BTreeMap::from([(1, BasicNode::new("a:1")), (2, BasicNode::new("b:2"))]);
        let membership = Membership::new(vec![BTreeSet::from([1])], members).unwrap();
        AppendEntriesRequest {
            vote: Vote::from_leader_id(LeaderId::new(3, 1), true),
            prev_log_id: Some(id(2, 6)),
            leader_commit: Some(id(2, 5)),
            entries: vec![
                Entry { log_id: id(3, 7), payload: EntryPayload::Blank },
                Entry { log_id: id(3, 8), payload: EntryPayload::Membership(membership) },
                Entry {
                    log_id: id(3, 9),
                    payload: EntryPayload::Normal(Payload(Bytes::from_static(b"SET k v"))),
                },
            ],
        }
    }

    #[test]
    fn an_append_survives_the_wire() {
        let sent = request();
        let read = read_append_request(append_request(sent.clone())).unwrap();
        assert_eq!(read.vote, sent.vote);
        assert_eq!(read.prev_log_id, sent.prev_log_id);
        assert_eq!(read.leader_commit, sent.leader_commit);
        assert_eq!(read.entries, sent.entries);
    }

    #[test]
    fn damaged_appends_are_refused() {
        let refused = |change: fn(&mut pb::AppendRequest)| {
            let mut sent = append_request(request());
            change(&mut sent);
            read_append_request(sent).unwrap_err().0
        };
        assert_eq!(refused(|r| r.vote = None), "no vote");
        assert_eq!(refused(|r| r.entries[2].checksum ^= 1), "an entry's checksum does not fit");
        assert_eq!(refused(|r| drop(r.entries.remove(0))), "a gap between entries");
        assert_eq!(refused(|r| r.previous = None), "a gap between entries");
        assert_eq!(refused(|r| r.entries[0].id = None), "an entry without id");
        assert_eq!(
            refused(|r| r.vote.as_mut().unwrap().committed = false),
            "an append by a node that was not elected"
        );
        assert_eq!(
            refused(|r| {
                let Some(pb::entry::Body::Membership(m)) = &mut r.entries[1].body else { panic!() };
                m.members.clear();
            }),
            "voters that are no members"
        );
    }
}
