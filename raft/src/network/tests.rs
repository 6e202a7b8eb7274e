//! The service against a hand-driven client.

use std::sync::Arc;

use futures::StreamExt;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Code, Request, Status};

use super::*;
use crate::machine::tests::NoMachine;
use crate::pb::append_reply::Outcome;
use crate::pb::raft_client::RaftClient;
use crate::{Fsync, Group, GroupOptions, Storage, StorageOptions, Timing, pb};

/// A replica that waits for a leader, and a client that plays it as node 1.
struct Follower {
    client: RaftClient<tonic::transport::Channel>,
    leader: Identity,
    group: Group,
    _dir: TempDir,
}

impl Follower {
    async fn start() -> Follower {
        let dir = tempfile::tempdir().unwrap();
        let options = StorageOptions {
            dir: dir.path().to_path_buf(),
            fsync: Fsync::Always,
            cluster: "c".to_string(),
            node: 2,
        };
        let storage = Storage::open(&options).unwrap();
        let identity = Identity::new("c", 2).unwrap();
        let options = GroupOptions {
            group: 0,
            node: 2,
            members: vec![(1, "127.0.0.1:1".to_string()), (2, "127.0.0.1:2".to_string())],
            bootstrap: false,
            timing: Timing::default(),
            checkpoint_entries: 1000,
            checkpoint_log_bytes: 1 << 30,
        };
        let peers = Peers::new(identity.clone());
        let group = Group::start(options, &storage, Arc::new(NoMachine), &peers).await.unwrap();
        let groups = Groups::new(identity);
        groups.insert(&group);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = peer_server().add_routes(service(groups));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        let client = RaftClient::connect(format!("http://{address}")).await.unwrap();
        let leader = Identity::new("c", 1).unwrap();
        Follower { client, leader, group, _dir: dir }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.leader.stamp(request.metadata_mut(), 2, Some(0));
        request
    }

    /// Sends these appends, ends the stream, and collects the answers up to its end.
    async fn append(&mut self, appends: Vec<pb::AppendRequest>) -> Vec<Result<Outcome, Status>> {
        let (sender, receiver) = mpsc::channel(1);
        let request = self.request(ReceiverStream::new(receiver));
        let replies = self.client.append(request).await.unwrap().into_inner();
        let feed = async move {
            for append in appends {
                // The service may have ended the stream before it took them all.
                let _ = sender.send(append).await;
            }
        };
        let outcomes = replies.map(|reply| reply.map(|reply| reply.outcome.unwrap()));
        futures::join!(feed, outcomes.collect::<Vec<_>>()).1
    }
}

fn id(term: u64, index: u64) -> pb::LogId {
    pb::LogId { term, index }
}

fn append(previous: Option<pb::LogId>, entries: &[pb::LogId]) -> pb::AppendRequest {
    pb::AppendRequest {
        vote: Some(pb::Vote { term: 1, node: 1, committed: true }),
        previous,
        committed: None,
        entries: entries
            .iter()
            .map(|id| pb::Entry { id: Some(*id), checksum: 0, body: None })
            .collect(),
    }
}

fn matched(upto: pb::LogId) -> Outcome {
    Outcome::Matched(pb::Matched { upto: Some(upto) })
}

/// An error after the last reply makes a leader start over; see `append_stream`.
#[tokio::test]
async fn the_replies_end_cleanly_when_the_appends_do() {
    let mut follower = Follower::start().await;
    for round in 0..20 {
        let first = id(1, round * 2);
        let second = id(1, round * 2 + 1);
        let previous = (round > 0).then(|| id(1, round * 2 - 1));
        let appends = vec![append(previous, &[first]), append(Some(first), &[second])];
        let replies = follower.append(appends).await;
        let outcomes: Vec<_> = replies.into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(outcomes, [matched(first), matched(second)]);
    }
    assert!(follower.append(Vec::new()).await.is_empty());
    follower.group.shutdown().await;
}

#[tokio::test]
async fn a_conflict_is_the_last_reply() {
    let mut follower = Follower::start().await;
    let replies = follower.append(vec![append(Some(id(1, 50)), &[id(1, 51)])]).await;
    let outcomes: Vec<_> = replies.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(outcomes, [Outcome::Conflict(id(1, 50))]);
    follower.group.shutdown().await;
}

#[tokio::test]
async fn an_append_nobody_would_send_is_refused_after_what_came_before() {
    let mut follower = Follower::start().await;
    let gap = append(Some(id(1, 0)), &[id(1, 7)]);
    let mut stolen = append(Some(id(1, 0)), &[id(1, 1)]);
    stolen.vote.as_mut().unwrap().node = 3;
    for bad in [gap, stolen] {
        let replies = follower.append(vec![append(None, &[id(1, 0)]), bad]).await;
        let [Ok(outcome), Err(status)] = &replies[..] else { panic!("{replies:?}") };
        assert_eq!(*outcome, matched(id(1, 0)));
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    assert_eq!(follower.group.status().last_log, 0, "the log is as before");
    follower.group.shutdown().await;
}

#[tokio::test]
async fn a_snapshot_that_breaks_off_or_is_damaged_changes_nothing() {
    let mut follower = Follower::start().await;
    let manifest = pb::Manifest {
        last: Some(id(1, 9)),
        membership_id: None,
        membership: Some(pb::Membership::default()),
        units: vec![pb::Unit {
            unit: 4,
            generation: 1,
            chunks: 1,
            bytes: 3,
            checksum: crc32c::crc32c(b"abc"),
        }],
        generation: 1,
    };
    let vote = Some(pb::Vote { term: 1, node: 1, committed: true });
    let head = pb::snapshot_part::Part::Head(pb::SnapshotHead { vote, manifest: Some(manifest) });
    let chunk = |data: &'static [u8], checksum| {
        let data = bytes::Bytes::from_static(data);
        pb::snapshot_part::Part::Chunk(pb::Chunk { unit: 4, number: 0, data, checksum })
    };
    let bad = [
        vec![head.clone()],
        vec![head.clone(), chunk(b"abc", 1)],
        vec![head.clone(), chunk(b"abd", crc32c::crc32c(b"abd"))],
        vec![head.clone(), head.clone()],
        vec![chunk(b"abc", crc32c::crc32c(b"abc"))],
    ];
    for parts in bad {
        let parts = parts.into_iter().map(|part| pb::SnapshotPart { part: Some(part) });
        let request = follower.request(futures::stream::iter(parts));
        assert!(follower.client.snapshot(request).await.is_err());
    }
    assert_eq!(follower.group.status().applied, 0);

    let parts = [head, chunk(b"abc", crc32c::crc32c(b"abc"))];
    let parts = parts.into_iter().map(|part| pb::SnapshotPart { part: Some(part) });
    let request = follower.request(futures::stream::iter(parts));
    follower.client.snapshot(request).await.unwrap();
    follower.group.wait_applied(9).await.unwrap();
    follower.group.shutdown().await;
}
