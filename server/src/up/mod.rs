//! `ringfort up`: a cluster of real processes on this machine.
//!
//! Each node is a `ringfort serve` of its own folder, as it would be on a machine of its own; this
//! process only starts them, watches them and stops them. A node that dies stays dead and is
//! reported: what a cluster does then is what one wants to see.

mod child;
mod layout;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use cluster::admin::Admin;
use cluster::admin::proto::StatusResponse;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::cli::UpArgs;
use child::{Exit, Order};
use layout::{Layout, Place};

/// Between two looks whether the cluster is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Without a ready cluster for this long, we say what is missing.
const PATIENCE: Duration = Duration::from_secs(15);
/// For the nodes to hand over leadership and end, before they are killed; what they acknowledged
/// is on disk either way.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until told to stop; the error is a sentence for whoever typed the command.
pub(crate) fn run(args: &UpArgs) -> Result<(), String> {
    let layout = Layout::open(args)?;
    layout.check_ports()?;
    // One thread: a child's death signal is tied to the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(supervise(&layout))
}

/// The nodes that run.
struct Nodes<'a> {
    layout: &'a Layout,
    alive: BTreeMap<u64, Place>,
    orders: watch::Sender<Order>,
    exits: mpsc::Receiver<Exit>,
}

async fn supervise(layout: &Layout) -> Result<(), String> {
    let mut signals = Signals::listen()?;
    let mut nodes = Nodes::start(layout)?;
    let ended = tokio::select! {
        ended = nodes.tend() => ended,
        () = signals.next() => Ok(()),
    };
    nodes.stop(&mut signals).await;
    ended
}

impl<'a> Nodes<'a> {
    fn start(layout: &'a Layout) -> Result<Nodes<'a>, String> {
        let (orders, received) = watch::channel(Order::Run);
        let places: Vec<Place> = layout.places().collect();
        let (sender, exits) = mpsc::channel(places.len());
        let mut nodes = Nodes { layout, alive: BTreeMap::new(), orders, exits };
        for place in places {
            let process = child::spawn(&place).map_err(|error| {
                format!("cannot start node {} in {}: {error}", place.node_id, place.dir.display())
            })?;
            tokio::spawn(child::tend(place.node_id, process, received.clone(), sender.clone()));
            nodes.alive.insert(place.node_id, place);
        }
        Ok(nodes)
    }

    /// Says when the cluster is ready, and reports who dies; ends when too few are left.
    async fn tend(&mut self) -> Result<(), String> {
        let mut ready = false;
        let mut look_at = Instant::now();
        let mut complain_at = look_at + PATIENCE;
        loop {
            tokio::select! {
                Some(exit) = self.exits.recv() => self.report(&exit)?,
                missing = look(&self.alive, look_at), if !ready => match missing {
                    None => {
                        ready = true;
                        self.layout.bootstrapped()?;
                        say_ready(self.layout)?;
                    }
                    Some(missing) => {
                        look_at = Instant::now() + LOOK_AGAIN;
                        if Instant::now() >= complain_at {
                            eprintln!("still waiting: {missing}");
                            complain_at = Instant::now() + PATIENCE;
                        }
                    }
                },
            }
        }
    }

    /// An error if a shard is left without a majority.
    fn report(&mut self, exit: &Exit) -> Result<(), String> {
        let Some(place) = self.alive.remove(&exit.node_id) else { return Ok(()) };
        let Place { node_id, shard, .. } = place;
        let log = place.log();
        let mut text = format!(
            "node {node_id} (shard {shard}, port {}) {}; the end of {}:\n",
            place.port,
            exit.how,
            log.display()
        );
        for line in child::log_tail(&log) {
            text.push_str(&format!("    {line}\n"));
        }
        eprint!("{text}");
        let left = self.alive.values().filter(|other| other.shard == shard).count();
        let replicas = self.layout.replicas() as usize;
        if left * 2 <= replicas {
            return Err(format!(
                "shard {shard} has {left} of {replicas} nodes left, which is no majority: stopping"
            ));
        }
        Ok(())
    }

    /// Asks all to stop, and kills those who do not in time or when asked once more.
    async fn stop(&mut self, signals: &mut Signals) {
        self.orders.send_replace(Order::Stop);
        let deadline = tokio::time::sleep(STOP_TIMEOUT);
        tokio::pin!(deadline);
        let mut patient = true;
        while !self.alive.is_empty() {
            tokio::select! {
                exit = self.exits.recv() => match exit {
                    Some(exit) => drop(self.alive.remove(&exit.node_id)),
                    None => return,
                },
                () = &mut deadline, if patient => patient = false,
                () = signals.next(), if patient => patient = false,
            }
            if !patient {
                self.orders.send_replace(Order::Die);
            }
        }
    }
}

fn say_ready(layout: &Layout) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready: redis-cli -c -p {}", layout.port())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot print: {error}"))
}

/// What the cluster still lacks, at `at` or later; `None`: every shard has a leader and every
/// living node serves.
async fn look(alive: &BTreeMap<u64, Place>, at: Instant) -> Option<String> {
    tokio::time::sleep_until(at).await;
    let asked = alive.values().map(|place| async move {
        let answer = async { Admin::connect(&place.peer()).await?.status().await }.await;
        (place, answer.map_err(|error| error.to_string()))
    });
    let answers = futures::future::join_all(asked).await;
    missing(&answers)
}

fn missing(answers: &[(&Place, Result<StatusResponse, String>)]) -> Option<String> {
    let leads = |answer: &StatusResponse| {
        answer.group.as_ref().is_some_and(|group| group.leader == Some(answer.node_id))
    };
    for (place, answer) in answers {
        match answer {
            Err(why) => return Some(format!("node {}: {why}", place.node_id)),
            Ok(answer) if !answer.ready => {
                return Some(format!("node {}: {}", place.node_id, answer.not_ready));
            }
            Ok(_) => {}
        }
    }
    for (place, _) in answers {
        let shard = place.shard;
        let mut replicas = answers.iter().filter(|(place, _)| place.shard == shard);
        if !replicas.any(|(_, answer)| answer.as_ref().is_ok_and(leads)) {
            return Some(format!("shard {shard} has no leader"));
        }
    }
    None
}

/// Requests to stop; kept for the whole run, so that none is lost between two waits.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Signals, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Signals, String> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler Ctrl-C ends this process, and the children with it.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster::admin::proto::Group;

    use super::*;

    fn place(shard: u32, node_id: u64) -> Place {
        let port = 6999 + u16::try_from(node_id).unwrap();
        Place { node_id, shard, port, dir: format!("node-{node_id}").into() }
    }

    fn answer(node_id: u64, leader: u64, ready: bool) -> Result<StatusResponse, String> {
        let group = Some(Group { leader: Some(leader), ..Group::default() });
        let not_ready = "restoring".into();
        Ok(StatusResponse { node_id, group, ready, not_ready, ..StatusResponse::default() })
    }

    #[test]
    fn ready_is_a_leader_for_every_shard_and_every_node_serving() {
        let places = [place(0, 1), place(0, 2), place(1, 3)];
        let missing = |answers: [Result<StatusResponse, String>; 3]| {
            missing(&places.iter().zip(answers).collect::<Vec<_>>())
        };
        let (one, two, three) = (answer(1, 2, true), answer(2, 2, true), answer(3, 3, true));
        assert_eq!(missing([one.clone(), two.clone(), three.clone()]), None);
        let down = Err("refused".into());
        assert_eq!(missing([down, two.clone(), three.clone()]).unwrap(), "node 1: refused");
        let slow = answer(1, 2, false);
        assert_eq!(missing([slow, two, three.clone()]).unwrap(), "node 1: restoring");
        let astray = answer(2, 1, true);
        assert_eq!(missing([one, astray, three]).unwrap(), "shard 0 has no leader");
    }
}
