//! What a node is started with: the configuration file, overridden by the command line.
//!
//! Unknown keys are refused, with file and key named: a misspelt limit must not silently stay at
//! its default. Relative folders in a file are relative to the file, so that a cluster's folder can
//! be moved.
//!
//! Leaves out: settings (`settings`), and whether the addresses can be bound.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cluster::Address;
use cluster::topology::{Replica, Shard, Topology};
use serde::Deserialize;

use crate::cli::ServeArgs;
use crate::listener::Bound;
use crate::settings::Settings;

/// Where clients connect if nobody says otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6379);
/// Where the data goes if nobody says otherwise.
pub(crate) const DEFAULT_DATA_DIR: &str = "ringfort-data";
/// From the client port to the port for peers; Redis' distance for its cluster bus.
pub(crate) const PEER_PORT_OFFSET: u16 = 10_000;
/// From the client port to the port for HTTP.
pub(crate) const HTTP_PORT_OFFSET: u16 = 20_000;
/// Shards of a cluster at most: each has tens of ranges of slots, and every client reads them all.
pub(crate) const SHARDS_MAX: usize = 1_000;
/// Replicas of a shard at most; more than seven voters only slow a quorum down.
pub(crate) const REPLICAS_MAX: usize = 15;
/// Longest cluster id, in bytes.
const CLUSTER_ID_BYTES_MAX: usize = 64;

/// Everything a node is started with.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where clients connect; port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// Where peers and `ringfort admin` connect; `None` is nowhere.
    pub(crate) peer_listen: Option<SocketAddr>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served; `None` is nowhere.
    pub(crate) http_listen: Option<SocketAddr>,
    /// Where the node keeps its log and checkpoints.
    pub(crate) data_dir: PathBuf,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// The node's place among its peers; `None` is a standalone node.
    pub(crate) cluster: Option<ClusterConfig>,
}

/// A cluster as one of its nodes is told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterConfig {
    /// The same on every node of the cluster, and on no node of another one.
    pub(crate) cluster_id: String,
    /// This node; listed in exactly one shard.
    pub(crate) node_id: u64,
    /// Whether this node forms its shard's group if its disk is empty.
    pub(crate) bootstrap: bool,
    /// Every shard, this node's among them, in the order of their ids.
    pub(crate) shards: Vec<ShardConfig>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardConfig {
    /// Its number; also its Raft group's.
    pub(crate) id: u32,
    /// Its share of the slots, relative to the others' weights.
    pub(crate) weight: u32,
    /// Its replicas.
    pub(crate) replicas: Vec<ReplicaConfig>,
}

/// One replica: a node, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaConfig {
    /// Its id, never used again after its disk was lost.
    pub(crate) node_id: u64,
    /// Where clients connect.
    pub(crate) client: Address,
    /// Where peers connect.
    pub(crate) peer: Address,
    /// Where HTTP is served.
    pub(crate) http: Address,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("configuration file {}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key's name.
        what: String,
    },
    /// A flag is not what it should be.
    #[error("command line: {0}")]
    Flag(String),
}

impl Config {
    /// Defaults, then the file, then the flags.
    pub(crate) fn load(args: &ServeArgs) -> Result<Config, ConfigError> {
        let mut file = FileConfig::default();
        let mut folder = PathBuf::new();
        let settings = Settings::default();
        let mut cluster = None;
        if let Some(path) = &args.config {
            let wrong = |what| ConfigError::File { path: path.clone(), what };
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            file = toml::from_str(&text).map_err(|error| wrong(error_in_words(&text, &error)))?;
            folder = path.parent().map(Path::to_owned).unwrap_or_default();
            for (name, value) in &file.settings {
                let value = setting_text(value)
                    .ok_or_else(|| wrong(format!("setting '{name}' has to be a plain value")))?;
                settings.configure(name, &value).map_err(wrong)?;
            }
            cluster = file.cluster.take().map(checked_cluster).transpose().map_err(wrong)?;
        }
        for assignment in &args.set {
            let (name, value) = assignment.split_once('=').ok_or_else(|| {
                ConfigError::Flag("--set takes name=value, as in --set maxmemory=1gb".into())
            })?;
            settings.configure(name, value).map_err(ConfigError::Flag)?;
        }
        check_timing(&settings).map_err(ConfigError::Flag)?;

        settings.report_cluster(cluster.is_some());
        let listen = args.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN);
        let derived = |offset| derived_address(listen, offset);
        let peer_listen =
            args.peer_listen.or(file.peer_listen).or_else(|| derived(PEER_PORT_OFFSET));
        if cluster.is_some() && peer_listen.is_none() {
            return Err(ConfigError::Flag(format!(
                "a node of a cluster needs an address for its peers, and {} + {PEER_PORT_OFFSET} \
                 is no port: give --peer-listen",
                listen.port()
            )));
        }
        let in_file = file.data_dir.map(|dir| folder.join(dir));
        Ok(Config {
            listen,
            peer_listen,
            http_listen: args
                .http_listen
                .or(file.http_listen)
                .or_else(|| derived(HTTP_PORT_OFFSET)),
            data_dir: args
                .data_dir
                .clone()
                .or(in_file)
                .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
            settings: Arc::new(settings),
            cluster,
        })
    }
}

/// The id of a node without peers.
pub(crate) const STANDALONE_NODE_ID: u64 = 1;
/// The cluster id of a node without peers.
pub(crate) const STANDALONE_CLUSTER_ID: &str = "standalone";

impl Config {
    /// Shards, replicas and slots. A standalone node is a cluster of one shard with one replica,
    /// reached where it really listens.
    pub(crate) fn topology(&self, bound: Bound) -> Topology {
        let (cluster_id, shards) = match &self.cluster {
            Some(cluster) => {
                (cluster.cluster_id.as_str(), cluster.shards.iter().map(Shard::from).collect())
            }
            None => (STANDALONE_CLUSTER_ID, vec![standalone_shard(bound)]),
        };
        Topology::new(cluster_id, FIRST_EPOCH, shards).expect("the configuration was checked")
    }
}

/// The epoch of a topology that comes from the configuration and cannot change.
const FIRST_EPOCH: u64 = 1;

fn standalone_shard(bound: Bound) -> Shard {
    let address =
        |socket: SocketAddr| Address { host: socket.ip().to_string(), port: socket.port() };
    let client = address(bound.client);
    // Whoever reads the address of a listener that is off has come through the client's port.
    let or_client = |socket: Option<SocketAddr>| socket.map_or_else(|| client.clone(), address);
    let (peer, http) = (or_client(bound.peer), or_client(bound.http));
    let replica = Replica { node_id: STANDALONE_NODE_ID, client, peer, http };
    Shard { id: 0, weight: 1, replicas: vec![replica] }
}

impl From<&ShardConfig> for Shard {
    fn from(shard: &ShardConfig) -> Shard {
        let replicas = shard.replicas.iter().map(|replica| Replica {
            node_id: replica.node_id,
            client: replica.client.clone(),
            peer: replica.peer.clone(),
            http: replica.http.clone(),
        });
        Shard { id: shard.id, weight: shard.weight, replicas: replicas.collect() }
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileConfig {
    listen: Option<SocketAddr>,
    peer_listen: Option<SocketAddr>,
    http_listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    #[serde(default)]
    settings: toml::Table,
    cluster: Option<FileCluster>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileCluster {
    cluster_id: String,
    node_id: u64,
    #[serde(default)]
    bootstrap: bool,
    shards: Vec<FileShard>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileShard {
    id: u32,
    #[serde(default = "weight_of_one")]
    weight: u32,
    replicas: Vec<FileReplica>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileReplica {
    node_id: u64,
    client: String,
    peer: String,
    http: String,
}

fn weight_of_one() -> u32 {
    1
}

/// toml's own message with the line it means, without the picture of the line, which could show a
/// password.
fn error_in_words(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

fn setting_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(true) => Some("yes".into()),
        toml::Value::Boolean(false) => Some("no".into()),
        _ => None,
    }
}

/// A follower that gave up before two heartbeats could reach it would depose healthy leaders.
fn check_timing(settings: &Settings) -> Result<(), String> {
    let (heartbeat, election) = (settings.raft_heartbeat_ms(), settings.raft_election_ms());
    if election < 2 * heartbeat {
        return Err(format!(
            "raft-election-ms ({election}) has to be at least twice raft-heartbeat-ms ({heartbeat})"
        ));
    }
    Ok(())
}

/// The same host at `offset` ports further; any free port if the client port is any; `None` if
/// there is no such port.
fn derived_address(listen: SocketAddr, offset: u16) -> Option<SocketAddr> {
    let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(offset)? };
    Some(SocketAddr::new(listen.ip(), port))
}

fn checked_cluster(file: FileCluster) -> Result<ClusterConfig, String> {
    let FileCluster { cluster_id, node_id, bootstrap, shards } = file;
    let plain = cluster_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if cluster_id.is_empty() || cluster_id.len() > CLUSTER_ID_BYTES_MAX || !plain {
        return Err(format!(
            "cluster.cluster-id has to be 1 to {CLUSTER_ID_BYTES_MAX} letters, digits, '-' or '_'"
        ));
    }
    if shards.is_empty() || shards.len() > SHARDS_MAX {
        return Err(format!("cluster.shards has to name 1 to {SHARDS_MAX} shards"));
    }
    let mut shards = shards.into_iter().map(checked_shard).collect::<Result<Vec<_>, _>>()?;
    shards.sort_by_key(|shard| shard.id);
    if let Some(pair) = shards.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(format!("shard {} is listed twice", pair[0].id));
    }
    let mut nodes = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for replica in shards.iter().flat_map(|shard| &shard.replicas) {
        if !nodes.insert(replica.node_id) {
            return Err(format!("node {} is listed twice", replica.node_id));
        }
        for address in [&replica.client, &replica.peer, &replica.http] {
            if !addresses.insert(address) {
                return Err(format!("the address {address} is listed twice"));
            }
        }
    }
    if !nodes.contains(&node_id) {
        return Err(format!("cluster.node-id {node_id} is a replica of no shard"));
    }
    Ok(ClusterConfig { cluster_id, node_id, bootstrap, shards })
}

fn checked_shard(file: FileShard) -> Result<ShardConfig, String> {
    let FileShard { id, weight, replicas } = file;
    if !(1..=cluster::ring::WEIGHT_MAX).contains(&weight) {
        let max = cluster::ring::WEIGHT_MAX;
        return Err(format!("shard {id}: weight has to be 1 to {max}"));
    }
    if replicas.is_empty() || replicas.len() > REPLICAS_MAX {
        return Err(format!("shard {id}: replicas has to name 1 to {REPLICAS_MAX} nodes"));
    }
    let address = |node_id: u64, key: &str, text: &str| -> Result<Address, String> {
        text.parse().map_err(|bad| format!("shard {id}, node {node_id}: {key}: {bad}"))
    };
    let checked = |file: FileReplica| {
        Ok(ReplicaConfig {
            node_id: file.node_id,
            client: address(file.node_id, "client", &file.client)?,
            peer: address(file.node_id, "peer", &file.peer)?,
            http: address(file.node_id, "http", &file.http)?,
        })
    };
    let replicas = replicas.into_iter().map(checked).collect::<Result<Vec<_>, String>>()?;
    Ok(ShardConfig { id, weight, replicas })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(args: ServeArgs) -> Result<Config, String> {
        Config::load(&args).map_err(|error| error.to_string())
    }

    fn load_text(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        let shown = dir.path().display().to_string();
        load(ServeArgs { config: Some(path), ..ServeArgs::default() })
            .map_err(|text| text.replace(&shown, "DIR"))
    }

    const TWO_SHARDS: &str = r#"
        listen = "127.0.0.1:7001"
        data-dir = "data"

        [settings]
        fsync = "everysec"
        maxclients = 50
        cluster-require-full-coverage = false

        [cluster]
        cluster-id = "c1"
        node-id = 2

        [[cluster.shards]]
        id = 1
        weight = 2
        replicas = [
            { node-id = 2, client = "127.0.0.1:7001", peer = "127.0.0.1:17001", http = "127.0.0.1:27001" },
        ]

        [[cluster.shards]]
        id = 0
        replicas = [
            { node-id = 1, client = "kv-0.kv:7000", peer = "kv-0.kv:17000", http = "kv-0.kv:27000" },
        ]
    "#;

    #[test]
    fn nothing_given_is_a_standalone_node_on_redis_port() {
        let config = load(ServeArgs::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:6379");
        assert_eq!(config.peer_listen.unwrap().to_string(), "127.0.0.1:16379");
        assert_eq!(config.http_listen.unwrap().to_string(), "127.0.0.1:26379");
        assert_eq!(config.data_dir, Path::new("ringfort-data"));
        assert!(config.cluster.is_none() && !config.settings.cluster_enabled());
    }

    #[test]
    fn ports_follow_the_client_port() {
        let at = |listen: &str| {
            let listen = Some(listen.parse().unwrap());
            load(ServeArgs { listen, ..ServeArgs::default() }).unwrap()
        };
        let any = at("0.0.0.0:0");
        assert_eq!(any.peer_listen.unwrap().to_string(), "0.0.0.0:0");
        assert_eq!(any.http_listen.unwrap().to_string(), "0.0.0.0:0");
        let high = at("[::1]:50000");
        assert_eq!(high.peer_listen.unwrap().to_string(), "[::1]:60000");
        assert_eq!(high.http_listen, None);
        assert_eq!(at("127.0.0.1:60000").peer_listen, None);
    }

    #[test]
    fn a_cluster_is_read_from_its_file() {
        let config = load_text(TWO_SHARDS).unwrap();
        let cluster = config.cluster.unwrap();
        assert_eq!((cluster.cluster_id.as_str(), cluster.node_id), ("c1", 2));
        assert!(!cluster.bootstrap);
        let shards: Vec<_> = cluster.shards.iter().map(|s| (s.id, s.weight)).collect();
        assert_eq!(shards, [(0, 1), (1, 2)]);
        assert_eq!(cluster.shards[0].replicas[0].client.host, "kv-0.kv");
        assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("data"));
        assert_eq!(config.settings.maxclients(), 50);
        assert_eq!(config.settings.fsync(), crate::settings::Fsync::Everysec);
        assert!(config.settings.cluster_enabled() && !config.settings.requires_full_coverage());
    }

    #[test]
    fn the_topology_is_the_clusters_or_the_nodes_own() {
        let bound = Bound {
            client: "127.0.0.1:40001".parse().unwrap(),
            peer: Some("127.0.0.1:40002".parse().unwrap()),
            http: None,
        };
        let alone = load(ServeArgs::default()).unwrap().topology(bound);
        let (shard, replica) = alone.replica(STANDALONE_NODE_ID).unwrap();
        assert_eq!((shard.id, alone.ranges(0).len()), (0, 1));
        assert_eq!(replica.client.to_string(), "127.0.0.1:40001");
        assert_eq!(replica.peer.to_string(), "127.0.0.1:40002");
        let both = load_text(TWO_SHARDS).unwrap().topology(bound);
        assert_eq!(both.cluster_id(), "c1");
        // Shard 1 has twice the weight of shard 0.
        assert!(both.slots().count(1) > 3 * both.slots().count(0) / 2);
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, TWO_SHARDS).unwrap();
        let config = load(ServeArgs {
            config: Some(path),
            listen: Some("127.0.0.1:7100".parse().unwrap()),
            data_dir: Some("here".into()),
            set: vec!["maxclients=60".into()],
            ..ServeArgs::default()
        })
        .unwrap();
        assert_eq!(config.listen.port(), 7100);
        assert_eq!(config.peer_listen.unwrap().port(), 17100);
        assert_eq!(config.data_dir, Path::new("here"));
        assert_eq!(config.settings.maxclients(), 60);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_key() {
        let cases = [
            ("lisen = \"127.0.0.1:1\"", "line 1: unknown field `lisen`"),
            ("\n\nlisten = 5", "line 3: invalid type: integer `5`"),
            ("[settings]\nmaxclient = 5", "there is no setting 'maxclient'"),
            ("[settings]\nmaxclients = 0", "setting 'maxclients': argument must be between 1"),
            ("[settings]\nmaxclients = []", "setting 'maxclients' has to be a plain value"),
            ("[settings]\nrequirepass = \"hunter2\nb\"", "line "),
            ("[cluster]\ncluster-id = \"c\"\nnode-id = 1\nshards = []", "1 to 1000 shards"),
        ];
        for (text, wanted) in cases {
            let error = load_text(text).unwrap_err();
            assert!(error.starts_with("configuration file DIR/node.toml: "), "{error}");
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_cluster_that_contradicts_itself_is_refused() {
        let cases = [
            ("node-id = 2, client", "node-id = 1, client", "node 1 is listed twice"),
            ("id = 1\n", "id = 0\n", "shard 0 is listed twice"),
            ("weight = 2", "weight = 0", "shard 1: weight has to be 1 to"),
            (
                "        node-id = 2\n",
                "        node-id = 7\n",
                "node-id 7 is a replica of no shard",
            ),
            ("kv-0.kv:17000", "kv-0.kv:7000", "the address kv-0.kv:7000 is listed twice"),
            ("kv-0.kv:27000", "kv-0.kv", "shard 0, node 1: http: an address is host:port"),
            ("\"c1\"", "\"c 1\"", "cluster.cluster-id has to be"),
        ];
        for (from, to, wanted) in cases {
            let text = TWO_SHARDS.replace(from, to);
            assert_ne!(text, TWO_SHARDS, "{from} is in the text");
            let error = load_text(&text).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn flags_that_cannot_be_meant_are_refused() {
        let with = |set: &str| load(ServeArgs { set: vec![set.into()], ..ServeArgs::default() });
        assert!(with("maxmemory").unwrap_err().contains("--set takes name=value"));
        let error = with("raft-election-ms=100").unwrap_err();
        assert!(error.contains("at least twice raft-heartbeat-ms (75)"), "{error}");
        let missing = ServeArgs { config: Some("no/such.toml".into()), ..ServeArgs::default() };
        assert!(
            load(missing).unwrap_err().starts_with("cannot read the configuration file no/such")
        );
    }
}
