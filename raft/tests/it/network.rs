//! What the peer port lets in.

use raft::{Identity, Peers};
use tonic::{Code, Request};

use crate::harness::{CLUSTER, GROUP, TestCluster, within};

/// The service as a stranger sees it, who has only its name and the bytes of a message.
async fn call(
    address: std::net::SocketAddr,
    stamp: impl FnOnce(&mut tonic::metadata::MetadataMap),
    method: &'static str,
) -> Result<(), tonic::Status> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let mut request = Request::new(());
    stamp(request.metadata_mut());
    let path = format!("/ringfort.raft.v1.Raft/{method}").parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    client.unary(request, path, codec).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_change_nothing() {
    let cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    let before = cluster.group(0).status();
    let at = cluster.address(0);
    let refused = async |identity: Option<Identity>, to| {
        let stamp = |metadata: &mut tonic::metadata::MetadataMap| {
            if let Some(identity) = identity {
                identity.stamp(metadata, to, Some(GROUP));
            }
        };
        within(call(at, stamp, "Vote")).await.unwrap_err()
    };
    assert_eq!(refused(None, 1).await.code(), Code::PermissionDenied);
    let stranger = Identity::new("other-cluster", 2).unwrap();
    assert_eq!(refused(Some(stranger), 1).await.code(), Code::PermissionDenied);
    let peer = Identity::new(CLUSTER, 2).unwrap();
    assert_eq!(refused(Some(peer.clone()), 9).await.code(), Code::PermissionDenied);
    // One of us, but the message is none.
    assert_eq!(refused(Some(peer), 1).await.code(), Code::InvalidArgument);
    let after = cluster.group(0).status();
    assert_eq!((before.term, before.leader), (after.term, after.leader));
    cluster.put("k", "w").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_not_here_is_away() {
    let cluster = TestCluster::start(1).await;
    let peer = Identity::new(CLUSTER, 2).unwrap();
    let stamp = |metadata: &mut tonic::metadata::MetadataMap| peer.stamp(metadata, 1, Some(99));
    let status = within(call(cluster.address(0), stamp, "Vote")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_can_change() {
    let peers = Peers::new(Identity::new(CLUSTER, 1).unwrap());
    assert!(peers.channel(2).is_none());
    peers.set(2, "127.0.0.1:1").unwrap();
    peers.set(2, "localhost:2").unwrap();
    assert_eq!(peers.address(2).as_deref(), Some("localhost:2"));
    assert!(peers.channel(2).is_some());
    let refused = peers.set(3, "not an address").unwrap_err().to_string();
    assert!(refused.contains("is not host:port"), "{refused}");
}
