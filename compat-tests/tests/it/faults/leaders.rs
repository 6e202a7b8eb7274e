//! The leader of each shard in turn is killed under load.

use std::time::{Duration, Instant};

use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::slot;
use compat_tests::load::Load;

use super::{CLIENTS, cluster_client, expect_kept, rounds, tags};

/// What etcd takes on such a machine; the median of the longest gaps must stay below.
const GAP_MEDIAN_MAX: Duration = Duration::from_millis(1_350);
/// Writes between two kills: the cluster has settled, and there is something to lose.
const WRITES_BETWEEN: usize = 500;

#[test]
fn killed_leaders_lose_no_acknowledged_write() {
    let rounds = rounds(20);
    let mut cluster = Cluster::start(3, 3, &[]);
    let tags = tags(&cluster);
    let load = Load::start("leaders", &cluster.ports(), CLIENTS, &tags);
    let mut kills = Vec::new();
    for round in 0..rounds {
        load.wait_for_more(WRITES_BETWEEN);
        let shard = round as usize % cluster.shards;
        let leader = cluster.leader(shard);
        kills.push((shard, Instant::now()));
        cluster.kill_node(leader);
        cluster.leader(shard);
        load.wait_for_more(WRITES_BETWEEN);
        cluster.start_node(leader);
        cluster.wait_for_node(leader);
    }
    load.wait_for_more(WRITES_BETWEEN);
    let record = load.stop();

    let mut gaps: Vec<Duration> = kills
        .iter()
        .enumerate()
        .map(|(round, (shard, at))| {
            let of_shard = slot(tags[*shard].as_bytes());
            let until = kills.get(round + 1).map(|(_, next)| *next);
            record.longest_gap(*at, until, |slot| slot == of_shard)
        })
        .collect();
    println!("longest gap without a successful write, by round: {gaps:.0?}");
    expect_kept(&record, &mut cluster_client(&cluster), rounds);
    cluster.wait_until_replicas_agree();
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    println!("median {median:.0?}, worst {:.0?}; goal {GAP_MEDIAN_MAX:?}", gaps[gaps.len() - 1]);
    assert!(median < GAP_MEDIAN_MAX, "the median gap is {median:?}");
}
