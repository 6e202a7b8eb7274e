//! The command line, complete: what each command does is found in the module of its name.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings;

/// Ringfort: a datastore that Redis clients speak to as to Redis Cluster, and that does not lose
/// the writes it acknowledged.
///
/// Without a command it is `ringfort serve`: one node with one shard on 127.0.0.1:6379, its data
/// in ./ringfort-data.
#[derive(Debug, Parser)]
#[command(name = "ringfort", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one node.
    ///
    /// Without peers in its configuration file the node is standalone: 16 databases, commands over
    /// any keys. With peers it is one replica of one shard of a cluster.
    Serve(ServeArgs),
    /// Run a cluster of real processes on this machine.
    ///
    /// Shard s, replica r listens on port + s * replicas + r for clients, 10000 further for peers
    /// and `ringfort admin`, 20000 further for HTTP. Prints one line `ready: redis-cli -c -p PORT`
    /// when every shard has a leader. Ctrl-C stops all. Started again with the same folder, it is
    /// the same cluster with its data.
    Up(UpArgs),
    /// Look at a cluster and change it.
    Admin(AdminArgs),
}

impl Default for Command {
    fn default() -> Command {
        Command::Serve(ServeArgs::default())
    }
}

/// `ringfort serve`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_long_help = settings_help())]
pub(crate) struct ServeArgs {
    /// Configuration file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where clients connect [default: 127.0.0.1:6379].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where peers and `ringfort admin` connect [default: the client port + 10000].
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer_listen: Option<SocketAddr>,
    /// Where /metrics, /healthz and /readyz are served [default: the client port + 20000].
    #[arg(long, value_name = "ADDR")]
    pub(crate) http_listen: Option<SocketAddr>,
    /// Where the data is kept [default: ringfort-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Set a setting; may be repeated. `--help` lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `ringfort up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Shards.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) shards: u32,
    /// Replicas of each shard; a majority of them has to run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) replicas: u32,
    /// The first node's client port.
    #[arg(long, default_value_t = 7000)]
    pub(crate) port: u16,
    /// Where the nodes keep their configuration, data and logs.
    #[arg(long, value_name = "DIR", default_value = "ringfort-up")]
    pub(crate) dir: PathBuf,
    /// Configuration file whose [settings] every node gets when the cluster is created.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `ringfort admin`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// Peer address of any node of the cluster [default: 127.0.0.1:17000, then 127.0.0.1:16379].
    #[arg(long, value_name = "ADDR", global = true)]
    pub(crate) node: Option<cluster::Address>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// What `ringfort admin` can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Show shards, slots, leaders and how far each replica is; exit 1 if a shard has no leader.
    Status,
    /// Make another replica lead a shard.
    TransferLeader {
        /// The shard's number.
        shard: u32,
        /// The node that shall lead [default: the one that lags least].
        // Not named `node`: clap would take it for the global flag of that name.
        #[arg(value_name = "NODE")]
        to: Option<u64>,
    },
    /// Print which shard owns which slots, and what growing would move; asks no node.
    Ring {
        /// Shards, all of the same weight.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        shards: u32,
        /// Also print what would move with this many shards.
        #[arg(long, value_name = "SHARDS",
              value_parser = clap::value_parser!(u32).range(1..=1000))]
        to: Option<u32>,
    },
    /// Compare the data of every shard's replicas; exit 1 if replicas differ.
    Digest,
    /// Write a checkpoint on every node now.
    Checkpoint,
}

/// The table of settings, as `serve --help` ends.
fn settings_help() -> String {
    let mut text = String::from("Settings, for --set and for [settings] in the file:\n");
    for row in settings::ROWS.iter().filter(|row| row.change != settings::Change::Never) {
        let default = if row.default.is_empty() { "" } else { " = " };
        let name = row.name;
        text.push_str(&format!("\n  {name}{default}{}\n", row.default));
        for line in wrapped(row.about, SETTINGS_HELP_COLUMNS) {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text
}

/// Width of a setting's sentence: with its indent it fits a terminal of 80.
const SETTINGS_HELP_COLUMNS: usize = 72;

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_ascii_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_reads_as_reviewed() {
        let mut root = Cli::command();
        root.build();
        let mut all = String::new();
        let mut show = |command: &mut clap::Command| {
            let name = command.get_bin_name().unwrap_or("ringfort").to_owned();
            all.push_str(&format!("$ {name} --help\n{}\n", command.render_long_help()));
        };
        show(&mut root);
        for name in ["serve", "up", "admin"] {
            show(root.find_subcommand_mut(name).unwrap());
        }
        let admin = root.find_subcommand_mut("admin").unwrap();
        for name in ["status", "transfer-leader", "ring", "digest", "checkpoint"] {
            show(admin.find_subcommand_mut(name).unwrap());
        }
        insta::assert_snapshot!("help", all);
    }

    #[test]
    fn no_command_is_serve() {
        assert!(Cli::parse_from(["ringfort"]).command.is_none());
        assert!(Cli::try_parse_from(["ringfort", "--listen", "1.2.3.4:5"]).is_err());
    }

    #[test]
    fn admin_flags_stand_before_or_after_its_command() {
        for words in [
            ["ringfort", "admin", "--node", "h:1", "--json", "status"],
            ["ringfort", "admin", "status", "--json", "--node", "h:1"],
        ] {
            let Some(Command::Admin(admin)) = Cli::parse_from(words).command else {
                panic!("not admin");
            };
            assert!(admin.json && admin.node.unwrap().to_string() == "h:1");
        }
        let words = ["ringfort", "admin", "--node", "h:1", "transfer-leader", "2", "5"];
        let Some(Command::Admin(admin)) = Cli::parse_from(words).command else {
            panic!("not admin");
        };
        assert_eq!(admin.node.unwrap().port, 1);
        assert!(matches!(admin.command, AdminCommand::TransferLeader { shard: 2, to: Some(5) }));
    }

    #[test]
    fn repeated_set_flags_are_kept_in_order() {
        let words = ["ringfort", "serve", "--set", "a=1", "--set", "a=2"];
        let Some(Command::Serve(serve)) = Cli::parse_from(words).command else {
            panic!("not serve");
        };
        assert_eq!(serve.set, ["a=1", "a=2"]);
    }
}
