//! Nodes that run in this process, each on a runtime of its own: ending the runtime is as sudden
//! for it as `kill -9`, but for what the log had queued.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft::{
    Fsync, Group, GroupOptions, Groups, Identity, NodeId, Peers, ProposeError, Storage,
    StorageOptions, Timing, Trouble,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::TcpListenerStream;

use crate::machine::KvMachine;

pub(crate) const CLUSTER: &str = "test-cluster";
pub(crate) const GROUP: u32 = 3;
/// Longer than any step takes on a machine that does a hundred other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Patient enough for debug builds on a busy machine.
pub(crate) const TIMING: Timing =
    Timing { heartbeat_ms: 100, election_ms_min: 650, election_ms_max: 1000 };

/// What a test may vary.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) checkpoint_entries: u64,
    pub(crate) fsync: Fsync,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { checkpoint_entries: 100, fsync: Fsync::Always }
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) group: Group,
    pub(crate) machine: Arc<KvMachine>,
    runtime: Option<Runtime>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // At a test's end; a runtime that is dropped otherwise may not be dropped in an async task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Several nodes, running or not.
pub(crate) struct TestCluster {
    dirs: Vec<TempDir>,
    addresses: Vec<SocketAddr>,
    pub(crate) nodes: Vec<Option<Node>>,
    settings: Settings,
}

impl TestCluster {
    pub(crate) async fn start(size: usize) -> TestCluster {
        TestCluster::with(size, Settings::default()).await
    }

    pub(crate) async fn with(size: usize, settings: Settings) -> TestCluster {
        // Shown by `--nocapture` with RUST_LOG set.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let mut cluster = TestCluster {
            dirs: (0..size).map(|_| tempfile::tempdir().unwrap()).collect(),
            addresses: Vec::new(),
            nodes: (0..size).map(|_| None).collect(),
            settings,
        };
        let mut listeners = Vec::new();
        for _ in 0..size {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            cluster.addresses.push(listener.local_addr().unwrap());
            listeners.push(listener);
        }
        for (index, listener) in listeners.into_iter().enumerate() {
            cluster.boot(index, listener).await.unwrap();
        }
        cluster
    }

    pub(crate) fn id(index: usize) -> NodeId {
        index as NodeId + 1
    }

    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        self.addresses[index]
    }

    pub(crate) fn dir(&self, index: usize) -> &Path {
        self.dirs[index].path()
    }

    pub(crate) fn options(&self, index: usize) -> GroupOptions {
        let members = self.addresses.iter().enumerate();
        GroupOptions {
            group: GROUP,
            node: TestCluster::id(index),
            members: members.map(|(i, at)| (TestCluster::id(i), at.to_string())).collect(),
            bootstrap: index == 0,
            timing: TIMING,
            checkpoint_entries: self.settings.checkpoint_entries,
            checkpoint_log_bytes: 1 << 30,
        }
    }

    async fn boot(&mut self, index: usize, listener: std::net::TcpListener) -> Result<(), Trouble> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let options = self.options(index);
        let storage = StorageOptions {
            dir: self.dirs[index].path().to_path_buf(),
            fsync: self.settings.fsync,
            cluster: CLUSTER.to_string(),
            node: options.node,
        };
        let machine = Arc::new(KvMachine::default());
        let started = runtime.spawn(start_node(options, storage, machine.clone(), listener));
        match started.await.unwrap() {
            Ok(group) => {
                self.nodes[index] = Some(Node { group, machine, runtime: Some(runtime) });
                Ok(())
            }
            Err(trouble) => {
                end(runtime).await;
                Err(trouble)
            }
        }
    }

    /// Ends a node without warning.
    pub(crate) async fn kill(&mut self, index: usize) {
        let mut node = self.nodes[index].take().expect("the node runs");
        let runtime = node.runtime.take().expect("a running node has one");
        drop(node);
        end(runtime).await;
    }

    pub(crate) async fn restart(&mut self, index: usize) {
        self.try_restart(index).await.unwrap();
    }

    pub(crate) async fn try_restart(&mut self, index: usize) -> Result<(), Trouble> {
        let listener = std::net::TcpListener::bind(self.addresses[index]).unwrap();
        self.boot(index, listener).await
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().expect("the node runs")
    }

    pub(crate) fn group(&self, index: usize) -> &Group {
        &self.node(index).group
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(index, node)| node.as_ref().map(|node| (index, node)))
    }

    /// The index of the node that may serve reads.
    pub(crate) async fn leader(&self) -> usize {
        eventually("a leader with a lease", || {
            self.running().find(|(_, node)| node.group.lease_valid()).map(|(index, _)| index)
        })
        .await
    }

    /// Proposes until a leader took it; `Err`: the outcome is unknown.
    pub(crate) async fn propose(&self, text: &str) -> Result<(), ProposeError> {
        loop {
            let leader = self.leader().await;
            match self.group(leader).propose(Bytes::from(text.to_string())).await {
                Err(ProposeError::NotLeader { .. }) => {}
                outcome => return outcome,
            }
        }
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        // Again after an unknown outcome: putting twice is putting once.
        while self.propose(&format!("{key}={value}")).await.is_err() {}
    }

    /// Waits until all running nodes hold the same, and returns it.
    pub(crate) async fn converged(&self) -> std::collections::BTreeMap<String, String> {
        self.put("converged", "yes").await;
        eventually("all replicas hold the same", || {
            let mut states = self.running().map(|(_, node)| node.machine.all());
            let first = states.next().expect("a node runs");
            (first.contains_key("converged") && states.all(|state| state == first)).then_some(first)
        })
        .await
    }
}

async fn end(runtime: Runtime) {
    spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
}

async fn start_node(
    options: GroupOptions,
    storage: StorageOptions,
    machine: Arc<KvMachine>,
    listener: std::net::TcpListener,
) -> Result<Group, Trouble> {
    let storage = spawn_blocking(move || Storage::open(&storage)).await.unwrap()?;
    let identity = Identity::new(CLUSTER, options.node)?;
    let groups = Groups::new(identity.clone());
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
    let router = raft::peer_server().add_routes(raft::service(groups.clone()));
    tokio::spawn(router.serve_with_incoming(listener));
    let peers = Peers::new(identity);
    let group = Group::start(options, &storage, machine, &peers).await?;
    groups.insert(&group);
    Ok(group)
}

/// Waits for something that happens by itself.
pub(crate) async fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = check() {
                return found;
            }
            // Polling: what is waited for has no event of its own.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("{what} did not happen"),
    }
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("done within the patience")
}
