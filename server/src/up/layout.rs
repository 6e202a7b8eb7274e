//! The folder of a local cluster: what is written at its creation and read at each later start.
//!
//! ```text
//! DIR/cluster.toml        shards, replicas, port; written last, so that it exists only whole
//! DIR/node-1/node.toml    what the node is started with; `bootstrap` until the first start went well
//! DIR/node-1/data/        the node's own
//! DIR/node-1/log          what it said
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use cluster::Address;
use serde::{Deserialize, Serialize};

use crate::cli::{ServeArgs, UpArgs};
use crate::config::{Config, HTTP_PORT_OFFSET, PEER_PORT_OFFSET};

/// Everything listens here only.
const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A local cluster's folder and shape.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    shape: Shape,
}

/// The shape, as it stands in `cluster.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Shape {
    cluster_id: String,
    shards: u32,
    replicas: u32,
    port: u16,
}

/// One node's place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node_id: u64,
    pub(super) shard: u32,
    /// For clients; the others follow from it.
    pub(super) port: u16,
    pub(super) dir: PathBuf,
}

impl Place {
    /// The node's configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("node.toml")
    }

    /// What the node prints.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn address(&self, offset: u16) -> Address {
        Address { host: HOST.to_string(), port: self.port + offset }
    }

    /// Where peers connect.
    pub(super) fn peer(&self) -> Address {
        self.address(PEER_PORT_OFFSET)
    }
}

impl Layout {
    /// Reads the folder, or creates the cluster in it.
    pub(super) fn open(args: &UpArgs) -> Result<Layout, String> {
        let dir = std::path::absolute(&args.dir).map_err(|error| error.to_string())?;
        let record = dir.join("cluster.toml");
        if !record.exists() {
            return Layout::create(args, dir, &record);
        }
        let shown = record.display();
        let text = std::fs::read_to_string(&record)
            .map_err(|error| format!("cannot read {shown}: {error}"))?;
        let shape: Shape =
            toml::from_str(&text).map_err(|error| format!("{shown}: {}", error.message()))?;
        check_shape(&shape).map_err(|why| format!("{shown}: {why}"))?;
        let asked = (args.shards, args.replicas, args.port);
        if asked != (shape.shards, shape.replicas, shape.port) {
            return Err(format!(
                "the cluster in {} has --shards {} --replicas {} --port {}: give these, or another \
                 --dir",
                dir.display(),
                shape.shards,
                shape.replicas,
                shape.port
            ));
        }
        if args.config.is_some() {
            return Err(format!(
                "--config counts when a cluster is created, and there is one in {}: change its \
                 nodes' node.toml",
                dir.display()
            ));
        }
        Ok(Layout { dir, shape })
    }

    fn create(args: &UpArgs, dir: PathBuf, record: &Path) -> Result<Layout, String> {
        let shape = Shape {
            cluster_id: random_id(),
            shards: args.shards,
            replicas: args.replicas,
            port: args.port,
        };
        check_shape(&shape)?;
        let settings = args.config.as_deref().map(settings_of).transpose()?.unwrap_or_default();
        let layout = Layout { dir, shape };
        for place in layout.places() {
            if place.dir.join("data").exists() {
                return Err(format!(
                    "{} has data but its cluster.toml is missing: use another --dir",
                    layout.dir.display()
                ));
            }
            let cannot = |error| format!("cannot create {}: {error}", place.dir.display());
            std::fs::create_dir_all(&place.dir).map_err(cannot)?;
            write_whole(&place.config(), &layout.node_toml(&place, &settings))?;
            // Finds a wrong setting before anything runs.
            let args = ServeArgs { config: Some(place.config()), ..ServeArgs::default() };
            Config::load(&args).map_err(|error| error.to_string())?;
        }
        let text = toml::to_string(&layout.shape).expect("numbers and a plain word");
        write_whole(record, &text)?;
        Ok(layout)
    }

    /// The first node's client port.
    pub(super) fn port(&self) -> u16 {
        self.shape.port
    }

    /// Replicas of each shard.
    pub(super) fn replicas(&self) -> u32 {
        self.shape.replicas
    }

    /// All nodes, in the order of their ports.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let Shape { shards, replicas, port, .. } = self.shape;
        let dir = self.dir.clone();
        (0..shards * replicas).map(move |index| {
            let node_id = u64::from(index) + 1;
            let port = port + u16::try_from(index).expect("the shape was checked");
            Place {
                node_id,
                shard: index / replicas,
                port,
                dir: dir.join(format!("node-{node_id}")),
            }
        })
    }

    /// Whether all ports are free, so that the first trouble is said in one sentence and not in
    /// many logs.
    pub(super) fn check_ports(&self) -> Result<(), String> {
        for place in self.places() {
            for offset in [0, PEER_PORT_OFFSET, HTTP_PORT_OFFSET] {
                let port = place.port + offset;
                TcpListener::bind((HOST, port)).map_err(|error| match error.kind() {
                    std::io::ErrorKind::AddrInUse => format!(
                        "port {port}, which node {} needs, is in use: stop what uses it, or choose \
                         other ports with --port",
                        place.node_id
                    ),
                    _ => format!("cannot listen on {HOST}:{port}: {error}"),
                })?;
            }
        }
        Ok(())
    }

    /// The groups are formed: from now on a node that finds its disk empty must not form one alone.
    pub(super) fn bootstrapped(&self) -> Result<(), String> {
        for place in self.places() {
            let path = place.config();
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            if text.contains(BOOTSTRAP) {
                write_whole(&path, &text.replace(BOOTSTRAP, "bootstrap = false\n"))?;
            }
        }
        Ok(())
    }

    fn node_toml(&self, place: &Place, settings: &toml::Table) -> String {
        let mut text = format!(
            "listen = \"{}\"\npeer-listen = \"{}\"\nhttp-listen = \"{}\"\ndata-dir = \"data\"\n\n",
            place.address(0),
            place.peer(),
            place.address(HTTP_PORT_OFFSET)
        );
        let settings = toml::Value::Table(settings.clone());
        let settings = toml::Table::from_iter([("settings".to_owned(), settings)]);
        text.push_str(&toml::to_string(&settings).expect("was TOML before"));
        let first_replica = (place.node_id - 1).is_multiple_of(self.shape.replicas.into());
        write!(
            text,
            "\n[cluster]\ncluster-id = \"{}\"\nnode-id = {}\n{}",
            self.shape.cluster_id,
            place.node_id,
            if first_replica { BOOTSTRAP } else { "" }
        )
        .expect("a String takes everything");
        let places: Vec<Place> = self.places().collect();
        for shard in 0..self.shape.shards {
            write!(text, "\n[[cluster.shards]]\nid = {shard}\nreplicas = [\n")
                .expect("a String takes everything");
            for place in places.iter().filter(|place| place.shard == shard) {
                writeln!(
                    text,
                    "    {{ node-id = {}, client = \"{}\", peer = \"{}\", http = \"{}\" }},",
                    place.node_id,
                    place.address(0),
                    place.peer(),
                    place.address(HTTP_PORT_OFFSET)
                )
                .expect("a String takes everything");
            }
            text.push_str("]\n");
        }
        text
    }
}

/// The line in a first replica's file until its group is formed.
const BOOTSTRAP: &str = "bootstrap = true\n";

fn check_shape(shape: &Shape) -> Result<(), String> {
    let nodes = u64::from(shape.shards) * u64::from(shape.replicas);
    if nodes == 0 {
        return Err("a cluster needs a shard and a replica".into());
    }
    let last = u64::from(shape.port) + nodes - 1 + u64::from(HTTP_PORT_OFFSET);
    if shape.port == 0 || last > u64::from(u16::MAX) {
        let first_max = u64::from(u16::MAX) - u64::from(HTTP_PORT_OFFSET) + 1;
        return Err(format!(
            "{nodes} nodes need ports up to --port + {}: choose a port from 1 to {}",
            nodes - 1 + u64::from(HTTP_PORT_OFFSET),
            first_max.saturating_sub(nodes)
        ));
    }
    Ok(())
}

/// The `[settings]` of a file that has nothing else: where nodes listen is ours to say.
fn settings_of(path: &Path) -> Result<toml::Table, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct OnlySettings {
        #[serde(default)]
        settings: toml::Table,
    }
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let only: OnlySettings =
        toml::from_str(&text).map_err(|error| format!("{shown}: {}", error.message()))?;
    Ok(only.settings)
}

/// Replaces a file at once, durably: half a configuration would be worse than none.
fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    let aside = path.with_extension("toml.new");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        #[cfg(unix)]
        if let Some(dir) = path.parent() {
            std::fs::File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// An id no other cluster has.
fn random_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library's hasher is keyed by the operating system's randomness; two of them
    // give 128 bits, enough never to meet again.
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: &Path) -> UpArgs {
        UpArgs { shards: 2, replicas: 3, port: 7000, dir: dir.to_owned(), config: None }
    }

    fn load(place: &Place) -> Config {
        let args = ServeArgs { config: Some(place.config()), ..ServeArgs::default() };
        Config::load(&args).unwrap()
    }

    #[test]
    fn a_created_cluster_is_what_each_node_reads() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(&args(dir.path())).unwrap();
        let places: Vec<Place> = layout.places().collect();
        let ids: Vec<_> = places.iter().map(|p| (p.node_id, p.shard, p.port)).collect();
        let wanted =
            [(1, 0, 7000), (2, 0, 7001), (3, 0, 7002), (4, 1, 7003), (5, 1, 7004), (6, 1, 7005)];
        assert_eq!(ids, wanted);
        let first = load(&places[0]).cluster.unwrap();
        for place in &places {
            let config = load(place);
            let cluster = config.cluster.unwrap();
            assert_eq!(config.listen.port(), place.port);
            assert_eq!(config.peer_listen.unwrap().port(), place.port + 10_000);
            assert_eq!(config.http_listen.unwrap().port(), place.port + 20_000);
            assert!(config.data_dir.starts_with(&place.dir));
            assert_eq!(cluster.node_id, place.node_id);
            assert_eq!(cluster.bootstrap, [1, 4].contains(&place.node_id));
            assert_eq!((&cluster.cluster_id, &cluster.shards), (&first.cluster_id, &first.shards));
        }
        assert_eq!(first.shards[1].replicas[2].peer.to_string(), "127.0.0.1:17005");
    }

    #[test]
    fn a_later_start_finds_the_same_cluster_and_forms_no_group() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(&args(dir.path())).unwrap();
        layout.bootstrapped().unwrap();
        let again = Layout::open(&args(dir.path())).unwrap();
        assert_eq!(again.shape, layout.shape);
        assert!(again.places().all(|place| !load(&place).cluster.unwrap().bootstrap));
    }

    #[test]
    fn another_shape_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Layout::open(&args(dir.path())).unwrap();
        let other = UpArgs { shards: 3, ..args(dir.path()) };
        let error = Layout::open(&other).unwrap_err();
        assert!(error.contains("has --shards 2 --replicas 3 --port 7000"), "{error}");
        let config = UpArgs { config: Some("x".into()), ..args(dir.path()) };
        assert!(Layout::open(&config).unwrap_err().contains("--config counts when"));
    }

    #[test]
    fn data_without_the_clusters_record_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("node-5/data")).unwrap();
        let error = Layout::open(&args(dir.path())).unwrap_err();
        assert!(error.contains("cluster.toml is missing"), "{error}");
        assert!(!dir.path().join("cluster.toml").exists());
    }

    #[test]
    fn every_node_gets_the_settings_and_wrong_ones_start_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("settings.toml");
        let args = UpArgs { config: Some(config.clone()), ..args(&dir.path().join("up")) };
        std::fs::write(&config, "[settings]\nmaxclient = 5\n").unwrap();
        assert!(Layout::open(&args).unwrap_err().contains("there is no setting 'maxclient'"));
        std::fs::write(&config, "listen = \"127.0.0.1:1\"\n").unwrap();
        assert!(Layout::open(&args).unwrap_err().contains("unknown field `listen`"));
        std::fs::write(&config, "[settings]\nmaxclients = 5\nfsync = \"no\"\n").unwrap();
        let layout = Layout::open(&args).unwrap();
        assert!(layout.places().all(|place| load(&place).settings.maxclients() == 5));
    }

    #[test]
    fn ports_have_to_exist_and_to_be_free() {
        let dir = tempfile::tempdir().unwrap();
        let high = UpArgs { port: 45_531, ..args(dir.path()) };
        let error = Layout::open(&high).unwrap_err();
        assert!(error.contains("choose a port from 1 to 45530"), "{error}");
        let layout = Layout::open(&UpArgs { port: 45_530, ..args(dir.path()) }).unwrap();

        let taken = TcpListener::bind((HOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let shape = Shape { port, ..layout.shape.clone() };
        // The client port itself is checked first, wherever the system put it.
        let error = match check_shape(&shape) {
            Ok(()) => Layout { shape, ..layout }.check_ports().unwrap_err(),
            Err(_) => return,
        };
        assert!(error.contains(&format!("port {port}, which node 1 needs, is in use")), "{error}");
    }
}
