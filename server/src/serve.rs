//! `ringfort serve`: puts a node together, runs it, and takes it down in order.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use cluster::topology::Topology;
use futures::StreamExt;
use keyspace::Keyspace;
use raft::{
    Fsync, Group, GroupOptions, Groups, Identity, NodeId, Peers, Storage, StorageOptions, Timing,
};
use tokio_stream::wrappers::TcpListenerStream;

use crate::batch::Batcher;
use crate::blocked::{Blocked, Ending};
use crate::config::Config;
use crate::forward::MESSAGE_BYTES_MAX;
use crate::forward::link::Links;
use crate::forward::proto::forward_server::ForwardServer;
use crate::forward::service::ForwardService;
use crate::leaders::Leaders;
use crate::listener::{self, Bound};
use crate::machine::ShardMachine;
use crate::node::{Node, Stats, unix_ms};
use crate::pubsub::Spread;
use crate::session::Clients;
use crate::slots::Slots;
use crate::watch::Watches;
use crate::{admin, expiry, free, http, limits, settings, slots};

/// Threads for Raft, gRPC and apply: a long apply must not keep heartbeats waiting.
const RAFT_THREADS: usize = 2;

/// The same without peers: there are no heartbeats, and the steps of an entry then follow each
/// other without waking another thread.
const RAFT_THREADS_ALONE: usize = 1;

/// The id of a node without peers.
const STANDALONE_ID: NodeId = 1;

/// The cluster id of a node without peers.
const STANDALONE_CLUSTER: &str = "standalone";

/// Longest wait for another node to take over when this one is asked to stop.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs a node until it is told to stop; an error is one sentence for its user.
pub fn run(config: Config) -> Result<(), String> {
    stop_on_panic();
    let alone = config.cluster.is_none();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(if alone { RAFT_THREADS_ALONE } else { RAFT_THREADS })
        .thread_name("raft")
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_background();
    result
}

/// A bug stops the node, whichever thread it is found on: a stopped replica is better than a
/// wrong one.
fn stop_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        std::process::abort();
    }));
}

/// The sockets of a node, taken before anything else so that a port in use is the first thing
/// said.
struct Sockets {
    client: std::net::TcpListener,
    peer: Option<std::net::TcpListener>,
    http: Option<std::net::TcpListener>,
    bound: Bound,
}

fn take_sockets(config: &Config) -> Result<Sockets, String> {
    let listen = |address| {
        listener::listen(address).map_err(|error| format!("cannot listen on {address}: {error}"))
    };
    let address = |socket: &std::net::TcpListener| {
        socket.local_addr().map_err(|error| format!("a socket has no address: {error}"))
    };
    let client = listen(config.listen)?;
    let peer = config.peer_listen.map(listen).transpose()?;
    let http = config.http_listen.map(listen).transpose()?;
    let bound = Bound {
        client: address(&client)?,
        peer: peer.as_ref().map(address).transpose()?,
        http: http.as_ref().map(address).transpose()?,
    };
    Ok(Sockets { client, peer, http, bound })
}

async fn serve(config: Config) -> Result<(), String> {
    let sockets = take_sockets(&config)?;
    let bound = sockets.bound;
    let (node, groups) = start(config, bound).await?;
    tokio::spawn(expiry::run(Arc::downgrade(&node)));
    tokio::spawn(limits::configured(Arc::downgrade(&node)));
    tokio::spawn(slots::claim(Arc::downgrade(&node)));
    tokio::spawn(listener::close_idle(Arc::downgrade(&node)));
    let peers = serve_peers(&node, groups, sockets.peer)?;
    let http = http::serve(node.clone(), sockets.http);
    let clients = listener::run(node.clone(), sockets.client);
    tracing::info!("ready: redis-cli -h {} -p {}", bound.client.ip(), bound.client.port());
    let mut failed = node.group.failed();
    let failed = async {
        match failed.wait_for(Option::is_some).await {
            Ok(sentence) => sentence.clone().unwrap_or_default(),
            Err(_) => "the Raft group ended".into(),
        }
    };
    tokio::select! {
        sentence = failed => Err(sentence),
        ended = clients => Err(ended_with("the client listener", ended)),
        ended = peers => Err(ended_with("the peer listener", ended)),
        ended = http => Err(ended_with("the HTTP listener", ended)),
        signal = stop_signal() => {
            tracing::info!("{signal}: stopping");
            stop(&node).await;
            Ok(())
        }
    }
}

fn ended_with<E: std::fmt::Display>(what: &str, result: Result<(), E>) -> String {
    match result {
        Ok(()) => format!("{what} ended"),
        Err(error) => format!("{what} ended: {error}"),
    }
}

/// Starts the node's parts, from the disk up.
async fn start(config: Config, bound: Bound) -> Result<(Arc<Node>, Groups), String> {
    let say = |trouble: raft::Trouble| trouble.to_string();
    let place = Place::of(&config, bound);
    let identity = Identity::new(&place.cluster, place.id).map_err(say)?;
    let peers = Peers::new(identity.clone());
    for (id, address) in &place.everyone {
        peers.set(*id, address).map_err(say)?;
    }
    let fsync = match config.settings.fsync() {
        settings::Fsync::Always => Fsync::Always,
        settings::Fsync::Everysec => Fsync::EverySec,
        settings::Fsync::No => Fsync::No,
    };
    let dir = config.data_dir.clone();
    let options = StorageOptions { dir, fsync, cluster: place.cluster.clone(), node: place.id };
    let storage = tokio::task::spawn_blocking(move || Storage::open(&options))
        .await
        .map_err(|error| error.to_string())?
        .map_err(say)?;
    let clustered = config.cluster.is_some();
    let databases = if clustered { 1 } else { config.settings.databases() };
    let keyspace = Arc::new(Keyspace::new(databases));
    free::start(&keyspace).map_err(|error| error.to_string())?;
    let blocked = Arc::new(Blocked::default());
    let batcher = Arc::new(Batcher::new(random_u64()?, config.settings.clone(), blocked.clone()));
    let (watches, stats) = (Arc::new(Watches::default()), Arc::new(Stats::default()));
    let slots = Arc::new(if clustered { Slots::clustered() } else { Slots::standalone() });
    let machine = Arc::new(ShardMachine {
        keyspace: keyspace.clone(),
        batcher: batcher.clone(),
        watches: watches.clone(),
        blocked: blocked.clone(),
        slots: slots.clone(),
        stats: stats.clone(),
    });
    let options = group_options(&config, &place);
    let group = Group::start(options, &storage, machine, &peers).await.map_err(say)?;
    let groups = Groups::new(identity.clone());
    groups.insert(&group);
    tokio::spawn(batcher.clone().run(group.clone()));
    tokio::spawn(blocked.clone().follow_leadership(group.clone(), place.id));
    tokio::spawn(blocked.clone().keep_time());
    let node = Node {
        id: place.id,
        identity: identity.clone(),
        shard: place.shard,
        clustered,
        bound,
        leaders: Leaders::follow(&place.topology, place.shard, &identity, &peers),
        topology: Arc::new(place.topology),
        group,
        keyspace,
        batcher,
        links: Links::new(identity.clone(), peers.clone(), tokio::runtime::Handle::current()),
        pubsub: Arc::default(),
        spread: Spread::new(identity.clone(), peers, tokio::runtime::Handle::current()),
        clients: Clients::default(),
        watches,
        blocked,
        slots,
        stats,
        run_id: format!("{:016x}{:016x}{:08x}", random_u64()?, random_u64()?, std::process::id()),
        started_at_ms: unix_ms(),
        config,
    };
    Ok((Arc::new(node), groups))
}

/// Where a node stands among its peers.
struct Place {
    cluster: String,
    id: NodeId,
    shard: u32,
    /// Members of this node's shard.
    members: Vec<(NodeId, String)>,
    /// All nodes of the cluster.
    everyone: Vec<(NodeId, String)>,
    bootstrap: bool,
    topology: Topology,
}

impl Place {
    fn of(config: &Config, bound: Bound) -> Place {
        let Some(cluster) = &config.cluster else {
            let member = (STANDALONE_ID, bound.peer.unwrap_or(bound.client).to_string());
            return Place {
                cluster: STANDALONE_CLUSTER.into(),
                id: STANDALONE_ID,
                shard: 0,
                members: vec![member.clone()],
                everyone: vec![member],
                bootstrap: true,
                topology: config.topology(bound),
            };
        };
        let address =
            |replica: &crate::config::ReplicaConfig| (replica.node_id, replica.peer.to_string());
        let own = cluster
            .shards
            .iter()
            .find(|shard| shard.replicas.iter().any(|r| r.node_id == cluster.node_id))
            .expect("the configuration was checked to list its own node");
        Place {
            cluster: cluster.cluster_id.clone(),
            id: cluster.node_id,
            shard: own.id,
            members: own.replicas.iter().map(address).collect(),
            everyone: cluster.shards.iter().flat_map(|s| s.replicas.iter().map(address)).collect(),
            bootstrap: cluster.bootstrap,
            topology: config.topology(bound),
        }
    }
}

fn group_options(config: &Config, place: &Place) -> GroupOptions {
    let settings = &config.settings;
    let election_ms_min = settings.raft_election_ms();
    GroupOptions {
        group: place.shard,
        node: place.id,
        members: place.members.clone(),
        bootstrap: place.bootstrap,
        timing: Timing {
            heartbeat_ms: settings.raft_heartbeat_ms(),
            election_ms_min,
            // Enough spread that two candidates seldom collide, not so much that an outage lasts.
            election_ms_max: election_ms_min + election_ms_min / 2,
        },
        checkpoint_entries: settings.checkpoint_entries(),
        checkpoint_log_bytes: settings.checkpoint_log_bytes(),
    }
}

/// Serves Raft, forwarding and administration to peers.
fn serve_peers(
    node: &Arc<Node>,
    groups: Groups,
    socket: Option<std::net::TcpListener>,
) -> Result<impl Future<Output = Result<(), String>> + use<>, String> {
    let forward = ForwardServer::new(ForwardService(Arc::downgrade(node)))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let routes = raft::service(groups).add_service(forward).add_service(admin::service(node));
    let socket = socket.map(tokio::net::TcpListener::from_std).transpose();
    let socket = socket.map_err(|error: io::Error| error.to_string())?;
    Ok(async move {
        let Some(socket) = socket else { return std::future::pending().await };
        // tonic sets this option only on sockets that it accepts itself; without it every answer
        // may wait some 20 ms for the acknowledgement of the one before.
        let incoming = TcpListenerStream::new(socket).inspect(|stream| {
            if let Ok(stream) = stream
                && let Err(error) = stream.set_nodelay(true)
            {
                tracing::warn!("a peer's answers may be delayed: {error}");
            }
        });
        raft::peer_server()
            .add_routes(routes)
            .serve_with_incoming(incoming)
            .await
            .map_err(|error| error.to_string())
    })
}

/// Hands leadership over, so that nobody waits for an election, then stops the group.
async fn stop(node: &Node) {
    // Other nodes' clients go on to the next leader by themselves.
    node.blocked.stop();
    for client in node.clients.all() {
        if let Some(ticket) = client.blocked_on() {
            node.end_wait(&ticket, Ending::Stopping);
        }
    }
    if node.group.leads() {
        let status = node.group.status();
        let successor = status.matched.iter().max_by_key(|(_, matched)| *matched);
        if let Some((successor, _)) = successor {
            let handover = node.group.transfer_leader(*successor);
            if let Ok(Err(why)) = tokio::time::timeout(HANDOVER_TIMEOUT, handover).await {
                tracing::warn!("leadership was not handed over: {why}");
            }
        }
    }
    node.group.shutdown().await;
}

/// Waits for the request to stop; says which.
async fn stop_signal() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut terminated) => terminated.recv().await,
                // Without a handler the default action ends the process: no less safe.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminated => "SIGTERM",
            _ = tokio::signal::ctrl_c() => "Ctrl-C",
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}

/// Chance from the operating system.
fn random_u64() -> Result<u64, String> {
    // A fresh `RandomState` is seeded by the operating system; hashing nothing reveals the seed's
    // hash, which is all that is needed for ids that differ.
    use std::hash::{BuildHasher, Hasher};
    Ok(std::hash::RandomState::new().build_hasher().finish())
}
