//! Three replicas against etcd with three members: every write on the disks of a quorum.

use compat_tests::client::Client;
use compat_tests::resp::Value;
use tokio::runtime::Runtime;

use crate::case::{Case, Done, Measure, Sample};
use crate::etcd::{self, Etcd, EtcdClient};
use crate::load::{self, Resp};
use crate::trio::Trio;

/// Clients at once.
const CLIENTS: [usize; 2] = [50, 200];
const GOALS: [(Measure, f64); 2] = [(Measure::PerSecond, 5.0), (Measure::P99Ms, 1.0)];
/// A round in which the leader changed measures an election; it is repeated this often at most.
const TRIES: usize = 3;

pub(crate) fn run(rounds: usize) -> Done<Vec<Case>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut ours = Trio::start();
    let mut theirs = Etcd::start();
    let mut cases = Vec::new();
    for clients in CLIENTS {
        let name = format!("SET c={clients} P=1");
        let sides = ["ringfort", "etcd"];
        cases.push(Case::measure(name, sides, &GOALS, rounds, |side| {
            if side == 0 {
                load_ours(&mut ours, clients, &runtime)
            } else {
                load_theirs(&mut theirs, clients, &runtime)
            }
        })?);
    }
    check(ours.leader())?;
    runtime.block_on(etcd::check(theirs.leader(&runtime)))?;
    Ok(cases)
}

fn load_ours(trio: &mut Trio, clients: usize, runtime: &Runtime) -> Done<Sample> {
    let processes = trio.processes()?;
    for _ in 0..TRIES {
        let leader = trio.leader();
        let sample = runtime.block_on(async {
            load::run(Resp::connect(leader, clients).await?, &processes).await
        })?;
        if trio.leader() == leader {
            return Ok(sample);
        }
    }
    Err("ringfort changes its leader under load".to_owned())
}

fn load_theirs(etcd: &mut Etcd, clients: usize, runtime: &Runtime) -> Done<Sample> {
    let processes = etcd.processes();
    for _ in 0..TRIES {
        let leader = etcd.leader(runtime);
        let sample = runtime.block_on(async {
            load::run(EtcdClient::connect(leader, clients).await?, &processes).await
        })?;
        if etcd.leader(runtime) == leader {
            return Ok(sample);
        }
    }
    Err("etcd changes its leader under load".to_owned())
}

/// That every key holds what was written to it.
fn check(port: u16) -> Done {
    let mut client = Client::connect(port).map_err(|error| error.to_string())?;
    for number in 0..load::KEYS {
        let key = load::key(number);
        match client.call(&["GET", &key]) {
            Value::Null => {}
            Value::Bulk(value) if value == load::value(&key).as_bytes() => {}
            other => return Err(format!("{key} holds {other}")),
        }
    }
    Ok(())
}
