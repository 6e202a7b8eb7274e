//! `ringfort admin digest`: whether the replicas of each shard hold the same data.
//!
//! Digests of two replicas can be compared only if both are of the same log entry. Followers are
//! therefore asked to reach the leader's last entry first; while writes go on, some may pass it,
//! and the shard is tried again.

use cluster::admin::proto::DigestResponse;
use cluster::admin::{Admin, AdminError};
use serde::Serialize;

use super::survey::{Survey, Surveyed};
use super::table::aligned;
use super::{print_json, survey};
use crate::cli::AdminArgs;

/// Before it is said that writes make a comparison impossible.
const ATTEMPTS_MAX: usize = 10;
/// Differing slots listed per shard; the first ones are where one looks.
const SLOTS_LISTED_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct ShardDigests {
    shard: u32,
    verdict: Verdict,
    replicas: Vec<ReplicaDigest>,
    /// The first slots whose digests differ, as database and slot.
    differing: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// All replicas hold the same.
    Equal,
    /// They do not, at the same entry.
    Different,
    /// Writes or missing replicas left nothing to compare.
    Unknown,
}

#[derive(Debug, Serialize)]
struct ReplicaDigest {
    node: u64,
    /// Empty if the node did not answer.
    digest: String,
    applied: Option<u64>,
    keys: Option<u64>,
    /// What is wrong, if something is.
    error: String,
}

/// Asks, compares, prints.
pub(super) async fn run(args: &AdminArgs) -> Result<(), String> {
    let survey = survey(args).await?;
    let mut shards = Vec::new();
    for shard in &survey.topology.shards {
        shards.push(compare_shard(&survey, shard.id).await);
    }
    if args.json {
        print_json(&shards);
    } else {
        print!("{}", render(&shards));
    }
    let bad = |verdict| shards.iter().find(|shard| shard.verdict == verdict);
    if let Some(shard) = bad(Verdict::Different) {
        return Err(format!("the replicas of shard {} differ", shard.shard));
    }
    match bad(Verdict::Unknown) {
        Some(shard) => Err(format!("the replicas of shard {} could not be compared", shard.shard)),
        None => Ok(()),
    }
}

type Answers = Vec<(u64, Result<DigestResponse, AdminError>)>;

async fn compare_shard(survey: &Survey, shard: u32) -> ShardDigests {
    let replicas = survey.shard(shard).unwrap_or_default();
    let leader = survey.leader(shard);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let answers = ask(&replicas, leader).await;
        let compared = judge(shard, &answers);
        let unreachable = answers.iter().any(|(_, answer)| answer.is_err());
        if compared.verdict != Verdict::Unknown || unreachable || attempts == ATTEMPTS_MAX {
            return compared;
        }
    }
}

/// The leader first; then the others, once they have applied what it had.
async fn ask(replicas: &[&Surveyed], leader: Option<&Surveyed>) -> Answers {
    let one = |replica: &Surveyed, applied_min: u64| {
        let (node, peer) = (replica.node_id, replica.peer.clone());
        async move {
            let asked = async { Admin::connect(&peer).await?.digest(true, applied_min).await };
            (node, asked.await)
        }
    };
    let mut answers = Vec::new();
    let mut applied_min = 0;
    if let Some(leader) = leader {
        let (node, answer) = one(leader, 0).await;
        applied_min = answer.as_ref().map_or(0, |answer| answer.applied);
        answers.push((node, answer));
    }
    let first = leader.map(|leader| leader.node_id);
    let others = replicas.iter().filter(|replica| Some(replica.node_id) != first);
    answers.extend(futures::future::join_all(others.map(|r| one(r, applied_min))).await);
    answers.sort_by_key(|(node, _)| *node);
    answers
}

fn judge(shard: u32, answers: &Answers) -> ShardDigests {
    let digests: Vec<&DigestResponse> =
        answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).collect();
    let comparable = digests.len() == answers.len()
        && digests.iter().all(|digest| digest.exact && digest.applied == digests[0].applied);
    let equal = digests.windows(2).all(|two| two[0].digest == two[1].digest);
    let verdict = match (comparable, equal) {
        (false, _) => Verdict::Unknown,
        (true, true) => Verdict::Equal,
        (true, false) => Verdict::Different,
    };
    let replicas = answers.iter().map(|(node, answer)| match answer {
        Ok(answer) => ReplicaDigest {
            node: *node,
            digest: format!("{:016x}", answer.digest),
            applied: Some(answer.applied),
            keys: Some(answer.keys),
            error: if answer.exact { "" } else { "being written" }.into(),
        },
        Err(error) => ReplicaDigest {
            node: *node,
            digest: String::new(),
            applied: None,
            keys: None,
            error: error.to_string(),
        },
    });
    let differing = if verdict == Verdict::Different { differing(&digests) } else { Vec::new() };
    ShardDigests { shard, verdict, replicas: replicas.collect(), differing }
}

fn differing(digests: &[&DigestResponse]) -> Vec<(usize, usize)> {
    let slots = usize::from(cluster::ring::SLOTS);
    let length = digests.iter().map(|digest| digest.slots.len()).max().unwrap_or(0);
    let at = |digest: &DigestResponse, index: usize| digest.slots.get(index).copied();
    let differs =
        |index: &usize| digests.windows(2).any(|two| at(two[0], *index) != at(two[1], *index));
    let found = (0..length).filter(differs).take(SLOTS_LISTED_MAX);
    found.map(|index| (index / slots, index % slots)).collect()
}

fn render(shards: &[ShardDigests]) -> String {
    let headings = ["shard", "node", "applied", "keys", "digest", "verdict"];
    let mut rows = vec![headings.map(String::from).to_vec()];
    let mut notes = String::new();
    for shard in shards {
        for (index, replica) in shard.replicas.iter().enumerate() {
            let number = |number: Option<u64>| number.map_or("-".into(), |n| n.to_string());
            let verdict = match shard.verdict {
                _ if !replica.error.is_empty() => &replica.error,
                _ if index > 0 => "",
                Verdict::Equal => "equal",
                Verdict::Different => "DIFFERENT",
                Verdict::Unknown => "not comparable",
            };
            rows.push(vec![
                if index == 0 { shard.shard.to_string() } else { String::new() },
                replica.node.to_string(),
                number(replica.applied),
                number(replica.keys),
                if replica.digest.is_empty() { "-".into() } else { replica.digest.clone() },
                verdict.to_owned(),
            ]);
        }
        if !shard.differing.is_empty() {
            let slots = shard.differing.iter().map(|(db, slot)| format!("{db}/{slot}"));
            let slots = slots.collect::<Vec<_>>().join(" ");
            notes.push_str(&format!(
                "shard {}: the first differing slots (database/slot): {slots}\n",
                shard.shard
            ));
        }
    }
    aligned(&rows) + &notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(applied: u64, slots: &[u64]) -> Result<DigestResponse, AdminError> {
        let digest = slots.iter().sum();
        let slots = slots.to_vec();
        Ok(DigestResponse { applied, exact: true, digest, slots, keys: 3 })
    }

    #[test]
    fn only_digests_of_one_entry_are_compared() {
        let judge = |answers| super::judge(0, &answers).verdict;
        assert_eq!(judge(vec![(1, answer(9, &[1])), (2, answer(9, &[1]))]), Verdict::Equal);
        assert_eq!(judge(vec![(1, answer(9, &[1])), (2, answer(9, &[2]))]), Verdict::Different);
        assert_eq!(judge(vec![(1, answer(9, &[1])), (2, answer(8, &[2]))]), Verdict::Unknown);
        let mut moving = answer(9, &[1]);
        moving.as_mut().unwrap().exact = false;
        assert_eq!(judge(vec![(1, answer(9, &[1])), (2, moving)]), Verdict::Unknown);
        let peer: cluster::Address = "h:1".parse().unwrap();
        let gone = Err(AdminError::Unreachable { address: peer, why: "gone".into() });
        assert_eq!(judge(vec![(1, answer(9, &[1])), (2, gone)]), Verdict::Unknown);
        assert_eq!(judge(vec![(1, answer(9, &[1]))]), Verdict::Equal);
    }

    #[test]
    fn differing_slots_are_named() {
        let mut slots = vec![0; 2 * 16_384];
        let left = answer(9, &slots);
        (slots[3], slots[16_384 + 5]) = (1, 2);
        let shard = judge(4, &vec![(1, left), (2, answer(9, &slots))]);
        assert_eq!(shard.differing, [(0, 3), (1, 5)]);
        insta::assert_snapshot!("digest_text", render(&[shard]));
    }
}
