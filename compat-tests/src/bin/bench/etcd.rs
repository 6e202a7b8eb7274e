//! etcd with three members, and a client of its gRPC interface.
//!
//! Its JSON gateway would translate every request inside the server, which would be unfair to it.
//! The messages here have only the fields that are used; the rest is skipped, as protobuf allows.

use std::process::Command;
use std::time::Duration;

use compat_tests::process::Process;
use compat_tests::{ports, wait};
use tempfile::TempDir;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::case::Done;
use crate::load::{self, Connection};

const MEMBERS: u16 = 3;
const START_LIMIT: Duration = Duration::from_secs(30);
/// Clients that share a connection: HTTP/2 carries many requests at once, and etcd does better
/// with a few connections than with one a client or one for all.
const CLIENTS_PER_CONNECTION: usize = 10;

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// An acknowledgement; its revision is of no interest here.
#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    found: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(uint64, tag = "4")]
    leader: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(uint64, tag = "2")]
    member: u64,
}

/// The members, with etcd's own defaults.
pub(crate) struct Etcd {
    members: Vec<Process>,
    first_port: u16,
    _dir: TempDir,
}

impl Etcd {
    /// Starts them on free ports.
    pub(crate) fn start() -> Etcd {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first_port = ports::free_block(MEMBERS);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let peer = |member: u16| url(first_port + member + 10_000);
        let all: Vec<String> =
            (0..MEMBERS).map(|member| format!("m{member}={}", peer(member))).collect();
        let start = |member: u16| {
            let (name, client) = (format!("m{member}"), url(first_port + member));
            let mut command = Command::new("etcd");
            command
                .args(["--name", &name, "--data-dir"])
                .arg(dir.path().join(&name))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer(member)])
                .args(["--initial-advertise-peer-urls", &peer(member)])
                .args(["--initial-cluster", &all.join(","), "--initial-cluster-state", "new"])
                .args(["--logger", "zap", "--log-level", "error"]);
            Process::start(&name, &mut command, dir.path())
        };
        Etcd { members: (0..MEMBERS).map(start).collect(), first_port, _dir: dir }
    }

    /// The members' processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.members.iter().map(Process::id).collect()
    }

    /// The client port of the member that leads; waits for one.
    pub(crate) fn leader(&mut self, runtime: &tokio::runtime::Runtime) -> u16 {
        wait::until("etcd to elect a leader", START_LIMIT, || {
            self.members.iter_mut().for_each(Process::expect_running);
            let mut ports = self.first_port..self.first_port + MEMBERS;
            ports.find(|port| runtime.block_on(leads(*port)).unwrap_or(false))
        })
    }
}

async fn leads(port: u16) -> Done<bool> {
    let mut client = EtcdClient::connect(port, 1).await?.remove(0);
    let status: StatusResponse =
        client.call("/etcdserverpb.Maintenance/Status", StatusRequest {}).await?;
    Ok(status.leader != 0 && status.header.is_some_and(|header| header.member == status.leader))
}

/// A client, on a connection of its own or shared.
pub(crate) struct EtcdClient {
    grpc: Grpc<Channel>,
}

impl EtcdClient {
    /// `count` clients.
    pub(crate) async fn connect(port: u16, count: usize) -> Done<Vec<EtcdClient>> {
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"));
            let endpoint = endpoint.map_err(|error| error.to_string())?;
            let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
            let sharing = (count - clients.len()).min(CLIENTS_PER_CONNECTION);
            clients.extend((0..sharing).map(|_| EtcdClient { grpc: Grpc::new(channel.clone()) }));
        }
        Ok(clients)
    }

    /// What is under a key.
    pub(crate) async fn get(&mut self, key: &str) -> Done<Option<Vec<u8>>> {
        let request = RangeRequest { key: key.into() };
        let mut range: RangeResponse = self.call("/etcdserverpb.KV/Range", request).await?;
        Ok(range.found.pop().map(|found| found.value))
    }

    async fn call<Q, A>(&mut self, path: &'static str, request: Q) -> Done<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.grpc.ready().await.map_err(|error| error.to_string())?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(path);
        let answer = self.grpc.unary(Request::new(request), path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(|status| format!("etcd: {status}"))
    }
}

impl Connection for EtcdClient {
    async fn set(&mut self, key: String, value: String) -> Done {
        let request = PutRequest { key: key.into_bytes(), value: value.into_bytes() };
        self.call("/etcdserverpb.KV/Put", request).await.map(|PutResponse {}| ())
    }
}

/// That every key holds what was written to it.
pub(crate) async fn check(port: u16) -> Done {
    let mut client = EtcdClient::connect(port, 1).await?.remove(0);
    for number in 0..load::KEYS {
        let key = load::key(number);
        let found = client.get(&key).await?;
        if found.as_ref().is_some_and(|value| *value != load::value(&key).as_bytes()) {
            return Err(format!("etcd holds something else under {key}"));
        }
    }
    Ok(())
}
